"""What is asked of the hospital's other nodes from the terminal: worklist, archive, and studies sent there."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table

from acquisition.upkeep import whoever_runs_this
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.clients.answers import Fate
from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.carrying import carry_out
from devices.dicom.clients.finding import Found
from devices.dicom.clients.outbox import Outbox
from devices.dicom.clients.progress import Progress as OrderProgress
from devices.dicom.clients.retrieval import SubOperations, retrieve
from devices.dicom.clients.studies import FoundStudy, find_studies
from devices.dicom.clients.worklist import ScheduledStep, find_scheduled
from devices.dicom.settings import NodeSettings, Peer, Retrieval, Role
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import checked_uid
from devices.dicom.storage.part10 import FileMeta, UnreadableFile

Item = TypeVar("Item")

WIDE = 300
"""Characters of a line in a file or a pipe."""

MOST_SHOWN = 10
"""Objects that are named singly; more are counted."""


_STEP_COLUMNS = (
    *("date", "time", "patient ID", "name", "born"),
    *("procedure", "modality", "station", "accession", "study"),
)
_STUDY_COLUMNS = (
    "study",
    "date",
    "patient ID",
    "name",
    "born",
    "description",
    "modalities",
    "accession",
    "objects",
)


MODELS: Final = {
    Retrieval.MOVE: StudyRootQueryRetrieveInformationModelMove,
    Retrieval.GET: StudyRootQueryRetrieveInformationModelGet,
}
"""By which SOP class an archive is asked for a study."""


class ExchangeRefused(Exception):
    """Raised when nothing can be asked or sent; the message says why, and what to do."""


def terminal() -> Console:
    """Open standard output; where it is no terminal, wide enough that no UID is folded."""
    return Console(width=None if sys.stdout.isatty() else WIDE)


def show_worklist(
    node: NodeSettings, *, peer: str | None, on: date | None, station_ae: str, patient_id: str, console: Console
) -> None:
    """List scheduled procedures.

    Raises
    ------
    ExchangeRefused
        Where no such peer is set up, or it does not answer.

    """
    asked = _peer(node, Role.WORKLIST, peer)
    with _asking(node, asked, ModalityWorklistInformationFind):
        found = find_scheduled(
            asked, calling_ae=node.ae_title, on=on, station_ae=station_ae, patient_id=patient_id
        )
    _show(found, _STEP_COLUMNS, _step_cells, console)


def show_studies(
    node: NodeSettings,
    *,
    peer: str | None,
    patient_id: str,
    patient_name: str,
    accession_number: str,
    since: date | None,
    until: date | None,
    console: Console,
) -> None:
    """List studies of an archive.

    Raises
    ------
    ExchangeRefused
        Where no such peer is set up, nothing is asked for, or it does not answer.

    """
    asked = _peer(node, Role.ARCHIVE, peer)
    if not any((patient_id, patient_name, accession_number, since, until)):
        raise ExchangeRefused("say which studies: --patient-id, --name, --accession, --since or --until")
    with _asking(node, asked, StudyRootQueryRetrieveInformationModelFind):
        found = find_studies(
            asked,
            calling_ae=node.ae_title,
            patient_id=patient_id,
            patient_name=patient_name,
            accession_number=accession_number,
            since=since,
            until=until,
        )
    _show(found, _STUDY_COLUMNS, _study_cells, console)


def pull(node: NodeSettings, study_uid: str, *, peer: str | None, console: Console) -> bool:
    """Have an archive send a study to the running node; returns whether all of it came.

    Raises
    ------
    ExchangeRefused
        Where no such peer is set up, the UID is none, or the archive cannot be asked.

    """
    asked = _peer(node, Role.ARCHIVE, peer)
    uid = _uid(study_uid)
    model = MODELS[asked.retrieval]
    with (
        _asking(node, asked, model, study_uid=uid) as problems,
        _bar(f"{asked.name}: objects", console) as advance,
    ):

        def tell(counts: SubOperations) -> None:
            done = counts.completed + counts.failed + counts.warnings
            advance(done, None if counts.remaining is None else done + counts.remaining)

        came = retrieve(asked, uid, node, tell=tell)
        problems.append(came.reason)
    done = came.counts.completed + came.counts.warnings
    if came.is_whole:
        _say(console, f"{done} objects of {uid} came from {asked.name}")
        return True
    _say(console, f"{uid} did not come whole from {asked.name}: {done} objects came; {came.reason}")
    _name(console, [f"{failed}: {reason or 'not sent'}" for failed, reason in came.failed.items()])
    return False


def send(node: NodeSettings, study_uid: str, *, to: str, console: Console) -> bool:
    """Send a received study to a destination; what is not taken this time waits in the outbox.

    Returns whether all of it was taken.

    Raises
    ------
    ExchangeRefused
        Where no such peer is set up, no such study is here, or the order cannot be kept.

    """
    peer = _peer(node, Role.DESTINATION, to)
    objects, audit = _objects(node, _uid(study_uid), console), _audit(node)
    try:
        with (
            Outbox(node.folder).put(study_uid, peer.name, objects, asked_by=whoever_runs_this()) as order,
            _bar(f"{peer.name}: objects", console) as advance,
        ):

            def tell(progress: OrderProgress) -> None:
                advance(len(progress.answers), len(objects))

            carry_out(order, peer, calling_ae=node.ae_title, audit=audit, tell=tell)
            progress = order.progress
    except OSError as exc:
        raise ExchangeRefused(f"the order cannot be kept: {exc}") from exc
    _conclude(progress, console)
    return progress.count(Fate.STORED) == len(objects)


def show_outbox(node: NodeSettings, *, console: Console) -> bool:
    """List what was sent and what waits; returns whether every destination has all of it."""
    listed = Outbox(node.folder).list()
    for progress in listed:
        _conclude(progress, console)
    _say(console, f"{len(listed)} orders")
    return all(progress.count(Fate.STORED) == len(progress.request.objects) for progress in listed)


def _peer(node: NodeSettings, role: Role, name: str | None) -> Peer:
    fitting = [peer for peer in node.peers if role in peer.roles and name in {None, peer.name}]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(peer.name for peer in node.peers if role in peer.roles)
    if fitting:
        raise ExchangeRefused(f"say which {role}: {known}")
    if name is None or not known:
        raise ExchangeRefused(f'no {role} is set up: write a [[dicom.peers]] with roles = ["{role}"]')
    raise ExchangeRefused(f"no {role} is called {name}: the site file has {known}")


def _uid(text: str) -> str:
    try:
        return checked_uid(text, name="the study's UID")
    except UnreadableObject as exc:
        raise ExchangeRefused(str(exc)) from exc


def _objects(node: NodeSettings, study_uid: str, console: Console) -> list[Path]:
    """Find a study's files; of two under one UID the one that has the plain name."""
    chosen, others = [], 0
    for path in sorted((node.folder / study_uid).glob("*.dcm")):
        try:
            is_plain = FileMeta.read(path)[0].object_uid == path.stem
        except (OSError, UnreadableFile):
            is_plain = re.fullmatch(r"[0-9.]+", path.stem) is not None  # the answer to it will say so
        if is_plain:
            chosen.append(path)
        else:
            others += 1
    if not chosen:
        raise ExchangeRefused(f"no study {study_uid} is in {node.folder}")
    if others:
        _say(console, f"{others} objects are not sent: others have their UIDs, and those are")
    return chosen


@contextmanager
def _asking(node: NodeSettings, peer: Peer, model: str, *, study_uid: str = "") -> Iterator[list[str]]:
    """Ask a peer something, with its row in the audit; gives a list for the reasons why it is not done."""
    audit, problems = _audit(node), ["it was broken off"]
    try:
        yield problems
        del problems[0]
    except PeerFailed as exc:
        problems = [str(exc)]
        raise ExchangeRefused(str(exc)) from exc
    finally:
        audit.asked(
            (peer.ae_title, peer.host),
            str(model),
            study_uid=study_uid,
            asked_by=whoever_runs_this(),
            failure="; ".join(filter(None, problems)),
        )


def _audit(node: NodeSettings) -> AuditTrail:
    try:
        return AuditTrail(node.folder, ae_title=node.ae_title)
    except OSError as exc:
        raise ExchangeRefused(f"nobody is asked without an audit, which cannot be written: {exc}") from exc


@contextmanager
def _bar(words: str, console: Console) -> Iterator[Callable[[int, int | None], None]]:
    columns = (TextColumn(escape(words)), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(done: int, of: int | None) -> None:
            progress.update(task, completed=done, total=of)

        yield advance


def _conclude(progress: OrderProgress, console: Console) -> None:
    request, stored = progress.request, progress.count(Fate.STORED)
    said = f"{request.study_uid} to {request.destination}: {stored} of {len(request.objects)} objects stored"
    if waiting := len(progress.waiting):
        said += f"; {waiting} wait, and a running radionav goes on sending them"
    if progress.missed:
        said += f"; {progress.missed}"
    _say(console, said)
    told = [answer for answer in progress.answers.values() if answer.reason]
    _name(console, [f"{Path(answer.path).stem}: {answer.reason}" for answer in told])


def _show(
    found: Found[Item], columns: Sequence[str], cells: Callable[[Item], Sequence[str]], console: Console
) -> None:
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for item in found.items:
        table.add_row(*map(escape, cells(item)))
    console.print(table)
    _say(console, f"{len(found.items)} found{', and there are more: ask for less' if found.is_cut else ''}")
    _name(console, [f"left out: {reason}" for reason in found.unreadable])


def _step_cells(step: ScheduledStep) -> Sequence[str]:
    return (
        _day(step.start_date),
        step.start_time[:4],
        step.patient_id,
        step.patient_name,
        _day(step.birth_date),
        step.procedure or step.step,
        step.modality,
        step.station_ae,
        step.accession_number,
        step.study_uid,
    )


def _study_cells(study: FoundStudy) -> Sequence[str]:
    return (
        study.study_uid,
        _day(study.study_date),
        study.patient_id,
        study.patient_name,
        _day(study.birth_date),
        study.description,
        study.modalities,
        study.accession_number,
        "" if study.objects is None else str(study.objects),
    )


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _name(console: Console, sentences: Sequence[str]) -> None:
    for sentence in sentences[:MOST_SHOWN]:
        _say(console, f"  {sentence}")
    if len(sentences) > MOST_SHOWN:
        _say(console, f"  and {len(sentences) - MOST_SHOWN} more")


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, soft_wrap=True, highlight=False, markup=False)

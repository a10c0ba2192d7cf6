"""What is done with the received objects between two days: the index made anew, old studies listed and deleted."""

import getpass
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy.exc import SQLAlchemyError

from devices.databases import say
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.reconciliation import Difference, reconcile_all, restore_audit
from devices.dicom.index.retention import Candidate, awaiting_commitment, delete, find_candidates
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.store import MEGABYTE, FolderDiffers, FolderInUse, ObjectStore

log = structlog.get_logger()


class UpkeepRefused(Exception):
    """Raised when nothing can be done; the message says why, and what to do."""


def reindex(settings: NodeSettings, console: Console) -> bool:
    """Make the index anew from the files; returns whether every file could be read.

    Raises
    ------
    UpkeepRefused
        Where a node has the folder, or the database cannot be written.

    """
    began_s = time.monotonic()
    with _whole_index(settings) as (_, catalogue, audit):
        catalogue.clear()
        found = _bring_in_line(catalogue, settings.folder, audit, console)
    for name, reason in found.unreadable.items():
        console.print(f"left as it is: {escape(name)}: {escape(reason)}", soft_wrap=True, highlight=False)
    console.print(
        f"indexed {found.added} objects of {found.studies} studies in {time.monotonic() - began_s:.1f} s; "
        f"{len(found.unreadable)} files could not be read",
        soft_wrap=True,
        highlight=False,
    )
    return not found.unreadable


def list_by_rule(settings: NodeSettings, *, patient_id: str | None, console: Console) -> bool:
    """List the studies that the rules name, beside a running node or without.

    Raises
    ------
    UpkeepRefused
        Where the index cannot be read.

    """
    try:
        with Catalogue.open(settings.folder, settings.index) as catalogue:
            named = _candidates(settings, ObjectStore(settings.folder, free_floor_mb=0), catalogue, patient_id)
    except IndexUnavailable as exc:
        raise UpkeepRefused(str(exc)) from exc
    for study in named:
        _show(study, f"kept: {study.kept_for}" if study.kept_for else "would go", console)
    going = [study for study in named if not study.kept_for]
    _sum_up(going, "would be deleted; nothing was: give --delete", console)
    return True


def delete_by_rule(settings: NodeSettings, *, patient_id: str | None, console: Console) -> bool:
    """Delete the studies that the rules name, each with its audit; returns whether all of them went.

    Raises
    ------
    UpkeepRefused
        Where a node has the folder, or the database cannot be written.

    """
    gone, is_all = [], True
    with _whole_index(settings) as (store, catalogue, audit):
        _bring_in_line(catalogue, settings.folder, audit, console)
        for study in _candidates(settings, store, catalogue, patient_id):
            if study.kept_for:
                _show(study, f"kept: {study.kept_for}", console)
                continue
            try:
                delete(study, store=store, catalogue=catalogue, audit=audit, deleted_by=whoever_runs_this())
            except (FolderDiffers, OSError) as exc:
                _show(study, f"kept: {exc}", console)
                is_all = False
            else:
                _show(study, "deleted", console)
                gone.append(study)
    _sum_up(gone, "deleted", console)
    return is_all


@contextmanager
def _whole_index(settings: NodeSettings) -> Iterator[tuple[ObjectStore, Catalogue, AuditTrail]]:
    """Have the folder to oneself, and its index open to write."""
    try:
        with (
            ObjectStore.open(settings.folder, free_floor_mb=0) as store,
            closing(Catalogue.to_write(settings.folder, settings.index)) as catalogue,
        ):
            try:
                yield store, catalogue, AuditTrail(settings.folder, ae_title=settings.ae_title)
            except SQLAlchemyError as exc:
                raise UpkeepRefused(say(catalogue.place, exc)) from exc
    except FolderInUse as exc:
        raise UpkeepRefused(f"{exc}: end radionav first; while it runs it keeps its index by itself") from exc
    except (IndexUnavailable, OSError) as exc:
        raise UpkeepRefused(str(exc)) from exc


def _bring_in_line(catalogue: Catalogue, folder: Path, audit: AuditTrail, console: Console) -> Difference:
    def miss(study_uid: str, paths: Sequence[str]) -> None:
        log.error("objects are missing", study_uid=study_uid, paths=paths)
        catalogue.note(audit.missing(study_uid, len(paths)))

    restore_audit(catalogue, audit)
    found = Difference()
    columns = (TextColumn("reading the files"), BarColumn(), MofNCompleteColumn(), TextColumn("studies"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for done, of, so_far in reconcile_all(catalogue, folder, on_gone=miss, at=datetime.now(tz=UTC)):
            progress.update(task, completed=done, total=of)
            found = so_far
    return found


def _candidates(
    settings: NodeSettings, store: ObjectStore, catalogue: Catalogue, patient_id: str | None
) -> list[Candidate]:
    return find_candidates(
        catalogue,
        settings.retention,
        kept=awaiting_commitment(settings.folder, store),
        patient_id=patient_id,
        now=datetime.now(tz=UTC),
    )


def _show(study: Candidate, fate: str, console: Console) -> None:
    console.print(
        f"{study.study_uid}  {study.newest_at:%Y-%m-%d}  {study.objects} objects  {_megabytes(study)} MB  "
        f"{', '.join(study.senders)}  [{study.rule}]  {fate}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _sum_up(studies: Sequence[Candidate], fate: str, console: Console) -> None:
    size_mb = sum(study.size_bytes for study in studies) / MEGABYTE
    console.print(f"{len(studies)} studies, {size_mb:.1f} MB {fate}", soft_wrap=True, highlight=False)


def _megabytes(study: Candidate) -> str:
    return f"{study.size_bytes / MEGABYTE:.1f}"


def whoever_runs_this() -> str:
    """Name the person at the terminal, for the audit."""
    return f"{getpass.getuser()}@{socket.gethostname()}"

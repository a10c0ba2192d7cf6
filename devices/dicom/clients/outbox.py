"""Studies on their way to destinations, on the disk until each object has its answer; and what was answered.

An order is one file of JSON lines: first what is to go where, then each answer as it comes. A line is added in one
write, so a killed process leaves whole lines; one that a power cut tore is left out, and its object sent again,
which does no harm: an object sent twice is one object. Whoever carries an order out has its file locked.
"""

import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from devices.dicom.clients.answers import Answer, Fate
from devices.dicom.clients.progress import (
    Audited,
    Line,
    Missed,
    Noted,
    Progress,
    Request,
    UnreadableOrder,
    read_progress,
    to_line,
)
from devices.dicom.storage.durability import make_folder, synchronise_folder, write_whole

FOLDER: Final = ".outbox"

OPEN, ENDED = ".order", ".ended"
"""Suffixes of the files of orders that wait, and of those that are done, and that the audit trail tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits to be sent.

    Attributes
    ----------
    objects
        How many.
    destinations
        To whom, sorted.
    since
        When the oldest order for any of it was given; None where nothing waits.
    reason
        Why the newest attempt did not succeed, in words; empty where none has failed since.
    unreadable
        Names of files of orders that cannot be read, so that nobody knows what is to be sent; sorted.

    """

    objects: int = 0
    destinations: tuple[str, ...] = ()
    since: datetime | None = None
    reason: str = ""
    unreadable: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say in a sentence what waits and why; empty where nothing has failed."""
        sentences = []
        if self.since is not None and self.reason:
            since = f"{self.since.astimezone():%Y-%m-%d %H:%M}"
            waiting = f"{self.objects} objects wait for {', '.join(self.destinations)} since {since}"
            sentences.append(f"{waiting}: {self.reason}")
        if self.unreadable:
            sentences.append(
                f"what was to be sent cannot be read from {', '.join(self.unreadable)} in {FOLDER}: "
                "send the study again, then move the file away"
            )
        return "; ".join(sentences)


class Order:
    """An order that is being carried out: its file, locked. Made by ``Outbox``."""

    def __init__(self, path: Path, descriptor: int, *, folder: Path) -> None:
        self.path = path
        self._descriptor = descriptor
        self._folder = folder
        self.progress = read_progress(path)

    @property
    def paths(self) -> list[Path]:
        """Files that are still to be sent."""
        return [self._folder / path for path in self.progress.waiting]

    def note(self, answer: Answer) -> None:
        """Add an answer; raises ``OSError`` where the disk refuses."""
        self._add(
            Noted(
                path=str(answer.path.relative_to(self._folder)),
                fate=answer.fate,
                status=answer.status,
                reason=answer.reason,
                at=datetime.now(tz=UTC),
            )
        )

    def miss(self, reason: str) -> None:
        """Note that an attempt has ended early; raises ``OSError`` where the disk refuses."""
        self._add(Missed(reason=reason, at=datetime.now(tz=UTC)))

    def audited(self) -> None:
        """Note that the trail tells of every object stored so far; raises ``OSError`` where the disk refuses."""
        self._add(Audited(objects=self.progress.unaudited))

    def close(self) -> None:
        """Make the answers durable, give the order its place among the ended ones if it is, and let go of it."""
        try:
            os.fsync(self._descriptor)
            if not self.progress.waiting and not self.progress.unaudited:
                self.path.rename(self.path.with_suffix(ENDED))
                synchronise_folder(self.path.parent)
        finally:
            os.close(self._descriptor)

    def _add(self, line: Line) -> None:
        write_whole(self._descriptor, to_line(line))
        self.progress = self.progress.after(line)


class Outbox:
    """The orders of one node."""

    def __init__(self, folder: Path) -> None:
        self._store = folder
        self._folder = folder / FOLDER

    @contextmanager
    def put(
        self, study_uid: str, destination: str, objects: Sequence[Path], *, asked_by: str = ""
    ) -> Iterator[Order]:
        """Take an order durably, to be carried out by the caller first; what then waits is for ``take``.

        Raises
        ------
        OSError
            Where it cannot be kept.

        """
        now = datetime.now(tz=UTC)
        request = Request(
            study_uid=study_uid,
            destination=destination,
            objects=tuple(str(path.relative_to(self._store)) for path in objects),
            asked_at=now,
            asked_by=asked_by,
        )
        make_folder(self._folder)
        path = self._folder / f"{now:%Y%m%dT%H%M%S%f}.{os.getpid()}.{destination}{OPEN}"
        written = path.with_suffix(".new")
        descriptor = _lock(written, os.O_CREAT | os.O_EXCL)
        if descriptor is None:  # a name of our own
            raise OSError(f"{written} is locked")
        try:
            write_whole(descriptor, to_line(request))
            os.fsync(descriptor)
            written.rename(path)
            synchronise_folder(self._folder)
            order = Order(path, descriptor, folder=self._store)
        except BaseException:
            os.close(descriptor)
            raise
        try:
            yield order
        finally:
            order.close()

    @contextmanager
    def take(self, path: Path) -> Iterator[Order | None]:
        """Take an order that waits; gives None where another carries it out, or has ended it."""
        order = self._taken(path)
        try:
            yield order
        finally:
            if order is not None:
                order.close()

    def waiting(self, destination: str) -> list[Path]:
        """Files of the orders for a destination that have not ended, oldest first."""
        return sorted(self._folder.glob(f"*.{destination}{OPEN}"))

    def list(self) -> list[Progress]:
        """How far each order has come, the ended ones too, oldest first; one that cannot be read is left out."""
        listed = []
        for path in sorted((*self._folder.glob(f"*{OPEN}"), *self._folder.glob(f"*{ENDED}"))):
            with suppress(FileNotFoundError, UnreadableOrder):  # it may end meanwhile
                listed.append(read_progress(path))
        return listed

    def backlog(self, known: Collection[str]) -> Backlog:
        """Sum up what waits; ``known`` are the destinations that orders are carried out for."""
        waiting, unreadable = [], []
        for path in sorted(self._folder.glob(f"*{OPEN}")):
            try:
                progress = read_progress(path)
            except FileNotFoundError:  # it has ended meanwhile
                continue
            except (OSError, UnreadableOrder):
                unreadable.append(path.name)
                continue
            if progress.waiting:
                waiting.append(progress)
        reasons = sorted(filter(None, (_newest_reason(progress, known) for progress in waiting)))
        return Backlog(
            objects=sum(len(progress.waiting) for progress in waiting),
            destinations=tuple(sorted({progress.request.destination for progress in waiting})),
            since=min((progress.request.asked_at for progress in waiting), default=None),
            reason=reasons[-1][1] if reasons else "",
            unreadable=tuple(unreadable),
        )

    def _taken(self, path: Path) -> Order | None:
        try:
            descriptor = _lock(path, 0)
        except FileNotFoundError:
            return None
        if descriptor is None:
            return None
        try:
            # it may have ended between being listed and being locked
            if not path.exists():
                os.close(descriptor)
                return None
            _drop_torn_line(path, descriptor)
            return Order(path, descriptor, folder=self._store)
        except BaseException:
            os.close(descriptor)
            raise


def _newest_reason(progress: Progress, known: Collection[str]) -> tuple[datetime, str] | None:
    """When and why an order was last not carried out; None where nothing has failed."""
    if progress.request.destination not in known:
        return progress.request.asked_at, f"no destination is called {progress.request.destination}"
    if progress.missed_at is not None:
        return progress.missed_at, progress.missed
    postponed = [answer for answer in progress.answers.values() if answer.fate is Fate.POSTPONED]
    return (postponed[-1].at, postponed[-1].reason) if postponed else None


def _lock(path: Path, flags: int) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _drop_torn_line(path: Path, descriptor: int) -> None:
    content = path.read_bytes()
    os.ftruncate(descriptor, content.rfind(b"\n") + 1)

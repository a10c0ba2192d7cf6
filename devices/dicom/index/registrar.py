"""Keeps the index abreast of the folder while the node runs.

An object is acknowledged when its file is durable; its row comes after, in batches, in a thread apart. Whatever a
kill or a failing database takes from the rows is made up for from the files, at the start and when it is back.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from devices.databases import say
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.index.attributes import Entry, read_entry
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.reconciliation import Difference, describe, reconcile, restore_audit, study_uids
from devices.dicom.services.events import Notify, Twin
from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.part10 import UnreadableFile
from devices.dicom.storage.placement import Kept, StoredObject

QUIET_S = 0.3
"""Rows are written when nothing has come for so long: while objects come, the processor is theirs."""

LONGEST_WAIT_S = 10.0
"""Rows are written after so long even though objects still come."""

RETRY_S = 5.0

MOST_WAITING = 10_000
"""Objects that wait for their rows; with more the whole folder is looked through instead."""

MOST_AT_ONCE = 200
"""Rows made at once: what they take while they are made, the process keeps."""

END_TIME_S = 0.4
"""For the last rows when the node ends; the next start makes up for what it does not suffice for."""

T = TypeVar("T")

log = structlog.get_logger()


class _FellBehind(Exception):
    """Raised when more objects wait for their rows than are remembered."""


class Registrar:
    """Writes a row for each object that comes.

    Parameters
    ----------
    folder
        The store's.
    url
        The database, None for the SQLite file below the folder.
    audit
        Told what is missing.
    tell
        Called with a sentence when the index cannot be written, and with an empty one when it can again.
    notify
        Told of each object that came whose UID is one of another study's objects too.

    """

    def __init__(
        self, folder: Path, url: str | None, *, audit: AuditTrail, tell: Callable[[str], None], notify: Notify
    ) -> None:
        self._folder = folder
        self._url = url
        self._audit = audit
        self._tell = tell
        self._notify = notify
        self._told = ""
        self._waiting: list[str] = []
        self._entering = 0
        self._is_complete = False
        self._replaced: set[str] = set()
        self._changed = asyncio.Event()
        self._catalogue: Catalogue | None = None
        # one thread: a database has one writer
        self._thread = ThreadPoolExecutor(1, "dicom index")

    @property
    def waiting(self) -> int | None:
        """Objects that are stored and have no row yet; None while they are not counted."""
        if not self._is_complete or len(self._waiting) > MOST_WAITING:
            return None
        return len(self._waiting) + self._entering

    def note(self, stored: StoredObject) -> None:
        """Take an object that is on the disk; its row follows."""
        # without a database nothing is remembered: the folder is looked through when there is one
        # what came again has its row, or waits for it
        if self._catalogue is None or stored.kept in {Kept.REJECTED, Kept.AGAIN}:
            return
        if len(self._waiting) <= MOST_WAITING:
            self._waiting.append(f"{stored.study_uid}/{stored.name}")
        if stored.replaced is not None:
            # of this one nobody has told: its file has a name that is new
            self._waiting.append(f"{stored.study_uid}/{stored.replaced}")
            self._replaced.add(stored.study_uid)
        self._changed.set()

    async def run(self) -> None:
        """Keep the index for ever, whatever becomes of its database."""
        while True:
            try:
                await self._keep()
            except _FellBehind:
                log.warning("the index fell behind, and the folder is looked through", folder=str(self._folder))
            except IndexUnavailable as exc:
                self._complain(str(exc))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Write what waits, if that can be done in time."""
        catalogue = self._catalogue
        if catalogue is not None:
            try:
                async with asyncio.timeout(END_TIME_S):
                    await self._write(catalogue)
            except (TimeoutError, SQLAlchemyError, _FellBehind) as exc:
                log.warning("the next start completes the index", reason=str(exc))
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _keep(self) -> None:
        catalogue = await self._apart(lambda: Catalogue.to_write(self._folder, self._url))
        self._waiting.clear()
        # what comes from here on is noted; what came before, the reconciliation finds
        self._catalogue = catalogue
        try:
            await self._reconcile(catalogue)
            self._is_complete = True
            self._complain("")
            while True:
                await self._changed.wait()
                await self._until_quiet()
                await self._write(catalogue)
        except (_FellBehind, SQLAlchemyError) as exc:
            self._catalogue, self._is_complete, self._entering = None, False, 0
            catalogue.close()
            if isinstance(exc, _FellBehind):
                raise
            if isinstance(exc, DatabaseError):
                catalogue.discard_if_damaged(exc)
            raise IndexUnavailable(say(catalogue.place, exc)) from exc

    async def _until_quiet(self) -> None:
        clock = asyncio.get_running_loop().time
        due_s, seen = clock() + LONGEST_WAIT_S, 0
        while seen < len(self._waiting) <= MOST_WAITING and clock() < due_s:
            seen = len(self._waiting)
            await asyncio.sleep(QUIET_S)

    async def _reconcile(self, catalogue: Catalogue) -> None:
        found = Difference()
        await self._apart(lambda: restore_audit(catalogue, self._audit))
        for study_uid in await self._apart(lambda: study_uids(catalogue, self._folder)):
            await self._apart(
                partial(reconcile, catalogue, self._folder, study_uid, found, on_gone=self._miss, at=_now())
            )
            self._tell_shared(found.shared)
            found.shared.clear()
            await self._write(catalogue)
        for name, reason in found.unreadable.items():
            log.warning("a file is not in the index", path=name, reason=reason)
        log.info("the index is complete", objects=found.objects, added=found.added, gone=found.gone)

    def _miss(self, study_uid: str, paths: Sequence[str]) -> None:
        log.error("objects are missing", study_uid=study_uid, paths=paths)
        removal = self._audit.missing(study_uid, len(paths))
        if self._catalogue is not None:
            self._catalogue.note(removal)

    async def _write(self, catalogue: Catalogue) -> None:
        self._changed.clear()
        waiting, self._waiting = self._waiting, []
        replaced, self._replaced = self._replaced, set()
        if len(waiting) > MOST_WAITING:
            raise _FellBehind
        if waiting:
            self._entering = len(waiting)
            self._tell_shared(await self._apart(lambda: self._enter(catalogue, waiting, replaced)))
            self._entering = 0

    def _enter(
        self, catalogue: Catalogue, waiting: Sequence[str], replaced: Iterable[str]
    ) -> list[tuple[Entry, str]]:
        reading, shared = self._read(waiting), list[tuple[Entry, str]]()
        while entries := list(islice(reading, MOST_AT_ONCE)):
            shared += catalogue.add(entries)
            self._entering -= len(entries)
        for study_uid in replaced:
            describe(catalogue, self._folder, study_uid)
        return shared

    def _tell_shared(self, shared: Iterable[tuple[Entry, str]]) -> None:
        for entry, other_study_uid in shared:
            self._notify(
                Twin(
                    calling_ae=str(entry.object["calling_ae"]),
                    object_uid=entry.object_uid,
                    study_uid=entry.study_uid,
                    other_study_uid=other_study_uid,
                    path=str(self._folder / entry.path),
                )
            )

    def _read(self, paths: Iterable[str]) -> Iterator[Entry]:
        for path in map(self._folder.joinpath, paths):
            try:
                yield read_entry(self._folder, path)
            except (UnreadableFile, UnreadableObject, OSError) as exc:
                log.warning("a file is not in the index", path=str(path), reason=str(exc))

    def _complain(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            self._tell(reason)

    async def _apart(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _now() -> datetime:
    return datetime.now(tz=UTC)

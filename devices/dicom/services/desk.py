"""Transactions of storage commitment under way: kept on the disk until their outcome is delivered."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import msgspec
import structlog

from devices.clock import Clock
from devices.dicom.retrying import Retrying
from devices.dicom.services import docket
from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import (
    Failure,
    Transaction,
)
from devices.dicom.services.docket import UnreadableTransaction
from devices.dicom.services.events import Listing
from devices.dicom.services.provider import DeskFull, Provider
from devices.dicom.services.reports import Outcome, Reports
from devices.dicom.services.request import Respond
from devices.dicom.services.verification import look_into
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion

MOST_PENDING = 1000
"""Transactions of all senders together that wait for delivery.

One sender may have as many as are free besides, so half of all: one that takes no reports shuts out no other.
"""

LOOKED_INTO = 4
"""Transactions that are looked into at a time, each of another sender: half of the threads for the disk."""

T = TypeVar("T")

log = structlog.get_logger()


class CommitmentDesk:
    """Takes transactions, looks into them, and reports until the sender has heard, also after a restart.

    Parameters
    ----------
    provider
        The sessions, the store, the settings.
    folder
        The store's; transactions are kept beside its studies.
    disk
        Runs what waits for the disk.
    timing
        Of associations that are opened to report.
    clock
        Host monotonic clock.
    retrying
        How often.

    """

    def __init__(
        self,
        provider: Provider,
        folder: Path,
        *,
        disk: Executor,
        timing: Timing,
        clock: Clock,
        retrying: Retrying | None = None,
    ) -> None:
        self._provider = provider
        self._reports = Reports(provider, disk=disk, timing=timing, clock=clock)
        self._disk = disk
        self._folder = folder
        self._retrying = retrying or Retrying()
        self._arrived: asyncio.Queue[Path] = asyncio.Queue()
        self._pending: dict[Path, str] = {}  # and whose it is
        self._kept: set[Path] = set()  # those of them that are on the disk
        self._reserving = threading.Lock()  # places are taken on the threads for the disk, and given back here
        # lists are read from the disk when it is their turn: however many wait, few are in memory
        self._looking = asyncio.Semaphore(LOOKED_INTO)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._opened = asyncio.Event()
        self._paused = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Transactions that are not reported on yet."""
        return len(self._pending)

    def accept(self, transaction: Transaction, answer: Respond) -> Conclusion:
        """Take a transaction durably, and give what is to be done at the association then. Blocks; for any thread.

        Raises
        ------
        DeskFull
            Where too many wait for delivery already.

        """
        path = docket.place(self._folder, transaction)
        if not self._reserve(path, transaction.calling_ae):
            # of one that is just being written, by another association's request, nothing can be promised
            return partial(answer, Status.SUCCESS if path in self._kept else Status.PROCESSING_FAILURE)
        try:
            docket.keep(path, transaction)
        except OSError as exc:
            log.warning("a commitment cannot be kept", reason=str(exc))
            return partial(self._give_up, path, answer)
        except BaseException:
            self._release(path)
            raise
        self._kept.add(path)
        listing = Listing(object_uids=frozenset(each.object_uid for each in transaction.references))
        return partial(self._begin, path, listing, answer)

    def _reserve(self, path: Path, calling_ae: str) -> bool:
        """Take a place for a transaction; false where it has one."""
        with self._reserving:
            if path in self._pending:
                return False
            own = list(self._pending.values()).count(calling_ae)
            if own >= MOST_PENDING - len(self._pending):
                raise DeskFull(
                    f"{own} requests for commitment of {calling_ae!r} wait until it takes their reports, "
                    f"of {len(self._pending)} in all: no room for one more"
                )
            self._pending[path] = calling_ae
            return True

    def _release(self, path: Path) -> None:
        self._kept.discard(path)
        self._pending.pop(path, None)

    def _give_up(self, path: Path, answer: Respond) -> None:
        self._release(path)
        answer(Status.PROCESSING_FAILURE)

    def _begin(self, path: Path, listing: Listing, answer: Respond) -> None:
        answer(Status.SUCCESS)
        self._provider.notify(listing)
        self._arrived.put_nowait(path)

    def opened(self) -> None:
        """Note that a sender has an association on which it is reachable."""
        opened, self._opened = self._opened, asyncio.Event()
        opened.set()
        self.paused()

    def paused(self) -> None:
        """Note that a sender is between two messages on such an association."""
        paused, self._paused = self._paused, asyncio.Event()
        paused.set()

    async def run(self) -> None:
        """Deal with what an earlier end left, and with what comes, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for path in await self._on_disk(lambda: docket.kept(self._folder)):
                with self._reserving:
                    if path in self._pending:  # taken since, and about to arrive
                        continue
                    self._pending[path] = docket.whose(path)
                self._kept.add(path)
                self._arrived.put_nowait(path)
            while True:
                path = await self._arrived.get()
                tasks.create_task(self._settle(path), name=f"dicom commitment {path.name}")

    async def _settle(self, path: Path) -> None:
        """Look into a transaction and report it, however often that has to be tried."""
        calling_ae, attempt = self._pending[path], 1
        # a console has one association, and answers one report at a time
        looking, reporting = self._turn(calling_ae, "look"), self._turn(calling_ae, "report")
        is_looked_into = is_reported = False
        found: tuple[Failure, ...] | None = None
        while True:
            opened, paused, outcome = self._opened, self._paused, Outcome.FAILED
            try:
                if not is_looked_into:
                    async with looking, self._looking:
                        found = await self._on_disk(partial(self._look, path, found))
                    is_looked_into = found is None
                if is_looked_into and not is_reported:
                    async with reporting:
                        opened, paused = self._opened, self._paused
                        outcome = await self._reports.deliver(path, calling_ae)
                    is_reported = outcome is Outcome.DELIVERED
                if is_reported:
                    await self._on_disk(lambda: path.unlink(missing_ok=True))
                    break
            except UnreadableTransaction as exc:
                log.warning("a commitment cannot be read", reason=str(exc))
                break
            except OSError as exc:
                log.warning("a commitment waits for the disk", path=str(path), reason=str(exc))
            try:
                async with asyncio.timeout(self._retrying.pause_s(attempt)):
                    await (paused if outcome is Outcome.BUSY else opened).wait()
            except TimeoutError:
                attempt += 1
        self._release(path)

    def _turn(self, calling_ae: str, step: str) -> asyncio.Lock:
        """Give the lock of a sender's transactions for a step, which lives as long as some have it."""
        return self._turns.setdefault((calling_ae, step), asyncio.Lock())

    def _look(self, path: Path, found: tuple[Failure, ...] | None) -> tuple[Failure, ...] | None:
        """Look into a transaction, unless that is done, and keep the outcome; give what the disk would not keep.

        That is ``found`` the next time: a study is not read again because its outcome cannot be kept.
        """
        transaction = docket.read(path)
        if transaction.failures is not None:
            return None
        failures = look_into(self._provider.store, transaction) if found is None else found
        try:
            docket.keep(path, msgspec.structs.replace(transaction, failures=failures))
        except OSError as exc:
            log.warning("an outcome of commitment waits for the disk", path=str(path), reason=str(exc))
            return failures
        return None

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

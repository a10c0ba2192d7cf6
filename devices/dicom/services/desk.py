"""Transactions of storage commitment under way: kept on the disk until their outcome is delivered."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import msgspec
import structlog

from devices.clock import Clock
from devices.dicom.services import docket
from devices.dicom.services.commands import STATUS, Field, Status, encode_request
from devices.dicom.services.commitment import (
    CLASS_CONFLICT,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    PUSH_MODEL_INSTANCE,
    Failure,
    Reference,
    Transaction,
    encode_report,
)
from devices.dicom.services.docket import UnreadableTransaction
from devices.dicom.services.events import Listing
from devices.dicom.services.negotiation import EXPLICIT, IMPLICIT, STORAGE_COMMITMENT
from devices.dicom.services.provider import DeskFull, Provider, Served
from devices.dicom.services.request import Respond
from devices.dicom.services.requestor import CallFailed, call
from devices.dicom.settings import Sender
from devices.dicom.storage.part10 import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    FileMeta,
    UnreadableFile,
    is_sound,
)
from devices.dicom.storage.store import ObjectStore
from devices.dicom.upper_layer.associate import AssociateRequest, ProposedContext, RoleSelection
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion

MOST_PENDING = 1000
"""Transactions of all senders together that wait for delivery.

One sender may have as many as are free besides, so half of all: one that takes no reports shuts out no other.
"""

LOOKED_INTO = 4
"""Transactions that are looked into at a time, each of another sender: half of the threads for the disk."""

CONTEXT_ID, MESSAGE_ID = 1, 1

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """How often a report is tried again: after ``first_s``, then twice as long each time, up to ``longest_s``."""

    first_s: float = 5.0
    longest_s: float = 600.0


class _Outcome(Enum):
    DELIVERED = auto()
    BUSY = auto()
    """The sender has an association, and is in the middle of a message or has just begun."""
    FAILED = auto()


def look_into(store: ObjectStore, transaction: Transaction) -> tuple[Failure, ...]:
    """Read every object back from the disk: committed is what is there, of its class, and as it was received.

    Gives the others.
    """
    there = store.find({reference.object_uid for reference in transaction.references})
    return tuple(
        Failure(reference=reference, reason=reason)
        for reference in transaction.references
        if (reason := _reason(there.get(reference.object_uid), reference)) is not None
    )


def _reason(path: Path | None, reference: Reference) -> int | None:
    if path is None:
        return NO_SUCH_INSTANCE
    try:
        if FileMeta.read(path)[0].sop_class_uid != reference.sop_class_uid:
            return CLASS_CONFLICT
        return None if is_sound(path) else PROCESSING_FAILURE
    except (OSError, UnreadableFile) as exc:
        log.warning("an object cannot be read back", path=str(path), reason=str(exc))
        return PROCESSING_FAILURE


class CommitmentDesk:
    """Takes transactions, looks into them, and reports until the sender has heard.

    A report goes to the address that the sender's rule names; else on an association that the sender has open with
    the service accepted, this one or a later one.

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
        self._disk = disk
        self._folder = folder
        self._timing = timing
        self._clock = clock
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
        calling_ae, wait_s = self._pending[path], self._retrying.first_s
        # a console has one association, and answers one report at a time
        looking, reporting = self._turn(calling_ae, "look"), self._turn(calling_ae, "report")
        is_looked_into = is_reported = False
        found: tuple[Failure, ...] | None = None
        while True:
            opened, paused, outcome = self._opened, self._paused, _Outcome.FAILED
            try:
                if not is_looked_into:
                    async with looking, self._looking:
                        found = await self._on_disk(partial(self._look, path, found))
                    is_looked_into = found is None
                if is_looked_into and not is_reported:
                    async with reporting:
                        opened, paused = self._opened, self._paused
                        outcome = await self._deliver(path, calling_ae)
                    is_reported = outcome is _Outcome.DELIVERED
                if is_reported:
                    await self._on_disk(lambda: path.unlink(missing_ok=True))
                    break
            except UnreadableTransaction as exc:
                log.warning("a commitment cannot be read", reason=str(exc))
                break
            except OSError as exc:
                log.warning("a commitment waits for the disk", path=str(path), reason=str(exc))
            try:
                async with asyncio.timeout(wait_s):
                    await (paused if outcome is _Outcome.BUSY else opened).wait()
            except TimeoutError:
                wait_s = min(2 * wait_s, self._retrying.longest_s)
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

    async def _deliver(self, path: Path, calling_ae: str) -> _Outcome:
        sender = self._provider.settings.find_sender(calling_ae)
        if sender is not None and sender.commitment_host is not None:
            return await self._call(sender, sender.commitment_host, path)
        outcome = _Outcome.FAILED
        for session in list(self._provider.sessions):
            if session.calling_ae != calling_ae or session.commitment_context is None:
                continue
            if session.is_reachable:
                return await self._report(session, session.commitment_context, path)
            outcome = _Outcome.BUSY
        return outcome

    async def _report(self, session: Served, context_id: int, path: Path) -> _Outcome:
        syntax = session.transfer_syntaxes[context_id]
        event, data_set = await self._on_disk(lambda: encode_report(docket.read(path), transfer_syntax=syntax))
        if not session.is_reachable:  # it has begun a message meanwhile, or ended
            return _Outcome.BUSY
        status = await session.ask(context_id, lambda message_id: _request(event, message_id), data_set)
        return _told(path, status)

    async def _call(self, sender: Sender, host: str, path: Path) -> _Outcome:
        request = AssociateRequest(
            called_ae=sender.ae_title,
            calling_ae=self._provider.settings.ae_title,
            contexts=(
                ProposedContext(
                    context_id=CONTEXT_ID,
                    abstract_syntax=STORAGE_COMMITMENT,
                    transfer_syntaxes=(EXPLICIT, IMPLICIT),
                ),
            ),
            # we are the SCP although we open the association (PS3.7 D.3.3.4)
            roles=(RoleSelection(sop_class_uid=STORAGE_COMMITMENT, is_scu=False, is_scp=True),),
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version=IMPLEMENTATION_VERSION_NAME,
        )
        try:
            async with call(host, sender.commitment_port, request, timing=self._timing, clock=self._clock) as peer:
                syntax = peer.transfer_syntax(CONTEXT_ID)
                if syntax is None:
                    log.warning("reports of commitment are not accepted", host=host, called_ae=sender.ae_title)
                    return _Outcome.FAILED
                event, data_set = await self._on_disk(
                    lambda: encode_report(docket.read(path), transfer_syntax=syntax)
                )
                answer = await peer.ask(CONTEXT_ID, MESSAGE_ID, _request(event, MESSAGE_ID), data_set)
                return _told(path, answer.number(STATUS))
        except CallFailed as exc:
            log.warning("a report of commitment waits", host=host, called_ae=sender.ae_title, reason=str(exc))
            return _Outcome.FAILED

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _told(path: Path, status: int | None) -> _Outcome:
    if status != Status.SUCCESS:
        return _Outcome.FAILED
    log.info("commitment reported", calling_ae=docket.whose(path), transaction_uid=path.stem.rpartition(".")[0])
    return _Outcome.DELIVERED


def _request(event: int, message_id: int) -> bytes:
    return encode_request(
        Field.N_EVENT_REPORT,
        message_id,
        has_data_set=True,
        affected_sop_class=STORAGE_COMMITMENT,
        affected_sop_instance=PUSH_MODEL_INSTANCE,
        event_type=event,
    )

"""What the node tells, on its process's standard output and in the audit, of what happens in it."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from devices.clock import Clock
from devices.dicom.account import Account
from devices.dicom.audit.trail import AuditTrail
from devices.dicom.completion import StudyLedger
from devices.dicom.messages import IN_ANOTHER_STUDY, Conflict, Impaired, Need, NodeMessage, Refused, to_line
from devices.dicom.refusals import Refusals
from devices.dicom.services.events import Arrival, Disclosure, Ending, Event, Listing, Refusal, Twin
from devices.dicom.services.transfers import forget
from devices.dicom.settings import NodeSettings
from devices.dicom.storage.placement import Kept, StoredObject
from devices.dicom.storage.space import SpaceWatch
from devices.dicom.storage.store import ObjectStore, StoredStudy

log = structlog.get_logger()


def emit(message: NodeMessage) -> None:
    """Write one message on standard output."""
    sys.stdout.buffer.write(to_line(message))
    sys.stdout.buffer.flush()


@dataclass(slots=True)
class _Transfer:
    """What an association has brought so far: for each study how many objects were acknowledged."""

    name: str
    acknowledged: Counter[str] = field(default_factory=Counter)


class Reporter:
    """Turns what happens at the node into messages for the service, rows of the audit, and figures.

    Parameters
    ----------
    settings
        The node's.
    audit
        Told who sent what, and who was refused.
    store
        Where objects are.
    note
        Takes each object that was stored, for the index.
    space
        Looks at the disk when something is refused.
    clock
        Host monotonic clock.

    Attributes
    ----------
    account
        Counts.
    refusals
        To be summed up from time to time.

    """

    def __init__(
        self,
        settings: NodeSettings,
        audit: AuditTrail,
        store: ObjectStore,
        *,
        note: Callable[[StoredObject], None],
        space: SpaceWatch,
        clock: Clock,
    ) -> None:
        self._audit = audit
        self._folder = settings.folder
        self._index = note
        self._space = space
        self._store = store
        self._ledger = StudyLedger(settings.folder, quiet_s=settings.quiet_s, look_up=self._look_up)
        self._clock = clock
        self._changed = asyncio.Event()
        self._open: dict[int, _Transfer] = {}
        self.account = Account()
        self.refusals = Refusals(self._tell_refusal)

    def announce(self) -> None:
        """Tell of every study that is there at the start."""
        for study in self._store.studies():
            emit(self._ledger.found(study))

    def take(self, happened: Event) -> None:
        """Take an event."""
        if isinstance(happened, Refusal):
            self._space.look()  # it may be for want of room, and is then counted after that is told
        self.account.take(happened)
        match happened:
            case Refusal():
                self.refusals.take(happened)
            case Disclosure():
                self._audit.disclosed(
                    happened.calling_ae, happened.address, happened.studies, is_query=happened.is_query
                )
            case Ending():
                self._ledger.ended(happened.session, was_released=happened.was_released, now_s=self._clock())
                self._note_transfer(happened)
                self._changed.set()
            case Listing():
                self._ledger.listed(happened.object_uids)
                self._changed.set()
            case Twin():
                self._tell_twin(happened)
            case Arrival() if happened.stored.kept is not Kept.REJECTED:
                self._note(happened)
                if (due_s := self._ledger.next_due_s) is not None and due_s <= self._clock():
                    self._changed.set()

    def impaired(self, what: Need, reason: str) -> None:
        """Tell what the node lacks, or has again, after all that was refused before."""
        self.refusals.sum_up()
        emit(Impaired(what=what, reason=reason))

    def close(self) -> None:
        """Tell what was refused and not told yet; the service may be gone before."""
        for refused in self.refusals.counted():
            with suppress(BrokenPipeError):
                self._tell_refusal(refused)

    def _tell_refusal(self, refused: Refusal) -> None:
        self._audit.refused(refused.calling_ae, refused.address, refused.reason)
        emit(
            Refused(
                calling_ae=refused.calling_ae,
                address=refused.address,
                reason=refused.reason,
                total=self.account.refusals,
            )
        )

    def _note_transfer(self, ended: Ending) -> None:
        transfer = self._open.pop(ended.session, None)
        if transfer is None:
            return
        try:
            self._audit.transferred(
                ended.calling_ae,
                ended.address,
                transfer.acknowledged,
                was_released=ended.was_released,
                name=transfer.name,
            )
            forget(self._folder, transfer.name)
        except OSError as exc:
            log.warning("the next start notes a transfer", calling_ae=ended.calling_ae, reason=str(exc))

    def _note(self, arrival: Arrival) -> None:
        stored = arrival.stored
        self._open.setdefault(arrival.session, _Transfer(arrival.transfer)).acknowledged[stored.study_uid] += 1
        self._index(stored)
        is_conflict = stored.kept in {Kept.CONFLICT, Kept.REPLACED}
        self._ledger.stored(
            stored.study_uid,
            arrival.object_uid,
            sender=arrival.session,
            calling_ae=arrival.calling_ae,
            now_s=self._clock(),
            is_conflict=is_conflict,
            is_again=stored.kept is Kept.AGAIN,
        )
        if is_conflict:
            self._audit.conflicting(
                arrival.calling_ae,
                arrival.address,
                stored.study_uid,
                arrival.object_uid,
                is_replaced=stored.kept is Kept.REPLACED,
            )
            emit(
                Conflict(
                    study_uid=stored.study_uid,
                    object_uid=arrival.object_uid,
                    calling_ae=arrival.calling_ae,
                    path=str(self._folder / stored.study_uid / stored.name),
                    kept=stored.kept,
                )
            )

    def _look_up(self, study_uid: str) -> StoredStudy | None:
        try:
            return self._store.study(study_uid)
        except OSError as exc:
            log.warning("a study is told of without what it had", study_uid=study_uid, reason=str(exc))
            return None

    def _tell_twin(self, twin: Twin) -> None:
        self._ledger.conflicting(twin.study_uid, twin.object_uid)
        self._audit.shared(twin.calling_ae, twin.object_uid, twin.study_uid, twin.other_study_uid)
        emit(
            Conflict(
                study_uid=twin.study_uid,
                object_uid=twin.object_uid,
                calling_ae=twin.calling_ae,
                path=twin.path,
                kept=IN_ANOTHER_STUDY,
            )
        )

    async def run(self) -> None:
        """Tell of each study when it is complete, for ever."""
        while True:
            self._changed.clear()
            for study in self._ledger.due(self._clock()):
                emit(study)
            due_s = self._ledger.next_due_s
            wait_s = None if due_s is None else max(0.0, due_s - self._clock())
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

"""One console's association as the node's services see it: verification and storage, message by message."""

import asyncio
import errno
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeAlias

from devices.dicom import negotiation
from devices.dicom.association import Association, Unacceptable
from devices.dicom.commands import (
    ACTION_TYPE,
    LONGEST_COMMAND_BYTES,
    STATUS,
    Command,
    Field,
    MalformedCommand,
    Status,
    decode_command,
    encode_response,
)
from devices.dicom.commitment import (
    LONGEST_REQUEST_BYTES,
    REQUEST_COMMITMENT,
    Transaction,
    decode_transaction,
)
from devices.dicom.elements import UnreadableObject
from devices.dicom.identity import checked_uid
from devices.dicom.part10 import FileMeta
from devices.dicom.pdus import AssociateAccept, AssociateReject, AssociateRequest, Fragment
from devices.dicom.settings import NodeSettings
from devices.dicom.store import Kept, ObjectMismatch, ObjectStore, OnConflict, Spool, StorageFull, StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An object was stored and is about to be acknowledged."""

    session: "Session"
    calling_ae: str
    object_uid: str
    stored: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A connection, an association or an object was not accepted."""

    calling_ae: str
    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An association that was accepted has ended, in order or not."""

    session: "Session"
    was_released: bool


Notify: TypeAlias = Callable[[Arrival | Refusal | Ending], None]


class Desk(Protocol):
    """Takes requests for storage commitment."""

    async def accept(self, transaction: Transaction) -> Status:
        """Take a transaction durably; what is returned may then be answered."""

    def opened(self) -> None:
        """Note that a sender may be reached now on its own association."""


class Crew(Protocol):
    """Takes associations over."""

    def take(self, session: "Session", association: Association) -> bool:
        """Take one, from now on told of by the crew; False where it stays."""


@dataclass(slots=True, kw_only=True)
class Provider:
    """What every session of a node shares.

    Attributes
    ----------
    settings
        Who may send, and the limits.
    store
        Where objects go.
    disk
        Runs what waits for the disk.
    notify
        Called with each arrival, refusal and ending; must not block.
    sessions
        Those with an association.
    is_apart
        Whether only these sessions wait while this process waits for the disk.
    desk
        Takes requests for storage commitment; None where it is not served.
    crew
        Takes associations over; None where all are served here.

    """

    settings: NodeSettings
    store: ObjectStore
    disk: Executor
    notify: Notify
    sessions: list["Session"] = field(default_factory=list)
    is_apart: bool = False
    desk: Desk | None = None
    crew: Crew | None = None


@dataclass(slots=True, kw_only=True)
class _Message:
    """A message whose data set is coming in."""

    context_id: int
    command: Command
    spool: Spool | None = None
    gathered: bytearray | None = None
    refusal: Status = Status.SUCCESS


class Session:
    """The user of one association with a console.

    Parameters
    ----------
    provider
        What it shares with the others.
    address
        Where the console is.

    Attributes
    ----------
    calling_ae
        What it calls itself; empty until it asks for the association.
    acknowledged
        Objects answered with Success, by study.
    transfer_syntaxes
        Of each accepted presentation context.

    """

    def __init__(self, provider: Provider, address: str) -> None:
        self.calling_ae = ""
        self.address = address
        self.acknowledged: Counter[str] = Counter()
        self._on_conflict = OnConflict.KEEP_FIRST
        self.commitment_context: int | None = None
        self._provider = provider
        self._association: Association | None = None
        self.transfer_syntaxes: dict[int, str] = {}
        self._command = bytearray()
        self._message: _Message | None = None
        self._asked: dict[int, asyncio.Future[int | None]] = {}

    # --- the association --------------------------------------------------------------------------------------

    def answer(self, association: Association, request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Let in who is on the list, from where he may come, while there is room."""
        self.calling_ae, settings = request.calling_ae, self._provider.settings
        sender = settings.find_sender(request.calling_ae)
        others = self._provider.sessions
        if sender is None:
            self.refuse(f"calling AE title {request.calling_ae!r} is not in allowed_ae_titles")
            return negotiation.CALLING_AE_UNKNOWN
        if not sender.may_come_from(self.address):
            self.refuse(f"{self.address} is in none of the networks of {request.calling_ae!r}")
            return negotiation.CALLING_AE_UNKNOWN
        if not sender.may_call(request.called_ae, settings.ae_title):
            self.refuse(f"called AE title {request.called_ae!r} is not {settings.ae_title!r}")
            return negotiation.CALLED_AE_UNKNOWN
        if len(others) >= settings.maximum_associations:
            self.refuse(f"{len(others)} associations are open already")
            return negotiation.LOCAL_LIMIT_EXCEEDED
        own = sum(other.calling_ae == self.calling_ae for other in others)
        if own >= sender.maximum_associations:
            self.refuse(f"{own} associations of {self.calling_ae!r} are open already")
            return negotiation.LOCAL_LIMIT_EXCEEDED
        accept = negotiation.accept(request)
        self.transfer_syntaxes = {
            context.context_id: context.transfer_syntax for context in accept.contexts if context.reason == 0
        }
        self.commitment_context = next(
            (
                context.context_id
                for context in request.contexts
                if context.abstract_syntax == negotiation.STORAGE_COMMITMENT
                and context.context_id in self.transfer_syntaxes
            ),
            None,
        )
        self._on_conflict, self._association = sender.on_conflict, association
        others.append(self)
        if self._provider.desk is not None and self.commitment_context is not None:
            # not before the acceptance is sent
            asyncio.get_running_loop().call_soon(self._provider.desk.opened)
        return accept

    def accepted(self, association: Association, accept: AssociateAccept) -> None:
        """Not asked: the console opened the association."""

    def rejected(self, reject: AssociateReject) -> None:
        """Not asked: the console opened the association."""

    def established(self, association: Association) -> None:
        """Let another process serve it, if it may; reports of commitment are sent from here."""
        if self._provider.crew is not None and self.commitment_context is None:
            asyncio.get_running_loop().call_soon(self._hand_over, association)

    def _hand_over(self, association: Association) -> None:
        is_unused = self._association is not None and self._message is None and not self._command
        if is_unused and self._provider.crew is not None:
            self._provider.crew.take(self, association)

    def resume(self, association: Association, calling_ae: str, transfer_syntaxes: Mapping[int, str]) -> None:
        """Take over an association that was accepted elsewhere."""
        self.calling_ae, self._association = calling_ae, association
        sender = self._provider.settings.find_sender(calling_ae)
        self._on_conflict = self._on_conflict if sender is None else sender.on_conflict
        self.transfer_syntaxes = dict(transfer_syntaxes)
        self._provider.sessions.append(self)

    def leave(self, reason: str) -> None:
        """Abort the association."""
        if self._association is not None:
            self._association.abort(reason)

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Remove what was under way, and tell."""
        if self._message is not None and self._message.spool is not None:
            self._message.spool.discard()
        self._message = None
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(None)
        if self._association is None:
            if reason and not self.calling_ae:
                self.refuse(f"{reason}: connection dropped")
            return
        self._association = None
        self._provider.sessions.remove(self)
        if not was_released and reason:
            self.refuse(f"association ended: {reason}")
        self._provider.notify(Ending(session=self, was_released=was_released))

    def refuse(self, reason: str) -> None:
        """Tell of a refusal."""
        self._provider.notify(Refusal(calling_ae=self.calling_ae, address=self.address, reason=reason))

    # --- messages ---------------------------------------------------------------------------------------------

    def take(self, fragment: Fragment) -> Coroutine[Any, Any, None] | None:
        """Take part of a message; answers when it is whole."""
        if fragment.context_id not in self.transfer_syntaxes:
            raise Unacceptable(f"malformed message: presentation context {fragment.context_id} was not accepted")
        if fragment.is_command:
            return self._take_command(fragment)
        return self._take_data(fragment)

    def _take_command(self, fragment: Fragment) -> Coroutine[Any, Any, None] | None:
        if self._message is not None:
            raise Unacceptable("malformed message: a command where a data set should go on")
        self._command += fragment.content
        if len(self._command) > LONGEST_COMMAND_BYTES:
            raise Unacceptable(f"malformed message: a command set of more than {LONGEST_COMMAND_BYTES} bytes")
        if not fragment.is_last:
            return None
        content, self._command = bytes(self._command), bytearray()
        try:
            command = decode_command(content)
        except MalformedCommand as exc:
            raise Unacceptable(f"malformed message: {exc}") from exc
        message = _Message(context_id=fragment.context_id, command=command)
        if command.field == Field.C_STORE:
            self._begin_store(message)
        elif command.field == Field.N_ACTION and fragment.context_id == self.commitment_context:
            message.gathered = bytearray()
        if command.has_data_set:
            self._message = message
        else:
            self._answer_at_once(message)
        return None

    def _answer_at_once(self, message: _Message) -> None:
        command = message.command
        if command.field == Field.C_ECHO:
            self._respond(message, Status.SUCCESS)
        elif command.field == Field.C_STORE:
            self.refuse("a storage request without a data set")
            if message.spool is not None:
                message.spool.discard()
            self._respond(message, Status.CANNOT_UNDERSTAND)
        elif command.is_response:
            answer = self._asked.get(command.message_id)
            if answer is not None and not answer.done():
                answer.set_result(command.number(STATUS))
        elif command.field != Field.C_CANCEL:
            self._respond(message, Status.UNRECOGNISED_OPERATION)

    def _take_data(self, fragment: Fragment) -> Coroutine[Any, Any, None] | None:
        message = self._message
        if message is None or message.context_id != fragment.context_id:
            raise Unacceptable("malformed message: a data set without its command")
        if message.spool is not None:
            self._spool(message, message.spool, fragment.content)
        elif message.gathered is not None:
            message.gathered += fragment.content
            if len(message.gathered) > LONGEST_REQUEST_BYTES:
                raise Unacceptable(f"a request for commitment of more than {LONGEST_REQUEST_BYTES} bytes")
        if not fragment.is_last:
            return None
        self._message = None
        if message.spool is not None:
            return self._keep(message, message.spool)
        if message.gathered is not None:
            return self._commit(message, bytes(message.gathered))
        if message.refusal is not Status.SUCCESS:
            self._respond(message, message.refusal)
        else:
            self._answer_at_once(message)
        return None

    def _respond(self, message: _Message, status: Status) -> None:
        if self._association is not None:
            self._association.send(message.context_id, encode_response(message.command, status))

    # --- storage ----------------------------------------------------------------------------------------------

    def _begin_store(self, message: _Message) -> None:
        """Open the spool, or know the refusal before anything is written."""
        command = message.command
        try:
            meta = FileMeta(
                sop_class_uid=checked_uid(command.sop_class_uid, name="Affected SOP Class UID (0000,0002)"),
                object_uid=checked_uid(command.sop_instance_uid, name="Affected SOP Instance UID (0000,1000)"),
                transfer_syntax=self.transfer_syntaxes[message.context_id],
                calling_ae=self.calling_ae,
            )
            message.spool = self._provider.store.begin(meta)
        except UnreadableObject as exc:
            message.refusal = Status.INVALID_OBJECT_INSTANCE
            self.refuse(str(exc))
        except OSError as exc:
            self._refuse_for_space(message, exc)

    def _spool(self, message: _Message, spool: Spool, content: memoryview) -> None:
        limit_mb = self._provider.settings.maximum_object_mb
        if spool.size + len(content) > limit_mb * 1_000_000:
            raise Unacceptable(f"an object of more than {limit_mb} MB (maximum_object_mb)")
        try:
            spool.write(content)
        except OSError as exc:
            spool.discard()
            message.spool = None
            self._refuse_for_space(message, exc)

    def _refuse_for_space(self, message: _Message, exc: OSError) -> None:
        message.refusal = Status.OUT_OF_RESOURCES
        if isinstance(exc, StorageFull):
            self.refuse(str(exc))
        else:
            self.refuse(f"could not be written: {errno.errorcode.get(exc.errno or 0, '')} {exc}")

    def _keep(self, message: _Message, spool: Spool) -> Coroutine[Any, Any, None] | None:
        """Make the object durable, and only then answer; wait apart where others would wait too."""
        keep = partial(spool.keep, self._on_conflict)
        if self._provider.is_apart and len(self._provider.sessions) == 1:
            self._conclude(message, keep)
            return None
        return self._keep_apart(message, keep)

    async def _keep_apart(self, message: _Message, keep: Callable[[], StoredObject]) -> None:
        kept = asyncio.get_running_loop().run_in_executor(self._provider.disk, keep)
        await asyncio.wait((kept,))
        self._conclude(message, kept.result)

    def _conclude(self, message: _Message, outcome: Callable[[], StoredObject]) -> None:
        try:
            stored = outcome()
        except UnreadableObject as exc:
            self.refuse(str(exc))
            self._respond(message, Status.CANNOT_UNDERSTAND)
            return
        except ObjectMismatch as exc:
            self.refuse(str(exc))
            self._respond(message, Status.DATA_SET_MISMATCH)
            return
        except OSError as exc:
            self._refuse_for_space(message, exc)
            self._respond(message, message.refusal)
            return
        object_uid = message.command.sop_instance_uid
        arrival = Arrival(session=self, calling_ae=self.calling_ae, object_uid=object_uid, stored=stored)
        self._provider.notify(arrival)
        if stored.kept is Kept.REJECTED:
            self.refuse(f"other bytes are there under {object_uid}, and its rule is to reject them")
            self._respond(message, Status.DUPLICATE_SOP_INSTANCE)
        else:
            self.acknowledged[stored.study_uid] += 1
            self._respond(message, Status.SUCCESS)

    # --- commitment -------------------------------------------------------------------------------------------

    @property
    def is_reachable(self) -> bool:
        """Whether a report may be sent now: between two messages, for few senders expect one within."""
        return self.commitment_context is not None and self._message is None and not self._command

    async def ask(self, context_id: int, request: Callable[[int], bytes], data_set: bytes) -> int | None:
        """Send a request of ours, made for a message ID, and wait for its status; None where there is none."""
        if self._association is None:
            return None
        message_id = next(number for number in range(1, 65536) if number not in self._asked)
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._asked[message_id] = answer
        self._association.send(context_id, request(message_id), data_set)
        try:
            async with asyncio.timeout(self._provider.settings.pdu_time_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[message_id]

    async def _commit(self, message: _Message, content: bytes) -> None:
        """Take a request for commitment, and answer when it cannot be lost any more."""
        if message.command.number(ACTION_TYPE) != REQUEST_COMMITMENT:
            self._respond(message, Status.NO_SUCH_ACTION)
            return
        try:
            transaction = decode_transaction(
                content,
                transfer_syntax=self.transfer_syntaxes[message.context_id],
                calling_ae=self.calling_ae,
            )
        except UnreadableObject as exc:
            self.refuse(f"a request for commitment: {exc}")
            self._respond(message, Status.INVALID_ARGUMENT)
            return
        desk = self._provider.desk
        self._respond(message, Status.UNRECOGNISED_OPERATION if desk is None else await desk.accept(transaction))

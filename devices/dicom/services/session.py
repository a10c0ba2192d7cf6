"""One console's association as the node's services see it: who is let in, and message by message what is asked."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from devices.dicom.services import negotiation
from devices.dicom.services.admitting import admit
from devices.dicom.services.answers import Answers
from devices.dicom.services.commands import (
    LONGEST_COMMAND_BYTES,
    Command,
    Field,
    MalformedCommand,
    Status,
    decode_command,
    encode_response,
)
from devices.dicom.services.committing import Committing
from devices.dicom.services.events import Arrival, Cause, Disclosure, Ending, Refusal, Standing
from devices.dicom.services.finding import Finding
from devices.dicom.services.pace import Pace
from devices.dicom.services.provider import Provider
from devices.dicom.services.request import Declined, Request, Respond, Unanswered
from devices.dicom.services.storage import Storing
from devices.dicom.services.transfers import OpenTransfer
from devices.dicom.settings import Sender
from devices.dicom.storage.placement import OnConflict, StoredObject
from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.fragments import Fragment
from devices.dicom.upper_layer.user import Channel, Unacceptable, Work

HEAD_START_S = 0.5
"""From our acceptance to a report of ours: pynetdicom as requestor aborts on one that comes with it."""


class Session:
    """The user of one association with a console.

    Parameters
    ----------
    provider
        What it shares with the others.
    address
        Where the console is.
    number
        What the node calls it, in whichever process it is served; None for a new one.

    Attributes
    ----------
    calling_ae, transfer_syntaxes, commitment_context, is_behind, is_leaving
        As ``Served`` says.

    """

    def __init__(self, provider: Provider, address: str, *, number: int | None = None) -> None:
        self.number = next(provider.numbers) if number is None else number
        self.calling_ae = ""
        self.address = address
        self.transfer_syntaxes: dict[int, str] = {}
        self.commitment_context: int | None = None
        self.is_behind = False
        self.is_leaving = False
        self._commitment_contexts: list[int] = []
        self._on_conflict = OnConflict.KEEP_FIRST
        self._transfer: OpenTransfer | None = None
        self._provider = provider
        self._association: Channel | None = None
        self._answers = Answers()
        self._command = bytearray()
        self._request: Request | None = None
        self._request_context = 0
        self._query_models: dict[int, str] = {}
        self._finding: Finding | None = None
        self._is_settled = False
        self._pace = Pace(
            least_bytes_per_s=provider.settings.minimum_bytes_per_s, window_s=provider.settings.idle_time_s
        )
        self._is_too_slow = False

    @property
    def is_between_messages(self) -> bool:
        """Whether nothing of a message has come and waits for the rest or for its answer."""
        is_idle = self._request is None and self._finding is None and not self._command
        return self._association is not None and self._association.work is None and is_idle

    # --- the association --------------------------------------------------------------------------------------

    def answer(self, association: Channel, request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Let in who is on the list, from where he may come, while there is room."""
        self.calling_ae = request.calling_ae
        sender = self._provider.settings.find_sender(request.calling_ae)
        rejection = admit(self._provider, request, sender, self.address)
        if rejection is not None:
            self.refuse(rejection.reason, cause=rejection.cause)
            return rejection.answer
        may_query = sender is not None and sender.may_query
        accept = negotiation.accept(request, may_query=may_query)
        self.transfer_syntaxes = {
            context.context_id: context.transfer_syntax for context in accept.contexts if context.reason == 0
        }
        asked = {one.context_id: one.abstract_syntax for one in request.contexts}
        served = {number: asked[number] for number in self.transfer_syntaxes}
        self._commitment_contexts = [
            number for number, syntax in served.items() if syntax == negotiation.STORAGE_COMMITMENT
        ]
        self.commitment_context = next(iter(self._commitment_contexts), None)
        self._query_models = {one: named for one, named in served.items() if named in negotiation.QUERY_MODELS}
        self._join(association, sender)
        return accept

    def accepted(self, association: Channel, accept: AssociateAccept) -> None:
        """Not asked: the console opened the association."""

    def rejected(self, reject: AssociateReject) -> None:
        """Not asked: the console opened the association."""

    def established(self, association: Channel) -> None:
        """Let another process serve it, if it may; commitment is reported and queries are answered from here."""
        if self.commitment_context is not None and self._provider.desk is not None:
            asyncio.get_running_loop().call_later(HEAD_START_S, self._settle)
        is_bound = self.commitment_context is not None or self._query_models
        if self._provider.crew is not None and not is_bound:
            self._provider.crew.offer(self, association)

    def resume(self, association: Channel, calling_ae: str, transfer_syntaxes: Mapping[int, str]) -> None:
        """Take over an association that was accepted elsewhere."""
        self.calling_ae = calling_ae
        self.transfer_syntaxes = dict(transfer_syntaxes)
        self._join(association, self._provider.settings.find_sender(calling_ae))

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Remove what was under way, and tell."""
        if self._request is not None:
            self._request.discard()
        if self._finding is not None:
            self._finding.discard()
        self._request = self._finding = None
        self._answers.give_up()
        if self._association is None:
            if reason and not self.calling_ae:
                self.refuse(f"{reason}: connection dropped", cause=Cause.CONNECTION)
            return
        self._association = None
        self._provider.sessions.remove(self)
        if not was_released and reason:
            self.refuse(f"association ended: {reason}", cause=self._cause_of_end)
        self._provider.notify(
            Ending(
                session=self.number,
                calling_ae=self.calling_ae,
                address=self.address,
                was_released=was_released,
            )
        )

    def refuse(self, reason: str, *, cause: Cause = Cause.OBJECT) -> None:
        """Tell of a refusal."""
        self._provider.notify(
            Refusal(cause=cause, calling_ae=self.calling_ae, address=self.address, reason=reason)
        )

    def dismiss(self, reason: str) -> None:
        """End it for another's sake, wherever it is served."""
        self.is_leaving = True
        is_elsewhere = self._provider.crew is not None and self._provider.crew.dismiss(self, reason)
        if self._association is not None and not is_elsewhere:
            self._association.abort(reason)

    def waited(self, turn_s: float) -> None:
        """Judge the console's pace; one that has a message under way far too slowly is given up."""
        complaint = self._pace.look(turn_s, is_under_way=self._request is not None or bool(self._command))
        if complaint:
            self._is_too_slow = True
            raise Unacceptable(complaint)
        if self._pace.is_behind != self.is_behind:
            self.is_behind = self._pace.is_behind
            self._provider.notify(Standing(session=self.number, is_behind=self.is_behind))

    @property
    def _cause_of_end(self) -> Cause:
        if self.is_leaving:
            return Cause.DISPLACED
        return Cause.PACE if self._is_too_slow else Cause.BROKEN_OFF

    def _join(self, association: Channel, sender: Sender | None) -> None:
        self._association = association
        self._on_conflict = self._on_conflict if sender is None else sender.on_conflict
        self._provider.sessions.append(self)

    # --- messages ---------------------------------------------------------------------------------------------

    def take(self, fragment: Fragment) -> Work | None:
        """Take part of a message; answers when it is whole."""
        if fragment.context_id not in self.transfer_syntaxes:
            raise Unacceptable(f"malformed message: presentation context {fragment.context_id} was not accepted")
        if fragment.is_command:
            return self._take_command(fragment)
        return self._take_data(fragment)

    def _take_command(self, fragment: Fragment) -> Work | None:
        if self._request is not None:
            raise Unacceptable("malformed message: a command where a data set should go on")
        self._command += fragment.content
        if len(self._command) > LONGEST_COMMAND_BYTES:
            raise Unacceptable(f"malformed message: a command set of more than {LONGEST_COMMAND_BYTES} bytes")
        if not fragment.is_last:
            return None
        content, self._command = bytes(self._command), bytearray()
        self._is_settled = True
        self._pace.finished()
        try:
            command = decode_command(content)
        except MalformedCommand as exc:
            raise Unacceptable(f"malformed message: {exc}") from exc
        if command.is_response:
            self._answers.take(command)
        elif self._finding is not None:
            if command.field != Field.C_CANCEL:
                raise Unacceptable("malformed message: a request before the answer to the last")
            self._finding.cancel(command.message_id)
        request = self._begin(command, fragment.context_id)
        if not command.has_data_set:
            return request.finish()
        self._request, self._request_context = request, fragment.context_id
        return None

    def _take_data(self, fragment: Fragment) -> Work | None:
        request = self._request
        if request is None or self._request_context != fragment.context_id:
            raise Unacceptable("malformed message: a data set without its command")
        request.take(fragment.content)
        self._pace.brought(len(fragment.content))
        if not fragment.is_last:
            return None
        self._pace.finished()
        self._request = None
        return request.finish()

    def more(self) -> Work | None:
        """Go on with the answers to a query."""
        work = None if self._finding is None else self._finding.more()
        if work is None:
            self._finding = None
        return work

    def _begin(self, command: Command, context_id: int) -> Request:
        """Find what serves a command."""
        respond = partial(self._respond, context_id, command)
        match command.field:
            case Field.C_STORE if command.has_data_set:
                return self._begin_store(command, context_id, respond)
            case Field.C_STORE:
                self.refuse("a storage request without a data set")
                return Declined(Status.CANNOT_UNDERSTAND, respond)
            case Field.C_ECHO:
                return Declined(Status.SUCCESS, respond)
            case Field.C_FIND if context_id in self._query_models and command.has_data_set:
                self._finding = Finding(
                    command,
                    model=self._query_models[context_id],
                    lookup=self._provider.lookup,
                    transfer_syntax=self.transfer_syntaxes[context_id],
                    answer=partial(self._respond, context_id, command),
                    refuse=partial(self.refuse, cause=Cause.QUERY),
                    disclosed=self._disclosed,
                )
                return self._finding
            case Field.N_ACTION if context_id in self._commitment_contexts and command.has_data_set:
                return Committing(
                    command,
                    self._provider.desk,
                    transfer_syntax=self.transfer_syntaxes[context_id],
                    calling_ae=self.calling_ae,
                    respond=respond,
                    refuse=self.refuse,
                )
            case _:
                is_answered = command.field != Field.C_CANCEL and not command.is_response
                return Declined(Status.UNRECOGNISED_OPERATION, respond) if is_answered else Unanswered()

    def _begin_store(self, command: Command, context_id: int, respond: Respond) -> Storing:
        settings = self._provider.settings
        if self._transfer is None:
            self._transfer = OpenTransfer(settings.folder, calling_ae=self.calling_ae, address=self.address)
        storing = Storing(
            self._provider.store,
            self._transfer,
            limit_mb=settings.maximum_object_mb,
            on_conflict=self._on_conflict,
            arrived=partial(self._arrived, command.sop_instance_uid, self._transfer.name),
            respond=respond,
            refuse=self.refuse,
        )
        storing.begin(command, transfer_syntax=self.transfer_syntaxes[context_id], calling_ae=self.calling_ae)
        return storing

    def _arrived(self, object_uid: str, transfer: str, stored: StoredObject, took_s: float) -> None:
        self._provider.notify(
            Arrival(
                session=self.number,
                calling_ae=self.calling_ae,
                address=self.address,
                object_uid=object_uid,
                stored=stored,
                took_s=took_s,
                transfer=transfer,
            )
        )

    def _disclosed(self, studies: Mapping[str, int]) -> None:
        self._provider.notify(
            Disclosure(calling_ae=self.calling_ae, address=self.address, studies=dict(studies), is_query=True)
        )

    def _respond(
        self,
        context_id: int,
        command: Command,
        status: Status,
        *,
        data_set: bytes | None = None,
        comment: str = "",
    ) -> None:
        if self._association is not None:
            said = encode_response(command, status, has_data_set=data_set is not None, comment=comment)
            self._association.send(context_id, said, data_set)
            if self.is_reachable and self._provider.desk is not None:
                self._provider.desk.paused()

    # --- reports of commitment --------------------------------------------------------------------------------

    @property
    def is_reachable(self) -> bool:
        """Whether a report may be sent now: between two messages, for few senders expect one within."""
        return self.commitment_context is not None and self._is_settled and self.is_between_messages

    def _settle(self) -> None:
        self._is_settled = True
        if self._provider.desk is not None:
            self._provider.desk.opened()

    async def ask(self, context_id: int, request: Callable[[int], bytes], data_set: bytes) -> int | None:
        """Send a request of ours, made for a message ID, and wait for its status; None where there is none."""
        if self._association is None:
            return None
        time_s = self._provider.settings.pdu_time_s
        return await self._answers.ask(self._association, context_id, request, data_set, time_s=time_s)

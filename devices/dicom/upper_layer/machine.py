"""The state machine of PS3.8 section 9.2: what each event makes an association do, action by action."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from devices.dicom.upper_layer import associate, pdus
from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.connection import Connection
from devices.dicom.upper_layer.fragments import Fragment, read_fragments
from devices.dicom.upper_layer.pdus import MAXIMUM_PDU_BYTES
from devices.dicom.upper_layer.states import Action, Event, State, transition
from devices.dicom.upper_layer.user import Channel, User, Work

SERVICE_USER, SERVICE_PROVIDER = 0, 2
"""Sources of an A-ABORT (PS3.8 table 9-26)."""

UNRECOGNISED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 1, 2, 6
"""Reasons of an A-P-ABORT (PS3.8 table 9-26)."""


class Machine:
    """What one association does; it knows neither bytes that are no whole PDU nor time.

    Parameters
    ----------
    user
        Decides and takes; told of the end exactly once.
    channel
        The association, as the user is to see it.
    connection
        What carries it.
    request
        What to ask for, on a connection that we opened; None where the peer asks.

    Attributes
    ----------
    state
        In which it is.
    peer_maximum_bytes
        Longest PDU that the peer takes; 0 for any.
    work
        What the user waits for.
    is_deaf
        Whether nothing that still comes is of this association.
    has_ended
        Whether nothing can be sent any more.

    """

    def __init__(
        self, user: User, channel: Channel, connection: Connection, request: AssociateRequest | None
    ) -> None:
        self.state = State.IDLE if request is None else State.AWAITING_CONNECTION
        self.peer_maximum_bytes = MAXIMUM_PDU_BYTES
        self.work: Work | None = None
        self.is_deaf = False
        self.has_ended = False
        self._user = user
        self._channel = channel
        self._connection = connection
        self._request = request
        self._waiting: Sequence[Fragment] = ()
        self._content = memoryview(b"")
        self._outgoing = b""
        self._was_released = False
        self._is_end_told = False
        self._reason = ""

    def signal(self, event: Event, content: memoryview | None = None) -> None:
        """Do what an event asks for in this state; ``content`` is that of the PDU that it tells of.

        Raises
        ------
        MalformedPdu, Unacceptable
            Where the content is not what the PDU must hold, or the user aborts.

        """
        if content is not None:
            self._content = content
        action, self.state = transition(event, self.state, is_requestor=self._request is not None)
        try:
            self._PERFORM[action](self)
        finally:
            if content is not None:
                self._content = memoryview(b"")

    def send(self, content: bytes) -> None:
        """Send P-DATA that is asked for."""
        self._outgoing = content
        self.signal(Event.P_DATA_REQUEST)

    def blame(self, reason: str) -> None:
        """Keep why it ends; the first reason holds."""
        self._reason = self._reason or reason

    def hand_on_waiting(self) -> None:
        """Hand on what came while the user worked."""
        waiting, self._waiting = self._waiting, ()
        self._hand_on(waiting)

    def end(self, *, was_released: bool) -> None:
        """End, once; the user learns so when its work is done."""
        if not self.has_ended:
            self.has_ended = True
            self._was_released = was_released
            if self.work is None:
                self.tell_end()

    def tell_end(self) -> None:
        """Tell the user, once."""
        if not self._is_end_told:
            self._is_end_told = True
            self._user.ended(was_released=self._was_released, reason=self._reason)

    def leave(self) -> None:
        """Be over without anybody being told."""
        self.state, self.has_ended, self._is_end_told = State.IDLE, True, True

    def _send_request(self) -> None:
        if self._request is not None:
            self._connection.write(associate.encode_associate_request(self._request))
        self._start_artim()

    def _decide(self) -> None:
        self._stop_artim()
        content = bytes(self._content)
        request = associate.decode_associate_request(content)
        self.peer_maximum_bytes = request.maximum_pdu_bytes
        reply: AssociateAccept | AssociateReject
        if not request.is_version_1:
            # rejected-permanent, by the service provider (ACSE), protocol version not supported
            reply = AssociateReject(result=1, source=2, reason=2)
        elif request.application_context != associate.APPLICATION_CONTEXT:
            # rejected-permanent, by the service user, application context name not supported
            reply = AssociateReject(result=1, source=1, reason=2)
        else:
            reply = self._user.answer(self._channel, request)
        if isinstance(reply, AssociateAccept):
            self._outgoing = associate.encode_associate_accept(reply, titles=associate.read_titles(content))
            self.signal(Event.ASSOCIATE_ACCEPT)
        else:
            self._outgoing = pdus.encode_fixed(
                pdus.ASSOCIATE_RJ, result=reply.result, source=reply.source, reason=reply.reason
            )
            self.signal(Event.ASSOCIATE_REJECT)

    def _send_outgoing(self) -> None:
        self._connection.write(self._outgoing)

    def _send_accept(self) -> None:
        self._connection.write(self._outgoing)
        self._user.established(self._channel)

    def _send_reject(self) -> None:
        self._connection.write(self._outgoing)
        self._start_artim()
        self.end(was_released=False)

    def _confirm_accepted(self) -> None:
        self._stop_artim()
        accept = associate.decode_associate_accept(bytes(self._content))
        self.peer_maximum_bytes = accept.maximum_pdu_bytes
        self._user.accepted(self._channel, accept)

    def _confirm_rejected(self) -> None:
        self._user.rejected(associate.decode_reject(bytes(self._content)))
        self._close()

    def _indicate_data(self) -> None:
        self._hand_on(read_fragments(self._content))

    def _hand_on(self, fragments: Sequence[Fragment]) -> None:
        for number, fragment in enumerate(fragments, start=1):
            self.work = self._user.take(fragment)
            if self.work is not None:
                # the buffer does not wait with them
                self._waiting = [
                    other._replace(content=memoryview(bytes(other.content))) for other in fragments[number:]
                ]
                return

    def _answer_release(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.RELEASE_RP))
        self._start_artim()
        self.end(was_released=True)

    def _indicate_release(self) -> None:
        self.signal(Event.RELEASE_RESPONSE)

    def _answer_collision(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.RELEASE_RP))

    def _indicate_collision(self) -> None:
        # the side that asked for the association answers first (PS3.8 7.2.2.3)
        if self._request is not None:
            self.signal(Event.RELEASE_RESPONSE)

    def _send_release(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.RELEASE_RQ))
        self._start_artim()

    def _confirm_release(self) -> None:
        self._stop_artim()
        self.end(was_released=True)
        self._close()

    def _confirm_collision(self) -> None:
        self.signal(Event.RELEASE_RESPONSE)

    def _send_abort(self) -> None:
        self._finish_with_abort(SERVICE_USER, 0)

    def _abort_on_error(self) -> None:
        self.blame("malformed message: a PDU that does not belong there")
        self._finish_with_abort(SERVICE_PROVIDER, INVALID_PARAMETER if self.is_deaf else UNEXPECTED_PDU)

    def _send_abort_again(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.ABORT, source=SERVICE_PROVIDER, reason=UNEXPECTED_PDU))

    def _finish_with_abort(self, source: int, reason: int) -> None:
        self._connection.write(pdus.encode_fixed(pdus.ABORT, source=source, reason=reason))
        self._connection.end_writing()
        self.is_deaf = True
        self._start_artim()
        self.end(was_released=False)

    def _indicate_abort(self) -> None:
        self.blame("aborted by the peer")
        self.end(was_released=False)
        self._close()

    def _indicate_loss(self) -> None:
        self.end(was_released=False)

    def _close(self) -> None:
        self.is_deaf = True  # what came with the PDU that ends it is of no association
        self._stop_artim()
        self.end(was_released=False)
        self._connection.close()

    def _start_artim(self) -> None:
        self._connection.start_artim()

    def _stop_artim(self) -> None:
        self._connection.stop_artim()

    def _ignore(self) -> None:
        """Do nothing, as the standard asks."""

    _PERFORM: ClassVar[Mapping[Action, Callable[["Machine"], None]]] = MappingProxyType(
        {
            Action.CONNECT: _ignore,
            Action.SEND_REQUEST: _send_request,
            Action.CONFIRM_ACCEPTED: _confirm_accepted,
            Action.CONFIRM_REJECTED: _confirm_rejected,
            Action.AWAIT_REQUEST: _start_artim,
            Action.DECIDE: _decide,
            Action.SEND_ACCEPT: _send_accept,
            Action.SEND_REJECT: _send_reject,
            Action.SEND_DATA: _send_outgoing,
            Action.INDICATE_DATA: _indicate_data,
            Action.SEND_RELEASE: _send_release,
            Action.INDICATE_RELEASE: _indicate_release,
            Action.CONFIRM_RELEASE: _confirm_release,
            Action.ANSWER_RELEASE: _answer_release,
            Action.STOP_TIMER: _stop_artim,
            Action.INDICATE_LATE_DATA: _indicate_data,
            Action.SEND_LATE_DATA: _send_outgoing,
            Action.INDICATE_COLLISION: _indicate_collision,
            Action.ANSWER_COLLISION: _answer_collision,
            Action.CONFIRM_COLLISION: _confirm_collision,
            Action.SEND_ABORT: _send_abort,
            Action.CLOSE: _close,
            Action.INDICATE_ABORT: _indicate_abort,
            Action.INDICATE_LOSS: _indicate_loss,
            Action.FORGET: _stop_artim,
            Action.IGNORE: _ignore,
            Action.SEND_ABORT_AGAIN: _send_abort_again,
            Action.ABORT_ON_ERROR: _abort_on_error,
        }
    )
    """How each action of PS3.8 tables 9-6 to 9-9 is done."""

"""One association on one connection: the state machine of PS3.8 section 9.2, run by bytes, primitives and time.

It waits for nothing: what carries it reads into its assembly, tells it of what came, and does its work. So the
same one runs on an event loop (``loop_connection``) and on a thread of its own (``thread_connection``).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import structlog

from devices.clock import Clock
from devices.dicom.upper_layer import associate, pdus
from devices.dicom.upper_layer.assembly import Assembly
from devices.dicom.upper_layer.associate import AssociateAccept, AssociateReject, AssociateRequest
from devices.dicom.upper_layer.connection import Connection
from devices.dicom.upper_layer.fragments import Fragment, encode_message, read_fragments
from devices.dicom.upper_layer.pdus import MAXIMUM_PDU_BYTES, MalformedPdu
from devices.dicom.upper_layer.states import Action, Event, State, transition
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion, Unacceptable, User, Work

SERVICE_USER, SERVICE_PROVIDER = 0, 2
"""Sources of an A-ABORT (PS3.8 table 9-26)."""

UNRECOGNISED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 1, 2, 6
"""Reasons of an A-P-ABORT (PS3.8 table 9-26)."""

_EVENT_OF = {
    pdus.ASSOCIATE_RQ: Event.ASSOCIATE_RQ_PDU,
    pdus.ASSOCIATE_AC: Event.ASSOCIATE_AC_PDU,
    pdus.ASSOCIATE_RJ: Event.ASSOCIATE_RJ_PDU,
    pdus.P_DATA_TF: Event.P_DATA_PDU,
    pdus.RELEASE_RQ: Event.RELEASE_RQ_PDU,
    pdus.RELEASE_RP: Event.RELEASE_RP_PDU,
    pdus.ABORT: Event.ABORT_PDU,
}

_OPEN = frozenset({State.ESTABLISHED, State.AWAITING_LOCAL_RELEASE})

log = structlog.get_logger()


class Association:
    """One association, as its user and its connection see it.

    Parameters
    ----------
    user
        Decides and takes; told of the end exactly once if it was ever connected.
    connection
        What carries it.
    timing
        How long it may take.
    clock
        Host monotonic clock.
    request
        What to ask for, on a connection that we opened; None where the peer asks.

    Attributes
    ----------
    state
        In which it is.
    peer_maximum_bytes
        Longest PDU that the peer takes; 0 for any.
    assembly
        Where what is read belongs.
    work
        What the user waits for; nothing more is taken until ``conclude``.
    is_clogged
        Whether the peer does not take what is sent to it, for the connection to say.

    """

    def __init__(
        self,
        user: User,
        connection: Connection,
        *,
        timing: Timing,
        clock: Clock,
        request: AssociateRequest | None = None,
    ) -> None:
        self.state = State.IDLE if request is None else State.AWAITING_CONNECTION
        self.peer_maximum_bytes = MAXIMUM_PDU_BYTES
        self.assembly = Assembly()
        self.work: Work | None = None
        self.is_clogged = False
        self._user = user
        self._connection = connection
        self._timing = timing
        self._clock = clock
        self._request = request
        self._waiting: Sequence[Fragment] = ()
        self._is_deaf = False
        self._has_ended = False
        self._was_released = False
        self._is_end_told = False
        self._began_s = self._heard_s = clock()
        self._pdu_began_s: float | None = None
        self._content = memoryview(b"")
        self._outgoing = b""
        self._reason = ""

    @property
    def is_established(self) -> bool:
        """Whether messages may be sent."""
        return self.state in _OPEN

    @property
    def has_ended(self) -> bool:
        """Whether nothing can be sent any more; its user learns so when its work is concluded."""
        return self._has_ended

    # --- what the user asks for -----------------------------------------------------------------------------

    def send(self, context_id: int, command: bytes, data_set: bytes | None = None) -> None:
        """Send a DIMSE message; nothing where the association has ended meanwhile."""
        if self.is_established:
            limit = self.peer_maximum_bytes
            self._outgoing = encode_message(context_id, command, data_set, maximum_pdu_bytes=limit)
            self._signal(Event.P_DATA_REQUEST)

    def release(self) -> None:
        """Ask for the release; nothing where it has ended meanwhile."""
        if self.state is State.ESTABLISHED:
            self._signal(Event.RELEASE_REQUEST)

    def abort(self, reason: str) -> None:
        """Abort in whatever state; ``reason`` is ours alone, the wire has no room for it."""
        self._reason = self._reason or reason
        if self.state in {State.IDLE, State.AWAITING_REQUEST, State.AWAITING_CLOSE}:
            self._end(was_released=False)
            self._connection.drop()
        else:
            self._signal(Event.ABORT_REQUEST)

    def detach(self, *, longest_pending: int) -> tuple[int, bytes] | None:
        """Give away the connection while nothing is under way: its descriptor, and what was read of the next PDU.

        The association is then over here without anybody being told; ``resume`` another with what is returned.
        None where it cannot be given away: TLS, something unsent, something under way.
        """
        pending = bytes(self.assembly.pending)
        if self.state is not State.ESTABLISHED or self.work is not None or len(pending) > longest_pending:
            return None
        descriptor = self._connection.detach()
        if descriptor is None:
            return None
        self.state, self._has_ended, self._is_end_told = State.IDLE, True, True
        self._connection.drop()
        return descriptor, pending

    def resume(self, peer_maximum_bytes: int, pending: bytes) -> None:
        """Go on as another that was detached, before the connection is made."""
        self.state, self.peer_maximum_bytes = State.ESTABLISHED, peer_maximum_bytes
        self.assembly.widen()
        self.assembly.restore(pending)

    # --- what the connection tells --------------------------------------------------------------------------

    def connected(self) -> None:
        """Begin: ask for the association, or wait to be asked, or go on with one that was resumed."""
        if self.state is State.ESTABLISHED:
            self._take_pdus()
        else:
            self._signal(Event.CONNECTION_INDICATED if self._request is None else Event.CONNECTION_CONFIRMED)

    def received(self) -> None:
        """Take what was read into the assembly."""
        self._heard_s = self._clock()
        self._take_pdus()

    def conclude(self, conclusion: Conclusion) -> None:
        """Go on after the user's work; where that failed, ``conclusion`` raises what it did."""
        self.work = None
        self._heard_s = self._clock()
        try:
            conclusion()
            if not self._has_ended:
                waiting, self._waiting = self._waiting, ()
                self._hand_on(waiting)
        except Unacceptable as exc:
            self.abort(str(exc))
        except Exception as exc:
            log.exception("a message could not be dealt with")
            self.abort(str(exc))
        if self._has_ended:
            self._tell_end()
        else:
            self._take_pdus()
            self._ask_for_more()

    def _ask_for_more(self) -> None:
        if self.work is None and self.is_established:
            self.work = self._user.more()

    def disconnected(self, reason: str = "") -> None:
        """End, however it came."""
        if self.state is not State.IDLE:
            if self.state is not State.AWAITING_REQUEST:  # health checks of a network connect and close
                self._reason = self._reason or f"connection lost{f': {reason}' if reason else ''}"
            self._signal(Event.CONNECTION_CLOSED)
        self._connection.stop_artim()
        self._end(was_released=False)

    def artim_expired(self) -> None:
        """Give up waiting for the peer to ask, to answer or to close."""
        if self.state in {State.AWAITING_ANSWER, State.AWAITING_RELEASE_ANSWER}:
            # no event of the standard's: the requestor may give up at any time
            self.abort(f"no answer within {self._timing.artim_s:g} s")
            return
        self._reason = self._reason or f"nothing was asked for within {self._timing.artim_s:g} s"
        self._signal(Event.ARTIM_EXPIRED)
        self._connection.drop()

    def look(self) -> float | None:
        """End it where it takes too long, or tell in how many seconds to look again; None where it has ended."""
        if self._has_ended:
            return None
        now_s, timing = self._clock(), self._timing
        dues = [(self._began_s + timing.total_s, f"the association took {timing.total_s:g} s")]
        if self._pdu_began_s is not None:
            dues.append((self._pdu_began_s + timing.pdu_s, f"a PDU was not complete within {timing.pdu_s:g} s"))
        if self.work is None or self.is_clogged:
            dues.append((self._heard_s + timing.idle_s, f"silence for {timing.idle_s:g} s"))
        due_s, sentence = min(dues)
        if due_s <= now_s:
            self.abort(sentence)
            return None
        return min(due_s - now_s, timing.pdu_s)

    # --- bytes into events ----------------------------------------------------------------------------------

    def _take_pdus(self) -> None:
        has_taken = False
        while self.work is None and not self._is_deaf and (pdu := self._next_pdu()) is not None:
            has_taken = True
            self._take_pdu(*pdu)
        if self._is_deaf:
            self.assembly.forget()
        elif self.is_established:
            self.assembly.widen()
        self.assembly.settle()
        if self.work is not None or not self.assembly.pending:
            self._pdu_began_s = None
        elif has_taken or self._pdu_began_s is None:
            self._pdu_began_s = self._heard_s

    def _next_pdu(self) -> tuple[int, memoryview] | None:
        try:
            return self.assembly.take()
        except MalformedPdu as exc:
            # where the next PDU begins cannot be known any more
            self._is_deaf = True
            self._refuse(exc)
            return None

    def _take_pdu(self, kind: int, content: memoryview) -> None:
        self._content = content
        try:
            self._signal(_EVENT_OF[kind])
        except MalformedPdu as exc:
            self._refuse(exc)
        except Unacceptable as exc:
            self.abort(str(exc))
        finally:
            self._content = memoryview(b"")

    def _refuse(self, exc: MalformedPdu) -> None:
        self._reason = self._reason or f"malformed message: {exc}"
        self._signal(Event.INVALID_PDU)

    # --- events into actions --------------------------------------------------------------------------------

    def _signal(self, event: Event) -> None:
        action, self.state = transition(event, self.state, is_requestor=self._request is not None)
        self._PERFORM[action](self)

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
            reply = self._user.answer(self, request)
        if isinstance(reply, AssociateAccept):
            self._outgoing = associate.encode_associate_accept(reply, titles=associate.read_titles(content))
            self._signal(Event.ASSOCIATE_ACCEPT)
        else:
            self._outgoing = pdus.encode_fixed(
                pdus.ASSOCIATE_RJ, result=reply.result, source=reply.source, reason=reply.reason
            )
            self._signal(Event.ASSOCIATE_REJECT)

    def _send_outgoing(self) -> None:
        self._connection.write(self._outgoing)

    def _send_accept(self) -> None:
        self._connection.write(self._outgoing)
        self._user.established(self)

    def _send_reject(self) -> None:
        self._connection.write(self._outgoing)
        self._start_artim()
        self._end(was_released=False)

    def _confirm_accepted(self) -> None:
        self._stop_artim()
        accept = associate.decode_associate_accept(bytes(self._content))
        self.peer_maximum_bytes = accept.maximum_pdu_bytes
        self._user.accepted(self, accept)

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
        self._end(was_released=True)

    def _indicate_release(self) -> None:
        self._signal(Event.RELEASE_RESPONSE)

    def _answer_collision(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.RELEASE_RP))

    def _indicate_collision(self) -> None:
        # the side that asked for the association answers first (PS3.8 7.2.2.3)
        if self._request is not None:
            self._signal(Event.RELEASE_RESPONSE)

    def _send_release(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.RELEASE_RQ))
        self._start_artim()

    def _confirm_release(self) -> None:
        self._stop_artim()
        self._end(was_released=True)
        self._close()

    def _confirm_collision(self) -> None:
        self._signal(Event.RELEASE_RESPONSE)

    def _send_abort(self) -> None:
        self._finish_with_abort(SERVICE_USER, 0)

    def _abort_on_error(self) -> None:
        self._reason = self._reason or "malformed message: a PDU that does not belong there"
        self._finish_with_abort(SERVICE_PROVIDER, INVALID_PARAMETER if self._is_deaf else UNEXPECTED_PDU)

    def _send_abort_again(self) -> None:
        self._connection.write(pdus.encode_fixed(pdus.ABORT, source=SERVICE_PROVIDER, reason=UNEXPECTED_PDU))

    def _finish_with_abort(self, source: int, reason: int) -> None:
        self._connection.write(pdus.encode_fixed(pdus.ABORT, source=source, reason=reason))
        self._connection.end_writing()
        self._is_deaf = True
        self._start_artim()
        self._end(was_released=False)

    def _indicate_abort(self) -> None:
        self._reason = self._reason or "aborted by the peer"
        self._end(was_released=False)
        self._close()

    def _indicate_loss(self) -> None:
        self._end(was_released=False)

    def _close(self) -> None:
        self._is_deaf = True  # what came with the PDU that ends it is of no association
        self._stop_artim()
        self._end(was_released=False)
        self._connection.close()

    def _start_artim(self) -> None:
        self._connection.start_artim()

    def _stop_artim(self) -> None:
        self._connection.stop_artim()

    def _ignore(self) -> None:
        """Do nothing, as the standard asks."""

    def _end(self, *, was_released: bool) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._was_released = was_released
            if self.work is None:
                self._tell_end()

    def _tell_end(self) -> None:
        if not self._is_end_told:
            self._is_end_told = True
            self._user.ended(was_released=self._was_released, reason=self._reason)

    _PERFORM: ClassVar[Mapping[Action, Callable[["Association"], None]]] = MappingProxyType(
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

"""One association on one connection: the state machine of PS3.8 section 9.2, run by bytes, primitives and time.

Bytes are read into one buffer that holds a whole PDU and no more than two, fragments are handed on as views of it,
and whatever is sent is sent in one write. Memory does not grow with what a peer sends.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import structlog

from devices.clock import Clock
from devices.dicom import pdus
from devices.dicom.pdus import (
    HEADER_BYTES,
    MAXIMUM_PDU_BYTES,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    Fragment,
    MalformedPdu,
)
from devices.dicom.settings import NodeSettings
from devices.dicom.states import Action, Event, State, transition

FIRST_BUFFER_BYTES = 8192
"""For a connection that has said nothing yet: most A-ASSOCIATE-RQ fit."""

BUFFER_BYTES = 2 * (MAXIMUM_PDU_BYTES + HEADER_BYTES)

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

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long an association may take for what.

    Attributes
    ----------
    artim_s
        The ARTIM timer (PS3.8 9.1.4, 9.1.5): to ask for an association, or to close the connection after its end.
    pdu_s
        From the first byte of a PDU to its last.
    idle_s
        Silence on an established association; time that we take ourselves does not count.
    total_s
        An association as a whole.

    """

    artim_s: float = 10.0
    pdu_s: float = 30.0
    idle_s: float = 120.0
    total_s: float = 14400.0

    @classmethod
    def of(cls, settings: NodeSettings) -> Self:
        """Take them from the node's settings."""
        return cls(
            artim_s=settings.request_time_s,
            pdu_s=settings.pdu_time_s,
            idle_s=settings.idle_time_s,
            total_s=settings.total_time_s,
        )


class User(Protocol):
    """Whoever uses an association: decides on it, takes what comes, learns of its end."""

    def answer(self, association: "Association", request: AssociateRequest) -> AssociateAccept | AssociateReject:
        """Decide on a request that the peer makes."""

    def accepted(self, association: "Association", accept: AssociateAccept) -> None:
        """Learn that our request was accepted."""

    def rejected(self, reject: AssociateReject) -> None:
        """Learn that our request was rejected."""

    def established(self, association: "Association") -> None:
        """Learn that our acceptance was sent."""

    def take(self, fragment: Fragment) -> Coroutine[Any, Any, None] | None:
        """Take a fragment, whose content holds until this returns; nothing more comes until the coroutine is done.

        Raises
        ------
        Unacceptable
            To abort the association.

        """

    def ended(self, *, was_released: bool, reason: str) -> None:
        """Learn that it has ended, once: released, or why not. Nothing can be sent any more."""


class Unacceptable(ValueError):
    """Raised by the user for what cannot be answered, so that the association is aborted."""


class Association(asyncio.BufferedProtocol):
    """One association, as an asyncio protocol.

    Parameters
    ----------
    user
        Decides and takes; told of the end exactly once if it was ever connected.
    timing
        How long it may take.
    clock
        Host monotonic clock.
    request
        What to ask for, on a connection that we opened; None where the peer asks.
    on_close
        Called when the connection is gone.

    """

    def __init__(
        self,
        user: User,
        *,
        timing: Timing,
        clock: Clock,
        request: AssociateRequest | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.state = State.IDLE if request is None else State.AWAITING_CONNECTION
        self.peer_maximum_bytes = MAXIMUM_PDU_BYTES
        self._user = user
        self._timing = timing
        self._clock = clock
        self._request = request
        self._on_close = on_close
        self._transport: asyncio.Transport | None = None
        self._view = memoryview(bytearray(FIRST_BUFFER_BYTES))
        self._filled = 0
        self._busy: asyncio.Task[None] | None = None
        self._waiting: Sequence[Fragment] = ()
        self._is_paused = False
        self._is_deaf = False
        self._has_ended = False
        self._was_released = False
        self._is_end_told = False
        self._artim: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._began_s = self._heard_s = clock()
        self._pdu_began_s: float | None = None
        self._content = memoryview(b"")
        self._outgoing = b""
        self._reason = ""

    @property
    def is_established(self) -> bool:
        """Whether messages may be sent."""
        return self.state in {State.ESTABLISHED, State.AWAITING_LOCAL_RELEASE}

    # --- what the user asks for -----------------------------------------------------------------------------

    def send(self, context_id: int, command: bytes, data_set: bytes | None = None) -> None:
        """Send a DIMSE message; nothing where the association has ended meanwhile."""
        if self.is_established:
            limit = self.peer_maximum_bytes
            self._outgoing = pdus.encode_message(context_id, command, data_set, maximum_pdu_bytes=limit)
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
            self._drop()
        else:
            self._signal(Event.ABORT_REQUEST)

    def detach(self, *, longest_pending: int) -> tuple[int, bytes] | None:
        """Give away the connection while nothing is under way: its descriptor, and what was read of the next PDU.

        The association is then over here without anybody being told; ``resume`` another with what is returned.
        None where it cannot be given away: TLS, something unsent, something under way.
        """
        transport = self._transport
        if (
            transport is None
            or self.state is not State.ESTABLISHED
            or self._busy is not None
            or self._filled > longest_pending
            or transport.get_write_buffer_size()
            or transport.get_extra_info("sslcontext") is not None
        ):
            return None
        transport.pause_reading()
        descriptor = os.dup(transport.get_extra_info("socket").fileno())
        self.state, self._has_ended, self._is_end_told = State.IDLE, True, True
        transport.abort()
        return descriptor, bytes(self._view[: self._filled])

    def resume(self, peer_maximum_bytes: int, pending: bytes) -> None:
        """Go on as another that was detached, before the connection is made."""
        self.state, self.peer_maximum_bytes = State.ESTABLISHED, peer_maximum_bytes
        self._view = memoryview(bytearray(BUFFER_BYTES))
        self._view[: len(pending)] = pending
        self._filled = len(pending)

    # --- what the transport tells ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: ask for the association, or wait to be asked."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} is no stream")
        self._transport = transport
        if self.state is State.ESTABLISHED:
            self._consume()
        else:
            self._signal(Event.CONNECTION_INDICATED if self._request is None else Event.CONNECTION_CONFIRMED)
        self._look()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Give the free end of the buffer."""
        return self._view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        self._filled += nbytes
        self._heard_s = self._clock()
        self._consume()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End, however it came."""
        if self._watch is not None:
            self._watch.cancel()
        if self.state is not State.IDLE:
            if self.state is not State.AWAITING_REQUEST:  # health checks of a network connect and close
                self._reason = self._reason or f"connection lost{f': {exc}' if exc else ''}"
            self._signal(Event.CONNECTION_CLOSED)
        self._stop_artim()
        self._end(was_released=False)
        self._on_close()

    # --- bytes into events ----------------------------------------------------------------------------------

    def _consume(self) -> None:
        view, place = self._view, 0
        while self._busy is None and not self._is_deaf and self._filled - place >= HEADER_BYTES:
            kind, length = pdus.read_header(view, place)
            longest = pdus.longest_pdu(kind)
            if length > longest or (longest == pdus.FIXED_PDU_BYTES and length != longest):
                self._refuse_pdu(kind, length, longest)
                break
            end = place + HEADER_BYTES + length
            if end > self._filled:
                break
            self._take_pdu(kind, view[place + HEADER_BYTES : end])
            place = end
        if self._is_deaf:
            place = self._filled
        self._shift(place)
        self._note_partial(has_moved=place > 0)
        self._regulate()

    def _shift(self, place: int) -> None:
        """Move what is left from ``place`` on to the start of a buffer that is large enough for what comes."""
        rest = self._filled - place
        size = max(len(self._view), BUFFER_BYTES if self.is_established else 0)
        if rest >= HEADER_BYTES and self._busy is None:
            size = max(size, HEADER_BYTES + pdus.read_header(self._view, place)[1])
        if size > len(self._view):
            larger = memoryview(bytearray(size))
            larger[:rest] = self._view[place : self._filled]
            self._view = larger
        elif place:
            self._view[:rest] = self._view[place : self._filled]
        self._filled = rest

    def _note_partial(self, *, has_moved: bool) -> None:
        if not self._filled or self._busy is not None:
            self._pdu_began_s = None
        elif has_moved or self._pdu_began_s is None:
            self._pdu_began_s = self._heard_s

    def _regulate(self) -> None:
        """Stop reading while there is no room, and begin again."""
        must_pause = self._filled == len(self._view)
        if self._transport is not None and must_pause != self._is_paused:
            self._is_paused = must_pause
            if must_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _refuse_pdu(self, kind: int, length: int, longest: int) -> None:
        # where the next PDU begins cannot be known any more
        self._is_deaf = True
        if longest < 0:
            reason = f"malformed message: {kind:#04x} is no type of a PDU"
        else:
            reason = f"malformed message: a PDU of {length} bytes was announced, {longest} is the greatest"
        self._reason = self._reason or reason
        self._signal(Event.INVALID_PDU)

    def _take_pdu(self, kind: int, content: memoryview) -> None:
        self._content = content
        try:
            self._signal(_EVENT_OF[kind])
        except MalformedPdu as exc:
            self._reason = f"malformed message: {exc}"
            self._signal(Event.INVALID_PDU)
        except Unacceptable as exc:
            self.abort(str(exc))
        finally:
            self._content = memoryview(b"")

    # --- events into actions --------------------------------------------------------------------------------

    def _signal(self, event: Event) -> None:
        action, self.state = transition(event, self.state, is_requestor=self._request is not None)
        self._PERFORM[action](self)

    def _send_request(self) -> None:
        if self._request is not None:
            self._write(pdus.encode_associate_request(self._request))
        self._start_artim()

    def _decide(self) -> None:
        self._stop_artim()
        content = bytes(self._content)
        request = pdus.decode_associate_request(content)
        self.peer_maximum_bytes = request.maximum_pdu_bytes
        reply: AssociateAccept | AssociateReject
        if not request.is_version_1:
            # rejected-permanent, by the service provider (ACSE), protocol version not supported
            reply = AssociateReject(result=1, source=2, reason=2)
        elif request.application_context != pdus.APPLICATION_CONTEXT:
            # rejected-permanent, by the service user, application context name not supported
            reply = AssociateReject(result=1, source=1, reason=2)
        else:
            reply = self._user.answer(self, request)
        if isinstance(reply, AssociateAccept):
            self._outgoing = pdus.encode_associate_accept(reply, titles=pdus.read_titles(content))
            self._signal(Event.ASSOCIATE_ACCEPT)
        else:
            self._outgoing = pdus.encode_fixed(
                pdus.ASSOCIATE_RJ, result=reply.result, source=reply.source, reason=reply.reason
            )
            self._signal(Event.ASSOCIATE_REJECT)

    def _send_outgoing(self) -> None:
        self._write(self._outgoing)

    def _send_accept(self) -> None:
        self._write(self._outgoing)
        self._user.established(self)

    def _send_reject(self) -> None:
        self._write(self._outgoing)
        self._start_artim()
        self._end(was_released=False)

    def _confirm_accepted(self) -> None:
        self._stop_artim()
        accept = pdus.decode_associate_accept(bytes(self._content))
        self.peer_maximum_bytes = accept.maximum_pdu_bytes
        self._user.accepted(self, accept)

    def _confirm_rejected(self) -> None:
        self._user.rejected(pdus.decode_reject(bytes(self._content)))
        self._close()

    def _indicate_data(self) -> None:
        self._hand_on(list(pdus.read_fragments(self._content)))

    def _hand_on(self, fragments: Sequence[Fragment]) -> None:
        for number, fragment in enumerate(fragments, start=1):
            work = self._user.take(fragment)
            if work is not None:
                self._busy = asyncio.get_running_loop().create_task(work, name="dicom message")
                self._busy.add_done_callback(self._done)
                # the buffer does not wait with them
                self._waiting = [
                    Fragment(other.context_id, other.is_command, other.is_last, memoryview(bytes(other.content)))
                    for other in fragments[number:]
                ]
                return

    def _done(self, work: asyncio.Task[None]) -> None:
        """Go on after what the user had to wait for."""
        self._busy = None
        self._heard_s = self._clock()
        failure = None if work.cancelled() else work.exception()
        if failure is not None:
            if not isinstance(failure, Unacceptable):
                log.error("a message could not be dealt with", exc_info=failure)
            self.abort(str(failure))
        if self._has_ended:
            self._tell_end()
            return
        waiting, self._waiting = self._waiting, ()
        try:
            self._hand_on(waiting)
        except Unacceptable as exc:
            self.abort(str(exc))
        self._consume()

    def _answer_release(self) -> None:
        self._write(pdus.encode_fixed(pdus.RELEASE_RP))
        self._start_artim()
        self._end(was_released=True)

    def _indicate_release(self) -> None:
        self._signal(Event.RELEASE_RESPONSE)

    def _answer_collision(self) -> None:
        self._write(pdus.encode_fixed(pdus.RELEASE_RP))

    def _indicate_collision(self) -> None:
        # the side that asked for the association answers first (PS3.8 7.2.2.3)
        if self._request is not None:
            self._signal(Event.RELEASE_RESPONSE)

    def _send_release(self) -> None:
        self._write(pdus.encode_fixed(pdus.RELEASE_RQ))
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
        self._write(pdus.encode_fixed(pdus.ABORT, source=SERVICE_PROVIDER, reason=UNEXPECTED_PDU))

    def _finish_with_abort(self, source: int, reason: int) -> None:
        self._write(pdus.encode_fixed(pdus.ABORT, source=source, reason=reason))
        if self._transport is not None and self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
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
        self._stop_artim()
        self._end(was_released=False)
        if self._transport is not None:
            self._transport.close()

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _ignore(self) -> None:
        """Do nothing, as the standard asks."""

    # --- the connection and time ----------------------------------------------------------------------------

    def _write(self, content: bytes) -> None:
        # one write for each PDU: two would wait for each other's acknowledgement (Nagle)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(content)

    def _start_artim(self) -> None:
        self._stop_artim()
        self._artim = asyncio.get_running_loop().call_later(self._timing.artim_s, self._expire)

    def _stop_artim(self) -> None:
        if self._artim is not None:
            self._artim.cancel()
            self._artim = None

    def _expire(self) -> None:
        self._artim = None
        if self.state in {State.AWAITING_ANSWER, State.AWAITING_RELEASE_ANSWER}:
            # no event of the standard's: the requestor may give up at any time
            self.abort(f"no answer within {self._timing.artim_s:g} s")
            return
        self._reason = self._reason or f"nothing was asked for within {self._timing.artim_s:g} s"
        self._signal(Event.ARTIM_EXPIRED)
        self._drop()

    def _look(self) -> None:
        """End an association that takes too long, or look again when it may."""
        if self._has_ended:
            return
        now_s, timing = self._clock(), self._timing
        dues = [(self._began_s + timing.total_s, f"the association took {timing.total_s:g} s")]
        if self._pdu_began_s is not None:
            dues.append((self._pdu_began_s + timing.pdu_s, f"a PDU was not complete within {timing.pdu_s:g} s"))
        if self._busy is None:
            dues.append((self._heard_s + timing.idle_s, f"silence for {timing.idle_s:g} s"))
        due_s, sentence = min(dues)
        if due_s <= now_s:
            self.abort(sentence)
            return
        wait_s = min(max(due_s - now_s, 0.0), timing.pdu_s)
        self._watch = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _end(self, *, was_released: bool) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._was_released = was_released
            if self._busy is None:
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

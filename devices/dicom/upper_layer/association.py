"""One association on one connection: its state machine (``machine``), run by bytes, primitives and time.

It waits for nothing: what carries it reads into its assembly, tells it of what came, and does its work. So the
same one runs on an event loop (``loop_connection``) and on a thread of its own (``thread_connection``).
"""

import structlog

from devices.clock import Clock
from devices.dicom.upper_layer import pdus
from devices.dicom.upper_layer.assembly import Assembly
from devices.dicom.upper_layer.associate import AssociateRequest
from devices.dicom.upper_layer.connection import Connection
from devices.dicom.upper_layer.fragments import encode_message
from devices.dicom.upper_layer.machine import Machine
from devices.dicom.upper_layer.pdus import MalformedPdu
from devices.dicom.upper_layer.states import Event, State
from devices.dicom.upper_layer.timing import Timing
from devices.dicom.upper_layer.user import Conclusion, Unacceptable, User, Work

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
    assembly
        Where what is read belongs.
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
        self.assembly = Assembly()
        self.is_clogged = False
        self._machine = Machine(user, self, connection, request)
        self._user = user
        self._connection = connection
        self._timing = timing
        self._clock = clock
        self._is_asked_for_by_us = request is not None
        self._began_s = self._heard_s = self._passed_s = clock()
        self._turn_s = 0.0
        self._pdu_began_s: float | None = None

    @property
    def state(self) -> State:
        """In which it is."""
        return self._machine.state

    @property
    def peer_maximum_bytes(self) -> int:
        """Longest PDU that the peer takes; 0 for any."""
        return self._machine.peer_maximum_bytes

    @property
    def work(self) -> Work | None:
        """What the user waits for; nothing more is taken until ``conclude``."""
        return self._machine.work

    @property
    def is_established(self) -> bool:
        """Whether messages may be sent."""
        return self.state in _OPEN

    @property
    def has_ended(self) -> bool:
        """Whether nothing can be sent any more; its user learns so when its work is concluded."""
        return self._machine.has_ended

    # --- what the user asks for -----------------------------------------------------------------------------

    def send(self, context_id: int, command: bytes, data_set: bytes | None = None) -> None:
        """Send a DIMSE message; nothing where the association has ended meanwhile."""
        if self.is_established:
            limit = self.peer_maximum_bytes
            self._machine.send(encode_message(context_id, command, data_set, maximum_pdu_bytes=limit))

    def release(self) -> None:
        """Ask for the release; nothing where it has ended meanwhile."""
        if self.state is State.ESTABLISHED:
            self._machine.signal(Event.RELEASE_REQUEST)

    def abort(self, reason: str) -> None:
        """Abort in whatever state; ``reason`` is ours alone, the wire has no room for it."""
        self._machine.blame(reason)
        if self.state in {State.IDLE, State.AWAITING_REQUEST, State.AWAITING_CLOSE}:
            self._machine.end(was_released=False)
            self._connection.drop()
        else:
            self._machine.signal(Event.ABORT_REQUEST)

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
        self._machine.leave()
        self._connection.drop()
        return descriptor, pending

    def resume(self, peer_maximum_bytes: int, pending: bytes) -> None:
        """Go on as another that was detached, before the connection is made."""
        self._machine.state, self._machine.peer_maximum_bytes = State.ESTABLISHED, peer_maximum_bytes
        self.assembly.widen()
        self.assembly.restore(pending)

    # --- what the connection tells --------------------------------------------------------------------------

    def connected(self) -> None:
        """Begin: ask for the association, or wait to be asked, or go on with one that was resumed."""
        if self.state is State.ESTABLISHED:
            self._take_pdus()
        else:
            is_ours = self._is_asked_for_by_us
            self._machine.signal(Event.CONNECTION_CONFIRMED if is_ours else Event.CONNECTION_INDICATED)

    def received(self) -> None:
        """Take what was read into the assembly."""
        self._heard_s = self._pass_time()
        self._take_pdus()

    def conclude(self, conclusion: Conclusion) -> None:
        """Go on after the user's work; where that failed, ``conclusion`` raises what it did."""
        self._heard_s = self._pass_time()
        self._machine.work = None
        try:
            conclusion()
            if not self.has_ended:
                self._machine.hand_on_waiting()
        except Unacceptable as exc:
            self.abort(str(exc))
        except Exception as exc:
            log.exception("a message could not be dealt with")
            self.abort(str(exc))
        if self.has_ended:
            self._machine.tell_end()
        else:
            self._take_pdus()
            self._ask_for_more()

    def _ask_for_more(self) -> None:
        if self.work is None and self.is_established:
            self._machine.work = self._user.more()

    def disconnected(self, reason: str = "") -> None:
        """End, however it came."""
        if self.state is not State.IDLE:
            if self.state is not State.AWAITING_REQUEST:  # health checks of a network connect and close
                self._machine.blame(f"connection lost{f': {reason}' if reason else ''}")
            self._machine.signal(Event.CONNECTION_CLOSED)
        self._connection.stop_artim()
        self._machine.end(was_released=False)
        self.assembly.release()

    def artim_expired(self) -> None:
        """Give up waiting for the peer to ask, to answer or to close."""
        if self.state in {State.AWAITING_ANSWER, State.AWAITING_RELEASE_ANSWER}:
            # no event of the standard's: the requestor may give up at any time
            self.abort(f"no answer within {self._timing.artim_s:g} s")
            return
        self._machine.blame(f"nothing was asked for within {self._timing.artim_s:g} s")
        self._machine.signal(Event.ARTIM_EXPIRED)
        self._connection.drop()

    def look(self) -> float | None:
        """End it where it takes too long, or tell in how many seconds to look again; None where it has ended."""
        if self.has_ended:
            return None
        now_s, timing = self._pass_time(), self._timing
        dues = [(self._began_s + timing.total_s, f"the association took {timing.total_s:g} s")]
        if self._pdu_began_s is not None:
            dues.append((self._pdu_began_s + timing.pdu_s, f"a PDU was not complete within {timing.pdu_s:g} s"))
        if self.work is None or self.is_clogged:
            dues.append((self._heard_s + timing.idle_s, f"silence for {timing.idle_s:g} s"))
        due_s, sentence = min(dues)
        if due_s > now_s:
            sentence = self._tell_turn()
        if sentence:
            self.abort(sentence)
            return None
        return min(due_s - now_s, timing.pdu_s, timing.look_s)

    def _tell_turn(self) -> str:
        """Tell the user how long it has been the peer's turn; gives why it has enough, if so."""
        try:
            self._user.waited(self._turn_s)
        except Unacceptable as exc:
            return str(exc)
        return ""

    def _pass_time(self) -> float:
        """Count the time since the last as the peer's or ours, as it was in it; gives what the time is."""
        now_s = self._clock()
        if self.is_established and (self.work is None or self.is_clogged):
            self._turn_s += now_s - self._passed_s
        self._passed_s = now_s
        return now_s

    # --- bytes into events ----------------------------------------------------------------------------------

    def _take_pdus(self) -> None:
        has_taken = False
        while self.work is None and not self._machine.is_deaf and (pdu := self._next_pdu()) is not None:
            has_taken = True
            self._take_pdu(*pdu)
        if self._machine.is_deaf:
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
            self._machine.is_deaf = True
            self._refuse(exc)
            return None

    def _take_pdu(self, kind: int, content: memoryview) -> None:
        try:
            self._machine.signal(_EVENT_OF[kind], content)
        except MalformedPdu as exc:
            self._refuse(exc)
        except Unacceptable as exc:
            self.abort(str(exc))

    def _refuse(self, exc: MalformedPdu) -> None:
        self._machine.blame(f"malformed message: {exc}")
        self._machine.signal(Event.INVALID_PDU)

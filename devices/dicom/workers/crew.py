"""The node's workers: processes that take associations over, so that each core serves its own.

Where one is lost its associations are too: they are told of as ended, and another worker is started in its place,
later each time if it does not last. What comes meanwhile the others serve, or the node itself.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from devices.clock import Clock
from devices.dicom.services.events import Ending, Event, Notify, Standing
from devices.dicom.services.provider import Served
from devices.dicom.upper_layer.user import Channel
from devices.dicom.workers.foreman import Foreman, Hand
from devices.dicom.workers.handover import LONGEST_BYTES, Dismissal, Handover, decode_event, encode

END_TIME_S: Final = 0.5

LISTENING_PAUSE_S: Final = 0.05
"""What workers tell waits so long in their lines, so that the node is woken for many objects at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacing:
    """When a lost worker is replaced.

    Attributes
    ----------
    lasting_s
        One that lasted so long is replaced at once.
    first_s, longest_s
        Else after so long, twice as long each time, up to the longest.

    """

    lasting_s: float = 60.0
    first_s: float = 1.0
    longest_s: float = 60.0


class Crew:
    """Hands associations to workers, and tells what becomes of them.

    Parameters
    ----------
    foreman
        Has workers.
    size
        How many there are to be.
    notify
        Called with each event.
    short_of
        Called when a worker is lost or replaced, with how many are missing and why.
    clock
        Host monotonic clock.
    replacing
        When a lost one is replaced.

    """

    def __init__(
        self,
        foreman: Foreman,
        *,
        size: int,
        notify: Notify,
        short_of: Callable[[int, str], None],
        clock: Clock,
        replacing: Replacing | None = None,
    ) -> None:
        self._foreman = foreman
        self._size = size
        self._notify = notify
        self._short_of = short_of
        self._clock = clock
        self._replacing = replacing or Replacing()
        self._sessions: dict[Hand, dict[int, Served]] = {}
        self._since_s: dict[Hand, float] = {}
        self._wait_s = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_closing = False

    def start(self) -> None:
        """Start the workers and listen to them, on the running event loop."""
        for _ in range(self._size):
            self._add()

    def close(self) -> None:
        """End the workers, hear what they still have to say, and return when they have ended."""
        self._is_closing = True
        for timer in self._timers:
            timer.cancel()
        for hand in list(self._sessions):
            with contextlib.suppress(OSError):
                hand.line.shutdown(socket.SHUT_WR)
        for hand in list(self._sessions):
            while hand in self._sessions and select.select([hand.line], [], [], END_TIME_S)[0]:
                self._hear(hand)
            if hand in self._sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(hand.process_id, signal.SIGKILL)
                self._drop(hand)
        self._foreman.close()

    def offer(self, session: Served, association: Channel) -> None:
        """Hand an association to the worker that has the fewest, once its acceptance is sent and if it may be."""
        asyncio.get_running_loop().call_soon(self._hand_over, session, association)

    def _hand_over(self, session: Served, association: Channel) -> None:
        if not self._sessions or not session.is_between_messages:
            return
        hand = min(self._sessions, key=lambda one: len(self._sessions[one]))
        detached = association.detach(longest_pending=LONGEST_BYTES // 2)
        if detached is None:
            return
        descriptor, pending = detached
        self._sessions[hand][session.number] = session
        handover = Handover(
            session=session.number,
            calling_ae=session.calling_ae,
            address=session.address,
            transfer_syntaxes=session.transfer_syntaxes,
            peer_maximum_bytes=association.peer_maximum_bytes,
            pending=pending,
        )
        try:
            socket.send_fds(hand.line, [encode(handover)], [descriptor])
        except OSError as exc:
            self._lose(hand, str(exc))
        finally:
            os.close(descriptor)

    def dismiss(self, session: Served, reason: str) -> bool:
        """Have the worker that serves an association abort it; false where none does."""
        hand = next((one for one, served in self._sessions.items() if session.number in served), None)
        if hand is None:
            return False
        try:
            hand.line.send(encode(Dismissal(session=session.number, reason=reason)))
        except OSError as exc:
            self._lose(hand, str(exc))
        return True

    # --- what workers tell ------------------------------------------------------------------------------------

    def _wake(self, hand: Hand) -> None:
        """Hear all that a worker has to say, and then nothing for a while."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(hand.line)
        while hand in self._sessions and select.select([hand.line], [], [], 0)[0]:
            self._hear(hand)
        if hand in self._sessions:
            self._later(LISTENING_PAUSE_S, lambda: self._listen(hand))

    def _listen(self, hand: Hand) -> None:
        if hand in self._sessions:
            asyncio.get_running_loop().add_reader(hand.line, self._wake, hand)

    def _hear(self, hand: Hand) -> None:
        try:
            packet = hand.line.recv(LONGEST_BYTES)
        except OSError as exc:
            self._lose(hand, str(exc))
            return
        if packet:
            self._tell(hand, decode_event(packet))
        elif self._is_closing:
            self._drop(hand)
        else:
            self._lose(hand, "its process has ended")

    def _tell(self, hand: Hand, happened: Event) -> None:
        match happened:
            case Ending():
                session = self._sessions[hand].pop(happened.session)
                session.ended(was_released=happened.was_released, reason="")
            case Standing():
                self._sessions[hand][happened.session].is_behind = happened.is_behind
            case _:
                self._notify(happened)

    # --- who there is -----------------------------------------------------------------------------------------

    def _add(self) -> None:
        try:
            hand = self._foreman.fork()
        except OSError as exc:
            self._replace(f"no worker can be started: {exc}")
            return
        self._sessions[hand], self._since_s[hand] = {}, self._clock()
        self._listen(hand)

    def _lose(self, hand: Hand, reason: str) -> None:
        sessions, lasted_s = self._sessions[hand], self._clock() - self._since_s[hand]
        log.error("a worker is lost", process_id=hand.process_id, reason=reason, associations=len(sessions))
        self._drop(hand)
        for session in sessions.values():
            session.ended(was_released=False, reason="the worker that served it is lost")
        if lasted_s >= self._replacing.lasting_s:
            self._wait_s = 0.0
        self._replace(f"worker {hand.process_id} is lost: {reason}")

    def _replace(self, reason: str) -> None:
        """Start another, at once the first time, and later each time that it does not last."""
        missing = self._size - len(self._sessions)
        wait_s = self._wait_s
        self._wait_s = min(max(2 * wait_s, self._replacing.first_s), self._replacing.longest_s)
        self._short_of(missing, f"{reason}; another is started in {wait_s:g} s")
        self._later(wait_s, self._add_missing)

    def _add_missing(self) -> None:
        self._add()
        if len(self._sessions) == self._size:
            self._short_of(0, "")

    def _drop(self, hand: Hand) -> None:
        asyncio.get_running_loop().remove_reader(hand.line)
        hand.line.close()
        del self._sessions[hand], self._since_s[hand]

    def _later(self, wait_s: float, then: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            then()

        timer = asyncio.get_running_loop().call_later(wait_s, run)
        self._timers.add(timer)

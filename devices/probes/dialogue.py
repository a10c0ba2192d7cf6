"""A talk with an instrument, without the wire: bytes and times in, bytes and readings out.

A dialogue never waits and never reads a clock: it is told when bytes came and when time has passed, and says when
it wants to be woken. So a day of it is tested in a second, on any fault of a wire; ``devices.probes.conversing``
joins it to a real one.

It opens with questions that say who answers. What has no checksum is asked until two answers in a row are equal,
so that a flipped bit does not make another instrument of it. Answers come in the order of the requests, and
neighbouring questions have answers that cannot be taken for each other: one that comes late or twice does no harm.
"""

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Final

import structlog

from devices.errors import NOT_ITS_WORDS, DeviceTimeout
from devices.framing import Frame
from devices.readings import WORST_FIRST, CountReading, CountStatus
from devices.traffic import Condition, Traffic

log = structlog.get_logger()

OPENING_S: Final = 4.0
"""After so long without all answers nobody is there: shorter than the supervisor waits, so that we say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an instrument before it counts.

    Attributes
    ----------
    request
        Bytes to send.
    answer
        What the whole answer looks like.
    times
        Equal answers in a row that are wanted.
    patience_s
        Time after which it is asked again, s.
    pause_s
        Time that the instrument needs between the answer before and this question, s.
    goes_back
        Whether asking again begins with the question before, which woke it.
    tries
        How often it is asked in vain before it is done without: its answer is an aside, not one of those that say
        who answers. None: it must be answered.

    """

    request: bytes
    answer: re.Pattern[bytes]
    times: int = 2
    patience_s: float = 0.3
    pause_s: float = 0.0
    goes_back: bool = False
    tries: int | None = None


class Dialogue(ABC):
    """One instrument's talk, from its opening on.

    Subclasses cut bytes into frames and make readings of them; they say in ``silent`` what to do where nobody
    answers the opening questions. What all of them tell of their link is counted here.

    Parameters
    ----------
    device
        The device's name in the site file, for readings and errors.
    questions
        Asked at the opening, in order.
    silent
        Sentence of the error if one is not answered.

    """

    refused_are_lost: ClassVar[bool] = True
    """Whether a refused frame takes counts with it; not where each frame holds the sum of all."""

    def __init__(self, device: str, *, questions: Sequence[Question] = (), silent: str = "") -> None:
        self.device = device
        self.identity = ""
        self.is_open = False
        self._answers: list[re.Match[bytes]] = []
        self._questions = tuple(questions)
        self._asking = 0
        self._silent = silent
        self._heard: list[re.Match[bytes]] = []
        self._attempts = 0
        self._began_s = inf
        self._is_asked = False
        self._act_at_s = inf
        self._outgoing = bytearray()
        self._readings: deque[CountReading] = deque()
        self._refused = 0
        self._refused_before = 0
        self._has_gap = False
        self._received_bytes = self._frames = self._resyncs = self._timeouts = 0
        self._condition: Condition | None = None
        self._warned: Collection[str] = ()

    @property
    @abstractmethod
    def rejected(self) -> int:
        """Frames refused since the opening."""

    @property
    def traffic(self) -> Traffic:
        """What came since the opening."""
        return Traffic(
            received_bytes=self._received_bytes,
            frames=self._frames,
            resyncs=self._resyncs,
            timeouts=self._timeouts,
        )

    @property
    def condition(self) -> Condition | None:
        """What the instrument said of itself last; None where it never did."""
        return self._condition

    @property
    def is_ready(self) -> bool:
        """Whether what is counted from now on will be told."""
        return self.is_open

    @property
    def start_known_to_s(self) -> float:
        """How much later a count may have begun than its reading says, s: told once it is finished."""
        return 0.0

    @property
    def wake_at_s(self) -> float:
        """When ``wake`` is worth calling, on the clock that stamps the bytes; infinite: only bytes matter."""
        return self._act_at_s

    def begin(self, now_s: float) -> None:
        """Start the talk: the link has just been opened."""
        self._began_s = now_s
        self._go_on(now_s)

    def feed(self, received: bytes, arrived_at_s: float) -> None:
        """Take bytes, the first of which came at ``arrived_at_s``."""
        self._received_bytes += len(received)
        for frame in self._cut(received, arrived_at_s):
            self._hear(frame, arrived_at_s)

    def wake(self, now_s: float) -> None:
        """Do what is due by now; ``DeviceTimeout`` where nobody answers the opening."""
        if now_s < self._act_at_s:
            return
        if self.is_open:
            self._act(now_s)
            return
        if now_s - self._began_s >= OPENING_S:
            raise DeviceTimeout(self.device, self._silent + f", {NOT_ITS_WORDS}" * bool(self._received_bytes))
        question = self._questions[self._asking]
        self._timeouts += self._is_asked
        if question.tries is not None and self._attempts >= question.tries:
            self._asking += 1
            self._go_on(now_s)
            return
        if self._is_asked and question.goes_back:
            self._asking -= 1
            self._answers.pop()
            self._heard.clear()
        self._ask(now_s)

    def take_outgoing(self) -> bytes:
        """Give what is to be sent, once."""
        sent = bytes(self._outgoing)
        self._outgoing.clear()
        return sent

    def take_readings(self) -> list[CountReading]:
        """Give the readings made so far, once, in order."""
        readings = list(self._readings)
        self._readings.clear()
        return readings

    def farewell(self) -> bytes:
        """Give what to send before the link is closed, so that the next one finds the instrument quiet."""
        return b""

    @abstractmethod
    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        """Cut bytes into frames."""

    @abstractmethod
    def _take(self, frame: Frame, now_s: float) -> None:
        """Make of a frame what it is, once the instrument is open."""

    def _opened(self, now_s: float) -> None:  # noqa: B027 - an instrument that talks by itself needs nothing
        """Start counting: all questions are answered."""

    def _hear_aside(self, match: re.Match[bytes], now_s: float) -> None:  # noqa: B027 - for those who ask one
        """Take the answer to a question that need not be answered."""

    def _act(self, now_s: float) -> None:  # noqa: ARG002 - for those who poll
        """Do what is due at ``_act_at_s`` once open."""
        self._act_at_s = inf

    def _continue(self, status: CountStatus = CountStatus.OK) -> CountStatus:
        """Say whether the reading that is made now follows on the one before; a worse status stands."""
        has_gap = self._has_gap or (self.refused_are_lost and self.rejected > self._refused_before)
        self._has_gap, self._refused_before = False, self.rejected
        self._resyncs += has_gap
        return min(status, CountStatus.RESYNCED if has_gap else CountStatus.OK, key=WORST_FIRST.index)

    def _tell(
        self, counts: int, *, began_at_s: float, seconds: float, dead_time_s: float, is_full: bool = False
    ) -> None:
        """Give what was counted in an interval that the instrument counted all through.

        ``is_full``: there may have been more than it can tell.
        """
        self._readings.append(
            CountReading(
                device=self.device,
                taken_at_s=began_at_s,
                real_time_s=seconds,
                live_time_s=seconds,
                counts=counts,
                dead_time_s=dead_time_s,
                status=self._continue(CountStatus.SATURATED if is_full else CountStatus.OK),
            )
        )

    def _warn(self, said: Collection[str]) -> None:
        """Log of what the instrument says of itself now what it did not say before."""
        for each in said:
            if each not in self._warned:
                log.warning(each, device=self.device)
        self._warned = said

    def _hear(self, frame: Frame, now_s: float) -> None:
        self._frames += 1
        if self.is_open:
            self._take(frame, now_s)
            return
        question = self._questions[self._asking]
        match = question.answer.fullmatch(frame.raw)
        if match is None or not self._is_asked:
            self._refused += match is None
            return
        if self._heard and self._heard[-1].groups() != match.groups():
            self._heard.clear()
        self._heard.append(match)
        if len(self._heard) < question.times:
            self._ask(now_s)
            return
        if question.tries is None:
            self._answers.append(match)
        else:
            self._hear_aside(match, now_s)
        self._asking += 1
        self._go_on(now_s)

    def _go_on(self, now_s: float) -> None:
        """Ask the next question; where there is none, count."""
        self._heard.clear()
        self._attempts = 0
        if self._asking == len(self._questions):
            self.is_open = True
            self._act_at_s = inf
            self._refused_before = self.rejected  # what came before belongs to the opening
            self._opened(now_s)
            return
        if pause_s := self._questions[self._asking].pause_s:
            self._is_asked = False
            self._act_at_s = now_s + pause_s
            return
        self._ask(now_s)

    def _ask(self, now_s: float) -> None:
        question = self._questions[self._asking]
        self._is_asked = True
        self._attempts += 1
        self._outgoing += question.request
        self._act_at_s = now_s + question.patience_s

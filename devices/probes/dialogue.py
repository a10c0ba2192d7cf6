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
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from devices.errors import DeviceTimeout
from devices.framing import Frame
from devices.readings import CountReading

ATTEMPTS = 24
"""How many questions are asked in all before nobody is there."""


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

    """

    request: bytes
    answer: re.Pattern[bytes]
    times: int = 2
    patience_s: float = 0.3
    pause_s: float = 0.0
    goes_back: bool = False


class Dialogue(ABC):
    """One instrument's talk, from its opening on.

    Subclasses cut bytes into frames and make readings of them; they say in ``silent`` what to do where nobody
    answers the opening questions.

    Parameters
    ----------
    device
        The device's name in the site file, for readings and errors.
    questions
        Asked at the opening, in order.
    silent
        Sentence of the error if one is not answered.

    """

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
        self._is_asked = False
        self._act_at_s = inf
        self._outgoing = bytearray()
        self._readings: deque[CountReading] = deque()
        self._refused = 0

    @property
    @abstractmethod
    def rejected(self) -> int:
        """Frames refused since the opening."""

    @property
    def wake_at_s(self) -> float:
        """When ``wake`` is worth calling, on the clock that stamps the bytes; infinite: only bytes matter."""
        return self._act_at_s

    def begin(self, now_s: float) -> None:
        """Start the talk: the link has just been opened."""
        self._go_on(now_s)

    def feed(self, received: bytes, arrived_at_s: float) -> None:
        """Take bytes, the first of which came at ``arrived_at_s``."""
        for frame in self._cut(received, arrived_at_s):
            self._hear(frame, arrived_at_s)

    def wake(self, now_s: float) -> None:
        """Do what is due by now; ``DeviceTimeout`` where nobody answers the opening."""
        if now_s < self._act_at_s:
            return
        if self.is_open:
            self._act(now_s)
            return
        if self._attempts >= ATTEMPTS:
            raise DeviceTimeout(self.device, self._silent)
        if self._is_asked and self._questions[self._asking].goes_back:
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

    def _act(self, now_s: float) -> None:  # noqa: ARG002 - for those who poll
        """Do what is due at ``_act_at_s`` once open."""
        self._act_at_s = inf

    def _hear(self, frame: Frame, now_s: float) -> None:
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
        self._answers.append(match)
        self._asking += 1
        self._go_on(now_s)

    def _go_on(self, now_s: float) -> None:
        """Ask the next question; where there is none, count."""
        self._heard.clear()
        if self._asking == len(self._questions):
            self.is_open = True
            self._act_at_s = inf
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

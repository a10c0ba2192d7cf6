r"""Ludlum 3030, 3030E, 3030P sample counters: each finished count, out of the memory that logs them.

Model 3030 & 3030E manual, RS-232: 9600 8N1 with RTS/CTS. A command ends with LF, in either case of letters; an
answer with CR LF; what it does not know it answers with ``ERROR-`` and the command's first two letters::

    B0    background subtraction off: the answer is not documented
    RT    00060.0    count time, s          RV    0750    high voltage, V          RY    ON, OFF    recycling
    RS    every logged sample (``devices.probes.ludlum3030_memory``), then ``$``

What reads a count while it runs is not known to us, so a reading is a finished count. Samples that are there at
the opening are history and make none. There is no checksum; what is damaged costs nothing, for the memory tells it
again.

Nobody says when a count was: its own calendar need not be ours. It ended after the last undamaged answer that did
not have it was asked for, so ``taken_at_s`` is the earliest at which it can have begun, and it began later by
``start_known_to_s`` at most while no answer is lost. So none that began before something was placed can be taken
for one of that.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final, Literal

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.ludlum3030_memory import LONGEST_MEMORY, LOOKS, WHOLE, Channel, Found, Memory
from devices.probes.settings import PolledSettings
from devices.traffic import Condition

BAUD_RATE: Final = 9600
REST: Final = 3.0
"""From request to request, in lengths of an answer: telling keeps the instrument busy, with its sound off."""
ASKED_IN_VAIN: Final = 2
"""Times the longest pause within an answer until it is asked once more, where it was asked again already."""

READ_SAMPLES: Final = b"RS\n"
END: Final = b"$"
NOT_KNOWN: Final = b"ERROR-RS"
BACKGROUND_NOT_KNOWN: Final = b"ERROR-B0"
UNITS: Final = {"C": "counts per minute (cpm)", "D": "disintegrations per minute (dpm)"}
QUESTIONS: Final = (
    Question(request=b"RT\n", answer=re.compile(rb"(?=.{7}$)( *\d+\.\d)"), patience_s=0.5),
    Question(request=b"RV\n", answer=re.compile(rb"(?=.{4}$)( *\d+)"), patience_s=0.5),
    Question(request=b"RY\n", answer=re.compile(rb"(ON|OFF)"), patience_s=0.5),
    # of its answer nothing is known but its end: so last, when nothing else is left that may come
    Question(request=b"B0\n", answer=re.compile(rb"([\x20-\x7e]{1,40})"), times=1, tries=2),
)


class Ludlum3030(Dialogue):
    """Asks for its memory again and again, and makes a reading of each sample that is new."""

    refused_are_lost = False

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=QUESTIONS,
            silent=f"nothing at {settings.port} answers as a Ludlum 3030: check that it is on and its cable "
            'whole; where that has no RTS and CTS set handshake = "none"',
        )
        self._settings = settings
        self._splitter = LineSplitter()
        self._memory = Memory()
        self._lines: list[bytes] = []
        self._overlong = self._errors = 0
        self._unanswered = 0
        self._is_asked_again = self._is_passing = False
        self._asked_at_s = self._heard_at_s = self._took_s = 0.0
        self._ended_s = -inf
        self._number: int | None = None

    @property
    def rejected(self) -> int:
        """Lines refused."""
        return self._refused + self._splitter.rejected

    @property
    def is_ready(self) -> bool:
        """Whether it is known what is history."""
        return self._memory.is_known

    @property
    def start_known_to_s(self) -> float:
        """Longest time from request to answer's end, two requests later, as long as its memory is now, s."""
        return max(self._settings.interval_s, REST * self._took_s) + self._took_s

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _hear_aside(self, match: re.Match[bytes], now_s: float) -> None:  # noqa: ARG002 - no time is wanted
        self._heed_background(match[1])

    def _heed_background(self, said: bytes) -> None:
        if said == BACKGROUND_NOT_KNOWN:
            raise DeviceError(
                self.device,
                "it does not know B0, so nobody knows whether a background is taken off its counts: check that it "
                "is a Ludlum 3030, 3030E or 3030P",
            )

    def _opened(self, now_s: float) -> None:
        _, high_voltage, _ = self._answers
        self._condition = Condition(told_at_s=now_s, high_voltage_v=float(high_voltage[1]))
        self._heard_at_s = now_s
        self._ask_samples(now_s)

    def _act(self, now_s: float) -> None:
        if self._unanswered and not self._is_passing:
            self._ask_again(now_s)
        else:
            self._ask_samples(now_s)

    def _ask_samples(self, now_s: float) -> None:
        """Ask while nothing is unanswered any more that might still come."""
        self._outgoing += READ_SAMPLES
        self._unanswered, self._is_asked_again, self._is_passing = 1, False, False
        self._asked_at_s = now_s
        self._lines, self._overlong = [], self._splitter.rejected
        self._act_at_s = now_s + self._settings.answer_s

    def _ask_again(self, now_s: float) -> None:
        """Ask once more, where question or answer was lost, or is late: what comes then may answer either."""
        silent_at_s = max(self._heard_at_s, self._asked_at_s) + self._settings.silence_s
        if now_s >= silent_at_s:
            raise DeviceTimeout(
                self.device,
                f"no answer for {self._settings.silence_s:g} s: check that it is on and its cable whole; if it "
                "does not answer while it counts, make silence_s longer than its count time",
            )
        self._timeouts += 1
        self._outgoing += READ_SAMPLES
        self._unanswered, self._is_asked_again = self._unanswered + 1, True
        self._lines = []
        self._act_at_s = min(now_s + ASKED_IN_VAIN * self._settings.answer_s, silent_at_s)

    def _take(self, frame: Frame, now_s: float) -> None:
        if frame.raw == END:
            self._end(now_s)
            return
        self._heed_background(frame.raw)
        if frame.raw == NOT_KNOWN:
            self._refuse_samples()
        line, is_good = self._memory.line_of(frame.raw)
        if len(self._lines) <= LONGEST_MEMORY:
            self._lines.append(line)
        if not is_good:
            self._refused += 1  # and the next question is not put off by it
            return
        if len(self._lines) > LONGEST_MEMORY:
            raise DeviceError(
                self.device,
                f"its memory holds more than {LONGEST_MEMORY} samples, which take too long to tell: print or save "
                "them, then clear it",
            )
        self._heard_at_s = now_s
        self._act_at_s = max(self._act_at_s, now_s + self._settings.answer_s)

    def _end(self, now_s: float) -> None:
        """Heed an answer to the one question that is open; let others pass, until no more can come."""
        self._heard_at_s, self._errors = now_s, 0
        was_asked, self._unanswered = self._unanswered > 0, max(0, self._unanswered - 1)
        if was_asked and not self._is_asked_again:
            self._finish(now_s)
        elif was_asked and not self._unanswered:
            self._ask_samples(now_s)
        else:
            self._lines, self._is_passing = [], True
            self._act_at_s = max(self._act_at_s, now_s + self._settings.answer_s)

    def _refuse_samples(self) -> None:
        self._errors += 1
        if self._errors > 1:  # twice, since it says so of a damaged request too
            raise DeviceError(self.device, "it does not know RS: check that it is a Ludlum 3030, 3030E or 3030P")

    def _finish(self, now_s: float) -> None:
        """Take an answer that is whole; ask again at once where anything of it is in doubt."""
        self._took_s = now_s - self._asked_at_s
        is_whole = self._splitter.rejected == self._overlong
        lines, self._lines = self._lines, []
        if is_whole:
            for found in self._memory.compare(lines, self._asked_at_s):
                self._measure(found)
        if is_whole and self._memory.is_settled:
            pause_s = max(self._settings.interval_s, REST * self._took_s)
            self._act_at_s = max(self._asked_at_s + pause_s, now_s)
        else:
            self._ask_samples(now_s)

    def _measure(self, found: Found) -> None:
        sample = found.sample
        if sample.unit in UNITS:
            raise DeviceError(
                self.device,
                f"it logs {UNITS[sample.unit]}, which are no counts: set it to scaler counts (S in its log), and "
                "count again",
            )
        is_full = sample.is_full(self._settings.channel)
        before, self._number = self._number, sample.number
        is_next = before is not None and sample.number == before + 1
        began_at_s = found.not_yet_s - sample.seconds
        if is_next:  # in what order a memory is told is not documented: its numbers say which was before
            began_at_s = max(began_at_s, self._ended_s)
        self._ended_s = began_at_s + sample.seconds
        self._has_gap |= before is not None and not is_next
        self._tell(
            sample.counts(self._settings.channel),
            began_at_s=began_at_s,
            seconds=sample.seconds,
            dead_time_s=self._settings.dead_time_s,
            is_full=is_full,
        )


class Settings(PolledSettings):
    """A Ludlum 3030 in the site file.

    Attributes
    ----------
    channel
        Whose counts are read. "beta": electrons, and what it sees of photons; where the nuclide emits alphas
        "alpha", or "sum". To a nuclide without them the alpha channel adds its background alone.
    handshake
        "none" for a cable without RTS and CTS.
    interval_s
        Shortest time from request to request, s; it is thrice the length of an answer at least.
    answer_s
        Longest pause within an answer, s.
    silence_s
        Longest time without a line of an answer, s: counts come as seldom as somebody has one made. It counts
        specimens, and never navigates.

    """

    driver: Literal["ludlum3030"]
    channel: Channel = "beta"
    handshake: Literal["rts_cts", "none"] = "rts_cts"
    interval_s: float = Field(default=1.0, gt=0, le=10)
    answer_s: float = Field(default=1.0, gt=0, le=10)
    silence_s: float = Field(default=5.0, gt=1.0, le=900)

    @property
    def window_said(self) -> str:
        """What is counted, in words."""
        return "alpha and beta channels" if self.channel == "sum" else f"{self.channel} channel"

    @property
    def tray_said(self) -> str:
        """Where it has what it counts."""
        return "on its tray"

    @property
    def opening_s(self) -> float:
        """Longest time to learn who answers, and what is history, s."""
        return super().opening_s + 1.5 * LOOKS * LONGEST_MEMORY * (WHOLE + 2) * 10 / BAUD_RATE

    @property
    def streams(self) -> bool:
        """Its counts come now and then."""
        return False

    def dialogue(self, device: str) -> Ludlum3030:
        """Give the talk with it, without a wire."""
        return Ludlum3030(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port, switch its background subtraction off and ask; ``DeviceError`` with what to do."""
        dialogue, has_handshake = self.dialogue(device), self.handshake == "rts_cts"
        async with converse(
            dialogue, self, baud_rate=BAUD_RATE, has_handshake=has_handshake, clock=clock
        ) as probe:
            yield probe

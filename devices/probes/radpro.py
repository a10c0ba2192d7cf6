r"""Rad Pro firmware (FNIRSI, Bosean, FS2011, GQ GMC-800 …): a cumulative pulse count, asked for over USB.

ASCII, 115200 baud 8N1, ``\r\n`` both ways, ``OK value`` or ``ERROR`` (Rad Pro, docs/comm.md)::

    GET deviceId                  OK FS2011 (STM32F051C8);Rad Pro 2.0/en;b5706d937087f975b5812810
    GET tubeDeadTime              OK 0.0002420        an upper bound, s
    GET tubeDeadTimeCompensation  OK 0.0002500        0.0000000: off
    GET tubePulseCount            OK 1500             of the tube's life; 0 comes after 4294967295
    GET deviceBatteryVoltage      OK 1.421            V, each minute; ERROR where it cannot say

The count is raw and updated continuously; a reading is the difference of two. So a lost answer costs no count: the
next difference holds them. There is no checksum, so a count is taken only when a second one, asked for as soon as
the first has come, lies no further above it than the tube could have counted in between.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final, Literal

from devices.clock import Clock
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import PolledSettings
from devices.traffic import Condition

BAUD_RATE: Final = 115200
COUNTER_RANGE: Final = 1 << 32
"""The pulse count begins again at 0 after one less."""
SHORTEST_DEAD_TIME_S: Final = 20e-6
"""Of any tube that Rad Pro knows; bounds what can be counted where the instrument does not say."""

ASK_COUNT: Final = b"GET tubePulseCount\r\n"
COUNT: Final = re.compile(rb"OK (\d{1,10})")
ASK_BATTERY: Final = b"GET deviceBatteryVoltage\r\n"
BATTERY: Final = re.compile(rb"OK (\d{1,2}\.\d{3})")
BATTERY_EVERY_S: Final = 60.0
ERROR: Final = b"ERROR"
SECONDS: Final = rb"OK (\d\.\d{7})"
IDENTITY: Final = rb"OK ([\x20-\x3a\x3c-\x7e]{1,40});([\x20-\x3a\x3c-\x7e]{1,40});([0-9A-Fa-f]{1,40})"
QUESTIONS: Final = (
    # answers of neighbours differ in their form: see devices.probes.dialogue
    Question(request=b"GET tubeDeadTime\r\n", answer=re.compile(SECONDS)),
    Question(request=b"GET deviceId\r\n", answer=re.compile(IDENTITY)),
    Question(request=b"GET tubeDeadTimeCompensation\r\n", answer=re.compile(SECONDS)),
)


class RadPro(Dialogue):
    """Asks for the count each ``interval_s``, and takes it once a second answer agrees."""

    refused_are_lost = False

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=QUESTIONS,
            silent=f"nothing at {settings.port} answers as Rad Pro: switch it on before plugging it in, and set "
            "it to data mode where its menu has one",
        )
        self._settings = settings
        self._splitter = LineSplitter(greatest_length=128)
        self._dead_time_s = settings.dead_time_s
        self._fastest_cps = 1 / SHORTEST_DEAD_TIME_S
        self._asked_at_s = 0.0
        self._polled_at_s = 0.0
        self._is_awaiting = False
        self._battery_at_s = -inf
        self._first: tuple[int, float] | None = None
        self._since: tuple[int, float, float] | None = None

    @property
    def rejected(self) -> int:
        """Lines refused, and counts that the next one belied."""
        return self._refused + self._splitter.rejected

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _opened(self, now_s: float) -> None:
        bound, identity, compensation = self._answers
        hardware, software, number = (part.decode() for part in identity.groups())
        self.identity = f"{hardware}, {software}, {number}"
        self._dead_time_s = self._settings.dead_time_s or float(compensation[1])
        # it says an upper bound, so the tube may be faster: twice as fast is allowed
        self._fastest_cps = 1 / max(float(bound[1]) / 2, SHORTEST_DEAD_TIME_S)
        self._poll(now_s)

    def _act(self, now_s: float) -> None:
        """Poll, or ask again where no answer came."""
        self._timeouts += self._is_awaiting
        self._first = None
        self._poll(now_s)

    def _poll(self, now_s: float) -> None:
        self._polled_at_s = now_s
        self._ask_count(now_s)

    def _ask_count(self, now_s: float) -> None:
        self._outgoing += ASK_COUNT
        self._is_awaiting = True
        self._asked_at_s = now_s
        self._act_at_s = now_s + self._settings.answer_s

    def _take(self, frame: Frame, now_s: float) -> None:
        if battery := BATTERY.fullmatch(frame.raw):
            self._condition = Condition(told_at_s=frame.began_at_s, battery_v=float(battery[1]))
            return
        match = COUNT.fullmatch(frame.raw)
        if match is None or int(match[1]) >= COUNTER_RANGE:
            if frame.raw == ERROR and self._condition is None:
                self._battery_at_s = inf
                return
            self._refused += 1
            return
        count = int(match[1])
        if self._first is None:
            self._first = count, self._asked_at_s
            self._ask_count(now_s)
            return
        before, asked_at_s = self._first
        if not self._could_count((count - before) % COUNTER_RANGE, now_s - asked_at_s):
            self._refused += 1
            self._first = count, self._asked_at_s
            self._ask_count(now_s)
            return
        self._first, self._is_awaiting = None, False
        self._act_at_s = max(self._polled_at_s + self._settings.interval_s, now_s)
        if now_s >= self._battery_at_s:
            # while nothing else is asked; its answer cannot be taken for a count, whenever it comes
            self._battery_at_s = now_s + BATTERY_EVERY_S
            self._outgoing += ASK_BATTERY
        self._measure(count, frame.began_at_s)

    def _could_count(self, rise: int, elapsed_s: float) -> bool:
        return rise <= 1 + elapsed_s * self._fastest_cps

    def _measure(self, count: int, at_s: float) -> None:
        since, self._since = self._since, (count, at_s, self._asked_at_s)
        if since is None:
            return
        before, since_s, asked_at_s = since
        rise = (count - before) % COUNTER_RANGE
        if at_s <= since_s:
            self._since = since
            return
        if not self._could_count(rise, at_s - asked_at_s):
            self._has_gap = True  # restarted, or somebody set its count
            return
        self._tell(
            rise,
            began_at_s=since_s,
            seconds=at_s - since_s,
            dead_time_s=self._dead_time_s,
        )


class Settings(PolledSettings):
    """A counter with Rad Pro in the site file.

    Attributes
    ----------
    dead_time_s
        0: what the counter's own setting "dead-time compensation" says; its count is not corrected for it.

    """

    driver: Literal["radpro"]

    def dialogue(self, device: str) -> RadPro:
        """Give the talk with it, without a wire."""
        return RadPro(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and learn who answers; ``DeviceUnavailable`` where nobody does."""
        async with converse(self.dialogue(device), self, baud_rate=BAUD_RATE, clock=clock) as open_probe:
            yield open_probe

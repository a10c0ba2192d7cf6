r"""Ludlum 375 area monitor: its reading every 2 s, unasked.

Model 375 manual, RS-232 output: 14 characters on pin 4 of the 9-pin connector::

    B1-B6   reading: ``0012.3``, or ``1234.0``; the point is always B5
    B7-B10  '1' while the audio is on, the high alarm, the low alarm, over-range
    B11     '1' while the monitor is in order
    B12     error code
    B13-14  CR LF

The reading is a rate meter's, in the unit that it was set up for, smoothed with the response time that was set up:
both stand in the site file. The smoothing is undone (``navigation.statistics.ratemeter``).
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceFault, FrameError
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue
from devices.probes.settings import ProbeSettings
from devices.probes.smoothing import SmoothedRate
from devices.readings import CountStatus
from devices.traffic import Condition

PERIOD_S: Final = 2.0
DUMP: Final = re.compile(rb"(?P<reading>\d{4}\.\d)(?P<flags>[01]{5})(?P<error>[0-9A-F])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What it says every 2 s.

    Attributes
    ----------
    reading
        In the monitor's own unit.
    is_audio_on, is_high, is_low, is_over_range, is_in_order
        Its flags.
    error_code
        One hexadecimal digit.

    """

    reading: float
    is_audio_on: bool = False
    is_high: bool = False
    is_low: bool = False
    is_over_range: bool = False
    is_in_order: bool = True
    error_code: int = 0

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a line without its end; ``FrameError`` for anything else."""
        match = DUMP.fullmatch(raw)
        if match is None:
            raise FrameError(f"no Ludlum 375 dump: {raw[:40]!r}", raw)
        audio, high, low, over, in_order = (flag == ord("1") for flag in match["flags"])
        return cls(
            reading=float(match["reading"]),
            is_audio_on=audio,
            is_high=high,
            is_low=low,
            is_over_range=over,
            is_in_order=in_order,
            error_code=int(match["error"], 16),
        )

    def to_bytes(self) -> bytes:
        """Write the line as the monitor does, with its end."""
        flags = (self.is_audio_on, self.is_high, self.is_low, self.is_over_range, self.is_in_order)
        written = f"{self.reading:06.1f}" + "".join("1" if flag else "0" for flag in flags)
        return f"{written}{self.error_code:X}\r\n".encode()


class Ludlum375(Dialogue):
    """Listens; it takes no commands, so it cannot say who it is."""

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(device)
        self._cps_per_unit = settings.cps_per_unit
        self._splitter = LineSplitter(greatest_length=64)
        self._rate = SmoothedRate(
            device, time_constant_s=settings.time_constant_s, dead_time_s=settings.dead_time_s
        )
        self._was_in_order = True

    @property
    def rejected(self) -> int:
        """Lines refused."""
        return self._refused + self._splitter.rejected

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _take(self, frame: Frame, now_s: float) -> None:  # noqa: ARG002 - the frame knows when it began
        try:
            dump = Dump.from_bytes(frame.raw)
        except FrameError:
            self._refused += 1
            return
        was_in_order, self._was_in_order = self._was_in_order, dump.is_in_order
        if not dump.is_in_order:
            self._refused += 1
            if was_in_order:
                return  # twice in a row, since a flipped bit says so too
            raise DeviceFault(
                self.device, dump.error_code, f"the monitor is out of order, error code {dump.error_code:X}"
            )
        self._warn([said for said, is_on in (("high alarm", dump.is_high), ("low alarm", dump.is_low)) if is_on])
        self._condition = Condition(told_at_s=frame.began_at_s, is_alarming=dump.is_high or dump.is_low)
        status = self._continue(CountStatus.OVERLOAD if dump.is_over_range else CountStatus.OK)
        reading = self._rate.take(frame.began_at_s, dump.reading * self._cps_per_unit, status)
        if reading is not None:
            self._readings.append(reading)


class Settings(ProbeSettings):
    """A Ludlum 375 in the site file.

    Attributes
    ----------
    baud_rate
        As the monitor is set up.
    cps_per_unit
        Counts per second for one unit of its reading, from its calibration.
    time_constant_s
        Of its rate meter, s: its response time to 90 % divided by 2.3.
    silence_s
        A reading wants two dumps, 2 s apart, so the first comes after 4 s at the latest: it monitors a room, and
        never navigates.

    """

    driver: Literal["ludlum375"]
    baud_rate: Literal[300, 1200, 2400, 4800, 9600, 19200] = 9600
    cps_per_unit: float = Field(gt=0)
    time_constant_s: float = Field(gt=0)
    silence_s: float = Field(default=4.5, gt=2 * PERIOD_S, le=5.0)

    def dialogue(self, device: str) -> Ludlum375:
        """Give the talk with it, without a wire."""
        return Ludlum375(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and listen; ``DeviceUnavailable`` if it cannot be opened."""
        async with converse(self.dialogue(device), self, baud_rate=self.baud_rate, clock=clock) as probe:
            yield probe

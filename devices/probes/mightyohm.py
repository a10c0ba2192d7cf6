r"""MightyOhm Geiger counter: one CSV line a second, unasked, 9600 baud 8N1.

Format, from the firmware's own description (geiger.c 1.00, Jeff Keyzer, MightyOhm Engineering)::

    CPS, #####, CPM, #####, uSv/hr, ###.##, SLOW|FAST|INST\r\n

CPS is the count of the last second, up to 65535. CPM is a running value (SLOW: 60 s, FAST: 5 s, INST: 60 CPS,
once CPS passes 255) and the dose is made from CPM, so only CPS is used. Firmware 1.10 (dreg2) leaves out dose
and mode and marks a value that overflowed with ``*``: ``CPS, 255*, CPM, 15300*``. At power-on the counter
sends two lines of banner: ``mightyohm.com Geiger Counter 1.00`` and its address.

There is no checksum. A line must match in full, and its CPM cannot be below its CPS, since the minute holds
the second; what passes both and is still wrong, such as a digit changed on the line, cannot be found out.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

import structlog
from pydantic import Field

from devices.clock import Clock
from devices.errors import FrameError
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue
from devices.probes.settings import ProbeSettings

log = structlog.get_logger()

BAUD_RATE = 9600
GREATEST_CPS = 65535
"""Greatest count the firmware's 16-bit counter holds; it stops there."""
PERIOD_S = 1.0
"""Interval of each line, by the counter's own crystal."""
BANNER = re.compile(rb"mightyohm\.com Geiger Counter (?P<version>[\x21-\x7e]{1,16})|https?://[\x21-\x7e]+")
LINE = re.compile(
    rb"CPS, (?P<cps>\d{1,5})(?P<cps_over>\*?), CPM, (?P<cpm>\d{1,7})(?P<cpm_over>\*?)"
    rb"(?:, uSv/hr, (?P<dose>\d{1,5}\.\d{2}), (?P<mode>SLOW|FAST|INST))?"
)


class Averaging(StrEnum):
    """What CPM is made of."""

    SLOW = "SLOW"
    FAST = "FAST"
    INST = "INST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One second's report.

    Attributes
    ----------
    cps
        Counts of the last second.
    cpm
        Running counts per minute.
    dose_usv_per_h
        Equivalent dose rate the counter estimates, uSv/h; None where the firmware sends none.
    averaging
        What ``cpm`` is made of; None where the firmware does not say.
    is_cps_over, is_cpm_over
        Marked as overflowed.

    """

    cps: int
    cpm: int
    dose_usv_per_h: float | None = None
    averaging: Averaging | None = None
    is_cps_over: bool = False
    is_cpm_over: bool = False

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a line without its end; ``FrameError`` for anything else."""
        match = LINE.fullmatch(raw)
        if match is None:
            raise FrameError(f"no MightyOhm line: {raw[:80]!r}", raw)
        line = cls(
            cps=int(match["cps"]),
            cpm=int(match["cpm"]),
            dose_usv_per_h=float(match["dose"]) if match["dose"] else None,
            averaging=Averaging(match["mode"].decode()) if match["mode"] else None,
            is_cps_over=bool(match["cps_over"]),
            is_cpm_over=bool(match["cpm_over"]),
        )
        if line.cps > GREATEST_CPS or (line.cpm < line.cps and not line.is_cpm_over):
            raise FrameError(f"a MightyOhm line that cannot be: {raw!r}", raw)
        return line

    def to_bytes(self) -> bytes:
        """Write the line as the counter does, with its end."""
        text = f"CPS, {self.cps}{'*' * self.is_cps_over}, CPM, {self.cpm}{'*' * self.is_cpm_over}"
        if self.averaging is not None and self.dose_usv_per_h is not None:
            text += f", uSv/hr, {self.dose_usv_per_h:.2f}, {self.averaging}"
        return text.encode() + b"\r\n"


class MightyOhm(Dialogue):
    """Listens; the counter takes no commands, so it cannot say who it is."""

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(device)
        self._dead_time_s = settings.dead_time_s
        self._splitter = LineSplitter()

    @property
    def rejected(self) -> int:
        """Lines refused since the link was opened; half a line at the start is one."""
        return self._refused + self._splitter.rejected

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _take(self, frame: Frame, now_s: float) -> None:  # noqa: ARG002 - the frame knows when it began
        if banner := BANNER.fullmatch(frame.raw):
            self._has_gap = True
            if banner["version"]:
                log.warning("probe restarted", device=self.device, version=banner["version"].decode())
            return
        try:
            line = Line.from_bytes(frame.raw)
        except FrameError as exc:
            self._refused += 1
            if self.rejected == self._refused_before + 1:  # the first of a run tells enough
                log.debug("line refused", device=self.device, raw=exc.raw)
            return
        is_full = line.is_cps_over or line.cps == GREATEST_CPS
        self._tell(
            line.cps,
            began_at_s=frame.began_at_s - PERIOD_S,
            seconds=PERIOD_S,
            dead_time_s=self._dead_time_s,
            is_full=is_full,
        )


class Settings(ProbeSettings):
    """A MightyOhm counter in the site file.

    Attributes
    ----------
    silence_s
        Longer than other probes', and it cannot be shorter: the counter speaks once a second and cannot be asked,
        so a whole second without a line is its normal state. 1.8 s leaves room for a line that comes late, not
        for one that is missing. A surgeon would learn too late that it has gone: it monitors a room, and never
        navigates.

    """

    driver: Literal["mightyohm"]
    silence_s: float = Field(default=1.8, gt=PERIOD_S, le=3.0)

    def dialogue(self, device: str) -> MightyOhm:
        """Give the talk with it, without a wire."""
        return MightyOhm(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and listen; ``DeviceUnavailable`` if it cannot be opened."""
        async with converse(self.dialogue(device), self, baud_rate=BAUD_RATE, clock=clock) as probe:
            yield probe

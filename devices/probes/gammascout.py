r"""Gamma-Scout in online mode: the pulses of each interval, in hexadecimal.

Gamma-Scout Communication Interface V1.7 and V1.10. FTDI chip (0403:D678), 7E1; 9600 baud with firmware 6.00 to
6.89, 460800 from 6.90 on. Commands are single characters that are not echoed; the maker warns that others than his
may spoil the instrument, so only these are ever sent::

    O    online mode           X    leave it
    0    interval of 2 s       s    say where you are:  S iiii eeee pppppp   interval, elapsed (s), pulses

In online mode a line comes after each interval, ``I iiii pppppp``. Seen on real ones (GeigerLog):
``S00020000000003`` and then ``I0002000013``, which is 19 pulses in 2 s. There is no checksum; a line must match in
full and hold the interval that was set.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final, Literal

from pydantic import Field

from devices.clock import Clock
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import ProbeSettings

INTERVAL_S: Final = 2
"""The shortest one, code 0."""
GREATEST_PULSES: Final = 0xFFFFFF
ONLINE: Final = b"O0s"
OFFLINE: Final = b"X"
STATUS: Final = re.compile(rb"S(0002)[0-9A-Fa-f]{10}")
PULSES: Final = re.compile(rb"I0002([0-9A-Fa-f]{6})")


class GammaScout(Dialogue):
    """Puts it online with the shortest interval and takes each line."""

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=(Question(request=ONLINE, answer=STATUS, times=1, patience_s=0.5),),
            silent=f"nothing at {settings.port} answers as a Gamma-Scout: wake its USB port, and set baud_rate to "
            "9600 for firmware before 6.90, else 460800",
        )
        self._dead_time_s = settings.dead_time_s
        self._splitter = LineSplitter(greatest_length=64)
        self._before_s = -inf

    @property
    def rejected(self) -> int:
        """Lines refused."""
        return self._refused + self._splitter.rejected

    def farewell(self) -> bytes:
        """Leave the online mode."""
        return OFFLINE

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _take(self, frame: Frame, now_s: float) -> None:  # noqa: ARG002 - the frame knows when it began
        if STATUS.fullmatch(frame.raw):  # of a question that was asked twice
            return
        match = PULSES.fullmatch(frame.raw)
        # what comes sooner than half an interval after a line is that line again, and its pulses were counted
        if match is None or frame.began_at_s - self._before_s < INTERVAL_S / 2:
            self._refused += 1
            return
        self._before_s = frame.began_at_s
        counts = int(match[1], 16)
        self._tell(
            counts,
            began_at_s=frame.began_at_s - INTERVAL_S,
            seconds=INTERVAL_S,
            dead_time_s=self._dead_time_s,
            is_full=counts == GREATEST_PULSES,
        )


class Settings(ProbeSettings):
    """A Gamma-Scout in the site file.

    Attributes
    ----------
    baud_rate
        9600 with firmware 6.00 to 6.89, 460800 from 6.90 on.
    silence_s
        Above the interval of 2 s: it monitors a room, and never navigates.

    """

    driver: Literal["gammascout"]
    baud_rate: Literal[9600, 460800] = 460800
    silence_s: float = Field(default=2.8, gt=INTERVAL_S, le=3.0)

    def dialogue(self, device: str) -> GammaScout:
        """Give the talk with it, without a wire."""
        return GammaScout(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and put it online; ``DeviceUnavailable`` where it does not answer."""
        dialogue = self.dialogue(device)
        async with converse(dialogue, self, baud_rate=self.baud_rate, character="7E1", clock=clock) as probe:
            yield probe

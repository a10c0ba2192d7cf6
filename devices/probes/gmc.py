"""GQ GMC-280 to GMC-800: the count of each second, in bytes without frame, mark or checksum.

GQ-RFC1201 (v1.40, Jan 2015; models 280, 300, 320) and GQ-RFC1801 (v1.00, Apr 2018; 500, 600, 800). CH340 USB
serial chip, 8N1, 115200 baud as delivered; a GMC-300 up to firmware 3 has 57600. Commands are ASCII, answers bare
bytes::

    <GETVER>>                  "GMC-300Re 2.10"     14 bytes and more, some with a NUL within
    <GETVOLT>>                 RFC1201  1 byte, tenths of a volt; RFC1801  "3.97v"; some send a NUL behind it
    <GETSERIAL>>               7 bytes
    <HEARTBEAT1>>              each second the counts of that second:
                               RFC1201  2 bytes, big-endian; the two highest bits mean something else
                               RFC1801  4 bytes, big-endian
    <HEARTBEAT0>>              stop; no answer

Any byte can be any part of a count, so nothing in the stream says where one begins. A second's bytes come together
and the line is silent for the rest of it: a count is a burst of just the right length between two pauses, and a
burst of another length is refused whole. What a flipped bit makes of a count cannot be found out.

A voltage of one byte and a NUL looks like a count of thousands, however late it comes. So the voltage is asked
for before the serial number, whose 7 bytes are no count: answers come in the order of the commands, and once the
serial number is there every voltage has come that will. Nor is a burst a count that comes sooner behind the start
than half the second which it would have to hold.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Final, Literal, TypeAlias

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceError
from devices.framing import Frame, GapSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import ProbeSettings
from devices.traffic import Condition

PERIOD_S: Final = 1.0
GAP_S: Final = 0.1
"""Pause that ends a burst: a burst takes 1 ms on the line, and the silence between two most of a second."""
COUNT_MASK: Final = 0x3FFF
"""RFC1201: bits of a count."""
GREATEST_CPS: Final = 100_000
"""RFC1801: no tube of GQ's counts more; beyond it the bytes are no count."""

START: Final = b"<HEARTBEAT1>>"
STOP: Final = b"<HEARTBEAT0>>"
ASK_VERSION: Final = b"<GETVER>>"
ASK_SERIAL: Final = b"<GETSERIAL>>"
ASK_VOLTAGE: Final = b"<GETVOLT>>"
VERSION: Final = re.compile(rb"(GMC-(\d{3})[\x00\x20-\x7e]{3,24})")
VOLTAGE: Final = re.compile(rb"(?P<volts>\d\.\d{1,2}) ?[vV]\x00?|(?P<tenths>[\x01-\x7f])\x00?")
SERIAL_NUMBER: Final = re.compile(rb"(?!\d\.\d\d [vV]\x00)(.{7})", re.DOTALL)
"""Any 7 bytes but the one form of a voltage that is as long."""
QUESTIONS: Final = (
    Question(request=STOP + ASK_VERSION, answer=VERSION),
    # never last: its answer may come after the patience, and between the beats would be a count
    Question(request=ASK_VOLTAGE, answer=VOLTAGE, tries=2),
    Question(request=ASK_SERIAL, answer=SERIAL_NUMBER),
)

Protocol: TypeAlias = Literal["rfc1201", "rfc1801"]
PROTOCOLS: Final[dict[str, Protocol]] = {
    "280": "rfc1201",
    "300": "rfc1201",
    "320": "rfc1201",
    "500": "rfc1801",
    "600": "rfc1801",
    "800": "rfc1801",
}
COUNT_LENGTHS: Final[dict[Protocol, int]] = {"rfc1201": 2, "rfc1801": 4}


class Gmc(Dialogue):
    """Starts the heartbeat and takes a count from each burst."""

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=QUESTIONS,
            silent=f"nothing at {settings.port} answers as a GQ GMC at {settings.baud_rate} baud: switch it on, "
            "compare the rate with its menu, and see that brltty has not taken its CH340 chip",
        )
        self._settings = settings
        self._splitter = GapSplitter(gap_s=GAP_S, greatest_length=64)
        self._protocol: Protocol = "rfc1201"
        self._started_s = inf

    @property
    def rejected(self) -> int:
        """Bursts refused."""
        return self._refused + self._splitter.rejected

    @property
    def wake_at_s(self) -> float:
        """When a burst is over, or a question is to be asked again."""
        return min(self._splitter.settle_at_s, super().wake_at_s)

    def wake(self, now_s: float) -> None:
        """Take the burst that is over, and do what is due."""
        for frame in self._splitter.settle(now_s):
            self._hear(frame, now_s)
        super().wake(now_s)

    def farewell(self) -> bytes:
        """Stop the heartbeat, or it greets the next program with bytes that mean nothing to it."""
        return STOP

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _opened(self, now_s: float) -> None:
        version, serial_number = self._answers
        words = version[1].replace(b"\x00", b" ").decode().strip()
        self.identity = f"{words}, serial number {serial_number[1].hex()}"
        if self._settings.protocol == "auto":
            model = version[2].decode()
            if model not in PROTOCOLS:
                raise DeviceError(
                    self.device,
                    f"{words} is a model not known here: set protocol to rfc1801, or to rfc1201 for an old one",
                )
            self._protocol = PROTOCOLS[model]
        else:
            self._protocol = self._settings.protocol
        self._outgoing += START
        self._started_s = now_s

    def _hear_aside(self, match: re.Match[bytes], now_s: float) -> None:
        volts = float(match["volts"]) if match["volts"] else match["tenths"][0] / 10
        self._condition = Condition(told_at_s=now_s, battery_v=volts)

    def _take(self, frame: Frame, now_s: float) -> None:  # noqa: ARG002 - the frame knows when it began
        raw, length = frame.raw, COUNT_LENGTHS[self._protocol]
        counts = int.from_bytes(raw)
        if self._protocol == "rfc1201":
            counts &= COUNT_MASK
        is_too_soon = frame.began_at_s < self._started_s + PERIOD_S / 2
        if len(raw) != length or counts > GREATEST_CPS or is_too_soon:
            self._refused += 1
            return
        is_full = self._protocol == "rfc1201" and counts == COUNT_MASK
        self._tell(
            counts,
            began_at_s=frame.began_at_s - PERIOD_S,
            seconds=PERIOD_S,
            dead_time_s=self._settings.dead_time_s,
            is_full=is_full,
        )


class Settings(ProbeSettings):
    """A GQ GMC in the site file.

    Attributes
    ----------
    baud_rate
        As in the counter's menu.
    protocol
        By the model's number where "auto".
    silence_s
        As long as for other instruments that speak once a second; it monitors a room, and never navigates.

    """

    driver: Literal["gmc"]
    baud_rate: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 115200
    protocol: Literal["auto", "rfc1201", "rfc1801"] = "auto"
    silence_s: float = Field(default=1.8, gt=PERIOD_S, le=3.0)

    def dialogue(self, device: str) -> Gmc:
        """Give the talk with it, without a wire."""
        return Gmc(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port, learn who answers and start the heartbeat; ``DeviceError`` with what to do."""
        async with converse(self.dialogue(device), self, baud_rate=self.baud_rate, clock=clock) as probe:
            yield probe

r"""Berthold LB 134 Universal Monitor II: the mean rate of each finished cycle, in telegrams with a checksum.

User's Manual 62688BA2 Rev. 02, section 11.5. 8N1 without handshake; 38400 baud over USB, as set up over RS485::

    * TDV FDV PRC MBR TYP ITM data * CSM * CR
    *00019001 01 01 01 00**\r       (without the blanks) to device 0001 from host 9001: current value of the memory

Two digits for each of PRC to ITM; between 20 and 255 characters. CSM is empty, or two hexadecimal digits of an
8-bit checksum: here the sum of all characters before it, both stars included. The manual does not say which
characters it means; who meets an instrument that stays silent sets ``checksum = "none"``. It answers within 2 s,
with TDV and FDV exchanged, and stays silent at anything wrong.

At the end of each cycle it writes a record into its memory, whose fields come in the manual's order: date and
time, number of the cycle (1 to 2000), status (12 hexadecimal digits), measuring time (s), then for each nuclide
its name, the measured value, its unit and more. What stands between two fields is not told; blanks, tabs and
semicolons are taken.

A cycle is a reading: value times measuring time, rounded. Its unit must be cps, and averaging off.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceError, FrameError
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import PolledSettings

HOST: Final = 9001
READ_CURRENT: Final = "01010100"
"""PRC, MBR, TYP, ITM of the newest finished record."""
GREATEST_LENGTH: Final = 255
GREATEST_CYCLE: Final = 2000
"""Behind it the number of the cycle begins again at 1."""

TELEGRAM: Final = re.compile(
    rb"(?P<body>\*(?P<to>\d{4})(?P<from>\d{4})(?P<code>\d{8})(?P<data>[\x20-\x29\x2b-\x7e\t]*)\*)"
    rb"(?P<sum>[0-9A-F]{2})?\*"
)
RECORD: Final = re.compile(
    rb"(?:^|.*?[ ;\t])(?P<cycle>\d{1,4})[ ;\t]+(?P<status>[0-9A-F]{12})[ ;\t]+(?P<seconds>\d{1,4})[ ;\t]+"
    rb"(?P<name>[^;\t]{1,7}?)[ ;\t]+(?P<value>\d{1,9}(?:\.\d{1,6})?)[ ;\t]+(?P<unit>[^ ;\t]{1,6})(?:[ ;\t].*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """One telegram, either way.

    Attributes
    ----------
    to, from_
        Addresses: an instrument has 1 to 9999, a host 9001 to 9008.
    code
        PRC, MBR, TYP and ITM, two digits each.
    data
        What follows them.
    has_checksum
        Whether it carries one.

    """

    to: int
    from_: int
    code: str
    data: bytes = b""
    has_checksum: bool = True

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a telegram without its CR; ``FrameError`` for anything else, or a wrong checksum."""
        match = TELEGRAM.fullmatch(raw)
        if match is None:
            raise FrameError(f"no LB 134 telegram: {raw[:40]!r}", raw)
        if match["sum"] is not None and int(match["sum"], 16) != sum(match["body"]) % 256:
            raise FrameError(f"checksum of an LB 134 telegram is wrong: {raw[:40]!r}", raw)
        return cls(
            to=int(match["to"]),
            from_=int(match["from"]),
            code=match["code"].decode(),
            data=match["data"],
            has_checksum=match["sum"] is not None,
        )

    def to_bytes(self) -> bytes:
        """Write it with its CR."""
        body = f"*{self.to:04}{self.from_:04}{self.code}".encode() + self.data + b"*"
        return body + (f"{sum(body) % 256:02X}".encode() if self.has_checksum else b"") + b"*\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished cycle: its number, length (s), and the first measured value with its unit."""

    cycle: int
    seconds: int
    value: float
    unit: str

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read a telegram's data; ``FrameError`` for what is no record."""
        match = RECORD.fullmatch(raw)
        if match is None or not (1 <= int(match["cycle"]) <= GREATEST_CYCLE and int(match["seconds"])):
            raise FrameError(f"no record of an LB 134: {raw[:80]!r}", raw)
        return cls(
            cycle=int(match["cycle"]),
            seconds=int(match["seconds"]),
            value=float(match["value"]),
            unit=match["unit"].decode("latin-1"),
        )


class Lb134(Dialogue):
    """Asks for the newest record, and makes a reading of each that it has not seen."""

    def __init__(self, device: str, settings: "Settings") -> None:
        has_checksum = settings.checksum == "sum"
        self._request = Telegram(
            to=settings.address, from_=HOST, code=READ_CURRENT, has_checksum=has_checksum
        ).to_bytes()
        answer = rb"\*%04d%04d%s[^*]*\*%s\*" % (
            HOST, settings.address, READ_CURRENT.encode(), rb"[0-9A-F]{2}" if has_checksum else b""
        )  # fmt: skip
        super().__init__(
            device,
            questions=(Question(request=self._request, answer=re.compile(answer), times=1, patience_s=1.0),),
            silent=f"nothing at {settings.port} answers as a Berthold LB 134 with the address "
            f'{settings.address:04}: compare it with the instrument\'s menu, or set checksum = "none"',
        )
        self._settings = settings
        self._splitter = LineSplitter(greatest_length=GREATEST_LENGTH)
        self._asked_at_s = 0.0
        self._is_awaiting = False
        self._cycle: int | None = None
        self._was_rate = True

    @property
    def rejected(self) -> int:
        """Telegrams refused."""
        return self._refused + self._splitter.rejected

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return self._splitter.feed(received, arrived_at_s)

    def _opened(self, now_s: float) -> None:
        self.identity = f"Berthold LB 134, address {self._settings.address:04}"
        self._ask_record(now_s)

    def _act(self, now_s: float) -> None:
        self._timeouts += self._is_awaiting
        self._ask_record(now_s)

    def _ask_record(self, now_s: float) -> None:
        self._outgoing += self._request
        self._asked_at_s, self._is_awaiting = now_s, True
        self._act_at_s = now_s + self._settings.answer_s

    def _take(self, frame: Frame, now_s: float) -> None:
        try:
            telegram = Telegram.from_bytes(frame.raw)
            record = Record.from_bytes(telegram.data)
        except FrameError:
            self._refused += 1
            return
        is_ours = (telegram.to, telegram.from_, telegram.code) == (HOST, self._settings.address, READ_CURRENT)
        if not is_ours or telegram.has_checksum != (self._settings.checksum == "sum"):
            self._refused += 1
            return
        self._is_awaiting = False
        self._act_at_s = max(self._asked_at_s + self._settings.interval_s, now_s)
        self._measure(record, frame.began_at_s)

    def _measure(self, record: Record, at_s: float) -> None:
        was_rate, self._was_rate = self._was_rate, record.unit == "cps"
        if not self._was_rate:
            if was_rate:
                return  # twice in a row, since a flipped bit says so too
            raise DeviceError(
                self.device, f"it shows {record.unit}: set its measurement type to raw data in cps, averaging off"
            )
        before, self._cycle = self._cycle, record.cycle
        if before is None or before == record.cycle:
            return  # nobody knows when the first one ended
        self._has_gap |= record.cycle != before % GREATEST_CYCLE + 1
        self._tell(
            round(record.value * record.seconds),
            began_at_s=at_s - record.seconds,
            seconds=record.seconds,
            dead_time_s=self._settings.dead_time_s,
        )


class Settings(PolledSettings):
    """A Berthold LB 134 in the site file.

    Attributes
    ----------
    baud_rate
        38400 over USB; over RS485 as in its menu.
    address
        Its own, from its menu.
    checksum
        "sum", or "none": then a changed digit cannot be found out.
    interval_s
        Time from question to question, s: shorter than its cycle, or cycles are missed.
    answer_s
        Longest wait for an answer, s; the manual grants it 2.
    silence_s
        Above its cycle and an answer: it monitors a room, and never navigates.

    """

    driver: Literal["lb134"]
    baud_rate: Literal[1200, 2400, 4800, 9600, 19200, 38400] = 38400
    address: int = Field(default=1, ge=1, le=9999)
    checksum: Literal["sum", "none"] = "sum"
    interval_s: float = Field(default=0.25, gt=0, le=2)
    answer_s: float = Field(default=1.0, gt=0, le=2.5)
    silence_s: float = Field(default=3.0, gt=1.0, le=5.0)

    def dialogue(self, device: str) -> Lb134:
        """Give the talk with it, without a wire."""
        return Lb134(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and ask; ``DeviceError`` with what to do."""
        async with converse(self.dialogue(device), self, baud_rate=self.baud_rate, clock=clock) as probe:
            yield probe

r"""Thermo RadEye (PRD, G-10, SX …): a smoothed rate each second, sent by itself once it has been told to.

RadEye protocol 2.0, as ``ori-systems/lyra-radeye`` and ``itsmevjnk/radeye_ros`` speak it: 9600 baud, 7E2, FTDI
cable (0403:6001) fed by RTS and DTR. A command wants the instrument awake::

    @             it answers >, and wants 5 ms after that
    >#R LF        serial number
    >X1 LF        send by itself, each second:
    STX v1 u1 v2 u2 flags model dose cc ETX LF

``v1`` is 100 times the value in unit ``u1`` (3 cpm, 5 cps, others are doses); ``flags`` is a hexadecimal byte: bit
1 overload, bit 2 alarm, bit 5 low battery. ``cc`` stands where a check would; how it is made is not published, so
it is not checked, and a digit changed on the line cannot be found out. ``@CIAO CR`` is sent as it is switched off.

The value is a rate meter's: about 10 s by the README of lyra-radeye. Its smoothing is undone
(``navigation.statistics.ratemeter``).
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceError, DeviceUnavailable, FrameError
from devices.framing import Arrivals, Frame
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import ProbeSettings
from devices.probes.smoothing import SmoothedRate
from devices.readings import CountStatus
from devices.traffic import Condition

BAUD_RATE: Final = 9600
PERIOD_S: Final = 1.0
STX, ETX = b"\x02", b"\x03"
PROMPT: Final = b">"
WAKE: Final = b"@"
GOING: Final = b"@CIAO"
GREATEST_HELD: Final = 96
"""Longest report or answer, bytes."""
PER_SECOND: Final = {3: 1 / 60, 5: 1.0}
"""Units that are rates: cpm, cps."""
OVERLOAD, ALARM, LOW_BATTERY = 0x02, 0x04, 0x20
TOLD: Final = {ALARM: "alarm", LOW_BATTERY: "battery low"}
"""Flags that go to the log as they rise."""

REPORT: Final = re.compile(
    rb"\x02 *(?P<value>\d{1,9}) +(?P<unit>\d{1,2}) +(?P<second>\d{1,9}) +(?P<second_unit>\d{1,2})"
    rb" +(?P<flags>[0-9A-Fa-f]{2}) +(?P<model>[A-Z][A-Z0-9+-]{0,9}) +(?P<dose>\d{1,9})"
    rb" ?(?P<check>[0-9A-Fa-f]{2})\x03"
)
QUESTIONS: Final = (
    Question(request=WAKE, answer=re.compile(PROMPT), times=1),
    Question(request=b">#R\n", answer=re.compile(rb"#?(\d{1,8})"), times=1, pause_s=0.01, goes_back=True),
    Question(request=WAKE, answer=re.compile(PROMPT), times=1),
    Question(request=b">#R\n", answer=re.compile(rb"#?(\d{1,8})"), times=1, pause_s=0.01, goes_back=True),
    Question(request=WAKE, answer=re.compile(PROMPT), times=1),
    Question(request=b">X1\n", answer=REPORT, times=1, patience_s=1.5, pause_s=0.01, goes_back=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What it sends each second.

    Attributes
    ----------
    value, unit
        First value, hundredths of the unit, and the unit's code.
    second, second_unit
        The second value likewise.
    flags
        Bits 1 overload, 2 alarm, 5 low battery.
    model
        Name of the model.
    dose
        Hundredths of the dose unit.
    check
        The two characters before ETX.

    """

    value: int
    unit: int
    second: int = 0
    second_unit: int = 0
    flags: int = 0
    model: str = "PRD"
    dose: int = 0
    check: int = 0

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read from STX to ETX; ``FrameError`` for anything else."""
        match = REPORT.fullmatch(raw)
        if match is None:
            raise FrameError(f"no RadEye report: {raw[:80]!r}", raw)
        return cls(
            value=int(match["value"]),
            unit=int(match["unit"]),
            second=int(match["second"]),
            second_unit=int(match["second_unit"]),
            flags=int(match["flags"], 16),
            model=match["model"].decode(),
            dose=int(match["dose"]),
            check=int(match["check"], 16),
        )

    def to_bytes(self) -> bytes:
        """Write it as the instrument does, LF included."""
        text = (
            f"{self.value} {self.unit} {self.second} {self.second_unit} {self.flags:02X} {self.model} {self.dose}"
        )
        return STX + f"{text} {self.check:02X}".encode() + ETX + b"\n"


class RadEye(Dialogue):
    """Wakes it, lets it send by itself, and undoes its smoothing."""

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=QUESTIONS,
            silent=f"nothing at {settings.port} answers as a RadEye: switch it on, and seat its infrared cradle",
        )
        self._held = Arrivals()
        self._rate = SmoothedRate(
            device, time_constant_s=settings.time_constant_s, dead_time_s=settings.dead_time_s
        )
        self._was_rate = True

    @property
    def rejected(self) -> int:
        """Reports and answers refused."""
        return self._refused

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        self._held.append(received.replace(b"\r", b"\n"), arrived_at_s)
        frames = []
        while (length := self._length()) is not None:
            frame = self._held.take(length)
            line = frame.raw.rstrip(b"\n")
            if line.startswith(STX) and not line.endswith(ETX):
                self._refused += 1
            elif line and (line != PROMPT or self._is_waking):
                frames.append(Frame(raw=line, began_at_s=frame.began_at_s))
        return frames

    @property
    def _is_waking(self) -> bool:
        """Whether a prompt is waited for; others stand around answers and say nothing."""
        return not self.is_open and self._questions[self._asking].request == WAKE

    def _length(self) -> int | None:
        """Length of what stands first: a report, a prompt or a line; None while it is not whole."""
        if not len(self._held):
            return None
        begun = self._held.peek(GREATEST_HELD)
        if begun.startswith(PROMPT):
            return 1
        ends = [begun.find(ETX) + 1] if begun.startswith(STX) else [begun.find(b"\n") + 1]
        ends.append(begun.find(STX, 1))  # a new report begins: what is before it is over
        found = [end for end in ends if end > 0]
        if found:
            return min(found)
        return len(begun) if len(begun) == GREATEST_HELD else None

    def _opened(self, now_s: float) -> None:  # noqa: ARG002 - the instrument keeps its own time
        _, first, _, second, _, report = self._answers
        if first[1] != second[1]:
            raise DeviceUnavailable(
                self.device, f"two serial numbers, {first[1]!r} and {second[1]!r}: seat its cradle"
            )
        self.identity = f"RadEye {report['model'].decode()}, serial number {first[1].decode()}"

    def _take(self, frame: Frame, now_s: float) -> None:  # noqa: ARG002 - the frame knows when it began
        if frame.raw == GOING:
            raise DeviceUnavailable(self.device, "the instrument has been switched off: switch it on again")
        try:
            report = Report.from_bytes(frame.raw)
        except FrameError:
            self._refused += 1
            return
        was_rate, self._was_rate = self._was_rate, report.unit in PER_SECOND
        if report.unit not in PER_SECOND:
            self._refused += 1
            if was_rate:
                return  # twice in a row, since a flipped bit says so too
            raise DeviceError(
                self.device,
                f"it shows unit {report.unit}, a dose: set its display to cps or cpm, which are counts",
            )
        status = self._continue(CountStatus.OVERLOAD if report.flags & OVERLOAD else CountStatus.OK)
        self._warn([said for flag, said in TOLD.items() if report.flags & flag])
        self._condition = Condition(
            told_at_s=frame.began_at_s,
            is_battery_low=bool(report.flags & LOW_BATTERY),
            is_alarming=bool(report.flags & ALARM),
        )
        reading = self._rate.take(frame.began_at_s, report.value / 100 * PER_SECOND[report.unit], status)
        if reading is not None:
            self._readings.append(reading)


class Settings(ProbeSettings):
    """A RadEye in the site file.

    Attributes
    ----------
    time_constant_s
        Of its rate meter, s; measure it by taking a source away.
    silence_s
        Above the second from report to report: it monitors a room, and never navigates.

    """

    driver: Literal["radeye"]
    time_constant_s: float = Field(gt=0)
    silence_s: float = Field(default=2.8, gt=PERIOD_S, le=3.0)

    def dialogue(self, device: str) -> RadEye:
        """Give the talk with it, without a wire."""
        return RadEye(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port, wake it and let it send; ``DeviceError`` with what to do."""
        dialogue = self.dialogue(device)
        async with converse(dialogue, self, baud_rate=BAUD_RATE, character="7E2", clock=clock) as probe:
            yield probe

"""A driver made of an instrument sheet (``devices.probes.sheet``), and its entry in the site file."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import floor, inf
from pathlib import Path
from typing import Literal

from pydantic import Field

from devices.clock import Clock
from devices.errors import DeviceError, FrameError
from devices.framing import Frame, GapSplitter, LineSplitter, PacketSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import ProbeSettings
from devices.probes.sheet import Counting, Sheet, Values
from devices.probes.sheet_file import SheetError, read_sheet
from devices.probes.smoothing import LEAST_APART_S, SmoothedRate
from devices.readings import CountReading, CountStatus


def _unheard(_: Frame, __: str) -> None:
    """Tell nobody what became of a frame."""


class SheetDialogue(Dialogue):
    """Talks as a sheet says.

    Parameters
    ----------
    device
        The device's name in the site file.
    sheet
        What to send and how to read.
    port
        For the sentence where nobody answers.
    dead_time_s
        What the instrument does not correct for, s.
    on_frame
        Called with each frame and what became of it, in words.

    """

    def __init__(
        self,
        device: str,
        sheet: Sheet,
        *,
        port: str,
        dead_time_s: float = 0.0,
        on_frame: Callable[[Frame, str], None] = _unheard,
    ) -> None:
        super().__init__(
            device,
            questions=[
                Question(
                    request=greeting.sent,
                    answer=re.compile(greeting.answer.encode("latin-1")),
                    times=2 if greeting.is_identity else 1,
                    patience_s=greeting.patience_s,
                )
                for greeting in sheet.start
            ],
            silent=f"nothing at {port} answers as {sheet.name}: see `radionav instrument try` for what comes",
        )
        self._sheet = sheet
        self._counting = sheet.counting
        self._dead_time_s = dead_time_s
        self._on_frame = on_frame
        self._splitter = self._make_splitter()
        self._ignored = [re.compile(one.encode("latin-1")) for one in sheet.ignore]
        self._restarts = [re.compile(one.encode("latin-1")) for one in sheet.restarts]
        self._rate = (
            SmoothedRate(device, time_constant_s=sheet.counting.time_constant_s, dead_time_s=dead_time_s)
            if sheet.counting.time_constant_s
            else None
        )
        self._before_s = -inf
        self._carried = 0.0
        self._since: tuple[int, float] | None = None
        self._asked_at_s = 0.0
        self._arrived_at_s = 0.0

    @property
    def rejected(self) -> int:
        """Frames refused."""
        return self._refused + self._splitter.rejected

    @property
    def wake_at_s(self) -> float:
        """When a burst is over, or something is to be sent."""
        settle_at_s = self._splitter.settle_at_s if isinstance(self._splitter, GapSplitter) else inf
        return min(settle_at_s, super().wake_at_s)

    def wake(self, now_s: float) -> None:
        """Take the burst that is over, and do what is due."""
        if isinstance(self._splitter, GapSplitter):
            for frame in self._splitter.settle(now_s):
                self._hear(frame, now_s)
        super().wake(now_s)

    def farewell(self) -> bytes:
        """Send what stops it."""
        return self._sheet.stop.encode("latin-1")

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        self._arrived_at_s = arrived_at_s
        return self._splitter.feed(received, arrived_at_s)

    def _hear(self, frame: Frame, now_s: float) -> None:
        if not self.is_open:
            answer = self._questions[self._asking].answer
            is_answer = answer.fullmatch(frame.raw) is not None
            self._on_frame(frame, f"{'answers' if is_answer else 'is no answer, which is'} {_text(answer)}")
        super()._hear(frame, now_s)

    def _opened(self, now_s: float) -> None:
        named = zip(self._sheet.start, self._answers, strict=True)
        parts = [(match[1] or b"").decode("latin-1") for greeting, match in named if greeting.is_identity]
        self.identity = ", ".join([self._sheet.name, *parts]) if parts else ""
        self._outgoing += self._sheet.begin.encode("latin-1")
        self._act(now_s)

    def _act(self, now_s: float) -> None:
        poll = self._sheet.poll
        if poll is None:
            self._act_at_s = inf
            return
        self._outgoing += poll.sent
        self._asked_at_s = now_s
        self._act_at_s = now_s + poll.answer_s

    def _take(self, frame: Frame, now_s: float) -> None:
        if any(pattern.fullmatch(frame.raw) for pattern in self._ignored):
            self._on_frame(frame, "passed over")
            return
        if any(pattern.fullmatch(frame.raw) for pattern in self._restarts):
            self._has_gap = True
            self._on_frame(frame, "a restart")
            return
        try:
            values = self._sheet.decode(frame.raw)
            status = self._judge(values, frame)
            number = self._sheet.number(values, self._counting.field)
        except FrameError as exc:
            self._refused += 1
            self._on_frame(frame, f"refused: {exc}")
            return
        self._before_s = frame.began_at_s
        status = self._continue(status)
        if self._sheet.poll is not None:
            self._act_at_s = max(self._asked_at_s + self._sheet.poll.every_s, now_s)
        reading = self._read(frame, number, status)
        if reading is not None:
            self._readings.append(reading)
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        became = f"{reading.counts} counts in {reading.live_time_s:.3g} s, {reading.status}" if reading else "held"
        self._on_frame(frame, f"{shown}: {became}")

    def _judge(self, values: Values, frame: Frame) -> CountStatus:
        counting = self._counting
        if frame.began_at_s - self._before_s < counting.shortest_s:
            raise FrameError(f"comes within {counting.shortest_s:g} s of the one before", frame.raw)
        number = self._sheet.number(values, counting.field)
        if (counting.greatest is not None and number > counting.greatest) or number < 0:
            raise FrameError(f"{counting.field} is {number:g}, no value", frame.raw)
        for mark in self._sheet.marks:
            if str(values[mark.field]) != mark.equals:
                continue
            if mark.status == "refused":
                raise FrameError(f"{mark.field} is {mark.equals}", frame.raw)
            return CountStatus(mark.status)
        if counting.full_at is not None and _masked(number, counting) >= counting.full_at:
            return CountStatus.SATURATED
        return CountStatus.OK

    def _read(self, frame: Frame, number: float, status: CountStatus) -> CountReading | None:
        counting = self._counting
        if self._rate is not None:
            return self._rate.take(frame.began_at_s, number * counting.cps_per_unit, status)
        if counting.quantity == "mean":
            counted = number * counting.cps_per_unit * counting.period_s + self._carried
            number = round(counted)
            self._carried = counted - number
        counts, taken_at_s = _masked(number, counting), frame.began_at_s - counting.period_s
        real_time_s = counting.period_s
        if counting.quantity == "total":
            since, self._since = self._since, (counts, frame.began_at_s)
            if since is None or frame.began_at_s <= since[1]:
                self._since = since or self._since
                return None
            before, taken_at_s = since
            real_time_s = frame.began_at_s - taken_at_s
            counts -= before
            if counting.wraps_at is not None:
                counts %= counting.wraps_at
            if not 0 <= counts <= 1 + (counting.greatest_cps or 0.0) * real_time_s:
                self._has_gap = True
                return None
        return CountReading(
            device=self.device,
            taken_at_s=taken_at_s,
            real_time_s=real_time_s,
            live_time_s=real_time_s,
            counts=counts,
            dead_time_s=self._dead_time_s,
            status=status,
        )

    def _make_splitter(self) -> LineSplitter | PacketSplitter | GapSplitter:
        framing = self._sheet.framing
        if framing.kind == "line":
            return LineSplitter(greatest_length=framing.greatest_length)
        if framing.kind == "burst":
            longest = max(framing.length, 64) if self._sheet.start else framing.length
            return GapSplitter(gap_s=framing.gap_s, greatest_length=longest)
        start = bytes.fromhex(framing.start_hex)
        return PacketSplitter(
            sync=start, header_length=len(start), measure=lambda _: framing.length, check=self._check_packet
        )

    def _check_packet(self, raw: bytes) -> None:
        """Refuse a packet that is damaged, and tell why: the splitter only counts it."""
        try:
            self._sheet.decode(raw)
        except FrameError as exc:
            self._on_frame(Frame(raw=raw, began_at_s=self._arrived_at_s), f"refused: {exc}")
            raise


def _text(pattern: re.Pattern[bytes]) -> str:
    return pattern.pattern.decode("latin-1")


def _masked(number: float, counting: Counting) -> int:
    return int(number) & counting.mask if counting.mask is not None else int(number)


class Settings(ProbeSettings):
    """An instrument with a sheet in the site file.

    Attributes
    ----------
    sheet
        The TOML file that describes it.
    silence_s
        Above the time from reading to reading. What sends once a second monitors a room, and never navigates.

    """

    driver: Literal["sheet"]
    sheet: Path
    silence_s: float = Field(default=0.8, gt=0, le=5.0)

    def dialogue(self, device: str) -> SheetDialogue:
        """Give the talk with it, without a wire; ``DeviceError`` where the sheet cannot be used."""
        return SheetDialogue(device, self._read(device), port=self.port, dead_time_s=self.dead_time_s)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and talk as the sheet says; ``DeviceError`` with what to do."""
        sheet, dialogue = self._read(device), self.dialogue(device)
        async with converse(
            dialogue, self, baud_rate=sheet.baud_rate, character=sheet.character, clock=clock
        ) as probe:
            yield probe

    def _read(self, device: str) -> Sheet:
        try:
            sheet = read_sheet(self.sheet)
        except SheetError as exc:
            raise DeviceError(device, str(exc)) from exc
        if (longest_s := _first_after_s(sheet.counting)) >= self.silence_s:
            raise DeviceError(
                device,
                f"{self.sheet} gives its first reading after up to {longest_s:g} s, silence_s is "
                f"{self.silence_s:g} s: it would be silent before; make silence_s longer",
            )
        return sheet


def _first_after_s(counting: Counting) -> float:
    """Longest time until the first reading: a rise wants two frames, a smoothed mean some, far enough apart."""
    match counting.quantity:
        case "counts" | "mean":
            frames = 1
        case "total":
            frames = 2
        case "rate":
            frames = 2 + floor(LEAST_APART_S / counting.period_s)
    return frames * counting.period_s

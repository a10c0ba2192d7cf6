r"""Open Gamma Detector: a list of the events of each second, each with its channel, over USB.

Firmware ogd_pico 4.2.0 (``OpenGammaProject/Open-Gamma-Detector``, software/ogd_pico). A Raspberry Pi Pico: any
baud rate will do. A shell of lines, whose answers begin with ``[#] `` or, refusing, ``[!] ``::

    set out events            [#] Set serial output mode to events.
    set mode energy           [#] Enabled energy measuring mode.
    set mode geiger           [#] Enabled geiger mode.
    read info                 [#] Average Dead Time: \t10 µs        and a dozen other lines

Then each second one line, ended by CR LF, of all events since the last: their channels of 4096, a semicolon
behind each, ``389;874;359;``; in Geiger mode ``0;`` for each. A second without any event has no line
(``dataOutput`` prints only where ``event_position > 0``): that is silence, and no count of zero. Silence alone may
be a detector that is gone. So it is asked, and tells how many pulses it has had since it was switched on::

    read info                 [#] Runtime: \t\t12.34 s    and, further down, [#] Total Pulses: \t1500

Two answers that hold the same number of pulses, half a second apart, have none between them: a zero that was
received. With the next line, or the first such zero, it is known that it counted all the while, so that reading
holds the silent seconds before it too: to leave them out would be to count only where there is something to count.

There is no checksum: a line must be nothing but channels and come at once, a second after the one before. A digit
changed in it makes another channel, which cannot be found out. Nor does a line that is lost whole leave a trace,
but silence between two lines of many events is no empty second.

Dead time is of all events, in the window or not, so it is taken off the live time.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf, isfinite
from typing import Annotated, Final, Literal, Self

import structlog
from pydantic import Field, model_validator

from devices.clock import Clock
from devices.errors import DeviceError, FrameError
from devices.framing import Frame, LineSplitter
from devices.probes.conversing import Conversation, converse
from devices.probes.dialogue import Dialogue, Question
from devices.probes.settings import ProbeSettings
from devices.readings import CountReading, CountStatus

log = structlog.get_logger()

BAUD_RATE: Final = 2_000_000
PERIOD_S: Final = 1.0
CHANNELS: Final = 4096
EVENT_BUFFER: Final = 50_000
"""Events of a second that the firmware has room for; behind the last it begins anew and forgets them all."""
GREATEST_LINE: Final = 5 * EVENT_BUFFER
GREATEST_LOST: Final = 0.5
NEVER_SILENT: Final = 14
"""Events a second beside which a second without any is a lost line: Poisson has one in a million (exp(-14))."""
SHELL: Final = (b"[#] ", b"[!] ")
GEIGER: Final = b"[#] Switched to geiger mode."
INTERRUPTED: Final = (
    GEIGER,
    b"[#] Switched to energy measuring mode.",
    b"[#] Welcome to the Open Gamma Detector!",
)
"""What it says unasked when it has thrown events away."""
EVENTS: Final = re.compile(rb"(?:\d{1,4};)+")
ASK_INFO: Final = b"read info\n"
RUNTIME: Final = re.compile(rb"\[#\] Runtime: *\t*(?P<seconds>\d{1,8}\.\d{2}) s")
PULSES: Final = re.compile(rb"\[#\] Total Pulses: *\t*(?P<pulses>\d{1,10})")
ASK_AFTER_S: Final = 1.15
"""Without a line for so long, it is asked: behind the moment at which one would have come."""
ASK_EVERY_S: Final = 0.5
"""And again: half a second, so that either two answers are alike, or a line comes, before it looks silent."""
SHORTEST_S: Final = 0.25
"""Least time that is given to a line: where it follows a zero, part of its second has been told already."""
DEAD_TIME: Final = re.compile(rb"\[#\] Average Dead Time: *\t*(?P<us>\d{1,4}|n/a) .{1,4}s")
OUTPUT: Final = Question(
    request=b"set out events\n", answer=re.compile(rb"\[#\] Set serial output mode to events\."), times=1
)
MODES: Final = {
    "energy": Question(
        request=b"set mode energy\n", answer=re.compile(rb"\[#\] Enabled energy measuring mode\."), times=1
    ),
    "geiger": Question(request=b"set mode geiger\n", answer=re.compile(rb"\[#\] Enabled geiger mode\."), times=1),
}


def read_events(raw: bytes) -> list[int]:
    """Read the channels of a line without its end; ``FrameError`` for anything else."""
    if EVENTS.fullmatch(raw) is None:
        raise FrameError(f"no list of events: {raw[:40]!r}", raw)
    channels = [int(token) for token in raw[:-1].split(b";")]
    if max(channels) >= CHANNELS:
        raise FrameError(f"channel {max(channels)}, there are {CHANNELS}", raw)
    return channels


def write_events(channels: list[int]) -> bytes:
    """Write a line as the detector does, with its end."""
    return "".join(f"{channel};" for channel in channels).encode() + b"\r\n"


class OpenGamma(Dialogue):
    """Sets its output and counts the events of each line that fall into the window.

    It cannot say which one it is: its USB adapter, which has a serial number, does.
    """

    def __init__(self, device: str, settings: "Settings") -> None:
        super().__init__(
            device,
            questions=(OUTPUT, MODES[settings.mode], Question(request=ASK_INFO, answer=DEAD_TIME, times=1)),
            silent=f"nothing at {settings.port} answers as an Open Gamma Detector: check its USB cable, and that "
            "its firmware is 4.0 or newer",
        )
        self._settings = settings
        self._dead_time_s = settings.dead_time_s
        self._splitter = LineSplitter(greatest_length=GREATEST_LINE)
        self._before_s = -inf
        self._events_before = 0
        self._told_to_s = -inf
        self._is_told_empty = False
        self._asked_at_s = inf
        self._runtime_s: float | None = None
        self._pulses: tuple[int, float, float] | None = None

    @property
    def rejected(self) -> int:
        """Lines refused."""
        return self._refused + self._splitter.rejected

    def _cut(self, received: bytes, arrived_at_s: float) -> list[Frame]:
        return [frame for frame in self._splitter.feed(received, arrived_at_s) if self._is_for_us(frame.raw)]

    def _is_for_us(self, raw: bytes) -> bool:
        """Say whether a line tells something: at the opening the answer, then what is no text of the shell."""
        if not self.is_open:
            return self._questions[self._asking].answer.fullmatch(raw) is not None
        is_told = RUNTIME.fullmatch(raw) or PULSES.fullmatch(raw)
        return raw in INTERRUPTED or is_told is not None or not raw.startswith(SHELL)

    def _opened(self, now_s: float) -> None:
        *_, info = self._answers
        if not self._dead_time_s and info["us"].isdigit():
            self._dead_time_s = int(info["us"]) * 1e-6
        self._act_at_s = now_s + ASK_AFTER_S
        log.info("probe connected", device=self.device, dead_time_s=self._dead_time_s)

    def _act(self, now_s: float) -> None:
        """Ask what it has had: no line came when one was due."""
        self._timeouts += isfinite(self._asked_at_s)
        self._outgoing += ASK_INFO
        self._asked_at_s, self._runtime_s = now_s, None
        self._act_at_s = now_s + ASK_EVERY_S

    def _take(self, frame: Frame, now_s: float) -> None:
        if runtime := RUNTIME.fullmatch(frame.raw):
            self._runtime_s = float(runtime["seconds"])
            return
        if pulses := PULSES.fullmatch(frame.raw):
            self._hear_pulses(int(pulses["pulses"]), now_s)
            return
        if frame.raw == GEIGER and self._settings.mode == "energy":
            raise DeviceError(self.device, "its button was pressed and switched it to Geiger mode: press it again")
        try:
            channels = read_events(frame.raw)
        except FrameError:
            self._refused += 1
            return
        # what is drawn out was joined of two lines, and what comes again at once was counted
        is_whole = now_s - frame.began_at_s < PERIOD_S / 2 <= frame.began_at_s - self._before_s
        if not is_whole or (self._settings.mode == "energy" and len(channels) > 2 and not any(channels)):
            self._refused += 1
            return
        if self._is_told_empty:
            real_time_s = max(frame.began_at_s - self._told_to_s, SHORTEST_S)
        else:
            real_time_s = PERIOD_S + self._silent_s(frame.began_at_s, len(channels))
        self._before_s, self._events_before = frame.began_at_s, len(channels)
        self._told_to_s, self._is_told_empty, self._pulses = frame.began_at_s, False, None
        self._asked_at_s, self._act_at_s = inf, frame.began_at_s + ASK_AFTER_S
        self._readings.append(self._read(channels, frame.began_at_s, real_time_s))

    def _hear_pulses(self, pulses: int, now_s: float) -> None:
        """Take the answer to a question in silence; the same as the one before it is a zero."""
        asked_at_s, self._asked_at_s = self._asked_at_s, inf
        runtime_s, self._runtime_s = self._runtime_s, None
        if runtime_s is None or not isfinite(asked_at_s):
            return  # of the opening, or one that came twice
        before, self._pulses = self._pulses, (pulses, runtime_s, now_s)
        if before is None or before[0] != pulses or runtime_s - before[1] < ASK_EVERY_S / 2:
            return
        # the answer may have waited: it is no newer than the detector's own clock says
        until_s = min(asked_at_s, before[2] + runtime_s - before[1])
        began_s = self._told_to_s
        if not self._is_told_empty and (
            not isfinite(began_s) or self.rejected > self._refused_before or self._events_before >= NEVER_SILENT
        ):
            self._has_gap |= isfinite(began_s)
            began_s = before[2]
        self._told_to_s, self._is_told_empty = until_s, True
        self._tell(
            0,
            began_at_s=began_s,
            seconds=until_s - began_s,
            dead_time_s=0.0,
        )

    def _silent_s(self, began_at_s: float, events: int) -> float:
        """Give the time before a line's own second that is known to have been empty, s."""
        since_s = began_at_s - self._before_s
        if not isfinite(since_s) or self.rejected > self._refused_before:
            return 0.0
        silent_s = max(round(since_s / PERIOD_S) - 1, 0) * PERIOD_S
        if silent_s and min(self._events_before, events) >= NEVER_SILENT:
            self._has_gap = True
            return 0.0
        return silent_s

    def _read(self, channels: list[int], began_at_s: float, real_time_s: float) -> CountReading:
        first, last = self._settings.window_channels or (0, CHANNELS - 1)
        # all its events are of the last second, and so is their dead time
        own_s = min(real_time_s, PERIOD_S)
        lost = min(len(channels) * self._dead_time_s / own_s, 0.99)
        is_too_many = lost > GREATEST_LOST or len(channels) >= EVENT_BUFFER - 1
        return CountReading(
            device=self.device,
            taken_at_s=began_at_s - real_time_s,
            real_time_s=real_time_s,
            live_time_s=real_time_s - own_s * lost,
            counts=sum(first <= channel <= last for channel in channels),
            status=self._continue(CountStatus.OVERLOAD if is_too_many else CountStatus.OK),
        )


class Settings(ProbeSettings):
    """An Open Gamma Detector in the site file.

    Attributes
    ----------
    mode
        With the energy of each event, or faster without.
    window_channels
        First and last channel that count; all without it. Geiger mode has no channels.
    dead_time_s
        Of all events; 0: the average that it says itself at the opening.
    silence_s
        Above the time in which either a line comes or two answers are alike: it monitors a room, and never
        navigates.

    """

    driver: Literal["opengamma"]
    mode: Literal["energy", "geiger"] = "energy"
    window_channels: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(lt=CHANNELS)]] | None = None
    silence_s: float = Field(default=2.8, gt=2.5, le=3.0)

    @model_validator(mode="after")
    def _loses_as_it_says(self) -> Self:
        if self.extending_dead_time_s:
            raise ValueError("its live time is made of its own, non-extending dead time: set dead_time_s instead")
        return self

    @model_validator(mode="after")
    def _window_holds_something(self) -> Self:
        if self.window_channels is not None:
            if self.mode == "geiger":
                raise ValueError("Geiger mode has no channels: leave window_channels out, or set mode to energy")
            if self.window_channels[0] > self.window_channels[1]:
                raise ValueError("window_channels holds no channel: its first number must be the lower one")
        return self

    @property
    def window_said(self) -> str:
        """The window in channels; empty where every event counts."""
        if self.window_channels is None:
            return ""
        first, last = self.window_channels
        return f"channels {first} to {last}"

    def dialogue(self, device: str) -> OpenGamma:
        """Give the talk with it, without a wire."""
        return OpenGamma(device, self)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Conversation]:
        """Open the port and set its output; ``DeviceError`` with what to do."""
        async with converse(self.dialogue(device), self, baud_rate=BAUD_RATE, clock=clock) as probe:
            yield probe

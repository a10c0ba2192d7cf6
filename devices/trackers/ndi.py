"""NDI's optical and electromagnetic trackers (Polaris, Vega, Aurora) over a serial port or TCP, asked directly.

The host asks again and again; each answer carries the camera's frame number, so a frame that was asked for twice
gives one reading. Its time is that of the line through the numbers of frames and the times at which their answers
began to come (``frame_timing``). A tool that is missing, out of the volume
or unplugged gives a ``MISSING`` reading with each frame, and never its last pose; why it is so is told in words,
in each reading, and in the log whenever it changes.
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, Self, TypeAlias

import structlog
from pydantic import Field, field_validator, model_validator

from devices.clock import Clock, monotonic
from devices.errors import DeviceFault, DeviceTimeout, DeviceUnavailable, FrameError
from devices.frame_timing import FrameClock, FrameTiming
from devices.links import PortUrl, open_link
from devices.readings import PoseReading, PoseStatus
from devices.trackers import ndi_frames, ndi_reports
from devices.trackers.ndi_frames import CameraFrames, FrameTool
from devices.trackers.ndi_protocol import Answer
from devices.trackers.ndi_reports import Report, ToolReport
from devices.trackers.ndi_session import POWER_ON_BAUD_RATE, NdiSession
from devices.trackers.ndi_tools import NdiTool, NdiTools
from devices.trackers.ndi_words import HARDWARE_FAILURE, SYSTEM_FAULT, alert_words, system_words, tool_words
from devices.trackers.settings import TrackerSettings
from navigation.errors import NavigationError

log = structlog.get_logger()

OPENING_S = 20.0
"""A break, a restart, and a definition file for each tool at 9600 bits a second."""
FROZEN_SHARE = 0.8
"""Of ``silence_s``: so long the same frame may come again before it is said that the camera stopped measuring."""
SERIAL_NUMBER = re.compile(r"S/N:? *(\S+)")

BaudRate: TypeAlias = Literal[9600, 14400, 19200, 38400, 57600, 115200, 230400, 921600, 1228739]


class NdiTracker:
    """An open tracker that tracks: iterate to receive the poses of its tools."""

    def __init__(
        self,
        device: str,
        settings: "Settings",
        session: NdiSession,
        names: Mapping[int, str],
        *,
        identity: str,
        clock: Clock,
    ) -> None:
        self.identity = identity
        self.rejected = 0
        self._device = device
        self._settings = settings
        self._session = session
        self._names = names
        self._clock = clock
        self._pending: deque[PoseReading] = deque()
        self._asked_at_s = -float("inf")
        self._moved_at_s = clock()
        self._frames: dict[int, int] = {}
        self._frame_clock = FrameClock()
        self._words: dict[str, str] = {}

    @property
    def timing(self) -> FrameTiming:
        """How well the times of the camera's frames are known."""
        return self._frame_clock.timing

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PoseReading:
        while not self._pending:
            await asyncio.sleep(max(0.0, self._asked_at_s + self._settings.interval_s - self._clock()))
            await self._poll()
        return self._pending.popleft()

    async def check(self) -> None:
        """Ask for the system's status, which no BX2 answer tells: a fault that BX2 told of once stays in it.

        Raises
        ------
        DeviceFault
            Where the hardware has failed.
        DeviceUnavailable
            Where the answer is damaged.

        """
        said = await self._session.set_up("TX", ndi_reports.REPLY_OPTION)
        try:
            status = Report.from_tx(said.encode()).system_status
        except FrameError as exc:
            raise DeviceUnavailable(self._device, f"its status cannot be read: {exc}") from exc
        self._check_system(status)

    async def _poll(self) -> None:
        self._asked_at_s = self._clock()
        option = ndi_frames.REPLY_OPTION if self._settings.reply == "BX2" else ndi_reports.REPLY_OPTION
        try:
            answer = await self._session.ask(self._settings.reply, option, patience_s=self._settings.answer_s)
            self._read(answer)
        except FrameError as exc:
            if not self.rejected:
                log.warning("tracker_answer_refused", device=self._device, reason=str(exc))
            self.rejected += 1
        except DeviceTimeout as exc:
            log.warning("tracker_answer_missed", device=self._device, reason=str(exc))
        if self._clock() - self._moved_at_s > FROZEN_SHARE * self._settings.silence_s and self._frames:
            raise DeviceTimeout(
                self._device,
                f"no new camera frame since number {max(self._frames.values())}: the camera has stopped, or its "
                "answers do not come through; check the camera's cable and power",
            )

    def _read(self, answer: Answer) -> None:
        tools: Sequence[ToolReport | FrameTool]
        if self._settings.reply == "BX2":
            frames = CameraFrames.from_bytes(answer.content)
            for kind, number in frames.alerts:
                if kind == SYSTEM_FAULT:
                    raise DeviceFault(self._device, number, alert_words(kind, number))
                log.warning("tracker_alert", device=self._device, words=alert_words(kind, number))
            tools = frames.tools
        else:
            read = Report.from_bx if self._settings.reply == "BX" else Report.from_tx
            report = read(answer.content)
            self._check_system(report.system_status)
            tools = report.tools
            for handle in self._names.keys() - {tool.handle for tool in tools}:
                self._give(self._names[handle], answer.began_at_s, PoseStatus.MISSING, tool_words(33))
        self._take_frames([tool for tool in tools if tool.handle in self._names], answer.began_at_s)

    def _take_frames(self, tools: Sequence[ToolReport | FrameTool], came_at_s: float) -> None:
        """Time the newest frame of an answer, and take of each tool what was not read before.

        Of earlier frames whose times are not known none is taken: at the newest one's time they would look as new.
        """
        numbered = [(tool, self._frame_of(tool)) for tool in tools]
        if not numbered:
            return
        restarts = self.timing.restarts
        frames = {frame for _, frame in numbered}
        if self._frame_clock.add(max(frames), came_at_s, together_with=frames) is not None:
            self._moved_at_s = came_at_s
        if self.timing.restarts > restarts:
            log.warning("tracker_clock", device=self._device, reason=self.timing.reason)
        last = {tool.handle: frame for tool, frame in numbered}
        for tool, frame in numbered:
            if self._frames.get(tool.handle) == frame:
                continue
            self._frames[tool.handle] = frame
            taken_at_s = self._frame_clock.before(frame)
            if taken_at_s is not None or frame == last[tool.handle]:
                self._take(tool, self._frame_clock.newest_s if taken_at_s is None else taken_at_s)

    def _check_system(self, status: int) -> None:
        words = system_words(status)
        if status & HARDWARE_FAILURE:
            raise DeviceFault(self._device, status, words)
        self._say("", words)

    def _frame_of(self, tool: ToolReport | FrameTool) -> int:
        if tool.frame is None:
            raise DeviceFault(self._device, 0x0F, f"tool {self._names[tool.handle]}: {tool.words}")
        return tool.frame

    def _take(self, tool: ToolReport | FrameTool, taken_at_s: float) -> None:
        name, pose = self._names[tool.handle], tool.believed
        if pose is None:
            self._give(name, taken_at_s, PoseStatus.MISSING, tool.words)
            return
        try:
            tracker_from_tool = pose.transform()
        except NavigationError as exc:
            self._give(name, taken_at_s, PoseStatus.REFUSED, str(exc))
            return
        self._say(name, tool.words)
        self._pending.append(
            PoseReading(
                device=self._device,
                tool=name,
                taken_at_s=taken_at_s,
                tracker_from_tool=tracker_from_tool,
                error_mm=pose.error_mm if 0 <= pose.error_mm < math.inf else None,
                said=tool.words,
            )
        )

    def _give(self, name: str, taken_at_s: float, status: PoseStatus, words: str) -> None:
        self._say(name, words)
        self._pending.append(
            PoseReading(
                device=self._device,
                tool=name,
                taken_at_s=taken_at_s,
                tracker_from_tool=None,
                status=status,
                said=words,
            )
        )

    def _say(self, about: str, words: str) -> None:
        """Log what is said of a tool, or of the system where ``about`` is empty, when it changes."""
        if self._words.get(about, "") == words:
            return
        self._words[about] = words
        say = log.warning if words else log.info
        say("tracker_says", device=self._device, about=about or "system", words=words or "all is well again")


class Settings(TrackerSettings):
    """A tracker's entry in the site file, ``driver = "ndi"``.

    Attributes
    ----------
    port
        ``/dev/serial/by-id/…``, or ``socket://host:8765`` for those that have a network port.
    baud_rate
        Bits a second on a serial port, after the first 9600; a network port takes no notice.
    tools
        What to track, by the names that the rest of the site file uses.
    reply
        Which answer to ask for: ``BX`` (binary, all models), ``TX`` (text, all models) or ``BX2`` (Vega and later:
        every frame once, and why a tool is not seen).
    interval_s
        Shortest time from one question to the next, s; below the camera's own, so that no frame is missed.
    answer_s
        Longest wait for an answer, s; then it is asked again.
    beep
        Whether the tracker beeps when it has begun to track.

    """

    driver: Literal["ndi"]
    port: PortUrl
    baud_rate: BaudRate = 115200
    tools: dict[str, NdiTool] = Field(min_length=1)
    reply: Literal["BX", "TX", "BX2"] = "BX"
    interval_s: float = Field(default=0.008, gt=0, le=0.2)
    answer_s: float = Field(default=0.2, gt=0)
    beep: bool = True

    @field_validator("tools")
    @classmethod
    def _are_apart(cls, tools: dict[str, NdiTool]) -> dict[str, NdiTool]:
        for key in ("rom", "serial_number"):
            used = [value for tool in tools.values() if (value := getattr(tool, key)) is not None]
            if len(set(used)) != len(used):
                raise ValueError(f"two tools have the same {key}: one would be taken for the other")
        return tools

    @model_validator(mode="after")
    def _asks_often_enough(self) -> Self:
        if self.interval_s + self.answer_s >= self.silence_s:
            raise ValueError(
                f"interval_s and answer_s ({self.interval_s:g} + {self.answer_s:g} s) must be below silence_s "
                f"({self.silence_s:g} s): a lost answer would be a tracker that is gone"
            )
        return self

    @property
    def opening_s(self) -> float:
        """Longest time to open the link and learn who answers, s."""
        return OPENING_S

    @property
    def is_serial(self) -> bool:
        """Whether its port has a speed and takes a break."""
        return self.port.startswith("/")

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``, where the site file lies."""
        tools = {
            name: tool.model_copy(update={"rom": tool.rom and folder / tool.rom})
            for name, tool in self.tools.items()
        }
        return self.model_copy(update={"tools": tools})

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock = monotonic) -> AsyncIterator[NdiTracker]:
        """Open the port, set the tools up and begin to track.

        Raises
        ------
        DeviceError
            In words, with what to do: no answer, a tool that is not there, a definition file that is none.

        """
        async with open_link(self.port, device=device, baud_rate=POWER_ON_BAUD_RATE, clock=clock) as link:
            session = NdiSession(device, link)
            await session.initialise(is_serial=self.is_serial, baud_rate=self.baud_rate)
            try:
                identity = await _identify(session)
                names = await NdiTools(device, session, self.tools).track()
                await session.set_up("TSTART")
                if self.beep:
                    await session.set_up("BEEP", "1")
                tracker = NdiTracker(device, self, session, names, identity=identity, clock=clock)
                if self.reply == "BX2":
                    await tracker.check()
                yield tracker
            finally:
                await session.finish(is_serial=self.is_serial, baud_rate=self.baud_rate)


async def _identify(session: NdiSession) -> str:
    """Ask for model and serial number; empty where the firmware does not tell."""
    try:
        lines = (await session.set_up("VER", "0")).splitlines()
    except DeviceFault:
        return ""
    found = SERIAL_NUMBER.search("\n".join(lines))
    return f"{lines[0].strip()}, serial number {found[1]}" if found else ""

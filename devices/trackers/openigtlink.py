"""Client of a tracker that streams poses over OpenIGTLink (PLUS, 3D Slicer, a vendor's server).

Takes TRANSFORM and POSITION (the device name is the tool), TDATA and QTDATA (each element names its tool), header
versions 1 and 2, checksums always verified. What the tracker says besides (SENSOR, STRING, CAPABILITY) is kept as
the newest of each name and, where it is words, logged. Other types are passed over. All that has come is read
before more is waited for, so that no reading is older than its way here.

OpenIGTLink has no field for "not seen", so each way that trackers say it becomes a ``MISSING`` reading:

- a TDATA or QTDATA message without a tool that its sender had in it before: at once, with each such message;
- version 2 metadata ``TransformStatus`` that is not ``OK`` (PLUS and 3D Slicer send it): at once;
- a matrix of zeros, or the identity to the last bit: at once;
- a STATUS other than ok whose device name is the tool's: at once;
- nothing new of the tool for ``lost_after_s`` (a pose sent again is not new: ``igtl_repeats``) while the tracker
  is heard, if only by the STATUS keep-alive of PLUS: then, and again each ``lost_after_s`` as long as that lasts.

A pose that was made longer than ``late_after_s`` before it came is ``REFUSED`` (``igtl_lateness``): the hand has
moved on since.

A tool that comes in two streams, as of two trackers behind one server, gives ``REFUSED`` readings until the link
is opened anew: neither is believed (``igtl_streams``).

A tracker that is not heard at all gives no reading: that is silence, which the supervisor watches for.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Literal, Self

import structlog
from pydantic import Field, StringConstraints, field_validator, model_validator

from devices.clock import Clock, monotonic
from devices.errors import DeviceFault, DeviceUnavailable, FrameError
from devices.readings import PoseReading
from devices.trackers.igtl import LARGEST_BODY_BYTES, Arrival, Message
from devices.trackers.igtl_bodies import (
    STATUS_WORDS,
    STOP_TRACKING,
    Elements,
    StartTracking,
    Status,
    ToolKind,
    TrackedTool,
    TrackingAnswer,
    TrackingFrame,
    Transform,
)
from devices.trackers.igtl_link import IgtlLink, open_igtl_link
from devices.trackers.igtl_quaternions import Position, QuaternionFrame, QuaternionTool, elements_of_quaternion
from devices.trackers.igtl_remarks import Remark, Remarks
from devices.trackers.igtl_sightings import Sightings
from devices.trackers.settings import TrackerSettings

log = structlog.get_logger()

SEEN_STATUSES = frozenset({"OK", "SWITCH1_IS_ON", "SWITCH2_IS_ON", "SWITCH3_IS_ON"})
"""Values of ``TransformStatus`` that come with a measured matrix (IGSIO, ConvertToolStatusToString)."""

ORIENTED_KINDS = frozenset({ToolKind.TRACKER, ToolKind.SIX_D})
"""Tools that know their turn about their own axis: without it a display cannot tell left from right."""


class OpenIgtLinkTracker:
    """An open link: iterate to receive the poses of the tools that the settings name."""

    def __init__(self, device: str, settings: "Settings", link: IgtlLink, *, opened_at_s: float) -> None:
        self._device = device
        self._settings = settings
        self._link = link
        self._malformed = 0
        self._heard_at_s = opened_at_s
        self._frame_tools: dict[str, set[str]] = {}
        self._remarks = Remarks(device)
        self._sightings = Sightings(
            device,
            settings.tools,
            lost_after_s=settings.lost_after_s,
            frozen_after_s=settings.frozen_after_s,
            late_after_s=settings.late_after_s,
            opened_at_s=opened_at_s,
        )

    @property
    def identity(self) -> str:
        """Empty: OpenIGTLink has no message that says who the sender is."""
        return ""

    @property
    def remarks(self) -> Mapping[tuple[str, str], Remark]:
        """The newest of what it said that is no pose, by message type and device name."""
        return self._remarks.newest

    @property
    def rejected(self) -> int:
        """Messages refused since the link was opened: wrong checksum, or a body that does not fit its type."""
        return self._link.decoder.rejected + self._malformed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> PoseReading:
        while (reading := self._sightings.next()) is None:
            if (arrival := self._take()) is not None:
                self._read(arrival)
            elif not self._sightings.tell_lost(self._heard_at_s):
                await self._wait()
        return reading

    def _take(self) -> Arrival | None:
        try:
            return self._link.take()
        except FrameError as exc:
            raise DeviceUnavailable(
                self._device,
                f"what comes from {self._settings.address} is not OpenIGTLink: {exc}. Check host and port",
            ) from exc

    async def _wait(self) -> None:
        try:
            await self._link.wait()
        except ConnectionError as exc:
            raise DeviceUnavailable(
                self._device,
                f"the link to {self._settings.address} is lost ({exc}). Check the tracker's computer and cable",
            ) from exc

    def _read(self, arrival: Arrival) -> None:
        try:
            self._read_kind(arrival)
        except FrameError as exc:
            if not self._malformed:
                log.warning("tracker_message_refused", device=self._device, reason=str(exc))
            self._malformed += 1
        else:
            self._heard_at_s = arrival.taken_at_s

    def _read_kind(self, arrival: Arrival) -> None:
        message = arrival.message
        self._sightings.begin(message.timestamp)
        match message.kind:
            case Transform.KIND:
                self._read_single(message, Transform.from_bytes(message.content).elements, arrival.taken_at_s)
            case Position.KIND:
                self._read_position(message, arrival.taken_at_s)
            case TrackingFrame.KIND:
                tools = TrackingFrame.from_bytes(message.content).tools
                self._read_frame(message, tools, arrival.taken_at_s)
            case QuaternionFrame.KIND:
                turned = QuaternionFrame.from_bytes(message.content).tools
                self._read_frame(message, turned, arrival.taken_at_s)
            case Status.KIND:
                self._read_status(message, arrival.taken_at_s)
            case TrackingAnswer.KIND:
                if not TrackingAnswer.from_bytes(message.content).is_taken:
                    raise DeviceFault(
                        self._device,
                        1,
                        "it refuses to stream TDATA; take stt_tdata_resolution_ms out to do without",
                    )
            case _:
                self._remarks.take(message)

    def _read_position(self, message: Message, taken_at_s: float) -> None:
        position = Position.from_bytes(message.content)
        if position.xyzw is not None:
            elements = elements_of_quaternion(position.position_mm, position.xyzw)
            self._read_single(message, elements, taken_at_s)
        elif message.device_name in self._sightings:
            self._sightings.refuse(
                message.device_name, taken_at_s, "a POSITION of 12 bytes does not say how the tool is turned"
            )

    def _read_single(self, message: Message, elements: Elements, taken_at_s: float) -> None:
        tool = message.device_name
        if tool not in self._sightings:
            return
        self._sightings.hear((tool,), message.kind)
        status = message.metadatum("TransformStatus")
        if status in {None, *SEEN_STATUSES}:
            self._sightings.see(tool, taken_at_s, elements)
        else:
            self._sightings.miss(tool, taken_at_s, f"the tracker says: {status}")

    def _read_frame(
        self, message: Message, tools: Sequence[TrackedTool | QuaternionTool], taken_at_s: float
    ) -> None:
        sender = message.device_name
        named = [tool for tool in tools if tool.name in self._sightings]
        names = [tool.name for tool in named]
        self._sightings.hear(names, f"{message.kind} of {sender or 'a nameless sender'}")
        for tool in named:
            if tool.kind in ORIENTED_KINDS:
                self._sightings.see(tool.name, taken_at_s, tool.elements)
            else:
                reason = f"tool type {tool.kind} does not know its turn about its axis"
                self._sightings.refuse(tool.name, taken_at_s, reason)
        known = self._frame_tools.setdefault(sender, set())
        for name in sorted(known.difference(names)):
            self._sightings.miss(name, taken_at_s)
        known |= set(names)

    def _read_status(self, message: Message, taken_at_s: float) -> None:
        status = Status.from_bytes(message.content)
        if status.code == 1:
            return
        if message.device_name in self._sightings:
            self._sightings.miss(message.device_name, taken_at_s)
        elif status.code in STATUS_WORDS:
            raise DeviceFault(self._device, status.code, f"the tracker says: {status.words}")
        else:
            log.warning("tracker_status_unknown", device=self._device, code=status.code, words=status.words)


class Settings(TrackerSettings):
    """A tracker's entry in the site file, ``driver = "openigtlink"``.

    Attributes
    ----------
    host, port
        Where the tracker's server listens; 18944 is OpenIGTLink's registered port.
    tools
        Names of the tools as the stream has them: TRANSFORM's device names, TDATA's element names. The wire has
        room for 20 bytes, so longer names arrive cut off.
    stt_tdata_resolution_ms
        Where set, ask for TDATA (STT_TDATA) with at least so many ms between messages; some trackers stream
        only then.
    lost_after_s
        A tool of which nothing comes for so long, while the tracker is heard, is missing, s.
    frozen_after_s
        A pose that stays the same to the last bit for so long is none: its sender has frozen, s; at most 10.
    late_after_s
        A pose that by its sender's time stamps was so much longer on its way than the quickest of the last minute
        is none, s; 60 asks nothing of a sender whose stamps are no times.
    connect_timeout_s
        Longest wait for the connection, s.
    largest_body_bytes
        A message that claims more ends the link.

    """

    driver: Literal["openigtlink"]
    host: str = Field(min_length=1)
    port: int = Field(default=18944, ge=1, le=65535)
    tools: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(min_length=1)
    stt_tdata_resolution_ms: int | None = Field(default=None, ge=0, lt=1 << 32)
    lost_after_s: float = Field(default=0.25, gt=0)
    frozen_after_s: float = Field(default=1.0, gt=0, le=10)
    late_after_s: float = Field(default=0.5, gt=0, le=60)
    connect_timeout_s: float = Field(default=2.0, gt=0)
    largest_body_bytes: int = Field(default=LARGEST_BODY_BYTES, ge=1024)

    @field_validator("tools")
    @classmethod
    def _fit_the_wire(cls, tools: tuple[str, ...]) -> tuple[str, ...]:
        for tool in tools:
            if len(tool.encode()) > 20:
                raise ValueError(
                    f"{tool!r} has more than the 20 bytes that OpenIGTLink sends: write {tool[:20]!r}"
                )
        if len(set(tools)) != len(tools):
            raise ValueError("a tool is named twice")
        return tools

    @model_validator(mode="after")
    def _lost_before_silent(self) -> Self:
        if self.lost_after_s >= self.silence_s:
            raise ValueError(
                "lost_after_s must be below silence_s, or a tool out of sight looks like a tracker that is gone"
            )
        return self

    @property
    def address(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock = monotonic) -> AsyncIterator[OpenIgtLinkTracker]:
        """Open the link, and ask for TDATA where the settings say so.

        Raises
        ------
        DeviceUnavailable
            Where the host is unknown, refuses, or does not answer within ``connect_timeout_s``.

        """
        link = await open_igtl_link(
            device,
            self.host,
            self.port,
            timeout_s=self.connect_timeout_s,
            largest_body_bytes=self.largest_body_bytes,
            clock=clock,
        )
        try:
            if self.stt_tdata_resolution_ms is not None:
                request = StartTracking(resolution_ms=self.stt_tdata_resolution_ms)
                link.send(Message(kind=StartTracking.KIND, device_name="", content=request.to_bytes()))
            yield OpenIgtLinkTracker(device, self, link, opened_at_s=clock())
            if self.stt_tdata_resolution_ms is not None:
                link.send(Message(kind=STOP_TRACKING, device_name=""))
        finally:
            await link.close()

"""What an NDI tracker (Vega and later) answers to BX2: the camera's frames since the last answer, in NDI's GBF.

General Binary Format, little-endian (ndicapi.cxx, parseComponents): uint16 version, uint16 number of components;
each component uint16 type, uint32 size with these 12 bytes, uint16 option, uint32 number of items, the items.

- type 1, frames: uint8 frame type, uint8 sequence index, uint16 status, uint32 frame number, uint32 s and uint32
  ns since 1970 (UTC), then a GBF of its own;
- type 2, tools: uint16 handle, uint16 status (low byte: state; 0x0100 missing; 0x0200 averaged; 0xE000 face), and
  unless missing eight float32 as in BX;
- type 0x12, system alerts: uint16 kind, uint16 number.

Other types (markers, line of sight, buttons) are passed over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from devices.errors import FrameError
from devices.trackers.ndi_reports import BX_POSE, NdiPose, pack_pose, read_pose
from devices.trackers.ndi_words import tool_words

REPLY_OPTION = "--6d=tools --1d=none"

GBF = struct.Struct("<HH")
GBF_VERSION = 1
COMPONENT = struct.Struct("<HIHI")
FRAME = struct.Struct("<BBHIII")
TOOL = struct.Struct("<HH")
ALERT = struct.Struct("<HH")
FRAME_TYPE, TOOL_TYPE, ALERT_TYPE = 0x0001, 0x0002, 0x0012
PASSIVE = 2
"""Frame type of passive markers."""

MISSING_BIT = 0x0100
BELIEVED_STATES = frozenset({0, 3, 5})
"""Tracked, partly outside the volume, averaged over fewer frames: the pose was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTool:
    """One tool in a frame; ``status`` as it stands on the wire, ``frame`` the camera's frame number."""

    handle: int
    pose: NdiPose | None
    status: int = 0
    frame: int

    @property
    def believed(self) -> NdiPose | None:
        """The pose, where the tool's state lets it be believed."""
        return self.pose if self.status & 0xFF in BELIEVED_STATES else None

    @property
    def words(self) -> str:
        """What is wrong and what to do; empty where nothing is."""
        if self.status & 0xFF:
            return tool_words(self.status)
        return tool_words(31) if self.pose is None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFrames:
    """A BX2 answer: each tool of each frame, and what the system has to say. Without news it holds no frames."""

    tools: tuple[FrameTool, ...]
    alerts: tuple[tuple[int, int], ...] = ()

    def to_bytes(self) -> bytes:
        """Encode as BX2's body; tools of one frame stand together."""
        components = []
        if self.tools:
            numbers = sorted({tool.frame for tool in self.tools})
            frames = b"".join(_frame(number, self.tools) for number in numbers)
            components.append(_component(FRAME_TYPE, frames, len(numbers)))
        if self.alerts:
            alerts = b"".join(ALERT.pack(*alert) for alert in self.alerts)
            components.append(_component(ALERT_TYPE, alerts, len(self.alerts)))
        return GBF.pack(GBF_VERSION, len(components)) + b"".join(components)

    @classmethod
    def from_bytes(cls, body: bytes) -> Self:
        """Decode BX2's body; raise ``FrameError`` where its parts do not fit into it."""
        tools: list[FrameTool] = []
        alerts: list[tuple[int, int]] = []
        try:
            for kind, items, content in _components(body):
                if kind == FRAME_TYPE:
                    tools.extend(_read_frames(content, items))
                elif kind == ALERT_TYPE:
                    alerts.extend(ALERT.unpack_from(content, ALERT.size * index) for index in range(items))
        except struct.error as exc:
            raise FrameError("the parts of a BX2 answer do not fit into it", body) from exc
        return cls(tools=tuple(tools), alerts=tuple(alerts))


def _component(kind: int, content: bytes, items: int) -> bytes:
    return COMPONENT.pack(kind, COMPONENT.size + len(content), 0, items) + content


def _frame(number: int, tools: tuple[FrameTool, ...]) -> bytes:
    of_frame = [tool for tool in tools if tool.frame == number]
    items = b"".join(
        TOOL.pack(tool.handle, tool.status | (MISSING_BIT if tool.pose is None else 0))
        + (b"" if tool.pose is None else pack_pose(tool.pose))
        for tool in of_frame
    )
    inner = GBF.pack(GBF_VERSION, 1) + _component(TOOL_TYPE, items, len(of_frame))
    return FRAME.pack(PASSIVE, 0, 0, number, 0, 0) + inner


def _components(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give type, number of items and content of each component of a whole GBF."""
    _, count = GBF.unpack_from(body)
    position = GBF.size
    for _ in range(count):
        kind, size, _, items = COMPONENT.unpack_from(body, position)
        if size < COMPONENT.size or position + size > len(body):
            raise FrameError("a component of a BX2 answer does not fit into it", body)
        yield kind, items, body[position + COMPONENT.size : position + size]
        position += size


def _read_frames(content: bytes, items: int) -> Iterator[FrameTool]:
    position = 0
    for _ in range(items):
        _, _, _, number, _, _ = FRAME.unpack_from(content, position)
        position += FRAME.size
        length = _gbf_length(content[position:])
        for kind, tools, inner in _components(content[position : position + length]):
            if kind == TOOL_TYPE:
                yield from _read_tools(inner, tools, number)
        position += length


def _gbf_length(body: bytes) -> int:
    """Length of the GBF that a body begins with; it does not say so itself."""
    _, count = GBF.unpack_from(body)
    length = GBF.size
    for _ in range(count):
        _, size, _, _ = COMPONENT.unpack_from(body, length)
        length += max(size, COMPONENT.size)
    return length


def _read_tools(content: bytes, items: int, number: int) -> Iterator[FrameTool]:
    position = 0
    for _ in range(items):
        handle, status = TOOL.unpack_from(content, position)
        position += TOOL.size
        pose = None
        if not status & MISSING_BIT:
            pose = read_pose(content, position)
            position += BX_POSE.size
        yield FrameTool(handle=handle, pose=pose, status=status, frame=number)

"""What OpenIGTLink messages say: TRANSFORM, TDATA, STATUS, and the request for a stream of TDATA.

Layouts are those of OpenIGTLink's Documents/Protocol/{transform,trackingdata,status}.md. A matrix is twelve
big-endian float32 by columns: R11 R21 R31, R12 R22 R32, R13 R23 R33, then TX TY TZ in mm.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Self, TypeAlias

import numpy as np

from devices.errors import FrameError
from devices.trackers.igtl_text import fill, read_text
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.rotations import nearest_rotation
from navigation.transforms import RigidTransform

Elements: TypeAlias = tuple[float, ...]
"""Twelve numbers of a matrix in the order of the wire; not yet known to be a pose."""

MATRIX = struct.Struct(">12f")
NOTHING_SEEN: tuple[Elements, ...] = ((0.0,) * 12, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0, 0, 0, 0))
"""What trackers send for a tool that they do not see: all zeros, or the identity to the last bit.

A measured tool is never exactly at the tracker's origin and exactly unturned.
"""


def elements_of(pose: RigidTransform, *, xy_sign: float = 1.0) -> Elements:
    """Write a pose in the order of the wire.

    An ``xy_sign`` of -1 turns the axes it is seen in half round about z, RAS from LPS: both are right-handed, so
    nothing is mirrored.
    """
    sign = xy_sign
    (r11, r12, r13), (r21, r22, r23), (r31, r32, r33) = pose.rotation.tolist()
    x_mm, y_mm, z_mm = pose.translation_mm.tolist()
    return (
        *(sign * r11, sign * r21, r31),
        *(sign * r12, sign * r22, r32),
        *(sign * r13, sign * r23, r33),
        *(sign * x_mm, sign * y_mm, z_mm),
    )


def pose_of(elements: Sequence[float]) -> RigidTransform:
    """Read a tool's pose in the tracker; rounding of the rotation is undone (``nearest_rotation``).

    Raises
    ------
    NavigationError
        Where the numbers are not finite, mirror, or are not rigid: no pose.

    """
    if len(elements) != 12:
        raise NavigationError(f"a matrix has 12 elements on the wire, not {len(elements)}")
    columns = [elements[start : start + 3] for start in (0, 3, 6)]
    rotation = nearest_rotation([[column[row] for column in columns] for row in range(3)])
    return RigidTransform(
        to=Frame.TRACKER, from_=Frame.TOOL, rotation=rotation, translation_mm=np.array(elements[9:])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One matrix; the message's device name says which tool it is. 48 bytes."""

    KIND: ClassVar[str] = "TRANSFORM"

    elements: Elements

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return MATRIX.pack(*self.elements)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 48 bytes."""
        if len(content) != MATRIX.size:
            raise FrameError(f"a TRANSFORM of {len(content)} bytes; it has {MATRIX.size}", content)
        return cls(elements=MATRIX.unpack(content))


class ToolKind(IntEnum):
    """What a tool's matrix knows (trackingdata.md, TYPE)."""

    TRACKER = 1
    SIX_D = 2
    THREE_D = 3
    """Position only."""
    FIVE_D = 4
    """Position and axis; the turn about the axis is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTool:
    """One tool in a TDATA message; 70 bytes. ``kind`` is a ``ToolKind`` or a number newer than it."""

    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">20sBx48s")

    name: str
    elements: Elements
    kind: int = ToolKind.SIX_D

    def to_bytes(self) -> bytes:
        """Encode as one element of the content."""
        return self.LAYOUT.pack(fill(self.name, 20), self.kind, MATRIX.pack(*self.elements))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode one element of 70 bytes."""
        name, kind, matrix = cls.LAYOUT.unpack(raw)
        return cls(name=read_text(name), kind=kind, elements=MATRIX.unpack(matrix))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingFrame:
    """TDATA: the tools that the tracker saw at one time; one that it does not see is left out."""

    KIND: ClassVar[str] = "TDATA"

    tools: tuple[TrackedTool, ...]

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return b"".join(tool.to_bytes() for tool in self.tools)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 70 bytes a tool."""
        size = TrackedTool.LAYOUT.size
        if len(content) % size:
            raise FrameError(f"a TDATA of {len(content)} bytes; it has {size} for each tool", content)
        starts = range(0, len(content), size)
        return cls(tools=tuple(TrackedTool.from_bytes(content[start : start + size]) for start in starts))


STATUS_WORDS = {
    1: "ok",
    2: "unknown error",
    3: "panic",
    4: "not found",
    5: "access denied",
    6: "busy",
    7: "time out or connection lost",
    8: "overflow",
    9: "checksum error",
    10: "configuration error",
    11: "not enough resources",
    12: "illegal or unknown instruction",
    13: "not ready",
    14: "in manual mode",
    15: "disabled",
    16: "not present",
    17: "unknown version",
    18: "hardware failure",
    19: "shutting down",
}
"""Codes of STATUS (status.md). Others are allowed and mean what their sender likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """STATUS: how the sender is. 30 bytes, then a message ended by NUL."""

    KIND: ClassVar[str] = "STATUS"
    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">Hq20s")

    code: int
    subcode: int = 0
    error_name: str = ""
    text: str = ""

    @property
    def words(self) -> str:
        """The code in words, and what the sender adds."""
        meaning = STATUS_WORDS.get(self.code, f"status {self.code}")
        added = ", ".join(part for part in (self.error_name, self.text) if part)
        return f"{meaning} ({added})" if added else meaning

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return self.LAYOUT.pack(self.code, self.subcode, fill(self.error_name, 20)) + self.text.encode() + b"\0"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is too short."""
        if len(content) < cls.LAYOUT.size:
            raise FrameError(f"a STATUS of {len(content)} bytes; it has at least {cls.LAYOUT.size}", content)
        code, subcode, error_name = cls.LAYOUT.unpack_from(content)
        text = read_text(content[cls.LAYOUT.size :])
        return cls(code=code, subcode=subcode, error_name=read_text(error_name), text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTracking:
    """STT_TDATA: asks for TDATA, at most one message each ``resolution_ms``; 36 bytes."""

    KIND: ClassVar[str] = "STT_TDATA"
    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">I32s")

    resolution_ms: int
    coordinate_name: str = ""

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return self.LAYOUT.pack(self.resolution_ms, fill(self.coordinate_name, 32))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 36 bytes."""
        if len(content) != cls.LAYOUT.size:
            raise FrameError(f"an STT_TDATA of {len(content)} bytes; it has {cls.LAYOUT.size}", content)
        resolution_ms, coordinate_name = cls.LAYOUT.unpack(content)
        return cls(resolution_ms=resolution_ms, coordinate_name=read_text(coordinate_name))


STOP_TRACKING = "STP_TDATA"
"""Type of the message, without content, that ends the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingAnswer:
    """RTS_TDATA: whether the request for a stream was taken; one byte, 0 is yes."""

    KIND: ClassVar[str] = "RTS_TDATA"

    is_taken: bool

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return b"\0" if self.is_taken else b"\1"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not one byte."""
        if len(content) != 1:
            raise FrameError(f"an RTS_TDATA of {len(content)} bytes; it has 1", content)
        return cls(is_taken=content == b"\0")

"""OpenIGTLink's poses as position and quaternion: POSITION and QTDATA.

Layouts are those of OpenIGTLink's Documents/Protocol/{position,quaterniontrackingdata}.md: big-endian float32,
position in mm, then the quaternion as x, y, z, w.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.errors import FrameError
from devices.trackers.igtl_bodies import Elements, ToolKind
from devices.trackers.igtl_text import fill, read_text


def elements_of_quaternion(position_mm: Sequence[float], xyzw: Sequence[float]) -> Elements:
    """Give the twelve elements of a matrix in the order of the wire.

    By the homogeneous form, so that a quaternion of length n gives n² times a rotation: whether that is still
    one is judged where every matrix is (``igtl_bodies.pose_of``), and one of zeros stays a matrix of zeros.
    """
    x, y, z, w = xyzw
    columns = (
        (w * w + x * x - y * y - z * z, 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), w * w - x * x + y * y - z * z, 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), w * w - x * x - y * y + z * z),
    )
    return (*columns[0], *columns[1], *columns[2], *position_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """POSITION: one tool, which the message's device name names; 28, 24 or 12 bytes.

    Attributes
    ----------
    position_mm
        x, y, z.
    xyzw
        The quaternion, or None in the form of 12 bytes, which has no orientation. The form of 24 bytes leaves w
        out: it is what makes the length 1, and not negative.

    """

    KIND: ClassVar[str] = "POSITION"

    position_mm: tuple[float, ...]
    xyzw: tuple[float, ...] | None

    def to_bytes(self) -> bytes:
        """Encode as a message's content, of 28 bytes or, without orientation, of 12."""
        numbers = (*self.position_mm, *(self.xyzw or ()))
        return struct.pack(f">{len(numbers)}f", *numbers)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 28, 24 or 12 bytes."""
        if len(content) not in {12, 24, 28}:
            raise FrameError(f"a POSITION of {len(content)} bytes; it has 28, 24 or 12", content)
        numbers = struct.unpack(f">{len(content) // 4}f", content)
        xyzw: tuple[float, ...] | None = numbers[3:] or None
        if len(numbers) == 6:
            rest = 1 - math.fsum(part * part for part in numbers[3:])
            xyzw = (*numbers[3:], math.sqrt(rest) if rest > 0 else 0.0)
        return cls(position_mm=numbers[:3], xyzw=xyzw)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuaternionTool:
    """One tool in a QTDATA message; 50 bytes. ``kind`` is a ``ToolKind`` or a number newer than it."""

    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">20sBx7f")

    name: str
    position_mm: tuple[float, ...]
    xyzw: tuple[float, ...]
    kind: int = ToolKind.SIX_D

    @property
    def elements(self) -> Elements:
        """The pose as a matrix in the order of the wire."""
        return elements_of_quaternion(self.position_mm, self.xyzw)

    def to_bytes(self) -> bytes:
        """Encode as one element of the content."""
        return self.LAYOUT.pack(fill(self.name, 20), self.kind, *self.position_mm, *self.xyzw)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode one element of 50 bytes."""
        name, kind, *numbers = cls.LAYOUT.unpack(raw)
        return cls(name=read_text(name), kind=kind, position_mm=tuple(numbers[:3]), xyzw=tuple(numbers[3:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuaternionFrame:
    """QTDATA: the tools that the tracker saw at one time; one that it does not see is left out."""

    KIND: ClassVar[str] = "QTDATA"

    tools: tuple[QuaternionTool, ...]

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return b"".join(tool.to_bytes() for tool in self.tools)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 50 bytes a tool."""
        size = QuaternionTool.LAYOUT.size
        if len(content) % size:
            raise FrameError(f"a QTDATA of {len(content)} bytes; it has {size} for each tool", content)
        starts = range(0, len(content), size)
        return cls(tools=tuple(QuaternionTool.from_bytes(content[start : start + size]) for start in starts))

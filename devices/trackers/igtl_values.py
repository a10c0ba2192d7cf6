"""What OpenIGTLink says besides poses: SENSOR, POINT, STRING and CAPABILITY.

Layouts are those of OpenIGTLink's Documents/Protocol/{sensordata,point,string,capability,unit}.md, big-endian.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from devices.errors import FrameError
from devices.trackers.igtl_envelope import ASCII, UTF_8
from devices.trackers.igtl_text import fill, read_text

HERTZ = 0x0A
"""Number of the unit in unit.md; the becquerel (0x19) would be a source's activity, not a count rate."""

HERTZ_UNIT = HERTZ << 54 | 1 << 50
"""The unit s⁻¹ as a SENSOR carries it: first of six pairs of unit (6 bits) and exponent (4), no SI prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """SENSOR: up to 255 numbers of one unit; 10 bytes, then 8 for each number.

    Attributes
    ----------
    values
        As measured; may hold NaN, which the wire allows.
    unit
        Packed as unit.md says.

    """

    KIND: ClassVar[str] = "SENSOR"
    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">BxQ")

    values: tuple[float, ...]
    unit: int

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return self.LAYOUT.pack(len(self.values), self.unit) + struct.pack(f">{len(self.values)}d", *self.values)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where its size is not that of its numbers."""
        if len(content) < cls.LAYOUT.size or len(content) != cls.LAYOUT.size + 8 * content[0]:
            raise FrameError(f"a SENSOR of {len(content)} bytes; it has 10 and 8 for each number", content)
        count, unit = cls.LAYOUT.unpack_from(content)
        return cls(values=struct.unpack_from(f">{count}d", content, cls.LAYOUT.size), unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point in a POINT message; 136 bytes.

    Attributes
    ----------
    name, group, owner
        What it is called, what it belongs to (``Labeled Point``, ``Landmark``, ...), which image it lies in.
    rgba
        Colour and opacity, each 0-255.
    position_mm
        x, y, z.
    diameter_mm
        0 for a point without extent.

    """

    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">64s32s4B4f20s")

    name: str
    position_mm: tuple[float, ...]
    group: str = ""
    rgba: tuple[int, ...] = (255, 255, 255, 255)
    diameter_mm: float = 0.0
    owner: str = ""

    def to_bytes(self) -> bytes:
        """Encode as one element of the content."""
        return self.LAYOUT.pack(
            fill(self.name, 64),
            fill(self.group, 32),
            *self.rgba,
            *self.position_mm,
            self.diameter_mm,
            fill(self.owner, 20),
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Decode one element of 136 bytes."""
        name, group, red, green, blue, opacity, x, y, z, diameter_mm, owner = cls.LAYOUT.unpack(raw)
        return cls(
            name=read_text(name),
            group=read_text(group),
            rgba=(red, green, blue, opacity),
            position_mm=(x, y, z),
            diameter_mm=diameter_mm,
            owner=read_text(owner),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """POINT: a list of points, which may be empty."""

    KIND: ClassVar[str] = "POINT"

    points: tuple[Point, ...]

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return b"".join(point.to_bytes() for point in self.points)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 136 bytes a point."""
        size = Point.LAYOUT.size
        if len(content) % size:
            raise FrameError(f"a POINT of {len(content)} bytes; it has {size} for each point", content)
        starts = range(0, len(content), size)
        return cls(points=tuple(Point.from_bytes(content[start : start + size]) for start in starts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """STRING: text of at most 65535 bytes. Written in UTF-8, read in whatever it says it is."""

    KIND: ClassVar[str] = "STRING"
    LAYOUT: ClassVar[struct.Struct] = struct.Struct(">HH")
    CODECS: ClassVar[dict[int, str]] = {ASCII: "ascii", 4: "latin-1", UTF_8: "utf-8"}
    """Python's codecs by IANA's MIBenum; what says another is read as UTF-8."""

    text: str

    def to_bytes(self) -> bytes:
        """Encode as a message's content; ``ValueError`` where the text is too long."""
        raw = self.text.encode()
        if len(raw) > 0xFFFF:
            raise ValueError(f"a STRING has room for 65535 bytes, not {len(raw)}")
        return self.LAYOUT.pack(UTF_8, len(raw)) + raw

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where its length is not what it says."""
        if len(content) < cls.LAYOUT.size:
            raise FrameError(f"a STRING of {len(content)} bytes; it has at least {cls.LAYOUT.size}", content)
        character_set, length = cls.LAYOUT.unpack_from(content)
        raw = content[cls.LAYOUT.size :]
        if len(raw) != length:
            raise FrameError(f"a STRING of {len(raw)} bytes of text that says {length}", content)
        return cls(text=raw.decode(cls.CODECS.get(character_set, "utf-8"), errors="replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """CAPABILITY: the message types that the sender knows; 12 bytes each."""

    KIND: ClassVar[str] = "CAPABILITY"

    kinds: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Encode as a message's content."""
        return b"".join(fill(kind, 12) for kind in self.kinds)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a message's content; raise ``FrameError`` where it is not 12 bytes a type."""
        if len(content) % 12:
            raise FrameError(f"a CAPABILITY of {len(content)} bytes; it has 12 for each type", content)
        starts = range(0, len(content), 12)
        return cls(kinds=tuple(read_text(content[start : start + 12]) for start in starts))

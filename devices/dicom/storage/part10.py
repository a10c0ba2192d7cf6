"""The DICOM file format around a data set (PS3.10 chapter 7): preamble, prefix, file meta information.

Written here instead of through pydicom, which refuses some identifiers that consoles do send. Beside the usual
elements the meta information carries a seal: what was received, so that a file says by itself whether it still is.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Self

from fastcrc import crc64

IMPLEMENTATION_CLASS_UID: Final = "2.25.8495145222267637900756451969585494369"
"""Names this implementation in associations and files (PS3.7 D.3.3.2); from a UUID (PS3.5 B.2)."""

IMPLEMENTATION_VERSION_NAME: Final = "RADIONAV_0_1"

SEAL_CREATOR_UID: Final = "2.25.158113899140870951089146303465507031638"
"""Private Information Creator UID (0002,0100) of our seal; from a UUID."""

PREAMBLE_BYTES: Final = 128

LONGEST_META_BYTES: Final = 65536

_SEAL = struct.Struct(">QQ")


class UnreadableFile(ValueError):
    """Raised when a file is no DICOM file, or its meta information cannot be read."""


class Seal(NamedTuple):
    """What a data set was when it came: its CRC-64/XZ (poly 42F0E1EBA9EA3693, reflected) and its length."""

    checksum: int
    size: int

    def over(self, content: memoryview | bytes) -> "Seal":
        """Give the seal of what this one is of, and ``content`` after it."""
        return Seal(crc64.xz(content, self.checksum), self.size + len(content))

    def to_bytes(self) -> bytes:
        """Encode as Private Information (0002,0102): two 64-bit numbers, big endian."""
        return _SEAL.pack(self.checksum, self.size)


EMPTY: Final = Seal(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """What stands before a stored data set: how it is encoded, what it is, who sent it, and its seal."""

    sop_class_uid: str
    object_uid: str
    transfer_syntax: str
    calling_ae: str
    seal: Seal | None = None

    def to_bytes(self) -> bytes:
        """Encode preamble, prefix and group 2, always explicit VR little endian (PS3.10 table 7.1-1).

        The seal comes last: its 16 bytes end where the data set begins.
        """
        group = b"".join(
            (
                # OB has a reserved field and a 32-bit length (PS3.5 table 7.1-1); version is 00H 01H
                struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01",
                _element(0x0002, b"UI", self.sop_class_uid),
                _element(0x0003, b"UI", self.object_uid),
                _element(0x0010, b"UI", self.transfer_syntax),
                _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
                _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
                _element(0x0016, b"AE", self.calling_ae),
                _element(0x0100, b"UI", SEAL_CREATOR_UID),
                struct.pack("<HH2sHI", 0x0002, 0x0102, b"OB", 0, _SEAL.size) + (self.seal or EMPTY).to_bytes(),
            )
        )
        length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(group))
        return bytes(PREAMBLE_BYTES) + b"DICM" + length + group

    @classmethod
    def read(cls, path: Path) -> tuple[Self, int]:
        """Read the meta information of a file, and where its data set begins.

        Raises
        ------
        UnreadableFile
            Where it has none that can be read.

        """
        with path.open("rb") as file:
            head = file.read(LONGEST_META_BYTES)
        try:
            parsed = cls.parse(head)
        except UnreadableFile as exc:
            raise UnreadableFile(f"{path}: {exc}") from exc
        if parsed is None:
            raise UnreadableFile(f"{path}: its meta information ends before its end")
        return parsed

    @classmethod
    def parse(cls, head: bytes | bytearray) -> tuple[Self, int] | None:
        """Read the meta information from the first bytes of a file; None where more of them are wanted.

        Raises
        ------
        UnreadableFile
            Where it has none that can be read, or more than 64 KB of it.

        """
        start = PREAMBLE_BYTES + len(b"DICM")
        if len(head) < start + 12:
            return None
        if head[PREAMBLE_BYTES:start] != b"DICM":
            raise UnreadableFile("no DICOM file: it has no DICM after its preamble")
        end = start + 12 + int(struct.unpack_from("<I", head, start + 8)[0])
        if end > LONGEST_META_BYTES:
            raise UnreadableFile(f"its meta information is said to have {end} bytes")
        if end > len(head):
            return None
        values = _read_group(bytes(head[start + 12 : end]))
        seal = values.get(0x0102, b"")
        is_ours = _text(values, 0x0100) == SEAL_CREATOR_UID and len(seal) == _SEAL.size
        meta = cls(
            sop_class_uid=_text(values, 0x0002),
            object_uid=_text(values, 0x0003),
            transfer_syntax=_text(values, 0x0010),
            calling_ae=_text(values, 0x0016),
            seal=Seal(*_SEAL.unpack(seal)) if is_ours else None,
        )
        return meta, end


@lru_cache(maxsize=32)  # what is the same in every object of an association
def _element(element: int, vr: bytes, text: str) -> bytes:
    # UI is padded to even length with a null, text with a space (PS3.5 6.2)
    value = text.encode("ascii", errors="replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _read_group(content: bytes) -> dict[int, bytes]:
    values, place = {}, 0
    try:
        while place < len(content):
            _, element, vr, length = struct.unpack_from("<HH2sH", content, place)
            place += 8
            if vr in {b"OB", b"UN"}:
                (length,) = struct.unpack_from("<I", content, place)
                place += 4
            values[element] = content[place : place + length]
            place += length
    except struct.error as exc:
        raise UnreadableFile(f"its meta information cannot be read: {exc}") from exc
    return values


def _text(values: dict[int, bytes], element: int) -> str:
    return values.get(element, b"").decode("ascii", errors="replace").strip("\0 ")


def data_set_offset(path: Path) -> int:
    """Where the data set begins in a DICOM file; raises ``UnreadableFile``."""
    return FileMeta.read(path)[1]


def is_sound(path: Path) -> bool:
    """Whether a file still holds what its seal says was received; one without a seal cannot say, and is not.

    Reads all of it.

    Raises
    ------
    OSError, UnreadableFile
        Where it cannot be read at all.

    """
    meta, offset = FileMeta.read(path)
    return measure(path, offset) == meta.seal


def measure(path: Path, offset: int) -> Seal:
    """Give the seal of what stands in a file from ``offset`` on; reads all of it."""
    seal = EMPTY
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(1 << 20):
            seal = seal.over(chunk)
    return seal


def is_same_object(first: Path, second: Path) -> bool:
    """Whether two files hold the same bytes in the same transfer syntax; who sent them does not matter."""
    (one, one_offset), (other, other_offset) = FileMeta.read(first), FileMeta.read(second)
    size = first.stat().st_size - one_offset
    if one.transfer_syntax != other.transfer_syntax or size != second.stat().st_size - other_offset:
        return False
    with first.open("rb") as mine, second.open("rb") as others:
        mine.seek(one_offset)
        others.seek(other_offset)
        while chunk := mine.read(1 << 20):
            if chunk != others.read(len(chunk)):
                return False
    return True

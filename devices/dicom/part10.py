"""The DICOM file format around a data set (PS3.10 chapter 7): preamble, prefix, file meta information.

Written here in 30 lines instead of through pydicom, which refuses some identifiers that consoles do send.
"""

import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_file_meta_info

IMPLEMENTATION_CLASS_UID = "2.25.8495145222267637900756451969585494369"
"""Names this implementation in associations and files (PS3.7 D.3.3.2); from a UUID (PS3.5 B.2)."""

IMPLEMENTATION_VERSION_NAME = "RADIONAV_0_1"

PREAMBLE_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMeta:
    """What stands before a stored data set: how it is encoded, what it is, and who sent it."""

    sop_class_uid: str
    object_uid: str
    transfer_syntax: str
    calling_ae: str

    def to_bytes(self) -> bytes:
        """Encode preamble, prefix and group 2, always explicit VR little endian (PS3.10 table 7.1-1)."""
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
            )
        )
        length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(group))
        return bytes(PREAMBLE_BYTES) + b"DICM" + length + group


def _element(element: int, vr: bytes, text: str) -> bytes:
    # UI is padded to even length with a null, text with a space (PS3.5 6.2)
    value = text.encode("ascii", errors="replace")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def data_set_offset(path: Path) -> int:
    """Where the data set begins in a file of this node."""
    with path.open("rb") as file:
        file.seek(PREAMBLE_BYTES + len(b"DICM"))
        _, _, _, _, length = struct.unpack("<HH2sHI", file.read(12))
    return PREAMBLE_BYTES + len(b"DICM") + 12 + int(length)


def read_sender(path: Path) -> str:
    """AE title that sent a stored file, from its file meta (0002,0016); empty where it does not say."""
    return str(read_file_meta_info(path).get("SourceApplicationEntityTitle", "")).strip()


def is_same_object(path: Path, data_set: BytesIO, *, transfer_syntax: str) -> bool:
    """Whether a stored file holds these very bytes in this transfer syntax."""
    offset = data_set_offset(path)
    with data_set.getbuffer() as sent, path.open("rb") as file:
        if path.stat().st_size - offset != len(sent):
            return False
        if str(read_file_meta_info(path).TransferSyntaxUID) != transfer_syntax:
            return False
        file.seek(offset)
        place = 0
        while chunk := file.read(1 << 20):
            if chunk != sent[place : place + len(chunk)]:
                return False
            place += len(chunk)
    return True

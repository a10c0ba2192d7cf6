"""Protocol data units of the DICOM upper layer (PS3.8 section 9.3): types, headers, lengths.

Ours instead of pynetdicom's, here and beside: its decoder raises whatever its parser trips over and aborts on a
UID of more than 64 characters, where the sender is owed a status.
"""

import struct
from typing import Final

HEADER_BYTES: Final = 6
ASSOCIATE_RQ: Final = 0x01
ASSOCIATE_AC: Final = 0x02
ASSOCIATE_RJ: Final = 0x03
P_DATA_TF: Final = 0x04
RELEASE_RQ: Final = 0x05
RELEASE_RP: Final = 0x06
ABORT: Final = 0x07

MAXIMUM_PDU_BYTES: Final = 131072
"""Offered to the peer. Never 0 for unlimited: GE scanners reject associations that carry it."""

ASSOCIATE_PDU_BYTES: Final = 524288
"""Longest A-ASSOCIATE PDU: 128 presentation contexts, each with 40 transfer syntaxes, fit."""

FIXED_PDU_BYTES: Final = 4
"""Length of every other PDU."""


_HEADER: Final = struct.Struct(">BxL")


class MalformedPdu(ValueError):
    """Raised when a PDU's own bytes contradict each other, or its header is none that may come."""


def read_header(header: bytes | memoryview | bytearray, offset: int = 0) -> tuple[int, int]:
    """Type and length of the PDU whose six-byte header begins at ``offset``."""
    kind, length = _HEADER.unpack_from(header, offset)
    return kind, length


def longest_pdu(kind: int) -> int:
    """Greatest length that a PDU of a type may announce; -1 for a type that is none."""
    if kind == P_DATA_TF:
        return MAXIMUM_PDU_BYTES
    if kind in {ASSOCIATE_RQ, ASSOCIATE_AC}:
        return ASSOCIATE_PDU_BYTES
    return FIXED_PDU_BYTES if kind in {ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT} else -1


def encode_fixed(kind: int, *, source: int = 0, reason: int = 0, result: int = 0) -> bytes:
    """Encode a release or an abort, or a rejection with its result (PS3.8 9.3.4 and 9.3.6 to 9.3.8)."""
    return struct.pack(">BxLxBBB", kind, FIXED_PDU_BYTES, result, source, reason)

"""P-DATA-TF PDUs: the fragments of messages that they carry (PS3.8 9.3.5 and annex E)."""

import struct
from typing import Final, NamedTuple

from devices.dicom.upper_layer.pdus import MAXIMUM_PDU_BYTES, P_DATA_TF, MalformedPdu

SMALLEST_PDU_BYTES: Final = 64
"""A peer that wants shorter PDUs than this is taken to want these; a fragment needs 6 bytes before its first."""


_HEADER: Final = struct.Struct(">LBB")


class Fragment(NamedTuple):
    """A presentation data value: part of a command set or of a data set (PS3.8 9.3.5.1 and annex E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    content: memoryview


def read_fragments(content: memoryview) -> list[Fragment]:
    """Give the fragments of a P-DATA-TF, without copying.

    Raises
    ------
    MalformedPdu
        Where a fragment's length is not within the PDU.

    """
    fragments, place, end = [], 0, len(content)
    while place < end:
        if end - place < 6:
            raise MalformedPdu(f"{end - place} bytes after the last fragment of a P-DATA")
        length, context_id, control = _HEADER.unpack_from(content, place)
        if length < 2 or place + 4 + length > end:
            raise MalformedPdu(f"a fragment of {length} bytes where the P-DATA has {end - place - 4} left")
        value = content[place + 6 : place + 4 + length]
        fragments.append(Fragment(context_id, bool(control & 1), bool(control & 2), value))
        place += 4 + length
    return fragments


def encode_message(
    context_id: int, command: bytes, data_set: bytes | None = None, *, maximum_pdu_bytes: int
) -> bytes:
    """Encode a DIMSE message as P-DATA-TF PDUs to be written at once, each no longer than the peer takes."""
    room = max(maximum_pdu_bytes or MAXIMUM_PDU_BYTES, SMALLEST_PDU_BYTES) - 6
    parts = [(command, 0x01)] if data_set is None else [(command, 0x01), (data_set, 0x00)]
    return b"".join(
        struct.pack(
            ">BxLLBB",
            P_DATA_TF,
            len(piece) + 6,
            len(piece) + 2,
            context_id,
            control | (0x02 if start + room >= len(part) else 0),
        )
        + piece
        for part, control in parts
        for start in range(0, max(len(part), 1), room)
        for piece in [part[start : start + room]]
    )

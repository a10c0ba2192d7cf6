"""Which object is it: the identifiers that a data set carries, read without trusting it."""

import re
import zlib
from dataclasses import dataclass

from devices.dicom.storage.elements import Read, UnreadableObject, walk

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes whose whole data set is deflated (PS3.5 A.5)."""

INFLATED_HEAD_BYTES = 1 << 22
"""How much of a deflated data set is inflated to find its identifiers: bounds a decompression bomb."""

DEFLATED_CHUNK_BYTES = 1 << 16

SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D

_WANTED = frozenset({SOP_INSTANCE_UID, STUDY_INSTANCE_UID})

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identifiers that a data set carries."""

    object_uid: str
    study_uid: str


def checked_uid(text: str, *, name: str) -> str:
    """Return a UID that is digits and dots, at most 64 of them (PS3.5 chapter 9), padding removed.

    Nothing that passes can name a folder above, a shell command or a long path. Components with leading zeros
    do not conform but are sent, and are let through.

    Raises
    ------
    UnreadableObject
        For every other text.

    """
    uid = text.rstrip("\0 ")
    if len(uid) > 64 or _UID.fullmatch(uid) is None:
        raise UnreadableObject(f"{name} is no UID: {text[:80]!r}")
    return uid


def read_identity(read: Read, size: int, *, transfer_syntax: str) -> Identity:
    """Read SOP Instance UID (0008,0018) and Study Instance UID (0020,000D) from a data set of ``size`` bytes.

    The whole data set is walked, header by header, so that one cut short on its way is told; no pixel is touched.
    Of a deflated one only the head is inflated, and only that is walked.

    Raises
    ------
    UnreadableObject
        Where the data set does not hold together, or one of the two is missing or no UID.

    """
    read, size, is_whole = open_data_set(read, size, transfer_syntax=transfer_syntax)
    values = walk(read, size, transfer_syntax=transfer_syntax, wanted=_WANTED, is_whole=is_whole)
    return Identity(
        object_uid=_uid(values, SOP_INSTANCE_UID, "SOP Instance UID (0008,0018)"),
        study_uid=_uid(values, STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)"),
    )


def open_data_set(read: Read, size: int, *, transfer_syntax: str) -> tuple[Read, int, bool]:
    """Give what can be walked of a data set, and whether that is all of it: of a deflated one the inflated head.

    Raises
    ------
    UnreadableObject
        Where it cannot be inflated.

    """
    if transfer_syntax not in DEFLATED:
        return read, size, True
    head, is_whole = _inflated_head(read)
    return _reader(head), len(head), is_whole


def _reader(content: bytes) -> Read:
    return lambda place, size: content[place : place + size]


def _inflated_head(read: Read) -> tuple[bytes, bool]:
    # raw deflate without a zlib header (PS3.5 A.5)
    inflater, head, place = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0
    try:
        while not inflater.eof and len(head) < INFLATED_HEAD_BYTES:
            chunk = inflater.unconsumed_tail or read(place, DEFLATED_CHUNK_BYTES)
            if not chunk:
                raise UnreadableObject("the deflated data set ends before its end: cut short on its way")
            if not inflater.unconsumed_tail:
                place += len(chunk)
            head += inflater.decompress(chunk, INFLATED_HEAD_BYTES - len(head))
    except zlib.error as exc:
        raise UnreadableObject(f"the deflated data set cannot be inflated: {exc}") from exc
    return bytes(head), inflater.eof


def _uid(values: dict[int, bytes], tag: int, name: str) -> str:
    value = values.get(tag, b"")
    if not value:
        raise UnreadableObject(f"{name} is missing")
    return checked_uid(value.decode("ascii", errors="replace"), name=name)

"""Which object is it: the identifiers at the head of a data set, read without trusting it."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

IMPLICIT_VR = frozenset({"1.2.840.10008.1.2", "1.2.840.113619.5.2"})
"""Transfer syntaxes without explicit VR: the default one, and GE's private one with big-endian pixels."""

BIG_ENDIAN = frozenset({"1.2.840.10008.1.2.2"})

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes whose whole data set is deflated (PS3.5 A.5)."""

INFLATED_HEAD_BYTES = 1 << 22
"""How much of a deflated data set is inflated to find its identifiers: bounds a decompression bomb."""

SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class UnreadableObject(ValueError):
    """Raised when a data set does not say, or not legibly, which object of which study it is."""


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


def read_identity(data_set: BytesIO, *, transfer_syntax: str) -> Identity:
    """Read SOP Instance UID (0008,0018) and Study Instance UID (0020,000D) from the head of a data set.

    Nothing after (0020,000D) is read, no pixel is touched, and no value is decoded.

    Raises
    ------
    UnreadableObject
        Where the head cannot be parsed or one of the two is missing or no UID.

    """
    data_set.seek(0)
    if transfer_syntax in DEFLATED:
        data_set = _inflated_head(data_set)
    try:
        head = read_dataset(
            data_set,
            is_implicit_VR=transfer_syntax in IMPLICIT_VR,
            is_little_endian=transfer_syntax not in BIG_ENDIAN,
            stop_when=_is_past_study,
        )
    except Exception as exc:  # hostile bytes: pydicom raises whatever its parser trips over
        raise UnreadableObject(f"the data set cannot be parsed as {transfer_syntax}: {exc}") from exc
    return Identity(
        object_uid=_uid(head, SOP_INSTANCE_UID, "SOP Instance UID (0008,0018)"),
        study_uid=_uid(head, STUDY_INSTANCE_UID, "Study Instance UID (0020,000D)"),
    )


def _is_past_study(tag: BaseTag, vr: str | None, length: int) -> bool:  # noqa: ARG001 - pydicom's signature
    return int(tag) > STUDY_INSTANCE_UID


def _inflated_head(data_set: BytesIO) -> BytesIO:
    # raw deflate without a zlib header (PS3.5 A.5)
    try:
        return BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set.getbuffer(), INFLATED_HEAD_BYTES))
    except zlib.error as exc:
        raise UnreadableObject(f"the deflated data set cannot be inflated: {exc}") from exc


def _uid(head: Dataset, tag: int, name: str) -> str:
    element = head.get_item(tag) if tag in head else None
    if not isinstance(element, RawDataElement) or not element.value:
        raise UnreadableObject(f"{name} is missing")
    return checked_uid(element.value.decode("ascii", errors="replace"), name=name)

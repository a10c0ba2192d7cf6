"""Storage commitment (PS3.4 annex J): what is asked for, what is answered, in bytes; no network, no disk."""

import struct
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from devices.dicom.storage.elements import UnreadableObject, encode_element, walk, walk_items
from devices.dicom.storage.identity import checked_uid

PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""Well-known SOP instance of the push model (PS3.4 J.3.5)."""

REQUEST_COMMITMENT: Final = 1
"""The one action type (PS3.4 table J.3-1)."""

ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event types (PS3.4 J.3.3)."""

PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
"""Reasons of failure (PS3.3 C.14.1.1)."""

TRANSACTION_UID: Final = 0x00081195
FAILURE_REASON: Final = 0x00081197
FAILED_SOP_SEQUENCE: Final = 0x00081198
REFERENCED_SOP_SEQUENCE: Final = 0x00081199
REFERENCED_SOP_CLASS_UID: Final = 0x00081150
REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155

LONGEST_REQUEST_BYTES: Final = 16_000_000
"""Some 100,000 instances."""

EXPLICIT: Final = "1.2.840.10008.1.2.1"


class Reference(Struct, frozen=True, kw_only=True):
    """One object for which commitment is asked."""

    sop_class_uid: str
    object_uid: str


class Failure(Struct, frozen=True, kw_only=True):
    """One object that is not committed, and why."""

    reference: Reference
    reason: int


class Transaction(Struct, frozen=True, kw_only=True):
    """A request for commitment and, once it has been looked into, its outcome.

    Attributes
    ----------
    transaction_uid
        The sender's name for it.
    calling_ae
        Who asked, and is to be told.
    references
        What it asked for.
    failures
        What is not committed; None until it has been looked into.

    """

    transaction_uid: str
    calling_ae: str
    references: tuple[Reference, ...]
    failures: tuple[Failure, ...] | None = None


def decode_transaction(content: bytes, *, transfer_syntax: str, calling_ae: str) -> Transaction:
    """Decode the data set of an N-ACTION (PS3.4 table J.3-2).

    Raises
    ------
    UnreadableObject
        Where it does not hold together, or a UID is missing or none.

    """

    def read(place: int, size: int) -> bytes:
        return content[place : place + size]

    size = len(content)
    values = walk(read, size, transfer_syntax=transfer_syntax, wanted=frozenset({TRANSACTION_UID}))
    items = walk_items(
        read,
        size,
        REFERENCED_SOP_SEQUENCE,
        transfer_syntax=transfer_syntax,
        wanted=frozenset({REFERENCED_SOP_CLASS_UID, REFERENCED_SOP_INSTANCE_UID}),
    )
    if not items:
        raise UnreadableObject("Referenced SOP Sequence (0008,1199) is missing or empty")
    return Transaction(
        transaction_uid=_uid(values, TRANSACTION_UID, "Transaction UID (0008,1195)"),
        calling_ae=calling_ae,
        references=tuple(
            Reference(
                sop_class_uid=_uid(item, REFERENCED_SOP_CLASS_UID, "Referenced SOP Class UID (0008,1150)"),
                object_uid=_uid(item, REFERENCED_SOP_INSTANCE_UID, "Referenced SOP Instance UID (0008,1155)"),
            )
            for item in items
        ),
    )


def encode_report(transaction: Transaction, *, transfer_syntax: str) -> tuple[int, bytes]:
    """Encode an outcome as event type and data set of an N-EVENT-REPORT (PS3.4 tables J.3-3 and J.3-4)."""
    is_explicit = transfer_syntax == EXPLICIT
    failures = transaction.failures or ()
    failed = {failure.reference for failure in failures}
    committed = [reference for reference in transaction.references if reference not in failed]
    data_set = _uid_element(TRANSACTION_UID, transaction.transaction_uid, is_explicit=is_explicit)
    if failures:
        items = [
            _reference(failure.reference, is_explicit=is_explicit)
            + encode_element(FAILURE_REASON, b"US", struct.pack("<H", failure.reason), is_explicit=is_explicit)
            for failure in failures
        ]
        data_set += _sequence(FAILED_SOP_SEQUENCE, items, is_explicit=is_explicit)
    if committed:
        items = [_reference(reference, is_explicit=is_explicit) for reference in committed]
        data_set += _sequence(REFERENCED_SOP_SEQUENCE, items, is_explicit=is_explicit)
    return SOME_FAILED if failures else ALL_COMMITTED, data_set


def _uid(values: dict[int, bytes], tag: int, name: str) -> str:
    return checked_uid(values.get(tag, b"").decode("ascii", errors="replace").strip("\0 "), name=name)


def _reference(reference: Reference, *, is_explicit: bool) -> bytes:
    return _uid_element(REFERENCED_SOP_CLASS_UID, reference.sop_class_uid, is_explicit=is_explicit) + _uid_element(
        REFERENCED_SOP_INSTANCE_UID, reference.object_uid, is_explicit=is_explicit
    )


def _uid_element(tag: int, uid: str, *, is_explicit: bool) -> bytes:
    value = uid.encode("ascii")
    return encode_element(tag, b"UI", value + b"\0" * (len(value) % 2), is_explicit=is_explicit)


def _sequence(tag: int, items: Sequence[bytes], *, is_explicit: bool) -> bytes:
    content = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    vr = b"SQ\0\0" if is_explicit else b""
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack("<L", len(content)) + content

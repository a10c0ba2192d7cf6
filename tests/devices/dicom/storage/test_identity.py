import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dicom.storage.elements import UnreadableObject
from devices.dicom.storage.identity import Identity, checked_uid, read_identity

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPECTED = Identity(object_uid="1.2.3.4.5", study_uid="1.2.3")


def identify(data_set: bytes, *, transfer_syntax: str) -> Identity:
    def read(place: int, size: int) -> bytes:
        return data_set[place : place + size]

    return read_identity(read, len(data_set), transfer_syntax=transfer_syntax)


def test_explicit_little_endian_is_read(thing: Any) -> None:
    """The two UIDs come out of an explicit VR data set, padding removed."""
    assert identify(thing().data_set, transfer_syntax=EXPLICIT) == EXPECTED


def test_implicit_little_endian_is_read() -> None:
    """The default transfer syntax has no VR between tag and length (PS3.5 7.1.3)."""
    data_set = b"".join(
        struct.pack("<HHL", group, element, len(value)) + value
        for group, element, value in ((0x8, 0x18, b"1.2.3.4.5\0"), (0x20, 0xD, b"1.2.3\0"))
    )
    assert identify(data_set, transfer_syntax=IMPLICIT) == EXPECTED


def test_big_endian_is_read() -> None:
    """The retired big-endian transfer syntax is still met in archives."""
    data_set = b"".join(
        struct.pack(">HH2sH", group, element, b"UI", len(value)) + value
        for group, element, value in ((0x8, 0x18, b"1.2.3.4.5\0"), (0x20, 0xD, b"1.2.3\0"))
    )
    assert identify(data_set, transfer_syntax=BIG) == EXPECTED


def test_deflated_is_read_without_inflating_a_bomb(thing: Any) -> None:
    """A deflated data set that inflates to 200 MB is identified from its head alone."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(thing().data_set + struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 200_000_000))
    packed += b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    assert identify(packed, transfer_syntax=DEFLATED) == EXPECTED


def test_a_deflated_data_set_cut_short_is_refused(thing: Any) -> None:
    """Its identifiers are there, and its end is not: it was not received as it was sent."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(thing(note="n" * 60_000).data_set) + packer.flush()
    assert identify(packed, transfer_syntax=DEFLATED) == EXPECTED
    with pytest.raises(UnreadableObject, match="cut short"):
        identify(packed[:-2], transfer_syntax=DEFLATED)


def test_a_missing_study_uid_is_named() -> None:
    """The refusal says which attribute is missing, with its tag."""
    data_set = struct.pack("<HH2sH", 0x8, 0x18, b"UI", 10) + b"1.2.3.4.5\0"
    with pytest.raises(UnreadableObject, match=r"Study Instance UID \(0020,000D\) is missing"):
        identify(data_set, transfer_syntax=EXPLICIT)


def test_deep_nesting_is_refused_not_followed() -> None:
    """Ten thousand sequences within each other end in a refusal."""
    nested = struct.pack("<HH2sHL", 0x8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    with pytest.raises(UnreadableObject):
        identify(nested * 10_000, transfer_syntax=EXPLICIT)


@pytest.mark.parametrize("uid", ["1.2.840.10008", "2.25.0", "1.02.3", "1" * 64, "1.2.3\0", "1.2.3 "])
def test_uids_that_are_sent_are_accepted(uid: str) -> None:
    """Padding is removed, and components with leading zeros are let through."""
    assert checked_uid(uid, name="UID") == uid.rstrip("\0 ")


@given(st.text(max_size=80))
def test_a_checked_uid_is_harmless_as_a_file_name(text: str) -> None:
    """Whatever passes is at most 64 digits and single dots."""
    try:
        uid = checked_uid(text, name="UID")
    except UnreadableObject:
        return
    assert 0 < len(uid) <= 64
    assert set(uid) <= set("0123456789.")
    assert ".." not in uid
    assert not uid.startswith(".")


@given(st.binary(max_size=400), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]))
def test_garbage_is_refused_with_one_kind_of_error(content: bytes, transfer_syntax: str) -> None:
    """No bytes make the reader raise anything but its own refusal."""
    with pytest.raises(UnreadableObject):
        identify(content, transfer_syntax=transfer_syntax)

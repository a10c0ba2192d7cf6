"""Whole PDUs out of bytes, however they come."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dicom.upper_layer.assembly import BUFFER_BYTES, Assembly
from devices.dicom.upper_layer.pdus import ABORT, ASSOCIATE_RQ, MAXIMUM_PDU_BYTES, P_DATA_TF, MalformedPdu

lengths = st.one_of(st.integers(0, 600), st.sampled_from((8186, 8187, 100_000, MAXIMUM_PDU_BYTES)))


def pdu(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(content)) + content


def fill(assembly: Assembly, content: bytes) -> int:
    room = assembly.room[: len(content)]
    room[:] = content[: len(room)]
    assembly.add(len(room))
    return len(room)


@given(st.lists(lengths, min_size=1, max_size=5), st.lists(st.integers(1, 200_000), min_size=1, max_size=8))
def test_the_same_pdus_come_out_however_they_come_in(sizes: list[int], pieces: list[int]) -> None:
    """Neither the size of a read nor where it ends changes a PDU, and the buffer never grows past two of them."""
    sent = [(P_DATA_TF, bytes([number]) * size) for number, size in enumerate(sizes)]
    stream = b"".join(pdu(kind, content) for kind, content in sent)
    assembly, taken, place, number = Assembly(), [], 0, 0
    while place < len(stream):
        place += fill(assembly, stream[place : place + pieces[number % len(pieces)]])
        number += 1
        while (found := assembly.take()) is not None:
            taken.append((found[0], bytes(found[1])))
        assembly.settle()
        assert 0 < len(assembly.room) <= BUFFER_BYTES
    assert taken == sent
    assert not assembly.pending


@given(st.integers(0, MAXIMUM_PDU_BYTES), st.integers(0, MAXIMUM_PDU_BYTES + 6))
def test_what_is_missing_is_what_makes_it_whole(size: int, there: int) -> None:
    """With so many bytes more it can be taken, with one fewer not; before its header that is not known."""
    whole = pdu(P_DATA_TF, bytes(size))
    there = min(there, len(whole))
    assembly = Assembly()
    assembly.widen()
    fill(assembly, whole[:there])
    assert assembly.missing == (0 if there < 6 else len(whole) - there)
    if assembly.missing:
        fill(assembly, whole[there:-1])
        assert assembly.take() is None
        fill(assembly, whole[-1:])
        assert assembly.take() is not None


@pytest.mark.parametrize(
    ("kind", "length", "sentence"),
    [
        (P_DATA_TF, MAXIMUM_PDU_BYTES + 1, "131073 bytes was announced, 131072 is the greatest"),
        (P_DATA_TF, 0xFFFFFFFF, "4294967295 bytes was announced"),
        (ASSOCIATE_RQ, 524289, "524288 is the greatest"),
        (ABORT, 3, "3 bytes was announced"),
        (ABORT, 5, "5 bytes was announced"),
        (0x08, 4, "0x08 is no type of a PDU"),
    ],
)
def test_a_header_that_may_not_come_is_refused_by_itself(kind: int, length: int, sentence: str) -> None:
    """Nothing is waited for, and no room made, for a PDU that its header already rules out."""
    assembly = Assembly()
    fill(assembly, struct.pack(">BxL", kind, length))
    room = len(assembly.room)
    if length > 5:
        assert assembly.missing == 0
    with pytest.raises(MalformedPdu, match=sentence):
        assembly.take()
    assembly.settle()
    assert len(assembly.room) == room

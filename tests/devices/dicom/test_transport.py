import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.dicom.transport import MAXIMUM_PDU_BYTES, Limits, PduBudget

LIMITS = Limits(unstored_bytes=1_000_000, silent_connections=2, pdu_time_s=30.0)


def _header(length: int, kind: int = 4) -> bytes:
    return struct.pack(">BxL", kind, length)


def test_a_pdu_longer_than_offered_is_refused_by_its_length() -> None:
    """Three hundred megabytes in one PDU are refused before one byte of them is read."""
    budget = PduBudget(LIMITS, clock=lambda: 0.0)
    with pytest.raises(ConnectionAbortedError, match="300000000"):
        budget.received(_header(300_000_000))


def test_the_greatest_offered_pdu_passes() -> None:
    """The limit is the one that was offered, not one less."""
    budget = PduBudget(LIMITS, clock=lambda: 0.0)
    budget.received(_header(MAXIMUM_PDU_BYTES))
    assert budget.wanted(10**9) == MAXIMUM_PDU_BYTES


def test_what_is_not_dealt_with_is_bounded_and_settling_makes_room() -> None:
    """An object without end is refused, and many objects that are stored in turn are not."""
    budget = PduBudget(LIMITS, clock=lambda: 0.0)
    for _ in range(100):
        budget.received(_header(100_000))
        budget.received(bytes(100_000))
        budget.settle(100_000)
    for _ in range(10):
        budget.received(_header(100_000))
        budget.received(bytes(100_000))
    with pytest.raises(ConnectionAbortedError, match="maximum_object_mb"):
        budget.received(_header(100_000))


def test_a_pdu_that_trickles_is_given_up() -> None:
    """One byte now and then does not hold an association for ever."""
    now_s = 0.0
    budget = PduBudget(LIMITS, clock=lambda: now_s)
    budget.received(_header(100))
    now_s = 29.0
    budget.received(b"x")
    now_s = 31.0
    with pytest.raises(TimeoutError, match="30 s"):
        budget.received(b"x")


@given(
    st.lists(st.integers(min_value=1, max_value=300), min_size=1, max_size=4),
    st.lists(st.integers(min_value=1, max_value=400), min_size=1),
)
def test_any_chunking_follows_the_same_pdus(lengths: list[int], chunks: list[int]) -> None:
    """However the stream is cut, reads stop at the end of each header and each PDU."""
    stream = b"".join(_header(length) + bytes(length) for length in lengths)
    budget, place, starts = PduBudget(LIMITS, clock=lambda: 0.0), 0, []
    for chunk in itertools.cycle(chunks):
        size = min(budget.wanted(chunk), len(stream) - place)
        budget.received(stream[place : place + size])
        place += size
        if budget.wanted(10**9) == 6:
            starts.append(place)
        if place == len(stream):
            break
    ends = [6 * (n + 1) + sum(lengths[: n + 1]) for n in range(len(lengths))]
    assert sorted(set(starts) & set(ends)) == ends
    assert budget.has_spoken

"""Cutting bytes into frames: the same whatever the chunks, bounded whatever comes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.framing import Frame, GapSplitter, LineSplitter
from devices.probes.amptek_packets import ACK_OK, STATUS, Packet, answer_splitter


def _chunks(raw: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(raw) + 1) for cut in cuts} | {0, len(raw)})
    return [raw[start:stop] for start, stop in pairwise(places)]


CUTS = st.lists(st.integers(min_value=0), max_size=20)


@given(
    lines=st.lists(st.binary(min_size=1, max_size=20).filter(lambda raw: not set(raw) & {10, 13}), max_size=8),
    end=st.sampled_from([b"\r", b"\n", b"\r\n"]),
    cuts=CUTS,
)
def test_lines_are_the_same_for_every_chunking(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    """CR, LF or CRLF, in one piece or many: the same lines come out."""
    raw = b"".join(line + end for line in lines)
    splitter = LineSplitter()
    frames = [frame.raw for chunk in _chunks(raw, cuts) for frame in splitter.feed(chunk, 0.0)]
    assert frames == lines


def test_a_line_began_when_its_first_byte_came() -> None:
    """A line in three chunks carries the time of the first, and the next line its own."""
    splitter = LineSplitter()
    assert splitter.feed(b"CPS, ", 1.0) == []
    assert splitter.feed(b"1", 2.0) == []
    assert splitter.feed(b"2\r\nCP", 3.0) == [Frame(raw=b"CPS, 12", began_at_s=1.0)]
    assert splitter.feed(b"S\n", 4.0) == [Frame(raw=b"CPS", began_at_s=3.0)]


def test_an_endless_line_is_dropped_up_to_its_end() -> None:
    """A line longer than allowed is counted once and dropped; the next one is whole."""
    splitter = LineSplitter(greatest_length=8)
    for _ in range(1000):
        assert splitter.feed(b"abc", 0.0) == []
        assert len(splitter._held) <= 8
    assert [frame.raw for frame in splitter.feed(b"\nnext\n", 1.0)] == [b"next"]
    assert splitter.rejected == 1


OK = Packet(pid=ACK_OK).to_bytes()
STATUS_PACKET = Packet(pid=STATUS, payload=bytes(range(64))).to_bytes()


@given(packets=st.lists(st.sampled_from([OK, STATUS_PACKET]), max_size=6), cuts=CUTS)
def test_packets_are_the_same_for_every_chunking(packets: list[bytes], cuts: list[int]) -> None:
    """In one piece or many, the same packets come out and nothing is refused."""
    splitter = answer_splitter()
    frames = [frame.raw for chunk in _chunks(b"".join(packets), cuts) for frame in splitter.feed(chunk, 0.0)]
    assert frames == packets
    assert splitter.rejected == 0


@given(noise=st.binary(max_size=60), cuts=CUTS)
def test_refusals_are_the_same_for_every_chunking(noise: bytes, cuts: list[int]) -> None:
    """Noise, then packets: what is found and what is counted does not depend on the chunks."""
    raw = noise + OK + STATUS_PACKET
    whole, pieces = answer_splitter(), answer_splitter()
    expected = [frame.raw for frame in whole.feed(raw, 0.0)]
    found = [frame.raw for chunk in _chunks(raw, cuts) for frame in pieces.feed(chunk, 0.0)]
    assert found == expected
    assert pieces.rejected == whole.rejected


def test_a_packet_began_when_its_sync_came() -> None:
    """The first byte of the packet counts, not the noise before it and not its end."""
    splitter = answer_splitter()
    assert splitter.feed(b"\x00\x00\xf5", 1.0) == []
    assert splitter.feed(OK[1:4], 2.0) == []
    assert splitter.feed(OK[4:], 3.0) == [Frame(raw=OK, began_at_s=1.0)]


def test_a_start_in_mid_stream_costs_one_refusal() -> None:
    """The tail of a packet is one refusal, and the packet behind it is read."""
    splitter = answer_splitter()
    assert [frame.raw for frame in splitter.feed(STATUS_PACKET[20:] + OK, 0.0)] == [OK]
    assert splitter.rejected == 1


def test_a_packet_inside_a_false_length_is_found() -> None:
    """A header whose length was damaged upwards swallows what follows only until the driver gives up."""
    damaged = bytes.fromhex("F5FAFF050190")
    splitter = answer_splitter()
    assert splitter.feed(damaged + OK, 0.0) == []
    assert [frame.raw for frame in splitter.give_up()] == [OK]
    assert splitter.rejected == 1


def test_giving_up_on_nothing_does_nothing() -> None:
    """With nothing in hand there is nothing to refuse."""
    splitter = answer_splitter()
    assert splitter.give_up() == []
    assert splitter.rejected == 0


def test_bursts_are_cut_by_pauses_alone() -> None:
    """What comes within the gap belongs together, whatever it is; a burst is over with the next or in time."""
    splitter = GapSplitter(gap_s=0.1, greatest_length=8)
    assert splitter.feed(b"\x00", 1.0) == []
    assert splitter.feed(b"\x1c", 1.05) == []
    assert splitter.settle_at_s == pytest.approx(1.15)
    assert splitter.settle(1.1) == []
    assert splitter.feed(b"\x00\x1d", 2.0) == [Frame(raw=b"\x00\x1c", began_at_s=1.0)]
    assert splitter.settle(2.11) == [Frame(raw=b"\x00\x1d", began_at_s=2.0)]
    assert splitter.settle(9.0) == []


def test_a_burst_without_end_is_dropped_up_to_the_next_pause() -> None:
    """Noise that never pauses is held no further than allowed, counted once, and forgotten at the pause."""
    splitter = GapSplitter(gap_s=0.1, greatest_length=8)
    for step in range(100):
        assert splitter.feed(b"\xff" * 5, 1.0 + step * 0.05) == []
    assert splitter.rejected == 1
    splitter.feed(b"\x00\x1c", 7.0)
    assert splitter.settle(7.2) == [Frame(raw=b"\x00\x1c", began_at_s=7.0)]

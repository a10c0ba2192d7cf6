"""The memory of a Ludlum 3030: its lines, and which of them are believed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FrameError
from devices.probes.ludlum3030_memory import Memory, Sample
from tests.devices.probes.sample_counter import sample


def test_the_manuals_layout() -> None:
    """``ssss MM/DD/YY HH:MM:SS aaaaaa bbbbbb ttttt.t x cccccccccc`` and CR LF: 59 bytes."""
    line = b"0017 11/28/26 08:15:30 000003 012345 00060.0 S swab 3    \r\n"
    assert len(line) == 59
    read = Sample.from_bytes(line[:-2])
    assert read == Sample(
        number=17, date="11/28/26", time="08:15:30", alpha=3, beta=12345, seconds=60.0, comment="swab 3    "
    )
    assert read.to_bytes() == line
    assert [read.counts(channel) for channel in ("beta", "alpha", "sum")] == [12345, 3, 12348]
    blanks = b"  17 11/28/26  8:15:30      3  12345    60.0 C           "
    assert Sample.from_bytes(blanks).beta == 12345


@pytest.mark.parametrize(
    "line",
    [
        b"0017 11/28/26 08:15:30 000003 012345 00060.0 S swab 3   ",  # a byte is missing
        b"0 17 11/28/26 08:15:30 000003 012345 00060.0 S swab 3    ",  # a digit is missing
        b"0017 11/28/26 08:15:30 00003  012345 00060.0 S swab 3    ",
        b"0017 11/28/26 08:15:30 000003 012345 00000.0 S swab 3    ",  # no time at all
        b"0017 11/28/26 08:15:30 000003 012345 00060.0 X swab 3    ",
        b"ERROR-RS",
    ],
)
def test_what_is_no_sample_is_refused(line: bytes) -> None:
    """Fields stand in their places, in full."""
    with pytest.raises(FrameError):
        Sample.from_bytes(line)


@given(
    number=st.integers(0, 9999),
    counts=st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)),
    tenths=st.integers(1, 999_999),
    unit=st.sampled_from("SCD"),
    comment=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=10),
)
def test_any_sample_is_read_as_it_was_written(
    number: int, counts: tuple[int, int], tenths: int, unit: str, comment: str
) -> None:
    """Written and read it is the same, in 59 bytes."""
    alpha, beta = counts
    written = sample(number, alpha=alpha, beta=beta, seconds=tenths / 10, unit=unit, comment=comment.ljust(10))
    assert len(written.to_bytes()) == 59
    assert Sample.from_bytes(written.to_bytes()[:-2]) == written


@given(st.binary(max_size=80))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a sample is read or a FrameError raised."""
    with suppress(FrameError):
        Sample.from_bytes(raw)


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=30))
def test_no_memory_tells_a_sample_twice(answers: list[list[int]]) -> None:
    """Whatever comes and goes, each is told once at most, and only what stood in three answers."""
    memory, told = Memory(), list[int]()
    for at_s, numbers in enumerate(answers):
        lines = [memory.line_of(sample(number).to_bytes()[:-2])[0] for number in numbers]
        told += [found.sample.number for found in memory.compare(lines, float(at_s))]
    assert len(told) == len(set(told))
    assert all(sum(number in numbers for numbers in answers) >= 3 for number in told)

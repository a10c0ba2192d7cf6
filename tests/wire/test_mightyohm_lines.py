"""Lines that real counters sent, and lines that must not pass for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import FrameError
from devices.framing import LineSplitter
from devices.probes.mightyohm import BANNER, GREATEST_CPS, Averaging, Line

CAPTURED = (
    b"mightyohm.com Geiger Counter 1.00\r\nhttp://mightyohm.com/geiger\r\n"
    b"CPS, 2, CPM, 2, uSv/hr, 0.01, SLOW\r\nCPS, 0, CPM, 2, uSv/hr, 0.01, SLOW\r\n"
    b"CPS, 1, CPM, 3, uSv/hr, 0.01, SLOW\r\n"
)
"""A counter switched on, as an EPICS integration of firmware 1.00 recorded it."""


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        # recorded by a logger on an FTDI cable
        (
            b"CPS, 0, CPM, 13, uSv/hr, 0.07, SLOW",
            Line(cps=0, cpm=13, dose_usv_per_h=0.07, averaging=Averaging.SLOW),
        ),
        (
            b"CPS, 1, CPM, 30, uSv/hr, 0.17, SLOW",
            Line(cps=1, cpm=30, dose_usv_per_h=0.17, averaging=Averaging.SLOW),
        ),
        # by the firmware's description: CPM is 60 CPS in INST mode, 65535 the greatest CPS
        (
            b"CPS, 65535, CPM, 3932100, uSv/hr, 22412.97, INST",
            Line(cps=65535, cpm=3932100, dose_usv_per_h=22412.97, averaging=Averaging.INST),
        ),
        # firmware 1.10, dreg2: no dose, no mode, a star where a value overflowed
        (b"CPS, 12, CPM, 720", Line(cps=12, cpm=720)),
        (b"CPS, 255*, CPM, 15300*", Line(cps=255, cpm=15300, is_cps_over=True, is_cpm_over=True)),
        (b"CPS, 300*, CPM, 255*", Line(cps=300, cpm=255, is_cps_over=True, is_cpm_over=True)),
    ],
)
def test_published_lines_are_read(raw: bytes, line: Line) -> None:
    """Lines as counters sent them are understood, and written back to the same bytes."""
    assert Line.from_bytes(raw) == line
    assert line.to_bytes() == raw + b"\r\n"


def test_a_recorded_start_is_banner_then_lines() -> None:
    """A recorded power-on is told apart into two banner lines and three counts."""
    frames = LineSplitter().feed(CAPTURED, 0.0)
    assert [bool(BANNER.fullmatch(frame.raw)) for frame in frames] == [True, True, False, False, False]
    assert [Line.from_bytes(frame.raw).cps for frame in frames[2:]] == [2, 0, 1]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"CPS, 1, CPM, 18, uSv/hr, 0.10",
        b"CPS, 1, CPM, 18, uSv/hr, 0.10, SLO",
        b"PS, 1, CPM, 18, uSv/hr, 0.10, SLOW",
        b"CPS, , CPM, 18, uSv/hr, 0.10, SLOW",
        b"CPS, -1, CPM, 18, uSv/hr, 0.10, SLOW",
        b"CPS, 1.5, CPM, 18, uSv/hr, 0.10, SLOW",
        b"CPS, 1, CPM, 18, uSv/hr, nan, SLOW",
        b"CPS, 1, CPM, 18, uSv/hr, 0.10, LOUD",
        b"CPS, 65536, CPM, 3932160, uSv/hr, 22413.31, INST",
        b"CPS, 1CPS, 1, CPM, 18, uSv/hr, 0.10, SLOW",
        b"CPS, 12, CPM, 1, uSv/hr, 0.10, SLOW",
        b"CPS, \xb2, CPM, 18, uSv/hr, 0.10, SLOW",
        b"mightyohm.com Geiger Counter 1.00",
    ],
)
def test_what_is_no_line_is_refused(raw: bytes) -> None:
    """Half lines, strange numbers and a CPM below the CPS it holds are refused, with the bytes as evidence."""
    with pytest.raises(FrameError) as refusal:
        Line.from_bytes(raw)
    assert refusal.value.raw == raw


@given(st.binary(max_size=80))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever bytes come, a line is read or a FrameError raised."""
    try:
        line = Line.from_bytes(raw)
    except FrameError:
        return
    assert 0 <= line.cps <= GREATEST_CPS


@given(
    cps=st.integers(0, GREATEST_CPS),
    cut=st.integers(1, 60),
)
def test_no_truncated_line_passes(cps: int, cut: int) -> None:
    """A line cut short at its end anywhere is refused, or it is the older firmware's shorter line in full."""
    whole = Line(cps=cps, cpm=60 * cps, dose_usv_per_h=0.1, averaging=Averaging.INST).to_bytes().rstrip()
    short = whole[:-cut]
    try:
        line = Line.from_bytes(short)
    except FrameError:
        return
    assert line.averaging is None
    assert line.cps == cps

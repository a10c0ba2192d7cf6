"""The simulated counter says what its firmware's description says."""

from collections.abc import Callable

import numpy as np
import pytest

from devices.framing import LineSplitter
from devices.probes.mightyohm import Averaging, Line
from simulators.probes.mightyohm import BANNER, SimulatedMightyOhm


def counter(
    events: Callable[[float, float], int], *, dead_time_s: float = 0.0, speed: float = 1.0
) -> SimulatedMightyOhm:
    """Give a counter switched on at 100 s."""
    return SimulatedMightyOhm(
        events, powered_at_s=100.0, rng=np.random.default_rng(1), dead_time_s=dead_time_s, speed=speed
    )


def lines(sent: bytes) -> list[Line]:
    """Read what was sent."""
    return [Line.from_bytes(frame.raw) for frame in LineSplitter().feed(sent, 0.0)]


def test_banner_first_then_a_line_a_second() -> None:
    """At power-on the banner comes, then each second's count, neither early nor late."""
    asked: list[tuple[float, float]] = []

    def events(start_s: float, end_s: float) -> int:
        asked.append((start_s, end_s))
        return 2

    instrument = counter(events)
    assert instrument.tick(100.0) == BANNER
    assert instrument.tick(100.99) == b""
    assert instrument.tick(101.0) == b"CPS, 2, CPM, 2, uSv/hr, 0.01, SLOW\r\n"
    assert len(lines(instrument.tick(104.0))) == 3
    assert asked == [(100.0, 101.0), (101.0, 102.0), (102.0, 103.0), (103.0, 104.0)]
    assert instrument.receive(b"anything", 104.0) == b""


def test_a_hurried_counter_counts_whole_seconds_of_its_own() -> None:
    """With speed 10 a line comes every tenth of a second, each holding one of its seconds."""
    instrument = counter(lambda start_s, end_s: round(7 * (end_s - start_s)), speed=10)
    instrument.tick(100.0)
    sent = lines(instrument.tick(101.0))
    assert [line.cps for line in sent] == [7] * 10


@pytest.mark.parametrize(
    ("cps", "averaging", "cpm"),
    [
        (10, Averaging.SLOW, 600),
        (20, Averaging.FAST, 1200),
        (255, Averaging.FAST, 15300),
        (256, Averaging.INST, 15360),
    ],
)
def test_averaging_follows_the_firmware(cps: int, averaging: Averaging, cpm: int) -> None:
    """SLOW below 1000 CPM over 5 s, FAST above, INST once a second holds more than a byte."""
    instrument = counter(lambda *_: cps)
    instrument.tick(100.0)
    last = lines(instrument.tick(160.0))[-1]
    assert (last.cps, last.averaging, last.cpm) == (cps, averaging, cpm)


def test_dead_time_takes_its_share_and_the_counter_stops_at_16_bits() -> None:
    """10,000 true events with 100 us dead time count half; a flood stops at 65535."""
    instrument = counter(lambda *_: 10_000, dead_time_s=100e-6)
    instrument.tick(100.0)
    counts = [line.cps for line in lines(instrument.tick(130.0))]
    assert np.mean(counts) == pytest.approx(5000, abs=5 * 50 / 30**0.5)
    flood = counter(lambda *_: 1_000_000)
    flood.tick(100.0)
    assert lines(flood.tick(101.0))[0].cps == 65535

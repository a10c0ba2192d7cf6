"""Ludlum 375: a dump every 2 s of a smoothed rate."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from devices.errors import DeviceFault, FrameError
from devices.probes.ludlum375 import Dump, Settings
from devices.readings import CountStatus
from simulators.probes.ludlum375 import SimulatedLudlum375
from simulators.probes.ratemeter import MeteredRate
from tests.devices.probes.talk import Talk, counter, steady

SETTINGS = Settings(driver="ludlum375", port="/dev/ttyUSB0", cps_per_unit=50.0, time_constant_s=2.0)


def simulated(rate_cps: float, seed: int = 2) -> SimulatedLudlum375:
    """Give a monitor that has settled on a rate."""
    counted = counter(steady(rate_cps, np.random.default_rng(seed)))
    return SimulatedLudlum375(
        MeteredRate(counter=counted, time_constant_s=2.0, rate_cps=rate_cps), cps_per_unit=50.0
    )


@pytest.mark.parametrize(
    ("raw", "dump"),
    [
        # the forms that the manual prints: 0xxx.x and xxxx.0
        (b"0012.3000010", Dump(reading=12.3)),
        (b"1234.0110010", Dump(reading=1234.0, is_audio_on=True, is_high=True)),
        (b"9999.9001112", Dump(reading=9999.9, is_low=True, is_over_range=True, error_code=2)),
        (b"0000.000000A", Dump(reading=0.0, is_in_order=False, error_code=10)),
    ],
)
def test_dumps_are_read_and_written(raw: bytes, dump: Dump) -> None:
    """14 characters with their end, each where the manual has it."""
    assert Dump.from_bytes(raw) == dump
    assert dump.to_bytes() == raw + b"\r\n"
    assert len(dump.to_bytes()) == 14


@given(st.binary(max_size=20))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a dump is read or a FrameError raised."""
    with suppress(FrameError):
        assert Dump.from_bytes(raw).to_bytes().rstrip() == raw


def test_smoothing_is_undone() -> None:
    """Readings are Poisson counts: right mean, a scatter of just that size, and neighbours that do not follow."""
    readings = Talk(SETTINGS.dialogue("gamma"), simulated(400.0), tick_s=0.5).run(2000.0)
    assert len(readings) > 900
    rates = np.array([reading.counts / reading.live_time_s for reading in readings])
    live_s = np.array([reading.live_time_s for reading in readings])
    assert rates.mean() == pytest.approx(400.0, rel=0.01)
    assert ((rates - 400.0) ** 2 * live_s / 400.0).mean() == pytest.approx(1.0, abs=0.15)
    neighbours = np.corrcoef(rates[1:], rates[:-1])[0, 1]
    assert abs(neighbours) < 0.1  # of the shown values it would be 0.37


def test_alarms_are_logged_as_they_rise() -> None:
    """High and low are told once each, and again after they were over; that one is on is its condition."""
    dialogue, alarms = SETTINGS.dialogue("gamma"), list[bool | None]()
    dialogue.begin(0.0)
    with capture_logs() as said:
        for number, (is_high, is_low) in enumerate([(0, 0), (0, 1), (1, 1), (1, 0), (0, 1), (0, 0)]):
            dialogue.feed(b"0012.30%d%d010\r\n" % (is_high, is_low), 2.0 * number)
            alarms.append(dialogue.condition.is_alarming if dialogue.condition else None)
    assert [each["event"] for each in said] == ["low alarm", "high alarm", "low alarm"]
    assert {each["device"] for each in said} == {"gamma"}
    assert alarms == [False, True, True, True, True, False]
    assert all(each.status is CountStatus.OK for each in dialogue.take_readings())


def test_over_range_is_overload_and_out_of_order_ends_it() -> None:
    """Over-range is said; one dump out of order may be a flipped bit, two are a fault with its code."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    dialogue.feed(b"0012.3000010\r\n", 0.0)
    dialogue.feed(b"0012.3000110\r\n", 2.0)
    assert dialogue.take_readings()[0].status is CountStatus.OVERLOAD
    dialogue.feed(b"0012.3000000\r\n", 4.0)
    dialogue.feed(b"0012.3000010\r\n", 6.0)
    assert dialogue.take_readings()[0].status is CountStatus.RESYNCED
    dialogue.feed(b"0012.3000000\r\n", 8.0)
    with pytest.raises(DeviceFault, match="out of order, error code 7"):
        dialogue.feed(b"0012.3000007\r\n", 10.0)

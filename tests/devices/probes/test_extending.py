"""Extending dead time: off the live time of each reading, and an overload where the rate may be another."""

import asyncio
from math import exp
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from acquisition.rates import measure_rate
from devices.clock import monotonic
from devices.probes.amptek import Settings as AmptekSettings
from devices.probes.extending import take_off
from devices.probes.mightyohm import Settings as MightyOhmSettings
from devices.probes.opengamma import Settings as OpenGammaSettings
from devices.readings import CountReading, CountStatus
from simulators.ports import open_pty_port
from simulators.probes.mightyohm import SimulatedMightyOhm


def counted(counts: int, *, dead_time_s: float = 0.0, status: CountStatus = CountStatus.OK) -> CountReading:
    """Give a reading of a second."""
    return CountReading(
        device="gamma",
        taken_at_s=10.0,
        real_time_s=1.0,
        live_time_s=1.0,
        counts=counts,
        dead_time_s=dead_time_s,
        status=status,
    )


def test_a_fifth_lost_comes_back() -> None:
    """10 us lose a fifth at a true rate of 22,314 cps (Knoll, 4.VII); counts and their time stay as they came."""
    reading = take_off(counted(17_851), 10e-6)
    assert reading.rate_cps == pytest.approx(22_314, rel=1e-3)
    assert (reading.counts, reading.real_time_s, reading.status) == (17_851, 1.0, CountStatus.OK)
    rate = measure_rate([reading])
    assert rate is not None
    assert rate.rate_cps == pytest.approx(22_314, rel=1e-3)
    assert rate.dead_fraction == pytest.approx(0.2, rel=1e-3)


def test_behind_a_non_extending_one_each_is_corrected_once() -> None:
    """Of n exp(-n tau_e) / (1 + n tau_n) (Lee and Gardner) tau_e is in the live time, tau_n left to correct."""
    true_cps = 20_000.0
    reading = take_off(
        counted(round(true_cps * exp(-0.2) / 1.1), dead_time_s=5e-6, status=CountStatus.RESYNCED), 10e-6
    )
    assert reading.live_time_s == pytest.approx(exp(-0.2), rel=1e-3)
    assert reading.status is CountStatus.RESYNCED
    rate = measure_rate([reading])
    assert rate is not None
    assert rate.rate_cps == pytest.approx(true_cps, rel=1e-3)


@pytest.mark.parametrize(
    ("counts", "status"),
    [(32_000, CountStatus.OK), (33_000, CountStatus.OVERLOAD), (40_000, CountStatus.OVERLOAD)],
)
def test_near_the_turn_it_is_an_overload(counts: int, status: CountStatus) -> None:
    """At most 36,788 cps are counted with 10 us; from nine tenths of that on, less two errors, nobody can tell."""
    reading = take_off(counted(counts), 10e-6)
    assert reading.status is status
    assert reading.live_time_s >= exp(-1) - 1e-9


async def test_the_site_file_says_so_of_a_probe(tmp_path: Path) -> None:
    """Over a wire the readings of a probe with ``extending_dead_time_s`` come corrected."""
    instrument = SimulatedMightyOhm(
        lambda start_s, end_s: round(1500 * (end_s - start_s)),
        powered_at_s=monotonic(),
        rng=np.random.default_rng(1),
        dead_time_s=0.0,
    )
    settings = MightyOhmSettings(driver="mightyohm", port=str(tmp_path / "gamma"), extending_dead_time_s=100e-6)
    async with (
        asyncio.timeout(30),
        open_pty_port(instrument, tmp_path / "gamma"),
        settings.connect("gamma", clock=monotonic) as probe,
    ):
        reading = await anext(probe)
    assert reading.rate_cps * exp(-reading.rate_cps * 100e-6) * reading.real_time_s == pytest.approx(
        reading.counts
    )
    assert reading.live_time_s < 0.9 * reading.real_time_s


def test_what_is_in_the_live_time_already_is_not_taken_off_again() -> None:
    """An Amptek measures its losses, an Open Gamma Detector tells its own dead time: both refuse the key."""
    with pytest.raises(ValidationError, match="an Amptek measures what it loses"):
        AmptekSettings(
            driver="amptek",
            port="/dev/ttyUSB0",
            window_kev=(126, 154),
            energy_kev_per_channel=1.0,
            extending_dead_time_s=1e-6,
        )
    with pytest.raises(ValidationError, match="set dead_time_s instead"):
        OpenGammaSettings(driver="opengamma", port="/dev/ttyACM0", extending_dead_time_s=1e-6)

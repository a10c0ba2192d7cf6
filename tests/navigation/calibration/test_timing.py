"""The delay of counts behind poses, from sweeps over a point source that other physics than ours counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acquisition.calibration import read_calibration
from navigation.calibration.timing import Sweep, calibrate_timing
from navigation.errors import NavigationError
from simulators.probe_physics import ProbePhysics

RESPONSE = read_calibration(Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json").response
SOURCE_MM = np.array((20.0, -10.0, 0.0))
SECONDS = 20.0


def swept(delay_s: float, *, seed: int = 1, reach_mm: float = 45.0, period_s: float = 1.9) -> Sweep:
    """To and fro along x, 20 mm above a source of 1 MBq, looking down, leaning a little."""
    rng, physics = np.random.default_rng(seed), ProbePhysics()

    def pose(at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn = 2 * np.pi * at_s / period_s
        tips = np.stack((20 + reach_mm * np.sin(turn), -8 + 2 * np.cos(0.7 * turn), 20 + np.sin(0.3 * turn)), 1)
        axes = np.stack((0.1 * np.sin(0.9 * turn), 0.05 * np.cos(turn), -np.ones_like(at_s)), 1)
        return tips, axes / np.linalg.norm(axes, axis=1, keepdims=True)

    at_s = np.arange(0.0, SECONDS, 1 / 60)
    tips, axes = pose(at_s)
    start_s = np.arange(0.0, SECONDS - 0.1, 0.1)
    fine_s = start_s[:, None] + (np.arange(10) + 0.5) / 100 - delay_s
    expected = np.zeros_like(fine_s)
    for here, there in np.ndindex(*fine_s.shape):
        (tip,), (axis,) = pose(fine_s[here, there : there + 1])
        off = SOURCE_MM - tip
        ahead = float(off @ axis)
        lateral = float(np.linalg.norm(off - ahead * axis))
        source = np.array([[lateral, 0.0, ahead]])
        expected[here, there] = physics.rate_cps(source, np.array([1.0]), np.zeros(1))
    return Sweep(
        start_s=start_s,
        real_time_s=np.full(start_s.shape, 0.1),
        live_time_s=np.full(start_s.shape, 0.1),
        counts=rng.poisson(expected.mean(axis=1) * 0.1).astype(np.float64),
        at_s=at_s,
        tip_mm=tips + rng.normal(0, 0.2, tips.shape),
        axis=axes,
    )


@pytest.mark.parametrize("delay_s", [-0.12, 0.0, 0.065, 0.3])
def test_the_delay_is_found_to_5_ms_with_an_interval(delay_s: float) -> None:
    """Counts that are early, on time, late and very late: each to 5 ms, and within four standard errors."""
    found = calibrate_timing(swept(delay_s), RESPONSE)
    assert found.delay_s == pytest.approx(delay_s, abs=0.005)
    assert abs(found.delay_s - delay_s) < 4 * found.sigma_s
    assert found.sigma_s < 0.003
    low_s, high_s = found.interval_s
    assert low_s < found.delay_s < high_s
    assert found.correlation > 0.95
    assert found.passes >= 15


def test_what_cannot_tell_the_delay_is_refused() -> None:
    """A probe at rest, too few passes, and counts of something else: each named."""
    sweep = swept(0.05)
    with pytest.raises(NavigationError, match="the probe moved by"):
        calibrate_timing(replace(sweep, tip_mm=np.zeros_like(sweep.tip_mm)), RESPONSE)
    with pytest.raises(NavigationError, match="passes over the source are too few"):
        calibrate_timing(swept(0.05, period_s=12.0), RESPONSE)
    other = np.random.default_rng(3).poisson(20.0, sweep.counts.shape).astype(np.float64)
    with pytest.raises(NavigationError, match="do not follow the track"):
        calibrate_timing(replace(sweep, counts=other), RESPONSE)

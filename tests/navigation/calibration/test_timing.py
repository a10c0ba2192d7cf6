"""The delay of counts behind poses, from sweeps over a point source that other physics than ours counts."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from acquisition.calibration import read_calibration
from navigation.calibration.counted_track import CountedTrack
from navigation.calibration.timing import calibrate_timing
from navigation.errors import NavigationError
from simulators.probe_physics import ProbePhysics

RESPONSE = read_calibration(Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json").response
SOURCE_MM = np.array((20.0, -10.0, 0.0))
SECONDS = 20.0


@cache
def counted(delay_s: float, reach_mm: float, period_s: float) -> CountedTrack:
    """To and fro along x, 20 mm above a source of 1 MBq, looking down, leaning a little; without noise."""
    physics = ProbePhysics()

    def pose(at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn = 2 * np.pi * at_s / period_s
        tips = np.stack((20 + reach_mm * np.sin(turn), -8 + 2 * np.cos(0.7 * turn), 20 + np.sin(0.3 * turn)), 1)
        axes = np.stack((0.1 * np.sin(0.9 * turn), 0.05 * np.cos(turn), -np.ones_like(at_s)), 1)
        return tips, axes / np.linalg.norm(axes, axis=1, keepdims=True)

    at_s = np.arange(0.0, SECONDS, 1 / 60)
    tips, axes = pose(at_s)
    across = np.cross((0.0, 1.0, 0.0), axes)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
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
    return CountedTrack(
        start_s=start_s,
        real_time_s=np.full(start_s.shape, 0.1),
        live_time_s=np.full(start_s.shape, 0.1),
        counts=expected.mean(axis=1) * 0.1,
        at_s=at_s,
        tip_mm=tips,
        turn=np.stack((across, np.cross(axes, across), axes), axis=2),
    )


def swept(delay_s: float, *, seed: int = 1, reach_mm: float = 45.0, period_s: float = 1.9) -> CountedTrack:
    """The same with Poisson counts, and poses to 0.2 mm."""
    rng, true = np.random.default_rng(seed), counted(delay_s, reach_mm, period_s)
    return replace(
        true,
        counts=rng.poisson(true.counts).astype(np.float64),
        tip_mm=true.tip_mm + rng.normal(0, 0.2, true.tip_mm.shape),
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


def test_the_interval_holds_the_delay_in_95_of_100_sweeps() -> None:
    """Over 24 sweeps with other counts: all to 5 ms, no bias that matters, 21 to 24 within the interval."""
    found = [calibrate_timing(swept(0.06, seed=seed), RESPONSE) for seed in range(24)]
    errors_s = np.array([each.delay_s - 0.06 for each in found])
    assert np.abs(errors_s).max() < 0.005
    assert abs(errors_s.mean()) < 0.0005
    held = [low_s <= 0.06 <= high_s for low_s, high_s in (each.interval_s for each in found)]
    assert 21 <= sum(held) <= 24
    sigmas_s = np.array([each.sigma_s for each in found])
    assert errors_s.std() == pytest.approx(sigmas_s.mean(), rel=0.35)


def test_counts_that_scatter_more_than_chance_widen_the_interval() -> None:
    """Where each event is counted twice the variance is twice Poisson's, and the standard error the root of it."""
    rng, true = np.random.default_rng(2), counted(0.06, 45.0, 1.9)
    doubled = replace(true, counts=2 * rng.poisson(true.counts / 2).astype(np.float64))
    alone = calibrate_timing(replace(true, counts=rng.poisson(true.counts).astype(np.float64)), RESPONSE)
    assert calibrate_timing(doubled, RESPONSE).sigma_s == pytest.approx(np.sqrt(2) * alone.sigma_s, rel=0.15)


def test_counts_that_arrive_unevenly_are_known_no_better_than_they_agree() -> None:
    """Where a busy host holds up a third of the counts by 30 ms the interval is wider; a gap is no delay."""
    sweep, rng = swept(0.06), np.random.default_rng(5)
    late_s = 0.03 * (rng.random(sweep.start_s.shape) < 1 / 3)
    found = calibrate_timing(replace(sweep, start_s=sweep.start_s + late_s), RESPONSE)
    assert found.unevenness_s == pytest.approx(late_s.mean(), abs=0.001)
    assert found.sigma_s > found.unevenness_s
    low_s, high_s = found.interval_s
    assert low_s <= 0.06 <= high_s
    gap_s = 0.2 * (np.arange(len(late_s)) > 60)
    at_s = sweep.at_s + 0.2 * (sweep.at_s > 6.04)
    whole = calibrate_timing(replace(sweep, start_s=sweep.start_s + gap_s, at_s=at_s), RESPONSE)
    assert whole.unevenness_s == pytest.approx(0.0, abs=1e-9)


def test_counts_that_a_busy_host_held_up_until_they_follow_no_track_are_named_as_such() -> None:
    """They come in bursts, 1 s apart: the sentence names the computer beside source and probe."""
    sweep = swept(0.06)
    burst_s = np.ceil(sweep.start_s + 0.1) - 0.1
    with pytest.raises(NavigationError, match=r"unevenly, by \d{3} ms: free the computer of other work$"):
        calibrate_timing(replace(sweep, start_s=burst_s), RESPONSE)


@pytest.mark.parametrize("delay_s", [-0.6, -0.53, 0.53, 0.6])
def test_a_delay_that_is_too_long_is_not_taken_for_one_a_pass_shorter(delay_s: float) -> None:
    """At a pass each 0.95 s counts that are 0.6 s late look nearly like counts that are 0.35 s early."""
    with pytest.raises(NavigationError, match=r"the delay is more than 0\.5 s: look at the clocks"):
        calibrate_timing(swept(delay_s), RESPONSE)


def test_where_counts_that_arrive_unevenly_tell_no_delay_it_is_the_computer_that_is_named() -> None:
    """A third of them held up by 30 ms fit a delay that is a pass longer as well: the clocks are not to blame."""
    sweep, rng = swept(0.065), np.random.default_rng(5)
    late_s = 0.03 * (rng.random(sweep.start_s.shape) < 1 / 3)
    with pytest.raises(NavigationError, match=r"^no delay fits best, and the counts arrive unevenly, by"):
        calibrate_timing(replace(sweep, start_s=sweep.start_s + late_s), RESPONSE)


@pytest.mark.parametrize("seed", range(4))
def test_two_delays_a_pass_apart_are_told_from_each_other_or_both_named(seed: int) -> None:
    """At a pass each 0.95 s a delay of 0.47 s might be one of -0.48 s: a twentieth of the counts does not tell."""
    sweep, rng = swept(0.47, seed=seed), np.random.default_rng(seed)
    assert calibrate_timing(sweep, RESPONSE).delay_s == pytest.approx(0.47, abs=0.005)
    fewer = replace(sweep, counts=rng.binomial(sweep.counts.astype(np.int64), 0.05).astype(np.float64))
    with pytest.raises(NavigationError, match=r"delays of -?\d{3} and -?\d{3} ms fit alike: move it less evenly"):
        calibrate_timing(fewer, RESPONSE)


def test_what_cannot_tell_the_delay_is_refused() -> None:
    """A probe at rest, too few passes, and counts of something else: each named."""
    sweep = swept(0.05)
    with pytest.raises(NavigationError, match="the probe moved by"):
        calibrate_timing(replace(sweep, tip_mm=np.zeros_like(sweep.tip_mm)), RESPONSE)
    with pytest.raises(NavigationError, match="passes over the source are too few"):
        calibrate_timing(swept(0.05, period_s=12.0), RESPONSE)
    other = np.random.default_rng(3).poisson(20.0, sweep.counts.shape).astype(np.float64)
    with pytest.raises(NavigationError, match=r"do not follow the track \(correlation -?0\.\d\d\): is the source"):
        calibrate_timing(replace(sweep, counts=other), RESPONSE)

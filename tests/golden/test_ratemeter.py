"""The rate meter against its statistics: means, variances and independence that Campbell's theorem gives."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.statistics.ratemeter import EquivalentCount, RateMeter

Array = NDArray[np.float64]

TAU_S = 1.0


def shown_cps(rate_cps: Array, step_s: float, rng: np.random.Generator, *, start_cps: float = 0.0) -> Array:
    """What a rate meter shows after each step, event by event."""
    shown, now_cps = np.zeros(len(rate_cps)), start_cps
    for row, mean_cps in enumerate(rate_cps):
        age_s = rng.uniform(0, step_s, rng.poisson(mean_cps * step_s))
        now_cps = now_cps * math.exp(-step_s / TAU_S) + float(np.exp(-age_s / TAU_S).sum()) / TAU_S
        shown[row] = now_cps
    return shown


def undone(shown: Array, step_s: float, least_interval_s: float) -> list[EquivalentCount]:
    meter = RateMeter(time_constant_s=TAU_S, least_interval_s=least_interval_s)
    values = [meter.take(step_s * (row + 1), float(rate_cps)) for row, rate_cps in enumerate(shown)]
    return [each for each in values if each is not None]


def test_a_short_interval_loses_nothing_and_a_long_one_is_worth_two_time_constants() -> None:
    """The live time is the interval's at first, and 2 tau in the end: the rate meter's sqrt(m / (2 tau))."""
    rate_cps = np.full(3, 40.0)
    for interval_s, worth_s in ((0.01, 0.01), (20.0, 2 * TAU_S)):
        meter = RateMeter(time_constant_s=TAU_S, least_interval_s=interval_s)
        meter.take(0.0, rate_cps[0])
        count = meter.take(interval_s, rate_cps[1])
        assert count is not None
        assert count.live_time_s == pytest.approx(worth_s, rel=1e-4)
        assert count.real_time_s == interval_s
        assert count.counts / count.live_time_s == pytest.approx(40.0)


@pytest.mark.parametrize("interval_s", [0.1, 0.5, 2.0])
def test_the_counts_scatter_as_poisson_and_know_nothing_of_one_another(interval_s: float) -> None:
    """Mean and variance are those of a Poisson count in the live time; neighbours do not correlate."""
    rng = np.random.default_rng(11)
    shown = shown_cps(np.full(8000, 30.0), 0.1, rng, start_cps=30.0)
    found = undone(shown, 0.1, interval_s)
    counts = np.array([each.counts for each in found])
    expected = 30.0 * found[0].live_time_s
    size = len(counts)
    assert counts.mean() == pytest.approx(expected, abs=4 * math.sqrt(expected / size))
    assert counts.var() / expected == pytest.approx(1.0, abs=4 * math.sqrt(2 / size + 1 / (size * expected)))
    assert abs(np.corrcoef(counts[1:], counts[:-1])[0, 1]) < 4 / math.sqrt(size)


def test_the_shown_values_themselves_do_correlate() -> None:
    """Taken as counts, neighbours share their events: exp(-0.1) of them, which is why they are undone."""
    shown = shown_cps(np.full(4000, 30.0), 0.1, np.random.default_rng(12), start_cps=30.0)
    assert np.corrcoef(shown[1:], shown[:-1])[0, 1] == pytest.approx(math.exp(-0.1), abs=0.03)


def test_a_source_that_appears_is_seen_at_its_time() -> None:
    """The shown rate creeps up for seconds; the counts step."""
    rate_cps = np.where(np.arange(100) < 50, 0.0, 1e5)
    found = undone(shown_cps(rate_cps, 0.1, np.random.default_rng(13)), 0.1, 0.5)
    before = [each for each in found if each.middle_s < 4.75]
    after = [each for each in found if each.middle_s > 5.25]
    assert len(before) > 5
    assert len(after) > 5
    assert all(each.counts == 0 for each in before)
    assert all(each.counts / each.live_time_s == pytest.approx(1e5, rel=0.05) for each in after)


def test_the_middle_is_the_mean_time_of_the_weighted_events() -> None:
    """Later events weigh more, by exp(-age / tau): the pose belongs to their mean time."""
    meter = RateMeter(time_constant_s=TAU_S, least_interval_s=1.5)
    meter.take(10.0, 5.0)
    count = meter.take(11.5, 6.0)
    assert count is not None
    age_s = np.linspace(0, 1.5, 200001)
    weight = np.exp(-age_s / TAU_S)
    assert count.middle_s == pytest.approx(11.5 - (age_s * weight).sum() / weight.sum(), abs=1e-5)


def test_a_clock_that_goes_back_starts_afresh() -> None:
    """What the mean held before is not known any more: no count comes of it."""
    meter = RateMeter(time_constant_s=TAU_S)
    assert meter.take(10.0, 5.0) is None
    assert meter.take(9.0, 5.0) is None
    count = meter.take(9.5, 5.0)
    assert count is not None
    assert count.real_time_s == 0.5


def test_rounding_makes_no_negative_count() -> None:
    """A value rounded down below what must be left of the one before waits for the next."""
    meter = RateMeter(time_constant_s=TAU_S, least_interval_s=0.5)
    meter.take(0.0, 10.0)
    assert meter.take(0.5, 6.0) is None  # 6.07 are left of 10
    count = meter.take(1.0, 4.0)
    assert count is not None
    assert count.counts > 0
    assert count.real_time_s == 1.0


@pytest.mark.parametrize(("at_s", "rate_cps"), [(1.0, -1.0), (1.0, math.nan), (1.0, math.inf), (math.nan, 1.0)])
def test_what_is_no_rate_is_refused_and_not_taken(at_s: float, rate_cps: float) -> None:
    """The next good value is worth the whole interval."""
    meter = RateMeter(time_constant_s=TAU_S)
    meter.take(0.0, 10.0)
    with pytest.raises(NavigationError, match="leave this value out"):
        meter.take(at_s, rate_cps)
    count = meter.take(2.0, 10.0)
    assert count is not None
    assert count.real_time_s == 2.0


@pytest.mark.parametrize(("tau_s", "least_s"), [(0.0, None), (-1.0, None), (math.inf, None), (1.0, 0.0)])
def test_a_time_constant_without_sense_is_refused(tau_s: float, least_s: float | None) -> None:
    """There is nothing to undo without one."""
    with pytest.raises(NavigationError, match="time constant"):
        RateMeter(time_constant_s=tau_s, least_interval_s=least_s)

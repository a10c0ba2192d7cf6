"""Ratios of counted rates against published tests and intervals, and against chance itself."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from navigation.errors import NavigationError
from navigation.statistics.count_ratio import Count, chance_of_background, ratio_limits
from navigation.statistics.counting import poisson_interval
from navigation.statistics.limits import Limits, Verdict, shortest_wait_s

KNOWN = Count(counts=1e9, live_time_s=1e9)
"""1 cps, counted so long that it is known."""


def counted(counts: float, live_time_s: float = 1.0) -> Count:
    return Count(counts=counts, live_time_s=live_time_s)


@pytest.mark.parametrize(
    ("first", "second", "ratio", "low", "high"),
    [
        ((11, 800), (21, 3011), 1.971488, 0.8584264, 4.2772659),
        ((41, 28010), (15, 19017), 1.855759, 1.005684, 3.60930),
    ],
)
def test_ratio_interval_is_the_published_one(
    first: tuple[int, int], second: tuple[int, int], ratio: float, low: float, high: float
) -> None:
    """Two-sided 95 % intervals: R's manual of poisson.test (lung cancer), Stata's of ir (breast cancer, exact)."""
    found = ratio_limits(counted(*first), counted(*second), confidence=0.975)
    assert (found.best, found.lower, found.upper) == pytest.approx((ratio, low, high), rel=2e-6)


@pytest.mark.parametrize(
    ("counts", "beside", "times", "sigmas"),
    [
        (4, 5, 5.0, 1.66),
        (6, 18.78, 14.44, 2.63),
        (9, 17.83, 4.69, 1.82),
        (17, 40.11, 10.56, 4.46),
        (50, 55, 2.0, 2.93),
        (67, 15, 0.5, 2.89),
        (200, 10, 0.1, 2.20),
        (523, 2327, 5.99, 5.93),
        (498426, 493434, 1.0, 5.01),
        (2119449, 23650096, 11.21, 6.40),
    ],
)
def test_significance_is_the_published_one(counts: float, beside: float, times: float, sigmas: float) -> None:
    """Z_Bi of ten published observations (Cousins, Linnemann & Tucker 2008, table 1)."""
    chance = chance_of_background(counted(counts), counted(beside, times))
    assert norm.isf(chance) == pytest.approx(sigmas, abs=0.006)


@pytest.mark.parametrize("counts", [0, 1, 3, 10, 100])
def test_known_reference_without_background_is_garwoods(counts: int) -> None:
    """Over a rate that is known, the limits are those of the exact Poisson interval."""
    found = ratio_limits(counted(counts), KNOWN)
    assert (found.lower, found.upper) == pytest.approx(
        poisson_interval(counts, confidence=0.9), rel=1e-4, abs=1e-9
    )


@pytest.mark.parametrize(("counts", "background"), [(0, 3.0), (1, 3.0), (3, 3.0), (12, 5.0)])
def test_known_background_is_helenes(counts: int, background: float) -> None:
    """The upper limit solves Helene's P(N <= n | s + b) = 0.05 P(N <= n | b); no counts give 3.00 for any b."""
    upper = ratio_limits(
        counted(counts), KNOWN, first_background=Count(counts=background * 1e7, live_time_s=1e7)
    ).upper
    assert poisson.cdf(counts, upper + background) == pytest.approx(
        0.05 * poisson.cdf(counts, background), rel=1e-3
    )
    if counts == 0:
        assert upper == pytest.approx(2.996, abs=1e-3)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5])
def test_limits_with_backgrounds_are_right_as_often_as_they_say(ratio: float) -> None:
    """Of many specimens over a counted background each limit holds the true ratio in 95 %, less chance."""
    rng = np.random.default_rng(4)
    wrong = np.zeros(2)
    trials = 250
    for _ in range(trials):
        first = counted(float(rng.poisson(ratio * 100 + 10)), 2.0)
        second = counted(float(rng.poisson(100 + 10)), 2.0)
        under_first, under_second = (counted(float(rng.poisson(20)), 4.0) for _ in range(2))
        found = ratio_limits(first, second, first_background=under_first, second_background=under_second)
        wrong += (found.lower > ratio, found.upper < ratio)
    assert (wrong / trials < 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / trials)).all()


def test_reference_that_may_be_nothing_bounds_nothing() -> None:
    """Over a second count of none no ratio is too large, and none is most likely."""
    found = ratio_limits(counted(5), counted(0))
    assert found.upper == inf
    assert found.best is None


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 30))
def test_more_counts_raise_both_limits(counts: int, more: int, background: int) -> None:
    """Counts added to the first raise both limits, whatever the background."""
    beside = counted(background, 3.0)
    few, many = (
        ratio_limits(counted(each), counted(150), first_background=beside) for each in (counts, counts + more)
    )
    assert few.lower <= many.lower * (1 + 1e-6)
    assert few.upper <= many.upper * (1 + 1e-6)


@given(st.integers(0, 300), st.integers(0, 50))
def test_more_confidence_widens(counts: int, background: int) -> None:
    """Limits of 99 % enclose those of 90 %."""
    beside = counted(background, 2.0)
    wide, narrow = (
        ratio_limits(counted(counts), counted(80), first_background=beside, confidence=each)
        for each in (0.99, 0.9)
    )
    assert wide.lower <= narrow.lower * (1 + 1e-6)
    assert narrow.upper <= wide.upper * (1 + 1e-6)


def test_dead_time_is_taken_off_the_live_time() -> None:
    """8,000 counts in 1 s at 25 us are 10,000 cps: m / (1 - m tau)."""
    assert counted(8000).corrected_for(25e-6).rate_cps == pytest.approx(10_000)
    with pytest.raises(NavigationError, match="do not go with a dead time"):
        counted(8000).corrected_for(2e-4)


@pytest.mark.parametrize(
    ("counts", "live_time_s", "taken_at_s"),
    [(-1.0, 1.0, 0.0), (float("nan"), 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, inf, 0.0), (1.0, 1.0, float("nan"))],
)
def test_count_refuses_nonsense(counts: float, live_time_s: float, taken_at_s: float) -> None:
    """Negative or unreal counts, and times that are none, are refused in words."""
    with pytest.raises(NavigationError, match="wants"):
        Count(counts=counts, live_time_s=live_time_s, taken_at_s=taken_at_s)


@pytest.mark.parametrize("confidence", [0.5, 1.0, float("nan")])
def test_confidence_that_is_none_is_refused(confidence: float) -> None:
    """A confidence of a half, of one, or of nothing, is refused."""
    with pytest.raises(NavigationError, match="confidence"):
        ratio_limits(counted(3), counted(5), confidence=confidence)


def test_limits_answer_only_what_they_can() -> None:
    """A threshold between the limits is left open; one that is passed is answered; crossed limits are refused."""
    limits = Limits(best=0.2, lower=0.1, upper=0.3, confidence=0.95)
    assert [limits.against(each) for each in (0.05, 0.2, 0.4)] == [Verdict.ABOVE, Verdict.UNDECIDED, Verdict.BELOW]
    with pytest.raises(NavigationError, match="no interval"):
        Limits(best=0.2, lower=0.4, upper=0.3, confidence=0.95)


def test_shortest_wait_is_found_to_a_tenth() -> None:
    """What is decided from 7 s on is found between 7 and 7.7 s, and what is never decided is not waited for."""
    found = shortest_wait_s(lambda wait_s: wait_s >= 7, longest_s=60)
    assert found is not None
    assert 7 <= found <= 7 * 1.1
    assert shortest_wait_s(lambda wait_s: wait_s > 60, longest_s=60) is None
    assert shortest_wait_s(lambda _: True, longest_s=60) == 0.5

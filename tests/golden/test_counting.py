"""Counting statistics against published figures and against chance itself."""

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.errors import NavigationError
from navigation.statistics.counting import (
    Rate,
    chance_of,
    chi_square,
    constancy,
    counted_rate_cps,
    critical_level,
    detection_limit,
    gross_rate,
    net_rate,
    poisson_interval,
    true_rate,
    two_source_dead_time,
    width_at,
    width_sigma_at,
)


def exactly(rate_cps: float) -> Rate:
    """A rate without an error."""
    return Rate(rate_cps=rate_cps, sigma_cps=0.0)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390), (100, 81.36, 121.63)],
)
def test_poisson_interval_is_garwoods(counts: int, low: float, high: float) -> None:
    """The exact 95 % interval agrees with the published table (Garwood 1936; Ulm, Am J Epidemiol 1990)."""
    assert poisson_interval(counts) == pytest.approx((low, high), rel=1e-3)


def test_poisson_interval_covers_what_it_says() -> None:
    """Of many counts of a known small mean, at least 95 % of the intervals hold it."""
    rng = np.random.default_rng(8)
    for mean in (0.5, 3.0, 12.0):
        counts, times = np.unique(rng.poisson(mean, 20_000), return_counts=True)
        bounds = [poisson_interval(int(count)) for count in counts]
        holding = sum(n for n, (low, high) in zip(times, bounds, strict=True) if low <= mean <= high)
        assert holding / times.sum() >= 0.949


@pytest.mark.parametrize(("counts", "confidence"), [(-1, 0.95), (3, 0.0), (3, 1.0)])
def test_poisson_interval_refuses_nonsense(counts: int, confidence: float) -> None:
    """A negative count, or a confidence that is none, is refused."""
    with pytest.raises(NavigationError):
        poisson_interval(counts, confidence=confidence)


def test_rate_and_background_errors_add_in_quadrature() -> None:
    """1,000 counts in 10 s over 400 in 20 s are 80 cps, with sqrt(1000/100 + 400/400) as error."""
    net = net_rate(gross_rate(1000, 10.0), gross_rate(400, 20.0))
    assert net.rate_cps == pytest.approx(80.0)
    assert net.sigma_cps == pytest.approx(sqrt(11.0))


def test_no_counts_are_not_certain() -> None:
    """Zero counts in 10 s still carry an error."""
    assert gross_rate(0, 10.0) == Rate(rate_cps=0.0, sigma_cps=0.1)


def test_twenty_percent_loss() -> None:
    """A dead time of 5 us loses 20 % at 50,000 cps (probe tables give 0.8 tau n as 20 % point: n = 0.25 / tau)."""
    assert counted_rate_cps(50_000.0, 5e-6) == pytest.approx(40_000.0)


@given(st.floats(0, 1e6), st.floats(0, 1e-4))
def test_dead_time_goes_both_ways(true_cps: float, dead_time_s: float) -> None:
    """Losing and correcting are inverse to each other."""
    counted = Rate(rate_cps=counted_rate_cps(true_cps, dead_time_s), sigma_cps=1.0)
    assert true_rate(counted, dead_time_s).rate_cps == pytest.approx(true_cps, rel=1e-6, abs=1e-6)


def test_the_error_grows_with_the_losses() -> None:
    """With a fifth lost a small rise of the counted rate is one of 1 / 0.8^2 of the true rate (Knoll, 4.VII)."""
    true = true_rate(Rate(rate_cps=40_000.0, sigma_cps=10.0), 5e-6)
    assert true.rate_cps == pytest.approx(50_000.0)
    assert true.sigma_cps == pytest.approx(10.0 / 0.64)


def test_impossible_rate_is_refused() -> None:
    """A counted rate at or above 1 / tau has no true rate."""
    with pytest.raises(NavigationError, match="cannot be counted"):
        true_rate(exactly(200_000.0), 5e-6)


def test_two_source_vector() -> None:
    """The published example gives 1.345e-4 s: 823, 440 and together 1164 cps, background 13."""
    found = two_source_dead_time(exactly(823), exactly(440), exactly(1164), exactly(13))
    assert found.dead_time_s == pytest.approx(1.345e-4, rel=5e-4)


def test_two_source_inverts_the_model() -> None:
    """Rates that a 5 us counter makes of 20,000 and 15,000 cps over 5 give back the 5 us."""
    counted = [exactly(counted_rate_cps(true_cps + 5, 5e-6)) for true_cps in (20_000, 15_000, 35_000, 0)]
    assert two_source_dead_time(*counted).dead_time_s == pytest.approx(5e-6, rel=1e-6)


def test_two_source_error_is_the_scatter() -> None:
    """The stated error agrees with the scatter over repeated noisy measurements."""
    rng = np.random.default_rng(5)
    counted_cps = [counted_rate_cps(true_cps, 5e-6) for true_cps in (20_005, 15_005, 35_005, 5)]
    found = [
        two_source_dead_time(*(gross_rate(int(rng.poisson(20 * rate)), 20.0) for rate in counted_cps))
        for _ in range(400)
    ]
    assert np.std([one.dead_time_s for one in found]) == pytest.approx(found[0].sigma_s, rel=0.15)


@pytest.mark.parametrize("rates_cps", [(13, 440, 453, 13), (0, 0, 0, 0), (800, 400, 10, 13), (900, 800, 850, 0)])
def test_two_source_refuses_what_is_not_two_sources(rates_cps: tuple[float, ...]) -> None:
    """A missing source, nothing at all, or far too few together, is refused in words."""
    with pytest.raises(NavigationError):
        two_source_dead_time(*(exactly(rate) for rate in rates_cps))


def test_chi_square_limits_are_the_published_ones() -> None:
    """Ten counts: 3.33-16.9 at 5 % (Captus 3000), 4.168-14.68 at 10 % (Atomlab 960)."""
    counts = [95, 105, 110, 90, 100, 98, 102, 107, 93, 100]
    narrow, wide = chi_square(counts, tail=0.10), chi_square(counts, tail=0.05)
    assert (wide.low, wide.high) == pytest.approx((3.325, 16.919), abs=1e-3)
    assert (narrow.low, narrow.high) == pytest.approx((4.168, 14.684), abs=1e-3)
    assert wide.value == pytest.approx((25 + 25 + 100 + 100 + 0 + 4 + 4 + 49 + 49 + 0) / 100)


def test_chi_square_of_nothing_is_refused() -> None:
    """Ten zeros have no scatter to judge."""
    with pytest.raises(NavigationError, match="not all of them zero"):
        chi_square([0] * 10)


def test_chance_of_a_chi_square() -> None:
    """16.919 of 9 degrees is the tabulated 5 % point, and nothing at all is certain."""
    assert chance_of(16.919, 9) == pytest.approx(0.05, abs=1e-4)
    assert chance_of(0.0, 9) == 1.0


def test_constancy_follows_decay() -> None:
    """Co-57 of 1,000 cps is expected at 500 after 271.74 days; 475 net deviates by -5 %."""
    found = constancy(
        Rate(rate_cps=475.0, sigma_cps=5.0),
        reference_cps=1000.0,
        elapsed_s=271.74 * 86400,
        half_life_s=271.74 * 86400,
    )
    assert (found.expected_cps, found.deviation, found.sigma) == pytest.approx((500.0, -0.05, 0.01))


def test_currie_worked_example() -> None:
    """40 background counts in a minute give L_D = 32.1 counts, at 34 % efficiency 94.4 dpm."""
    assert detection_limit(40) == pytest.approx(32.1, abs=0.05)
    assert detection_limit(40) / 0.34 == pytest.approx(94.4, abs=0.15)
    assert critical_level(40) == pytest.approx(14.7, abs=0.05)


def test_currie_published_forms() -> None:
    """His table: paired 2.33 and 2.71 + 4.65, well known 1.64 and 2.71 + 3.29, each times sqrt(B)."""
    assert critical_level(100) == pytest.approx(23.3, abs=0.05)
    assert detection_limit(100) == pytest.approx(2.71 + 46.5, abs=0.05)
    # a thousand times as long: the same background in the gross count, known as well as makes no difference
    assert critical_level(100_000, time_ratio=1e-3) == pytest.approx(16.4, abs=0.06)
    assert detection_limit(100_000, time_ratio=1e-3) == pytest.approx(2.71 + 32.9, abs=0.06)


@pytest.mark.parametrize(("ratio", "error"), [(0.0, 0.05), (1.0, 0.5), (1.0, 0.0)])
def test_currie_refuses_what_makes_no_test(ratio: float, error: float) -> None:
    """No time, or an error that is none, is refused."""
    with pytest.raises(NavigationError):
        critical_level(10, time_ratio=ratio, error=error)


def test_width_is_read_between_the_points() -> None:
    """A triangle that falls to one half at 20 is 40 wide; one that never falls has no width."""
    assert width_at([0, 10, 30], [1.0, 0.75, 0.25]) == pytest.approx(40.0)
    assert width_at([0, 60], [1.0, 0.8]) == inf


def test_the_error_of_a_width_is_that_of_repeated_counts() -> None:
    """Twenty thousand sets of Poisson counts scatter by as much as is told of one."""
    angles, rng = [0.0, 10.0, 20.0, 30.0], np.random.default_rng(4)
    means = np.array([100_000.0, 85_000.0, 62_000.0, 24_000.0])
    told = width_sigma_at(angles, [Rate(rate_cps=mean, sigma_cps=sqrt(mean)) for mean in means])
    drawn = rng.poisson(means, (20_000, 4))
    scatter = np.std([width_at(angles, list(counts / counts[0])) for counts in drawn])
    assert told == pytest.approx(scatter, rel=0.03)
    assert (
        width_sigma_at(angles, [Rate(rate_cps=rate, sigma_cps=9.0) for rate in (100.0, 90.0, 70.0, 49.0)]) == inf
    )

"""The likelihood of a residual against closed forms and against brute force."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import gamma, nbinom, poisson

from navigation.resection.excision import BedRule, _Bed
from navigation.resection.residual import Readings, activity_likelihood, places_of
from navigation.statistics.counting import poisson_interval
from navigation.statistics.limits import Limits

Array = NDArray[np.float64]


def reading(counts: float, background: float = 0.0, error: float = 0.0, others: float = 0.0) -> Readings:
    """One reading of a second of a place that counts 1 cps/MBq, so that MBq are expected counts."""
    return Readings(
        counts=np.array([counts]),
        live_time_s=np.ones(1),
        rate_cps=np.ones((1, 1)),
        background_cps=np.array([background]),
        others_cps=np.array([others]),
        background_error=error,
        others_error=error,
        dead_time_s=0.0,
    )


def limits(readings: Readings, confidence: float = 0.95) -> Limits:
    bed = _Bed(
        weights=np.ones(1),
        before_mbq=10_000.0,
        before_error=0.0,
        response_error=0.0,
        rule=BedRule(confidence=confidence),
    )
    return bed.activity_mbq(readings, bed.likelihood(readings))


@pytest.mark.parametrize("counts", [0, 1, 5, 20, 100])
def test_without_background_both_limits_are_garwoods(counts: int) -> None:
    """The exact interval of Garwood (1936), no counts included: at most 3.00 at 95 %."""
    found = limits(reading(counts))
    low, high = poisson_interval(counts, confidence=0.9)
    assert found.upper == pytest.approx(high, rel=4e-3)
    assert found.lower == pytest.approx(low, rel=2e-2, abs=2e-3)
    assert found.best == pytest.approx(counts, rel=2e-2)


@pytest.mark.parametrize(("counts", "background"), [(0, 3.0), (1, 3.0), (3, 3.0), (12, 5.0), (230, 200.0)])
def test_known_background_gives_helenes_limit(counts: int, background: float) -> None:
    """P(N <= n | s + b) = 0.05 P(N <= n | b) (Helene 1983)."""
    upper = limits(reading(counts, background)).upper
    assert poisson.cdf(counts, upper + background) == pytest.approx(
        0.05 * poisson.cdf(counts, background), rel=0.015
    )


@pytest.mark.parametrize(("counts", "seen", "times"), [(3, 9, 3.0), (30, 25, 1.0), (12, 100, 10.0), (0, 4, 2.0)])
def test_counted_background_gives_loredos_posterior(counts: int, seen: int, times: float) -> None:
    """A background of (m + 1) / t, error 1 / sqrt(m + 1), leaves Loredo's sum over how many counts were signal."""
    found = limits(reading(counts, (seen + 1) / times, (seen + 1) ** -0.5))
    signal = np.arange(counts + 1)
    weight = nbinom.pmf(counts - signal, seen + 1, times / (times + 1))
    below = 1 - poisson.cdf(signal, found.upper)
    assert weight @ below / weight.sum() == pytest.approx(0.95, abs=5e-4)


def test_two_uncertain_rates_are_integrated_out() -> None:
    """Background and others, each known to 30 %, against a sum over 600 x 600 of their quantiles."""
    readings = reading(40, 10.0, 0.3, 15.0)
    shape = 0.3**-2
    middle = (np.arange(600) + 0.5) / 600
    factors = gamma.ppf(middle, shape, scale=1 / shape)
    rest = (10 * factors[:, None] + 15 * factors).ravel()
    activity = np.array([0.0, 5.0, 15.0, 30.0])
    brute = np.array([np.log(poisson.pmf(40, each + rest).mean()) for each in activity])
    found = readings.log_likelihood(activity[None])[0]
    assert found - found[2] == pytest.approx(brute - brute[2], abs=0.01)


def test_places_stand_for_their_gaussian() -> None:
    """Weights, mean, covariance and fourth moment are those of the distribution."""
    covariance = np.array([[9.0, 2.0, 0.0], [2.0, 4.0, -1.0], [0.0, -1.0, 16.0]])
    centre = np.array([10.0, -20.0, 30.0])
    places, weights = places_of(centre, covariance)
    assert weights.sum() == pytest.approx(1)
    assert weights @ places == pytest.approx(centre)
    offset = places - centre
    assert np.einsum("k,ki,kj->ij", weights, offset, offset) == pytest.approx(covariance, abs=1e-9)
    assert weights @ offset[:, 2] ** 4 == pytest.approx(3 * 16**2)


def test_few_places_limit_as_many_do() -> None:
    """27 places give the limit of 4,000 drawn ones to 5 %: inverse square at 33 mm, 4 mm of doubt an axis."""
    rng = np.random.default_rng(6)

    def seen(places_mm: Array, weights: Array) -> Limits:
        rate_cps = 1e5 / ((places_mm[:, :2] ** 2).sum(axis=1) + (33 + places_mm[:, 2]) ** 2)
        readings = Readings(
            counts=np.array([52.0]),
            live_time_s=np.array([10.0]),
            rate_cps=rate_cps[None],
            background_cps=np.array([4.0]),
            others_cps=np.zeros(1),
            background_error=0.1,
            others_error=0.0,
            dead_time_s=0.0,
        )
        bed = _Bed(weights=weights, before_mbq=1.0, before_error=0.2, response_error=0.02, rule=BedRule())
        return bed.activity_mbq(readings, activity_likelihood(readings, weights, 1.9))

    few = seen(*places_of(np.zeros(3), 16 * np.eye(3)))
    many = seen(4 * rng.standard_normal((4000, 3)), np.full(4000, 1 / 4000))
    assert few.upper == pytest.approx(many.upper, rel=0.05)
    assert few.lower == pytest.approx(many.lower, rel=0.1)


def test_readings_of_one_pose_are_one_reading() -> None:
    """A hundred readings of a probe held still have the likelihood of their sum, and two poses stay two."""
    rng = np.random.default_rng(1)
    still = np.repeat([[40.0, 30.0], [10.0, 25.0]], 50, axis=0) * (1 + 0.01 * rng.standard_normal((100, 1)))
    readings = Readings(
        counts=rng.poisson(1.0, 100).astype(np.float64),
        live_time_s=np.full(100, 0.1),
        rate_cps=still,
        background_cps=np.full(100, 5.0),
        others_cps=np.zeros(100),
        background_error=0.2,
        others_error=0.0,
        dead_time_s=4e-6,
    )
    joined = readings.joined()
    assert len(joined.counts) == 2
    assert joined.counts.sum() == readings.counts.sum()
    assert joined.live_time_s == pytest.approx([5.0, 5.0])
    activity = np.tile([0.0, 0.05, 0.1, 0.3], (2, 1))
    whole, few = readings.log_likelihood(activity), joined.log_likelihood(activity)
    assert few - few[:, :1] == pytest.approx(whole - whole[:, :1], abs=0.02)


def test_counts_that_are_added_up_expect_the_sum() -> None:
    """Pooled in any groups, the mean of the sum is the sum of means: no activity is made likelier by adding up."""
    rng = np.random.default_rng(3)
    readings = Readings(
        counts=rng.poisson(4.0, 12).astype(float),
        live_time_s=rng.uniform(0.1, 2.0, 12),
        rate_cps=rng.uniform(1.0, 50.0, (12, 2)),
        background_cps=np.full(12, 3.0),
        others_cps=rng.uniform(0.0, 5.0, 12),
        background_error=0.0,
        others_error=0.0,
        dead_time_s=0.0,
    )
    group = rng.permutation(np.arange(12) % 4)
    pooled = readings.pooled(group)
    activity = np.array([[0.0, 0.1, 1.0], [0.2, 0.3, 0.4]])
    single, summed = readings.expected_counts(activity), pooled.expected_counts(activity)
    for number in range(4):
        assert summed[..., number] == pytest.approx(single[..., group == number].sum(axis=-1))
        assert pooled.counts[number] == readings.counts[group == number].sum()

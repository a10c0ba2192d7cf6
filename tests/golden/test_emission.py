"""The image's likelihood, information and limits against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import poisson

from navigation.image.emission import Emission, Roughness
from navigation.image.freehand import Freehand
from navigation.observations import Observations
from tests.navigation.bench import SKIN, calibrated


def _emission(seed: int) -> Emission:
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 40.0, (30, 12)).astype(np.float32)
    return Emission(
        rates_cps=rates,
        counts=rng.poisson(20.0, 30).astype(np.float64),
        alive_s=rng.uniform(0.05, 2.0, 30),
        others_cps=rng.uniform(0.5, 20.0, 30),
    )


def test_the_likelihood_is_poissons() -> None:
    """Two images differ in log-likelihood by as much as the Poisson probabilities of the counts do."""
    emission = _emission(1)
    one, other = np.full(12, 0.2), np.linspace(0.0, 0.5, 12)
    rates = emission.rates_cps.astype(np.float64)
    exact = [
        float(np.sum(poisson.logpmf(emission.counts, emission.alive_s * (emission.others_cps + rates @ each))))
        for each in (one, other)
    ]
    found = [emission.log_likelihood(each) for each in (one, other)]
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], rel=1e-4)


def test_information_is_the_expected_curvature() -> None:
    """Where counts are as expected, Fisher's information of a voxel is the likelihood's second difference."""
    emission = _emission(2)
    activity = np.linspace(0.1, 0.6, 12)
    expected = emission.alive_s * emission.expected_cps(activity)
    rates = emission.rates_cps.astype(np.float64)

    def log_likelihood(image: np.ndarray) -> float:
        mean = emission.alive_s * (emission.others_cps + rates @ image)
        return float(expected @ np.log(mean) - mean.sum())

    for voxel in range(12):
        step = np.zeros(12)
        step[voxel] = 1e-3
        curvature = (
            2 * log_likelihood(activity) - log_likelihood(activity + step) - log_likelihood(activity - step)
        ) / 1e-6
        assert emission.information(activity)[voxel] == pytest.approx(curvature, rel=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_the_surrogate_touches_the_cost_and_lies_above_it(seed: int) -> None:
    """De Pierro's parabolas: the same value and slope here, never below the cost of roughness elsewhere."""
    rng = np.random.default_rng(seed)
    first = np.arange(9)
    roughness = Roughness(first=first, second=first + 1, errors_per_mbq=rng.uniform(0.1, 30.0, 9), cost=4.0)
    here = rng.gamma(0.5, 1.0, 10)
    curvature, pull = roughness.surrogate(here)

    def above(image: np.ndarray) -> float:
        return float(curvature @ image**2 / 2 - pull @ image)

    for _ in range(200):
        there = rng.gamma(0.5, 1.0, 10)
        assert above(there) - above(here) >= roughness.of(there) - roughness.of(here) - 1e-9
    for voxel in range(10):
        step = np.zeros(10)
        step[voxel] = 1e-6
        slope = (roughness.of(here + step) - roughness.of(here - step)) / 2e-6
        assert curvature[voxel] * here[voxel] - pull[voxel] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_detectable_is_curries_limit() -> None:
    """A probe held still over background B: (2.71 + 3.29 sqrt(B)) counts, over what 1 MBq in a voxel brings."""
    response = replace(calibrated(np.random.default_rng(11))[0], background_cps=4.0)
    seen = Observations(
        counts=np.full(100, 0.0),
        live_time_s=np.full(100, 1.0),
        tip_mm=np.tile([0.0, 0.0, 1.0], (100, 1)),
        axis=np.tile([0.0, 0.0, -1.0], (100, 1)),
        taken_at_s=np.arange(100.0),
    )
    image = Freehand(response, SKIN, frame_of_reference_uid="1.2.3").update(seen, iterations=60)
    assert image is not None
    volume = image.detectable
    nearest = np.round(volume.geometry.indices([[0.0, 0.0, -20.0]])).astype(int)
    place_mm = volume.geometry.positions_mm(nearest)
    rate_cps = response.expected_rate_cps(place_mm, seen.tip_mm[:1], seen.axis[:1], SKIN)[0, 0]
    wanted_mbq = (2.71 + 3.29 * np.sqrt(4.0 * 100.0)) / (rate_cps * 100.0)
    assert volume.values[tuple(nearest[0])] == pytest.approx(wanted_mbq, rel=0.02)

"""The map's common shift: read off the sources that were found, handed to those that were not."""

import numpy as np
import pytest

from benchmarks.recordings import Spot
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import COMMON_SHARE, Prior, SourcePrior
from navigation.estimation.shift import MapShift, joint_precision
from tests.navigation.bench import SKIN, calibrated, sweep


def _mapped(*centres_mm: tuple[float, float, float], shift_sigma_mm: float = 8.0) -> tuple[SourcePrior, ...]:
    spots = [
        Spot(
            name=f"node {number}",
            kind="target",
            centre_mm=np.array(centre),
            covariance_mm2=4.0 * np.eye(3),
            activity_mbq=0.2,
            activity_factor=2.0,
        )
        for number, centre in enumerate(centres_mm, 1)
    ]
    return Prior.from_hotspots(spots, shift_sigma_mm=shift_sigma_mm).sources


def test_joint_prior_is_that_of_one_shift_and_one_error_each() -> None:
    """Drawing a common shift and an error a source gives the covariance whose inverse is used."""
    priors = _mapped((0, 0, -20), (30, 0, -20))
    rng = np.random.default_rng(1)
    common = rng.normal(0, 8 * np.sqrt(COMMON_SHARE), (200_000, 1, 3))
    own = rng.normal(0, np.sqrt(4 + 64 * (1 - COMMON_SHARE)), (200_000, 2, 3))
    drawn = np.cov((common + own).reshape(-1, 6).T)
    assert np.linalg.inv(joint_precision(tuple(priors))[0]) == pytest.approx(drawn, abs=0.6)


def test_two_sources_moved_alike_tell_the_shift() -> None:
    """Two sources known to 1 mm that lie 10 mm off the map move the map by nearly that; one alone by less."""
    priors = _mapped((0, 0, -20), (30, 0, -20))
    moved = np.array([[10.0, 0, -20], [40.0, 0, -20]])
    both = MapShift.of(priors, moved, np.eye(6))
    one = MapShift.of(priors[:1], moved[:1], np.eye(3))
    assert both is not None
    assert one is not None
    # x = c + d + e: for n sources E[d] = 10 s^2 / (s^2 + v / n), s^2 = 44.8 common, v = 23.2 own
    assert both.mean_mm == pytest.approx([10 * 44.8 / (44.8 + 23.2 / 2), 0, 0], abs=1e-9)
    assert one.mean_mm == pytest.approx([10 * 44.8 / (44.8 + 23.2), 0, 0], abs=1e-9)
    assert np.trace(both.covariance_mm2) < np.trace(one.covariance_mm2) < 3 * 44.8


def test_map_held_still_tells_no_shift() -> None:
    """Without a common part there is no shift to read, and nobody's prior moves."""
    priors = _mapped((0, 0, -20), shift_sigma_mm=0.0)
    assert MapShift.of(priors, np.array([[5.0, 0, -20]]), np.eye(3)) is None


def test_source_not_found_yet_is_sought_where_the_map_now_lies() -> None:
    """The prior of a third source moves along, and is narrower than before."""
    priors = _mapped((0, 0, -20), (30, 0, -20), (0, 30, -20))
    shift = MapShift.of(priors[:2], np.array([[10.0, 0, -20], [40.0, 0, -20]]), np.eye(6))
    assert shift is not None
    third = shift.moved(priors[2])
    assert third.centre_mm is not None
    assert third.covariance_mm2 is not None
    assert priors[2].covariance_mm2 is not None
    assert third.centre_mm[0] > 7
    assert np.trace(third.covariance_mm2) < 0.7 * np.trace(priors[2].covariance_mm2)


def test_shift_of_the_map_is_learnt_from_the_counts() -> None:
    """Two nodes 12 mm beside their hotspots: the posterior says that the map moved by that, to 3 mm."""
    rng = np.random.default_rng(4)
    response, _ = calibrated(rng)
    hotspots = np.array([[-14.0, 0.0, -20.0], [14.0, 4.0, -22.0]])
    moved = np.array([9.0, 8.0, 0.0])
    prior = Prior(
        sources=_mapped(*[(x, y, z) for x, y, z in hotspots.tolist()]),
        unmapped=Prior.from_hotspots([]).unmapped,
    )
    estimator = Estimator(response, prior, SKIN)
    counted = sweep(hotspots + moved, np.array([0.2, 0.2]), rng, seconds=40)
    for start in range(0, len(counted), 20):
        posterior = estimator.add(counted.take(np.arange(start, start + 20)))
    assert posterior.map_shift is not None
    assert all(each.is_localisable for each in posterior.targets)
    # each own error of the map (sigma 4.8 mm an axis) is none here: the shift is drawn a little to nothing
    assert posterior.map_shift.mean_mm == pytest.approx(moved, abs=3.0)

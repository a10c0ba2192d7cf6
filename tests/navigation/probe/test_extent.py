"""Injection sites that are no points."""

import numpy as np
import pytest

from benchmarks.recordings import Spot
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import NUISANCES
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.estimation.tally import Tally
from navigation.observations import Observations
from navigation.probe import extent
from navigation.probe.response import Response
from tests.navigation.bench import SKIN, calibrated, sweep

NODE = np.array([0.0, 0.0, -25.0])
INJECTION = np.array([34.0, 6.0, -14.0])
SIGMA_MM = 3.0
PLACES = (("node", "target", NODE, 0.1), ("injection", "injection", INJECTION, 20.0))


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _map() -> Prior:
    return Prior.from_hotspots(
        [
            Spot(
                name=name,
                kind=kind,
                centre_mm=centre + 1.0,
                covariance_mm2=4 * np.eye(3),
                activity_mbq=activity,
                activity_factor=2.0,
            )
            for name, kind, centre, activity in PLACES
        ]
    )


def _seen(rng: np.random.Generator, sigma_mm: float, seconds: float = 40.0) -> Observations:
    """Sweep over a node and an injection site of normally distributed activity."""
    depot = INJECTION + sigma_mm * rng.standard_normal((60, 3)) * [1.0, 1.0, 0.5]
    activity = np.concatenate(([0.1], np.full(60, 20.0 / 60)))
    return sweep(np.concatenate((NODE[None], depot)), activity, rng, seconds=seconds)


def test_the_ratio_is_that_of_drawn_points(response: Response) -> None:
    """Where the response is smooth over the site, six points give the mean of 20,000 drawn ones to a sixth."""
    rng = np.random.default_rng(5)
    seen = sweep(INJECTION[None], np.array([1.0]), rng, seconds=20.0, width_mm=30.0)
    skin = SKIN.skin_at(seen.tip_mm)
    found = extent.log_ratio(response, INJECTION[None], seen.tip_mm, seen.axis, skin, sigma_mm=SIGMA_MM)
    assert found.shape == (len(seen), 1)
    drawn = INJECTION + SIGMA_MM * rng.standard_normal((20_000, 3))
    middle = response.rate_cps(INJECTION[None], seen.tip_mm, seen.axis, skin)[:, 0]
    is_seen = middle > 0.2 * middle.max()
    assert is_seen.sum() > 10
    for row in np.flatnonzero(is_seen):
        one = slice(row, row + 1)
        mean = response.rate_cps(drawn, seen.tip_mm[one], seen.axis[one], skin.take(np.array([row]))).mean()
        assert found[row, 0] == pytest.approx(np.log(mean / middle[row]), abs=0.16)


def test_only_injection_sites_are_wide(response: Response) -> None:
    """A node stays a point: its rate does not answer to the extent."""
    likelihood = Likelihood(response, SKIN, background_log_sigma=0.3, tip_sigma_mm=0.4, axis_sigma_rad=0.006)
    mixture = likelihood.start()
    for prior in _map().sources:
        assert prior.centre_mm is not None
        mixture = mixture.plus(prior, prior.centre_mm, prior.log_activity_mean)
    tally = Tally(SKIN)
    tally.append(_seen(np.random.default_rng(6), 4.0, seconds=5.0))
    slopes = likelihood.sensitivities(mixture, tally, slice(None))
    assert slopes.shape == (len(tally), 2, NUISANCES + 1)
    injection = mixture.names.index("injection")
    assert np.abs(slopes[:, injection, -2]).max() > 0.1
    assert (slopes[:, 1 - injection, -2:] == 0).all()


def test_a_depot_is_learnt_and_moves_no_node(response: Response) -> None:
    """Beside a point or a depot, 200 times as strong, the node is where it is; the depot is found the wider."""
    learnt = {}
    for sigma_mm in (0.0, 5.0):
        estimator = Estimator(response, _map(), SKIN)
        seen = _seen(np.random.default_rng(7), sigma_mm)
        for start in range(0, len(seen), 20):
            posterior = estimator.add(seen.take(np.arange(start, min(start + 20, len(seen)))))
        assert estimator.fit is not None
        learnt[sigma_mm] = float(estimator.fit.mixture.log_response[-1])
        node = next(each for each in posterior.targets if each.name == "node")
        assert node.is_localisable
        off = NODE - node.centre_mm
        assert off @ np.linalg.solve(node.covariance_mm2, off) < 11.3  # 99 % of three dimensions
        believed = [each.name for each in posterior.targets if each.presence > 0.5]
        assert sorted(believed) == ["injection", "node"]
    assert learnt[0.0] < extent.EXPECTED
    assert learnt[5.0] > learnt[0.0]

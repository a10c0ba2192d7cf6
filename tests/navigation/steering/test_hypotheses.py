import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.recordings import Spot
from navigation.estimation.estimate import Posterior
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.probe.response import Response
from navigation.steering.hypotheses import HYPOTHESES, imagine
from tests.navigation.bench import SKIN, calibrated, sweep

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _counted(response: Response, mapped_mm: Array, activity_mbq: float) -> tuple[Estimator, Posterior]:
    """Sweep for two seconds over a node in the middle; the map has it somewhere."""
    spot = Spot(
        name="node",
        kind="target",
        centre_mm=mapped_mm,
        covariance_mm2=64.0 * np.eye(3),
        activity_mbq=0.1,
        activity_factor=2.0,
    )
    estimator = Estimator(response, Prior.from_hotspots([spot], shift_sigma_mm=0.0), SKIN)
    node = np.array([[0.0, 0.0, -25.0]])
    seen = sweep(node, np.array([activity_mbq]), np.random.default_rng(4), seconds=2.0)
    return estimator, estimator.add(seen)


def test_the_hypotheses_stand_for_the_search(response: Response) -> None:
    """Over what was looked at, their mean is that of the lattice's points as the search weighted them."""
    estimator, posterior = _counted(response, np.array([4.0, 4.0, -25.0]), 0.05)
    found = imagine(estimator, posterior.targets[0], SKIN)
    searched = estimator.searched("node")
    assert found is not None
    assert searched is not None
    points_mm, scan = searched
    weight = np.exp(scan.log_weight - np.logaddexp.reduce(scan.log_weight))
    assert found.share.sum() == pytest.approx(1.0)
    assert len(found.points_mm) <= 2 * HYPOTHESES
    assert np.linalg.norm(found.share @ found.points_mm - weight @ points_mm) < 4.0
    assert (found.points_mm[:, 2] < 0).all()


def test_a_mapped_place_that_nobody_looked_at_is_imagined(response: Response) -> None:
    """Nothing hot here, the map's node 150 mm away: it may be there, below the skin, as wide as the map says."""
    mapped_mm = np.array([150.0, 0.0, -12.0])
    estimator, posterior = _counted(response, mapped_mm, 1e-6)
    found = imagine(estimator, posterior.targets[0], SKIN)
    assert found is not None
    is_there = np.linalg.norm(found.points_mm - mapped_mm, axis=1) < 40.0
    assert found.share[is_there].sum() > 0.2
    assert found.share.sum() == pytest.approx(1.0)
    assert (found.points_mm[:, 2] < 0).all()
    assert found.points_mm[is_there][:, 0].std() == pytest.approx(8.0, rel=0.3)
    assert found.log_activity[is_there] == pytest.approx(np.log(0.1))


def test_nothing_is_imagined_where_nobody_looked_and_no_map_is(response: Response) -> None:
    """Without a map and before the first count there is no place to think of."""
    assert imagine(Estimator(response, Prior.from_hotspots([]), SKIN), None, SKIN) is None

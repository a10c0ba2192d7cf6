"""What the estimator does when the world changes under it: the target moves, or decays."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.estimation.posterior import Estimator, Posterior
from navigation.estimation.prior import Prior
from navigation.observations import Observations
from navigation.probe.response import Response
from tests.navigation.bench import SKIN, calibrated, sweep

TRUTH = np.array([[4.0, -3.0, -20.0]])


@dataclass(frozen=True)
class Hot:
    """A spot of the map whose activity is known to 5 %."""

    centre_mm: NDArray[np.float64]
    activity_mbq: float
    name: str = "node"
    kind: str = "target"
    activity_factor: float = 1.05
    covariance_mm2: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _error_mm(posterior: Posterior, truth: NDArray[np.float64]) -> float:
    shown = [each for each in posterior.targets if each.is_localisable]
    return min((float(np.linalg.norm(each.centre_mm - truth)) for each in shown), default=np.inf)


def _after(estimator: Estimator, observations: Observations) -> list[Posterior]:
    return [
        estimator.add(observations.take(np.arange(start, min(start + 10, len(observations)))))
        for start in range(0, len(observations), 10)
    ]


def test_a_target_that_moved_is_believed_anew(response: Response) -> None:
    """The patient moves 25 mm: the belief is said not to fit, is given up, and is regained."""
    rng = np.random.default_rng(5)
    estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
    before = _after(estimator, sweep(TRUTH, np.array([0.3]), rng, seconds=30))
    moved = TRUTH + np.array([-18.0, 17.0, 0.0])
    after = _after(estimator, sweep(moved, np.array([0.3]), rng, seconds=30))
    assert before[-1].restarts == 0
    assert _error_mm(before[-1], TRUTH[0]) < 3
    assert after[-1].restarts >= 1
    assert after[-1].readings < 400  # what was counted before the patient moved is forgotten
    assert after[-1].is_consistent
    assert _error_mm(after[-1], moved[0]) < 4
    given_up = next(number for number, each in enumerate(after) if each.restarts)
    contradicted = [each for each in after[:given_up] if not each.is_consistent]
    assert contradicted  # and said so before


def test_what_goes_on_as_before_is_never_given_up(response: Response) -> None:
    """Six sets of thirty seconds from a still patient: no restart in any."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
        assert _after(estimator, sweep(TRUTH, np.array([0.2]), rng))[-1].restarts == 0


@pytest.mark.parametrize("seconds_before", [0.0, 30.0], ids=["first counts", "begun anew"])
def test_what_the_map_shows_decays_until_it_is_counted(response: Response, seconds_before: float) -> None:
    """Two half-lives between the map and the counts that it is believed with: a quarter of its activity is left.

    The map is sure of the activity and nobody of the depth, which the activity then tells: also where the patient
    has moved meanwhile, and all that is believed begins anew.
    """
    rng, half_life_s = np.random.default_rng(7), 6586.0
    spot = Hot(TRUTH[0], 0.8)
    estimator = Estimator(
        response, Prior.from_hotspots([spot]), SKIN, half_life_s=half_life_s, mapped_at_s=-2 * half_life_s
    )
    moved = TRUTH + np.array([-18.0, 17.0, 0.0])
    _after(estimator, sweep(moved, np.array([0.2]), rng, seconds=seconds_before))
    now = _after(estimator, sweep(TRUTH, np.array([0.2]), rng, seconds=12.0))[-1]
    assert now.restarts == (1 if seconds_before else 0)
    assert now.targets[0].activity_mbq == pytest.approx(0.2, rel=0.1)
    assert _error_mm(now, TRUTH[0]) < 3


def test_decay_is_followed(response: Response) -> None:
    """F-18 halves in 110 minutes: after one half-life half the activity is stated, at the same place."""
    rng = np.random.default_rng(6)
    half_life_s = 6586.0
    early = sweep(TRUTH, np.array([0.4]), rng, seconds=30)
    late = sweep(TRUTH, np.array([0.2]), rng, seconds=30)
    late = replace(late, taken_at_s=late.taken_at_s + half_life_s)
    blind = Estimator(response, Prior.from_hotspots([]), SKIN)
    aware = Estimator(response, Prior.from_hotspots([]), SKIN, half_life_s=half_life_s)
    now = _after(aware, early + late)[-1]
    assert now.restarts == 0
    assert now.misfit < 3
    assert _error_mm(now, TRUTH[0]) < 2
    assert now.targets[0].activity_mbq == pytest.approx(0.2, rel=0.15)
    ignored = _after(blind, early + late)
    assert max(each.misfit for each in ignored) > 5 or ignored[-1].restarts  # the test can tell

"""What must not be believed: maps, times, frames and calibrations that cannot be, one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.recordings import Spot
from navigation.errors import FrameMismatch, NavigationError
from navigation.estimation.estimate import Posterior
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.estimation.tally import Tally
from navigation.frames import Frame
from navigation.probe.response import Response
from navigation.steering.guidance import bearing_of
from navigation.transforms import RigidTransform
from tests.navigation.bench import SKIN, calibrated, sweep

NODE_MM = np.array([0.0, 0.0, -25.0])


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _spot(**changes: Any) -> Spot:
    stated: dict[str, Any] = {
        "name": "node",
        "kind": "target",
        "centre_mm": NODE_MM,
        "covariance_mm2": 25 * np.eye(3),
        "activity_mbq": 0.3,
        "activity_factor": 2.0,
    }
    return Spot(**(stated | changes))


def _located(response: Response) -> Posterior:
    seen = sweep(NODE_MM[None], np.array([0.3]), np.random.default_rng(1), seconds=15)
    estimator = Estimator(response, Prior.from_hotspots([_spot()]), SKIN)
    for start in range(0, 125, 25):
        estimator.add(seen.take(np.arange(start, start + 25)))
    return estimator.add(seen.take(np.arange(125, 150)))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"centre_mm": np.array([0.0, 0.0, np.nan])}, "three finite millimetres"),
        ({"centre_mm": np.zeros(2)}, "three finite millimetres"),
        ({"covariance_mm2": np.full((3, 3), np.nan)}, "finite, symmetric"),
        ({"covariance_mm2": np.array([[1.0, 5.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])}, "finite, symmetric"),
        ({"covariance_mm2": -999.0 * np.eye(3)}, "not positive"),
        ({"activity_mbq": np.nan}, "above 0"),
        ({"activity_mbq": np.inf}, "above 0"),
        ({"activity_mbq": 0.0}, "above 0"),
        ({"activity_factor": np.nan}, "factor above 1"),
        ({"activity_factor": np.inf}, "factor above 1"),
        ({"activity_factor": 1.0}, "factor above 1"),
        ({"kind": "lymph node"}, "no target, injection or organ"),
    ],
)
def test_a_hotspot_that_cannot_be_makes_no_prior(changes: dict[str, Any], match: str) -> None:
    """A place, a spread or an activity that is no number, or cannot be, is refused with the hotspot's name."""
    with pytest.raises(NavigationError, match=match) as refused:
        Prior.from_hotspots([_spot(**changes)])
    assert "node" in str(refused.value)


@pytest.mark.parametrize("half_life_s", [0.0, -5.0, float("nan")])
def test_a_half_life_that_cannot_be_is_refused(half_life_s: float) -> None:
    """Nothing decays in no time, and nothing grows."""
    with pytest.raises(NavigationError, match="half-life"):
        Tally(SKIN, half_life_s=half_life_s)


def test_a_target_beyond_the_calibration_is_flagged(response: Response) -> None:
    """A node 25 mm deep, a bench that went to 10 mm: located, and said to lie beyond; within, it is not."""
    near = _located(replace(response, greatest_distance_mm=10.0))
    assert near.targets[0].is_localisable
    assert not near.is_within_calibration
    narrow = _located(replace(response, greatest_angle_deg=0.01))
    assert not narrow.is_within_calibration
    assert _located(response).is_within_calibration


def test_a_tool_is_not_taken_for_the_tip(response: Response) -> None:
    """A pose between other frames than patient and tip gives no bearing, and names both."""
    tracker_from_tip = RigidTransform.identity(Frame.TRACKER, Frame.TIP)
    with pytest.raises(FrameMismatch, match="tracker_from_tip"):
        bearing_of(_located(response).targets[0], tracker_from_tip)

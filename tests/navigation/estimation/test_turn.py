"""Whether the registration is turned by half, by the counts: told where it is, and where it is not, not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.recordings import Spot
from navigation.calibration.landmarks import register_landmarks
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.estimation.turn import EVERY, HALF_TURN, Turn, TurnWatch
from navigation.observations import Observations
from navigation.tissue import HalfSpace, Skin, Tissue
from tests.navigation.bench import sweep
from tests.navigation.estimation.test_slip import response

FRONT = HalfSpace(point_mm=np.array((0.0, -100.0, 0.0)), normal=np.array((0.0, -1.0, 0.0)))
BACK = HalfSpace(point_mm=np.array((0.0, 100.0, 0.0)), normal=np.array((0.0, 1.0, 0.0)))

PATIENT_FROM_BENCH = np.array(((1.0, 0, 0), (0, 0, -1.0), (0, 1.0, 0)))
"""The bench's skin, z = 0 with air above, laid on her front."""

ASIDE_MM = np.array((50.0, -100.0, 20.0))
"""The middle of what is swept: her left, her front, a little to the head."""

NODES_MM = np.array(((-12.0, 4.0, -20.0), (14.0, -6.0, -24.0)))
ACTIVITY_MBQ = np.array((0.1, 0.08))


class Slab(Tissue):
    """A body between two planes, as far behind the origin as before it: half a turn lays it on itself."""

    def skin_at(self, tip_mm: np.ndarray) -> Skin:
        """Skin that is nearer."""
        front, back = FRONT.skin_at(tip_mm), BACK.skin_at(tip_mm)
        is_front = tip_mm[:, 1] < 0
        return Skin(
            height_mm=np.where(is_front, front.height_mm, back.height_mm),
            normal=np.where(is_front[:, None], front.normal, back.normal),
        )


def patient_mm(bench_mm: np.ndarray) -> np.ndarray:
    """Where a point of the bench is in the patient."""
    return np.asarray(bench_mm @ PATIENT_FROM_BENCH.T + ASIDE_MM)


def swept(nodes_mm: np.ndarray, activity_mbq: np.ndarray, seed: int = 1, seconds: float = 24.0) -> Observations:
    """Sweep her front, seen by a right registration."""
    counted = sweep(nodes_mm, activity_mbq, np.random.default_rng(seed), seconds=seconds)
    return replace(counted, tip_mm=patient_mm(counted.tip_mm), axis=counted.axis @ PATIENT_FROM_BENCH.T)


def turned(counted: Observations) -> Observations:
    """See it by a registration that is turned by half."""
    return replace(counted, tip_mm=counted.tip_mm * HALF_TURN, axis=counted.axis * HALF_TURN)


def mapped(places_mm: np.ndarray) -> Prior:
    return Prior.from_hotspots(
        [
            Spot(
                name=f"node {number}",
                kind="target",
                centre_mm=place,
                covariance_mm2=9.0 * np.eye(3),
                activity_mbq=0.1,
                activity_factor=2.0,
            )
            for number, place in enumerate(places_mm, 1)
        ]
    )


def told(counted: Observations, prior: Prior) -> list[tuple[float, Turn]]:
    """Estimate a second's readings at a time; give what was told, and when."""
    estimator, watch = Estimator(response(), prior, Slab()), TurnWatch(prior)
    found = list[tuple[float, Turn]]()
    for start in range(0, len(counted), EVERY):
        part = counted.take(np.arange(start, min(start + EVERY, len(counted))))
        estimator.add(part)
        if (turn := watch.look(len(part), estimator.fit)) is not None:
            found.append((float(part.taken_at_s[-1]), turn))
    return found


@given(seed=st.integers(0, 2**32 - 1))
def test_landmarks_saved_as_the_wrong_axes_turn_the_registration_by_half_exactly(seed: int) -> None:
    """However they were missed: the motion found is the one that would have been, then x and y negated."""
    rng = np.random.default_rng(seed)
    marked_mm = rng.uniform(-150, 150, (5, 3)) + rng.uniform(-200, 200, 3)
    touched_mm = marked_mm + rng.normal(0.0, 2.0, (5, 3))
    meant, found = (
        register_landmarks(each, touched_mm).patient_from_reference for each in (marked_mm, marked_mm * HALF_TURN)
    )
    points_mm = rng.uniform(-300, 300, (4, 3))
    np.testing.assert_allclose(found.points_mm(points_mm), meant.points_mm(points_mm) * HALF_TURN, atol=1e-6)


@pytest.mark.parametrize("nodes", [1, 2])
def test_half_a_turn_is_told_once_the_nodes_are_located(nodes: int) -> None:
    """One node or two that lie where the map has them turned, and no deeper than the map has them: told once."""
    counted = swept(NODES_MM[:nodes], ACTIVITY_MBQ[:nodes])
    ((at_s, turn),) = told(turned(counted), mapped(patient_mm(NODES_MM[:nodes])))
    assert at_s < 20.0
    assert turn.log_evidence > 5


def test_a_right_registration_is_not_accused() -> None:
    """Where the map is right, 20 mm wrong, of nothing that is there, or the node is on no map."""
    counted = swept(NODES_MM, ACTIVITY_MBQ)
    places_mm = patient_mm(NODES_MM)
    assert told(counted, mapped(places_mm)) == []
    assert told(counted, mapped(places_mm + np.array((20.0, 0.0, 0.0)))) == []
    assert told(counted, mapped(places_mm - np.array((0.0, 0.0, 90.0)))) == []
    assert told(counted, mapped(np.zeros((0, 3)))) == []


def test_nodes_of_which_each_lies_where_the_other_would_be_are_not_taken_for_a_turn() -> None:
    """The map of a patient whose sides half a turn exchanges fits as it is: that is not turned."""
    places_mm = np.vstack((patient_mm(NODES_MM[:1]), patient_mm(NODES_MM[:1]) * HALF_TURN))
    assert told(swept(NODES_MM[:1], ACTIVITY_MBQ[:1]), mapped(places_mm)) == []


def test_nothing_is_told_of_counts_that_locate_nothing() -> None:
    """Background alone."""
    assert told(turned(swept(NODES_MM[:0], ACTIVITY_MBQ[:0])), mapped(patient_mm(NODES_MM))) == []

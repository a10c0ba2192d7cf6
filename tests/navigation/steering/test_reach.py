from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from navigation.steering.reach import CLEARANCE_MM, LEANS_DEG, RADIUS_MM, Poses, land, reachable
from navigation.tissue import HalfSpace, NoTissue, Skin, Tissue

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Ball:
    """A round body: its skin curves."""

    radius_mm: float

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height above the sphere about the origin."""
        distance = np.linalg.norm(tip_mm, axis=1)
        return Skin(height_mm=distance - self.radius_mm, normal=tip_mm / np.maximum(distance, 1e-9)[:, None])


SLOPE = HalfSpace(point_mm=np.array([3.0, -2.0, 10.0]), normal=np.array([0.3, -0.2, 1.0]))
HEAD = Ball(radius_mm=90.0)


def _check(poses: Poses, tissue: Tissue, tip_mm: Array) -> None:
    skin = tissue.skin_at(poses.tip_mm)
    assert (skin.height_mm >= 0).all()
    assert (skin.height_mm <= 3.0).all()
    assert (np.linalg.norm(poses.tip_mm - tip_mm, axis=1) <= RADIUS_MM).all()
    assert np.linalg.norm(poses.axis, axis=1) == pytest.approx(1.0)
    lean_deg = np.degrees(np.arccos(np.clip(-(poses.axis * skin.normal).sum(axis=1), -1, 1)))
    assert lean_deg.max() <= max(LEANS_DEG) + 0.1


@pytest.mark.parametrize("tissue", [SLOPE, HEAD])
@settings(max_examples=30)
@given(
    place=st.tuples(*[st.floats(-60.0, 60.0)] * 2),
    lift_mm=st.floats(-5.0, 25.0),
    about=st.tuples(*[st.floats(-80.0, 80.0)] * 3),
)
def test_no_pose_lies_in_the_body_or_beyond_reach(
    tissue: Tissue, place: tuple[float, float], lift_mm: float, about: tuple[float, float, float]
) -> None:
    """Over flat and curved skin every tip lies 0 to 3 mm above it, near enough, and leans no more than a hand."""
    on_skin, normal, is_landed = land(tissue, np.array([[*place, 95.0]]))
    assert is_landed.all()
    tip_mm = on_skin[0] + lift_mm * normal[0]
    _check(reachable(tissue, tip_mm, np.array(about)), tissue, tip_mm)


def test_there_are_some_three_hundred_poses_around_the_target() -> None:
    """Over a target within reach the whole spiral is there, centred on the skin above it."""
    poses = reachable(SLOPE, np.array([5.0, 0.0, 10.0]), np.array([8.0, 4.0, -20.0]))
    assert 280 <= len(poses) <= 330
    above = land(SLOPE, np.array([[8.0, 4.0, -20.0]]))[0][0]
    assert np.linalg.norm(poses.tip_mm - above, axis=1).min() < 0.1


def test_a_target_beyond_reach_is_gone_towards() -> None:
    """A target 200 mm away draws all poses to its side, none beyond the radius."""
    tip_mm = land(SLOPE, np.array([[0.0, 0.0, 10.0]]))[0][0]
    poses = reachable(SLOPE, tip_mm, np.array([200.0, 0.0, -20.0]))
    assert len(poses) > 50
    assert (poses.tip_mm[:, 0] - tip_mm[0]).mean() > 10.0
    _check(poses, SLOPE, tip_mm)


def test_without_a_skin_there_is_no_pose() -> None:
    """In the air nothing is reachable."""
    assert len(reachable(NoTissue(), np.zeros(3), np.zeros(3))) == 0


def test_a_point_lands_along_the_normal() -> None:
    """A point deep in the body or high above it comes to lie a drape's thickness above the skin."""
    tips, normal, is_landed = land(HEAD, np.array([[0.0, 0.0, 40.0], [150.0, 0.0, 0.0]]))
    assert is_landed.all()
    assert tips == pytest.approx(np.array([[0.0, 0.0, 90.0 + CLEARANCE_MM], [90.0 + CLEARANCE_MM, 0.0, 0.0]]))
    assert normal == pytest.approx(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))

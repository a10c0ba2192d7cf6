"""A point seen from the tip."""

import numpy as np
import pytest

from navigation.frames import Frame
from navigation.sight import see
from navigation.transforms import RigidTransform


def test_right_is_right() -> None:
    """Looking at a supine patient's front from above, head up: what lies to her left is seen on the right."""
    ahead = np.array([0.0, 1.0, 0.0])  # into the patient, to her back
    up = np.array([0.0, 0.0, 1.0])  # to her head
    pose = RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.TIP,
        rotation=np.column_stack([np.cross(up, ahead), up, ahead]),
        translation_mm=np.array([0.0, -100.0, 0.0]),
    )
    sight = see(np.array([10.0, -80.0, 5.0]), np.eye(3), pose)
    assert (sight.right_mm, sight.up_mm, sight.ahead_mm) == pytest.approx((10.0, 5.0, 20.0))


def test_distance_and_angle() -> None:
    """A 3-4-5 triangle, and the interval of 1.96 standard deviations along the line of sight only."""
    pose = RigidTransform.identity(Frame.PATIENT, Frame.TIP)
    along = np.array([0.0, 0.6, 0.8])
    sight = see(5.0 * along, 4.0 * np.outer(along, along) + 1e-12 * np.eye(3), pose)
    assert sight.distance_mm == pytest.approx(5.0)
    assert sight.half_width_mm == pytest.approx(1.96 * 2.0)
    assert sight.off_axis_deg == pytest.approx(np.degrees(np.arctan(3 / 4)))


def test_behind_is_more_than_a_right_angle() -> None:
    """What lies behind the probe is not shown ahead of it."""
    sight = see(np.array([0.0, 1.0, -1.0]), np.eye(3), RigidTransform.identity(Frame.PATIENT, Frame.TIP))
    assert sight.off_axis_deg == pytest.approx(135.0)

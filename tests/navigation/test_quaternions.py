"""Rotations as quaternions, beside scipy's as an independent judge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from navigation.quaternions import part_of_turn, wxyz_of

turns = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)


@given(turns)
def test_a_rotation_has_the_quaternion_that_scipy_gives(rotation_vector: tuple[float, float, float]) -> None:
    """Of unit length, with w >= 0; q and -q are the same rotation where w is 0."""
    rotation = Rotation.from_rotvec(rotation_vector)
    found = np.array(wxyz_of(rotation.as_matrix()))
    expected = rotation.as_quat(canonical=True, scalar_first=True)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-12)
    assert found[0] >= 0
    assert abs(found @ expected) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_a_turn_has_its_axis(axis: np.ndarray) -> None:
    """Where w is 0, each of the three others in its turn is the greatest."""
    rotation = 2 * np.outer(axis, axis) - np.eye(3)
    assert np.abs(wxyz_of(rotation)) == pytest.approx([0.0, *axis], abs=1e-15)


@given(turns, st.floats(0, 1))
def test_part_of_a_turn_is_the_one_that_scipy_gives(
    rotation_vector: tuple[float, float, float], fraction: float
) -> None:
    """About the same axis, by that part of the angle; half a turn may go either way round."""
    rotation = Rotation.from_rotvec(rotation_vector)
    arc = rotation.as_rotvec()
    angle_rad = np.linalg.norm(arc)
    found = part_of_turn(rotation.as_matrix(), fraction)
    expected = Rotation.from_rotvec(fraction * arc).as_matrix()
    if angle_rad < np.pi - 1e-6:
        assert found == pytest.approx(expected, abs=1e-9)
    assert Rotation.from_matrix(found).magnitude() == pytest.approx(fraction * angle_rad, abs=1e-7)


def test_no_turn_has_no_part() -> None:
    """Identity has no axis to turn about."""
    assert part_of_turn(np.eye(3), 0.5).tolist() == np.eye(3).tolist()

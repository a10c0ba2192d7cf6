"""Rigid motions between named frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.errors import FrameMismatch, NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform, interpolate

finite = st.floats(-500, 500)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(c * c for c in q) > 0.01)


@given(quaternions, st.tuples(finite, finite, finite), st.tuples(finite, finite, finite))
def test_inverse_undoes(
    wxyz: tuple[float, ...], shift: tuple[float, float, float], point: tuple[float, float, float]
) -> None:
    """A point mapped there and back is where it was."""
    motion = RigidTransform.from_quaternion(wxyz, shift, to=Frame.PATIENT, from_=Frame.TRACKER)
    assert np.allclose(motion.inverse.points_mm(motion.points_mm(point)), point, atol=1e-8)
    assert np.allclose((motion.inverse @ motion).matrix, np.eye(4), atol=1e-8)


def test_frames_that_do_not_meet_are_refused() -> None:
    """patient_from_tracker @ tool_from_tip names both transforms in its refusal."""
    patient_from_tracker = RigidTransform.identity(Frame.PATIENT, Frame.TRACKER)
    tool_from_tip = RigidTransform.identity(Frame.TOOL, Frame.TIP)
    with pytest.raises(FrameMismatch, match="patient_from_tracker and tool_from_tip"):
        _ = patient_from_tracker @ tool_from_tip


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.diag([-1.0, 1, 1]), "mirrors"),
        (np.diag([2.0, 1, 1]), "orthonormal"),
        (np.full((3, 3), np.nan), "finite"),
    ],
)
def test_what_is_no_rotation_is_refused(matrix: np.ndarray, message: str) -> None:
    """A mirrored, scaled or NaN matrix never becomes a pose."""
    with pytest.raises(NavigationError, match=message):
        RigidTransform(to=Frame.TRACKER, from_=Frame.TOOL, rotation=matrix, translation_mm=np.zeros(3))


def test_interpolation_takes_the_shortest_arc() -> None:
    """Half way from 0 to 90 degrees about z is 45 degrees, and the middle of the way."""
    start = RigidTransform.identity(Frame.TRACKER, Frame.TOOL)
    half = np.sqrt(0.5)
    end = RigidTransform.from_quaternion((half, 0, 0, half), (10, 0, 0), to=Frame.TRACKER, from_=Frame.TOOL)
    middle = interpolate(start, end, 0.5)
    assert np.allclose(middle.rotation @ (1, 0, 0), (half, half, 0))
    assert np.allclose(middle.translation_mm, (5, 0, 0))


def test_poses_are_never_extrapolated() -> None:
    """A fraction past the end is an error, not a guess."""
    still = RigidTransform.identity(Frame.TRACKER, Frame.TOOL)
    with pytest.raises(NavigationError, match="never extrapolated"):
        interpolate(still, still, 1.01)

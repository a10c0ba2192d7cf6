"""Landmarks held against the skin of the study."""

import numpy as np

from navigation.calibration.on_skin import doubt_landmarks
from navigation.tissue import HalfSpace

SKIN = HalfSpace(point_mm=np.array((0.0, -140.0, 0.0)), normal=np.array((0.0, -1.0, 0.0)))
"""A chest whose front lies at y = -140 mm."""

LANDMARKS_MM = np.array([(-60.0, -138, 90), (70, -141, 80), (5, -146, -40), (-80, -132, -60)])


def test_landmarks_of_the_study_lie_on_its_skin() -> None:
    """A few millimetres beside it are no matter."""
    assert doubt_landmarks(LANDMARKS_MM, SKIN) == ""


def test_right_anterior_superior_is_named() -> None:
    """Landmarks whose x and y have the other sign are on the skin once turned."""
    assert "RAS where LPS was said" in doubt_landmarks(LANDMARKS_MM * (-1, -1, 1), SKIN)


def test_landmarks_of_another_study_are_named() -> None:
    """Those that lie nowhere near are said to be of another study."""
    assert "60 mm from the skin" in doubt_landmarks(LANDMARKS_MM * (1, 0, 1) + np.array((0, -200.0, 0)), SKIN)

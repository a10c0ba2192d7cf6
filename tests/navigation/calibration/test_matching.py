"""Measured points paired with landmarks by geometry alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.calibration.matching import match_landmarks
from navigation.errors import NavigationError

PATIENT_MM = np.array([(0.0, -110, 120), (110, -70, 60), (-110, -70, 60), (10, -115, -90), (60, -100, -40)])
TURN = Rotation.from_euler("xyz", (40, -70, 110), degrees=True)


def measured(order: list[int], seed: int = 3, sigma_mm: float = 0.8) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma_mm, PATIENT_MM.shape)
    moved = np.asarray(TURN.apply(PATIENT_MM + noise) + np.array((300.0, -20, 900)))
    return np.asarray(moved[order])


@pytest.mark.parametrize("seed", range(5))
def test_any_order_is_found(seed: int) -> None:
    """Points touched in any order are paired with their landmarks, and nothing else fits as well."""
    order = np.random.default_rng(seed).permutation(5).tolist()
    found = match_landmarks(PATIENT_MM, measured(order, seed), tolerance_mm=6.0)
    assert [order[theirs] for _, theirs in found.pairs] == [0, 1, 2, 3, 4]
    assert not found.is_ambiguous
    assert found.is_in_order == (order == [0, 1, 2, 3, 4])
    assert found.fre_mm < 2.5


def test_points_without_a_partner_stay_alone() -> None:
    """A point too many and a landmark that was not touched are left out, the rest is paired."""
    points = np.vstack((measured([3, 0, 4, 1]), [[280.0, 60.0, 880.0]]))
    found = match_landmarks(PATIENT_MM, points, tolerance_mm=6.0)
    assert found.pairs.tolist() == [[0, 1], [1, 3], [3, 0], [4, 2]]
    assert not found.is_ambiguous


def test_an_even_triangle_is_ambiguous() -> None:
    """Three points at equal distances fit three ways round, and all of them are told."""
    corners = np.array([(100.0, 0, 0), (-50, 86.6, 0), (-50, -86.6, 0)])
    found = match_landmarks(corners, TURN.apply(corners), tolerance_mm=5.0)
    assert found.is_ambiguous
    assert len(found.rivals) == 5


def test_a_pairing_that_fits_nearly_as_well_is_a_rival() -> None:
    """Legs nearly as long: the other way round leaves 1.3 times as much, and is told."""
    marked, touched = triangle(100.0, 106.0), TURN.apply(triangle(102.6, 103.4))
    found = match_landmarks(marked, touched, tolerance_mm=3.1)
    assert found.fre_mm == pytest.approx(1.97, abs=0.01)
    assert found.fre_mm > 3.1 / 3, "so that it is not the tolerance that makes it a rival"
    assert [rival.tolist() for rival in found.rivals] == [[[0, 1], [1, 0], [2, 2]]]


def triangle(left_mm: float, right_mm: float) -> np.ndarray:
    """Two legs on a base of 60 mm."""
    along_mm = (left_mm**2 - right_mm**2 + 60**2) / 120
    return np.array([(0.0, 0, 0), (60, 0, 0), (along_mm, np.sqrt(left_mm**2 - along_mm**2), 0)])


def test_mirrored_points_are_not_matched_as_they_are() -> None:
    """No proper motion lays all of a mirrored set on its landmarks."""
    points = measured([0, 1, 2, 3, 4]) * (1, 1, -1)
    found = match_landmarks(PATIENT_MM, points, tolerance_mm=6.0)
    assert len(found.pairs) < 5


def test_strange_points_are_refused() -> None:
    """Points of something else, too few and too many are each said."""
    with pytest.raises(NavigationError, match="no three of the measured points"):
        match_landmarks(PATIENT_MM, PATIENT_MM * 3, tolerance_mm=3.0)
    with pytest.raises(NavigationError, match="2 measured points"):
        match_landmarks(PATIENT_MM, PATIENT_MM[:2], tolerance_mm=3.0)
    with pytest.raises(NavigationError, match="13 landmarks"):
        match_landmarks(np.ones((13, 3)), PATIENT_MM, tolerance_mm=3.0)
    with pytest.raises(NavigationError, match="not every coordinate of the measured points is finite"):
        match_landmarks(PATIENT_MM, np.where(PATIENT_MM == 110, np.nan, PATIENT_MM), tolerance_mm=3.0)

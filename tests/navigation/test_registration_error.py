"""The error of a registration at a place: as simulated ones have it, and refused where nothing holds it."""

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.registration_error import RegistrationError

BOX_MM = np.array([[0, 0, 0], [200, 0, 0], [0, 80, 0], [200, 80, 0], [0, 0, 40], [200, 80, 40.0]])


def simulated_mm(place_mm: np.ndarray, *, fle_mm: float, count: int) -> tuple[float, float]:
    """Register noisy landmarks many times (Kabsch): RMS error at a place, and RMS distance left."""
    rng = np.random.default_rng(5)
    middle = BOX_MM.mean(axis=0)
    errors, left = [], []
    for _ in range(count):
        seen = BOX_MM + rng.normal(0.0, fle_mm / np.sqrt(3), BOX_MM.shape)
        left_vectors, _, right_vectors = np.linalg.svd((seen - seen.mean(axis=0)).T @ (BOX_MM - middle))
        mirror = np.diag([1.0, 1.0, np.linalg.det(left_vectors @ right_vectors)])
        rotation = left_vectors @ mirror @ right_vectors
        moved = (BOX_MM - middle) @ rotation.T + seen.mean(axis=0)
        errors.append(np.sum((rotation @ (place_mm - middle) + seen.mean(axis=0) - place_mm) ** 2))
        left.append(np.mean(np.sum((moved - seen) ** 2, axis=1)))
    return float(np.sqrt(np.mean(errors))), float(np.sqrt(np.mean(left)))


@pytest.mark.parametrize("off_mm", [(0.0, 0.0, 0.0), (0.0, 0.0, -100.0), (80.0, 60.0, -120.0)])
def test_it_is_what_simulated_registrations_have(off_mm: tuple[float, float, float]) -> None:
    """Within 4 %, in the landmarks' middle and 150 mm from it; the distance left tells the landmarks' error."""
    place_mm = BOX_MM.mean(axis=0) + np.array(off_mm)
    error_mm, fre_mm = simulated_mm(place_mm, fle_mm=2.0, count=3000)
    assert fre_mm * np.sqrt(6 / 4) == pytest.approx(2.0, rel=0.03)
    registration = RegistrationError.of_residual(BOX_MM, fre_mm=fre_mm)
    assert registration.at(place_mm) == pytest.approx(error_mm, rel=0.04)


@pytest.mark.parametrize(
    ("landmarks_mm", "fre_mm", "said"),
    [
        (BOX_MM[:2], 1.0, "2 landmarks"),
        (np.array([[0, 0, 0], [60, 1, 0], [120, 0, 1.0]]), 1.0, "on one line"),
        (BOX_MM, 0.0, "an error of 0"),
        (BOX_MM, float("nan"), "an error of nan"),
    ],
)
def test_what_holds_nothing_is_refused(landmarks_mm: np.ndarray, fre_mm: float, said: str) -> None:
    """Too few landmarks, landmarks on a line, an error that none has."""
    with pytest.raises(NavigationError, match=said):
        RegistrationError.of_residual(landmarks_mm, fre_mm=fre_mm)

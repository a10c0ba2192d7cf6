"""Registration by landmarks against its theory and against common mistakes."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from navigation.calibration.landmarks import register_landmarks
from navigation.errors import NavigationError
from navigation.registration_error import RegistrationError

BOX_MM = np.array([(x, y, z) for x in (-100.0, 100) for y in (-40.0, 40) for z in (-20.0, 20)])[[0, 1, 3, 4, 6, 7]]
TURN = Rotation.from_euler("xyz", (30, 40, 20), degrees=True)
SHIFT_MM = np.array((10.0, -250.0, 900.0))
TARGETS_MM = np.array([(0.0, 0, 0), (0, 0, -100), (80, 60, -120)])


def by_rows_of_eigenvectors_mm(points: NDArray[np.float64], target_mm: NDArray[np.float64]) -> float:
    """Eq. 46 for FLE 1 mm as scikit-surgerycore 0.8.3 has it (``algorithms/errors.py``, ``compute_tre_from_fle``).

    It takes the rows of the matrix whose columns are the eigenvectors.
    """
    centred = points - points.mean(axis=0)
    axes, off = np.linalg.eig(np.cov(points.T))[1], target_mm - points.mean(axis=0)
    ratio = 0.0
    for axis in axes:
        spread = np.sum(np.linalg.norm(np.cross(axis, centred), axis=1) ** 2) / len(points)
        ratio += float(np.sum(np.cross(axis, off) ** 2) / spread)
    return float(np.sqrt((1 + ratio / 3) / len(points)))


def test_errors_are_those_of_theory() -> None:
    """Over 5,000 trials errors and residual are within 3 % of theory; eigenvectors by rows miss it by 8 %."""
    rng = np.random.default_rng(7)
    points = TURN.apply(BOX_MM)
    targets = TURN.apply(TARGETS_MM)
    squares, residuals = np.zeros(3), 0.0
    for _ in range(5000):
        seen = points + rng.normal(0, 1 / np.sqrt(3), points.shape)
        found = register_landmarks(points, seen)
        squares += np.sum((found.patient_from_reference.points_mm(targets) - targets) ** 2, axis=1) / 5000
        residuals += found.fre_mm**2 / 5000
    error = RegistrationError.of_landmarks(points, fle_mm=1.0)
    np.testing.assert_allclose(np.sqrt(squares), [error.at(target) for target in targets], rtol=0.03)
    by_rows = [by_rows_of_eigenvectors_mm(points, target) for target in targets[1:]]
    assert (np.abs(np.array(by_rows) / np.sqrt(squares[1:]) - 1) > 0.08).all()
    assert np.sqrt(residuals) == pytest.approx(np.sqrt(1 - 2 / 6), rel=0.03)


def test_exact_landmarks_give_the_motion() -> None:
    """Points moved by a known motion are laid back to rounding, three of them on a plane included."""
    for count in (3, 6):
        found = register_landmarks(TURN.apply(BOX_MM[:count]) + SHIFT_MM, BOX_MM[:count])
        np.testing.assert_allclose(found.patient_from_reference.rotation, TURN.as_matrix(), atol=1e-12)
        np.testing.assert_allclose(found.patient_from_reference.translation_mm, SHIFT_MM, atol=1e-9)
        assert np.isnan(found.left_out_mm).all() == (count == 3)


@pytest.mark.parametrize("seed", range(8))
def test_no_motion_mirrors(seed: int) -> None:
    """Landmarks on a plane fit their mirror image as well: what comes is the turn, with noise and without."""
    rng = np.random.default_rng(seed)
    flat = np.array([(0.0, 0, 0), (120, 0, 0), (0, 90, 0), (110, 70, 0)])
    turn = Rotation.random(rng=rng)
    for sigma_mm in (0.0, 0.5):
        seen = turn.inv().apply(flat) + rng.normal(0, sigma_mm, flat.shape)
        rotation = register_landmarks(flat, seen).patient_from_reference.rotation
        assert np.linalg.det(rotation) == pytest.approx(1.0)
        assert np.degrees((Rotation.from_matrix(rotation) * turn.inv()).magnitude()) < 1.5


def test_bad_landmark_stands_out_when_left_out() -> None:
    """A landmark that is 4 mm off lies 4 mm from where the others, which are right, put it."""
    seen = BOX_MM.copy()
    seen[3] += (0.0, 0.0, 4.0)
    found = register_landmarks(BOX_MM, seen)
    assert int(np.argmax(found.left_out_mm)) == 3
    assert found.left_out_mm[3] == pytest.approx(4.0)
    assert found.residuals_mm[3] < 3.0, "with it the others give way"


LINE_MM = np.array([(x, 0.01 * x, 0.0) for x in (0.0, 50, 100, 170)])


@pytest.mark.parametrize(
    ("seen", "of", "sentence"),
    [
        (BOX_MM[:2], BOX_MM[:2], "too few"),
        (LINE_MM, LINE_MM, "on one line"),
        (BOX_MM / 1000, BOX_MM, r"are 0.001 times as far apart .*: check the units"),
        (BOX_MM, BOX_MM / 1000, r"are 1,000 times as far apart .*: check the units"),
        (BOX_MM * (1, 1, -1), BOX_MM, "mirror"),
        (BOX_MM[[0, 4, 2, 3, 1, 5]], BOX_MM, "landmarks 2 and 5 are swapped"),
        (BOX_MM * np.nan, BOX_MM, "finite"),
        (BOX_MM[:4], BOX_MM, "pairs"),
        (np.zeros((4, 3)), BOX_MM[:4], "one place"),
    ],
)
def test_mistakes_are_named(seen: object, of: object, sentence: str) -> None:
    """Too few, collinear, metres for millimetres, mirrored, swapped, not finite, unpaired: each by its name."""
    with pytest.raises(NavigationError, match=sentence):
        register_landmarks(of, seen)  # type: ignore[arg-type]

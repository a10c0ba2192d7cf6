import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.errors import NavigationError
from navigation.rotations import ROUNDING_TOLERANCE, nearest_rotation

TURN = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix()


def test_rotation_is_left_as_it_is() -> None:
    """A rotation is its own nearest rotation."""
    np.testing.assert_allclose(nearest_rotation(TURN), TURN, atol=1e-15)


def test_rounding_is_undone() -> None:
    """Four printed decimals come back orthonormal, nearer to the truth than their rounding."""
    repaired = nearest_rotation(np.round(TURN, 4))
    np.testing.assert_allclose(repaired @ repaired.T, np.eye(3), atol=1e-15)
    assert np.abs(repaired - TURN).max() < 1e-4


def test_scale_within_tolerance_is_taken_out_and_beyond_refused() -> None:
    """A scale of s deviates by s^2 - 1: just inside the tolerance it is undone, just outside refused."""
    inside, outside = np.sqrt(1 + 0.9 * ROUNDING_TOLERANCE), np.sqrt(1 + 1.1 * ROUNDING_TOLERANCE)
    np.testing.assert_allclose(nearest_rotation(inside * TURN), TURN, atol=1e-12)
    with pytest.raises(NavigationError, match="no rotation"):
        nearest_rotation(outside * TURN)


@pytest.mark.parametrize("largest", [1e-7, 1e-5, 1.6e-4])
def test_what_is_found_is_the_polar_factor(largest: float) -> None:
    """It is the product of the singular vectors, which is nearest of all rotations, however the matrix is bent."""
    rng = np.random.default_rng(1)
    for turn in Rotation.random(50, rng=rng).as_matrix():
        bent = turn + rng.uniform(-largest, largest, (3, 3))
        left, _, right = np.linalg.svd(bent)
        np.testing.assert_allclose(nearest_rotation(bent), left @ right, atol=1e-14)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.full((3, 3), np.nan), "finite"),
        (np.diag((1.0, 1.0, -1.0)), "mirrors"),
        (np.zeros((3, 3)), "no rotation"),
        (np.full((3, 3), 1e200), "no rotation"),
        (np.eye(4), "3 x 3"),
    ],
)
def test_what_is_no_rotation_is_refused(matrix: list[list[float]], reason: str) -> None:
    """Each reason for refusal is said."""
    with pytest.raises(NavigationError, match=reason):
        nearest_rotation(matrix)

"""Rotations out of matrices that rounding has bent."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError

ROUNDING_TOLERANCE = 1e-3
"""Largest deviation of ``M @ M.T`` from identity that may still be rounding.

float32 stays below 1e-6; trackers that print four decimals reach 2e-4. At 1e-3 the repair moves a tip 200 mm
from its marker by 0.1 mm.
"""


def nearest_rotation(matrix: ArrayLike, *, tolerance: float = ROUNDING_TOLERANCE) -> NDArray[np.float64]:
    """Give the rotation nearest to a matrix (Frobenius norm), shape (3, 3).

    The orthogonal polar factor ``U @ V.T`` of ``M = U S V.T`` (Higham, SIAM J. Sci. Stat. Comput. 7, 1986).

    Raises
    ------
    NavigationError
        Where a number is not finite, the matrix mirrors, or it is further from a rotation than ``tolerance``
        (the greatest element of ``M @ M.T - 1``): scaled or sheared, which no rounding explains.

    """
    bent = np.asarray(matrix, dtype=np.float64)
    if bent.shape != (3, 3):
        raise NavigationError(f"a rotation is 3 x 3, not {bent.shape}")
    if not np.isfinite(bent).all():
        raise NavigationError("not every number of the rotation is finite")
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers overflow to inf and are refused below
        deviation = np.abs(bent @ bent.T - np.eye(3)).max()
    if not deviation <= tolerance:
        raise NavigationError(f"the matrix is no rotation: off by {deviation:.2g}, rounding allows {tolerance:g}")
    if np.linalg.det(bent) < 0:
        raise NavigationError("the matrix mirrors; left would become right")
    left, _, right = np.linalg.svd(bent)
    return np.asarray(left @ right, dtype=np.float64)

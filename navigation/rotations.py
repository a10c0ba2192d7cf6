"""Rotations out of matrices that rounding has bent."""

import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError

ROUNDING_TOLERANCE = 1e-3
"""Largest deviation of ``M @ M.T`` from identity that may still be rounding.

float32 stays below 1e-6; trackers that print four decimals reach 2e-4. At 1e-3 the repair moves a tip 200 mm
from its marker by 0.1 mm.
"""

_IDENTITY = np.eye(3)


def nearest_rotation(matrix: ArrayLike) -> NDArray[np.float64]:
    """Give the rotation nearest to a matrix (Frobenius norm), shape (3, 3).

    The orthogonal polar factor (Higham, SIAM J. Sci. Stat. Comput. 7, 1986), by the iteration
    ``M <- M - (M @ M.T - 1) @ M / 2``, which leaves of a deviation three quarters of its square (Björck and Bowie,
    SIAM J. Numer. Anal. 8, 1971): two rounds for float32, where singular values would take as long as all else
    that is done with a pose.

    Raises
    ------
    NavigationError
        Where a number is not finite, the matrix mirrors, or it is further from a rotation than
        ``ROUNDING_TOLERANCE`` (the greatest element of ``M @ M.T - 1``): scaled or sheared, which no rounding
        explains.

    """
    bent = np.asarray(matrix, dtype=np.float64)
    if bent.shape != (3, 3):
        raise NavigationError(f"a rotation is 3 x 3, not {bent.shape}")
    if not np.isfinite(bent).all():
        raise NavigationError("not every number of the rotation is finite")
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers overflow to inf and are refused below
        skewness = bent @ bent.T - _IDENTITY
        deviation = float(np.abs(skewness).max())
    if not deviation <= ROUNDING_TOLERANCE:
        raise NavigationError(
            f"the matrix is no rotation: off by {deviation:.2g}, rounding allows {ROUNDING_TOLERANCE:g}"
        )
    if np.linalg.det(bent) < 0:
        raise NavigationError("the matrix mirrors; left would become right")
    while deviation > sys.float_info.epsilon:
        bent = bent - skewness @ bent / 2
        skewness = bent @ bent.T - _IDENTITY
        deviation = 3 * deviation**2  # no element of a square is more than three products of elements
    return bent

"""Rotations as unit quaternions, of plain floats: of nine numbers, and hundreds of times a second.

scipy's ``Rotation`` takes twenty times as long, since it takes many rotations, from any array library, and looks
for the nearest rotation first; here the matrix is one already. The tests hold the two against each other.
"""

from math import atan2, copysign, cos, hypot, sin, sqrt

import numpy as np
from numpy.typing import NDArray


def wxyz_of(rotation: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Give a rotation (3, 3) as the unit quaternion (w, x, y, z) with w >= 0.

    From the greatest of the four components, which is never near zero (Shepperd, 1978, J. Guidance and Control 1,
    223).
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    trace = a + e + i
    greatest = max(trace, a, e, i)
    if greatest == trace:
        w, x, y, z = 1 + trace, h - f, c - g, d - b
    elif greatest == a:
        w, x, y, z = h - f, 1 + a - e - i, b + d, c + g
    elif greatest == e:
        w, x, y, z = c - g, b + d, 1 + e - a - i, f + h
    else:
        w, x, y, z = d - b, c + g, f + h, 1 + i - a - e
    length = copysign(sqrt(w * w + x * x + y * y + z * z), w)
    return w / length, x / length, y / length, z / length


def part_of_turn(rotation: NDArray[np.float64], fraction: float) -> NDArray[np.float64]:
    """Give the rotation (3, 3) about the same axis by a fraction of the angle, the shorter way round.

    From identity it is the slerp to ``rotation`` (Shoemake, 1985, Computer Graphics 19, 245).
    """
    w, x, y, z = wxyz_of(rotation)
    sine = hypot(x, y, z)
    if sine == 0:
        return np.eye(3)
    half_rad = fraction * atan2(sine, w)
    scale = sin(half_rad) / sine
    return _matrix_of(cos(half_rad), scale * x, scale * y, scale * z)


def _matrix_of(w: float, x: float, y: float, z: float) -> NDArray[np.float64]:
    """Give a unit quaternion as a rotation (3, 3)."""
    return np.array(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )
    )

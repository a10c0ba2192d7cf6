"""An injection site is no point: a wheal, or a depot in the tissue around a tumour, some millimetres wide.

Its activity is taken as normally distributed about its centre, with one variance along all axes for all sites of a
patient. The logarithm of the rate is nearly linear in that variance, so it is one more unknown, learnt along with
the rest.
"""

import math

import numpy as np
from numpy.typing import NDArray

from navigation.probe.response import Response
from navigation.tissue import Skin

Array = NDArray[np.float64]

REFERENCE_MM = 4.0
"""Standard deviation along an axis at which the variance, as an unknown, is 1."""

EXPECTED, DOUBT = 0.25, 1.0
"""Mean and standard deviation of that unknown before the counts: a wheal of 0.1 mL is 6 mm wide, a depot 15 mm."""

GREATEST = 6.0
"""Most by which the logarithm of a rate is said to change."""

STEP = 0.1
"""Step of the unknown by which its slope is differenced."""

_FAINTEST_CPS = 1e-4


def log_ratio(
    response: Response, position_mm: Array, tip_mm: Array, axis: Array, skin: Skin, *, sigma_mm: float
) -> Array:
    """Log of the mean rate of a normal distribution of activity over that of a point at its middle, shape (N, K).

    The mean is over six points at the square root of three standard deviations along the axes, which is exact to
    the third order (Arasaratnam and Haykin, IEEE Trans. Autom. Control 54 (2009) 1254, section III).
    """
    size = len(position_mm)
    if not size:
        return np.zeros((len(tip_mm), 0))
    steps = math.sqrt(3.0) * sigma_mm * np.concatenate((np.eye(3), -np.eye(3)))
    points = (position_mm[:, None] + steps).reshape(-1, 3)
    around = response.rate_cps(points, tip_mm, axis, skin).reshape(-1, size, len(steps)).mean(axis=2)
    middle = response.rate_cps(position_mm, tip_mm, axis, skin)
    return np.asarray(np.clip(np.log((around + _FAINTEST_CPS) / (middle + _FAINTEST_CPS)), -GREATEST, GREATEST))

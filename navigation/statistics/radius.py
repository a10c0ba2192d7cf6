"""How far a normal error in space reaches: the probability within a radius, and the radius of a probability."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri, erf, ndtri

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)

_ALONG2 = ((_NODES + 1) / 2)[:, None] ** 2
_COS2 = np.cos(np.pi / 4 * (_NODES + 1))[None] ** 2
"""Squared direction cosines of the nodes, of one octant: with the third axis, and about it with the first."""


def probability_within(covariance_mm2: Array, radius_mm: float) -> float:
    """Probability that a centred normal vector (covariance (3, 3), mm2) is no longer than a radius.

    A generalised chi-square: the vector is a chi-distributed length times a direction uniform on the sphere, so
    that it is the mean of P(chi2_3 < radius^2 / n' C n) over directions n (Deak, 1980, Numer. Math. 35, 35,
    section 2). By symmetry one octant is enough: 24 by 24 Gauss-Legendre nodes about the principal axes.
    """
    return _mean_within(_variances_mm2(covariance_mm2), radius_mm)


def radius_within_mm(covariance_mm2: Array, probability: float = 0.95) -> float:
    """Radius, mm, that a centred normal vector (covariance (3, 3), mm2) keeps within with this probability."""
    sigma_mm = float(np.sqrt(max(np.linalg.eigvalsh(covariance_mm2)[-1], 0.0)))
    if sigma_mm == 0:
        return 0.0
    variances_mm2 = _variances_mm2(covariance_mm2)
    # no nearer than if it erred along its longest axis alone, no further than if as much along all three
    least_mm, most_mm = sigma_mm * ndtri((1 + probability) / 2), sigma_mm * np.sqrt(chdtri(3, 1 - probability))
    return float(
        brentq(
            lambda radius_mm: _mean_within(variances_mm2, radius_mm) - probability,
            0.98 * least_mm,
            1.02 * most_mm,
            xtol=1e-6 * sigma_mm,
        )
    )


def _variances_mm2(covariance_mm2: Array) -> Array:
    """Variances along the nodes' directions, shape (24, 24)."""
    one, two, three = np.maximum(np.linalg.eigvalsh(covariance_mm2), 1e-12)
    across = one * _COS2 + two * (1 - _COS2)
    return np.asarray(three * _ALONG2 + across * (1 - _ALONG2))


def _mean_within(variances_mm2: Array, radius_mm: float) -> float:
    """Mean of P(chi2_3 < radius^2 / variance), in its closed form: Maxwell's distribution of speeds."""
    reduced = radius_mm / np.sqrt(2 * variances_mm2)
    within = erf(reduced) - 2 / np.sqrt(np.pi) * reduced * np.exp(-(reduced**2))
    return float(_WEIGHTS @ within @ _WEIGHTS / 4)

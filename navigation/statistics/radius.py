"""How far a normal error in space reaches: the probability within a radius, and the radius of a probability."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, erf

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)

_ALONG2 = ((_NODES + 1) / 2)[:, None] ** 2
_COS2 = np.cos(np.pi / 4 * (_NODES + 1))[None] ** 2
"""Squared direction cosines of the nodes, of one octant: with the third axis, and about it with the first."""

_SETTLED = 1e-5
"""Step over the radius, beyond which the next would be of its square."""


def probability_within(covariance_mm2: Array, radius_mm: float) -> float:
    """Probability that a centred normal vector (covariance (3, 3), mm2) is no longer than a radius.

    A generalised chi-square: the vector is a chi-distributed length times a direction uniform on the sphere, so
    that it is the mean of P(chi2_3 < radius^2 / n' C n) over directions n (Deak, 1980, Numer. Math. 35, 35,
    section 2). By symmetry one octant is enough: 24 by 24 Gauss-Legendre nodes about the principal axes.
    """
    probability, _ = _within(_inverse_lengths_per_mm(np.asarray(np.linalg.eigvalsh(covariance_mm2))), radius_mm)
    return probability


def radius_within_mm(covariance_mm2: Array, probability: float = 0.95) -> float:
    """Radius, mm, that a centred normal vector (covariance (3, 3), mm2) keeps within with this probability.

    Newton's method, from the chi-square with the same mean and variance (Satterthwaite, 1946, Biometrics 2, 110),
    which is the very answer where all axes that err at all err alike.
    """
    principal_mm2 = np.maximum(np.linalg.eigvalsh(covariance_mm2), 0.0)
    if principal_mm2[-1] == 0:
        return 0.0
    inverse_lengths_per_mm = _inverse_lengths_per_mm(principal_mm2)
    mean_mm2, half_variance_mm4 = float(principal_mm2.sum()), float(principal_mm2 @ principal_mm2)
    scale_mm2 = half_variance_mm4 / mean_mm2
    radius_mm = float(np.sqrt(scale_mm2 * chdtri(mean_mm2 / scale_mm2, 1 - probability)))
    step_mm = radius_mm
    while abs(step_mm) > _SETTLED * radius_mm:
        within, per_mm = _within(inverse_lengths_per_mm, radius_mm)
        step_mm = (probability - within) / per_mm
        radius_mm += step_mm
    return radius_mm


def _inverse_lengths_per_mm(principal_mm2: Array) -> Array:
    """Give one over the root of twice the variance along the nodes' directions, shape (24, 24)."""
    one, two, three = np.maximum(principal_mm2, 1e-12)
    across_mm2 = one * _COS2 + two * (1 - _COS2)
    return np.asarray(1 / np.sqrt(2 * (three * _ALONG2 + across_mm2 * (1 - _ALONG2))))


def _within(inverse_lengths_per_mm: Array, radius_mm: float) -> tuple[float, float]:
    """Mean of P(chi2_3 < radius^2 / variance), in its closed form, and its derivative by the radius, per mm.

    Maxwell's distribution of speeds.
    """
    reduced = radius_mm * inverse_lengths_per_mm
    falling = 2 / np.sqrt(np.pi) * reduced * np.exp(-(reduced**2))
    within = _mean(erf(reduced) - falling)
    return within, _mean(2 * reduced * falling * inverse_lengths_per_mm)


def _mean(values: Array) -> float:
    return float(_WEIGHTS @ values @ _WEIGHTS / 4)

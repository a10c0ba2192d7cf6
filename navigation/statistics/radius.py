"""How far a normal error in space reaches: the probability within a radius, and the radius of a probability."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammainc

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def probability_within(covariance_mm2: Array, radius_mm: float) -> float:
    """Probability that a centred normal vector (covariance (3, 3), mm2) is no longer than a radius.

    A generalised chi-square: the vector is a chi-distributed length times a direction uniform on the sphere, so
    that it is the mean of P(chi2_3 < radius^2 / n' C n) over directions n (Deak, 1980, Numer. Math. 35, 35,
    section 2). By symmetry one octant is enough: 24 by 24 Gauss-Legendre nodes about the principal axes.
    """
    values = np.maximum(np.linalg.eigvalsh(covariance_mm2), 1e-12)
    along = ((_NODES + 1) / 2)[:, None]
    turn = (np.pi / 4 * (_NODES + 1))[None]
    across = values[0] * np.cos(turn) ** 2 + values[1] * np.sin(turn) ** 2
    variance = values[2] * along**2 + across * (1 - along**2)
    return float(_WEIGHTS @ gammainc(1.5, radius_mm**2 / (2 * variance)) @ _WEIGHTS / 4)


def radius_within_mm(covariance_mm2: Array, probability: float = 0.95) -> float:
    """Radius, mm, that a centred normal vector (covariance (3, 3), mm2) keeps within with this probability."""
    rms_mm = float(np.sqrt(max(np.trace(covariance_mm2), 0.0)))
    if rms_mm == 0:
        return 0.0
    # one axis alone at five standard deviations leaves out less than a millionth
    return float(
        brentq(lambda radius_mm: probability_within(covariance_mm2, radius_mm) - probability, 0, 5 * rms_mm)
    )

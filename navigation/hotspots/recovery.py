"""How much of a small object's activity an image of finite resolution gives back, and how well that is known."""

import math

import numpy as np

from navigation.hotspots.resolution import Resolution

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))

SMALLEST_FACTOR = 1.15
"""1-sigma factor of the activity of an object much wider than the resolution: calibration, attenuation, scatter.

SPECT phantoms: totals within 1-4 % (PMC5206851), organs up to 22 % off by the geometry of the calibration
(s40658-021-00365-8).
"""

LARGEST_FACTOR = 2.0
"""That of a point: spheres below the resolution lose half and more (10.1007/s00259-010-1472-7)."""


def peak_recovery(diameter_mm: float, fwhm_mm: float) -> float:
    """Share of a uniform ball's concentration that its middle shows after a Gaussian blur.

    erf(q) - 2 q exp(-q^2) / sqrt(pi), q = radius / (sqrt(2) sigma).
    """
    q = diameter_mm / 2 / (math.sqrt(2) * fwhm_mm / FWHM_PER_SIGMA)
    return math.erf(q) - 2 * q * math.exp(-q * q) / math.sqrt(math.pi)


def mean_recovery(diameter_mm: float, fwhm_mm: float) -> float:
    """Share of a uniform ball's activity that stays within it after a Gaussian blur; 0 for a point.

    Moved by r a ball of radius R overlaps with itself by 1 - 3 r / 4 R + r^3 / 16 R^3; the Gaussian says how much
    is moved by r.
    """
    if diameter_mm <= 0:
        return 0.0
    sigma_mm = fwhm_mm / FWHM_PER_SIGMA
    r_mm = np.linspace(0, diameter_mm, 401)
    overlap = 1 - 1.5 * r_mm / diameter_mm + 0.5 * (r_mm / diameter_mm) ** 3
    moved = np.exp(-0.5 * (r_mm / sigma_mm) ** 2) / ((2 * math.pi) ** 1.5 * sigma_mm**3)
    return float(np.trapezoid(overlap * moved * 4 * math.pi * r_mm**2, r_mm))


def activity_factor(diameter_mm: float, resolution: Resolution | None) -> float:
    """1-sigma factor by which an activity may be wrong: from a factor 2 for a point to 1.15 for a wide object.

    What the image gives back decides how much was made up for it: the logarithm of the factor goes with recovery,
    at the resolution's upper limit. None where nothing is known of it: as of a point.
    """
    recovered = 0.0 if resolution is None else peak_recovery(diameter_mm, resolution.widest_mm)
    return math.exp((1 - recovered) * math.log(LARGEST_FACTOR) + recovered * math.log(SMALLEST_FACTOR))

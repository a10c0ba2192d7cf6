"""A photopeak in a spectrum: where it is and how wide, by Poisson likelihood of its channels.

A Gaussian on a straight background; deviance residuals make least squares the maximum of the likelihood (McCullagh
and Nelder, Generalized Linear Models, 2.4), and their Jacobian gives the errors.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from navigation.errors import NavigationError
from navigation.statistics.deviance import deviance_residuals

Array = NDArray[np.float64]

FWHM_OF_SIGMA = 2 * sqrt(2 * log(2))
SEARCHED = 0.3
"""Share of the line's energy on each side of it in which its peak is looked for."""

FITTED_WIDTHS = 1.2
"""Full widths at half maximum on each side of the peak that are fitted: farther off the continuum bends."""

LEAST_COUNTS = 400
"""Counts above the background that a peak must have: fewer give its place to no better than 2 % of its width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A photopeak.

    Attributes
    ----------
    centre_kev, centre_sigma_kev
        Where it is, with its standard error.
    fwhm_kev, fwhm_sigma_kev
        Full width at half maximum.
    counts
        In it, above the background.

    """

    centre_kev: float
    centre_sigma_kev: float
    fwhm_kev: float
    fwhm_sigma_kev: float
    counts: float


def fit_peak(energy_kev: ArrayLike, counts: ArrayLike, *, line_kev: float) -> Peak:
    """Find the peak that belongs to a line.

    Parameters
    ----------
    energy_kev, counts
        Of each channel, rising, shape (C,).
    line_kev
        Energy of the line.

    Raises
    ------
    NavigationError
        Where no peak stands out near the line.

    """
    energies, heights = np.asarray(energy_kev, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    width_kev = float(np.diff(energies).mean()) if energies.size > 1 else 0.0
    near = np.abs(energies - line_kev) <= SEARCHED * line_kev
    if width_kev <= 0 or near.sum() < 8:
        raise NavigationError(f"the spectrum has no channels about {line_kev:g} keV: check its energy calibration")
    smooth = np.convolve(heights, np.full(3, 1 / 3), mode="same")
    top = int(np.flatnonzero(near)[np.argmax(smooth[near])])
    fwhm = max(_half_width(smooth, top) * 2 * width_kev, 3 * width_kev)
    region = np.abs(energies - energies[top]) <= FITTED_WIDTHS * fwhm
    at, seen = energies[region], heights[region]

    def expected(found: Array) -> Array:
        height, centre, sigma, level, slope = found
        background = level + slope * (at - energies[top]) / fwhm
        return np.asarray(np.maximum(height * np.exp(-0.5 * ((at - centre) / sigma) ** 2) + background, 1e-6))

    def deviance(found: Array) -> Array:
        return deviance_residuals(seen, expected(found))

    edge = float(min(seen[0], seen[-1]))
    start = np.array([max(smooth[top] - edge, 1.0), energies[top], fwhm / FWHM_OF_SIGMA, max(edge, 0.1), 0.0])
    low = [0.0, energies[top] - fwhm, width_kev / 2, 0.0, -np.inf]
    high = [np.inf, energies[top] + fwhm, 2 * fwhm, np.inf, np.inf]
    found = least_squares(deviance, start, bounds=(low, high), x_scale=np.maximum(np.abs(start), fwhm / 10))
    height, centre, sigma, _, _ = (float(value) for value in found.x)
    in_peak = height * sigma * sqrt(2 * np.pi) / width_kev
    is_outside = abs(centre - line_kev) > SEARCHED * line_kev
    if not found.success or in_peak < LEAST_COUNTS or is_outside or height < 5 * sqrt(max(edge, 1.0)):
        raise NavigationError(f"no photopeak stands out within {SEARCHED:.0%} of {line_kev:g} keV")
    jacobian = np.asarray(found.jac, dtype=np.float64)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    return Peak(
        centre_kev=centre,
        centre_sigma_kev=sqrt(covariance[1, 1]),
        fwhm_kev=sigma * FWHM_OF_SIGMA,
        fwhm_sigma_kev=sqrt(covariance[2, 2]) * FWHM_OF_SIGMA,
        counts=in_peak,
    )


def _half_width(heights: Array, top: int) -> float:
    """Channels from the top to half its height, on the nearer side."""
    below = np.flatnonzero(heights < heights[top] / 2)
    return float(np.abs(below - top).min()) if below.size else float(len(heights))

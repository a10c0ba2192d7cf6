"""What is held about a mixture before any count: sources by the map, the body, the background, the response."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.mixture import NUISANCES, Mixture
from navigation.estimation.shift import displacement_mm, joint_precision
from navigation.probe import extent
from navigation.probe.response import FITTED, Response
from navigation.tissue import Tissue

Array = NDArray[np.float64]

FARTHEST_PRECISION = 1e-4
"""Precision (per mm2) that a position has where nothing else holds it: 100 mm."""

LEAST_DEPTH_MM = 3.0
"""Sources lie at least so deep: below the skin's own thickness."""

DEPTH_SIGMA_MM = 2.0
"""How sharply that is held: the skin out of a CT is no better known."""

LEAST_BACKGROUND_CPS = 1e-3
"""A bench on which nothing was counted has this."""

PATIENT_CPS = 0.3
"""Rate that a patient with tracer in her adds to the bench's background as a matter of course.

Where that background is next to nothing no share of it covers this, and what is counted everywhere alike would be
taken for a source far away.
"""

WIDTH_DOUBT, ATTENUATION_DOUBT, LEAK_DOUBT = 0.05, 0.05, 0.7
"""How far field of view, attenuation and leak may be from the calibration's in theatre, in logarithm.

Another holder, another cover, another day's window and a patient who is not water: the bench's errors know of
none.
"""


def _doubt() -> Array:
    """Covariance of the logarithms of ``FITTED`` that is added to the bench's: both radii go together."""
    width = WIDTH_DOUBT * np.array([name in {"crystal_radius_mm", "aperture_radius_mm"} for name in FITTED])
    own = {"attenuation_per_mm": ATTENUATION_DOUBT, "leak": LEAK_DOUBT}
    return np.outer(width, width) + np.diag([own.get(name, 1e-4) ** 2 for name in FITTED])


class MixturePrior:
    """The density of a mixture before any count.

    Parameters
    ----------
    response
        As calibrated: its parameters with their covariance, and the background.
    correction_mean
        What the components of the response's correction are expected to be.
    tissue
        Sources lie in it.
    background_log_sigma
        How sure the logarithm of the background is, but for what a patient adds (``PATIENT_CPS``).

    """

    def __init__(
        self, response: Response, correction_mean: Array, tissue: Tissue, *, background_log_sigma: float
    ) -> None:
        self._tissue = tissue
        background_cps = max(response.background_cps, LEAST_BACKGROUND_CPS)
        self._log_background = math.log(background_cps)
        self._background_precision = (
            math.hypot(background_log_sigma, math.log1p(PATIENT_CPS / background_cps)) ** -2
        )
        self._expected_response = np.concatenate((np.zeros(len(FITTED)), correction_mean, [extent.EXPECTED]))
        self._precision = np.eye(NUISANCES)
        self._precision[: len(FITTED), : len(FITTED)] = np.linalg.inv(response.covariance + _doubt())
        self._precision[-1, -1] = extent.DOUBT**-2

    def start(self) -> Mixture:
        """No sources, the calibrated background and response."""
        return Mixture(
            priors=(),
            position_mm=np.zeros((0, 3)),
            log_activity=np.zeros(0),
            log_background=self._log_background,
            log_response=self._expected_response,
        )

    def add(self, mixture: Mixture, gradient: Array, information: Array, volume_mm3: float) -> float:
        """Add its gradient and information at a mixture, in place, and return the logarithm of its density.

        Parameters
        ----------
        mixture
            K sources, background and response.
        gradient, information
            Of the log posterior, shapes (4 K + 1 + ``NUISANCES``,) and that squared: positions, activities,
            background, response.
        volume_mm3
            Volume that is searched, over which a source that is on no map is uniform.

        """
        size = len(mixture)
        total = self._keep_inside(mixture.position_mm, gradient, information)
        rows = np.arange(3 * size).reshape(size, 3)
        information[rows.ravel(), rows.ravel()] += FARTHEST_PRECISION
        total += self._hold_to_map(mixture, gradient, information, volume_mm3)
        for number, prior in enumerate(mixture.priors):
            row = 3 * size + number
            off = (mixture.log_activity[number] - prior.log_activity_mean) / prior.log_activity_sigma
            total -= 0.5 * float(off**2) + float(np.log(prior.log_activity_sigma * np.sqrt(2 * np.pi)))
            gradient[row] -= off / prior.log_activity_sigma
            information[row, row] += prior.log_activity_sigma**-2
        row = 4 * size
        off_background = mixture.log_background - self._log_background
        total -= 0.5 * self._background_precision * off_background**2
        gradient[row] -= self._background_precision * off_background
        information[row, row] += self._background_precision
        off_response = mixture.log_response - self._expected_response
        pull = self._precision @ off_response
        total -= 0.5 * float(off_response @ pull)
        gradient[row + 1 :] -= pull
        information[row + 1 :, row + 1 :] += self._precision
        return total

    @staticmethod
    def _hold_to_map(mixture: Mixture, gradient: Array, information: Array, volume_mm3: float) -> float:
        """Draw the sources that the map's part of their prior rules to the map, shifted as a whole."""
        total, mapped = 0.0, []
        for number, prior in enumerate(mixture.priors):
            log_density, is_mapped = prior.log_density(mixture.position_mm[number][None], volume_mm3)
            if is_mapped[0]:
                mapped.append(number)
                total += math.log1p(-prior.uniform_share)
            else:
                total += float(log_density[0])
        if not mapped:
            return total
        priors = tuple(mixture.priors[number] for number in mapped)
        rows = (3 * np.array(mapped)[:, None] + np.arange(3)).reshape(-1)
        precision, log_norm = joint_precision(priors)
        off_mm = displacement_mm(priors, mixture.position_mm[mapped])
        gradient[rows] -= precision @ off_mm
        information[np.ix_(rows, rows)] += precision
        return total + log_norm - 0.5 * float(off_mm @ precision @ off_mm)

    def _keep_inside(self, position_mm: Array, gradient: Array, information: Array) -> float:
        """Hold sources in the body: a parabola from ``LEAST_DEPTH_MM`` below the skin outward."""
        skin = self._tissue.skin_at(position_mm)
        above = np.where(np.isfinite(skin.height_mm), np.maximum(skin.height_mm + LEAST_DEPTH_MM, 0.0), 0.0)
        for number, (height, normal) in enumerate(zip(above, skin.normal, strict=True)):
            rows = slice(3 * number, 3 * number + 3)
            gradient[rows] -= height / DEPTH_SIGMA_MM**2 * normal
            information[rows, rows] += (height > 0) / DEPTH_SIGMA_MM**2 * np.outer(normal, normal)
        return -0.5 * float(np.square(above / DEPTH_SIGMA_MM).sum())

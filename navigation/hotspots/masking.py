"""How near to an injection site a target might not be found: said, so that no one takes silence for absence."""

import math

import numpy as np
from numpy.typing import NDArray

from navigation.hotspots.blobs import SCALES, make_layer
from navigation.hotspots.measures import Measured
from navigation.volume import Volume

MASKED_SHARE = 0.001
"""Content of a target as a share of the injection's: nodes take up a per cent to a thousandth of it."""

SHELL_MM = 5.0
FARTHEST_MM = 150.0

SHARE_OF_SHELL = 0.05
"""A shell counts as masked where more than so many of its voxels are."""


def masked_within_mm(volume: Volume, injection: Measured, psf_sigma_mm: float, least_snr: float) -> float:
    """Find the distance within which a target with `MASKED_SHARE` of an injection's content might be missed.

    A point needs an amplitude that stands ``least_snr`` above the noise and above what the injection's own shape
    takes from the response, and that makes a hill on the slope where it lies. Infinite where it might be missed in
    every shell, as in a short scan.
    """
    layer = make_layer(volume, SCALES[0], psf_sigma_mm)
    spacing_mm = volume.geometry.spacing_mm
    slope = np.sqrt(sum(np.gradient(layer.smooth, step, axis=axis) ** 2 for axis, step in enumerate(spacing_mm)))
    # a Gaussian of height h and width s falls by at most h exp(-1/2) / s a millimetre
    by_slope = slope * layer.seen_sigma_mm / (math.exp(-0.5) * layer.unit_height)
    by_noise = (least_snr * layer.noise - np.minimum(layer.response, 0)) / layer.unit_response
    needed = np.maximum(by_slope, by_noise) * ((2 * math.pi) ** 1.5 * psf_sigma_mm**3 / 1000)
    is_masked = needed > MASKED_SHARE * injection.content
    return _reach_mm(volume, injection.blob.centre_mm, is_masked)


def _reach_mm(volume: Volume, centre_mm: NDArray[np.float64], is_masked: NDArray[np.bool_]) -> float:
    """Radius of the last masked shell; beyond the volume nothing can be said and nothing is."""
    indices = np.moveaxis(np.indices(volume.geometry.shape), 0, -1)
    distance_mm = np.linalg.norm(volume.geometry.positions_mm(indices) - centre_mm, axis=-1)
    shell = (distance_mm / SHELL_MM).astype(int)
    last = int(FARTHEST_MM / SHELL_MM)
    held = np.bincount(shell.ravel(), minlength=last + 1)[:last]
    masked = np.bincount(shell.ravel(), weights=is_masked.ravel(), minlength=last + 1)[:last]
    bad = np.flatnonzero(masked > SHARE_OF_SHELL * np.maximum(held, 1))
    if not len(bad):
        return 0.0
    farthest = int(np.flatnonzero(held)[-1])
    return math.inf if bad[-1] >= farthest else float((bad[-1] + 1) * SHELL_MM)

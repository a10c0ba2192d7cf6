"""How wide a point is in an image: what is assumed of it, and what the image itself shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.hotspots.blobs import DIRECTIONS
from navigation.volume import Volume

CLEAR_CONTRAST = 20.0
"""How many times a spot stands above the scatter of its surroundings before its width says anything."""

FEWEST_VOXELS = 1.5
"""A spot narrower than so many voxels is a voxel that is wrong, not a point."""

LEAST_SHARE = 0.5
"""Of the assumed width: so much finer than its kind no camera is."""

SHOWN_UNCERTAINTY = 0.15
"""Relative standard deviation of a width that is taken from a spot: it is a spot's, not a point's."""

STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Width of a point source in a volume.

    Attributes
    ----------
    fwhm_mm
        Full width at half maximum.
    sigma_mm
        How well it is known, a standard deviation.
    words
        Where it is from, for people.

    Raises
    ------
    NavigationError
        Where the width is not above zero, or its uncertainty below.

    """

    fwhm_mm: float
    sigma_mm: float
    words: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.fwhm_mm < math.inf:
            raise NavigationError(f"resolution: fwhm_mm is {self.fwhm_mm}, wants a width above zero")
        if not 0 <= self.sigma_mm < math.inf:
            raise NavigationError(f"resolution: sigma_mm is {self.sigma_mm}, wants 0 or more")

    @property
    def widest_mm(self) -> float:
        """One standard deviation above: the width at which least is known of what a spot holds."""
        return self.fwhm_mm + self.sigma_mm


def sharpen(assumed: Resolution, volume: Volume, centres_mm: Sequence[NDArray[np.float64]]) -> Resolution:
    """Take the width of the narrowest clear spot where that is less: no spot is narrower than a point.

    Wider spots say nothing: they may be wide themselves.
    """
    widths_mm = [width for centre_mm in centres_mm if (width := _width_mm(assumed, volume, centre_mm)) is not None]
    least_mm = max(FEWEST_VOXELS * max(volume.geometry.spacing_mm), LEAST_SHARE * assumed.fwhm_mm)
    shown_mm = max(min(widths_mm, default=math.inf), least_mm)
    if shown_mm >= assumed.fwhm_mm:
        return assumed
    words = f"a spot of the image is no wider, where {assumed.fwhm_mm:.3g} mm was assumed: {assumed.words}"
    return Resolution(fwhm_mm=shown_mm, sigma_mm=SHOWN_UNCERTAINTY * shown_mm, words=words)


def _width_mm(assumed: Resolution, volume: Volume, centre_mm: NDArray[np.float64]) -> float | None:
    """Width at half of the height above the surroundings, over many directions; None where it is not clear."""
    radii_mm = np.linspace(0, 2 * assumed.fwhm_mm, STEPS)
    profiles = volume.sample(centre_mm + radii_mm[:, None, None] * DIRECTIONS, outside=math.nan)
    if not np.isfinite(profiles).all():
        return None
    around = profiles[-1]
    height = float(profiles[0, 0] - np.median(around))
    if height <= CLEAR_CONTRAST * float(around.std()) or height <= 0:
        return None
    is_below = profiles - np.median(around) < height / 2
    if not is_below.any(axis=0).all():
        return None
    return 2 * float(np.median(radii_mm[is_below.argmax(axis=0)]))

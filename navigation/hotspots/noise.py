"""How much noise moves a filter's response: told by the volume itself, as far as it holds more than spots.

The variance of the response is taken to grow with the local mean, as that of counts does. The factor between the
two, in the values' own unit, needs no scale of counts.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

NOISE_FLOOR = 0.005
"""Share of the local mean below which a response is no signal: rounding of pixels, reconstruction artefacts."""

FEWEST_MAXIMA = 32
"""So many maxima may all be spots; only more of them tell noise."""

MAXIMA_PER_CUBE = 0.02
"""Maxima of noise, at least, in a cube of the width of the filter and its own blur, added as squares.

They are about 0.03 (Bardeen et al., Astrophys. J. 304, 1986); some are lost to greater neighbours.
"""

MAXIMUM_PER_VARIANCE = 3.0
"""Median square of a maximum of noise, by the noise's variance: 2.8 to 5 in Poisson noise, white or blurred."""

STRONGEST_PER_VARIANCE = 16.0
"""The same of the strongest maximum that is no spot, as `FEWEST_MAXIMA` are stronger: streaks have a long tail."""

MOST_BY_VOXELS = 2.0
"""How many times the maxima's factor that of the voxels may be: where it is more, they are voxels of spots."""

FAINTEST = 1e-6
"""Share of the highest mean below which a maximum is the filter's cut-off; of the local one: rounding."""

MOST_SAMPLED = 500_000
"""Voxels of which the median is taken, and the smallest step between two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How the response varies by noise.

    Attributes
    ----------
    per_mean
        Its variance by the local mean, in the values' unit; `NOISE_FLOOR` comes on top.
    has_body
        Whether there is more than spots, or may be, so that most voxels show noise.
    is_white
        Whether that of counts is all that is known of it; other noise may be as blurred as a point.

    """

    per_mean: float
    has_body: bool
    is_white: bool = False

    def at_scale(self, sigma_mm: float, *, told_at_mm: float, psf_sigma_mm: float) -> "Noise":
        """Give what the filter of another scale leaves of it, at most where its blur is not known.

        A scale-normalised Laplacian of Gaussian leaves sigma^4 / (sigma^2 + blur^2)^3.5, the integral of its
        square.
        """
        blur_mm = 0.0 if self.is_white else psf_sigma_mm
        wider = sigma_mm / told_at_mm
        closer = math.hypot(told_at_mm, blur_mm) / math.hypot(sigma_mm, blur_mm)
        return replace(self, per_mean=self.per_mean * wider**4 * closer**7)

    def deviation(self, level: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the standard deviation where the local mean is ``level``."""
        variance = level * np.float32(self.per_mean) + (np.float32(NOISE_FLOOR) * level) ** 2
        return np.asarray(np.sqrt(variance), dtype=np.float32)


def tell_noise(
    values: NDArray[np.float32],
    sigma: NDArray[np.float64],
    *,
    response: NDArray[np.float32],
    level: NDArray[np.float32],
    is_maximum: NDArray[np.bool_],
    could_hold: float,
    finer: Noise | None = None,
) -> Noise:
    """Estimate the noise of a response.

    Where there is a body, hot spots are few of its voxels. Its factor is the median of response^2 / mean, divided
    by 0.4549, the median of chi-square with one degree of freedom. Voxels weigh by their mean, capped, so that
    neither the air around the patient nor the hottest organ decides.

    Where hardly anything is there but spots, as in a simulated volume or one whose background is cut off, they are
    most of the voxels, and that median is their own height. It shows in the maxima: noise has many, a spot one,
    however hot and wide it is. Then the factor is the maxima's, and never less than if the smallest step between
    two values is a count; where maxima are so few that all may be spots, no more is known.

    Few maxima say that there is no body only where it would have many: a small volume has few of either kind, and
    is taken to have one. At a coarser scale noise has fewer, and what there are may all be spots: there it is what
    would be left of the finer scale's.

    Parameters
    ----------
    values
        Of the volume.
    sigma
        Of the filter, in voxels.
    response, level
        The filtered volume, and the local mean of its values; of their size where some are negative.
    is_maximum
        Where the response is positive and highest among its neighbours.
    could_hold
        How many maxima noise would have at least, were it everywhere, as `maxima_of_noise` gives.
    finer
        None at the finest scale, which has most maxima to decide by whether there is a body; else what the next
        finer scale said, brought to this one.

    """
    stride = max(1, level.size // MOST_SAMPLED)
    mean = level.ravel()[::stride].astype(np.float64)
    most = float(np.sqrt(mean).mean() ** 2)
    is_lit = mean > 0
    if not is_lit.any():
        return Noise(per_mean=0.0, has_body=False, is_white=True)
    by_voxels = _median_ratio(response.ravel()[::stride][is_lit], mean[is_lit], most) / 0.4549
    if finer is not None and finer.has_body:
        return Noise(per_mean=by_voxels, has_body=True)
    by_maxima = _by_maxima(response, level, is_maximum, most)
    by_step = _step_variance(values, sigma)
    if finer is None:
        is_small = by_maxima == 0 and could_hold <= 2 * FEWEST_MAXIMA
        if is_small or by_voxels <= MOST_BY_VOXELS * by_maxima:
            return Noise(per_mean=by_voxels, has_body=True)
    elif by_maxima == 0:
        return replace(finer, per_mean=max(finer.per_mean, by_step))
    return Noise(per_mean=max(by_maxima, by_step), has_body=False, is_white=by_maxima <= by_step)


def maxima_of_noise(voxels: int, sigma: NDArray[np.float64], psf_sigma: NDArray[np.float64]) -> float:
    """Give how many maxima noise has at least in so many voxels, filtered by ``sigma``, in voxels.

    It is taken to be as blurred as a point of the image, ``psf_sigma`` in voxels: by no reconstruction is it more.
    """
    length = np.maximum(1.0, np.hypot(sigma, psf_sigma))  # noise of single voxels has one maximum in 27
    return float(MAXIMA_PER_CUBE * voxels / np.prod(length))


def _step_variance(values: NDArray[np.float32], sigma: NDArray[np.float64]) -> float:
    """Variance of the response by the mean, were the smallest step between two values a count: white noise.

    A scale-normalised Laplacian of Gaussian keeps 15 / 4 / ((4 pi)^1.5 sigma^3) of it, the integral of its square.
    """
    lit = values[values != 0]
    steps = np.diff(np.unique(np.append(lit[:: max(1, lit.size // MOST_SAMPLED)], np.float32(0))))
    smallest = float(steps.min()) if steps.size else 0.0
    return smallest * 15 / 4 / float((4 * math.pi) ** 1.5 * np.prod(sigma))


def _by_maxima(
    response: NDArray[np.float32], level: NDArray[np.float32], is_maximum: NDArray[np.bool_], most: float
) -> float:
    """Tell the factor by the maxima; 0 where there are so few, by their weight, that all may be spots."""
    is_real = is_maximum & (level > FAINTEST * level.max()) & (response > FAINTEST * level)
    heights, means = response[is_real], level[is_real].astype(np.float64)
    if np.minimum(means, most).sum() <= FEWEST_MAXIMA * most:
        return 0.0
    ratio = heights.astype(np.float64) ** 2 / means
    strongest = float(np.partition(ratio, -FEWEST_MAXIMA - 1)[-FEWEST_MAXIMA - 1])
    middle = _median_ratio(heights, means, most)
    return max(middle / MAXIMUM_PER_VARIANCE, strongest / STRONGEST_PER_VARIANCE)


def _median_ratio(response: NDArray[np.float32], mean: NDArray[np.float64], most: float) -> float:
    """Median of response^2 / mean, each of the weight of its mean, ``most`` at most."""
    ratio, weight = response.astype(np.float64) ** 2 / mean, np.minimum(mean, most)
    order = np.argsort(ratio)
    middle = np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())
    return float(ratio[order[min(middle, order.size - 1)]])

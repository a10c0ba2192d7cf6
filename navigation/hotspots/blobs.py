"""Blobs of a volume: maxima of its scale space that stand out of the noise.

Maxima of the scale-normalised, negated Laplacian of Gaussian (Lindeberg, Int. J. Comput. Vision 30, 1998),
significant against the volume's own noise.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.hotspots.noise import Noise, maxima_of_noise, tell_noise
from navigation.volume import Volume, VolumeGeometry

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))

SCALES = (0.8, 1.2, 1.8, 2.7)
"""Widths of the Laplacian of Gaussian, in sigmas of the resolution; 0.82 fits a point source best."""

LEAST_PROMINENCE = 0.5
"""How far a blob must fall off around it, as a share of what a lone Gaussian of its response would."""

CLEARLY_WIDER = 1.1
"""How much stronger than a finer blob a coarser one must respond to take its place."""

MOST_MAXIMA_PER_SPOT = 20
"""How many maxima of a scale are looked at for each spot to be kept; bounds the time in odd volumes."""


def _sphere_directions(count: int) -> NDArray[np.float64]:
    """Give unit vectors spread evenly: a Fibonacci lattice (Gonzalez, Math. Geosci. 42, 2010)."""
    steps = np.arange(count) + 0.5
    height, turn = 1 - 2 * steps / count, math.pi * (1 + math.sqrt(5)) * steps
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=-1)


DIRECTIONS = _sphere_directions(96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A maximum of the scale space: where, the Gaussian it looks like, and signal over noise."""

    index: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    sigma_mm: float
    response: float
    amplitude: float
    snr: float
    alone_mm: float
    """So near to it, at the scale that fits it, any weaker blob counts as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One scale of a volume.

    Attributes
    ----------
    sigma_mm, blob_sigma_mm, seen_sigma_mm
        Of the filter, of the Gaussian blob that it fits best, and of that blob after the filter.
    unit_height, unit_response, unit_fall
        Of such a blob of amplitude 1: its height when smoothed, its response, its fall-off at twice its width.
    response, smooth
        Filtered volume, and smoothed volume.
    level
        Local mean of the values: the smoothed volume itself, or where some values are negative, of their sizes.
    told
        Of the noise.
    is_maximum
        Where the response is positive and highest among its neighbours, off the border.

    """

    sigma_mm: float
    blob_sigma_mm: float
    seen_sigma_mm: float
    unit_height: float
    unit_response: float
    unit_fall: float
    response: NDArray[np.float32]
    smooth: NDArray[np.float32]
    level: NDArray[np.float32]
    told: Noise
    is_maximum: NDArray[np.bool_]

    def noise(self, where: NDArray[np.bool_] | tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Give the standard deviation of the response by noise, at some voxels: at all it is a volume more."""
        return self.told.deviation(self.level[where])

    def told_at(self, sigma_mm: float, psf_sigma_mm: float) -> Noise:
        """Give what this layer's noise would be at another scale."""
        return self.told.at_scale(sigma_mm, told_at_mm=self.sigma_mm, psf_sigma_mm=psf_sigma_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was found, clearest first, and the finest scale at which it was looked for."""

    blobs: list[Blob]
    finest: Layer


def make_layer(volume: Volume, scale: float, psf_sigma_mm: float, *, finer: Noise | None = None) -> Layer:
    """Filter a volume at a scale, in sigmas of the resolution; ``finer``: its noise, as the next finer tells."""
    sigma_mm = scale * psf_sigma_mm
    # a blob of the width this scale fits best: sigma_scale^2 = 2/3 sigma_blob^2 in three dimensions
    blob_sigma_mm = max(psf_sigma_mm, sigma_mm * math.sqrt(1.5))
    seen_sigma_mm = math.hypot(blob_sigma_mm, sigma_mm)
    unit_height = (blob_sigma_mm / seen_sigma_mm) ** 3
    spacing_mm = np.array(volume.geometry.spacing_mm)
    sigma = sigma_mm / spacing_mm
    response, smooth = _respond(volume.values, sigma, sigma_mm, spacing_mm)
    # the mean of a filtered back-projection is 0 where its noise is not
    level = smooth if volume.values.min() >= 0 else _smooth(np.abs(volume.values), sigma)
    around = np.maximum(1, np.round(psf_sigma_mm * FWHM_PER_SIGMA / spacing_mm) // 2).astype(int)
    is_maximum = (response > 0) & (response == ndimage.maximum_filter(response, size=tuple(2 * around + 1)))
    is_inside = _is_inside(volume.geometry.shape, np.ceil(sigma).astype(int))
    is_maximum &= is_inside
    told = tell_noise(
        volume.values,
        sigma,
        response=response,
        level=level,
        is_maximum=is_maximum,
        could_hold=maxima_of_noise(int(is_inside.sum()), sigma, psf_sigma_mm / spacing_mm),
        finer=finer,
    )
    return Layer(
        sigma_mm=sigma_mm,
        blob_sigma_mm=blob_sigma_mm,
        seen_sigma_mm=seen_sigma_mm,
        unit_height=unit_height,
        unit_response=3 * (sigma_mm / seen_sigma_mm) ** 2 * unit_height,
        unit_fall=(1 - math.exp(-2)) * unit_height,
        response=response,
        smooth=smooth,
        level=level,
        told=told,
        is_maximum=is_maximum,
    )


def find_blobs(volume: Volume, psf_sigma_mm: float, least_snr: float, at_most: int) -> Search:
    """Go from fine to coarse, so that two close nodes are not taken for the one wide blob they also form.

    A coarser blob takes the place of finer ones near it only where its normalised response is clearly larger:
    then it is the scale that fits (Lindeberg), one wide lesion and not its ripples.
    """
    layer = finest = make_layer(volume, SCALES[0], psf_sigma_mm)
    found = _take_in([], layer, volume.geometry, psf_sigma_mm, least_snr=least_snr, at_most=at_most)
    for scale in SCALES[1:]:
        finer = layer.told_at(scale * psf_sigma_mm, psf_sigma_mm)
        del layer  # it takes as much as two volumes, and the next one five while it is made
        layer = make_layer(volume, scale, psf_sigma_mm, finer=finer)
        found = _take_in(found, layer, volume.geometry, psf_sigma_mm, least_snr=least_snr, at_most=at_most)
    return Search(blobs=sorted(found, key=lambda one: -one.snr)[:at_most], finest=finest)


def _take_in(
    found: list[Blob],
    layer: Layer,
    geometry: VolumeGeometry,
    psf_sigma_mm: float,
    *,
    least_snr: float,
    at_most: int,
) -> list[Blob]:
    """Join the blobs of the next coarser layer to those found so far, or put them in the place of such."""
    response, sigma_mm = layer.response, layer.sigma_mm
    heights, noise = response[layer.is_maximum], layer.noise(layer.is_maximum)
    is_clear = (noise > 0) & (heights > least_snr * noise)
    places = np.argwhere(layer.is_maximum)[is_clear]
    snrs = heights[is_clear] / noise[is_clear]
    strongest = np.argsort(-snrs, kind="stable")[: MOST_MAXIMA_PER_SPOT * at_most]
    for place, snr in zip(places[strongest], snrs[strongest], strict=True):
        index = place + _subvoxel_shift(response, place)
        centre_mm = geometry.positions_mm(index)
        near_mm = max(FWHM_PER_SIGMA * psf_sigma_mm, 2.0 * sigma_mm)
        near = [one for one in found if np.linalg.norm(centre_mm - one.centre_mm) < near_mm]
        strength = float(response[tuple(place)])
        if any(strength < CLEARLY_WIDER * one.response for one in near):
            continue
        amplitude = strength / layer.unit_response
        prominence = _prominence(geometry, layer.smooth, centre_mm, around_mm=2 * layer.seen_sigma_mm)
        if prominence < LEAST_PROMINENCE * layer.unit_fall * amplitude:
            continue
        found = [one for one in found if not any(one is other for other in near)]
        found.append(
            Blob(
                index=index,
                centre_mm=centre_mm,
                sigma_mm=layer.blob_sigma_mm,
                response=strength,
                amplitude=amplitude,
                snr=float(snr),
                alone_mm=near_mm,
            )
        )
    return found


def _is_inside(shape: tuple[int, int, int], margin: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark the voxels off the border, where the filters see what they need: beyond it noise would repeat."""
    inside = np.zeros(shape, dtype=np.bool_)
    inside[tuple(slice(edge, size - edge) for edge, size in zip(margin, shape, strict=True))] = True
    return inside


def _blur(sigma: NDArray[np.float64], axis: int) -> partial[NDArray[np.float32]]:
    """Give the Gaussian filter along an axis, or with ``order`` its derivative."""
    # cut off at 6 sigma: at the usual 4 the step at the kernel's edge makes rings around a spot that is hot
    return partial(ndimage.gaussian_filter1d, sigma=sigma[axis], axis=axis, mode="nearest", truncate=6.0)


def _smooth(values: NDArray[np.float32], sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    for axis in range(3):
        values = _blur(sigma, axis)(values)
    return values


def _respond(
    values: NDArray[np.float32], sigma: NDArray[np.float64], sigma_mm: float, spacing_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the scale-normalised, negated Laplacian of Gaussian and the Gaussian itself."""
    smooth, response = values, np.zeros_like(values)
    for axis in range(3):
        blur = _blur(sigma, axis)
        bend = blur(smooth, order=2) * np.float32((sigma_mm / spacing_mm[axis]) ** 2)
        response = blur(response) - bend if axis else -bend
        smooth = blur(smooth)
    return response, np.maximum(smooth, 0)


def _subvoxel_shift(response: NDArray[np.float32], place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Vertex of the parabola through the maximum and its neighbours, an axis at a time; 0 at the border."""
    shift = np.zeros(3)
    for axis in range(3):
        if not 0 < place[axis] < response.shape[axis] - 1:
            continue
        step = np.eye(3, dtype=np.intp)[axis]
        below, here, above = (float(response[tuple(place + offset * step)]) for offset in (-1, 0, 1))
        if min(below, above) > 0:  # the logarithm of a Gaussian is a parabola
            below, here, above = math.log(below), math.log(here), math.log(above)
        bend = below - 2 * here + above
        if bend < 0:
            shift[axis] = np.clip(0.5 * (below - above) / bend, -0.5, 0.5)
    return shift


def _prominence(
    geometry: VolumeGeometry, smooth: NDArray[np.float32], centre_mm: NDArray[np.float64], *, around_mm: float
) -> float:
    """Height of a hill over three quarters of the sphere around it: an organ's rim does not fall off inwards.

    A neighbouring node takes less than the last quarter of the sphere.
    """
    sphere_mm = centre_mm + around_mm * DIRECTIONS
    indices = geometry.indices(np.vstack([centre_mm[None], sphere_mm])).T
    levels = ndimage.map_coordinates(smooth, indices, order=1, mode="nearest", output=np.float64)
    return float(levels[0] - np.quantile(levels[1:], 0.75))

"""Hot spots of a SPECT or PET volume as candidate targets.

Blobs are found as maxima of the scale-normalised, negated Laplacian of Gaussian (Lindeberg, Int. J. Comput.
Vision 30, 1998), significant against the volume's own noise, and measured within three sigmas, overlaps shared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.errors import NavigationError
from navigation.volume import Volume, VolumeGeometry

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))

SCALES = (0.8, 1.2, 1.8, 2.7)
"""Widths of the Laplacian of Gaussian, in sigmas of the resolution; 0.82 fits a point source best."""

LEAST_PROMINENCE = 0.5
"""How far a blob must fall off around it, as a share of what a lone Gaussian of its response would."""

CLEARLY_WIDER = 1.1
"""How much stronger than a finer blob a coarser one must respond to take its place."""

REGION_SIGMAS = 3.0
"""Radius of the region that is measured, in sigmas of the blob: holds 97 % of a Gaussian."""

NOISE_FLOOR = 0.005
"""Share of the local mean below which a response is no signal: rounding of pixels, reconstruction artefacts."""

MOST_MAXIMA_PER_SPOT = 20
"""How many maxima of a scale are looked at for each spot to be kept; bounds the time in odd volumes."""

INJECTION_RATIO = 20.0
"""How many times hotter than every other spot the injection site is: nodes take up a per cent or so of it."""

PARTIAL_VOLUME_FACTOR = 2.0
"""1-sigma factor of an activity: spheres below the resolution are underestimated by half and more."""


def _sphere_directions(count: int) -> NDArray[np.float64]:
    """Give unit vectors spread evenly: a Fibonacci lattice (Gonzalez, Math. Geosci. 42, 2010)."""
    steps = np.arange(count) + 0.5
    height, turn = 1 - 2 * steps / count, math.pi * (1 + math.sqrt(5)) * steps
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=-1)


DIRECTIONS = _sphere_directions(96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotspot:
    """A spot that stands out of its surroundings; always a proposal, for a person to confirm.

    Attributes
    ----------
    name
        ``"target 1"``, ``"target 2"`` ... by falling content, or ``"injection"``.
    kind
        ``"injection"`` for the hottest where it holds more than `INJECTION_RATIO` times each other, else
        ``"target"``.
    centre_mm
        LPS mm, shape (3,); read-only.
    covariance_mm2
        Of the centre within the image: width of the blob over its signal-to-noise, and the voxel; 3 x 3,
        read-only. Registration and movement of tissue come on top.
    activity_mbq
        Content above the surroundings where the volume is in Bq/mL, else None.
    activity_factor
        The content is known to a factor of this, 1 sigma.
    peak
        Value of the hottest voxel, in the volume's unit.
    volume_ml
        Volume above half of the peak, the surroundings taken off.
    relative_to_hottest
        Content as a share of the hottest spot's.

    """

    name: str
    kind: Literal["target", "injection"]
    centre_mm: NDArray[np.float64]
    covariance_mm2: NDArray[np.float64]
    activity_mbq: float | None
    activity_factor: float
    peak: float
    volume_ml: float
    relative_to_hottest: float

    def __post_init__(self) -> None:
        self.centre_mm.flags.writeable = False
        self.covariance_mm2.flags.writeable = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    """A maximum of the scale space: where, the Gaussian it looks like, and signal over noise."""

    index: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    sigma_mm: float
    response: float
    amplitude: float
    snr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    blob: _Blob
    content: float
    peak: float
    volume_ml: float


def find_hotspots(
    volume: Volume, *, resolution_fwhm_mm: float = 9.0, least_snr: float = 6.5, at_most: int = 32
) -> tuple[Hotspot, ...]:
    """Find the hot spots of a volume, hottest first.

    A spot whose centre lies within a sigma of the volume's border is not found: half of it is outside.

    Parameters
    ----------
    volume
        Activity concentration or relative values, none of them NaN.
    resolution_fwhm_mm
        Full width at half maximum of a point source in the volume.
    least_snr
        Smallest ratio of a blob's response to the noise where it lies; maxima of pure Poisson noise stay
        below 5.9 from 0.02 to 50 counts a voxel.
    at_most
        How many are kept.

    Raises
    ------
    NavigationError
        Where the volume holds values that are not finite, or the resolution is not above zero.

    """
    if not (math.isfinite(resolution_fwhm_mm) and resolution_fwhm_mm > 0):
        raise NavigationError(f"resolution_fwhm_mm is {resolution_fwhm_mm}: wants a width above zero")
    if not np.isfinite(volume.values).all():
        raise NavigationError("the volume holds values that are not finite")
    blobs = _find_blobs(volume, resolution_fwhm_mm / FWHM_PER_SIGMA, least_snr, at_most)
    measured = [_measure(volume, blob, blobs) for blob in blobs]
    ordered = sorted((one for one in measured if one.content > 0), key=lambda one: -one.content)
    return _name(volume, ordered)


def _find_blobs(volume: Volume, psf_sigma_mm: float, least_snr: float, at_most: int) -> list[_Blob]:
    """Go from fine to coarse, so that two close nodes are not taken for the one wide blob they also form.

    A coarser blob takes the place of finer ones near it only where its normalised response is clearly larger:
    then it is the scale that fits (Lindeberg), one wide lesion and not its ripples.
    """
    spacing_mm = np.array(volume.geometry.spacing_mm)
    found: list[_Blob] = []
    for scale in SCALES:
        sigma_mm = scale * psf_sigma_mm
        # a blob of the width this scale fits best: sigma_scale^2 = 2/3 sigma_blob^2 in three dimensions
        blob_sigma_mm = max(psf_sigma_mm, sigma_mm * math.sqrt(1.5))
        # of such a blob with amplitude 1: its height when smoothed, its response, its fall-off at twice its width
        seen_sigma_mm = math.hypot(blob_sigma_mm, sigma_mm)
        unit_height = (blob_sigma_mm / seen_sigma_mm) ** 3
        unit_response = 3 * (sigma_mm / seen_sigma_mm) ** 2 * unit_height
        unit_fall = (1 - math.exp(-2)) * unit_height
        sigma = sigma_mm / spacing_mm
        response, smooth = _respond(volume.values, sigma, sigma_mm, spacing_mm)
        noise = _noise(response, smooth)
        reach = np.maximum(1, np.round(psf_sigma_mm * FWHM_PER_SIGMA / spacing_mm)).astype(int)
        peaks = (response > least_snr * noise) & (
            response == ndimage.maximum_filter(response, size=tuple(2 * (reach // 2) + 1))
        )
        peaks &= _is_inside(volume.geometry.shape, np.ceil(sigma).astype(int))
        places = np.argwhere(peaks)
        snrs = response[peaks] / noise[peaks]
        strongest = np.argsort(-snrs, kind="stable")[: MOST_MAXIMA_PER_SPOT * at_most]
        for place, snr in zip(places[strongest], snrs[strongest], strict=True):
            index = place + _subvoxel_shift(response, place)
            centre_mm = volume.geometry.positions_mm(index)
            near_mm = max(FWHM_PER_SIGMA * psf_sigma_mm, 2.0 * sigma_mm)
            near = [one for one in found if np.linalg.norm(centre_mm - one.centre_mm) < near_mm]
            strength = float(response[tuple(place)])
            if any(strength < CLEARLY_WIDER * one.response for one in near):
                continue
            amplitude = strength / unit_response
            prominence = _prominence(volume.geometry, smooth, centre_mm, around_mm=2 * seen_sigma_mm)
            if prominence < LEAST_PROMINENCE * unit_fall * amplitude:
                continue
            found = [one for one in found if not any(one is other for other in near)]
            found.append(
                _Blob(
                    index=index,
                    centre_mm=centre_mm,
                    sigma_mm=blob_sigma_mm,
                    response=strength,
                    amplitude=amplitude,
                    snr=float(snr),
                )
            )
    return sorted(found, key=lambda one: -one.snr)[:at_most]


def _is_inside(shape: tuple[int, int, int], margin: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark the voxels off the border, where the filters see what they need: beyond it noise would repeat."""
    inside = np.zeros(shape, dtype=np.bool_)
    inside[tuple(slice(edge, size - edge) for edge, size in zip(margin, shape, strict=True))] = True
    return inside


def _respond(
    values: NDArray[np.float32], sigma: NDArray[np.float64], sigma_mm: float, spacing_mm: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the scale-normalised, negated Laplacian of Gaussian and the Gaussian itself."""
    # cut off at 6 sigma: at the usual 4 the step at the kernel's edge makes rings around a spot 100 times hotter
    blur = partial(ndimage.gaussian_filter, values, tuple(sigma), mode="nearest", truncate=6.0)
    smooth = blur()
    response = np.zeros_like(smooth)
    for axis in range(3):
        order = [0, 0, 0]
        order[axis] = 2
        response -= blur(order=order) * np.float32((sigma_mm / spacing_mm[axis]) ** 2)
    return response, np.maximum(smooth, 0)


def _noise(response: NDArray[np.float32], smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate the response's standard deviation; its variance grows with the local mean as that of counts does.

    The factor is the median of response^2 / mean over the body (0.4549 is the median of chi-square with one
    degree of freedom), which hot spots, being few voxels, hardly move. Voxels weigh by their mean, capped, so that
    neither the air around the patient nor the hottest organ decides.
    """
    stride = max(1, smooth.size // 500_000)
    mean = smooth.ravel()[::stride].astype(np.float64)
    squared = response.ravel()[::stride].astype(np.float64) ** 2
    weight = np.minimum(mean, np.sqrt(mean).mean() ** 2)
    is_body = weight > 0
    if not is_body.any():
        return np.full_like(response, np.inf)
    ratio, weight = squared[is_body] / mean[is_body], weight[is_body]
    order = np.argsort(ratio)
    middle = np.searchsorted(np.cumsum(weight[order]), 0.5 * weight.sum())
    per_mean = ratio[order[min(middle, order.size - 1)]] / 0.4549
    variance = smooth * np.float32(per_mean) + (np.float32(NOISE_FLOOR) * smooth) ** 2
    return np.asarray(np.sqrt(variance), dtype=np.float32)


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


def _measure(volume: Volume, blob: _Blob, blobs: Sequence[_Blob]) -> _Measured:
    """Integrate a blob within `REGION_SIGMAS`, its surroundings taken off.

    Where blobs overlap, each voxel is shared among them as their Gaussians share it.
    """
    geometry = volume.geometry
    reach_mm = REGION_SIGMAS * blob.sigma_mm
    crop, corner = _crop(geometry, blob, 1.5 * reach_mm)
    values = volume.values[crop].astype(np.float64)
    positions_mm = geometry.positions_mm(np.moveaxis(np.indices(values.shape), 0, -1) + corner)

    is_around = np.ones(values.shape, dtype=np.bool_)
    everything, own = np.zeros(values.shape), np.zeros(values.shape)
    for one in blobs:
        distance_mm = np.linalg.norm(positions_mm - one.centre_mm, axis=-1)
        is_around &= distance_mm > REGION_SIGMAS * one.sigma_mm
        shape = one.amplitude * np.exp(-0.5 * (distance_mm / one.sigma_mm) ** 2)
        everything += shape
        if one is blob:
            own, region = shape, distance_mm <= reach_mm
    share = np.divide(own, everything, out=np.zeros_like(own), where=region & (everything > 0))
    surroundings = float(np.median(values[is_around])) if is_around.any() else float(values.min())
    net = (values - surroundings) * share
    is_own = share > 0.5
    peak = float(values[is_own].max(initial=surroundings))
    return _Measured(
        blob=blob,
        content=float(net.sum()) * geometry.voxel_volume_ml,
        peak=peak,
        volume_ml=float((is_own & (net > 0.5 * (peak - surroundings))).sum()) * geometry.voxel_volume_ml,
    )


def _crop(geometry: VolumeGeometry, blob: _Blob, radius_mm: float) -> tuple[tuple[slice, ...], NDArray[np.intp]]:
    reach = radius_mm / np.array(geometry.spacing_mm)
    low = np.maximum(np.floor(blob.index - reach), 0).astype(np.intp)
    high = np.minimum(np.ceil(blob.index + reach), np.array(geometry.shape) - 1).astype(np.intp)
    return tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True)), low


def _name(volume: Volume, ordered: Sequence[_Measured]) -> tuple[Hotspot, ...]:
    has_injection = len(ordered) > 1 and ordered[0].content > INJECTION_RATIO * ordered[1].content
    voxel_mm = volume.geometry.patient_from_voxel[:3, :3]
    spots = []
    for place, one in enumerate(ordered):
        is_injection = has_injection and place == 0
        located_mm = one.blob.sigma_mm / one.blob.snr
        spots.append(
            Hotspot(
                name="injection" if is_injection else f"target {place + 1 - has_injection}",
                kind="injection" if is_injection else "target",
                centre_mm=one.blob.centre_mm,
                covariance_mm2=located_mm**2 * np.eye(3) + voxel_mm @ voxel_mm.T / 12.0,
                activity_mbq=one.content / 1e6 if volume.unit == "Bq/mL" else None,
                activity_factor=math.exp(math.hypot(math.log(PARTIAL_VOLUME_FACTOR), 1.0 / one.blob.snr)),
                peak=one.peak,
                volume_ml=one.volume_ml,
                relative_to_hottest=one.content / ordered[0].content,
            )
        )
    return tuple(spots)

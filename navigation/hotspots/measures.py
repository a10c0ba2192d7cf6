"""What a blob holds: content above its surroundings, peak, mean, and its volume by three outlines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.hotspots.blobs import DIRECTIONS, Blob
from navigation.volume import Volume, VolumeGeometry

REGION_SIGMAS = 3.0
"""Radius of the region that is measured, in sigmas of the blob: holds 97 % of a Gaussian."""

RADIAL_STEPS = 24
"""Steps of the profile whose steepest fall is the gradient's outline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A blob and what it holds; volumes in mL, as `Hotspot` names them."""

    blob: Blob
    content: float
    peak: float
    mean: float
    volume_ml: float
    volume_41_ml: float
    volume_gradient_ml: float


def measure(volume: Volume, blob: Blob, blobs: Sequence[Blob]) -> Measured:
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
    voxel_ml = geometry.voxel_volume_ml
    half = is_own & (net > 0.5 * (peak - surroundings))
    return Measured(
        blob=blob,
        content=float(net.sum()) * voxel_ml,
        peak=peak,
        mean=float(values[half].mean()) if half.any() else peak,
        volume_ml=float(half.sum()) * voxel_ml,
        volume_41_ml=float((is_own & (values > 0.41 * peak)).sum()) * voxel_ml,
        volume_gradient_ml=_gradient_volume_ml(volume, blob),
    )


def _gradient_volume_ml(volume: Volume, blob: Blob) -> float:
    """Measure the volume within the fall along each of many directions from the centre."""
    radii_mm = np.linspace(0, REGION_SIGMAS * blob.sigma_mm, RADIAL_STEPS)
    places_mm = blob.centre_mm + radii_mm[:, None, None] * DIRECTIONS
    profiles = volume.sample(places_mm, outside=0.0)
    # the middle of the fall, not its steepest step: between voxels the slope of trilinear values is flat
    fall = np.maximum(-np.diff(profiles, axis=0), 0) ** 2
    middles_mm = (radii_mm[1:] + radii_mm[:-1])[:, None] / 2
    edges_mm = (fall * middles_mm).sum(axis=0) / np.maximum(fall.sum(axis=0), 1e-30)
    return float((4 / 3 * math.pi * edges_mm**3).mean()) / 1000


def _crop(geometry: VolumeGeometry, blob: Blob, radius_mm: float) -> tuple[tuple[slice, ...], NDArray[np.intp]]:
    reach = radius_mm / np.array(geometry.spacing_mm)
    low = np.maximum(np.floor(blob.index - reach), 0).astype(np.intp)
    high = np.minimum(np.ceil(blob.index + reach), np.array(geometry.shape) - 1).astype(np.intp)
    return tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True)), low

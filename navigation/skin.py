"""The patient's skin out of a CT, and what lies below: where it is near each tip, how much it attenuates.

A signed distance to the body's surface is computed once; near a tip its value is the height above the skin and its
gradient the skin's normal, so that each reading costs one interpolation. CT numbers along that normal give the
layers below: fat, muscle, a rib, the lung.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.errors import NavigationError
from navigation.tissue import LAYER_MM, Skin
from navigation.volume import Volume, coarsen

Array = NDArray[np.float64]

BODY_ABOVE_HU = -300.0
"""Half way between air and fat, softened: the body's edge in CT."""

STEP_MM = 2.5
"""Step of the distance grid, about: finer than a skin that moves with breathing deserves."""

MARGIN_MM = 60.0
"""Air added around the body, so that a tip above the patient still finds the skin."""

SMOOTH_MM = 3.0
"""Smoothing of the distance (Gaussian sigma), so that normals do not follow single voxels."""

LAYERS = 25
"""Layers below the skin: down to 120 mm, deeper than a probe finds anything."""

MOST_VOXELS = 2**26
"""Of the distance grid, with air around the body: four metres of the widest scanner's field have fewer."""

BONE_SLOPE = 0.55
"""Attenuation over that of water, for each 1000 HU above water.

A CT of 120 kV sees photons of about 70 keV, whose absorption in calcium a gamma photon hardly knows. From the
tables of NIST (Hubbell and Seltzer, NISTIR 5632) cortical bone of 1.92 g/cm3 has 1600 HU there, and 1.92 times
water's attenuation at 140 keV, 1.79 at 511 keV: 0.57 and 0.49. Carney et al. (Med Phys 33 (2006) 976) have 0.53.
"""

MOST_HU = 1600.0
"""Denser is metal, whose CT numbers mean nothing."""


def relative_attenuation(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Attenuation of gamma photons (100 to 511 keV) over that of water, out of CT numbers (HU), of any shape.

    Below water a mixture of water and air, above it one of water and bone (the bilinear scale of Carney et al.,
    Med Phys 33 (2006) 976). Negative nowhere.
    """
    held = np.clip(hu, -1000.0, MOST_HU)
    return np.asarray(1 + np.where(held > 0, BONE_SLOPE, 1.0) * held / 1000.0, dtype=np.float32)


def body_of(ct: Volume) -> NDArray[np.bool_]:
    """Voxels of the patient: the largest connected part above -300 HU, its holes filled slice by slice.

    Raises
    ------
    NavigationError
        Where the volume is no CT in HU, or holds no body.

    """
    if ct.unit != "HU":
        raise NavigationError(f"skin: wants a CT in HU, not {ct.quantity} in {ct.unit}")
    parts, count = _label(ct.values > BODY_ABOVE_HU)
    if count == 0:
        raise NavigationError("skin: nothing in the CT is denser than air; is it the right series?")
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = parts == sizes.argmax()
    for index in range(len(body)):
        body[index] = ndimage.binary_fill_holes(body[index])
    return np.asarray(body, dtype=np.bool_)


def _label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    parts = np.zeros(mask.shape, dtype=np.int32)
    count: Any = ndimage.label(mask, output=parts)
    return parts, int(count)


def _distance_mm(mask: NDArray[np.bool_], step_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distance of each voxel of a mask to the nearest one off it; 0 there.

    SciPy's own distances are made in float64 of all axes at once, and take longer than finding what is nearest.
    """
    nearest: Any = ndimage.distance_transform_edt(
        mask, sampling=step_mm, return_distances=False, return_indices=True
    )
    squares = np.zeros(mask.shape, dtype=np.float32)
    for axis, step in enumerate(step_mm):
        here = np.arange(mask.shape[axis], dtype=nearest.dtype).reshape(np.roll((-1, 1, 1), axis))
        squares += ((nearest[axis] - here) * np.float32(step)) ** 2
    return np.sqrt(squares)


class SkinSurface:
    """Skin of a patient whose CT is at hand; a ``Tissue``.

    Parameters
    ----------
    ct
        In HU; its axes are at right angles.

    Raises
    ------
    NavigationError
        As ``body_of``; also where the grid is sheared (gantry tilt), or the CT is thinner than a step of it.

    """

    def __init__(self, ct: Volume) -> None:
        coarse = coarsen(ct, STEP_MM, at_most=MOST_VOXELS)
        self._step_mm = np.array(coarse.geometry.spacing_mm)
        if (thinnest_mm := float(self._step_mm.min())) < STEP_MM / 2:
            raise NavigationError(f"skin: the CT is only {thinnest_mm:.3g} mm thick; is it the right series?")
        linear = coarse.geometry.patient_from_voxel[:3, :3] / self._step_mm
        if np.abs(linear.T @ linear - np.eye(3)).max() > 1e-3:
            raise NavigationError("skin: the CT's axes are not at right angles; resample it without gantry tilt")
        margin = np.ceil(MARGIN_MM / self._step_mm).astype(int)
        scanned = body_of(coarse)
        # table and air around it cost time and tell nothing
        (within,) = ndimage.find_objects(scanned, max_label=1)
        voxels = math.prod(int(one.stop - one.start + 2 * air) for one, air in zip(within, margin, strict=True))
        if voxels > MOST_VOXELS:
            raise NavigationError(
                f"skin: the CT shows a body of {voxels} voxels of {STEP_MM:g} mm, more than {MOST_VOXELS}; "
                "are its spacings true?"
            )
        body = np.pad(scanned[within], [(each, each) for each in margin])
        outside = _distance_mm(~body, self._step_mm)
        # the body with the air next to it
        core = tuple(slice(each - 1, side - each + 1) for each, side in zip(margin, body.shape, strict=True))
        inside = np.zeros_like(outside)
        inside[core] = _distance_mm(body[core], self._step_mm)
        # both count to the far side's voxel centres; the skin lies half a step before either
        half_mm = np.float32(0.5 * self._step_mm.min())
        signed = np.where(body, half_mm - inside, outside - half_mm)
        smooth = ndimage.gaussian_filter(signed, SMOOTH_MM / self._step_mm)
        self._distance_mm: NDArray[np.float32] = smooth
        self._slopes = tuple(
            np.gradient(smooth, step, axis=axis).astype(np.float32) for axis, step in enumerate(self._step_mm)
        )
        self._attenuation = self._inside(coarse.values[within], body, margin)
        self._axes = linear
        self._first_mm = coarse.geometry.positions_mm(np.array([each.start for each in within]) - margin)

    def _inside(
        self, hu: NDArray[np.float32], body: NDArray[np.bool_], margin: NDArray[np.int_]
    ) -> NDArray[np.float32]:
        """Attenuation over that of water, smoothed within the body; around it as at its edge, farther as water."""
        inside = np.pad(relative_attenuation(hu), [(each, each) for each in margin])
        weight = ndimage.gaussian_filter(body.astype(np.float32), SMOOTH_MM / self._step_mm)
        sums = ndimage.gaussian_filter(np.where(body, inside, np.float32(0)), SMOOTH_MM / self._step_mm)
        is_near = weight > 1e-3
        return np.asarray(np.divide(sums, weight, out=np.ones_like(sums), where=is_near), dtype=np.float32)

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height, normal and layers of the skin near each tip (N, 3), mm, patient frame.

        Beyond the margin the skin is as far as the margin's edge knows, plus the way to that edge.
        """
        index = self._indices(tip_mm)
        held = np.clip(index, 0, np.array(self._distance_mm.shape) - 1)
        beyond_mm = np.linalg.norm((index - held) * self._step_mm, axis=1)
        slope = np.stack([_at(each, held) for each in self._slopes], axis=-1)
        length = np.maximum(np.linalg.norm(slope, axis=1), 1e-6)[:, None]
        height_mm, normal = _at(self._distance_mm, held) + beyond_mm, slope / length @ self._axes.T
        depth_mm = np.maximum(height_mm, 0.0)[:, None] + LAYER_MM * np.arange(LAYERS)
        below_mm = tip_mm[:, None] - depth_mm[..., None] * normal[:, None]
        return Skin(height_mm=height_mm, normal=normal, layers=_at(self._attenuation, self._indices(below_mm)))

    def _indices(self, points_mm: Array) -> Array:
        """Fractional indices of points (..., 3), mm, patient frame."""
        return np.asarray((points_mm - self._first_mm) @ self._axes / self._step_mm)


def _at(grid: NDArray[np.float32], index: Array) -> Array:
    """Trilinear value at fractional indices (..., 3); outside as at the edge."""
    flat = index.reshape(-1, 3).T
    found = ndimage.map_coordinates(grid, flat, output=np.float64, order=1, mode="nearest")
    return np.asarray(found).reshape(index.shape[:-1])

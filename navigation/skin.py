"""The patient's skin out of a CT: where it is near each tip.

A signed distance to the body's surface is computed once; near a tip its value is the height above the skin and its
gradient the skin's normal, so that each reading costs one interpolation.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.errors import NavigationError
from navigation.tissue import Skin
from navigation.volume import Volume

Array = NDArray[np.float64]

BODY_ABOVE_HU = -300.0
"""Half way between air and fat, softened: the body's edge in CT."""

STEP_MM = 2.5
"""Coarsest step of the distance grid: finer than a skin that moves with breathing deserves."""

MARGIN_MM = 60.0
"""Air added around the scan, so that a tip above the patient still finds the skin."""

SMOOTH_MM = 3.0
"""Smoothing of the distance (Gaussian sigma), so that normals do not follow single voxels."""


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


class SkinSurface:
    """Skin of a patient whose CT is at hand; a ``Tissue``.

    Parameters
    ----------
    ct
        In HU; its axes are at right angles.

    Raises
    ------
    NavigationError
        As ``body_of``; also where the grid is sheared (gantry tilt).

    """

    def __init__(self, ct: Volume) -> None:
        spacing_mm = np.array(ct.geometry.spacing_mm)
        linear = ct.geometry.patient_from_voxel[:3, :3] / spacing_mm
        if np.abs(linear.T @ linear - np.eye(3)).max() > 1e-3:
            raise NavigationError("skin: the CT's axes are not at right angles; resample it without gantry tilt")
        stride = np.maximum(np.round(STEP_MM / spacing_mm), 1).astype(int)
        self._step_mm = spacing_mm * stride
        margin = np.ceil(MARGIN_MM / self._step_mm).astype(int)
        body = np.pad(body_of(ct)[:: stride[0], :: stride[1], :: stride[2]], [(each, each) for each in margin])
        outside: Any = ndimage.distance_transform_edt(~body, sampling=self._step_mm)
        inside: Any = ndimage.distance_transform_edt(body, sampling=self._step_mm)
        # both count to the far side's voxel centres; the skin lies half a step before either
        signed = np.where(body, -inside, outside) - np.where(body, -0.5, 0.5) * self._step_mm.min()
        smooth = ndimage.gaussian_filter(signed.astype(np.float32), SMOOTH_MM / self._step_mm)
        self._distance_mm: NDArray[np.float32] = smooth
        self._slopes = tuple(
            np.gradient(smooth, step, axis=axis).astype(np.float32) for axis, step in enumerate(self._step_mm)
        )
        self._axes = linear
        self._first_mm = ct.geometry.positions_mm(-margin * stride)

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height and normal of the skin near each tip (N, 3), mm, patient frame.

        Beyond the margin the skin is as far as the margin's edge knows, plus the way to that edge.
        """
        index = (tip_mm - self._first_mm) @ self._axes / self._step_mm
        held = np.clip(index, 0, np.array(self._distance_mm.shape) - 1)
        beyond_mm = np.linalg.norm((index - held) * self._step_mm, axis=1)

        def at(grid: NDArray[np.float32]) -> Array:
            return np.asarray(ndimage.map_coordinates(grid, held.T, output=np.float64, order=1, mode="nearest"))

        slope = np.stack([at(each) for each in self._slopes], axis=-1)
        length = np.maximum(np.linalg.norm(slope, axis=1), 1e-6)[:, None]
        return Skin(height_mm=at(self._distance_mm) + beyond_mm, normal=slope / length @ self._axes.T)

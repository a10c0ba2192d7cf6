"""Volumes in patient space: where the voxels are, kept apart from what they hold.

Index order is (k, j, i) = (slice, row, column), index coordinates are voxel centres, positions are mm in
DICOM patient axes (LPS).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from navigation.errors import NavigationError


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeGeometry:
    """Where a grid of voxels lies in the patient.

    Attributes
    ----------
    patient_from_voxel
        4 x 4 affine that takes a homogeneous index (k, j, i, 1) to LPS mm; read-only. Its columns are the
        steps from slice to slice, row to row and column to column.
    shape
        Number of slices, rows, columns.
    frame_of_reference_uid
        DICOM Frame of Reference UID (0020,0052): only volumes that share it lie in the same space.

    """

    patient_from_voxel: NDArray[np.float64]
    shape: tuple[int, int, int]
    frame_of_reference_uid: str

    def __post_init__(self) -> None:
        affine = np.array(self.patient_from_voxel, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise NavigationError("patient_from_voxel: wants a finite 4 x 4 matrix")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise NavigationError("patient_from_voxel: the voxel steps do not span space")
        if min(self.shape) < 1:
            raise NavigationError(f"shape {self.shape}: every side needs at least one voxel")
        affine.flags.writeable = False
        object.__setattr__(self, "patient_from_voxel", affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along k, j and i, mm."""
        steps = np.linalg.norm(self.patient_from_voxel[:3, :3], axis=0)
        return float(steps[0]), float(steps[1]), float(steps[2])

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, mL."""
        return float(abs(np.linalg.det(self.patient_from_voxel[:3, :3]))) / 1000.0

    def positions_mm(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Map indices (..., 3) in the order (k, j, i), fractions allowed, to LPS mm."""
        index = np.asarray(indices, dtype=np.float64)
        return index @ self.patient_from_voxel[:3, :3].T + self.patient_from_voxel[:3, 3]

    def indices(self, positions_mm: ArrayLike) -> NDArray[np.float64]:
        """Map LPS positions (..., 3), mm, to fractional indices (k, j, i)."""
        offset_mm = np.asarray(positions_mm, dtype=np.float64) - self.patient_from_voxel[:3, 3]
        index = np.linalg.solve(self.patient_from_voxel[:3, :3], offset_mm[..., None])[..., 0]
        return np.asarray(index, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A grid of values in the patient.

    Attributes
    ----------
    geometry
        Where the voxels are.
    values
        One float32 a voxel, shape as the geometry's; read-only.
    quantity
        What the values are: ``"attenuation"``, ``"activity concentration"``, ``"counts"``.
    unit
        Their unit: ``"HU"``, ``"Bq/mL"``, ``"1"`` for relative values.

    """

    geometry: VolumeGeometry
    values: NDArray[np.float32]
    quantity: str
    unit: str

    def __post_init__(self) -> None:
        if self.values.shape != self.geometry.shape:
            raise NavigationError(f"values {self.values.shape} do not fill the grid {self.geometry.shape}")
        values = self.values.astype(np.float32, copy=False)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def sample(self, positions_mm: ArrayLike, *, outside: float) -> NDArray[np.float64]:
        """Trilinear value at LPS positions (..., 3), mm; ``outside`` where the grid has none."""
        index = self.geometry.indices(positions_mm)
        flat = index.reshape(-1, 3).T
        sampled = map_coordinates(self.values, flat, output=np.float64, order=1, cval=outside)
        return np.asarray(sampled).reshape(index.shape[:-1])


def coarsen(volume: Volume, step_mm: float, *, at_most: int | None = None) -> Volume:
    """Average blocks of voxels so that the grid's steps come as near to ``step_mm`` as whole blocks allow.

    Steps that are as wide already stay; voxels at the far end that fill no block are left away. Where more than
    ``at_most`` voxels would be left, the finest steps are made twice as wide, again and again.
    """
    spacing_mm, shape = np.array(volume.geometry.spacing_mm), np.array(volume.values.shape)
    sides = np.minimum(np.maximum(1, np.rint(step_mm / spacing_mm)), shape).astype(int)
    while at_most is not None and math.prod(int(left) for left in shape // sides) > at_most:
        finest = np.where(shape // sides > 1, spacing_mm * sides, np.inf).argmin()
        sides[finest] *= 2
    return volume if max(sides) == 1 else _average(volume, [int(side) for side in sides])


def _average(volume: Volume, sides: Sequence[int]) -> Volume:
    """Average blocks of so many voxels along each axis, which are no more than the axis has."""
    values, affine = volume.values, np.array(volume.geometry.patient_from_voxel)
    affine[:3, 3] = volume.geometry.positions_mm((np.array(sides) - 1) / 2)
    affine[:3, :3] *= sides
    for axis, side in enumerate(sides):
        along = np.moveaxis(values, axis, 0)
        whole = len(along) // side * side
        blocks = sum((along[first:whole:side] for first in range(1, side)), start=along[:whole:side])
        values = np.moveaxis(blocks / np.float32(side), 0, axis)
    geometry = replace(volume.geometry, patient_from_voxel=affine, shape=values.shape)
    return replace(volume, geometry=geometry, values=np.ascontiguousarray(values))

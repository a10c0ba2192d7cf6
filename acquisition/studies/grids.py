"""Planes and grids of voxels from the attributes that place an image in the patient (PS3.3 C.7.6.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from navigation.volume import VolumeGeometry

FINEST_MM, WIDEST_MM = 0.01, 100.0
"""Distances of neighbouring voxels between which an image of a patient lies."""

FARTHEST_MM = 1e5
"""No patient lies so far from the origin of her frame of reference."""

COSINE_TOLERANCE = 1e-3
"""How far direction cosines may be from unit length and a right angle: consoles write as few as four digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions:
    """Unit vectors of an image in LPS: along a row (columns counting up), down a column, and their product."""

    along_row: NDArray[np.float64]
    down_column: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        """Row cosines x column cosines."""
        return np.cross(self.along_row, self.down_column)


def read_directions(attributes: Attributes) -> Directions:
    """Read Image Orientation (Patient), made exactly orthonormal; refuse cosines that are not nearly so."""
    cosines = np.array(attributes.numbers("ImageOrientationPatient", 6)).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > COSINE_TOLERANCE:
        raise SeriesRefused(
            f"{attribute_name('ImageOrientationPatient')} in {attributes.where} is not two unit vectors "
            "at a right angle"
        )
    along_row = cosines[0] / np.linalg.norm(cosines[0])
    down_column = cosines[1] - (cosines[1] @ along_row) * along_row
    return Directions(along_row=along_row, down_column=down_column / np.linalg.norm(down_column))


def read_position_mm(attributes: Attributes) -> NDArray[np.float64]:
    """Read Image Position (Patient): the centre of the first voxel of the image, LPS mm; refuse what cannot be."""
    position_mm = np.array(attributes.numbers("ImagePositionPatient", 3))
    if (farthest_mm := float(np.abs(position_mm).max())) > FARTHEST_MM:
        raise SeriesRefused(
            f"{attribute_name('ImagePositionPatient')} in {attributes.where} is {farthest_mm:g} mm from the origin"
        )
    return position_mm


def read_pixel_spacing_mm(attributes: Attributes) -> tuple[float, float]:
    """Read Pixel Spacing: from row to row, then from column to column, mm (PS3.3 10.7.1.3)."""
    row_step_mm, column_step_mm = attributes.numbers("PixelSpacing", 2)
    if row_step_mm <= 0 or column_step_mm <= 0:
        raise SeriesRefused(f"{attribute_name('PixelSpacing')} in {attributes.where} is not above zero")
    for step_mm in (row_step_mm, column_step_mm):
        require_likely_step(step_mm, attribute_name("PixelSpacing"), attributes.where)
    return row_step_mm, column_step_mm


def require_likely_step(step_mm: float, name: str, where: str) -> None:
    """Refuse voxels finer or wider than any of a patient, by the name of the attribute that says so."""
    if not FINEST_MM <= step_mm <= WIDEST_MM:
        raise SeriesRefused(
            f"{name} in {where} makes voxels of {step_mm:g} mm: an image has {FINEST_MM:g} to {WIDEST_MM:g} mm"
        )


def build_geometry(
    *,
    first_position_mm: NDArray[np.float64],
    slice_step_mm: NDArray[np.float64],
    directions: Directions,
    pixel_spacing_mm: tuple[float, float],
    shape: tuple[int, int, int],
    frame_of_reference_uid: str,
) -> VolumeGeometry:
    """Place a grid: P(k, j, i) = first + k step + j spacing[0] down_column + i spacing[1] along_row.

    The last two terms are PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    affine = np.eye(4)
    affine[:3, 0] = slice_step_mm
    affine[:3, 1] = directions.down_column * pixel_spacing_mm[0]
    affine[:3, 2] = directions.along_row * pixel_spacing_mm[1]
    affine[:3, 3] = first_position_mm
    return VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid=frame_of_reference_uid)

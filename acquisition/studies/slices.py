"""CT and PET: one object a slice, stacked by where each says it lies, never by its number."""

import filecmp
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import (
    build_geometry,
    read_directions,
    read_pixel_spacing_mm,
    read_position_mm,
)
from acquisition.studies.objects import StoredObject
from acquisition.studies.pixels import LARGEST_VOLUME_VOXELS, check_pixels, read_pixels
from navigation.volume import VolumeGeometry

POSITION_TOLERANCE_MM = 0.1
"""How far a slice may lie from its place on an even grid: twice the rounding of positions given to 0.1 mm."""

TILT_TOLERANCE_DEG = 0.1
"""Largest angle between the stack and the slices' normal before the stack counts as sheared by a gantry tilt."""

FEWEST_SLICES = 3
"""With two slices a gap cannot be told from the slice distance."""

POSITION = attribute_name("ImagePositionPatient")
ORIENTATION = attribute_name("ImageOrientationPatient")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The objects of a series in the order of their position along the normal, and the grid they fill."""

    objects: tuple[StoredObject, ...]
    geometry: VolumeGeometry


def stack_slices(objects: Sequence[StoredObject]) -> Stack:
    """Order slices along their normal and take the spacing from their positions.

    Slice Location, Slice Thickness, Instance Number and Patient Position are not looked at: positions and
    orientations are in patient axes already (PS3.3 C.7.6.2.1.1).

    Raises
    ------
    SeriesRefused
        Where matrix, spacing, orientation or frame of reference differ within the series, two slices share a
        position, one is missing, the spacing is uneven or the gantry was tilted.

    """
    objects = _drop_copies(objects)
    if len(objects) < FEWEST_SLICES:
        raise SeriesRefused(
            f"only {len(objects)} slice(s): the distance between slices comes from {POSITION} of at least "
            f"{FEWEST_SLICES}"
        )
    for stored in objects:
        check_pixels(stored, frames=1)
    rows, columns = (_shared(objects, keyword)[0] for keyword in ("Rows", "Columns"))
    voxels = len(objects) * int(rows) * int(columns)
    if voxels > LARGEST_VOLUME_VOXELS:
        raise SeriesRefused(f"{voxels} voxels are more than the {LARGEST_VOLUME_VOXELS} that are read")
    _shared(objects, "PixelSpacing")
    cosines = np.array([stored.attributes.numbers("ImageOrientationPatient", 6) for stored in objects])
    if np.ptp(cosines, axis=0).max() > 1e-4:
        raise SeriesRefused(f"{ORIENTATION} differs between the slices of the series")
    frames = {stored.attributes.required_text("FrameOfReferenceUID") for stored in objects}
    if len(frames) > 1:
        raise SeriesRefused(f"{attribute_name('FrameOfReferenceUID')} differs between the slices of the series")

    first = objects[0].attributes
    directions = read_directions(first)
    positions_mm = np.array([read_position_mm(stored.attributes) for stored in objects])
    along_mm = positions_mm @ directions.normal
    order = np.argsort(along_mm, kind="stable")
    return Stack(
        objects=tuple(objects[index] for index in order),
        geometry=build_geometry(
            first_position_mm=positions_mm[order[0]],
            slice_step_mm=_even_step_mm(positions_mm[order], along_mm[order], directions.normal),
            directions=directions,
            pixel_spacing_mm=read_pixel_spacing_mm(first),
            shape=(len(objects), int(rows), int(columns)),
            frame_of_reference_uid=frames.pop(),
        ),
    )


def read_stack(stack: Stack) -> NDArray[np.float32]:
    """Read every slice with its own slope and intercept (PS3.3 C.11.1): PET changes them from slice to slice."""
    values = np.empty(stack.geometry.shape, dtype=np.float32)
    for index, stored in enumerate(stack.objects):
        slope = stored.attributes.number("RescaleSlope")
        intercept = stored.attributes.number("RescaleIntercept")
        if slope == 0:
            raise SeriesRefused(f"{attribute_name('RescaleSlope')} is 0 in {stored.path.name}")
        pixels = read_pixels(stored, frames=1)[0]
        values[index] = pixels.astype(np.float64) * slope + intercept
    return values


def _drop_copies(objects: Sequence[StoredObject]) -> list[StoredObject]:
    """Keep one of each SOP instance; two files of one instance must not differ."""
    kept: dict[str, StoredObject] = {}
    for stored in objects:
        earlier = kept.setdefault(stored.sop_instance_uid, stored)
        if earlier is not stored and not filecmp.cmp(earlier.path, stored.path, shallow=False):
            raise SeriesRefused(
                f"{attribute_name('SOPInstanceUID')} {stored.sop_instance_uid} came twice with different content: "
                f"{earlier.path.name}, {stored.path.name}"
            )
    return list(kept.values())


def _shared(objects: Sequence[StoredObject], keyword: str) -> tuple[float, ...]:
    count = 2 if keyword == "PixelSpacing" else 1
    seen = {stored.attributes.numbers(keyword, count) for stored in objects}
    if len(seen) > 1:
        raise SeriesRefused(f"{attribute_name(keyword)} differs between the slices of the series")
    return seen.pop()


def _even_step_mm(
    positions_mm: NDArray[np.float64], along_mm: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    distances_mm = np.diff(along_mm)
    usual_mm = float(np.median(distances_mm))
    closest = int(np.argmin(distances_mm))
    if distances_mm[closest] < max(POSITION_TOLERANCE_MM, 0.01 * usual_mm):
        raise SeriesRefused(
            f"{POSITION}: two slices lie at the same place, {along_mm[closest]:.2f} mm along the normal "
            "(repeated slices, overlapping beds, or a dynamic or gated series)"
        )
    widest = int(np.argmax(distances_mm))
    if distances_mm[widest] > 1.5 * usual_mm:
        raise SeriesRefused(
            f"{POSITION}: a gap of {distances_mm[widest]:.2f} mm after {along_mm[widest]:.2f} mm along the "
            f"normal, where slices are {usual_mm:.2f} mm apart: slices are missing"
        )
    step_mm: NDArray[np.float64] = (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)
    sideways_mm = np.linalg.norm(step_mm - (step_mm @ normal) * normal)
    tilt_deg = float(np.degrees(np.arctan2(sideways_mm, step_mm @ normal)))
    if tilt_deg > TILT_TOLERANCE_DEG:
        raise SeriesRefused(
            f"{POSITION}: the slices are shifted against each other by a tilt of {tilt_deg:.1f} deg; "
            "reconstruct without gantry tilt"
        )
    even_mm = positions_mm[0] + np.arange(len(positions_mm))[:, None] * step_mm
    off_mm = float(np.linalg.norm(positions_mm - even_mm, axis=1).max())
    if off_mm > POSITION_TOLERANCE_MM:
        raise SeriesRefused(f"{POSITION}: the slices are unevenly spaced; one lies {off_mm:.2f} mm from its place")
    return step_mm

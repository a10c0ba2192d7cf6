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
from acquisition.studies.scaling import rescale
from acquisition.studies.stacking import order_along
from navigation.volume import VolumeGeometry

SAME_DIRECTION = 1e-4
"""Direction cosines of one stack differ from its first slice's by no more."""


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
    for stored in objects:
        check_pixels(stored, frames=1)
    rows, columns = (_shared(objects, keyword)[0] for keyword in ("Rows", "Columns"))
    voxels = len(objects) * int(rows) * int(columns)
    if voxels > LARGEST_VOLUME_VOXELS:
        raise SeriesRefused(f"{voxels} voxels are more than the {LARGEST_VOLUME_VOXELS} that are read")
    _shared(objects, "PixelSpacing")
    cosines = np.array([stored.attributes.numbers("ImageOrientationPatient", 6) for stored in objects])
    off = np.abs(cosines - cosines[0]).max(axis=1)
    if off.max() > SAME_DIRECTION:
        raise _differs("ImageOrientationPatient", objects[0], objects[int(off.argmax())])
    frames = [stored.attributes.required_uid("FrameOfReferenceUID") for stored in objects]
    for stored, frame in zip(objects, frames, strict=True):
        if frame != frames[0]:
            raise _differs("FrameOfReferenceUID", objects[0], stored)

    first = objects[0].attributes
    directions = read_directions(first)
    positions_mm = np.array([read_position_mm(stored.attributes) for stored in objects])
    order, step_mm = order_along(positions_mm, directions.normal, [stored.path.name for stored in objects])
    return Stack(
        objects=tuple(objects[index] for index in order),
        geometry=build_geometry(
            first_position_mm=positions_mm[order[0]],
            slice_step_mm=step_mm,
            directions=directions,
            pixel_spacing_mm=read_pixel_spacing_mm(first),
            shape=(len(objects), int(rows), int(columns)),
            frame_of_reference_uid=frames[0],
        ),
    )


def read_stack(stack: Stack, *, factors: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Read every slice with its own slope and intercept (PS3.3 C.11.1): PET changes them from slice to slice.

    ``factors`` multiply the rescaled values of each slice.
    """
    first = read_pixels(stack.objects[0], frames=1)[0]  # before memory is asked for: rows may lie
    values = np.empty(stack.geometry.shape, dtype=np.float32)
    for index, stored in enumerate(stack.objects):
        slope = stored.attributes.number("RescaleSlope")
        intercept = stored.attributes.number("RescaleIntercept")
        if slope <= 0:
            raise SeriesRefused(f"{attribute_name('RescaleSlope')} is {slope:g} in {stored.path.name}")
        factor = 1.0 if factors is None else factors[index]
        pixels = read_pixels(stored, frames=1)[0] if index else first
        rescale(pixels, slope * factor, intercept * factor, where=stored.path.name, out=values[index])
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
    seen = [stored.attributes.numbers(keyword, count) for stored in objects]
    for stored, numbers in zip(objects, seen, strict=True):
        if numbers != seen[0]:
            raise _differs(keyword, objects[0], stored)
    return seen[0]


def _differs(keyword: str, first: StoredObject, other: StoredObject) -> SeriesRefused:
    return SeriesRefused(
        f"{attribute_name(keyword)} differs between the slices of the series: {other.path.name} is not as "
        f"{first.path.name}"
    )

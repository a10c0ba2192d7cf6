"""The frames of a multi-frame object: each with its functional groups (PS3.3 C.7.6.16), placed in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import (
    Directions,
    build_geometry,
    read_directions,
    read_pixel_spacing_mm,
    read_position_mm,
)
from acquisition.studies.stacking import PlacesShared, order_along
from navigation.volume import VolumeGeometry

SAME_DIRECTION = 1e-4
"""Direction cosines of one stack differ by no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionalGroups:
    """What holds for one frame: its own groups, else those that all frames share."""

    shared: Attributes
    own: Attributes

    def find(self, keyword: str) -> Attributes | None:
        """Find the item of a group, None where the frame has none; keyword is its sequence's."""
        for groups in (self.own, self.shared):
            for item in groups.items(keyword):
                return item
        return None

    def item(self, keyword: str) -> Attributes:
        """Get the item of a group that must be there; raises `SeriesRefused`."""
        found = self.find(keyword)
        if found is None:
            raise SeriesRefused(f"{attribute_name(keyword)} is missing or empty in {self.own.where}")
        return found


def read_frames(attributes: Attributes) -> tuple[FunctionalGroups, ...]:
    """Read the groups of every frame of an object, in the order of its pixels.

    Raises
    ------
    SeriesRefused
        Where Number of Frames and Per-Frame Functional Groups Sequence disagree.

    """
    count = attributes.count("NumberOfFrames")
    own = attributes.items("PerFrameFunctionalGroupsSequence")
    if len(own) != count:
        raise SeriesRefused(
            f"{attribute_name('PerFrameFunctionalGroupsSequence')} in {attributes.where} holds {len(own)} items, "
            f"{attribute_name('NumberOfFrames')} says {count}"
        )
    nothing = Attributes(dataset=Dataset(), where=attributes.where)
    shared = next(iter(attributes.items("SharedFunctionalGroupsSequence")), nothing)
    return tuple(FunctionalGroups(shared=shared, own=item) for item in own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """Where the frames of one orientation lie.

    Attributes
    ----------
    directions, pixel_spacing_mm
        As every frame says.
    positions_mm
        Of each frame's first voxel, LPS mm, (N, 3).

    """

    directions: Directions
    pixel_spacing_mm: tuple[float, float]
    positions_mm: NDArray[np.float64]


def read_planes(frames: Sequence[FunctionalGroups]) -> Planes:
    """Read the places of frames.

    Raises
    ------
    SeriesRefused
        Where one is missing, or orientation or spacing differ between them.

    """
    directions = [read_directions(frame.item("PlaneOrientationSequence")) for frame in frames]
    first, where = directions[0], frames[0].own.where
    for number, other in enumerate(directions, start=1):
        if not (
            np.allclose(other.along_row, first.along_row, atol=SAME_DIRECTION)
            and np.allclose(other.down_column, first.down_column, atol=SAME_DIRECTION)
        ):
            name = attribute_name("ImageOrientationPatient")
            raise SeriesRefused(f"{name} differs between the frames of {where}: frame {number} is not as frame 1")
    spacings = [read_pixel_spacing_mm(frame.item("PixelMeasuresSequence")) for frame in frames]
    for number, spacing_mm in enumerate(spacings, start=1):
        if spacing_mm != spacings[0]:
            name = attribute_name("PixelSpacing")
            raise SeriesRefused(f"{name} differs between the frames of {where}: frame {number} is not as frame 1")
    positions_mm = [read_position_mm(frame.item("PlanePositionSequence")) for frame in frames]
    return Planes(directions=first, pixel_spacing_mm=spacings[0], positions_mm=np.array(positions_mm))


def place_frames(
    attributes: Attributes, frames: Sequence[FunctionalGroups]
) -> tuple[VolumeGeometry, NDArray[np.intp]]:
    """Place a multi-frame object as one volume; gives the grid and the frame of each slice.

    Raises
    ------
    SeriesRefused
        As `read_planes` and `stacking.order_along`; where several frames lie at one place, with what they differ
        in: a dynamic, gated or multi-echo object is several images.

    """
    planes = read_planes(frames)
    try:
        names = [f"frame {number} of {attributes.where}" for number in range(1, len(frames) + 1)]
        order, step_mm = order_along(planes.positions_mm, planes.directions.normal, names)
    except PlacesShared as exc:
        raise SeriesRefused(f"{exc}; {_what_varies(attributes, frames)}") from exc
    geometry = build_geometry(
        first_position_mm=planes.positions_mm[order[0]],
        slice_step_mm=step_mm,
        directions=planes.directions,
        pixel_spacing_mm=planes.pixel_spacing_mm,
        shape=(len(frames), attributes.count("Rows"), attributes.count("Columns")),
        frame_of_reference_uid=attributes.required_uid("FrameOfReferenceUID"),
    )
    return geometry, order


def _what_varies(attributes: Attributes, frames: Sequence[FunctionalGroups]) -> str:
    """Name the dimensions (PS3.3 C.7.6.17) whose index is not the same in all frames."""
    dimensions = attributes.items("DimensionIndexSequence")
    names = [dimension.tag_name("DimensionIndexPointer") for dimension in dimensions]
    rows = [
        content.integers("DimensionIndexValues")
        for frame in frames
        if (content := frame.find("FrameContentSequence"))
    ]
    if not names or any(len(row) != len(names) for row in rows):
        return f"no {attribute_name('DimensionIndexSequence')} says what tells them apart"
    varying = [name for name, values in zip(names, zip(*rows, strict=True), strict=True) if len(set(values)) > 1]
    return f"its frames differ in {', '.join(varying)}"


def flatten(attributes: Attributes, frame: FunctionalGroups) -> Attributes:
    """Give what a legacy-converted object says of one frame, as the slice that it was converted from said it.

    Attributes that have no place of their own stand in Unassigned Shared and Unassigned Per-Frame Converted
    Attributes Sequence (PS3.3 C.7.6.16.2.25, C.7.6.16.2.26).
    """
    flat = Dataset()
    flat.update(attributes.dataset)
    for groups, keyword in (
        (frame.shared, "UnassignedSharedConvertedAttributesSequence"),
        (frame.own, "UnassignedPerFrameConvertedAttributesSequence"),
    ):
        for item in groups.items(keyword):
            flat.update(item.dataset)
    return Attributes(dataset=flat, where=attributes.where)

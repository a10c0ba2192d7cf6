"""Segmentation objects (PS3.3 A.51): segments that someone marked as a lesion become targets.

Frames of a segment may leave out empty slices, so each frame is taken where it lies; nothing needs a whole stack.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.drawn import MOST_POINTS, Drawn, fill, require_few
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.frames import FunctionalGroups, read_frames, read_planes
from acquisition.studies.grids import require_likely_step
from acquisition.studies.objects import StoredObject
from acquisition.studies.pixels import check_pixels, read_pixels
from acquisition.studies.stacking import POSITION_TOLERANCE_MM

TARGET_CATEGORIES = frozenset({("49755003", "SCT"), ("M-01000", "SRT")})
"""Segmented Property Category: morphologically abnormal structure. An organ is no target."""

INSIDE = 0.5
"""Share from which a voxel of a fractional segment belongs to it."""


def read_segmentations(objects: Sequence[StoredObject]) -> Drawn:
    """Read the segments of a series; those that are no lesion are listed and no targets.

    Raises
    ------
    SeriesRefused
        Where the geometry is missing or contradicts itself, the kind of segmentation is not known, or the segments
        that frames are of are not described.

    """
    drawn = Drawn()
    for stored in objects:
        drawn = drawn + _read_object(stored)
    return drawn


def _read_object(stored: StoredObject) -> Drawn:
    attributes = stored.attributes
    kind = attributes.required_text("SegmentationType")
    if kind not in {"BINARY", "FRACTIONAL"}:
        raise SeriesRefused(f"{attribute_name('SegmentationType')} in {stored.path.name} is {kind}")
    frames = read_frames(attributes)
    check_pixels(stored, frames=len(frames))
    # of a fractional one with a greatest value of 0 all of the image would be inside
    greatest = 1 if kind == "BINARY" else attributes.count("MaximumFractionalValue")
    inside = np.greater_equal(read_pixels(stored, frames=len(frames)), INSIDE * greatest)
    frames_of = _read_frames_of_segments(frames)
    drawn = Drawn()
    for segment in _read_segments(attributes, frames_of):
        label = segment.required_text("SegmentLabel")
        own = frames_of.get(segment.count("SegmentNumber"), [])
        if not _is_target(segment):
            drawn = drawn + Drawn(others=(label,))
        elif not any(inside[place].any() for place in own):
            drawn = drawn + Drawn(others=(f"{label} (empty)",))
        else:
            drawn = drawn + _read_segment(label, frames, inside, own, attributes)
    return drawn


def _read_frames_of_segments(frames: Sequence[FunctionalGroups]) -> dict[int, list[int]]:
    """Read which frames are of which segment number."""
    frames_of: dict[int, list[int]] = defaultdict(list)
    for place, frame in enumerate(frames):
        number = frame.item("SegmentIdentificationSequence").count("ReferencedSegmentNumber")
        frames_of[number].append(place)
    return dict(frames_of)


def _read_segments(attributes: Attributes, frames_of: Mapping[int, Sequence[int]]) -> tuple[Attributes, ...]:
    """Read what the segments are; refuse a number that stands twice, and one of frames that nothing describes."""
    segments = attributes.items("SegmentSequence")
    require_few(regions=len(segments), targets=sum(map(_is_target, segments)), where=attributes.where)
    numbers = [segment.count("SegmentNumber") for segment in segments]
    name = attribute_name("SegmentSequence")
    if len(set(numbers)) < len(numbers):
        raise SeriesRefused(f"{name} in {attributes.where} describes a {attribute_name('SegmentNumber')} twice")
    if lost := set(frames_of) - set(numbers):
        raise SeriesRefused(
            f"{name} in {attributes.where} does not describe segment {min(lost)}, which frames are of"
        )
    return segments


def _is_target(segment: Attributes) -> bool:
    categories = [
        (code.text("CodeValue"), code.text("CodingSchemeDesignator"))
        for code in segment.items("SegmentedPropertyCategoryCodeSequence")
    ]
    return not TARGET_CATEGORIES.isdisjoint(categories)


def _read_segment(
    label: str,
    frames: Sequence[FunctionalGroups],
    inside: NDArray[np.bool_],
    own: Sequence[int],
    attributes: Attributes,
) -> Drawn:
    planes = read_planes([frames[place] for place in own])
    where = attributes.where
    heights_mm = np.sort(planes.positions_mm @ planes.directions.normal)
    if (np.diff(heights_mm) < POSITION_TOLERANCE_MM).any():
        raise SeriesRefused(f"two frames of segment {label} in {where} lie at the same place")
    measures = frames[own[0]].item("PixelMeasuresSequence")
    thickness_mm = abs(measures.optional_number("SpacingBetweenSlices") or measures.number("SliceThickness"))
    require_likely_step(thickness_mm, attribute_name("SliceThickness"), where)
    row_mm, column_mm = planes.pixel_spacing_mm
    # of a large one every so many voxels are taken, a frame at a time: their indices are 24 times the frame
    voxels = sum(int(np.count_nonzero(inside[place])) for place in own)
    stride, seen = max(1, voxels // MOST_POINTS), 0
    points_mm = []
    for place, position_mm in zip(own, planes.positions_mm, strict=True):
        found = np.flatnonzero(inside[place])
        row, column = np.divmod(found[-seen % stride :: stride], inside.shape[2])
        seen += len(found)
        points_mm.append(
            position_mm
            + row[:, None] * row_mm * planes.directions.down_column
            + column[:, None] * column_mm * planes.directions.along_row
        )
    outline = fill(
        label,
        np.concatenate(points_mm),
        volume_ml=voxels * row_mm * column_mm * thickness_mm / 1000,
        frame_of_reference_uid=attributes.required_uid("FrameOfReferenceUID"),
        origin=f"segment of {where}",
    )
    return Drawn(targets=(outline,))

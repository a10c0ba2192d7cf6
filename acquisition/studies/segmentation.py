"""Segmentation objects (PS3.3 A.51): segments that someone marked as a lesion become targets.

Frames of a segment may leave out empty slices, so each frame is taken where it lies; nothing needs a whole stack.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.drawn import Drawn, fill
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.frames import FunctionalGroups, read_frames, read_planes
from acquisition.studies.objects import StoredObject
from acquisition.studies.pixels import check_pixels, read_pixels

TARGET_CATEGORIES = frozenset({("49755003", "SCT"), ("M-01000", "SRT")})
"""Segmented Property Category: morphologically abnormal structure. An organ is no target."""

INSIDE = 0.5
"""Share from which a voxel of a fractional segment belongs to it."""


def read_segmentations(objects: Sequence[StoredObject]) -> Drawn:
    """Read the segments of a series; those that are no lesion are listed and no targets.

    Raises
    ------
    SeriesRefused
        Where the geometry is missing or contradicts itself, or the kind of segmentation is not known.

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
    greatest = 1.0 if kind == "BINARY" else attributes.number("MaximumFractionalValue")
    pixels = read_pixels(stored, frames=len(frames)).astype(np.float32) >= INSIDE * greatest
    numbers = [frame.item("SegmentIdentificationSequence").count("ReferencedSegmentNumber") for frame in frames]
    drawn = Drawn()
    for segment in attributes.items("SegmentSequence"):
        number, label = segment.count("SegmentNumber"), segment.required_text("SegmentLabel")
        categories = [
            (code.text("CodeValue"), code.text("CodingSchemeDesignator"))
            for code in segment.items("SegmentedPropertyCategoryCodeSequence")
        ]
        if not TARGET_CATEGORIES.intersection(categories):
            drawn = drawn + Drawn(others=(label,))
            continue
        own = [place for place, one in enumerate(numbers) if one == number]
        drawn = drawn + _read_segment(label, [frames[place] for place in own], pixels[own], attributes)
    return drawn


def _read_segment(
    label: str, frames: Sequence[FunctionalGroups], inside: NDArray[np.bool_], attributes: Attributes
) -> Drawn:
    if not inside.any():
        return Drawn(others=(f"{label} (empty)",))
    planes = read_planes(frames)
    measures = frames[0].item("PixelMeasuresSequence")
    thickness_mm = measures.optional_number("SpacingBetweenSlices") or measures.number("SliceThickness")
    row_mm, column_mm = planes.pixel_spacing_mm
    place, row, column = np.nonzero(inside)
    points_mm = (
        planes.positions_mm[place]
        + row[:, None] * row_mm * planes.directions.down_column
        + column[:, None] * column_mm * planes.directions.along_row
    )
    volume_ml = len(points_mm) * row_mm * column_mm * abs(thickness_mm) / 1000
    outline = fill(
        label,
        points_mm,
        volume_ml=volume_ml,
        frame_of_reference_uid=attributes.required_text("FrameOfReferenceUID"),
        origin=f"segment of {attributes.where}",
    )
    return Drawn(targets=(outline,))

"""NM reconstructed tomography (PS3.3 C.8.4.8, C.8.4.11, C.8.4.15): one multi-frame object, one volume.

Orientation and position stand in the Detector Information Sequence, not at the top; the sign of Spacing Between
Slices says to which side of the first frame the others lie; Slice Vector says which frame is which slice.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.tag import Tag

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.calibrations import find_calibration, read_duration_s
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import (
    Directions,
    build_geometry,
    read_directions,
    read_pixel_spacing_mm,
    read_position_mm,
    require_likely_step,
)
from acquisition.studies.injection import read_injection_time
from acquisition.studies.objects import StoredObject
from acquisition.studies.pixels import check_pixels, read_pixels
from acquisition.studies.plans import Beside, VolumePlan
from acquisition.studies.resolution import assume_spect
from acquisition.studies.scaling import rescale
from acquisition.studies.times import read_moment
from acquisition.studies.units import MAPPING, find_activity_mapping
from navigation.volume import Volume, VolumeGeometry

SLICE_VECTOR = Tag(0x0054, 0x0080)

OTHER_VECTORS = {
    "EnergyWindowVector": "energy windows",
    "DetectorVector": "detectors",
    "PhaseVector": "phases",
    "RotationVector": "rotations",
    "RRIntervalVector": "R-R intervals",
    "TimeSlotVector": "time slots",
    "AngularViewVector": "angular views",
    "TimeSliceVector": "time slices",
}
"""Vectors of the NM Multi-frame module (PS3.3 C.8.4.8) that say of each frame which of several images it is of."""


def plan_nm(objects: Sequence[StoredObject], beside: Beside) -> VolumePlan:
    """Place a reconstructed NM volume.

    Raises
    ------
    SeriesRefused
        For planar, whole-body, dynamic, gated, projection and transmission images, several reconstructions in one
        series, and any missing or contradicting geometry.

    """
    _require_emission_tomography(objects)
    stored = objects[0]
    attributes = stored.attributes
    frames = attributes.count("NumberOfFrames")
    check_pixels(stored, frames=frames)
    frame_of_slice = _read_slice_order(attributes, frames)
    directions, first_position_mm = _read_placement(attributes)
    spacing_mm = attributes.number("SpacingBetweenSlices")
    if spacing_mm == 0:
        raise SeriesRefused(f"{attribute_name('SpacingBetweenSlices')} is 0 in {stored.path.name}")
    require_likely_step(abs(spacing_mm), attribute_name("SpacingBetweenSlices"), stored.path.name)
    mapping, words = find_activity_mapping(attributes, beside.mappings.get(stored.sop_instance_uid, ()))
    geometry = build_geometry(
        first_position_mm=first_position_mm,
        slice_step_mm=spacing_mm * directions.normal,
        directions=directions,
        pixel_spacing_mm=read_pixel_spacing_mm(attributes),
        shape=(frames, attributes.count("Rows"), attributes.count("Columns")),
        frame_of_reference_uid=attributes.required_uid("FrameOfReferenceUID"),
    )

    factor, calibrated = None, "no calibration of the site"
    if beside.calibrations:
        factor, calibrated = _find_factor(attributes, beside, geometry)

    def read() -> tuple[Volume, str]:
        pixels = read_pixels(stored, frames=frames)
        if not np.array_equal(frame_of_slice, np.arange(frames)):
            pixels = pixels[frame_of_slice]
        if mapping and mapping.covers(pixels):
            values = rescale(pixels, mapping.slope_bq_per_ml, mapping.intercept_bq_per_ml, where=attributes.where)
            volume = Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL")
            return volume, f"activity concentration in Bq/mL, mapped from {words}"
        slope = attributes.optional_number("RescaleSlope")
        if slope is not None and slope <= 0:
            raise SeriesRefused(f"{attribute_name('RescaleSlope')} is {slope:g} in {attributes.where}")
        to_counts = 1.0 if slope is None else slope, attributes.optional_number("RescaleIntercept") or 0.0
        if factor is not None:
            values = rescale(pixels, to_counts[0] * factor, to_counts[1] * factor, where=attributes.where)
            volume = Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL")
            return volume, f"activity concentration in Bq/mL: {calibrated}"
        counts = rescale(pixels, *to_counts, where=attributes.where)
        volume = Volume(geometry=geometry, values=counts, quantity="counts", unit="1")
        why = f"{MAPPING} does not cover every stored value" if mapping else words
        return volume, f"relative counts: {why}; {calibrated}"

    return VolumePlan(
        role="activity",
        geometry=geometry,
        rank=(
            float(mapping is not None or factor is not None),
            float("ATTN" in attributes.texts("CorrectedImage")),
            -geometry.voxel_volume_ml,
        ),
        taken_at=_true_at(attributes),
        read=read,
        resolution=assume_spect(attributes, beside.calibrations, geometry),
    )


def _true_at(attributes: Attributes) -> datetime | None:
    """Say when the values were true: at the start of acquisition, or at the injection where they say ADMIN.

    Decay Correction (0054,1102) is none of the NM image's attributes, but quantitative reconstructions carry it.
    """
    if attributes.text("DecayCorrection") == "ADMIN":
        return read_injection_time(attributes, before=None)
    return read_moment(attributes, "AcquisitionDate", "AcquisitionTime")


def _find_factor(attributes: Attributes, beside: Beside, geometry: VolumeGeometry) -> tuple[float | None, str]:
    """Bq/mL of a count by the site's calibration, None where it does not hold; and a sentence."""
    if "ATTN" not in attributes.texts("CorrectedImage"):
        return None, f"{attribute_name('CorrectedImage')} lacks ATTN: the site's calibration does not hold"
    try:
        calibration = find_calibration(attributes, beside.calibrations)
        duration_s = read_duration_s(attributes)
    except SeriesRefused as exc:
        return None, str(exc)
    bq_of_one = 1e6 / (calibration.cps_per_mbq * duration_s)
    words = f"the site's {calibration.cps_per_mbq:g} cps/MBq over {duration_s:g} s"
    return bq_of_one / geometry.voxel_volume_ml, words


def _require_emission_tomography(objects: Sequence[StoredObject]) -> None:
    name = attribute_name("ImageType")
    for stored in objects:
        image_type = stored.attributes.texts("ImageType")
        kind = image_type[2] if len(image_type) > 2 else "nothing"
        where = stored.path.name
        if kind == "RECON GATED TOMO":
            raise SeriesRefused(f"{name} of {where} says {kind}: gated reconstructions are not read")
        if kind != "RECON TOMO":
            raise SeriesRefused(f"not a volume: {name} of {where} says {kind}, not RECON TOMO")
        source = image_type[3] if len(image_type) > 3 else "nothing"
        if source != "EMISSION":
            raise SeriesRefused(f"{name} of {where} says {source}, not EMISSION: its values may be no activity")
    if len({stored.sop_instance_uid for stored in objects}) > 1:
        raise SeriesRefused(
            f"{len(objects)} reconstructions in one series, and nothing says which to use; send each as a series"
        )


def _read_slice_order(attributes: Attributes, frames: int) -> NDArray[np.intp]:
    """Give for each slice the frame that holds it; slices are numbered 1 to N (PS3.3 C.8.4.8.1.2)."""
    _require_one_image(attributes)
    pointer = attributes.value("FrameIncrementPointer")
    pointers = [pointer] if isinstance(pointer, int) else list(pointer or ())
    if SLICE_VECTOR not in pointers:
        raise SeriesRefused(
            f"{attribute_name('FrameIncrementPointer')} in {attributes.where} does not point to "
            f"{attribute_name('SliceVector')}"
        )
    slices = np.array(attributes.integers("SliceVector"))
    if slices.size != frames or not np.array_equal(np.sort(slices), np.arange(1, frames + 1)):
        raise SeriesRefused(
            f"{attribute_name('SliceVector')} in {attributes.where} does not number the {frames} frames "
            f"1 to {frames}, each once"
        )
    if slices[0] != 1:
        raise SeriesRefused(
            f"{attribute_name('SliceVector')} in {attributes.where} begins with {slices[0]}: whether "
            f"{attribute_name('ImagePositionPatient')} is that of the first frame or of slice 1 cannot be told"
        )
    return np.argsort(slices)


def _require_one_image(attributes: Attributes) -> None:
    """Refuse frames of several windows, detectors or gates: each is an image of its own, and values do not add."""
    for keyword, things in OTHER_VECTORS.items():
        if attributes.value(keyword) is None:
            continue
        if len(seen := sorted(set(attributes.integers(keyword)))) > 1:
            names = _name_windows(attributes) if keyword == "EnergyWindowVector" else ""
            raise SeriesRefused(
                f"{attribute_name(keyword)} in {attributes.where} tells frames of {len(seen)} {things} apart"
                f"{names}: several images in one object; send each as a series"
            )


def _name_windows(attributes: Attributes) -> str:
    """Name the energy windows, as far as the object does."""
    ranges = [
        f"{item.number('EnergyWindowLowerLimit'):g}-{item.number('EnergyWindowUpperLimit'):g} keV"
        for window in attributes.items("EnergyWindowInformationSequence")
        for item in window.items("EnergyWindowRangeSequence")
    ]
    return f" ({', '.join(ranges)})" if ranges else ""


def _read_placement(attributes: Attributes) -> tuple[Directions, NDArray[np.float64]]:
    """Read orientation and position of the first frame; several detectors must agree where they say it."""
    detectors = attributes.items("DetectorInformationSequence")
    if not detectors:
        raise SeriesRefused(
            f"{attribute_name('DetectorInformationSequence')} is missing or empty in {attributes.where}: "
            "nothing says where the image lies in the patient"
        )
    placements = [(read_directions(item), read_position_mm(item)) for item in detectors]
    directions, position_mm = placements[0]
    for other_directions, other_position_mm in placements[1:]:
        if not (
            np.allclose(other_directions.along_row, directions.along_row, atol=1e-4)
            and np.allclose(other_directions.down_column, directions.down_column, atol=1e-4)
            and np.allclose(other_position_mm, position_mm, atol=0.1)
        ):
            raise SeriesRefused(
                f"the items of {attribute_name('DetectorInformationSequence')} in {attributes.where} "
                "place the image differently"
            )
    return directions, position_mm

"""Multi-frame objects with functional groups: enhanced, legacy-converted enhanced, parametric maps.

One object is one volume. CT gives attenuation where its values are Hounsfield units, PET and parametric maps
activity where a real-world value mapping or their unit says so, MR and all else only a place and relative values.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.frames import FunctionalGroups, place_frames, read_frames
from acquisition.studies.injection import Reference, try_uptake
from acquisition.studies.objects import StoredObject
from acquisition.studies.pixels import check_pixels, read_pixels
from acquisition.studies.plans import Beside, VolumePlan
from acquisition.studies.resolution import assume_pet, assume_unknown
from acquisition.studies.scaling import rescale
from acquisition.studies.times import read_datetime, read_moment
from acquisition.studies.units import MAPPING, ActivityMapping, find_activity_mapping
from navigation.volume import Volume

Array = NDArray[np.float64]


def plan_enhanced_ct(objects: Sequence[StoredObject], _: Beside) -> VolumePlan:
    """Place an Enhanced CT or Legacy Converted Enhanced CT object (PS3.3 A.38, A.70).

    Raises
    ------
    SeriesRefused
        For a localiser, values that are not Hounsfield units (perfusion and other maps), several objects in one
        series, or frames that do not form an even stack.

    """
    stored, frames = read_one(objects)
    attributes = stored.attributes
    if "LOCALIZER" in attributes.texts("ImageType"):
        raise SeriesRefused(f"not a volume: {attribute_name('ImageType')} says LOCALIZER")
    slopes, intercepts, types = read_rescale(frames)
    if types != {"HU"}:
        raise SeriesRefused(
            f"{attribute_name('RescaleType')} in {stored.path.name} is {', '.join(sorted(types)) or 'missing'}, "
            "not HU: its values are no attenuation"
        )
    geometry, order = place_frames(attributes, frames)

    def read() -> tuple[Volume, str]:
        values = scale_frames(stored, read_pixels(stored, frames=len(frames)), slopes, intercepts)[order]
        return Volume(geometry=geometry, values=values, quantity="attenuation", unit="HU"), "attenuation in HU"

    return VolumePlan(
        role="anatomy",
        geometry=geometry,
        rank=(float(np.prod(geometry.shape)),),
        taken_at=_acquired_at(attributes),
        read=read,
    )


def plan_enhanced_pet(objects: Sequence[StoredObject], beside: Beside) -> VolumePlan:
    """Place an Enhanced PET object (PS3.3 A.56), or a parametric map (A.75) of whatever its mapping says.

    Values are activity per volume where a linear real-world value mapping of every frame says so. Enhanced PET
    must also say that attenuation and decay are corrected.

    Raises
    ------
    SeriesRefused
        For several objects in one series, or frames that do not form an even stack.

    """
    stored, frames = read_one(objects)
    attributes = stored.attributes
    geometry, order = place_frames(attributes, frames)
    mappings, words = _read_mappings(frames, beside.mappings.get(stored.sop_instance_uid, ()))
    missing = _missing_correction(attributes) if stored.sop_class_uid.name.startswith("Enhanced PET") else ""
    slopes, intercepts = read_rescale(frames)[:2]

    def read() -> tuple[Volume, str]:
        pixels = read_pixels(stored, frames=len(frames))
        is_covered = bool(mappings) and all(
            mapping.covers(frame) for mapping, frame in zip(mappings, pixels, strict=True)
        )
        if is_covered and not missing:
            per_frame = np.array([(one.slope_bq_per_ml, one.intercept_bq_per_ml) for one in mappings]).T
            values = scale_frames(stored, pixels, per_frame[0], per_frame[1])[order]
            volume = Volume(geometry=geometry, values=values, quantity="activity concentration", unit="Bq/mL")
            return volume, f"activity concentration in Bq/mL, mapped from {words}"
        values = scale_frames(stored, pixels, slopes, intercepts)[order]
        volume = Volume(geometry=geometry, values=values, quantity="uptake", unit="1")
        why = missing or (f"{MAPPING} does not cover every stored value" if mappings else words)
        return volume, f"relative values: {why}"

    is_activity, is_pet = bool(mappings) and not missing, stored.sop_class_uid.name.startswith("Enhanced PET")
    corrected_to = read_datetime(attributes, "DecayCorrectionDateTime")
    reference = Reference(at=corrected_to, words=attribute_name("DecayCorrectionDateTime"))
    return VolumePlan(
        role="activity" if is_activity or is_pet else "reference",
        geometry=geometry,
        rank=(float(is_activity), float(not missing), -geometry.voxel_volume_ml),
        taken_at=corrected_to or _acquired_at(attributes),
        read=read,
        uptake=try_uptake(attributes, reference) if is_activity else None,
        resolution=assume_pet(attributes, geometry) if is_pet else assume_unknown(geometry),
    )


def plan_enhanced_mr(objects: Sequence[StoredObject], _: Beside) -> VolumePlan:
    """Place an Enhanced MR or Legacy Converted Enhanced MR object (PS3.3 A.36, A.71): signal without a unit.

    Raises
    ------
    SeriesRefused
        For several objects in one series, or frames that do not form an even stack.

    """
    stored, frames = read_one(objects)
    geometry, order = place_frames(stored.attributes, frames)
    slopes, intercepts = read_rescale(frames)[:2]

    def read() -> tuple[Volume, str]:
        values = scale_frames(stored, read_pixels(stored, frames=len(frames)), slopes, intercepts)[order]
        return Volume(geometry=geometry, values=values, quantity="signal", unit="1"), "MR signal, relative"

    return VolumePlan(
        role="reference",
        geometry=geometry,
        rank=(float(np.prod(geometry.shape)),),
        taken_at=_acquired_at(stored.attributes),
        read=read,
    )


def read_one(objects: Sequence[StoredObject]) -> tuple[StoredObject, tuple[FunctionalGroups, ...]]:
    """Read the frames of the one object of a series; raises `SeriesRefused` for several."""
    if len(objects) > 1:
        raise SeriesRefused(
            f"{len(objects)} multi-frame objects in one series, and nothing says which to use; "
            "send each as a series"
        )
    (stored,) = objects
    check_pixels(stored, frames=stored.attributes.count("NumberOfFrames"))
    return stored, read_frames(stored.attributes)


def read_rescale(frames: Sequence[FunctionalGroups]) -> tuple[Array, Array, set[str]]:
    """Read slope, intercept and types of the frames (PS3.3 C.7.6.16.2.9); 1 and 0 where there is no such group."""
    slopes, intercepts, types = np.ones(len(frames)), np.zeros(len(frames)), set()
    for number, frame in enumerate(frames):
        group = frame.find("PixelValueTransformationSequence")
        if group is None:
            continue
        slopes[number] = group.number("RescaleSlope")
        intercepts[number] = group.number("RescaleIntercept")
        types.add(group.text("RescaleType") or "missing")
        if slopes[number] <= 0:
            raise SeriesRefused(f"{attribute_name('RescaleSlope')} is {slopes[number]:g} in {group.where}")
    return slopes, intercepts, types


def scale_frames(
    stored: StoredObject, pixels: NDArray[np.generic], slopes: Array, intercepts: Array
) -> NDArray[np.float32]:
    """Scale each frame of an object by its own slope and intercept."""
    values = np.empty(pixels.shape, dtype=np.float32)
    where = stored.path.name
    for number, frame in enumerate(pixels):
        rescale(frame, float(slopes[number]), float(intercepts[number]), where=where, out=values[number])
    return values


def _read_mappings(
    frames: Sequence[FunctionalGroups], beside: Sequence[Attributes]
) -> tuple[tuple[ActivityMapping, ...], str]:
    """Read each frame's mapping into activity per volume; none where one frame lacks it, and a sentence on why."""
    mappings, words = [], ""
    for frame in frames:
        is_own = frame.own.value("RealWorldValueMappingSequence") is not None
        mapping, words = find_activity_mapping(frame.own if is_own else frame.shared, beside)
        if mapping is None:
            return (), words
        mappings.append(mapping)
    return tuple(mappings), words


def _missing_correction(attributes: Attributes) -> str:
    for keyword in ("AttenuationCorrected", "DecayCorrected"):
        if (said := attributes.text(keyword)) != "YES":
            return f"{attribute_name(keyword)} is {said or 'missing'}, not YES"
    return ""


def _acquired_at(attributes: Attributes) -> datetime | None:
    return read_datetime(attributes, "AcquisitionDateTime") or read_moment(
        attributes, "AcquisitionDate", "AcquisitionTime"
    )

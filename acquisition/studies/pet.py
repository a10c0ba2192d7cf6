"""PET series (PS3.3 A.21) into activity concentration, or into what its Units attribute names."""

from collections.abc import Sequence
from datetime import datetime

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject
from acquisition.studies.plans import VolumePlan
from acquisition.studies.slices import read_stack, stack_slices
from acquisition.studies.times import read_datetime, read_moment
from navigation.volume import Volume


def plan_pet(objects: Sequence[StoredObject]) -> VolumePlan:
    """Place a PET series.

    Raises
    ------
    SeriesRefused
        Where slices differ in unit or corrections, some of the announced Number of Slices are missing, or they
        do not form an even stack.

    """
    unit = _shared_text(objects, "Units")
    corrections = set(_shared_text(objects, "CorrectedImage", may_be_absent=True).split("\\"))
    _require_every_slice(objects)
    stack = stack_slices(objects)
    is_corrected = {"ATTN", "DECY"} <= corrections
    is_activity = unit == "BQML" and is_corrected
    if is_activity:
        quantity, volume_unit, words = "activity concentration", "Bq/mL", "activity concentration in Bq/mL"
    elif unit == "BQML":
        quantity, volume_unit = "uptake", unit
        words = f"relative values: BQML, but {attribute_name('CorrectedImage')} lacks ATTN or DECY"
    else:
        quantity, volume_unit = "uptake", unit
        words = f"relative values: {attribute_name('Units')} is {unit}, not BQML"

    def read() -> tuple[Volume, str]:
        values = read_stack(stack)
        return Volume(geometry=stack.geometry, values=values, quantity=quantity, unit=volume_unit), words

    return VolumePlan(
        role="activity",
        geometry=stack.geometry,
        rank=(float(is_activity), float("ATTN" in corrections), -stack.geometry.voxel_volume_ml),
        taken_at=_reference_time(objects),
        read=read,
    )


def _shared_text(objects: Sequence[StoredObject], keyword: str, *, may_be_absent: bool = False) -> str:
    seen = {
        stored.attributes.text(keyword) if may_be_absent else stored.attributes.required_text(keyword)
        for stored in objects
    }
    if len(seen) > 1:
        raise SeriesRefused(f"{attribute_name(keyword)} differs between the slices of the series: {sorted(seen)}")
    return seen.pop()


def _require_every_slice(objects: Sequence[StoredObject]) -> None:
    """Slices missing at an end leave no gap; only Number of Slices (PS3.3 C.8.9.1) tells of them."""
    announced = objects[0].attributes.optional_number("NumberOfSlices")
    held = len({stored.sop_instance_uid for stored in objects})
    if announced is not None and held < announced:
        raise SeriesRefused(
            f"{attribute_name('NumberOfSlices')} announces {announced:.0f} slices and {held} came: "
            "a target may lie in the missing ones"
        )


def _reference_time(objects: Sequence[StoredObject]) -> datetime | None:
    """When the decay-corrected values were true.

    ADMIN: at the injection. START: at the start of the series, if that is not after the first acquisition (some
    workstations write the time of their reformatting there), else at the first acquisition; QIBA's vendor-neutral
    SUV pseudo-code. PS3.3 C.8.9.1.1.5.
    """
    first = objects[0].attributes
    if first.text("DecayCorrection") == "ADMIN":
        for item in first.items("RadiopharmaceuticalInformationSequence"):
            return read_datetime(item, "RadiopharmaceuticalStartDateTime")
        return None
    moments = [
        moment
        for stored in objects
        if (moment := read_moment(stored.attributes, "AcquisitionDate", "AcquisitionTime"))
    ]
    series_at = read_moment(first, "SeriesDate", "SeriesTime")
    if not moments:
        return series_at
    earliest = min(moments)
    return series_at if series_at and series_at <= earliest else earliest

"""Real-world value mappings (PS3.3 C.7.6.16.2.11) whose unit is activity per volume."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject

_BECQUERELS = {
    "Bq": 1.0,
    "kBq": 1e3,
    "MBq": 1e6,
    "GBq": 1e9,
    "nCi": 37.0,
    "uCi": 37e3,
    "mCi": 37e6,
}
_MILLILITRES = {"ml": 1.0, "mL": 1.0, "cm3": 1.0, "mm3": 1e-3, "l": 1e3, "L": 1e3}
BQ_PER_ML = {
    f"{activity}/{volume}": becquerels / millilitres
    for activity, becquerels in _BECQUERELS.items()
    for volume, millilitres in _MILLILITRES.items()
}
"""UCUM codes of activity per volume, each with its size in Bq/mL; case tells milli from mega."""

LEAST_BQ_PER_ML, GREATEST_BQ_PER_ML = 1e-3, 1e12
"""What a mapping makes of the greatest stored value is more than nothing and less than can be."""

LARGEST_WHOLE = 65535
"""Of the stored values of an NM or PET."""

MAPPING = attribute_name("RealWorldValueMappingSequence")
SLOPE = attribute_name("RealWorldValueSlope")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityMapping:
    """Stored values into Bq/mL: slope * stored + intercept, within the mapped range only."""

    slope_bq_per_ml: float
    intercept_bq_per_ml: float
    first_mapped: float
    last_mapped: float

    def covers(self, stored: NDArray[np.generic]) -> bool:
        """Say whether every stored value has a real-world value."""
        return bool(stored.min() >= self.first_mapped and stored.max() <= self.last_mapped)


def find_activity_mapping(
    attributes: Attributes, beside: Sequence[Attributes] = ()
) -> tuple[ActivityMapping | None, str]:
    """Find the linear mapping into activity per volume and its unit; or None, and a sentence on why there is none.

    Those inside the object come before those of ``beside``, which another object gives it. A mapping by table
    (Real World Value LUT Data) is not linear and is not taken, nor is a code that is none of UCUM, nor any of
    several that are not the same.

    Raises
    ------
    SeriesRefused
        Where a mapping in a unit of activity per volume lacks its slope, intercept or range, or they cannot be.

    """
    units: list[str] = []
    for items in (attributes.items("RealWorldValueMappingSequence"), beside):
        found: dict[ActivityMapping, str] = {}
        for item in items:
            mapping, unit = _read_mapping(item)
            units.append(unit)
            if mapping is not None:
                found[mapping] = unit
        if len(found) == 1:
            return found.popitem()
        if found:
            return None, f"{MAPPING} holds {len(found)} mappings into activity per volume that are not the same"
    if units:
        return None, f"the unit of {MAPPING} is {', '.join(units)}, not activity per volume"
    return None, f"no {MAPPING}"


def read_mapping_objects(objects: Iterable[StoredObject]) -> dict[str, tuple[Attributes, ...]]:
    """Read Real World Value Mapping objects (PS3.3 A.46): mappings by the SOP Instance UID that they are for.

    One that is for some frames of an image alone is for none as a whole, and is left out.

    Raises
    ------
    SeriesRefused
        As `find_activity_mapping`: an object that lies about one mapping is believed in none.

    """
    found: dict[str, tuple[Attributes, ...]] = {}
    for stored in objects:
        for item in stored.attributes.items("ReferencedImageRealWorldValueMappingSequence"):
            mappings = item.items("RealWorldValueMappingSequence")
            for mapping in mappings:
                _read_mapping(mapping)
            for image in item.items("ReferencedImageSequence"):
                if image.value("ReferencedFrameNumber") is None:
                    key = image.text("ReferencedSOPInstanceUID")
                    found[key] = (*found.get(key, ()), *mappings)
    return found


def _read_mapping(item: Attributes) -> tuple[ActivityMapping | None, str]:
    """Read a mapping, None where it is not linear into activity per volume; and its unit, for people."""
    codes = item.items("MeasurementUnitsCodeSequence")
    unit = codes[0].text("CodeValue") if codes else ""
    if not unit:
        return None, "no unit"
    if (scheme := codes[0].text("CodingSchemeDesignator")) != "UCUM":
        return None, f"{unit} of the coding scheme {scheme or 'without a name'}"
    if unit not in BQ_PER_ML:
        return None, unit
    if item.value("RealWorldValueLUTData") is not None:
        return None, f"{unit} by a table"
    is_double = item.value("DoubleFloatRealWorldValueFirstValueMapped") is not None
    prefix = "DoubleFloatRealWorldValue" if is_double else "RealWorldValue"
    slope, intercept = item.number("RealWorldValueSlope"), item.number("RealWorldValueIntercept")
    first, last = item.number(f"{prefix}FirstValueMapped"), item.number(f"{prefix}LastValueMapped")
    if slope <= 0:
        raise SeriesRefused(f"{SLOPE} is {slope:g} in {item.where}: activity grows with the stored value")
    if first > last:
        name = attribute_name(f"{prefix}LastValueMapped")
        raise SeriesRefused(f"{name} is {last:g} in {item.where}, below the first, {first:g}")
    # of a frame without activity the range is nothing, and of float pixels often all that a float holds: neither
    # says what the values become, which is looked at when they are read
    farthest = max(abs(first), abs(last))
    most = (slope * max(farthest, LARGEST_WHOLE) + abs(intercept)) * BQ_PER_ML[unit]
    likely = (slope * min(farthest, LARGEST_WHOLE) + abs(intercept)) * BQ_PER_ML[unit]
    if most < LEAST_BQ_PER_ML or likely > GREATEST_BQ_PER_ML:
        raise SeriesRefused(
            f"{SLOPE} is {slope:g} and {attribute_name('RealWorldValueIntercept')} {intercept:g} in {item.where}: "
            f"values of {likely:g} Bq/mL cannot be"
        )
    mapping = ActivityMapping(
        slope_bq_per_ml=slope * BQ_PER_ML[unit],
        intercept_bq_per_ml=intercept * BQ_PER_ML[unit],
        first_mapped=first,
        last_mapped=last,
    )
    return mapping, unit

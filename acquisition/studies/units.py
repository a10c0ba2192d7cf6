"""Real-world value mappings (PS3.3 C.7.6.16.2.11) whose unit is activity per volume."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes
from acquisition.studies.objects import StoredObject

_BECQUERELS = {"Bq": 1.0, "kBq": 1e3, "MBq": 1e6}
_MILLILITRES = {"ml": 1.0, "mL": 1.0, "cm3": 1.0, "l": 1e3, "L": 1e3}
BQ_PER_ML = {
    f"{activity}/{volume}": becquerels / millilitres
    for activity, becquerels in _BECQUERELS.items()
    for volume, millilitres in _MILLILITRES.items()
}
"""UCUM codes of activity per volume, each with its size in Bq/mL."""


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
    """Find a linear mapping into activity per volume, and the units of the mappings that are there.

    Those inside the object come before those of ``beside``, which another object gives it. A mapping by table
    (Real World Value LUT Data) is not linear and is not taken.

    Raises
    ------
    SeriesRefused
        Where a mapping in a unit of activity per volume lacks its slope, intercept or range.

    """
    units = []
    for item in (*attributes.items("RealWorldValueMappingSequence"), *beside):
        codes = item.items("MeasurementUnitsCodeSequence")
        unit = codes[0].text("CodeValue") if codes else ""
        units.append(unit or "no unit")
        if unit in BQ_PER_ML and item.value("RealWorldValueLUTData") is None:
            return _read_mapping(item, BQ_PER_ML[unit]), unit
    return None, ", ".join(units)


def read_mapping_objects(objects: Iterable[StoredObject]) -> dict[str, tuple[Attributes, ...]]:
    """Read Real World Value Mapping objects (PS3.3 A.46): mappings by the SOP Instance UID that they are for."""
    found: dict[str, tuple[Attributes, ...]] = {}
    for stored in objects:
        for item in stored.attributes.items("ReferencedImageRealWorldValueMappingSequence"):
            mappings = item.items("RealWorldValueMappingSequence")
            for image in item.items("ReferencedImageSequence"):
                key = image.text("ReferencedSOPInstanceUID")
                found[key] = (*found.get(key, ()), *mappings)
    return found


def _read_mapping(item: Attributes, bq_per_ml: float) -> ActivityMapping:
    is_double = item.value("DoubleFloatRealWorldValueFirstValueMapped") is not None
    prefix = "DoubleFloatRealWorldValue" if is_double else "RealWorldValue"
    return ActivityMapping(
        slope_bq_per_ml=item.number("RealWorldValueSlope") * bq_per_ml,
        intercept_bq_per_ml=item.number("RealWorldValueIntercept") * bq_per_ml,
        first_mapped=item.number(f"{prefix}FirstValueMapped"),
        last_mapped=item.number(f"{prefix}LastValueMapped"),
    )

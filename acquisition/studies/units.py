"""Real-world value mappings (PS3.3 C.7.6.16.2.11) whose unit is activity per volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes

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


def find_activity_mapping(attributes: Attributes) -> tuple[ActivityMapping | None, str]:
    """Find a linear mapping into activity per volume, and the units of the mappings that are there.

    A mapping by table (Real World Value LUT Data) is not linear and is not taken. Mappings in separate objects
    (Real World Value Mapping Storage) are not looked at.

    Raises
    ------
    SeriesRefused
        Where a mapping in a unit of activity per volume lacks its slope, intercept or range.

    """
    units = []
    for item in attributes.items("RealWorldValueMappingSequence"):
        codes = item.items("MeasurementUnitsCodeSequence")
        unit = codes[0].text("CodeValue") if codes else ""
        units.append(unit or "no unit")
        if unit in BQ_PER_ML and item.value("RealWorldValueLUTData") is None:
            return _read_mapping(item, BQ_PER_ML[unit]), unit
    return None, ", ".join(units)


def _read_mapping(item: Attributes, bq_per_ml: float) -> ActivityMapping:
    is_double = item.value("DoubleFloatRealWorldValueFirstValueMapped") is not None
    prefix = "DoubleFloatRealWorldValue" if is_double else "RealWorldValue"
    return ActivityMapping(
        slope_bq_per_ml=item.number("RealWorldValueSlope") * bq_per_ml,
        intercept_bq_per_ml=item.number("RealWorldValueIntercept") * bq_per_ml,
        first_mapped=item.number(f"{prefix}FirstValueMapped"),
        last_mapped=item.number(f"{prefix}LastValueMapped"),
    )

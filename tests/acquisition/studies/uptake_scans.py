"""PET scans with what uptake is told by: the public vectors, and a plain one to be changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from acquisition.studies import SeriesReport, read_study
from navigation.uptake import UptakeFactors
from tests.acquisition.studies.written import write_pet

Edits = dict[str, Any]

PHILIPS = "Philips PET Private Group"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What a PET says of itself, and the SUVbw of a rescaled value of 1."""

    drug: Edits
    image: Edits
    suv_factor: float | None = None
    activity_factor: float | None = None
    suvbw: float = field(default=float("nan"))


def scan(
    *,
    series: str,
    acquired: str,
    started: str,
    dose: float,
    half_life: float,
    weight: float,
    suvbw: float,
    day: str | None = None,
    **more: Any,
) -> Scan:
    """Lay out a public case: cornerstonejs/calculate-suv, test/metadata, with its expected factor."""
    drug: Edits = {
        "RadionuclideTotalDose": dose,
        "RadionuclideHalfLife": half_life,
        "RadiopharmaceuticalStartTime": started,
    }
    if day:
        drug["RadiopharmaceuticalStartDateTime"] = day + started
    image = {
        "SeriesDate": "20201217",
        "SeriesTime": series,
        "AcquisitionDate": "20201217",
        "AcquisitionTime": acquired,
        "PatientWeight": weight,
        "Units": more.pop("units", "BQML"),
    }
    factors = {name: more.pop(name, None) for name in ("suv_factor", "activity_factor")}
    return Scan(drug=drug, image=image | more, suvbw=suvbw, **factors)


DAY = "20201217"
PUBLIC = {
    "Siemens": scan(
        series="104829.000000", acquired="104830.351370", started="083045.000000", day=DAY, dose=374e6,
        half_life=6586.2, weight=67, suvbw=0.00042748316187197236, PatientSex="M",
    ),
    "GE": scan(
        series="095621", acquired="095621", started="084500.00", day=DAY, dose=152022720,
        half_life=6586.2001953125, weight=52, suvbw=0.0005367387681819742, PatientSex="F", PatientSize=1.65,
    ),
    "Philips BQML with private factors": scan(
        series="110155", acquired="110156", started="100058", day=DAY, dose=126e6, half_life=6586.199707,
        weight=64, suvbw=0.0007463747013889488, suv_factor=0.003515736, activity_factor=4.709921,
        PatientSex="F", PatientSize=1.75,
    ),
    "Philips CNTS with both factors": scan(
        series="093556", acquired="095439", started="083000", dose=238e6, half_life=6588, weight=54,
        suvbw=0.000551, units="CNTS", suv_factor=0.000551, activity_factor=1.602563, PatientSex="F",
    ),
    "Philips CNTS with an SUV factor": scan(
        series="134551", acquired="141336", started="123000", dose=208230000, half_life=6588, weight=47,
        suvbw=0.000728, units="CNTS", suv_factor=0.000728, PatientSex="F",
    ),
    "Siemens acquired before the series": scan(
        series="123515.000000", acquired="123514.999995", started="114100.000000", dose=225e6, half_life=6586.2,
        weight=65, suvbw=0.0004069156854009332,
    ),
    "CPS reprocessed": scan(
        series="134918.000000", acquired="130348.234000", started="120037.000000", dose=388e6, half_life=6586.2,
        weight=69, suvbw=0.00026503312764157046,
    ),
    "start without date": scan(
        series="135431.843000", acquired="141555.687000", started="125000.000000", dose=412e6, half_life=6586.2,
        weight=102, suvbw=0.0003721089202818729,
    ),
}  # fmt: skip


def write_scan(folder: Path, one: Scan, *, edit: Callable[[int, Dataset], None] | None = None) -> list[Path]:
    """Write it as a PET series of slope 1."""

    def put(number: int, dataset: Dataset) -> None:
        del dataset.TimezoneOffsetFromUTC
        dataset.RescaleSlope = 1
        drug = Dataset()
        for keyword, value in one.drug.items():
            setattr(drug, keyword, value)
        dataset.RadiopharmaceuticalInformationSequence = Items([drug])
        for keyword, value in one.image.items():
            setattr(dataset, keyword, value)
        private = dataset.private_block(0x7053, PHILIPS, create=True)
        for element, factor in ((0x00, one.suv_factor), (0x09, one.activity_factor)):
            if factor is not None:
                private.add_new(element, "DS", str(factor))
        if edit:
            edit(number, dataset)

    return write_pet(folder, edit=put)


def read(folder: Path, one: Scan, *, edit: Callable[[int, Dataset], None] | None = None) -> SeriesReport:
    """Read the report on such a series."""
    (report,) = read_study(write_scan(folder, one, edit=edit)).series
    return report


def factors_of(report: SeriesReport) -> UptakeFactors:
    """Take the factors, which must be there."""
    assert report.uptake is not None
    assert report.uptake.factors is not None, report.uptake.why_not
    return report.uptake.factors


def change(scan_: Scan, *, drug: Edits | None = None, image: Edits | None = None) -> Scan:
    """Change a case; None takes an attribute out."""

    def merge(held: Edits, new: Edits | None) -> Edits:
        return {key: value for key, value in (held | (new or {})).items() if value is not None}

    return Scan(
        drug=merge(scan_.drug, drug),
        image=merge(scan_.image, image),
        suv_factor=scan_.suv_factor,
        activity_factor=scan_.activity_factor,
    )


BASE = scan(
    series="100000", acquired="100000", started="090000", day=DAY, dose=200e6, half_life=6586.2, weight=70,
    suvbw=float("nan"), PatientSex="F", PatientSize=1.7,
)  # fmt: skip
AN_HOUR = 2 ** (-3600 / 6586.2)
SUVBW = 70_000 / (200e6 * AN_HOUR)

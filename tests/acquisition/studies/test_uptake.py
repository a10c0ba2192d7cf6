"""Standardised uptake and decay: public vectors, vendors' ways of writing it, and what is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from acquisition.studies import SeriesReport, read_study
from acquisition.studies.objects import read_object
from acquisition.studies.pet_values import read_pet_values
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


def suvbw_of_one(report: SeriesReport) -> float:
    """SUVbw of a rescaled value of 1; every stored value is 100."""
    assert report.volume is not None
    assert report.volume.unit == "Bq/mL"
    assert np.ptp(report.volume.values) == 0
    return float(report.volume.values.flat[0]) / 100 * factors_of(report).bw_g_per_bq


@pytest.mark.parametrize("one", PUBLIC.values(), ids=PUBLIC.keys())
def test_public_vectors(tmp_path: Path, one: Scan) -> None:
    """The eight public cases give their published SUVbw, to their published 1e-6."""
    assert suvbw_of_one(read(tmp_path, one)) == pytest.approx(one.suvbw, abs=1e-6)


def test_counts_of_both_philips_factors_are_activity(tmp_path: Path) -> None:
    """Counts times (7053,1009) are Bq/mL; of BQML the private factors change nothing."""
    counts = read(tmp_path, PUBLIC["Philips CNTS with both factors"])
    assert counts.volume is not None
    assert counts.volume.values.flat[0] == pytest.approx(100 * 1.602563)
    assert "Philips' factor (7053,1009)" in counts.reason
    plain = read(tmp_path, PUBLIC["Philips BQML with private factors"])
    assert plain.volume is not None
    assert plain.volume.values.flat[0] == 100


def test_body_size(tmp_path: Path) -> None:
    """A woman of 64 kg and 1.75 m: lean mass 49.1 and 45.7 kg, 1.78 m2 of skin; none without her height."""
    factors = factors_of(read(tmp_path, PUBLIC["Philips BQML with private factors"]))
    dose_bq = 64_000 / factors.bw_g_per_bq
    assert factors.lbm_g_per_bq is not None
    assert factors.lbm_janmahasatian_g_per_bq is not None
    assert factors.bsa_cm2_per_bq is not None
    assert factors.lbm_g_per_bq * dose_bq / 1000 == pytest.approx(1.07 * 64 - 148 * (64 / 175) ** 2)
    assert factors.lbm_janmahasatian_g_per_bq * dose_bq / 1000 == pytest.approx(
        9270 * 64 / (8780 + 244 * 64 / 1.75**2)
    )
    assert factors.bsa_cm2_per_bq * dose_bq / 1e4 == pytest.approx(1.78, abs=0.01)
    without = factors_of(read(tmp_path, PUBLIC["Siemens"]))
    assert (without.lbm_g_per_bq, without.bsa_cm2_per_bq) == (None, None)


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


def test_injected_before_midnight(tmp_path: Path) -> None:
    """Injected at 23:30 and scanned at 00:30 is an hour, whether the date is given or not."""
    past = {
        "SeriesDate": "20201218",
        "SeriesTime": "003000",
        "AcquisitionDate": "20201218",
        "AcquisitionTime": "003000",
    }
    dated = change(BASE, drug={"RadiopharmaceuticalStartDateTime": "20201217233000"}, image=past)
    undated = change(
        BASE,
        drug={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "233000"},
        image=past,
    )
    assert factors_of(read(tmp_path, dated)).bw_g_per_bq == pytest.approx(SUVBW)
    assert factors_of(read(tmp_path, undated)).bw_g_per_bq == pytest.approx(SUVBW)


def test_only_a_start_date_time(tmp_path: Path) -> None:
    """Without Start Time, Start DateTime alone is enough, in a zone of its own too."""
    only = change(
        BASE,
        drug={"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20201217080000+0000"},
    )

    def zone(_: int, dataset: Dataset) -> None:
        dataset.TimezoneOffsetFromUTC = "+0100"

    assert factors_of(read(tmp_path, only, edit=zone)).bw_g_per_bq == pytest.approx(SUVBW)


def test_corrected_to_the_injection_is_not_decayed_again(tmp_path: Path) -> None:
    """ADMIN: values are those of the injection, and so is the dose."""
    report = read(tmp_path, change(BASE, image={"DecayCorrection": "ADMIN"}))
    assert factors_of(report).bw_g_per_bq == pytest.approx(70_000 / 200e6)


@pytest.mark.parametrize("decay", ["START", "ADMIN"])
def test_an_injection_just_after_the_start_is_not_of_the_day_before(tmp_path: Path, decay: str) -> None:
    """A clock time ten seconds after the scan began is an injection on the bed, and not 24 h ago."""
    after = change(
        BASE,
        drug={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "100010"},
        image={"DecayCorrection": decay, "SeriesTime": "100000", "AcquisitionTime": "100000"},
    )
    uptake = read(tmp_path, after).uptake
    assert uptake is not None
    assert uptake.factors is None
    assert "later than the scan" in uptake.why_not


@pytest.mark.parametrize(("half_life_s", "is_known"), [(6586.2, True), (78.4 * 3600, False), (None, False)])
def test_corrected_to_an_injection_without_a_date(
    tmp_path: Path, half_life_s: float | None, *, is_known: bool
) -> None:
    """ADMIN: a time without a date is of the day of the scan, unless the nuclide may be of an earlier one."""
    undated = change(
        BASE,
        drug={"RadiopharmaceuticalStartDateTime": None, "RadionuclideHalfLife": half_life_s},
        image={"DecayCorrection": "ADMIN"},
    )
    study = read_study(write_scan(tmp_path, undated))
    assert (study.taken_at is not None) is is_known
    if is_known:
        assert factors_of(study.series[0]).bw_g_per_bq == pytest.approx(70_000 / 200e6)
    else:
        assert "Radiopharmaceutical Start DateTime (0018,1078) is missing" in study.series[0].reason


def test_not_corrected_for_decay_is_corrected_here(tmp_path: Path) -> None:
    """NONE: each slice is brought from the middle of its own frame to the first acquisition."""
    none = change(
        BASE, image={"DecayCorrection": "NONE", "CorrectedImage": ["ATTN", "SCAT"], "ActualFrameDuration": 0}
    )

    def stagger(number: int, dataset: Dataset) -> None:
        dataset.AcquisitionTime = f"10{10 * number:02}00"

    study = read_study(write_scan(tmp_path, none, edit=stagger))
    assert study.activity is not None
    expected = 100 * 2 ** (600 * np.arange(5) / 6586.2)
    assert study.activity.values[:, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert factors_of(study.series[0]).bw_g_per_bq == pytest.approx(SUVBW)


def test_ge_private_scan_time(tmp_path: Path) -> None:
    """Where the series' time is after the acquisition, GE's private scan time (0009,100d) is the reference."""

    def ge(_: int, dataset: Dataset) -> None:
        dataset.SeriesTime, dataset.AcquisitionTime = "150000", "101500"
        dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20201217100000.00")

    assert factors_of(read(tmp_path, BASE, edit=ge)).bw_g_per_bq == pytest.approx(SUVBW)


def siemens(moment: str, *, creator: str = "SIEMENS MED PT") -> Callable[[int, Dataset], None]:
    """Write when Siemens says that the image was decay corrected to."""

    def edit(_: int, dataset: Dataset) -> None:
        dataset.private_block(0x0071, creator, create=True).add_new(0x22, "DT", moment)

    return edit


def test_siemens_private_decay_time(tmp_path: Path) -> None:
    """Its own word for it goes before the series' start: of a second injection, the images are of the first."""
    case = PUBLIC["Siemens"]  # series and acquisition began at 10:48
    plain = read(tmp_path, case)
    told = read(tmp_path, case, edit=siemens("20201217100000"))
    later_s = 48 * 60 + 29
    ratio = factors_of(told).bw_g_per_bq / factors_of(plain).bw_g_per_bq
    assert ratio == pytest.approx(2 ** (-later_s / 6586.2), rel=1e-6)
    other = read(tmp_path, case, edit=siemens("20201217100000", creator="SIEMENS MED PT MU MAP"))
    assert factors_of(other) == factors_of(plain)


@pytest.mark.parametrize("moment", ["20201216104829", "20201217104831", "20201217040000"])
def test_a_siemens_time_of_another_day_is_no_reference(tmp_path: Path, moment: str) -> None:
    """Dates that were shifted, all but the private one, give no activity of a moment that cannot be."""
    report = read(tmp_path, PUBLIC["Siemens"], edit=siemens(moment))
    assert report.uptake is not None
    assert report.uptake.factors is None
    assert "Siemens' private decay correction time (0071,xx22)" in report.uptake.why_not
    assert "of no known moment" in report.reason


@pytest.mark.parametrize(
    ("kind", "value"),
    [("BW", SUVBW), ("LBM", SUVBW / 70 * (1.07 * 70 - 148 * (70 / 170) ** 2)), (None, SUVBW)],
)
def test_suv_is_turned_back_into_activity(tmp_path: Path, kind: str | None, value: float) -> None:
    """GML is SUV: of the kind that SUV Type (0054,1006) says, by body weight where it says nothing."""
    report = read(tmp_path, change(BASE, image={"Units": "GML", "SUVType": kind}))
    assert report.volume is not None
    assert report.volume.unit == "Bq/mL"
    assert report.volume.values.flat[0] == pytest.approx(100 / value)


@pytest.mark.parametrize(
    ("drug", "image", "words"),
    [
        ({}, {"PatientWeight": None}, "Patient's Weight (0010,1030) is missing"),
        ({}, {"PatientWeight": 0}, "Patient's Weight (0010,1030) is missing or 0"),
        ({"RadionuclideTotalDose": None}, {}, "Radionuclide Total Dose (0018,1074) is missing"),
        ({"RadionuclideTotalDose": 0}, {}, "Radionuclide Total Dose (0018,1074)"),
        ({"RadionuclideHalfLife": None}, {}, "Radionuclide Half Life (0018,1075) is missing"),
        (
            {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None},
            {},
            "Radiopharmaceutical Start DateTime (0018,1078)",
        ),
        ({"RadiopharmaceuticalStartDateTime": "20201217"}, {}, ""),
        ({"RadiopharmaceuticalStartDateTime": "20201217113000"}, {}, "the injection lies 5400 s after the image"),
        ({"RadiopharmaceuticalStartDateTime": "20201210090000"}, {}, "169.0 h from the injection"),
        (
            {"RadiopharmaceuticalStartDateTime": None, "RadionuclideHalfLife": 282_276.0},
            {},
            "the day of the injection cannot be told",
        ),
        ({}, {"DecayCorrection": "PERHAPS"}, "Decay Correction (0054,1102) is PERHAPS"),
    ],
)
def test_what_makes_uptake_refused(tmp_path: Path, drug: Edits, image: Edits, words: str) -> None:
    """Without weight, dose, half-life or times there is no SUV and the tag is named; Bq/mL stay what they are."""
    report = read(tmp_path, change(BASE, drug=drug, image=image))
    assert report.uptake is not None
    if words:
        assert report.uptake.factors is None
        assert words in report.uptake.why_not
    else:  # a date alone: the time stands beside it
        assert factors_of(report).bw_g_per_bq == pytest.approx(SUVBW)
    assert report.volume is not None
    assert report.volume.unit == "Bq/mL"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ({"Units": "CNTS"}, "neither (7053,1009) nor (7053,1000)"),
        ({"Units": "PROPCPS"}, "Units (0054,1001) is PROPCPS, not BQML"),
        ({"Units": "GML", "PatientWeight": None}, "Patient's Weight (0010,1030) is missing"),
        ({"Units": "GML", "SUVType": "IBW"}, "SUV Type (0054,1006) is IBW"),
        (
            {"DecayCorrection": "NONE"},
            "Decay Correction (0054,1102) is NONE and Corrected Image (0028,0051) says DECY",
        ),
        ({"CorrectedImage": ["DECY"]}, "Corrected Image (0028,0051) lacks ATTN"),
    ],
)
def test_what_is_no_activity(tmp_path: Path, image: Edits, words: str) -> None:
    """Units that cannot become Bq/mL keep their name, and the reason stands in the report."""
    report = read(tmp_path, change(BASE, image=image))
    assert report.volume is not None
    assert report.volume.unit == image.get("Units", "BQML")
    assert "relative values" in report.reason
    assert words in report.reason


def test_a_decay_factor_that_contradicts_the_reference(tmp_path: Path) -> None:
    """Decay Factor says that values are of 40 min earlier than the rule: of no known moment, and no SUV."""

    def contradict(_: int, dataset: Dataset) -> None:
        dataset.DecayFactor, dataset.ActualFrameDuration = 2 ** (2400 / 6586.2), 0

    study = read_study(write_scan(tmp_path, BASE, edit=contradict))
    assert study.taken_at is None
    assert "of no known moment: Decay Factor (0054,1321) puts it -2400 s" in study.series[0].reason
    assert study.series[0].uptake is not None
    assert study.series[0].uptake.factors is None

    def agree(_: int, dataset: Dataset) -> None:
        decays = np.log(2) * 120 / 6586.2
        dataset.DecayFactor, dataset.ActualFrameDuration = f"{decays / (1 - np.exp(-decays)):.6f}", 120_000

    assert read_study(write_scan(tmp_path, BASE, edit=agree)).taken_at is not None


def test_times_without_a_zone_are_this_hosts(tmp_path: Path) -> None:
    """Without Timezone Offset From UTC the host's own zone is taken for all times alike."""
    study = read_study(write_scan(tmp_path, BASE))
    assert study.taken_at == datetime(2020, 12, 17, 10, 0).astimezone().astimezone(UTC)


def test_real_decay_factors_agree_with_the_rule(samples: Path) -> None:
    """Two real beds, one of them 16 min after the series began: the reference is the series' start, as written."""
    for number in (1, 2):
        stored = read_object(samples / "dicom" / f"PT_TCIA_ACRIN-FLT-Breast_{number}.dcm")
        values = read_pet_values([stored.attributes])
        assert (values.unit, values.reference.words) == ("Bq/mL", "the start of the series")
        assert values.uptake.factors is not None

"""Standardised uptake: public vectors, vendors' ways of writing it, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from acquisition.studies import SeriesReport
from tests.acquisition.studies.uptake_scans import (
    BASE,
    PHILIPS,
    PUBLIC,
    SUVBW,
    Edits,
    Scan,
    change,
    factors_of,
    read,
)


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


@pytest.mark.parametrize(
    ("sex", "james_kg", "janmahasatian_kg"),
    [
        ("F", 1.07 * 64 - 148 * (64 / 175) ** 2, 9270 * 64 / (8780 + 244 * 64 / 1.75**2)),
        ("M", 1.10 * 64 - 120 * (64 / 175) ** 2, 9270 * 64 / (6680 + 216 * 64 / 1.75**2)),
    ],
)
def test_body_size(tmp_path: Path, sex: str, james_kg: float, janmahasatian_kg: float) -> None:
    """Of 64 kg and 1.75 m: lean mass as published for her and for him, 1.78 m2 of skin; none without height."""
    one = change(PUBLIC["Philips BQML with private factors"], image={"PatientSex": sex})
    factors = factors_of(read(tmp_path, one))
    dose_bq = 64_000 / factors.bw_g_per_bq
    assert factors.lbm_g_per_bq is not None
    assert factors.lbm_janmahasatian_g_per_bq is not None
    assert factors.bsa_cm2_per_bq is not None
    assert factors.lbm_g_per_bq * dose_bq / 1000 == pytest.approx(james_kg)
    assert factors.lbm_janmahasatian_g_per_bq * dose_bq / 1000 == pytest.approx(janmahasatian_kg)
    assert factors.bsa_cm2_per_bq * dose_bq / 1e4 == pytest.approx(1.78, abs=0.01)
    without = factors_of(read(tmp_path, PUBLIC["Siemens"]))
    assert (without.lbm_g_per_bq, without.bsa_cm2_per_bq) == (None, None)


def test_a_private_factor_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    """Of a count that is 1e308 SUV in one slice no voxel would be a number: the factor counts as missing."""

    def overflow(number: int, dataset: Dataset) -> None:
        if number == 2:
            dataset.private_block(0x7053, PHILIPS)[0x00].value = "1e308"

    report = read(tmp_path, PUBLIC["Philips CNTS with an SUV factor"], edit=overflow)
    assert report.volume is not None
    assert report.volume.unit == "CNTS"
    assert "neither (7053,1009) nor (7053,1000)" in report.reason


def test_a_height_in_centimetres_is_none(tmp_path: Path) -> None:
    """Of 170 m no lean mass and no skin are told, and what they would undo stays what it is; weight alone does."""
    factors = factors_of(read(tmp_path, change(BASE, image={"PatientSize": 170})))
    assert factors.bw_g_per_bq == pytest.approx(SUVBW)
    assert (factors.lbm_g_per_bq, factors.lbm_janmahasatian_g_per_bq, factors.bsa_cm2_per_bq) == (None,) * 3
    lean = read(tmp_path, change(BASE, image={"Units": "GML", "SUVType": "LBM", "PatientSize": 170}))
    assert lean.volume is not None
    assert lean.volume.unit == "GML"
    assert "Patient's Size (0010,1020)" in lean.reason


def test_no_lean_mass_below_zero(tmp_path: Path) -> None:
    """James' formula gives a woman of 200 kg and 1.50 m less than nothing: no factor; Janmahasatian's holds."""
    factors = factors_of(read(tmp_path, change(BASE, image={"PatientWeight": 200, "PatientSize": 1.5})))
    assert factors.lbm_g_per_bq is None
    assert factors.lbm_janmahasatian_g_per_bq is not None


BSA = SUVBW / 70_000 * 71.84 * 70**0.425 * 170**0.725
"""Du Bois, cm2/mL for each Bq/mL."""


@pytest.mark.parametrize(
    ("unit", "kind", "value"),
    [
        ("GML", "BW", SUVBW),
        ("GML", None, SUVBW),
        ("GML", "LBM", SUVBW / 70 * (1.07 * 70 - 148 * (70 / 170) ** 2)),
        ("GML", "LBMJANMA", SUVBW * 9270 / (8780 + 244 * 70 / 1.7**2)),
        ("CM2ML", "BSA", BSA),
        ("CM2ML", None, BSA),
    ],
)
def test_suv_is_turned_back_into_activity(tmp_path: Path, unit: str, kind: str | None, value: float) -> None:
    """GML and CM2ML are SUV: of the kind that SUV Type (0054,1006) says, else by weight and by body surface."""
    report = read(tmp_path, change(BASE, image={"Units": unit, "SUVType": kind}))
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
        (
            {"RadionuclideTotalDose": 200},
            {},
            "Total Dose (0018,1074) in 1.2.826.20.0.0.dcm is 200 Bq",
        ),
        (
            {"RadionuclideTotalDose": 2e14},
            {},
            "Total Dose (0018,1074) in 1.2.826.20.0.0.dcm is 2e+14 Bq",
        ),
        ({}, {"PatientWeight": 70_000}, "Patient's Weight (0010,1030) in 1.2.826.20.0.0.dcm is 70000 kg"),
        ({}, {"PatientWeight": -70}, "Patient's Weight (0010,1030) in 1.2.826.20.0.0.dcm is -70 kg"),
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

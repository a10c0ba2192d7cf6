"""Which moment the values of a PET are of, and which the dose: dates, zones, decay, and vendors' own times."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from acquisition.studies import read_study
from acquisition.studies.objects import read_object
from acquisition.studies.pet_values import read_pet_values
from tests.acquisition.studies.uptake_scans import BASE, PUBLIC, SUVBW, change, factors_of, read, write_scan


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


@pytest.mark.parametrize("duration_s", [0, 120])
def test_not_corrected_for_decay_is_corrected_here(tmp_path: Path, duration_s: int) -> None:
    """NONE: each slice is brought from the middle of its own frame to the first acquisition."""
    none = change(
        BASE,
        image={
            "DecayCorrection": "NONE",
            "CorrectedImage": ["ATTN", "SCAT"],
            "ActualFrameDuration": 1000 * duration_s,
        },
    )

    def stagger(number: int, dataset: Dataset) -> None:
        dataset.AcquisitionTime = f"10{10 * number:02}00"

    study = read_study(write_scan(tmp_path, none, edit=stagger))
    assert study.activity is not None
    expected = 100 * 2 ** ((600 * np.arange(5) + duration_s / 2) / 6586.2)
    assert study.activity.values[:, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert factors_of(study.series[0]).bw_g_per_bq == pytest.approx(SUVBW)


def test_ge_private_scan_time(tmp_path: Path) -> None:
    """Where the series' time is after the acquisition, GE's private scan time (0009,100d) is the reference."""

    def ge(_: int, dataset: Dataset) -> None:
        dataset.SeriesTime, dataset.AcquisitionTime = "150000", "101500"
        dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20201217100000.00")

    assert factors_of(read(tmp_path, BASE, edit=ge)).bw_g_per_bq == pytest.approx(SUVBW)


def test_the_earliest_bed_is_the_reference(tmp_path: Path) -> None:
    """A workstation's series time is no reference; nor is the first slice's, whose bed was the last scanned."""

    def reformat(number: int, dataset: Dataset) -> None:
        dataset.SeriesTime, dataset.AcquisitionTime = "150000", f"10{10 * (4 - number):02}00"

    report = read(tmp_path, BASE, edit=reformat)
    assert factors_of(report).bw_g_per_bq == pytest.approx(SUVBW)


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


def inject_again(half_life_s: float) -> Callable[[int, Dataset], None]:
    """Write a second injection, of a nuclide of this half-life."""

    def edit(_: int, dataset: Dataset) -> None:
        other = copy.deepcopy(dataset.RadiopharmaceuticalInformationSequence[0])
        other.RadionuclideTotalDose, other.RadionuclideHalfLife = 20e6, half_life_s
        dataset.RadiopharmaceuticalInformationSequence.append(other)

    return edit


@pytest.mark.parametrize("unit", ["BQML", "GML"])
@pytest.mark.parametrize("decay", ["START", "ADMIN"])
def test_two_injections_are_none(tmp_path: Path, decay: str, unit: str) -> None:
    """Of which of two doses the values are nobody can tell: no SUV, no moment of the injection, no half-life."""
    case = change(BASE, image={"DecayCorrection": decay, "Units": unit})
    study = read_study(write_scan(tmp_path, case, edit=inject_again(4062.6)))
    (report,) = study.series
    assert report.uptake is not None
    assert report.uptake.factors is None
    assert (study.taken_at is None) == (decay == "ADMIN")
    assert study.half_life_s is None
    assert "(0054,0016) in 1.2.826.20.0.0.dcm names 2 injections" in report.uptake.why_not
    if decay == "ADMIN" or unit == "GML":
        assert "(0054,0016) in 1.2.826.20.0.0.dcm names 2 injections" in report.reason
    assert "missing" not in report.uptake.why_not + report.reason


@pytest.mark.parametrize(
    ("half_life_s", "is_one"), [(6588.0, True), (6651.0, True), (6653.0, False), (4062.6, False)]
)
def test_half_lives_of_two_tables_are_one(tmp_path: Path, half_life_s: float, *, is_one: bool) -> None:
    """F-18's is written as 6586.2 and as 6588 s: NONE is undone by the first. Those of two nuclides are none."""
    none = change(BASE, image={"DecayCorrection": "NONE", "CorrectedImage": ["ATTN", "SCAT"]})
    study = read_study(write_scan(tmp_path, none, edit=inject_again(half_life_s)))
    assert study.half_life_s == (6586.2 if is_one else None)
    (report,) = study.series
    assert ("to undo the decay are missing, or half-lives differ" in report.reason) != is_one
    assert ("each slice decayed to the first acquisition" in report.reason) == is_one


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

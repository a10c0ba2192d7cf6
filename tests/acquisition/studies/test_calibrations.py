"""Counts of a SPECT into Bq/mL by another object's mapping, or by what the site has measured of the camera."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import Knowledge, SpectCalibration, read_study
from acquisition.studies.calibrations import spell_nuclide
from tests.acquisition.studies.enhanced import mapping
from tests.acquisition.studies.written import make_object, save, write_nm

CALIBRATION = SpectCalibration(
    camera="Discovery NM/CT 670",
    collimator="LEHR",
    nuclide="Tc-99m",
    windows_kev=((126.0, 154.0),),
    cps_per_mbq=80.0,
)
ONES = np.full((5, 16, 24), 30, np.uint16)


def describe(dataset: Dataset) -> None:
    """Say camera, collimator, nuclide, window and time, as a console does."""
    dataset.ManufacturerModelName = "Discovery NM/CT 670"
    dataset.DetectorInformationSequence[0].CollimatorGridName = "LEHR"
    dataset.CorrectedImage = ["ATTN", "SCAT", "UNIF"]
    code, agent, limits, window, rotation = (Dataset() for _ in range(5))
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-163A8", "SRT", "^99m^Technetium"
    agent.RadionuclideCodeSequence = Items([code])
    dataset.RadiopharmaceuticalInformationSequence = Items([agent])
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = 126.45, 154.55
    window.EnergyWindowRangeSequence = Items([limits])
    dataset.EnergyWindowInformationSequence = Items([window])
    rotation.ActualFrameDuration, rotation.NumberOfFramesInRotation = 20_000, 60
    dataset.RotationInformationSequence = Items([rotation])


def test_counts_of_a_calibrated_camera_are_activity(tmp_path: Path) -> None:
    """A count is 1 / (80 cps/MBq x 1200 s) MBq in its voxel of 1.5 x 2.0 x 4.4 mm."""
    study = read_study(write_nm(tmp_path, pixels=ONES, edit=describe), Knowledge(calibrations=(CALIBRATION,)))
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"
    total_mbq = float(study.activity.values.sum()) * study.activity.geometry.voxel_volume_ml / 1e6
    assert total_mbq == pytest.approx(30 * 5 * 16 * 24 / (80.0 * 1200))
    assert "the site's 80 cps/MBq over 1200 s" in study.series[0].reason


def put(keyword: str, value: object, *, of: str = "") -> Callable[[Dataset], None]:
    """Change one thing, at the top or in the first item of a sequence."""

    def edit(dataset: Dataset) -> None:
        describe(dataset)
        setattr(getattr(dataset, of)[0] if of else dataset, keyword, value)

    return edit


def two_windows(dataset: Dataset) -> None:
    """Add a second window."""
    describe(dataset)
    dataset.EnergyWindowInformationSequence.append(dataset.EnergyWindowInformationSequence[0])


def other_nuclide(dataset: Dataset) -> None:
    """Say another nuclide."""
    describe(dataset)
    agent = dataset.RadiopharmaceuticalInformationSequence[0]
    agent.RadionuclideCodeSequence[0].CodeMeaning = "^123^Iodine"


def two_nuclides(dataset: Dataset) -> None:
    """Say a second nuclide beside the first."""
    describe(dataset)
    code, agent = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-145A4", "SRT", "^111^Indium"
    agent.RadionuclideCodeSequence = Items([code])
    dataset.RadiopharmaceuticalInformationSequence.append(agent)


def two_collimators(dataset: Dataset) -> None:
    """Let the second head have another collimator."""
    describe(dataset)
    other = copy.deepcopy(dataset.DetectorInformationSequence[0])
    other.CollimatorGridName = "MEGP"
    dataset.DetectorInformationSequence.append(other)


def of_window(number: int) -> Callable[[Dataset], None]:
    """Add a scatter window, and say of which of the two the frames are."""

    def edit(dataset: Dataset) -> None:
        describe(dataset)
        limits, scatter = Dataset(), Dataset()
        limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = 108.0, 126.0
        scatter.EnergyWindowRangeSequence = Items([limits])
        dataset.EnergyWindowInformationSequence.append(scatter)
        dataset.EnergyWindowVector = [number] * 5
        dataset.FrameIncrementPointer = [Tag("EnergyWindowVector"), Tag("SliceVector")]

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (two_nuclides, "In-111 + Tc-99m"),
        (two_collimators, "lehr/megp"),
        (of_window(2), "Tc-99m, 108-126 keV"),
        (of_window(3), "Energy Window Vector (0054,0010) in nm.dcm points to none of the 2 windows"),
        (put("ManufacturerModelName", "Symbia T"), "no calibration for Symbia T, lehr, Tc-99m, 126.45-154.55 keV"),
        (put("CollimatorGridName", "MEGP", of="DetectorInformationSequence"), "no calibration for"),
        (other_nuclide, "I-123"),
        (two_windows, "no Energy Window Vector (0054,0010) in nm.dcm says of which of the 2 items"),
        (put("CorrectedImage", ["SCAT"]), "Corrected Image (0028,0051) lacks ATTN"),
        (put("RotationInformationSequence", Items([])), "Actual Frame Duration (0018,1242) is missing"),
        (put("ActualFrameDuration", None, of="RotationInformationSequence"), "Actual Frame Duration (0018,1242)"),
    ],
)
def test_where_the_calibration_does_not_hold_counts_stay_relative(
    tmp_path: Path, edit: Callable[[Dataset], None], words: str
) -> None:
    """Another camera, collimator, nuclide or window, no attenuation correction or no time: counts, and why."""
    study = read_study(write_nm(tmp_path, pixels=ONES, edit=edit), Knowledge(calibrations=(CALIBRATION,)))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert words in study.series[0].reason


def test_the_window_of_the_frames_is_the_one_that_counts(tmp_path: Path) -> None:
    """A scatter window that was measured beside it and is not in the image changes nothing."""
    study = read_study(write_nm(tmp_path, pixels=ONES, edit=of_window(1)), Knowledge(calibrations=(CALIBRATION,)))
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"


INDIUM = SpectCalibration(
    camera="Discovery NM/CT 670",
    collimator="MEGP",
    nuclide="In-111",
    windows_kev=((220.5, 269.5), (153.9, 188.1)),
    cps_per_mbq=150.0,
)


def of_ranges(nuclide: str, *ranges_kev: tuple[float, float]) -> Callable[[Dataset], None]:
    """Say that the image is the sum of these ranges of energy: one window of several ranges."""

    def edit(dataset: Dataset) -> None:
        describe(dataset)
        dataset.DetectorInformationSequence[0].CollimatorGridName = "MEGP"
        agent = dataset.RadiopharmaceuticalInformationSequence[0]
        agent.RadionuclideCodeSequence[0].CodeMeaning = nuclide
        window = dataset.EnergyWindowInformationSequence[0]
        window.EnergyWindowRangeSequence = Items([])
        for low, high in ranges_kev:
            limits = Dataset()
            limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = low, high
            window.EnergyWindowRangeSequence.append(limits)

    return edit


GALLIUM = SpectCalibration(
    camera="Discovery NM/CT 670",
    collimator="MEGP",
    nuclide="Ga-67",
    windows_kev=((83.7, 102.3), (166.5, 203.5), (270.0, 330.0)),
    cps_per_mbq=90.0,
)


@pytest.mark.parametrize(
    ("calibration", "edit"),
    [
        (INDIUM, of_ranges("^111^Indium", (153.9, 188.1), (220.5, 269.5))),
        (INDIUM, of_ranges("^111^Indium", (221.0, 270.0), (154.0, 188.0))),
        (GALLIUM, of_ranges("^67^Gallium", (84.0, 102.0), (166.0, 204.0), (270.0, 330.0))),
    ],
)
def test_a_sum_of_windows_has_a_factor_of_its_own(
    tmp_path: Path, calibration: SpectCalibration, edit: Callable[[Dataset], None]
) -> None:
    """In-111 in both its windows, Ga-67 in its three: by the factor of the sum, in whatever order they stand."""
    paths = write_nm(tmp_path, pixels=ONES, edit=edit)
    study = read_study(paths, Knowledge(calibrations=(CALIBRATION, INDIUM, GALLIUM)))
    assert study.activity is not None
    total_mbq = float(study.activity.values.sum()) * study.activity.geometry.voxel_volume_ml / 1e6
    assert total_mbq == pytest.approx(30 * 5 * 16 * 24 / (calibration.cps_per_mbq * 1200))


@pytest.mark.parametrize(
    ("ranges_kev", "words"),
    [
        ([(153.9, 188.1)], "In-111, 153.9-188.1 keV, but for 153.9-188.1 keV + 220.5-269.5 keV"),
        ([(220.5, 269.5)], "In-111, 220.5-269.5 keV, but for 153.9-188.1 keV + 220.5-269.5 keV"),
        ([(153.9, 188.1), (230.0, 260.0)], "153.9-188.1 keV + 230-260 keV, but for"),
        ([(153.9, 188.1), (153.9, 188.1), (220.5, 269.5)], "153.9-188.1 keV + 153.9-188.1 keV + 220.5-269.5 keV"),
        ([], "In-111, no window, but for"),
    ],
)
def test_the_factor_of_a_sum_holds_for_no_part_of_it(
    tmp_path: Path, ranges_kev: list[tuple[float, float]], words: str
) -> None:
    """One window alone, another beside it, one twice, or none named: counts, and what there is a factor for."""
    paths = write_nm(tmp_path, pixels=ONES, edit=of_ranges("^111^Indium", *ranges_kev))
    study = read_study(paths, Knowledge(calibrations=(INDIUM,)))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert words in study.series[0].reason


def test_windows_of_which_nothing_says_that_they_are_summed(tmp_path: Path) -> None:
    """Two windows as two items, and no vector: the image may be of either, or their sum; it is not guessed."""

    def apart(dataset: Dataset) -> None:
        of_ranges("^111^Indium", (153.9, 188.1))(dataset)
        limits, window = Dataset(), Dataset()
        limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = 220.5, 269.5
        window.EnergyWindowRangeSequence = Items([limits])
        dataset.EnergyWindowInformationSequence.append(window)

    study = read_study(write_nm(tmp_path, pixels=ONES, edit=apart), Knowledge(calibrations=(INDIUM,)))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert "windows that are summed are to stand in one" in study.series[0].reason


def test_of_two_factors_for_the_same_neither_is_believed(tmp_path: Path) -> None:
    """The site file holds an old factor beside the new one: which of them holds nobody can tell."""
    old = CALIBRATION.model_copy(update={"cps_per_mbq": 71.0})
    study = read_study(write_nm(tmp_path, pixels=ONES, edit=describe), Knowledge(calibrations=(CALIBRATION, old)))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert "2 calibrations for Discovery NM/CT 670" in study.series[0].reason


@pytest.mark.parametrize(
    ("windows_kev", "words"),
    [
        ([], "at least 1 item"),
        ([[154.0, 126.0]], "lower limit of each window first"),
        ([[126.0, 154.0], [150.0, 160.0]], "windows_kev overlap"),
    ],
)
def test_windows_that_cannot_be_are_refused(windows_kev: list[list[float]], words: str) -> None:
    """None, one upside down, two that count the same photons twice."""
    with pytest.raises(ValidationError, match=words):
        SpectCalibration.model_validate(CALIBRATION.model_dump() | {"windows_kev": windows_kev})


@pytest.mark.parametrize(
    ("text", "nuclide"),
    [
        ("^99m^Technetium", "Tc-99m"),
        ("Technetium Tc^99m^ nanocolloid", "Tc-99m"),
        ("99mTc-nanocolloid", "Tc-99m"),
        ("Tc-99m tilmanocept", "Tc-99m"),
        ("^177^Lutetium", "Lu-177"),
        ("Lu177 PSMA", "Lu-177"),
        ("In-111", "In-111"),
        ("^131^Iodine", "I-131"),
        ("MIBG", None),
        ("", None),
    ],
)
def test_nuclides_are_spelt_many_ways(text: str, nuclide: str | None) -> None:
    """What consoles write is read as the shipped table writes it, or not at all."""
    assert spell_nuclide(text) == nuclide


def write_mapping(
    folder: Path, image: str, unit: str, *, slope: float = 12.5, frames: list[int] | None = None, name: str = "rwv"
) -> list[Path]:
    """Write a Real World Value Mapping object for an image, or for some of its frames."""
    dataset = make_object(uid.RealWorldValueMappingStorage, "RWV", "1.2.826.70", 0)
    reference, item = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = uid.NuclearMedicineImageStorage, image
    if frames:
        reference.ReferencedFrameNumber = frames
    item.ReferencedImageSequence = Items([reference])
    item.RealWorldValueMappingSequence = Items([mapping(unit, slope=slope)])
    dataset.ReferencedImageRealWorldValueMappingSequence = Items([item])
    dataset.SOPInstanceUID += f".{len(name)}"
    return [save(dataset, folder / f"{name}.dcm")]


def test_a_mapping_beside_the_image(tmp_path: Path) -> None:
    """A mapping object in the study makes its image quantitative, before any calibration of the site."""
    paths = [*write_nm(tmp_path, pixels=ONES), *write_mapping(tmp_path, "1.2.826.30.1", "Bq/ml")]
    study = read_study(paths, Knowledge(calibrations=(CALIBRATION,)))
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"
    assert study.activity.values.max() == pytest.approx(30 * 12.5)
    assert study.series[1].accepted
    assert study.series[1].reason == "real-world value mappings of 1 objects"


@pytest.mark.parametrize(("image", "unit"), [("1.2.826.30.9", "Bq/ml"), ("1.2.826.30.1", "{counts}")])
def test_a_mapping_of_another_image_or_unit_changes_nothing(tmp_path: Path, image: str, unit: str) -> None:
    """It is for the image that it names, and only activity per volume is believed."""
    study = read_study([*write_nm(tmp_path, pixels=ONES), *write_mapping(tmp_path, image, unit)])
    assert study.activity is not None
    assert study.activity.unit == "1"
    is_here = image == "1.2.826.30.1"
    assert study.series[1].accepted == is_here
    assert ("none of which has come" in study.series[1].reason) != is_here


def test_a_mapping_beside_that_lies_is_refused_and_costs_the_image_nothing(tmp_path: Path) -> None:
    """The object with the slope below zero is refused by its tag; the image stays, its counts relative."""
    study = read_study(
        [*write_nm(tmp_path, pixels=ONES), *write_mapping(tmp_path, "1.2.826.30.1", "Bq/ml", slope=-1.0)]
    )
    image, beside = study.series
    assert study.activity is not None
    assert (study.activity.unit, image.accepted, beside.accepted) == ("1", True, False)
    assert "Real World Value Slope (0040,9225) is -1 in rwv.dcm" in beside.reason
    assert "no Real World Value Mapping Sequence (0040,9096)" in image.reason


def test_a_mapping_of_some_frames_is_none_of_the_image(tmp_path: Path) -> None:
    """What holds of three slices says nothing of the others."""
    paths = [*write_nm(tmp_path, pixels=ONES), *write_mapping(tmp_path, "1.2.826.30.1", "Bq/ml", frames=[1, 2, 3])]
    study = read_study(paths)
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert not study.series[1].accepted


def test_two_mappings_beside_that_are_not_the_same_are_not_believed(tmp_path: Path) -> None:
    """Which of them holds nobody can tell: counts, and said so."""
    paths = [
        *write_nm(tmp_path, pixels=ONES),
        *write_mapping(tmp_path, "1.2.826.30.1", "Bq/ml"),
        *write_mapping(tmp_path, "1.2.826.30.1", "Bq/ml", slope=13.0, name="other"),
    ]
    study = read_study(paths)
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert "holds 2 mappings into activity per volume that are not the same" in study.series[0].reason

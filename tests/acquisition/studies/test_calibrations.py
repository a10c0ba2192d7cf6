"""Counts of a SPECT into Bq/mL by another object's mapping, or by what the site has measured of the camera."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from acquisition.studies import Knowledge, SpectCalibration, read_study
from acquisition.studies.calibrations import spell_nuclide
from tests.acquisition.studies.enhanced import mapping
from tests.acquisition.studies.written import make_object, save, write_nm

CALIBRATION = SpectCalibration(
    camera="Discovery NM/CT 670", collimator="LEHR", nuclide="Tc-99m", window_kev=(126.0, 154.0), cps_per_mbq=80.0
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


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (put("ManufacturerModelName", "Symbia T"), "no calibration for Symbia T, lehr, Tc-99m, 126.45-154.55 keV"),
        (put("CollimatorGridName", "MEGP", of="DetectorInformationSequence"), "no calibration for"),
        (other_nuclide, "I-123"),
        (two_windows, "126.45-154.55 keV, 126.45-154.55 keV"),
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


def write_mapping(folder: Path, image: str, unit: str) -> list[Path]:
    """Write a Real World Value Mapping object for an image."""
    dataset = make_object(uid.RealWorldValueMappingStorage, "RWV", "1.2.826.70", 0)
    reference, item = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = uid.NuclearMedicineImageStorage, image
    item.ReferencedImageSequence = Items([reference])
    item.RealWorldValueMappingSequence = Items([mapping(unit)])
    dataset.ReferencedImageRealWorldValueMappingSequence = Items([item])
    return [save(dataset, folder / "rwv.dcm")]


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

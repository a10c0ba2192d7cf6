"""Reconstructed NM objects into volumes, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import read_study
from tests.acquisition.studies.written import (
    hottest_mm,
    in_detector,
    in_mapping,
    map_to,
    nm,
    nm_detector,
    refused,
    several_times,
    two_detectors,
    write_nm,
)


@pytest.mark.parametrize(("spacing_mm", "height_mm"), [(4.4, 437.0), (-4.4, -443.0)])
def test_sign_of_spacing_decides_to_which_side_nm_slices_lie(
    tmp_path: Path, spacing_mm: float, height_mm: float
) -> None:
    """Frame 100 lies at z = 437.0 for +4.4 mm and at -443.0 for -4.4 mm (dcm2niix takes both for 437)."""
    study = read_study(write_nm(tmp_path, spacing_mm=spacing_mm))
    assert study.activity is not None
    assert hottest_mm(study.activity) == pytest.approx([-30 + 20 * 1.5, -20 + 10 * 2.0, height_mm], abs=1e-3)
    assert (study.activity.quantity, study.activity.unit) == ("counts", "1")
    assert "relative counts: no Real World Value Mapping Sequence (0040,9096)" in study.series[0].reason


def test_slice_vector_orders_frames(tmp_path: Path) -> None:
    """Frames that come in another order are put where Slice Vector says, not where they stand."""
    pixels = np.arange(5, dtype=np.uint16)[:, None, None] * np.ones((1, 4, 4), np.uint16)

    def edit(dataset: Dataset) -> None:
        dataset.SliceVector = [1, 4, 2, 5, 3]

    volume = read_study(write_nm(tmp_path, pixels=pixels, edit=edit)).activity
    assert volume is not None
    assert volume.values[:, 0, 0].tolist() == [0, 2, 4, 1, 3]


def several(keyword: str) -> Callable[[Dataset], None]:
    """Let the second half of the frames be of a second window, detector or gate."""

    def edit(dataset: Dataset) -> None:
        setattr(dataset, keyword, [1] * 64 + [2] * 64)
        dataset.SliceVector = [*range(1, 65), *range(1, 65)]
        dataset.FrameIncrementPointer = [Tag(keyword), Tag(0x0054, 0x0080)]
        windows = []
        for low, high in ((126, 154), (92, 120)):
            limits, window = Dataset(), Dataset()
            limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = low, high
            window.EnergyWindowRangeSequence = Items([limits])
            windows.append(window)
        dataset.EnergyWindowInformationSequence = Items(windows)

    return edit


def test_a_single_window_may_be_numbered(tmp_path: Path) -> None:
    """An object that also points to an energy window, the same for every frame, is one image."""

    def edit(dataset: Dataset) -> None:
        dataset.EnergyWindowVector = [1] * 128
        dataset.FrameIncrementPointer = [Tag("EnergyWindowVector"), Tag(0x0054, 0x0080)]

    assert read_study(write_nm(tmp_path, edit=edit)).activity is not None


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (nm_detector("ImageOrientationPatient"), "Image Orientation (Patient) (0020,0037) is missing"),
        (nm_detector("ImagePositionPatient"), "Image Position (Patient) (0020,0032) is missing"),
        (nm("DetectorInformationSequence", Items([])), "Detector Information Sequence (0054,0022) is missing"),
        (two_detectors, "Detector Information Sequence (0054,0022)"),
        (nm("SpacingBetweenSlices", None), "Spacing Between Slices (0018,0088) is missing"),
        (nm("SpacingBetweenSlices", 0), "Spacing Between Slices (0018,0088) is 0"),
        (
            nm("SpacingBetweenSlices", "1e-12"),
            "Spacing Between Slices (0018,0088) in nm.dcm makes voxels of 1e-12 mm",
        ),
        (
            nm("SpacingBetweenSlices", "1e9"),
            "Spacing Between Slices (0018,0088) in nm.dcm makes voxels of 1e+09 mm",
        ),
        (nm("PixelSpacing", [2.0, "1e-9"]), "Pixel Spacing (0028,0030) in nm.dcm makes voxels of 1e-09 mm"),
        (nm("PixelSpacing", [1000.0, 2.0]), "Pixel Spacing (0028,0030) in nm.dcm makes voxels of 1000 mm"),
        (nm("PixelSpacing", [-2.0, 2.0]), "Pixel Spacing (0028,0030) in nm.dcm is not above zero"),
        (
            in_detector("ImagePositionPatient", ["1e30", 0, 0]),
            "Image Position (Patient) (0020,0032) in nm.dcm is 1e+30",
        ),
        (nm("RescaleSlope", -2), "Rescale Slope (0028,1053) is -2 in nm.dcm"),
        (
            several_times(nm("Rows", 65_535), nm("Columns", 65_535)),
            "voxels, more than the 536870912 that are read",
        ),
        (nm("SliceVector", None), "Slice Vector (0054,0080) is missing"),
        (nm("SliceVector", [1] * 128), "Slice Vector (0054,0080)"),
        (nm("SliceVector", list(range(128, 0, -1))), "Slice Vector (0054,0080) in nm.dcm begins with 128"),
        (nm("FrameIncrementPointer", Tag(0x0054, 0x0010)), "Frame Increment Pointer (0028,0009)"),
        (several("EnergyWindowVector"), "tells frames of 2 energy windows apart (126-154 keV, 92-120 keV)"),
        (several("DetectorVector"), "Detector Vector (0054,0020) in nm.dcm tells frames of 2 detectors apart"),
        (several("TimeSlotVector"), "Time Slot Vector (0054,0070) in nm.dcm tells frames of 2 time slots apart"),
        (several("RotationVector"), "Rotation Vector (0054,0050) in nm.dcm tells frames of 2 rotations apart"),
        (several("RRIntervalVector"), "R-R Interval Vector (0054,0060) in nm.dcm tells frames of 2 R-R intervals"),
        (several("PhaseVector"), "Phase Vector (0054,0030) in nm.dcm tells frames of 2 phases apart"),
        (
            several("TimeSliceVector"),
            "Time Slice Vector (0054,0100) in nm.dcm tells frames of 2 time slices apart",
        ),
        (
            several("AngularViewVector"),
            "Angular View Vector (0054,0090) in nm.dcm tells frames of 2 angular views",
        ),
        (nm("FrameOfReferenceUID", None), "Frame of Reference UID (0020,0052) is missing"),
        (nm("NumberOfFrames", 64), "Slice Vector (0054,0080)"),
        (nm("ImageType", ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]), "not a volume: Image Type"),
        (nm("ImageType", ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]), "not a volume: Image Type"),
        (nm("ImageType", ["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]), "gated"),
        (nm("ImageType", ["ORIGINAL", "PRIMARY", "RECON TOMO", "TRANSMISSION"]), "not EMISSION"),
        (nm("PixelData", b"\0\0"), "Pixel Data (7fe0,0010)"),
        (nm("SOPClassUID", uid.SecondaryCaptureImageStorage), "not a volume: Secondary Capture"),
    ],
)
def test_what_makes_nm_refused(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """Missing or contradicting geometry is refused with its attribute; planar images are no volumes."""
    assert words in refused(write_nm(tmp_path, edit=edit))


def test_empty_spacing_between_slices_is_refused(tmp_path: Path) -> None:
    """Spacing Between Slices may be empty in a valid object; 1 mm is not assumed for it."""
    assert "Spacing Between Slices (0018,0088) is missing or empty" in refused(write_nm(tmp_path, spacing_mm=None))


@pytest.mark.parametrize(
    ("unit", "hottest"),
    [
        ("Bq/ml", 12_500.0),
        ("kBq/mL", 12_500_000.0),
        ("Bq/mm3", 12_500_000.0),
        ("MBq/L", 12_500_000.0),
        ("nCi/ml", 462_500.0),
    ],
)
def test_nm_mapped_to_activity(tmp_path: Path, unit: str, hottest: float) -> None:
    """A mapping into activity per volume makes the volume quantitative, in Bq/mL; its intercept counts too."""
    volume = read_study(write_nm(tmp_path, edit=map_to(unit, intercept=50.0))).activity
    assert volume is not None
    assert (volume.quantity, volume.unit) == ("activity concentration", "Bq/mL")
    one = hottest / 12_500
    assert [volume.values.min(), volume.values.max()] == pytest.approx([50 * one, hottest + 50 * one])


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (map_to("{counts}"), "is {counts}, not activity per volume"),
        (map_to("{SUVbw}g/ml"), "is {SUVbw}g/ml, not activity per volume"),
        (map_to("mBq/ml"), "is mBq/ml, not activity per volume"),
        (map_to("BQ/ML"), "is BQ/ML, not activity per volume"),
        (map_to("Bq"), "is Bq, not activity per volume"),
        (map_to("Bq/ml", scheme="99LOCAL"), "is Bq/ml of the coding scheme 99LOCAL, not activity per volume"),
        (in_mapping("RealWorldValueLUTData", [0.0, 1.0]), "is Bq/ml by a table, not activity per volume"),
        (map_to("Bq/ml", last=900), "does not cover every stored value"),
        (map_to("Bq/ml", first=1), "does not cover every stored value"),
        (
            several_times(map_to("Bq/ml"), map_to("kBq/ml")),
            "Real World Value Mapping Sequence (0040,9096) holds 2 mappings into activity per volume that are not",
        ),
    ],
)
def test_nm_not_mapped_to_activity(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """A mapping into anything else, or not over every stored value, leaves relative counts, and says so."""
    study = read_study(write_nm(tmp_path, edit=edit))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert study.activity.values.max() == 1000
    assert words in study.series[0].reason


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (map_to("Bq/ml", slope=-12.5), "Real World Value Slope (0040,9225) is -12.5 in nm.dcm"),
        (map_to("Bq/ml", slope=0.0), "Real World Value Slope (0040,9225) is 0 in nm.dcm"),
        (
            map_to("Bq/ml", slope=float("nan")),
            "Real World Value Slope (0040,9225) in nm.dcm holds a value that is not",
        ),
        (
            map_to("Bq/ml", slope=float("inf")),
            "Real World Value Slope (0040,9225) in nm.dcm holds a value that is not",
        ),
        (map_to("Bq/ml", slope=1e9), "Real World Value Slope (0040,9225) is 1e+09 and"),
        (map_to("Bq/ml", slope=1e-12), "Real World Value Slope (0040,9225) is 1e-12 and"),
        (map_to("GBq/ml"), "Real World Value Slope (0040,9225) is 12.5 and"),
        (in_mapping("RealWorldValueSlope", None), "Real World Value Slope (0040,9225) is missing"),
        (in_mapping("RealWorldValueIntercept", None), "Real World Value Intercept (0040,9224) is missing"),
        (in_mapping("RealWorldValueIntercept", float("nan")), "Real World Value Intercept (0040,9224) in nm.dcm"),
        (in_mapping("RealWorldValueIntercept", -1e13), "Real World Value Intercept (0040,9224) -1e+13 in nm.dcm"),
        (
            in_mapping("RealWorldValueLastValueMapped", None),
            "Real World Value Last Value Mapped (0040,9211) is missing",
        ),
        (
            map_to("Bq/ml", first=900, last=100),
            "Real World Value Last Value Mapped (0040,9211) is 100 in nm.dcm, below",
        ),
    ],
)
def test_a_mapping_that_lies_is_refused(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """Activity that falls with the stored value, is nothing, no number or more than can be: refused by its tag."""
    assert words in refused(write_nm(tmp_path, edit=edit))


def test_mappings_that_are_the_same_are_one(tmp_path: Path) -> None:
    """Written twice, and beside one of counts: there is one answer."""
    edit = several_times(map_to("{counts}"), map_to("Bq/ml"), map_to("Bq/mL"))
    volume = read_study(write_nm(tmp_path, edit=edit)).activity
    assert volume is not None
    assert volume.unit == "Bq/mL"


@pytest.mark.parametrize(
    ("injected", "taken_at"), [("20261122070000", datetime(2026, 11, 22, 6, 0, tzinfo=UTC)), (None, None)]
)
def test_values_of_the_injection_are_of_the_injection(
    tmp_path: Path, injected: str | None, taken_at: datetime | None
) -> None:
    """Corrected to the injection two and a half hours before the scan: not a quarter more activity now."""
    assert read_study(write_nm(tmp_path)).taken_at == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)

    def edit(dataset: Dataset) -> None:
        agent = Dataset()
        if injected:
            agent.RadiopharmaceuticalStartDateTime = injected
        dataset.RadiopharmaceuticalInformationSequence = Items([agent])
        dataset.DecayCorrection = "ADMIN"

    study = read_study(write_nm(tmp_path, edit=several_times(map_to("Bq/ml"), edit)))
    assert study.taken_at == taken_at


@pytest.mark.parametrize(
    ("meaning", "nuclide"),
    [(["^99m^Technetium"], "Tc-99m"), (["Tc-99m", "^111^Indium"], "In-111 + Tc-99m"), (["Gold"], None)],
)
def test_the_nuclide_that_it_names(tmp_path: Path, meaning: list[str], nuclide: str | None) -> None:
    """One, spelt as the table does; two are called both, for nobody can say whose activity it is."""

    def edit(dataset: Dataset) -> None:
        agents = []
        for each in meaning:
            code, agent = Dataset(), Dataset()
            code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "SCT", each
            agent.RadionuclideCodeSequence = Items([code])
            agents.append(agent)
        dataset.RadiopharmaceuticalInformationSequence = Items(agents)

    assert read_study(write_nm(tmp_path, edit=edit)).nuclide == nuclide

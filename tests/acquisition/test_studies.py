"""Studies written with pydicom alone, read into volumes, and everything that must be refused."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import SeriesReport, read_studies, read_study
from navigation.hotspots import find_hotspots
from navigation.volume import Volume

STUDY, FRAME = "1.2.826.1", "1.2.826.2"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE = (0.8, 0.0, -0.6, 0.0, 1.0, 0.0)
SCANNER_NATIVE = {
    "HFS": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "HFP": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "FFS": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "FFP": (1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
}
"""Orientation of an image whose rows run along the scanner, for each way a patient may lie in it."""

Edit = Callable[[int, Dataset], None]


def make_object(sop_class: uid.UID, modality: str, series: str, number: int) -> Dataset:
    """Make what every image of the study shares."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, f"{series}.{number + 1}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, series
    dataset.FrameOfReferenceUID, dataset.Modality = FRAME, modality
    dataset.PatientID, dataset.PatientName = "4711", "Doe^Jane"
    dataset.StudyDescription, dataset.SeriesDescription = "Sentinel node", f"{modality} series"
    dataset.StudyDate, dataset.StudyTime = "20261122", "080000"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20261122", "093000"
    dataset.TimezoneOffsetFromUTC = "+0100"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def set_pixels(dataset: Dataset, pixels: NDArray[np.generic]) -> None:
    """Put 16-bit values (rows, columns) or (frames, rows, columns) into an object."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()


def save(dataset: Dataset, path: Path) -> Path:
    """Write an object as a DICOM file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path


def slice_positions_mm(cosines: Sequence[float], count: int, step_mm: float) -> NDArray[np.float64]:
    """Positions of even slices along the normal of an orientation, from (-30, -20, 100)."""
    normal = np.cross(cosines[:3], cosines[3:])
    return np.array([-30.0, -20.0, 100.0]) + step_mm * np.arange(count)[:, None] * normal


def write_ct(
    folder: Path,
    *,
    series: str = "1.2.826.10",
    cosines: Sequence[float] = AXIAL,
    pixels: NDArray[np.int16] | None = None,
    edit: Edit | None = None,
) -> list[Path]:
    """Write a CT series of 3 mm slices, file names against the order of positions."""
    if pixels is None:
        pixels = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    paths = []
    for number, position_mm in enumerate(slice_positions_mm(cosines, len(pixels), 3.0)):
        dataset = make_object(uid.CTImageStorage, "CT", series, number)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ImageOrientationPatient = [f"{part:.6g}" for part in cosines]
        dataset.ImagePositionPatient = [f"{part:.6g}" for part in position_mm]
        dataset.PixelSpacing = [2.0, 1.5]
        dataset.SliceThickness, dataset.InstanceNumber = "9", (number * 3) % 5
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        set_pixels(dataset, pixels[number])
        if edit:
            edit(number, dataset)
        paths.append(save(dataset, folder / f"{series}.{(number * 2) % len(pixels)}.{number}.dcm"))
    return paths


def write_pet(
    folder: Path,
    *,
    cosines: Sequence[float] = AXIAL,
    pixels: NDArray[np.int16] | None = None,
    edit: Edit | None = None,
) -> list[Path]:
    """Write a PET series whose slope changes from slice to slice: 2, 3, 4 ..."""
    if pixels is None:
        pixels = np.full((5, 6, 7), 100, np.int16)

    def make_pet(number: int, dataset: Dataset) -> None:
        dataset.SOPClassUID, dataset.Modality = uid.PositronEmissionTomographyImageStorage, "PT"
        dataset.Units, dataset.CorrectedImage = "BQML", ["NORM", "ATTN", "DECY"]
        dataset.DecayCorrection, dataset.NumberOfSlices = "START", len(pixels)
        dataset.SeriesDate, dataset.SeriesTime = "20261122", "092000"
        dataset.RescaleSlope, dataset.RescaleIntercept = 2 + number, 0
        if edit:
            edit(number, dataset)

    return write_ct(folder, series="1.2.826.20", cosines=cosines, pixels=pixels, edit=make_pet)


def write_nm(
    folder: Path,
    *,
    spacing_mm: float | None = 4.4,
    cosines: Sequence[float] = AXIAL,
    pixels: NDArray[np.uint16] | None = None,
    edit: Callable[[Dataset], None] | None = None,
) -> list[Path]:
    """Write a reconstructed NM volume, its orientation where the standard puts it: in the detector item."""
    if pixels is None:
        pixels = np.zeros((128, 16, 24), np.uint16)
        pixels[100, 10, 20] = 1000
    dataset = make_object(uid.NuclearMedicineImageStorage, "NM", "1.2.826.30", 0)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    detector = Dataset()
    detector.ImageOrientationPatient, detector.ImagePositionPatient = list(cosines), [-30.0, -20.0, -3.0]
    dataset.DetectorInformationSequence = Items([detector])
    dataset.PixelSpacing, dataset.SpacingBetweenSlices = [2.0, 1.5], spacing_mm
    dataset.NumberOfFrames, dataset.FrameIncrementPointer = len(pixels), Tag(0x0054, 0x0080)
    dataset.SliceVector = list(range(1, len(pixels) + 1))
    set_pixels(dataset, pixels)
    if edit:
        edit(dataset)
    return [save(dataset, folder / "nm.dcm")]


def refused(paths: Sequence[Path]) -> str:
    """Read a study of one series that must be refused; give the reason."""
    study = read_study(paths)
    assert study.anatomy is None
    assert study.activity is None
    (report,) = study.series
    assert not report.accepted
    assert report.volume is None
    return report.reason


def hottest_mm(volume: Volume) -> NDArray[np.float64]:
    """Position of the largest value."""
    place = np.unravel_index(int(np.argmax(volume.values)), volume.geometry.shape)
    return volume.geometry.positions_mm(np.array(place))


@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_ct_voxels_lie_where_the_standard_says(
    tmp_path: Path,
    cosines: tuple[float, ...],
    is_reversed: bool,  # noqa: FBT001 - a parametrised fixture
) -> None:
    """Whatever the order of files, each voxel keeps its value at IPP + row x spacing + column x spacing."""
    paths = write_ct(tmp_path, cosines=cosines)
    volume = read_study(paths[::-1] if is_reversed else sorted(paths)).anatomy
    assert volume is not None
    assert (volume.quantity, volume.unit) == ("attenuation", "HU")
    assert volume.geometry.frame_of_reference_uid == FRAME
    positions_mm = slice_positions_mm(cosines, 5, 3.0)
    for number, row, column in ((1, 1, 1), (3, 4, 5), (2, 1, 5)):
        along_row, down_column = np.array(cosines[:3]), np.array(cosines[3:])
        place_mm = positions_mm[number] + 1.5 * column * along_row + 2.0 * row * down_column
        value = volume.sample(place_mm, outside=np.nan)
        assert value == pytest.approx(number * 42 + row * 7 + column - 1024)


def test_ct_spacing_comes_from_positions(tmp_path: Path) -> None:
    """The 3 mm between positions count, not the 9 mm of Slice Thickness."""
    volume = read_study(write_ct(tmp_path)).anatomy
    assert volume is not None
    assert volume.geometry.spacing_mm == pytest.approx((3.0, 2.0, 1.5))


def move(number: int, shift_mm: Sequence[float]) -> Edit:
    """Move one slice."""

    def edit(current: int, dataset: Dataset) -> None:
        if current == number:
            dataset.ImagePositionPatient = list(np.array(dataset.ImagePositionPatient, float) + shift_mm)

    return edit


def put(keyword: str, value: Any, *, only: int | None = None) -> Edit:
    """Set an attribute of every slice, or of one; None removes it."""

    def edit(current: int, dataset: Dataset) -> None:
        if only is None or only == current:
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return edit


def tilt(number: int, dataset: Dataset) -> None:
    """Shift slices sideways, as a tilted gantry does."""
    dataset.ImagePositionPatient = [-30.0, -20.0 + 0.5 * number, 100.0 + 3.0 * number]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (move(4, (0, 0, 6.0)), "Image Position (Patient) (0020,0032): a gap of 9.00 mm"),
        (move(3, (0, 0, -3.0)), "Image Position (Patient) (0020,0032): two slices lie at the same place"),
        (move(2, (0, 0, 0.8)), "Image Position (Patient) (0020,0032): the slices are unevenly spaced"),
        (tilt, "tilt of 9.5 deg"),
        (put("ImagePositionPatient", None, only=1), "Image Position (Patient) (0020,0032) is missing"),
        (put("ImagePositionPatient", [1.0, 2.0], only=1), "Image Position (Patient) (0020,0032)"),
        (put("ImageOrientationPatient", None), "Image Orientation (Patient) (0020,0037) is missing"),
        (put("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], only=2), "(0020,0037) differs"),
        (put("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "not two unit vectors"),
        (put("PixelSpacing", None), "Pixel Spacing (0028,0030) is missing"),
        (put("PixelSpacing", [0, 1]), "Pixel Spacing (0028,0030)"),
        (put("PixelSpacing", [2.0, 2.5], only=0), "Pixel Spacing (0028,0030) differs"),
        (put("Rows", 7, only=1), "Rows (0028,0010) differs"),
        (put("FrameOfReferenceUID", None), "Frame of Reference UID (0020,0052) is missing"),
        (put("FrameOfReferenceUID", "1.9", only=1), "Frame of Reference UID (0020,0052) differs"),
        (put("RescaleSlope", None), "Rescale Slope (0028,1053) is missing"),
        (put("RescaleType", "US"), "Rescale Type (0028,1054)"),
        (put("PixelData", b"\0\0", only=3), "Pixel Data (7fe0,0010)"),
        (put("PixelData", None, only=3), "Pixel Data (7fe0,0010) is missing"),
        (put("PhotometricInterpretation", "PALETTE COLOR"), "Photometric Interpretation (0028,0004)"),
        (put("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "not a volume: Image Type (0008,0008)"),
        (put("SOPClassUID", uid.SecondaryCaptureImageStorage, only=0), "SOP Class UID (0008,0016) differs"),
        (put("SOPClassUID", uid.EnhancedCTImageStorage), "enhanced multi-frame"),
        (put("SOPClassUID", uid.EncapsulatedPDFStorage), "not a volume: Encapsulated PDF Storage"),
        (put("SOPClassUID", uid.BasicTextSRStorage), "not a volume: Basic Text SR Storage"),
    ],
)
def test_what_makes_a_ct_series_refused(tmp_path: Path, edit: Edit, words: str) -> None:
    """Each flaw refuses the series with a sentence that names the attribute."""
    assert words in refused(write_ct(tmp_path, edit=edit))


def test_a_grid_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Announced rows and columns beyond what is read are refused, whatever the pixel bytes hold."""

    def grow(_: int, dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65_535

    assert "voxels" in refused(write_ct(tmp_path, edit=grow))


def test_two_slices_are_no_volume(tmp_path: Path) -> None:
    """With two slices a gap cannot be told from the slice distance."""
    assert "only 2 slice(s)" in refused(write_ct(tmp_path)[:2])


def test_the_same_object_twice_counts_once(tmp_path: Path) -> None:
    """A console that sends an object again changes nothing; another content under its UID is refused."""
    paths = write_ct(tmp_path)
    copy = tmp_path / "again.dcm"
    copy.write_bytes(paths[1].read_bytes())
    assert read_study([*paths, copy]).anatomy is not None
    copy.write_bytes(paths[1].read_bytes()[:-2] + b"\1\1")
    assert "SOP Instance UID (0008,0018)" in refused([*paths, copy])


def test_missing_decoder_is_named(tmp_path: Path) -> None:
    """Pixels in a syntax without an installed decoder are refused by its name."""
    paths = write_ct(tmp_path)
    plain, jpeg = uid.ExplicitVRLittleEndian.encode(), uid.JPEGLosslessSV1.encode()
    for path in paths:
        content = path.read_bytes()
        at = content.index(plain)
        length = (len(jpeg) + len(jpeg) % 2).to_bytes(2, "little")
        padded_plain = len(plain) + len(plain) % 2
        content = (
            content[: at - 2]
            + length
            + jpeg.ljust(len(jpeg) + len(jpeg) % 2, b"\0")
            + content[at + padded_plain :]
        )
        group = int.from_bytes(content[140:144], "little") + len(jpeg) + len(jpeg) % 2 - padded_plain
        path.write_bytes(content[:140] + group.to_bytes(4, "little") + content[144:])
    assert "JPEG Lossless" in refused(paths)


def test_pet_slopes_differ_from_slice_to_slice(tmp_path: Path) -> None:
    """Each slice is scaled by its own slope before stacking; BQML with its corrections is Bq/mL."""
    study = read_study(write_pet(tmp_path))
    volume = study.activity
    assert volume is not None
    assert (volume.quantity, volume.unit) == ("activity concentration", "Bq/mL")
    assert volume.values[:, 0, 0].tolist() == [200, 300, 400, 500, 600]
    assert study.taken_at == datetime(2026, 11, 22, 8, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("edit", "unit"),
    [
        (put("Units", "CNTS"), "CNTS"),
        (put("Units", "GML"), "GML"),
        (put("CorrectedImage", ["DECY"]), "BQML"),
        (put("CorrectedImage", None), "BQML"),
    ],
)
def test_pet_units_are_never_relabelled(tmp_path: Path, edit: Edit, unit: str) -> None:
    """Other units, and BQML that is not corrected for attenuation, keep their name and give no activity."""
    study = read_study(write_pet(tmp_path, edit=edit))
    assert study.activity is not None
    assert study.activity.unit == unit
    assert "relative values" in study.series[0].reason


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (put("NumberOfSlices", 60), "Number of Slices (0054,0081) announces 60 slices and 5 came"),
        (put("Units", None), "Units (0054,1001) is missing"),
        (put("Units", "CNTS", only=2), "Units (0054,1001) differs"),
    ],
)
def test_what_makes_a_pet_series_refused(tmp_path: Path, edit: Edit, words: str) -> None:
    """Missing slices at an end leave no gap and are still noticed; units must be there and agree."""
    assert words in refused(write_pet(tmp_path, edit=edit))


@pytest.mark.parametrize(
    ("decay", "series_time", "moment"),
    [
        ("START", "092000", datetime(2026, 11, 22, 8, 20, tzinfo=UTC)),
        ("START", "120000", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
        ("ADMIN", "092000", datetime(2026, 11, 22, 7, 15, tzinfo=UTC)),
    ],
)
def test_pet_decay_reference(tmp_path: Path, decay: str, series_time: str, moment: datetime) -> None:
    """START counts from the series unless its time is later than the acquisition, ADMIN from the injection."""

    def edit(_: int, dataset: Dataset) -> None:
        dataset.DecayCorrection, dataset.SeriesTime = decay, series_time
        drug = Dataset()
        drug.RadiopharmaceuticalStartDateTime = "20261122081500+0100"
        dataset.RadiopharmaceuticalInformationSequence = Items([drug])

    assert read_study(write_pet(tmp_path, edit=edit)).taken_at == moment


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


def nm(keyword: str, value: Any) -> Callable[[Dataset], None]:
    """Set an attribute of the NM object; None removes it."""
    return lambda dataset: put(keyword, value)(0, dataset)


def nm_detector(keyword: str) -> Callable[[Dataset], None]:
    """Remove an attribute of the detector item."""
    return lambda dataset: delattr(dataset.DetectorInformationSequence[0], keyword)


def two_detectors(dataset: Dataset) -> None:
    """Add a second detector that says something else."""
    other = Dataset()
    other.ImageOrientationPatient, other.ImagePositionPatient = list(AXIAL), [0.0, 0.0, 0.0]
    dataset.DetectorInformationSequence.append(other)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (nm_detector("ImageOrientationPatient"), "Image Orientation (Patient) (0020,0037) is missing"),
        (nm_detector("ImagePositionPatient"), "Image Position (Patient) (0020,0032) is missing"),
        (nm("DetectorInformationSequence", Items([])), "Detector Information Sequence (0054,0022) is missing"),
        (two_detectors, "Detector Information Sequence (0054,0022)"),
        (nm("SpacingBetweenSlices", None), "Spacing Between Slices (0018,0088) is missing"),
        (nm("SpacingBetweenSlices", 0), "Spacing Between Slices (0018,0088) is 0"),
        (nm("SliceVector", None), "Slice Vector (0054,0080) is missing"),
        (nm("SliceVector", [1] * 128), "Slice Vector (0054,0080)"),
        (nm("SliceVector", list(range(128, 0, -1))), "Slice Vector (0054,0080) in nm.dcm begins with 128"),
        (nm("FrameIncrementPointer", Tag(0x0054, 0x0010)), "Frame Increment Pointer (0028,0009)"),
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


def map_to(unit: str, *, last: int = 65535) -> Callable[[Dataset], None]:
    """Add a real-world value mapping with slope 12.5."""

    def edit(dataset: Dataset) -> None:
        code, mapping = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
        mapping.MeasurementUnitsCodeSequence = Items([code])
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 12.5, 0.0
        mapping.add_new(0x00409216, "US", 0)
        mapping.add_new(0x00409211, "US", last)
        dataset.RealWorldValueMappingSequence = Items([mapping])

    return edit


@pytest.mark.parametrize(("unit", "hottest"), [("Bq/ml", 12_500.0), ("kBq/mL", 12_500_000.0)])
def test_nm_mapped_to_activity(tmp_path: Path, unit: str, hottest: float) -> None:
    """A mapping into activity per volume makes the volume quantitative, in Bq/mL."""
    volume = read_study(write_nm(tmp_path, edit=map_to(unit))).activity
    assert volume is not None
    assert (volume.quantity, volume.unit) == ("activity concentration", "Bq/mL")
    assert volume.values.max() == pytest.approx(hottest)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (map_to("{counts}"), "is {counts}, not activity per volume"),
        (map_to("{SUVbw}g/ml"), "is {SUVbw}g/ml, not activity per volume"),
        (map_to("Bq/ml", last=900), "does not cover every stored value"),
    ],
)
def test_nm_not_mapped_to_activity(tmp_path: Path, edit: Callable[[Dataset], None], words: str) -> None:
    """A mapping into anything else, or not over every stored value, leaves relative counts, and says so."""
    study = read_study(write_nm(tmp_path, edit=edit))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert study.activity.values.max() == 1000
    assert words in study.series[0].reason


@pytest.mark.parametrize("lying", SCANNER_NATIVE)
@pytest.mark.parametrize("modality", ["CT", "PT", "NM"])
def test_left_stays_left(tmp_path: Path, lying: str, modality: str) -> None:
    """A hot voxel on the patient's left (+x), back (+y) is found there however the patient lies."""
    cosines = SCANNER_NATIVE[lying]
    origin_mm = np.array([-30.0, -20.0])
    pixels = np.zeros((5, 41, 41), np.int16)
    # axial images: column and row of the voxel at x = +9, y = +12, from the position of the first voxel
    column, row = (9.0 - origin_mm[0]) / 1.5, (12.0 - origin_mm[1]) / 2.0
    if cosines[0] < 0 or cosines[4] < 0:
        origin_mm = np.where([cosines[0] < 0, cosines[4] < 0], [39.0, 38.0], origin_mm)
        column = abs(9.0 - origin_mm[0]) / 1.5
        row = abs(12.0 - origin_mm[1]) / 2.0
    pixels[2, round(row), round(column)] = 500

    def place(_: int, dataset: Dataset) -> None:
        dataset.PatientPosition = lying
        dataset.ImagePositionPatient = [*origin_mm, dataset.ImagePositionPatient[2]]

    def place_nm(dataset: Dataset) -> None:
        dataset.DetectorInformationSequence[0].ImagePositionPatient = [*origin_mm, -3.0]

    if modality == "NM":
        paths = write_nm(tmp_path, cosines=cosines, pixels=pixels.astype(np.uint16), edit=place_nm)
    else:
        paths = (write_ct if modality == "CT" else write_pet)(tmp_path, cosines=cosines, pixels=pixels, edit=place)
    study = read_study(paths)
    volume = study.anatomy if modality == "CT" else study.activity
    assert volume is not None
    assert hottest_mm(volume)[:2] == pytest.approx([9.0, 12.0], abs=1e-3)


def test_ct_and_spect_of_one_frame_are_joined(tmp_path: Path) -> None:
    """CT and SPECT that share a frame of reference become anatomy and activity, and the node is found in it."""
    grid = np.moveaxis(np.indices((40, 48, 56)), 0, -1) * (4.4, 2.0, 1.5)
    node = 3000 * np.exp(-((grid - (88.0, 50.0, 42.0)) ** 2).sum(axis=-1) / (2 * 3.82**2))
    nm_paths = write_nm(tmp_path, pixels=node.astype(np.uint16), edit=map_to("Bq/ml"))
    study = read_study([*nm_paths, *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.activity is not None
    assert (study.study_uid, study.patient_id, study.patient_name) == (STUDY, "4711", "Doe^Jane")
    assert study.description == "Sentinel node"
    assert all(report.accepted for report in study.series)
    (spot,) = find_hotspots(study.activity)
    assert spot.centre_mm == pytest.approx([-30 + 42.0, -20 + 50.0, -3 + 88.0], abs=0.3)


def test_another_frame_of_reference_is_not_fused(tmp_path: Path) -> None:
    """A SPECT in another frame of reference than the CT is not used, in words, and its map is not shown."""
    study = read_study([*write_nm(tmp_path, edit=nm("FrameOfReferenceUID", "1.9")), *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.activity is None
    spect, ct = study.series
    assert ct.accepted
    assert not spect.accepted
    assert "Frame of Reference UID (0020,0052) is not that of the anatomy" in spect.reason


def test_the_ct_that_shares_the_frame_is_taken(tmp_path: Path) -> None:
    """Of two CT series the one in the frame of the SPECT is used, though the other has more voxels."""
    larger = np.zeros((9, 6, 7), np.int16)
    other = write_ct(tmp_path, series="1.2.826.11", pixels=larger, edit=put("FrameOfReferenceUID", "1.9"))
    study = read_study([*other, *write_ct(tmp_path), *write_nm(tmp_path)])
    assert study.anatomy is not None
    assert study.anatomy.geometry.shape == (5, 6, 7)
    assert [report.accepted for report in study.series] == [False, True, True]


def test_where_the_preferred_series_fails_the_next_is_taken(tmp_path: Path) -> None:
    """Broken pixels of the best CT are a refusal of that series; the next one is used."""
    larger = np.zeros((9, 6, 7), np.int16)
    broken = write_ct(tmp_path, series="1.2.826.11", pixels=larger, edit=put("PixelData", b"\0\0", only=8))
    study = read_study([*broken, *write_ct(tmp_path)])
    assert study.anatomy is not None
    assert study.anatomy.geometry.shape == (5, 6, 7)
    assert "Pixel Data (7fe0,0010)" in study.series[0].reason


def test_quantitative_pet_is_preferred(tmp_path: Path) -> None:
    """With a PET in Bq/mL and a SPECT in counts the PET is used, and the SPECT's report says so."""
    study = read_study([*write_nm(tmp_path), *write_pet(tmp_path)])
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"
    assert study.series[0].reason == "not used: another series is preferred as activity"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientID", "4712"), ("PatientName", "Roe^Richard"), ("StudyInstanceUID", "1.9")],
)
def test_mixed_patients_are_refused(tmp_path: Path, keyword: str, value: str) -> None:
    """Objects of two patients or two studies give no volume and no patient's name."""
    paths = [*write_nm(tmp_path), *write_ct(tmp_path, edit=put(keyword, value))]
    study = read_study(paths)
    assert study.anatomy is None
    assert study.activity is None
    assert study.patient_id == ""
    assert all("differs: objects of several" in report.reason for report in study.series)


def test_one_name_spelt_twice_is_one_patient(tmp_path: Path) -> None:
    """Consoles differ in case and trailing carets; that is no second patient."""
    study = read_study([*write_nm(tmp_path), *write_ct(tmp_path, edit=put("PatientName", "DOE^JANE^^"))])
    assert study.anatomy is not None


def test_files_that_are_no_dicom_objects_are_reported(tmp_path: Path) -> None:
    """Text, an empty file and a cut-off object become one report beside the series; nothing raises."""
    text, empty, cut = tmp_path / "notes.txt", tmp_path / "empty", tmp_path / "cut.dcm"
    text.write_text("no images here")
    empty.touch()
    paths = write_ct(tmp_path)
    cut.write_bytes(paths[0].read_bytes()[:300])
    study = read_study([text, *paths, empty, cut, tmp_path / "missing"])
    assert study.anatomy is not None
    assert study.series[-1].objects == 4
    assert "notes.txt is no readable DICOM object" in study.series[-1].reason
    assert read_study([]).series == ()


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_raise(tmp_path: Path, seed: int) -> None:
    """Objects with random bytes changed are read or refused, never an exception."""
    rng = np.random.default_rng(seed)
    paths = [*write_ct(tmp_path), *write_nm(tmp_path)]
    for path in paths:
        content = bytearray(path.read_bytes())
        for place in rng.integers(132, min(len(content), 1500), 3):
            content[place] = rng.integers(256)
        path.write_bytes(content)
    for study in (read_study(paths), *read_studies(paths)):
        for report in study.series:
            assert isinstance(report, SeriesReport)
            assert report.accepted == (report.volume is not None)
            assert report.reason


def test_command_prints_what_it_made(tmp_path: Path) -> None:
    """``python -m acquisition.studies FOLDER --json`` gives each study and series as JSON."""
    write_ct(tmp_path)
    write_nm(tmp_path)
    (tmp_path / "notes.txt").write_text("no images here")
    command = [sys.executable, "-m", "acquisition.studies", str(tmp_path)]
    printed = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)  # noqa: S603
    study, stray = json.loads(printed.stdout)
    assert study["study_uid"] == STUDY
    assert {one["modality"]: one["volume"]["shape"] for one in study["series"]} == {
        "CT": [5, 6, 7],
        "NM": [128, 16, 24],
    }
    assert not stray["series"][0]["accepted"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert "used as anatomy: attenuation in HU" in lines


def test_real_samples(samples: Path) -> None:
    """Real objects: none forms a volume here, each for its own reason."""
    reasons = {
        report.modality: report.reason
        for study in read_studies(sorted((samples / "dicom").glob("*.dcm")))
        for report in study.series
    }
    assert reasons["NM"] == "not a volume: Secondary Capture Image Storage"
    assert "Enhanced CT Image Storage: enhanced multi-frame" in reasons["CT"]
    assert "Parametric Map Storage: enhanced multi-frame" in reasons["OT"]
    assert reasons["RWV"] == "not a volume: Real World Value Mapping Storage"
    assert "Number of Slices (0054,0081) announces" in reasons["PT"]


def test_real_slices_of_two_patients(samples: Path) -> None:
    """Two real PET slices that came as one study are of two patients and are both refused."""
    study = read_study(sorted((samples / "dicom").glob("PT_*.dcm")))
    assert study.activity is None
    assert [report.accepted for report in study.series] == [False, False]
    assert "objects of several" in study.series[0].reason

"""DICOM objects written with pydicom alone, small enough to think about."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import read_study
from navigation.volume import Volume

STUDY, FRAME = "1.2.826.1", "1.2.826.2"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
OBLIQUE = (0.8, 0.0, -0.6, 0.0, 1.0, 0.0)
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


def nm(keyword: str, value: Any) -> Callable[[Dataset], None]:
    """Set an attribute of the NM object; None removes it."""
    return lambda dataset: put(keyword, value)(0, dataset)


def nm_detector(keyword: str) -> Callable[[Dataset], None]:
    """Remove an attribute of the detector item."""
    return lambda dataset: delattr(dataset.DetectorInformationSequence[0], keyword)


def in_detector(keyword: str, value: Any) -> Callable[[Dataset], None]:
    """Set an attribute of the detector item."""
    return lambda dataset: setattr(dataset.DetectorInformationSequence[0], keyword, value)


def two_detectors(dataset: Dataset) -> None:
    """Add a second detector that says something else."""
    other = Dataset()
    other.ImageOrientationPatient, other.ImagePositionPatient = list(AXIAL), [0.0, 0.0, 0.0]
    dataset.DetectorInformationSequence.append(other)


def map_to(
    unit: str,
    *,
    slope: float = 12.5,
    intercept: float = 0.0,
    first: int = 0,
    last: int = 65535,
    scheme: str = "UCUM",
) -> Callable[[Dataset], None]:
    """Add a real-world value mapping to those that are there."""

    def edit(dataset: Dataset) -> None:
        code, mapping = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, scheme, unit
        mapping.MeasurementUnitsCodeSequence = Items([code])
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, intercept
        mapping.add_new(0x00409216, "US", first)
        mapping.add_new(0x00409211, "US", last)
        dataset.RealWorldValueMappingSequence = Items([*dataset.get("RealWorldValueMappingSequence", ()), mapping])

    return edit


def several_times(*edits: Callable[[Dataset], None]) -> Callable[[Dataset], None]:
    """Make several changes, one after the other."""

    def edit(dataset: Dataset) -> None:
        for each in edits:
            each(dataset)

    return edit


def in_mapping(keyword: str, value: Any) -> Callable[[Dataset], None]:
    """Add a mapping into Bq/mL and change one thing in it; None removes it."""

    def edit(dataset: Dataset) -> None:
        map_to("Bq/ml")(dataset)
        put(keyword, value)(0, dataset.RealWorldValueMappingSequence[0])

    return edit

"""Enhanced, legacy-converted and parametric-map objects into volumes, beside highdicom, and what is refused."""

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.tag import Tag

from acquisition.studies import read_studies, read_study
from acquisition.studies.objects import read_object
from acquisition.studies.plans import Beside
from acquisition.studies.series import group_series, plan_volume
from navigation.volume import Volume
from tests.acquisition.studies.enhanced import PER_FRAME, SHARED, group, mapping, write_enhanced
from tests.acquisition.studies.written import AXIAL, OBLIQUE, refused, write_ct, write_pet

PIXELS = np.random.default_rng(4).integers(0, 4000, (5, 12, 14)).astype(np.uint16)
PET, MR = uid.EnhancedPETImageStorage, uid.EnhancedMRImageStorage


def read_whatever(paths: Sequence[Path]) -> tuple[Volume, str]:
    """Read a series that navigation may have no use for."""
    (series,) = group_series([read_object(path) for path in paths])
    return plan_volume(series, Beside()).read()


def assert_as_highdicom(volume: Volume, path: Path, *, values: bool = True) -> None:
    """Every voxel of ours lies where highdicom's `get_volume` has it, with the same value."""
    theirs = highdicom.imread(str(path)).get_volume(apply_real_world_transform=False)
    indices = np.moveaxis(np.indices(volume.geometry.shape), 0, -1).reshape(-1, 3)
    found = theirs.map_reference_to_indices(volume.geometry.positions_mm(indices))
    whole = np.rint(found).astype(int)
    assert np.abs(found - whole).max() < 1e-3
    assert volume.values.size == theirs.array.size
    if values:
        assert np.allclose(theirs.array[tuple(whole.T)], volume.values.reshape(-1), atol=1e-3)


@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE, (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)])
def test_enhanced_ct_beside_highdicom(tmp_path: Path, cosines: tuple[float, ...]) -> None:
    """Frames are stacked by where they lie; every voxel agrees with highdicom."""
    (path,) = write_enhanced(tmp_path, pixels=PIXELS, cosines=cosines)
    study = read_study([path])
    assert study.anatomy is not None
    assert (study.anatomy.quantity, study.anatomy.unit) == ("attenuation", "HU")
    assert study.taken_at == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    assert_as_highdicom(study.anatomy, path)


def convert(paths: Sequence[Path], folder: Path, converter: Callable[..., Dataset]) -> Path:
    """Let highdicom make one legacy-converted object of a series; what it wants of slices is added."""
    slices = [dcmread(path) for path in paths]
    for one in slices:
        one.SliceThickness, one.PatientBirthDate = 3.0, ""
        one.AccessionNumber = one.StudyID = one.ReferringPhysicianName = ""
        one.PatientPosition, one.PositionReferenceIndicator, one.SeriesNumber = "HFS", "", 1
        if "PatientSex" not in one:
            one.PatientSex = ""
    converted = converter(
        slices,
        series_instance_uid="1.2.826.50",
        series_number=5,
        sop_instance_uid="1.2.826.50.1",
        instance_number=1,
    )
    converted.save_as(folder / "converted.dcm")
    return folder / "converted.dcm"


def test_enhanced_ct_and_the_slices_it_came_from_are_one(tmp_path: Path) -> None:
    """Highdicom's legacy-converted object of a CT series gives the very volume of the series."""

    def name_values(_: int, dataset: Dataset) -> None:
        dataset.RescaleType, dataset.KVP = "HU", 120

    paths = write_ct(tmp_path, cosines=OBLIQUE, edit=name_values)
    converted = convert(paths, tmp_path, highdicom.legacy.LegacyConvertedEnhancedCTImage)
    plain, packed = read_study(paths).anatomy, read_study([converted]).anatomy
    assert plain is not None
    assert packed is not None
    assert np.array_equal(plain.values, packed.values)
    assert plain.geometry.patient_from_voxel == pytest.approx(packed.geometry.patient_from_voxel, abs=1e-4)


def test_converted_pet_and_the_slices_it_came_from_are_one(tmp_path: Path) -> None:
    """The same of a PET whose slope differs from slice to slice: voxels, moment and uptake are the series'."""

    def inject(_: int, dataset: Dataset) -> None:
        drug = Dataset()
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = 374e6, 6586.2
        drug.RadiopharmaceuticalStartDateTime = "20261122081500+0100"
        dataset.RadiopharmaceuticalInformationSequence = Items([drug])
        dataset.PatientWeight, dataset.PatientSize, dataset.PatientSex = 67, 1.7, "F"

    paths = write_pet(tmp_path, cosines=OBLIQUE, pixels=PIXELS.astype(np.int16), edit=inject)
    converted = convert(paths, tmp_path, highdicom.legacy.LegacyConvertedEnhancedPETImage)
    plain, packed = read_study(paths), read_study([converted])
    assert plain.activity is not None
    assert packed.activity is not None
    assert packed.activity.unit == plain.activity.unit == "Bq/mL"
    assert np.array_equal(plain.activity.values, packed.activity.values)
    assert packed.activity.geometry.patient_from_voxel == pytest.approx(
        plain.activity.geometry.patient_from_voxel, abs=1e-4
    )
    assert (packed.taken_at, packed.half_life_s) == (plain.taken_at, plain.half_life_s)
    assert plain.taken_at is not None
    assert packed.series[0].uptake == plain.series[0].uptake
    assert packed.series[0].uptake is not None
    assert packed.series[0].uptake.factors is not None


def test_converted_mr_lies_where_its_slices_lay(tmp_path: Path) -> None:
    """An MR series becomes an object that is placed, and used for nothing."""

    def make_mr(_: int, dataset: Dataset) -> None:
        dataset.SOPClassUID, dataset.Modality = uid.MRImageStorage, "MR"
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
        dataset.MRAcquisitionType, dataset.EchoTime, dataset.EchoTrainLength = "2D", 10, 1
        del dataset.RescaleSlope, dataset.RescaleIntercept

    paths = write_ct(tmp_path, cosines=OBLIQUE, pixels=PIXELS.astype(np.int16), edit=make_mr)
    (tmp_path / "ct").mkdir()
    anatomy = read_study(write_ct(tmp_path / "ct", cosines=OBLIQUE, pixels=PIXELS.astype(np.int16))).anatomy
    converted = convert(paths, tmp_path, highdicom.legacy.LegacyConvertedEnhancedMRImage)
    volume, _ = read_whatever([converted])
    assert anatomy is not None
    assert (volume.quantity, volume.unit) == ("signal", "1")
    assert np.array_equal(volume.values, PIXELS)
    assert volume.geometry.patient_from_voxel == pytest.approx(anatomy.geometry.patient_from_voxel, abs=1e-4)
    assert_as_highdicom(volume, converted)
    assert "not used: placed in the patient" in read_study([converted]).series[0].reason


def is_corrected(dataset: Dataset) -> None:
    """Say that attenuation and decay are corrected, to the time of the injection, and map to Bq/mL."""
    dataset.AttenuationCorrected = dataset.DecayCorrected = "YES"
    dataset.DecayCorrectionDateTime = "20261122081500+0100"
    getattr(dataset, SHARED)[0].RealWorldValueMappingSequence = Items([mapping("Bq/ml")])


def test_enhanced_pet_is_activity(tmp_path: Path) -> None:
    """Values are mapped into Bq/mL; the moment they are true of is Decay Correction Date Time."""
    paths = write_enhanced(
        tmp_path, sop_class=PET, modality="PT", pixels=PIXELS, rescale=(1.0, 0.0, "US"), edit=is_corrected
    )
    study = read_study(paths)
    assert study.activity is not None
    assert study.activity.unit == "Bq/mL"
    assert np.array_equal(study.activity.values, PIXELS * np.float32(12.5))
    assert study.taken_at == datetime(2026, 11, 22, 7, 15, tzinfo=UTC)
    assert_as_highdicom(study.activity, paths[0], values=False)


def uncorrected(keyword: str) -> Callable[[Dataset], None]:
    """Leave one correction out."""

    def edit(dataset: Dataset) -> None:
        is_corrected(dataset)
        setattr(dataset, keyword, "NO")

    return edit


def per_frame_slope(dataset: Dataset) -> None:
    """Move the mapping into the frames, with a slope of its own in each."""
    is_corrected(dataset)
    del getattr(dataset, SHARED)[0].RealWorldValueMappingSequence
    for number, frame in enumerate(getattr(dataset, PER_FRAME)):
        frame.RealWorldValueMappingSequence = Items([mapping("Bq/ml", slope=1.0 + number)])


def test_each_frame_has_its_own_mapping(tmp_path: Path) -> None:
    """A slope that changes from frame to frame is applied frame by frame."""
    ones = np.ones((5, 6, 7), np.uint16)
    volume = read_study(
        write_enhanced(tmp_path, sop_class=PET, pixels=ones, rescale=None, edit=per_frame_slope)
    ).activity
    assert volume is not None
    # frames stand rolled by two: frame 0 is slice 3
    assert volume.values[:, 0, 0].tolist() == [3, 4, 5, 1, 2]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (uncorrected("AttenuationCorrected"), "Attenuation Corrected (0018,9759) is NO, not YES"),
        (uncorrected("DecayCorrected"), "Decay Corrected (0018,9758) is NO, not YES"),
        (None, "Attenuation Corrected (0018,9759) is missing, not YES"),
    ],
)
def test_enhanced_pet_that_is_not_corrected_is_relative(
    tmp_path: Path, edit: Callable[[Dataset], None] | None, words: str
) -> None:
    """Without both corrections the values are no activity, and the report says which is missing."""
    study = read_study(write_enhanced(tmp_path, sop_class=PET, rescale=None, edit=edit))
    assert study.activity is not None
    assert study.activity.unit == "1"
    assert words in study.series[0].reason


def test_enhanced_mr_is_placed_and_not_used(tmp_path: Path) -> None:
    """MR has its place in the patient, but is neither CT nor activity."""
    paths = write_enhanced(tmp_path, sop_class=MR, modality="MR", pixels=PIXELS, rescale=None)
    volume, _ = read_whatever(paths)
    assert (volume.quantity, volume.unit) == ("signal", "1")
    assert_as_highdicom(volume, paths[0])
    study = read_study(paths)
    assert study.anatomy is None
    assert study.activity is None
    assert "not used: placed in the patient" in study.series[0].reason


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_parametric_map_of_activity(tmp_path: Path, kind: type[np.floating]) -> None:
    """Float pixels in Bq/mL are activity; the element that holds them is not Pixel Data."""
    pixels = (PIXELS / 7).astype(kind)
    paths = write_enhanced(
        tmp_path,
        sop_class=uid.ParametricMapStorage,
        modality="NM",
        pixels=pixels,
        rescale=None,
        edit=is_corrected,
    )
    volume = read_study(paths).activity
    assert volume is not None
    assert volume.unit == "Bq/mL"
    assert volume.values == pytest.approx(pixels * 12.5, rel=1e-6)


def test_a_map_with_holes_is_refused(tmp_path: Path) -> None:
    """Voxels that are no number, as some write around an organ, would spread over all that is filtered."""
    values = np.full((5, 6, 7), 2.5, np.float32)
    values[2, 3, 3] = np.nan

    def edit(dataset: Dataset) -> None:
        getattr(dataset, SHARED)[0].RealWorldValueMappingSequence = Items([mapping("Bq/ml")])

    paths = write_enhanced(tmp_path, sop_class=uid.ParametricMapStorage, pixels=values, rescale=None, edit=edit)
    assert "holds values that cannot be, by a slope of" in refused(paths)


def test_parametric_map_of_anything_else(tmp_path: Path) -> None:
    """A map of another quantity is placed and stays relative."""
    paths = write_enhanced(tmp_path, sop_class=uid.ParametricMapStorage, pixels=PIXELS / 7, rescale=None)
    assert read_study(paths).activity is None
    assert read_whatever(paths)[0].unit == "1"


def two_times(dataset: Dataset) -> None:
    """Make it dynamic: two frames at each of three places."""
    dimension = Dataset()
    dimension.DimensionIndexPointer = Tag(0x00209128)  # Temporal Position Index
    dataset.DimensionIndexSequence.append(dimension)
    frames = getattr(dataset, PER_FRAME)
    for number, frame in enumerate(frames):
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 3.0 * (number % 3)]
        frame.FrameContentSequence[0].DimensionIndexValues = [number % 3 + 1, number // 3 + 1]


def set_shared(keyword: str, name: str, value: object) -> Callable[[Dataset], None]:
    """Set an attribute of a shared group."""
    return lambda dataset: setattr(getattr(getattr(dataset, SHARED)[0], keyword)[0], name, value)


def drop_frame(dataset: Dataset) -> None:
    """Leave out the groups of one frame."""
    getattr(dataset, PER_FRAME).pop()


def turn_frame(dataset: Dataset) -> None:
    """Turn one frame."""
    frame = getattr(dataset, PER_FRAME)[2]
    frame.update(group("PlaneOrientationSequence", ImageOrientationPatient=[0, 1, 0, 0, 0, 1]))


def no_groups(keyword: str) -> Callable[[Dataset], None]:
    """Remove a shared group."""
    return lambda dataset: delattr(getattr(dataset, SHARED)[0], keyword)


def move_frame(dataset: Dataset) -> None:
    """Take a frame out of the middle, so that a gap stays."""
    positions = {
        float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in getattr(dataset, PER_FRAME)
    }
    for frame in getattr(dataset, PER_FRAME):
        if float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) == max(positions):
            frame.PlanePositionSequence[0].ImagePositionPatient = [-30, -20, 130]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            two_times,
            "its frames differ in In-Stack Position Number (0020,9057), Temporal Position Index (0020,9128)",
        ),
        (drop_frame, "Per-Frame Functional Groups Sequence (5200,9230) in 1.2.826.40.dcm holds 4 items"),
        (turn_frame, "Image Orientation (Patient) (0020,0037) differs between the frames"),
        (turn_frame, "frame 3 is not as frame 1"),
        (move_frame, "a gap of"),
        (no_groups("PlaneOrientationSequence"), "Plane Orientation Sequence (0020,9116) is missing"),
        (no_groups("PixelMeasuresSequence"), "Pixel Measures Sequence (0028,9110) is missing"),
        (no_groups("PixelValueTransformationSequence"), "Rescale Type (0028,1054) in 1.2.826.40.dcm is missing"),
        (set_shared("PixelValueTransformationSequence", "RescaleType", "US"), "is US, not HU"),
        (set_shared("PixelValueTransformationSequence", "RescaleSlope", 0), "Rescale Slope (0028,1053) is 0"),
        (lambda dataset: delattr(dataset, "FrameOfReferenceUID"), "Frame of Reference UID (0020,0052) is missing"),
        (lambda dataset: setattr(dataset, "NumberOfFrames", 10_000), "Per-Frame Functional Groups Sequence"),
        (lambda dataset: setattr(dataset, "PixelData", b"\0\0"), "Pixel Data (7fe0,0010)"),
        (lambda dataset: setattr(dataset, "FloatPixelData", b"\0\0\0\0"), "holds both"),
    ],
)
def test_what_makes_a_multi_frame_object_refused(
    tmp_path: Path, edit: Callable[[Dataset], None], words: str
) -> None:
    """Each flaw refuses the series with a sentence that names the attribute."""
    pixels = np.zeros((6, 6, 7), np.uint16) if edit is two_times else None
    if edit is drop_frame or pixels is not None:
        assert words in refused(write_enhanced(tmp_path, pixels=pixels, edit=edit))
    else:
        assert words in refused(write_enhanced(tmp_path, edit=edit))


def test_two_objects_in_a_series_are_refused(tmp_path: Path) -> None:
    """Nothing says which of two multi-frame objects of one series to use."""
    (path,) = write_enhanced(tmp_path)
    other = copy.deepcopy(dcmread(path))
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = uid.UID("1.2.826.40.99")
    other.save_as(tmp_path / "other.dcm")
    assert "2 multi-frame objects in one series" in refused([path, tmp_path / "other.dcm"])

    def grow(dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 4096

    assert "voxels" in refused(write_enhanced(tmp_path, pixels=np.zeros((100, 2, 2), np.uint16), edit=grow))


def test_real_enhanced_objects(samples: Path) -> None:
    """A real enhanced CT holds perfusion and no Hounsfield units; a real parametric map has one frame."""
    reasons = {
        report.modality: report.reason
        for study in read_studies(sorted((samples / "dicom").glob("*.dcm")))
        for report in study.series
    }
    assert "Rescale Type (0028,1054) in EnhancedCT_pydicom-data.dcm is US, not HU" in reasons["CT"]
    assert "only 1 slice(s)" in reasons["OT"]

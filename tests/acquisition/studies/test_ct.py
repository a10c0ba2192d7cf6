"""CT series into attenuation, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import config, uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from acquisition.studies import read_study
from tests.acquisition.studies.written import (
    AXIAL,
    FRAME,
    OBLIQUE,
    Edit,
    move,
    put,
    refused,
    slice_positions_mm,
    tilt,
    write_ct,
)


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


def no_number(keyword: str, text: str = "NaN") -> Edit:
    """Write a decimal text that is no number, as one broken console does, in every slice but the first."""

    def edit(number: int, dataset: Dataset) -> None:
        if number:
            dataset[keyword] = DataElement(
                tag_for_keyword(keyword) or 0, "DS", text, validation_mode=config.IGNORE
            )

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (move(4, (0, 0, 6.0)), "Image Position (Patient) (0020,0032): a gap of 9.00 mm"),
        (move(4, (0, 0, 6.0)), "missing between 1.2.826.10.1.3.dcm and 1.2.826.10.3.4.dcm"),
        (move(3, (0, 0, -3.0)), "Image Position (Patient) (0020,0032): two slices lie at the same place"),
        (move(3, (0, 0, -3.0)), "normal: 1.2.826.10.4.2.dcm and 1.2.826.10.1.3.dcm"),
        (move(2, (0, 0, 0.8)), "Image Position (Patient) (0020,0032): the slices are unevenly spaced"),
        (move(2, (0, 0, 0.8)), "1.2.826.10.4.2.dcm lies 0.80 mm from its place"),
        (tilt, "tilt of 9.5 deg"),
        (
            put("ImagePositionPatient", None, only=1),
            "Image Position (Patient) (0020,0032) is missing or empty in 1.2.826.10.2.1.dcm",
        ),
        (put("ImagePositionPatient", [1.0, 2.0], only=1), "Image Position (Patient) (0020,0032)"),
        (put("ImageOrientationPatient", None), "Image Orientation (Patient) (0020,0037) is missing"),
        (put("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], only=2), "(0020,0037) differs"),
        (
            put("ImageOrientationPatient", [0, 1, 0, 1, 0, 0], only=2),
            "1.2.826.10.4.2.dcm is not as 1.2.826.10.0.0",
        ),
        (put("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "not two unit vectors"),
        (put("PixelSpacing", None), "Pixel Spacing (0028,0030) is missing"),
        (put("PixelSpacing", [0, 1]), "Pixel Spacing (0028,0030)"),
        (put("PixelSpacing", [2.0, 2.5], only=0), "Pixel Spacing (0028,0030) differs"),
        (put("Rows", 7, only=1), "Rows (0028,0010) differs"),
        (put("Rows", 7, only=1), "series: 1.2.826.10.2.1.dcm is not as 1.2.826.10.0.0.dcm"),
        (put("FrameOfReferenceUID", None), "Frame of Reference UID (0020,0052) is missing"),
        (put("FrameOfReferenceUID", "1.9", only=1), "Frame of Reference UID (0020,0052) differs"),
        (put("FrameOfReferenceUID", "1.9", only=1), "series: 1.2.826.10.2.1.dcm is not as 1.2.826.10.0.0.dcm"),
        (put("RescaleSlope", None), "Rescale Slope (0028,1053) is missing"),
        (put("RescaleIntercept", None), "Rescale Intercept (0028,1052) is missing"),
        (no_number("RescaleSlope"), "Rescale Slope (0028,1053)"),
        (no_number("RescaleIntercept"), "Rescale Intercept (0028,1052)"),
        (no_number("ImagePositionPatient", r"NaN\0\0"), "Image Position (Patient) (0020,0032)"),
        (put("RescaleSlope", 0), "Rescale Slope (0028,1053) is 0"),
        (put("RescaleSlope", -1), "Rescale Slope (0028,1053) is -1"),
        (
            put("RescaleSlope", 1e11, only=2),
            "Pixel Data (7fe0,0010) of 1.2.826.10.4.2.dcm holds values that cannot be, by a slope of 1e+11",
        ),
        (put("PixelSpacing", [-2.0, 1.5]), "Pixel Spacing (0028,0030) in 1.2.826.10.0.0.dcm is not above zero"),
        (put("BitsAllocated", 8), "Pixel Data (7fe0,0010) of 1.2.826.10.0.0.dcm holds 84 bytes"),
        (put("BitsAllocated", 12), "Bits Allocated (0028,0100) of 1.2.826.10.0.0.dcm is 12"),
        (put("BitsStored", 12), "High Bit (0028,0102) of 1.2.826.10.0.0.dcm is 15 and Bits Stored (0028,0101) 12"),
        (put("Rows", 0), "Rows (0028,0010)"),
        (put("Rows", 5), "holds 84 bytes; (1, 5, 7) values need 70"),
        (put("Rows", 60_000), "(1, 60000, 7) values need 840000"),
        (put("RescaleType", "US"), "Rescale Type (0028,1054)"),
        (put("PixelData", b"\0\0", only=3), "Pixel Data (7fe0,0010)"),
        (put("PixelData", None, only=3), "Pixel Data (7fe0,0010) is missing"),
        (put("PhotometricInterpretation", "PALETTE COLOR"), "Photometric Interpretation (0028,0004)"),
        (put("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "not a volume: Image Type (0008,0008)"),
        (put("SOPClassUID", uid.SecondaryCaptureImageStorage, only=0), "SOP Class UID (0008,0016) differs"),
        (put("SOPClassUID", uid.EnhancedCTImageStorage), "5 multi-frame objects in one series"),
        (put("SOPClassUID", uid.EncapsulatedPDFStorage), "not a volume: Encapsulated PDF Storage"),
        (put("SOPClassUID", uid.BasicTextSRStorage), "not a volume: Basic Text SR Storage"),
    ],
)
def test_what_makes_a_ct_series_refused(tmp_path: Path, edit: Edit, words: str) -> None:
    """Each flaw refuses the series with a sentence that names the attribute."""
    assert words in refused(write_ct(tmp_path, edit=edit))


@pytest.mark.parametrize(
    ("side", "words"),
    [
        (65_535, "1 frames of Rows (0028,0010) x Columns (0028,0011) make 4294836225 voxels, more than"),
        (10_400, "540800000 voxels are more than"),  # of five slices, none of which is too large
    ],
)
def test_a_grid_too_large_for_memory_is_refused_before_it_is_read(tmp_path: Path, side: int, words: str) -> None:
    """Announced rows and columns beyond what is read are refused, whatever the pixel bytes hold."""

    def grow(_: int, dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = side

    assert words in refused(write_ct(tmp_path, edit=grow))


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

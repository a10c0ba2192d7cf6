"""The same files read by SimpleITK and dcm2niix: where a peer is right, every voxel agrees; where not, why."""

from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from acquisition.studies import read_study
from tests.acquisition.studies.peers import largest_difference, read_dcm2niix, read_itk_series
from tests.acquisition.studies.written import (
    AXIAL,
    OBLIQUE,
    map_to,
    nm,
    nm_detector,
    refused,
    tilt,
    write_ct,
    write_nm,
    write_pet,
)

DECUBITUS = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)
FEET_FIRST = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
ORIENTATIONS = {
    "axial": AXIAL,
    "oblique": OBLIQUE,
    "decubitus": DECUBITUS,
    "feet first": FEET_FIRST,
    "coronal": CORONAL,
}
RNG = np.random.default_rng(11)
PIXELS = RNG.integers(0, 4000, (5, 12, 14)).astype(np.int16)

oriented = pytest.mark.parametrize("cosines", ORIENTATIONS.values(), ids=ORIENTATIONS.keys())


@oriented
def test_ct_beside_simpleitk(tmp_path: Path, cosines: tuple[float, ...]) -> None:
    """Every voxel of a CT has SimpleITK's value at SimpleITK's place."""
    paths = write_ct(tmp_path, cosines=cosines, pixels=PIXELS)
    volume = read_study(paths).anatomy
    assert volume is not None
    assert largest_difference(volume, read_itk_series(paths)) == 0


@oriented
def test_ct_beside_dcm2niix(tmp_path: Path, cosines: tuple[float, ...]) -> None:
    """Every voxel of a CT has dcm2niix's value at dcm2niix's place."""
    source = tmp_path / "source"
    source.mkdir()
    paths = write_ct(source, cosines=cosines, pixels=PIXELS)
    volume = read_study(paths).anatomy
    assert volume is not None
    assert largest_difference(volume, read_dcm2niix(paths, tmp_path / "out")) == 0


@oriented
def test_pet_beside_simpleitk(tmp_path: Path, cosines: tuple[float, ...]) -> None:
    """Every voxel of a PET whose slope changes from slice to slice has SimpleITK's value at its place."""
    paths = write_pet(tmp_path, cosines=cosines, pixels=PIXELS)
    volume = read_study(paths).activity
    assert volume is not None
    assert largest_difference(volume, read_itk_series(paths)) == 0


def test_pet_beside_dcm2niix(tmp_path: Path) -> None:
    """Every voxel of that PET has dcm2niix's value too."""
    source = tmp_path / "source"
    source.mkdir()
    paths = write_pet(source, pixels=PIXELS)
    volume = read_study(paths).activity
    assert volume is not None
    assert largest_difference(volume, read_dcm2niix(paths, tmp_path / "out")) == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("spacing_mm", [4.4, -4.4])
@oriented
def test_nm_beside_simpleitk(tmp_path: Path, spacing_mm: float, cosines: tuple[float, ...]) -> None:
    """Every voxel of an NM volume lies where SimpleITK has it, to whichever side slices are stacked."""
    paths = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16), spacing_mm=spacing_mm, cosines=cosines)
    volume = read_study(paths).activity
    assert volume is not None
    assert largest_difference(volume, SimpleITK.ReadImage(str(paths[0]))) == 0


def test_nm_beside_dcm2niix(tmp_path: Path) -> None:
    """Slices stacked along the normal lie where dcm2niix has them."""
    source = tmp_path / "source"
    source.mkdir()
    paths = write_nm(source, pixels=PIXELS.astype(np.uint16), cosines=OBLIQUE)
    volume = read_study(paths).activity
    assert volume is not None
    assert largest_difference(volume, read_dcm2niix(paths, tmp_path / "out")) == 0


def test_nm_stacked_backwards_is_misread_by_dcm2niix(tmp_path: Path) -> None:
    """dcm2niix is no peer for a negative Spacing Between Slices (PS3.3 C.8.4.15): it takes 1 mm, forwards.

    The standard: positive is behind the first frame, negative in front of it. SimpleITK and we follow it.
    """
    source = tmp_path / "source"
    source.mkdir()
    paths = write_nm(source, pixels=PIXELS.astype(np.uint16), spacing_mm=-4.4)
    image = read_dcm2niix(paths, tmp_path / "out")
    assert image.GetSpacing()[2] == pytest.approx(1.0)
    volume = read_study(paths).activity
    assert volume is not None
    with pytest.raises(AssertionError, match="the peer's"):
        largest_difference(volume, image)


@pytest.mark.parametrize(
    ("edit", "spacing_mm"),
    [(nm_detector("ImageOrientationPatient"), 4.4), (nm("SpacingBetweenSlices", None), 1.0)],
)
def test_nm_without_geometry_is_invented_by_peers(
    tmp_path: Path, edit: Callable[[Dataset], None], spacing_mm: float
) -> None:
    """Where the orientation or the distance is missing both peers make up axial slices, 1 mm apart; we refuse.

    Both attributes may be empty in a valid object (PS3.3 C.8.4.11, C.8.4.15), and nothing else says them.
    """
    source = tmp_path / "source"
    source.mkdir()
    paths = write_nm(source, pixels=PIXELS.astype(np.uint16), cosines=OBLIQUE, edit=edit)
    for image in (SimpleITK.ReadImage(str(paths[0])), read_dcm2niix(paths, tmp_path / "out")):
        assert image.GetSpacing()[2] == pytest.approx(spacing_mm)
    assert SimpleITK.ReadImage(str(paths[0])).GetDirection()[0] == (1.0 if spacing_mm == 4.4 else OBLIQUE[0])
    assert "is missing or empty in nm.dcm" in refused(paths)


def test_nm_frames_out_of_order_are_misread_by_simpleitk(tmp_path: Path) -> None:
    """SimpleITK takes frames as they stand; by Slice Vector (PS3.3 C.8.4.8.1.2) they may lie in another order."""
    order = [1, 4, 2, 5, 3]
    paths = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16), edit=nm("SliceVector", order))
    volume = read_study(paths).activity
    assert volume is not None
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(paths[0])))
    assert np.array_equal(theirs, PIXELS)
    assert np.array_equal(volume.values[np.array(order) - 1], PIXELS)


def test_mapped_nm_is_counts_to_simpleitk(tmp_path: Path) -> None:
    """GDCM, and so SimpleITK, knows no Real World Value Mapping (PS3.3 C.7.6.16.2.11): values stay stored ones."""
    paths = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16), edit=map_to("Bq/ml", slope=12.5))
    volume = read_study(paths).activity
    assert volume is not None
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(paths[0])))
    assert np.array_equal(theirs, PIXELS)
    assert np.array_equal(volume.values, PIXELS * np.float32(12.5))


def test_nm_has_no_place_to_highdicom(tmp_path: Path) -> None:
    """Highdicom looks for it at the top and in functional groups, not in Detector Information Sequence."""
    paths = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16))
    with pytest.raises(RuntimeError, match="frame-of-reference"):
        highdicom.imread(str(paths[0])).get_volume()
    assert read_study(paths).activity is not None


def test_a_missing_slice_is_stretched_over_by_simpleitk(tmp_path: Path) -> None:
    """SimpleITK spreads the slices that came over the gap, at most with a warning; we refuse."""
    paths = write_ct(tmp_path, pixels=PIXELS)
    paths.pop(2).unlink()
    assert read_itk_series(paths).GetSpacing()[2] == pytest.approx(4.0)
    assert "a gap of 6.00 mm" in refused(paths)


def test_a_tilted_ct_is_straightened_by_simpleitk(tmp_path: Path) -> None:
    """SimpleITK stacks along the normal whatever positions say: a tilted gantry's shear is lost; we refuse."""
    paths = write_ct(tmp_path, pixels=PIXELS, edit=tilt)
    assert read_itk_series(paths).GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert "a tilt of" in refused(paths)


def test_slices_in_any_order_are_the_same_to_simpleitk(tmp_path: Path) -> None:
    """Given from the far end SimpleITK turns the axis of slices about, and every voxel stays in its place."""
    paths = write_ct(tmp_path, cosines=OBLIQUE, pixels=PIXELS)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))[::-1])
    volume = read_study(paths[::-1]).anatomy
    assert volume is not None
    assert largest_difference(volume, reader.Execute()) == 0

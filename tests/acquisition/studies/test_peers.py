"""The same files read by SimpleITK and dcm2niix: where a peer is right, every voxel agrees; where not, why."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from acquisition.studies import read_study
from tests.acquisition.studies.peers import largest_difference, read_dcm2niix, read_itk_series
from tests.acquisition.studies.written import AXIAL, OBLIQUE, write_ct, write_nm, write_pet

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


def test_nm_without_geometry_is_invented_by_simpleitk(tmp_path: Path) -> None:
    """Where Spacing Between Slices is empty SimpleITK makes up a distance; we refuse."""
    paths = write_nm(tmp_path, pixels=PIXELS.astype(np.uint16), spacing_mm=None)
    assert SimpleITK.ReadImage(str(paths[0])).GetSpacing()[2] > 0
    assert read_study(paths).activity is None

"""Independent readers of the same files, and their images voxel by voxel beside ours."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from navigation.volume import Volume

DCM2NIIX = Path(sys.executable).with_name("dcm2niix")


def read_itk_series(paths: Sequence[Path]) -> SimpleITK.Image:
    """Read slices with SimpleITK's series reader, in the order that GDCM finds."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(paths[0].parent)))
    image: SimpleITK.Image = reader.Execute()
    return image


def read_dcm2niix(paths: Sequence[Path], folder: Path) -> SimpleITK.Image:
    """Convert with dcm2niix; SimpleITK reads the NIfTI file, whose axes it turns from RAS to LPS."""
    folder.mkdir()
    command = [str(DCM2NIIX), "-z", "n", "-b", "n", "-o", str(folder), str(paths[0].parent)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own files
    (made,) = folder.glob("*.nii")  # one: it takes them for one volume
    return SimpleITK.ReadImage(str(made))


def values_at(image: SimpleITK.Image, positions_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a peer's image at places in the patient, LPS mm; its voxel centres lie there too."""
    step = np.array(image.GetDirection(), float).reshape(3, 3) * np.array(image.GetSpacing(), float)
    index = np.linalg.solve(step, (positions_mm - np.array(image.GetOrigin(), float)).T).T
    whole = np.rint(index).astype(int)
    assert np.abs(index - whole).max() < 0.01, "the peer's grid lies elsewhere"
    assert whole.min() >= 0
    assert (whole < image.GetSize()).all(), "the peer's image does not reach as far"
    return np.asarray(SimpleITK.GetArrayViewFromImage(image)[tuple(whole[:, ::-1].T)], dtype=np.float64)


def largest_difference(volume: Volume, image: SimpleITK.Image) -> float:
    """Largest difference between our values and a peer's at the same places; both have as many voxels."""
    assert volume.values.size == np.prod(image.GetSize())
    indices = np.moveaxis(np.indices(volume.geometry.shape), 0, -1).reshape(-1, 3)
    theirs = values_at(image, volume.geometry.positions_mm(indices))
    return float(np.abs(volume.values.reshape(-1) - theirs).max())

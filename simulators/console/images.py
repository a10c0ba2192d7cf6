"""What a SPECT/CT camera makes of a scene: arrays only, no DICOM.

Index order (k, j, i), axes along +z, +y, +x of the patient (LPS, mm), as for a patient scanned head first supine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from simulators.scene import Scene, Source

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))

CAMERA_FWHM_MM = 9.0
"""Reconstructed resolution of SPECT with a low-energy high-resolution collimator, near the centre."""

COUNTS_PER_BQ_PER_ML = 0.02
"""Counts in a 4 mm voxel for each Bq/ml: about 10 MBq in 20 minutes with two heads."""

CT_NOISE_HU = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Voxel centres of an axis-aligned grid.

    Attributes
    ----------
    shape
        Slices, rows, columns.
    spacing_mm
        Between slices, rows, columns.

    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @property
    def origin_mm(self) -> NDArray[np.float64]:
        """Centre of voxel (0, 0, 0) as (x, y, z): the grid is centred on the patient's origin."""
        half_mm = (np.array(self.shape) - 1) * np.array(self.spacing_mm) / 2
        return np.asarray(-half_mm[::-1])

    @property
    def axes_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates z, y, x along the three axes."""
        x_mm, y_mm, z_mm = self.origin_mm
        k, j, i = (np.arange(n) * step_mm for n, step_mm in zip(self.shape, self.spacing_mm, strict=True))
        return z_mm + k, y_mm + j, x_mm + i

    @property
    def centres_mm(self) -> NDArray[np.float64]:
        """All voxel centres (k, j, i, 3) as (x, y, z)."""
        z_mm, y_mm, x_mm = np.meshgrid(*self.axes_mm, indexing="ij")
        return np.stack([x_mm, y_mm, z_mm], axis=-1)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm)) / 1000.0


CT_GRID = Grid(shape=(96, 128, 128), spacing_mm=(2.5, 2.75, 2.75))
SPECT_GRID = Grid(shape=(64, 96, 96), spacing_mm=(4.0, 4.0, 4.0))


def ct_hounsfield(scene: Scene, grid: Grid, rng: np.random.Generator) -> NDArray[np.int16]:
    """CT numbers with noise, HU."""
    clean = scene.body.hounsfield(grid.centres_mm)
    noisy = clean + rng.normal(0.0, CT_NOISE_HU, grid.shape)
    return np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)


def spect_counts(scene: Scene, grid: Grid, rng: np.random.Generator) -> NDArray[np.int64]:
    """Poisson counts a voxel; divide by ``COUNTS_PER_BQ_PER_ML`` for Bq/ml."""
    inside = scene.body.contains(grid.centres_mm)
    background = np.where(inside, scene.background_bq_per_ml, 0.0)
    sigma_voxels = [CAMERA_FWHM_MM / FWHM_PER_SIGMA / step_mm for step_mm in grid.spacing_mm]
    concentration = np.asarray(gaussian_filter(background, sigma_voxels, mode="constant"))
    for source in scene.scan_sources:
        concentration += _blob_bq_per_ml(source, grid)
    return np.asarray(rng.poisson(concentration * COUNTS_PER_BQ_PER_ML), dtype=np.int64)


def _blob_bq_per_ml(source: Source, grid: Grid) -> NDArray[np.float64]:
    # A uniform ball has the variance r^2 / 5 along each axis; blurred by a camera much wider than that it is
    # very nearly a Gaussian whose variances add. Separable, so that it costs three vectors.
    sigma_mm = np.hypot(CAMERA_FWHM_MM / FWHM_PER_SIGMA, source.radius_mm / np.sqrt(5.0))
    profiles = [
        np.exp(-0.5 * ((axis_mm - centre_mm) / sigma_mm) ** 2) / (np.sqrt(2 * np.pi) * sigma_mm)
        for axis_mm, centre_mm in zip(grid.axes_mm, source.centre_mm[::-1], strict=True)
    ]
    per_mm3 = np.einsum("k,j,i->kji", *profiles)
    return np.asarray(source.activity_mbq * 1e6 * 1000.0 * per_mm3, dtype=np.float64)

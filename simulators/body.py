"""A patient's trunk, by plain geometry: where tissue is, and how much of it a photon crosses.

Patient axes (LPS, mm): +x to the patient's left, +y to the back, +z to the head.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SOFT_TISSUE_HU, LUNG_HU, BONE_HU, AIR_HU = 40.0, -750.0, 420.0, -1000.0

ATTENUATION = ((-1000.0, 0.0, 1000.0), (0.0, 1.0, 1.56))
"""CT numbers, HU, and the attenuation of a gamma photon over that of water (Patton and Turkington, J Nucl Med
Technol 36 (2008) 1)."""

STEPS = 400
"""Into which a line is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An elliptic cylinder along the patient's long axis, with two lungs and a spine for the CT to show.

    Attributes
    ----------
    half_width_mm, half_depth_mm, half_length_mm
        Semi-axes to the left, to the back and to the head.

    """

    half_width_mm: float = 160.0
    half_depth_mm: float = 105.0
    half_length_mm: float = 120.0

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (..., 3) lie in the body."""
        x, y, z = np.moveaxis(points_mm, -1, 0)
        inside = (x / self.half_width_mm) ** 2 + (y / self.half_depth_mm) ** 2 <= 1.0
        return np.asarray(inside & (np.abs(z) <= self.half_length_mm))

    def hounsfield(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """CT numbers at points (..., 3), HU."""
        x, y, _ = np.moveaxis(points_mm, -1, 0)
        lungs = ((np.abs(x) - 72.0) / 45.0) ** 2 + ((y - 5.0) / 52.0) ** 2 <= 1.0
        spine = x**2 + (y - 68.0) ** 2 <= 17.0**2
        numbers = np.full(x.shape, SOFT_TISSUE_HU)
        numbers[lungs] = LUNG_HU
        numbers[spine] = BONE_HU
        numbers[~self.contains(points_mm)] = AIR_HU
        return numbers

    def skin(self, across: float, z_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Point on the front skin and its outward unit normal; ``across`` is x over the half width."""
        depth = -np.sqrt(1.0 - across**2)
        point_mm = np.array([across * self.half_width_mm, depth * self.half_depth_mm, z_mm])
        outward = np.array([across / self.half_width_mm, depth / self.half_depth_mm, 0.0])
        return point_mm, outward / np.linalg.norm(outward)

    def water_mm(self, from_mm: NDArray[np.float64], to_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Water that attenuates as what lies between a point (3,) and points (M, 3), mm, shape (M,).

        Added up in small steps, since a line may cross skin, lung and spine at any angle.
        """
        parts = (np.arange(STEPS) + 0.5) / STEPS
        along_mm = from_mm + parts[:, None, None] * (to_mm - from_mm)
        share = np.interp(self.hounsfield(along_mm), *ATTENUATION).mean(axis=0)
        return np.asarray(share * np.linalg.norm(to_mm - from_mm, axis=1))

"""How far a registration by landmarks may be wrong at a place: largest far from the landmarks' middle.

Fitzpatrick, West and Maurer, IEEE Trans. Med. Imaging 17, 1998, eq. 46: with N landmarks of an isotropic
localisation error FLE (RMS), TRE²(r) = FLE²/N (1 + 1/3 Σ d_k²/f_k²), d_k the distance of r from the principal axis
k of the landmarks, f_k the landmarks' own RMS distance from it. FLE² = FRE² N / (N - 2), from the same paper.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError

Array = NDArray[np.float64]

FEWEST = 3
"""Landmarks below which nothing is registered."""

LEAST_SPREAD_MM = 5.0
"""RMS distance from an axis below which landmarks lie on a line, and a turn about it is not held."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegistrationError:
    """Target registration error of one registration.

    Parameters
    ----------
    landmarks_mm
        Where the landmarks are, patient frame, shape (N, 3), N >= 3.
    fre_mm
        RMS distance that was left between them after the registration.

    Raises
    ------
    NavigationError
        Where there are too few, they lie on a line, or the error is no positive number.

    """

    landmarks_mm: Array
    fre_mm: float

    def __post_init__(self) -> None:
        count = len(self.landmarks_mm)
        if count < FEWEST:
            raise NavigationError(f"{count} landmarks: a registration wants {FEWEST} or more")
        if not (np.isfinite(self.fre_mm) and self.fre_mm > 0):
            raise NavigationError(f"an error of {self.fre_mm} mm: no registration leaves that")
        if self._spread_mm2().min() < LEAST_SPREAD_MM**2:
            raise NavigationError("the landmarks lie on a line: nothing holds a turn about it")

    @property
    def fle_mm(self) -> float:
        """Localisation error of one landmark, RMS."""
        count = len(self.landmarks_mm)
        return self.fre_mm * float(np.sqrt(count / (count - 2)))

    def at(self, place_mm: Array) -> float:
        """Give the target registration error (RMS) at a place (3,), mm."""
        off, axes = place_mm - self.landmarks_mm.mean(axis=0), self._axes()
        distance_mm2 = off @ off - (axes @ off) ** 2
        growth = 1.0 + float(np.sum(distance_mm2 / self._spread_mm2())) / 3.0
        return self.fle_mm * float(np.sqrt(growth / len(self.landmarks_mm)))

    def _axes(self) -> Array:
        centred = self.landmarks_mm - self.landmarks_mm.mean(axis=0)
        return np.asarray(np.linalg.eigh(centred.T @ centred)[1].T)

    def _spread_mm2(self) -> Array:
        """Mean square distance of the landmarks from each principal axis."""
        centred = self.landmarks_mm - self.landmarks_mm.mean(axis=0)
        along = centred @ self._axes().T
        return np.asarray(np.mean(np.sum(centred**2, axis=1)[:, None] - along**2, axis=0))

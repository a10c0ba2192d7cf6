"""How far a registration may be wrong at a place: largest far from the middle of what it rests on.

Each landmark of isotropic localisation error FLE (RMS in space) says something of the six numbers of a small
motion; that adds up to the motion's covariance, and this gives the error at a place. To first order it is the form
of Fitzpatrick, West and Maurer, IEEE Trans. Med. Imaging 17, 1998, eq. 46: TRE²(r) = FLE²/N (1 + 1/3 Σ d_k²/f_k²),
d_k the distance of r from the principal axis k of the landmarks, f_k the landmarks' own RMS distance from it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    centre_mm
        Middle of what it rests on, patient frame, shape (3,).
    covariance
        Of the small motion about that middle: a turn (rad), then a shift (mm), shape (6, 6).

    Raises
    ------
    NavigationError
        Where the covariance is none.

    """

    centre_mm: Array
    covariance: Array

    def __post_init__(self) -> None:
        centre_mm, covariance = np.array(self.centre_mm, np.float64), np.array(self.covariance, np.float64)
        if centre_mm.shape != (3,) or covariance.shape != (6, 6):
            raise NavigationError("a registration's error wants a middle and the covariance of six numbers")
        is_finite = bool(np.isfinite(centre_mm).all() and np.isfinite(covariance).all())
        if not is_finite or np.linalg.eigvalsh(covariance).min() < 0:
            raise NavigationError("the covariance of a registration's error has a negative or infinite axis")
        for name, array in (("centre_mm", centre_mm), ("covariance", covariance)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def of_landmarks(cls, landmarks_mm: ArrayLike, *, fle_mm: float) -> Self:
        """Tell it from landmarks (N, 3), patient frame, and the error of one of them, RMS in space.

        Raises
        ------
        NavigationError
            Where there are too few, they lie on a line, or the error is no positive number.

        """
        points = np.asarray(landmarks_mm, dtype=np.float64)
        check_landmarks(points)
        if not (np.isfinite(fle_mm) and fle_mm > 0):
            raise NavigationError(f"an error of {fle_mm} mm: no landmark is found to that")
        centre_mm = points.mean(axis=0)
        told = 3 / fle_mm**2 * np.sum([gain(point - centre_mm).T @ gain(point - centre_mm) for point in points], 0)
        return cls(centre_mm=centre_mm, covariance=np.linalg.inv(told))

    @classmethod
    def of_residual(cls, landmarks_mm: ArrayLike, *, fre_mm: float) -> Self:
        """Tell it from what a registration left between its landmarks, RMS: FLE² = FRE² N / (N - 2) (eq. 10).

        An expectation over many registrations: for one patient the residual says little (Fitzpatrick, SPIE 7261,
        2009), so this is for where nothing better is known.

        Raises
        ------
        NavigationError
            As ``of_landmarks``.

        """
        points = np.asarray(landmarks_mm, dtype=np.float64)
        check_landmarks(points)
        return cls.of_landmarks(points, fle_mm=fre_mm * float(np.sqrt(len(points) / (len(points) - 2))))

    def at(self, place_mm: Array) -> float:
        """Give the target registration error (RMS in space) at a place (3,), mm."""
        return float(np.sqrt(np.trace(self.covariance_at(place_mm))))

    def covariance_at(self, place_mm: Array) -> Array:
        """Give the covariance of the error at a place (3,), patient frame, mm², shape (3, 3)."""
        here = gain(np.asarray(place_mm, dtype=np.float64) - self.centre_mm)
        return np.asarray(here @ self.covariance @ here.T)


def check_landmarks(points: Array) -> None:
    """Raise ``NavigationError`` where landmarks (N, 3) hold no motion: too few, or on one line."""
    if len(points) < FEWEST:
        raise NavigationError(f"{len(points)} landmarks are too few: at least {FEWEST} are needed, 5 are good")
    if extents_mm(points)[0] < LEAST_SPREAD_MM:
        raise NavigationError("the landmarks lie on one line: the turn about it stays unknown; add one beside it")


def extents_mm(points: Array) -> Array:
    """RMS distance of points (N, 3) from each of their principal axes, the longest axis first: ascending."""
    squares = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    variances = np.pad(squares, (0, 3 - len(squares))) / len(points)
    return np.asarray(np.sqrt(np.maximum(variances.sum() - variances, 0.0)))


def gain(off_mm: Array) -> Array:
    """Map a small turn and shift to what they do to a point that lies ``off_mm`` from the middle, shape (3, 6)."""
    x, y, z = off_mm
    return np.hstack((np.array(((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0))), np.eye(3)))

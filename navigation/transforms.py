"""Rigid motions between named frames.

A transform is named ``to_from_from`` and maps points of frame ``from_`` into frame ``to``, so that neighbours
cancel: ``patient_from_tip = patient_from_tracker @ tracker_from_tool @ tool_from_tip``. The frames are data
too, and ``@`` refuses a product whose inner frames differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from navigation.errors import FrameMismatch, NavigationError
from navigation.frames import Frame
from navigation.quaternions import part_of_turn, wxyz_of

ORTHONORMAL_TOLERANCE = 1e-5
"""Largest allowed deviation of ``R @ R.T`` from identity: float32 wire formats stay below 1e-6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RigidTransform:
    """A rotation, then a translation, from one named frame to another.

    Attributes
    ----------
    to, from_
        The frames it maps into and out of.
    rotation
        3 x 3, orthonormal and right-handed; read-only.
    translation_mm
        The origin of ``from_`` seen in ``to``, mm, shape (3,); read-only.

    Raises
    ------
    NavigationError
        Where a value is not finite, or the matrix is no rotation (a mirrored one included).

    """

    to: Frame
    from_: Frame
    rotation: NDArray[np.float64]
    translation_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        rotation = np.array(self.rotation, dtype=np.float64)
        translation_mm = np.array(self.translation_mm, dtype=np.float64)
        name = f"{self.to}_from_{self.from_}"
        if rotation.shape != (3, 3) or translation_mm.shape != (3,):
            raise NavigationError(f"{name}: wants a 3 x 3 rotation and 3 millimetres of translation")
        # of twelve numbers, and dozens of times a frame: plain floats are many times as fast as arrays
        rows: list[list[float]] = rotation.tolist()
        if not all(map(isfinite, (*rows[0], *rows[1], *rows[2], *translation_mm.tolist()))):
            raise NavigationError(f"{name}: not every number is finite")
        if _skewness(*rows) > ORTHONORMAL_TOLERANCE:
            raise NavigationError(f"{name}: the matrix is not orthonormal")
        if _determinant(*rows) < 0:
            raise NavigationError(f"{name}: the matrix mirrors; left would become right")
        rotation.flags.writeable = False
        translation_mm.flags.writeable = False
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_mm", translation_mm)

    @classmethod
    def identity(cls, to: Frame, from_: Frame) -> Self:
        """Two frames that coincide."""
        return cls(to=to, from_=from_, rotation=np.eye(3), translation_mm=np.zeros(3))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, *, to: Frame, from_: Frame) -> Self:
        """Read a 4 x 4 homogeneous matrix (mm); the last row must be 0 0 0 1."""
        homogeneous = np.asarray(matrix, dtype=np.float64)
        if homogeneous.shape != (4, 4) or not np.array_equal(homogeneous[3], (0, 0, 0, 1)):
            raise NavigationError(f"{to}_from_{from_}: wants a 4 x 4 matrix that ends in the row 0 0 0 1")
        return cls(to=to, from_=from_, rotation=homogeneous[:3, :3], translation_mm=homogeneous[:3, 3])

    @classmethod
    def from_quaternion(cls, wxyz: ArrayLike, translation_mm: ArrayLike, *, to: Frame, from_: Frame) -> Self:
        """Read a quaternion (w, x, y, z), normalised here, and a translation in mm."""
        rotation = Rotation.from_quat(np.asarray(wxyz, dtype=np.float64), scalar_first=True).as_matrix()
        return cls(to=to, from_=from_, rotation=rotation, translation_mm=np.asarray(translation_mm, np.float64))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 4 x 4 homogeneous matrix, a copy."""
        homogeneous = np.eye(4)
        homogeneous[:3, :3] = self.rotation
        homogeneous[:3, 3] = self.translation_mm
        return homogeneous

    @property
    def quaternion_wxyz(self) -> NDArray[np.float64]:
        """The rotation as a unit quaternion (w, x, y, z) with w >= 0."""
        return np.array(wxyz_of(self.rotation))

    @property
    def inverse(self) -> Self:
        """The motion back: ``from_`` and ``to`` change places."""
        back = self.rotation.T
        return self._made_of_rigid(self.from_, self.to, back, -back @ self.translation_mm)

    def points_mm(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points (..., 3), mm, from ``from_`` into ``to``."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation_mm

    def direction(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Map directions (..., 3): rotated, not moved."""
        return np.asarray(vectors, dtype=np.float64) @ self.rotation.T

    def __matmul__(self, other: RigidTransform) -> Self:
        if self.from_ is not other.to:
            raise FrameMismatch(f"{self.to}_from_{self.from_}", f"{other.to}_from_{other.from_}")
        return self._made_of_rigid(
            self.to, other.from_, self.rotation @ other.rotation, self.points_mm(other.translation_mm)
        )

    @classmethod
    def _made_of_rigid(
        cls, to: Frame, from_: Frame, rotation: NDArray[np.float64], translation_mm: NDArray[np.float64]
    ) -> Self:
        """Take what was worked out from rigid motions as it is: it is one too, and a frame makes dozens."""
        made = cls.__new__(cls)
        rotation.flags.writeable = translation_mm.flags.writeable = False
        for name, value in (
            ("to", to),
            ("from_", from_),
            ("rotation", rotation),
            ("translation_mm", translation_mm),
        ):
            object.__setattr__(made, name, value)
        return made


def _skewness(one: list[float], two: list[float], three: list[float]) -> float:
    """Largest deviation of ``R @ R.T`` from identity, of three rows."""
    (a, b, c), (d, e, f), (g, h, i) = one, two, three
    return max(
        abs(a * a + b * b + c * c - 1.0),
        abs(d * d + e * e + f * f - 1.0),
        abs(g * g + h * h + i * i - 1.0),
        abs(a * d + b * e + c * f),
        abs(a * g + b * h + c * i),
        abs(d * g + e * h + f * i),
    )


def _determinant(one: list[float], two: list[float], three: list[float]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = one, two, three
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def interpolate(before: RigidTransform, after: RigidTransform, fraction: float) -> RigidTransform:
    """Pose between two: straight in translation, shortest arc (slerp) in rotation.

    Raises
    ------
    FrameMismatch
        Where the two do not map between the same frames.
    NavigationError
        Where ``fraction`` is outside [0, 1]: a pose is never extrapolated.

    """
    if (before.to, before.from_) != (after.to, after.from_):
        raise FrameMismatch(f"{before.to}_from_{before.from_}", f"{after.to}_from_{after.from_}")
    if not 0.0 <= fraction <= 1.0:
        raise NavigationError(f"fraction {fraction} is outside [0, 1]: a pose is never extrapolated")
    return RigidTransform(
        to=before.to,
        from_=before.from_,
        rotation=part_of_turn(after.rotation @ before.rotation.T, fraction) @ before.rotation,
        translation_mm=(1 - fraction) * before.translation_mm + fraction * after.translation_mm,
    )

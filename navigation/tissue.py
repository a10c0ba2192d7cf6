"""How much tissue lies between the probe's tip and a point.

The skin near a tip is taken as a plane: its height below the tip and its outward normal are all that the
response needs, they are found once a reading, and the path to any point then has a closed form with a gradient.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """The skin as each of N tips meets it.

    Attributes
    ----------
    height_mm
        Height of the tip above the skin plane, shape (N,), mm; infinite where there is no tissue, zero or
        less where the tip is in contact or inside.
    normal
        Outward unit normal of that plane, shape (N, 3).

    """

    height_mm: Array
    normal: Array

    def __len__(self) -> int:
        return len(self.height_mm)

    def __add__(self, later: "Skin") -> "Skin":
        return Skin(
            height_mm=np.concatenate((self.height_mm, later.height_mm)),
            normal=np.concatenate((self.normal, later.normal)),
        )

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Skin":
        """Return the rows that a mask or an index array names."""
        return Skin(height_mm=self.height_mm[chosen], normal=self.normal[chosen])

    def path_mm(self, offset_mm: Array, range_mm: Array) -> Array:
        """Tissue on the straight line from each tip to each point.

        Parameters
        ----------
        offset_mm
            Point minus tip, shape (N, M, 3), mm.
        range_mm
            Length of the offset, shape (N, M), mm; positive.

        Returns
        -------
        path_mm
            Shape (N, M), mm. With h the tip's height and s the fall from tip to point along the normal, the path
            is r (s - h) / s for s > h, else nothing.

        """
        return self._share(offset_mm)[0] * range_mm

    def path_gradient(self, offset_mm: Array, range_mm: Array) -> Array:
        """Gradient of ``path_mm`` by the point, shape (N, M, 3)."""
        share, share_by_fall = self._share(offset_mm)
        by_range = share / range_mm
        by_fall = range_mm * share_by_fall
        gradient = by_range * offset_mm.transpose(2, 0, 1)
        gradient -= by_fall * self.normal.T[:, :, None]
        return gradient.transpose(1, 2, 0)

    def _share(self, offset_mm: Array) -> tuple[Array, Array]:
        """Share of each line that lies in tissue, and its derivative by the fall along the normal, per mm."""
        height = np.maximum(self.height_mm, 0.0)[:, None]
        fall = -np.einsum("nmk,nk->nm", offset_mm, self.normal)
        is_inside = fall > np.maximum(height, 1e-9)
        above = np.where(is_inside, height, 0.0)
        safe_fall = np.where(is_inside, fall, 1.0)
        return np.where(is_inside, 1.0 - above / safe_fall, 0.0), above / safe_fall**2


class Tissue(Protocol):
    """Whatever knows where the patient's skin is."""

    def skin_at(self, tip_mm: Array) -> Skin:
        """Skin as each tip (N, 3), mm, patient frame, meets it."""
        ...


def path_mm(tissue: Tissue, tip_mm: ArrayLike, points_mm: ArrayLike) -> Array:
    """Tissue between tips (N, 3) and points (M, 3), shape (N, M), mm."""
    tips = np.asarray(tip_mm, dtype=np.float64)
    offset_mm = np.asarray(points_mm, dtype=np.float64)[None] - tips[:, None]
    range_mm = np.maximum(np.linalg.norm(offset_mm, axis=-1), 1e-9)
    return tissue.skin_at(tips).path_mm(offset_mm, range_mm)


class NoTissue:
    """Nothing but air: a bench."""

    def skin_at(self, tip_mm: Array) -> Skin:
        """Infinitely far below every tip."""
        return Skin(height_mm=np.full(len(tip_mm), np.inf), normal=np.tile([0.0, 0.0, 1.0], (len(tip_mm), 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSpace:
    """Tissue on one side of a plane.

    Attributes
    ----------
    point_mm
        A point on the plane, shape (3,), mm, patient frame.
    normal
        Direction out of the tissue, shape (3,); made unit here.

    Raises
    ------
    NavigationError
        Where a value is not finite or the normal has no length.

    """

    point_mm: Array
    normal: Array
    _unit: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        normal = np.array(self.normal, dtype=np.float64)
        length = float(np.linalg.norm(normal))
        if not (np.isfinite(self.point_mm).all() and np.isfinite(length) and length > 0):
            raise NavigationError("half space: wants a finite point and a normal with a length")
        object.__setattr__(self, "_unit", normal / length)

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height of each tip above the plane."""
        return Skin(height_mm=(tip_mm - self.point_mm) @ self._unit, normal=np.tile(self._unit, (len(tip_mm), 1)))

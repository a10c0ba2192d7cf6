"""How much tissue lies between the probe's tip and a point.

The skin near a tip is taken as a plane, and what lies below it as layers parallel to it: height, outward normal
and the layers' attenuation are all that the response needs, they are found once a reading, and the path to any
point then has a closed form with a gradient.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError

Array = NDArray[np.float64]

LAYER_MM = 5.0
"""From one layer below the skin to the next: a rib or a vessel is thicker, and Compton scatter sees no finer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """The skin as each of N tips meets it, and what lies below.

    Attributes
    ----------
    height_mm
        Height of the tip above the skin plane, shape (N,), mm; infinite where there is no tissue, zero or
        less where the tip is in contact or inside.
    normal
        Outward unit normal of that plane, shape (N, 3).
    layers
        Attenuation over that of water, every ``LAYER_MM`` along the inward normal from the skin on, or from a tip
        that is inside; linear between, and beyond the last as the last. Shape (N, K), K at least 2; None where it
        is water throughout.

    """

    height_mm: Array
    normal: Array
    layers: Array | None = None

    def __len__(self) -> int:
        return len(self.height_mm)

    def __add__(self, later: "Skin") -> "Skin":
        return Skin(
            height_mm=np.concatenate((self.height_mm, later.height_mm)),
            normal=np.concatenate((self.normal, later.normal)),
            layers=_joined(self.layers, later.layers, len(self), len(later)),
        )

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Skin":
        """Return the rows that a mask or an index array names."""
        layers = None if self.layers is None else self.layers[chosen]
        return Skin(height_mm=self.height_mm[chosen], normal=self.normal[chosen], layers=layers)

    def path_mm(self, offset_mm: Array, range_mm: Array) -> Array:
        """Water that attenuates as what lies on the straight line from each tip to each point.

        Parameters
        ----------
        offset_mm
            Point minus tip, shape (N, M, 3), mm.
        range_mm
            Length of the offset, shape (N, M), mm; positive.

        Returns
        -------
        path_mm
            Shape (N, M), mm. With h the tip's height, s the fall from tip to point along the normal and W(d) the
            layers added up to depth d, the path is r W(s - h) / s for s > h, else nothing. In water W(d) is d.

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
        """Share of water in each line, and its derivative by the fall along the normal, per mm."""
        height = np.maximum(self.height_mm, 0.0)[:, None]
        fall = -np.einsum("nmk,nk->nm", offset_mm, self.normal)
        is_inside = fall > np.maximum(height, 1e-9)
        safe_fall = np.where(is_inside, fall, 1.0)
        if self.layers is None:
            above = np.where(is_inside, height, 0.0)
            return np.where(is_inside, 1.0 - above / safe_fall, 0.0), above / safe_fall**2
        water_mm, there = added_up(self.layers, np.where(is_inside, fall - height, 0.0))
        share = np.where(is_inside, water_mm / safe_fall, 0.0)
        return share, np.where(is_inside, (there - share) / safe_fall, 0.0)


def added_up(layers: Array, depth_mm: Array) -> tuple[Array, Array]:
    """Water (N, M), mm, that attenuates as layers (N, K) down to depths (N, M), mm, and the attenuation there.

    Linear from layer to layer, so the sum is their trapezia; beyond the last it goes on as the last.
    """
    nodes = layers.shape[1]
    upper = np.minimum((depth_mm / LAYER_MM).astype(np.intp), nodes - 2)
    part_mm = np.minimum(depth_mm - upper * LAYER_MM, LAYER_MM)
    beyond_mm = np.maximum(depth_mm - (nodes - 1) * LAYER_MM, 0.0)
    slope = np.diff(layers, axis=1) / LAYER_MM
    whole = np.zeros_like(layers)
    np.cumsum((layers[:, 1:] + layers[:, :-1]) * (LAYER_MM / 2), axis=1, out=whole[:, 1:])
    first = np.take_along_axis(layers, upper, axis=1)
    there = first + np.take_along_axis(slope, upper, axis=1) * part_mm
    water_mm = np.take_along_axis(whole, upper, axis=1) + part_mm * (first + there) / 2 + beyond_mm * there
    return water_mm, there


def _joined(former: Array | None, later: Array | None, formers: int, laters: int) -> Array | None:
    """Layers of both, one below the other; no rows take the other's kind."""
    if formers == 0 or laters == 0:
        return later if formers == 0 else former
    if former is None or later is None:
        if former is not later:
            raise NavigationError("skin: layers known for some tips and not for others; take them from one tissue")
        return None
    return np.concatenate((former, later))


class Tissue(Protocol):
    """Whatever knows where the patient's skin is, and what lies below."""

    def skin_at(self, tip_mm: Array) -> Skin:
        """Skin as each tip (N, 3), mm, patient frame, meets it."""
        ...


def path_mm(tissue: Tissue, tip_mm: ArrayLike, points_mm: ArrayLike) -> Array:
    """Water that attenuates as the tissue between tips (N, 3) and points (M, 3), shape (N, M), mm."""
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

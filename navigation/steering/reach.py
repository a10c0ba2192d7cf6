"""Where a hand can hold the probe next: the tip on the skin nearby, looking into the patient.

Tips lie on a spiral over the skin around the place of interest, pulled within reach of the present tip, each with
the probe upright on the skin and leaned every way by a few angles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.tissue import Tissue

Array = NDArray[np.float64]

RADIUS_MM = 40.0
"""Farthest place that a hand is sent to, seen from the present tip."""

SPREAD_MM = 32.0
"""Radius of the area that is tried around the place of interest."""

CLEARANCE_MM = 1.0
"""Height of a suggested tip above the skin: a drape's thickness, so that nothing is pressed in."""

LEANS_DEG = (15.0, 30.0)
"""Angles between the probe and the skin's inward normal that are tried, besides upright."""

DIRECTIONS = 6
"""Ways to lean by each angle."""

_GOLDEN_RAD = np.pi * (3 - np.sqrt(5))
_LANDINGS = 4
_LANDED_WITHIN_MM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poses:
    """Ways to hold the probe.

    Attributes
    ----------
    tip_mm
        Shape (C, 3), patient frame.
    axis
        Unit vectors the way the probe looks, shape (C, 3), patient frame.

    """

    tip_mm: Array
    axis: Array

    def __post_init__(self) -> None:
        for array in (self.tip_mm, self.axis):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.tip_mm)

    def take(self, chosen: NDArray[np.intp]) -> "Poses":
        """Return the poses that an index array names, in its order."""
        return Poses(tip_mm=self.tip_mm[chosen], axis=self.axis[chosen])


def land(tissue: Tissue, points_mm: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Move points (N, 3), mm, along the skin's normal until they lie ``CLEARANCE_MM`` above it.

    Returns
    -------
    tip_mm, normal, is_landed
        Shapes (N, 3), (N, 3) and (N,). A point has not landed where there is no skin, or the skin curves so that
        following its normal leads nowhere; its tip then means nothing.

    """
    tips = np.array(points_mm, dtype=np.float64)
    for _ in range(_LANDINGS):
        skin = tissue.skin_at(tips)
        is_near = np.isfinite(skin.height_mm)
        fall = np.where(is_near, skin.height_mm, CLEARANCE_MM) - CLEARANCE_MM
        tips -= fall[:, None] * skin.normal
    skin = tissue.skin_at(tips)
    height = np.where(np.isfinite(skin.height_mm), skin.height_mm, np.inf)
    is_landed = (np.abs(height - CLEARANCE_MM) < _LANDED_WITHIN_MM) & (height >= 0.0)
    return tips, skin.normal, np.asarray(is_landed)


def _tangents(normal: Array) -> tuple[Array, Array]:
    """Two unit vectors at right angles to each of N normals and to one another."""
    other = np.where(np.abs(normal[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(normal, other)
    first /= np.linalg.norm(first, axis=1)[:, None]
    return first, np.cross(normal, first)


def reachable(
    tissue: Tissue,
    tip_mm: Array,
    about_mm: Array,
    *,
    places: int = 24,
    leans_deg: tuple[float, ...] = LEANS_DEG,
    directions: int = DIRECTIONS,
    radius_mm: float = RADIUS_MM,
) -> Poses:
    """Poses within reach, around the skin above a place of interest.

    Parameters
    ----------
    tissue
        Where the skin is.
    tip_mm
        Where the tip is now, shape (3,), patient frame.
    about_mm
        Place of interest, shape (3,): a target's centre, say.
    places, leans_deg, directions
        Tips on the spiral, and how the probe is leaned at each; the skin below the present tip is one place more.
    radius_mm
        Farthest tip from the present one.

    Returns
    -------
    Poses
        None of them in the body, none farther than the radius; empty where no skin is known.

    """
    here, _, has_skin = land(tissue, tip_mm[None])
    above, normal, has_aim = land(tissue, about_mm[None])
    if not has_skin[0]:
        return Poses(tip_mm=np.zeros((0, 3)), axis=np.zeros((0, 3)))
    aim = above[0] if has_aim[0] else here[0]
    way = aim - tip_mm
    # whatever lies beyond reach is gone towards, with room left to look at it from several sides
    aim = tip_mm + way * min(1.0, max(radius_mm - SPREAD_MM / 2, 0.0) / max(float(np.linalg.norm(way)), 1e-9))
    _, normal, _ = land(tissue, aim[None])
    first, second = _tangents(normal)
    number = np.arange(places)
    ring_mm = SPREAD_MM * np.sqrt(number / places)[:, None]  # equal areas (Vogel 1979)
    turn = (number * _GOLDEN_RAD)[:, None]
    spiral = aim + ring_mm * (np.cos(turn) * first + np.sin(turn) * second)
    tips, normals, is_landed = land(tissue, np.concatenate((spiral, here)))
    is_reached = is_landed & (np.linalg.norm(tips - tip_mm, axis=1) <= radius_mm)
    tips, normals = tips[is_reached], normals[is_reached]
    first, second = _tangents(normals)
    axes = [-normals]
    for lean in np.radians(leans_deg):
        for azimuth in 2 * np.pi * np.arange(directions) / directions:
            aside = np.cos(azimuth) * first + np.sin(azimuth) * second
            axes.append(-np.cos(lean) * normals + np.sin(lean) * aside)
    return Poses(tip_mm=np.tile(tips, (len(axes), 1)), axis=np.concatenate(axes))

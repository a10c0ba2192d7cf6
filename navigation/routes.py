"""The way from the skin to a target: how deep it lies, and how much tissue a photon has to cross.

CT numbers say how much a path attenuates beside as much water: at 140 keV below water linearly, above it by bone.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError
from navigation.skin import BODY_ABOVE_HU, SkinSurface
from navigation.volume import Volume

Array = NDArray[np.float64]

STEP_MM = 1.0
"""Step along a path."""

FARTHEST_MM = 400.0
"""No target lies deeper."""

BONE_SLOPE = 5.7e-4
"""Rise of attenuation over water's at 140 keV for each HU above 0.

Cortical bone (ICRU 44): 0.295 / 0.154 per cm at 140 keV and 1601 HU at 70 keV (NIST SRD 126), 0.92 / 1601.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A straight way in.

    Attributes
    ----------
    entry_mm
        Where it meets the skin, LPS mm, (3,); read-only.
    direction
        Unit vector from the skin to the target, (3,); read-only.
    depth_mm
        From the skin to the target along it.
    water_mm
        Depth in water that attenuates as much at 140 keV.

    """

    entry_mm: Array
    direction: Array
    depth_mm: float
    water_mm: float

    def __post_init__(self) -> None:
        self.entry_mm.flags.writeable = False
        self.direction.flags.writeable = False

    def transmission(self, water_attenuation_per_mm: float) -> float:
        """Share of photons that cross it unscattered, with the narrow-beam attenuation of water, per mm."""
        return math.exp(-water_attenuation_per_mm * self.water_mm)


def shortest_route(ct: Volume, skin: SkinSurface, target_mm: ArrayLike) -> Route | None:
    """Find the way in from the nearest skin; None where the target is not inside the body.

    Raises
    ------
    NavigationError
        Where the volume is no CT in HU.

    """
    target = np.asarray(target_mm, dtype=np.float64)
    nearest = skin.skin_at(target[None])
    if nearest.height_mm[0] >= 0:
        return None
    return planned_route(ct, target, -nearest.normal[0])


def planned_route(ct: Volume, target_mm: ArrayLike, direction: ArrayLike) -> Route | None:
    """Follow a planned approach, pointing inwards.

    None where the target is not inside the body, or the CT ends before the skin. The skin is where the path
    outwards from the target last leaves the body: air within it is crossed.

    Raises
    ------
    NavigationError
        Where the volume is no CT in HU, or the direction has no length.

    """
    if ct.unit != "HU":
        raise NavigationError(f"route: wants a CT in HU, not {ct.quantity} in {ct.unit}")
    target, inwards = np.asarray(target_mm, dtype=np.float64), np.array(direction, dtype=np.float64)
    length = float(np.linalg.norm(inwards))
    if not (np.isfinite(target).all() and 0 < length < math.inf):
        raise NavigationError("route: wants a finite target and a direction with a length")
    inwards /= length
    distances_mm = np.arange(0.0, FARTHEST_MM, STEP_MM)
    hounsfield = ct.sample(target - distances_mm[:, None] * inwards, outside=math.nan)
    inside = np.flatnonzero(hounsfield > BODY_ABOVE_HU)
    if not len(inside) or inside[0] > 0:
        return None
    last = int(inside[-1])
    if last + 1 >= len(hounsfield) or math.isnan(hounsfield[last + 1]):
        return None  # the scan ends in the body: where the skin is nobody knows
    # linear between the last step inside and the first outside
    share = (hounsfield[last] - BODY_ABOVE_HU) / (hounsfield[last] - hounsfield[last + 1])
    depth_mm = float(distances_mm[last] + share * STEP_MM)
    on_path = ct.sample(target - np.arange(0.5, depth_mm, 1.0)[:, None] * inwards, outside=0.0)
    return Route(
        entry_mm=target - depth_mm * inwards,
        direction=inwards,
        depth_mm=depth_mm,
        water_mm=float(relative_attenuation(on_path).mean() * depth_mm) if len(on_path) else depth_mm,
    )


def relative_attenuation(hounsfield: ArrayLike) -> Array:
    """Attenuation at 140 keV beside water's, from CT numbers (bilinear)."""
    values = np.asarray(hounsfield, dtype=np.float64)
    return np.where(values < 0, np.maximum(0.0, 1 + values / 1000), 1 + BONE_SLOPE * values)

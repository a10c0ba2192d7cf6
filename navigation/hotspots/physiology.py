"""What a hot spot may be instead of a target: organs that take up tracer, by their place and size.

Only proposals, for a person to confirm: a node before the bladder must not vanish because of a rule. Axes are LPS:
x to the left, y to the back, z to the head; the body's own middle and width at that height come from the CT.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from navigation.hotspots.finding import Hotspot
from navigation.skin import body_of
from navigation.volume import Volume, coarsen

SLAB_MM = 8.0
"""Height of the slab around a spot whose width and depth count as the body's there."""

TRUNK_MM = 240.0
NECK_MM = 220.0
"""A wider body is the trunk, a narrower one head or neck."""

MOST_VOXELS = 2**23
"""That the body is looked at in: ten times a whole body's, 8 mm apart."""

MIRRORED = 0.25
LEVEL_MM = 40.0
"""A pair lies as far from the middle on both sides, within this share of half the width, and at one height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a spot lies in the body's cross-section.

    Attributes
    ----------
    width_mm
        Of the body, right to left.
    sideways
        -1 at the right skin, 0 in the middle, 1 at the left skin.
    backwards
        0 at the front skin, 1 at the back.

    """

    width_mm: float
    sideways: float
    backwards: float


def propose_organs(spots: Sequence[Hotspot], ct: Volume | None) -> tuple[Hotspot, ...]:
    """Add to each target what organ it may be; without a CT nothing is proposed."""
    if ct is None:
        return tuple(spots)
    body_mm = _body_points_mm(ct)
    places = [_place(spot.centre_mm, body_mm) if spot.kind == "target" else None for spot in spots]
    return tuple(
        spot if place is None else replace(spot, proposal=_propose(number, spots, places))
        for number, (spot, place) in enumerate(zip(spots, places, strict=True))
    )


def _propose(number: int, spots: Sequence[Hotspot], places: Sequence[Place | None]) -> str:
    spot, here = spots[number], places[number]
    if here is None:
        return ""
    size_ml, aside = spot.volume_ml, abs(here.sideways)
    is_paired = any(
        there is not None
        and other is not spot
        and abs(there.sideways + here.sideways) < MIRRORED
        and abs(other.centre_mm[2] - spot.centre_mm[2]) < LEVEL_MM
        for other, there in zip(spots, places, strict=True)
    )
    is_trunk, is_neck = here.width_mm > TRUNK_MM, here.width_mm < NECK_MM
    rules = {
        "kidney? {} mL, at the back, with its like on the other side": (
            is_trunk and is_paired and size_ml > 15 and 0.15 < aside < 0.7 and here.backwards > 0.5
        ),
        "bladder? {} mL, in the middle of the trunk": (
            is_trunk and size_ml > 20 and aside < 0.2 and 0.15 < here.backwards < 0.75
        ),
        "liver? {} mL, on the right of the trunk": is_trunk and size_ml > 60 and here.sideways < -0.1,
        "salivary gland? {} mL, in head or neck, with its like on the other side": (
            is_neck and is_paired and 2 < size_ml < 60 and 0.3 < aside < 0.95
        ),
        "thyroid? {} mL, at the front of the neck": (
            is_neck and 2 < size_ml < 40 and aside < 0.35 and here.backwards < 0.5
        ),
    }
    return next((words.format(round(size_ml)) for words, holds in rules.items() if holds), "")


def _body_points_mm(ct: Volume) -> NDArray[np.float64]:
    """Places in the body, LPS mm, some 8 mm apart."""
    coarse = coarsen(ct, SLAB_MM, at_most=MOST_VOXELS)
    return coarse.geometry.positions_mm(np.argwhere(body_of(coarse)))


def _place(centre_mm: NDArray[np.float64], body_mm: NDArray[np.float64]) -> Place | None:
    slab_mm = body_mm[np.abs(body_mm[:, 2] - centre_mm[2]) < SLAB_MM]
    if len(slab_mm) < 10:
        return None
    low_mm, high_mm = slab_mm.min(axis=0), slab_mm.max(axis=0)
    width_mm, depth_mm = high_mm[0] - low_mm[0], high_mm[1] - low_mm[1]
    if min(width_mm, depth_mm) <= 0:
        return None
    return Place(
        width_mm=float(width_mm),
        sideways=float((centre_mm[0] - (low_mm[0] + high_mm[0]) / 2) / (width_mm / 2)),
        backwards=float((centre_mm[1] - low_mm[1]) / depth_mm),
    )

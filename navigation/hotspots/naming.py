"""Names that stay with their places: what a person says of a spot must never be taken for another's."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from navigation.hotspots.finding import Hotspot

SAME_PLACE_MM = 5.0
"""So near to where a name was, a spot is the one that had it: half the distance of nodes that are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPlace:
    """Where a spot of a name was seen last, LPS mm, and in which frame of reference."""

    name: str
    centre_mm: tuple[float, float, float]
    frame_of_reference_uid: str


def keep_names(
    spots: Sequence[Hotspot],
    named: Collection[NamedPlace],
    frame_of_reference_uid: str,
    *,
    drawn: Collection[str] = (),
) -> tuple[Hotspot, ...]:
    """Give spots the names that their places had; a spot of no such place gets a name that was never in use.

    Names are numbers by content, and an image that comes later orders them otherwise. A place of another frame of
    reference than ``frame_of_reference_uid``, which the spots are in, is none of theirs.

    Parameters
    ----------
    spots
        As they were found, each with a name of its own.
    named
        Every name that was ever in use for them, each once.
    drawn
        Names that persons gave to what they drew: no spot gets one of these.

    """
    kept = _names_at_places(spots, [one for one in named if one.frame_of_reference_uid == frame_of_reference_uid])
    used = {one.name for one in named} | set(drawn)
    for number, spot in enumerate(spots):
        if number not in kept:
            kept[number] = _unused(spot, used)
            used.add(kept[number])
    return tuple(replace(spot, name=kept[number]) for number, spot in enumerate(spots))


def _names_at_places(spots: Sequence[Hotspot], places: Sequence[NamedPlace]) -> dict[int, str]:
    """Pair spots and places, the nearest first, each once; gives names by the number of the spot."""
    apart_mm = {
        (number, place.name): float(np.linalg.norm(spot.centre_mm - place.centre_mm))
        for number, spot in enumerate(spots)
        for place in places
    }
    kept: dict[int, str] = {}
    for number, name in sorted(apart_mm, key=lambda pair: (apart_mm[pair], pair)):
        if apart_mm[number, name] < SAME_PLACE_MM and number not in kept and name not in kept.values():
            kept[number] = name
    return kept


def _unused(spot: Hotspot, used: Collection[str]) -> str:
    if spot.name not in used:
        return spot.name
    stem = "target" if spot.name.startswith("target ") else spot.name
    return next(name for number in count(2) if (name := f"{stem} {number}") not in used)

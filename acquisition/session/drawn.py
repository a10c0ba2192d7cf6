"""Targets and injection sites that a person drew in the plan, beside those that the map shows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from math import ceil, nan, pi
from typing import Any, Final, Literal

import numpy as np

from acquisition.studies.reading import StudyMap
from navigation.decay import decay_factor
from navigation.hotspots import Hotspot, add_drawn
from navigation.outlines import Outline

NEAR_MM: Final = 5.0
"""So near to another spot it is that one: it is confirmed, not drawn again."""

RADIUS_MM: Final = 5.0
"""Of the ball that is drawn where nobody says how large: a node's."""

STEP_MM: Final = 2.5
"""Between the points at which the activity in a ball is read, at most: finer than any such image resolves."""

ESTIMATE_FACTOR: Final = 2.0
"""An activity that a person expects is known to a factor of this, 1 sigma."""

AHEAD: Final = timedelta(minutes=1)
"""So far two clocks may differ before a time lies ahead."""

LEAST_MBQ: Final = 1e-6
"""One decay a second: less than that is nothing."""

DrawnKind = Literal["target", "injection"]

Place = tuple[float, float, float]
"""LPS mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnSpot:
    """A spot that a person drew.

    Attributes
    ----------
    name, kind
        What it is.
    centre_mm
        LPS mm in the study's patient axes.
    activity_mbq, activity_at
        What a person expects in it, and when it is, or was, that much; None where the image is to say.
    radius_mm
        Of the ball that it was drawn as, in which the image's activity is read.
    at
        When she drew it.
    frame_of_reference_uid
        The space that the place is in; empty where its entry does not say, which is then the map's.

    """

    name: str
    kind: DrawnKind
    centre_mm: Place
    activity_mbq: float | None
    activity_at: datetime
    radius_mm: float
    at: datetime
    frame_of_reference_uid: str

    def has_place_in(self, found: StudyMap) -> bool:
        """Whether it was drawn in the space of a map: objects that came later may have changed that."""
        return self.frame_of_reference_uid in {"", found.study.frame_of_reference_uid}


def drawn_of(told: Mapping[str, Any], at: datetime) -> DrawnSpot:
    """Read a spot from its entry."""
    x_mm, y_mm, z_mm = told["centre_mm"]
    activity_at = told.get("activity_at")  # entries without one say what it was when they were made
    return DrawnSpot(
        name=told["name"],
        kind=told["as"],
        centre_mm=(x_mm, y_mm, z_mm),
        activity_mbq=told["activity_mbq"],
        activity_at=datetime.fromisoformat(activity_at) if activity_at else at,
        radius_mm=told.get("radius_mm", RADIUS_MM),  # older entries have none
        at=at,
        frame_of_reference_uid=told.get("frame_of_reference_uid", ""),
    )


def unused_name(kind: DrawnKind, names_drawn: Collection[str]) -> str:
    """Name a spot to which nobody gives a name: as none of the procedure was ever called."""
    word = "drawn target" if kind == "target" else "drawn site"
    return next(name for number in count(1) if (name := f"{word} {number}") not in names_drawn)


def refuse_drawing(
    found: StudyMap,
    drawn: Mapping[str, DrawnSpot],
    centre_mm: Place,
    *,
    name: str,
    taken_out: Collection[str],
) -> str | None:
    """Say why a spot cannot be drawn there and called so, or None.

    What is called as a spot that was ``taken_out`` of the patient would be left out of the estimate.
    """
    volume = found.study.anatomy or found.study.activity
    place_mm = np.array(centre_mm)
    if volume is None or not np.isfinite(volume.sample(place_mm[None, :], outside=nan)).all():
        return "that place lies outside of the study's images"
    others = {spot.name: spot.centre_mm for spot in found.hotspots}
    others |= {spot.name: np.array(spot.centre_mm) for spot in drawn.values() if spot.has_place_in(found)}
    if name in taken_out:
        return f"{name} was taken out: give this one another name"
    if name in others or name in drawn:
        return f"there is a {name} already: give it another name"
    for other, other_mm in others.items():
        apart_mm = float(np.linalg.norm(other_mm - place_mm))
        if apart_mm < NEAR_MM:
            return f"{other} is there already, {apart_mm:.0f} mm away: confirm that one"
    return None


def refuse_activity(
    activity_mbq: float | None, activity_at: datetime | None, *, half_life_s: float, now: datetime
) -> str | None:
    """Say why an activity that was so much at a time is not expected now, or None; no time is now."""
    if activity_mbq is None:
        return None if activity_at is None else "a time without an activity says nothing: give both, or neither"
    at = activity_at or now
    if at - now > AHEAD:
        return "the time of the activity lies ahead: give when it was so much"
    if activity_mbq * decay_factor(half_life_s=half_life_s, elapsed_s=(now - at).total_seconds()) < LEAST_MBQ:
        return "nothing is left of that activity by now: look at its time and its unit"
    return None


def misplaced(drawn: Iterable[DrawnSpot], found: StudyMap) -> str:
    """Say which spots have no place in a map, and so are neither believed nor shown; empty where all have."""
    lost = ", ".join(spot.name for spot in drawn if not spot.has_place_in(found))
    return f"{lost} was drawn in another space than the map has now and is left out: draw it again" if lost else ""


def spots_now(
    drawn: Sequence[DrawnSpot], found: StudyMap, *, left: float | None, half_life_s: float, now: datetime
) -> list[Hotspot]:
    """Place drawn spots on the map, each with its activity as it is now; None where nobody and no image says.

    One that has no place in the map is left out. ``left`` is the share of the scan's activity that is left.
    """
    return [
        _spot_now(each, found, left=left, half_life_s=half_life_s, now=now)
        for each in drawn
        if each.has_place_in(found)
    ]


def _spot_now(
    drawn: DrawnSpot, found: StudyMap, *, left: float | None, half_life_s: float, now: datetime
) -> Hotspot:
    spot = _in_image(drawn, found)
    if drawn.activity_mbq is not None:
        elapsed_s = (now - drawn.activity_at).total_seconds()
        expected_mbq = drawn.activity_mbq * decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)
        return replace(spot, activity_mbq=expected_mbq, activity_factor=ESTIMATE_FACTOR)
    in_image_mbq = spot.activity_mbq
    return replace(spot, activity_mbq=None if in_image_mbq is None or left is None else in_image_mbq * left)


def _in_image(drawn: DrawnSpot, found: StudyMap) -> Hotspot:
    activity, radius_mm = found.study.activity, drawn.radius_mm
    grid_mm = np.linspace(-radius_mm, radius_mm, 2 * ceil(radius_mm / STEP_MM) + 1)
    offsets_mm = np.stack(np.meshgrid(grid_mm, grid_mm, grid_mm), axis=-1).reshape(-1, 3)
    within_mm = offsets_mm[np.linalg.norm(offsets_mm, axis=1) <= radius_mm]
    ball = Outline(
        name=drawn.name,
        points_mm=np.array(drawn.centre_mm) + within_mm,
        volume_ml=4 / 3 * pi * radius_mm**3 / 1000,
        frame_of_reference_uid="" if activity is None else activity.geometry.frame_of_reference_uid,
        origin="drawn in the plan",
    )
    (spot,) = add_drawn((), [ball], activity, resolution=found.resolution)
    return replace(spot, kind=drawn.kind)

"""Targets that a person drew, beside those that were found."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from navigation.hotspots.finding import Hotspot
from navigation.hotspots.recovery import activity_factor
from navigation.outlines import Outline
from navigation.volume import Volume

NEAR_MM = 5.0
"""A found spot whose middle lies so near to a point of the drawing is the one that was drawn."""

DRAWN_SIGMA_MM = 2.0
"""How well a hand draws the middle of a target, a standard deviation an axis."""


def add_drawn(
    spots: Sequence[Hotspot],
    outlines: Sequence[Outline],
    activity: Volume | None,
    *,
    resolution_fwhm_mm: float = 9.0,
    registration_sigma_mm: float = 0.0,
) -> tuple[Hotspot, ...]:
    """Let drawn targets take the place of found spots within them, and add the others.

    A found spot keeps what was measured of it and takes the drawing's name; a drawing without one is placed at its
    middle, its activity the mean in it times its volume, where the volume is in Bq/mL.

    Raises
    ------
    NavigationError
        Where a drawing is in another frame of reference than the activity.

    """
    found = list(spots)
    taken = {spot.name for spot in found}
    for outline in outlines:
        name = _unused(outline.name, taken)
        taken.add(name)
        within = [place for place, spot in enumerate(found) if spot.origin == "found" and _holds(outline, spot)]
        if within:
            found[within[0]] = replace(found[within[0]], name=name, kind="target", origin=outline.origin)
        else:
            found.append(_from_outline(outline, name, activity, resolution_fwhm_mm, registration_sigma_mm))
    return tuple(found)


def _holds(outline: Outline, spot: Hotspot) -> bool:
    return float(np.linalg.norm(outline.points_mm - spot.centre_mm, axis=1).min()) < NEAR_MM


def _unused(name: str, taken: set[str]) -> str:
    names = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(one for one in names if one not in taken)


def _from_outline(
    outline: Outline, name: str, activity: Volume | None, resolution_fwhm_mm: float, registration_sigma_mm: float
) -> Hotspot:
    values = np.full(1, math.nan) if activity is None else outline.values_in(activity)
    is_whole = bool(np.isfinite(values).all())
    mean = float(values.mean()) if is_whole else math.nan
    is_activity = is_whole and activity is not None and activity.unit == "Bq/mL" and mean > 0
    diameter_mm = 2 * (3 * outline.volume_ml * 1000 / (4 * math.pi)) ** (1 / 3)
    return Hotspot(
        name=name,
        kind="target",
        centre_mm=outline.centre_mm,
        covariance_mm2=(DRAWN_SIGMA_MM**2 + registration_sigma_mm**2) * np.eye(3),
        activity_mbq=mean * outline.volume_ml / 1e6 if is_activity else None,
        activity_factor=activity_factor(diameter_mm, resolution_fwhm_mm),
        peak=float(values.max()) if is_whole else math.nan,
        mean=mean,
        volume_ml=outline.volume_ml,
        relative_to_hottest=math.nan,
        origin=outline.origin,
    )

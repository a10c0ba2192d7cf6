"""Targets that a person drew, beside those that were found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from navigation.hotspots.blobs import DIRECTIONS
from navigation.hotspots.finding import Hotspot
from navigation.hotspots.recovery import activity_factor, mean_recovery
from navigation.hotspots.resolution import Resolution
from navigation.outlines import Outline
from navigation.volume import Volume

NEAR_MM = 5.0
"""A found spot whose middle lies so near to a point of the drawing is the one that was drawn."""

DRAWN_SIGMA_MM = 2.0
"""How well a hand draws the middle of a target, a standard deviation an axis."""

AROUND_WIDTHS = 1.5
"""So many widths of a point beyond its edge a region's surroundings begin: a thousandth of it reaches there."""

LEAST_SNR = 2.0
"""A region whose mean stands less above the scatter of its surroundings does not stand out of them."""


def add_drawn(
    spots: Sequence[Hotspot],
    outlines: Sequence[Outline],
    activity: Volume | None,
    *,
    resolution: Resolution | None,
    registration_sigma_mm: float = 0.0,
) -> tuple[Hotspot, ...]:
    """Let drawn targets take the place of found spots within them, and add the others.

    A found spot keeps what was measured of it and takes the drawing's name; a drawing without one is placed at its
    middle, its activity what stands there above the surroundings, with what the blur has carried out of it, where
    the volume is in Bq/mL. ``resolution`` is the activity's; None where there is none.

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
            found.append(_from_outline(outline, name, activity, resolution, registration_sigma_mm))
    return tuple(found)


def _holds(outline: Outline, spot: Hotspot) -> bool:
    return float(np.linalg.norm(outline.points_mm - spot.centre_mm, axis=1).min()) < NEAR_MM


def _unused(name: str, taken: set[str]) -> str:
    names = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(one for one in names if one not in taken)


def _from_outline(
    outline: Outline,
    name: str,
    activity: Volume | None,
    resolution: Resolution | None,
    registration_sigma_mm: float,
) -> Hotspot:
    values = np.full(1, math.nan) if activity is None else outline.values_in(activity)
    is_whole = bool(np.isfinite(values).all())
    diameter_mm = 2 * (3 * outline.volume_ml * 1000 / (4 * math.pi)) ** (1 / 3)
    content = None
    if activity is not None and activity.unit == "Bq/mL" and is_whole and resolution is not None:
        content = _content(outline, float(values.mean()), diameter_mm, activity, resolution)
    factor = activity_factor(diameter_mm, resolution)
    return Hotspot(
        name=name,
        kind="target",
        centre_mm=outline.centre_mm,
        covariance_mm2=(DRAWN_SIGMA_MM**2 + registration_sigma_mm**2) * np.eye(3),
        activity_mbq=content.mbq if content else None,
        activity_factor=math.exp(math.hypot(math.log(factor), content.log_sigma)) if content else factor,
        peak=float(values.max()) if is_whole else math.nan,
        mean=float(values.mean()) if is_whole else math.nan,
        volume_ml=outline.volume_ml,
        relative_to_hottest=math.nan,
        origin=outline.origin,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """Activity of a drawn region, and how well its logarithm is known for its surroundings and the resolution."""

    mbq: float
    log_sigma: float


def _content(
    outline: Outline, mean: float, diameter_mm: float, activity: Volume, resolution: Resolution
) -> _Content | None:
    """Take the surroundings off a region's mean, and give back what the blur has carried out of it.

    None where it does not stand out of its surroundings: then the image does not say how much is in it.
    """
    around_mm = diameter_mm / 2 + AROUND_WIDTHS * resolution.fwhm_mm
    levels = activity.sample(outline.centre_mm + around_mm * DIRECTIONS, outside=math.nan)
    levels = levels[np.isfinite(levels)]
    if not len(levels):
        return None
    net, scatter = mean - float(np.median(levels)), float(levels.std())
    if net <= LEAST_SNR * scatter or net <= 0:
        return None
    kept, kept_least = (
        mean_recovery(diameter_mm, width_mm) for width_mm in (resolution.fwhm_mm, resolution.widest_mm)
    )
    return _Content(
        mbq=net * outline.volume_ml / kept / 1e6,
        log_sigma=math.hypot(scatter / net, math.log(kept / kept_least)),
    )

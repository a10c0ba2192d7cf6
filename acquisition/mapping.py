"""A study's map as what the estimator starts from."""

from dataclasses import replace
from datetime import datetime

from acquisition.archive import ArchivedStudy
from acquisition.studies import Study
from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.hotspots import Hotspot
from navigation.nuclides import Nuclide
from navigation.posterior import Estimator
from navigation.prior import Prior
from navigation.response import Response

SAME_HALF_LIFE = 0.02
"""Relative difference of half-lives that rounding in a file explains."""

LONGEST_HALF_LIVES = 20.0
"""After so many a millionth is left."""


def begin_estimate(archived: ArchivedStudy, response: Response, nuclide: Nuclide, *, now: datetime) -> Estimator:
    """Start an estimator from a study: hot spots decayed to now, skin from the CT.

    Raises
    ------
    NavigationError
        Where there is no skin (nobody would know how much tissue lies between probe and target, and a depth
        could only be guessed), or the hot spots make no prior; the message says why.

    """
    study, skin = archived.study, archived.map.skin
    if skin is None:
        raise NavigationError(archived.map.obstacle)
    left = _share_left(study, nuclide, now)
    return Estimator(response, Prior.from_hotspots([_decay(spot, left) for spot in archived.map.hotspots]), skin)


def _share_left(study: Study, nuclide: Nuclide, now: datetime) -> float | None:
    """Share of the scan's activity that is left; None where nothing can be said of it.

    That is so without a time of the scan, with one in the future, after so long that nothing measurable is left,
    and where the scan was of another nuclide: its map still says where, but not how much.
    """
    if study.taken_at is None:
        return None
    if study.half_life_s is not None and abs(study.half_life_s / nuclide.half_life_s - 1) > SAME_HALF_LIFE:
        return None
    elapsed_s = (now - study.taken_at).total_seconds()
    if not 0 <= elapsed_s <= LONGEST_HALF_LIVES * nuclide.half_life_s:
        return None
    return decay_factor(half_life_s=nuclide.half_life_s, elapsed_s=elapsed_s)


def _decay(spot: Hotspot, left: float | None) -> Hotspot:
    """Bring a hot spot's activity from the scan to now."""
    if spot.activity_mbq is None or left is None:
        return replace(spot, activity_mbq=None)
    return replace(spot, activity_mbq=spot.activity_mbq * left)

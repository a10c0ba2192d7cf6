"""A study's map as what the estimator starts from."""

from dataclasses import replace
from datetime import datetime

from acquisition.archive import ArchivedStudy
from navigation.hotspots import Hotspot
from navigation.nuclides import Nuclide
from navigation.posterior import Estimator
from navigation.prior import Prior
from navigation.response import Response


def begin_estimate(
    archived: ArchivedStudy, response: Response, nuclide: Nuclide, *, now: datetime
) -> Estimator | None:
    """Start an estimator from a study: hot spots decayed to now, skin from the CT; None where there is no skin.

    Without it nobody knows how much tissue lies between probe and target, and a depth could only be guessed.
    """
    study, skin = archived.study, archived.map.skin
    if skin is None:
        return None
    elapsed_s = None if study.taken_at is None else (now - study.taken_at).total_seconds()
    prior = Prior.from_hotspots([_decay(spot, nuclide, elapsed_s) for spot in archived.map.hotspots])
    return Estimator(response, prior, skin)


def _decay(spot: Hotspot, nuclide: Nuclide, elapsed_s: float | None) -> Hotspot:
    """Bring a hot spot's activity from the scan to now; unknown where the time of the scan is."""
    if spot.activity_mbq is None or elapsed_s is None:
        return replace(spot, activity_mbq=None)
    return replace(spot, activity_mbq=nuclide.activity_mbq(spot.activity_mbq, elapsed_s))

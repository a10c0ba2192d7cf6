"""What the map shows, as a surgeon plans by it: side, depth, activity now, and what to expect at the skin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acquisition.session.procedure import Sort
from acquisition.studies.reading import StudyMap
from navigation.hotspots import Hotspot
from navigation.hotspots.finding import Kind
from navigation.probe.response import Response
from navigation.steering.reach import land
from navigation.tissue import Tissue

MIDLINE_MM = 15.0
"""Closer to the middle of the scan than this no side is named: the midline is not where the table's middle is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSource:
    """A hot spot of the map.

    Attributes
    ----------
    name
        As on the map.
    proposed
        What it is taken for until a person says what it is.
    proposal
        What organ it may be instead, and why; "" for none.
    masking
        Which nodes beside it the image may not show; "" where that is no more than any spot hides.
    side
        ``"left"``, ``"right"`` or ``"midline"`` of the patient.
    depth_mm
        Under the skin of the CT; None where there is no skin near it.
    activity_mbq
        Decayed to the time of planning; None where the study does not say.
    skin_rate_cps
        Expected with the probe held to the skin straight above it; None without activity, skin or calibration.
    background_cps
        What of it does not decay.
    centre_mm
        LPS mm in the study's patient axes.
    drawn_radius_mm
        Of the ball that a person drew; None where the map shows it.

    """

    name: str
    proposed: Kind
    centre_mm: tuple[float, float, float]
    side: Literal["left", "right", "midline"]
    depth_mm: float | None
    activity_mbq: float | None
    skin_rate_cps: float | None
    background_cps: float
    drawn_radius_mm: float | None = None
    proposal: str = ""
    masking: str = ""

    @property
    def is_drawn(self) -> bool:
        """Whether a person drew it; else the map shows it."""
        return self.drawn_radius_mm is not None

    def after(self, share: float) -> "PlannedSource":
        """Say the same once a share of its activity is left."""
        rate_cps = self.skin_rate_cps
        return replace(
            self,
            activity_mbq=None if self.activity_mbq is None else self.activity_mbq * share,
            skin_rate_cps=None
            if rate_cps is None
            else (rate_cps - self.background_cps) * share + self.background_cps,
        )


def sorted_spots(spots: Sequence[Hotspot], sorts: Mapping[str, Sort]) -> list[Hotspot]:
    """Give the hot spots as a person sorted them: each of its kind, without those that are none of them."""
    kept = []
    for spot in spots:
        sort = sorts.get(spot.name, spot.kind)
        if sort != "neither":
            kept.append(replace(spot, kind=sort))
    return kept


def plan_of(
    found: StudyMap, response: Response | None, *, left: float | None, drawn: Sequence[Hotspot] = ()
) -> tuple[PlannedSource, ...]:
    """Look at each hot spot as it is now.

    Parameters
    ----------
    found
        The map.
    response
        Of the probe in hand; None without a calibration.
    left
        Share of the scan's activity that is left, None where not known.
    drawn
        Spots that a person drew, their activities as they are now.

    """
    activity = found.study.activity
    middle_mm = 0.0
    if activity is not None:
        corner = np.array(activity.geometry.shape) - 1
        middle_mm = float(activity.geometry.positions_mm(corner[None, :] / 2)[0, 0])
    mapped = [_planned(spot, found.skin, response, left=left, middle_mm=middle_mm) for spot in found.hotspots]
    added = [
        replace(
            _planned(spot, found.skin, response, left=1.0, middle_mm=middle_mm), drawn_radius_mm=_radius_mm(spot)
        )
        for spot in drawn
    ]
    return (*mapped, *added)


def _radius_mm(spot: Hotspot) -> float:
    """Of the ball that a spot was drawn as."""
    return float((3000 * spot.volume_ml / (4 * pi)) ** (1 / 3))


def _point(place_mm: NDArray[np.float64]) -> tuple[float, float, float]:
    x_mm, y_mm, z_mm = (float(value) for value in place_mm)
    return x_mm, y_mm, z_mm


def _planned(
    spot: Hotspot, skin: Tissue | None, response: Response | None, *, left: float | None, middle_mm: float
) -> PlannedSource:
    activity_mbq = None if spot.activity_mbq is None or left is None else spot.activity_mbq * left
    depth_mm = skin_rate_cps = None
    if skin is not None:
        centre_mm = spot.centre_mm[None, :]
        height_mm = float(skin.skin_at(centre_mm).height_mm[0])
        depth_mm = -height_mm if np.isfinite(height_mm) else None
        tip_mm, normal, is_landed = land(skin, centre_mm)
        if response is not None and activity_mbq is not None and is_landed[0]:
            per_mbq = response.expected_rate_cps(centre_mm, tip_mm, -normal, skin)
            skin_rate_cps = float(per_mbq[0, 0]) * activity_mbq + response.background_cps
    off_mm = float(spot.centre_mm[0]) - middle_mm
    side: Literal["left", "right", "midline"] = "left" if off_mm > 0 else "right"
    if abs(off_mm) < MIDLINE_MM:
        side = "midline"
    return PlannedSource(
        name=spot.name,
        proposed=spot.kind,
        centre_mm=_point(spot.centre_mm),
        proposal=spot.proposal,
        masking=spot.masking,
        side=side,
        depth_mm=depth_mm,
        activity_mbq=activity_mbq,
        skin_rate_cps=skin_rate_cps,
        background_cps=response.background_cps if response else 0.0,
    )

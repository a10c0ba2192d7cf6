"""Targets as a display shows them: what is believed, and where that lies seen from the probe."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from display.messages.estimate import TargetState
from display.messages.measures import Matrix, Point, SourceName
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.steering.guidance import bearing_of
from navigation.transforms import RigidTransform


def point(values: NDArray[np.float64]) -> Point:
    """Three numbers of an array."""
    x, y, z = (float(value) for value in values)
    return x, y, z


def matrix(values: NDArray[np.float64]) -> Matrix:
    """Three rows of an array."""
    return point(values[0]), point(values[1]), point(values[2])


def trusted_targets(posterior: Posterior) -> tuple[TargetEstimate, ...]:
    """Trust sources as far as they may be shown: none has a place where the counts contradict the estimate."""
    if posterior.is_consistent:
        return posterior.targets
    return tuple(
        replace(each, is_localisable=False, reason="the counts do not fit any position")
        for each in posterior.targets
    )


def _kind_of(estimate: TargetEstimate) -> SourceName:
    match estimate.kind:
        case "target" | "organ" as kind:
            return kind
        case _:
            return "injection"


def show_target(estimate: TargetEstimate, patient_from_tip: RigidTransform | None) -> TargetState:
    """Show one source; what cannot be located has no position, what has no pose no direction."""
    place = estimate if estimate.is_localisable else None
    bearing = None
    if place is not None and patient_from_tip is not None:
        bearing = bearing_of(place, patient_from_tip)
    return TargetState(
        name=estimate.name,
        kind=_kind_of(estimate),
        probability=estimate.presence,
        localisable=estimate.is_localisable,
        reason=estimate.reason,
        centre_mm=point(place.centre_mm) if place else None,
        covariance_mm2=matrix(place.covariance_mm2) if place else None,
        region_semi_axes_mm=point(place.region_semi_axes_mm) if place else None,
        region_axes=matrix(place.region_axes) if place else None,
        mapped_mm=None if estimate.mapped_mm is None else point(estimate.mapped_mm),
        activity_mbq=place.activity_mbq if place else None,
        tip_right_mm=bearing.right_mm if bearing else None,
        tip_up_mm=bearing.up_mm if bearing else None,
        tip_ahead_mm=bearing.ahead_mm if bearing else None,
        distance_mm=bearing.distance_mm if bearing else None,
        distance_half_width_mm=bearing.distance_half_width_mm if bearing else None,
        off_axis_deg=bearing.off_axis_deg if bearing else None,
    )

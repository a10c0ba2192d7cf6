"""Whether the registration is turned by half, by the counts: what they locate lies where the map is, turned.

RAS that was saved as LPS negates x and y of the landmarks, so that the registration is the true one followed by
half a turn about the z axis of the patient frame, exactly and wherever she lies: least squares give no other. What
is truly at a hot spot is then located at the hot spot turned.

Two stories are weighed by how likely they make what is located, places and activities: that the hot spots lie as
the map says, shifted as tissue shifts, or are anywhere at all; and that they lie so once turned. In either story
there may also be sources that are on no map. The registration is doubted where the second is by far the likelier,
look after look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from navigation.estimation.estimate import region_of
from navigation.estimation.judgement import GREATEST_SEMI_AXIS_MM, INFLATION
from navigation.estimation.mixture import Fit
from navigation.estimation.prior import Prior, SourcePrior

Array = NDArray[np.float64]

HALF_TURN = np.array((-1.0, -1.0, 1.0))
"""What takes RAS for LPS: half a turn about z, its own inverse."""

EVERY = 10
"""Readings between two looks."""

LOOKS = 3
"""Looks in a row that must tell it: what is located at one alone may be a source that moves on."""

LEAST_LEAD = 5.0
"""Natural logarithm of how much likelier the turned map must make what is located."""

VOLUME_MM3 = 5e5
"""Where a source may be that is on no map, or not where the map has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """That the registration seems to be turned by half.

    Attributes
    ----------
    log_evidence
        Natural logarithm of how much likelier that makes what is located than that it is not.

    """

    log_evidence: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Located:
    """A source that the counts locate.

    Attributes
    ----------
    position_mm, covariance_mm2
        Patient frame, shapes (3,) and (3, 3).
    log_activity, log_activity_sigma
        Of the natural logarithm of its activity in MBq.

    """

    position_mm: Array
    covariance_mm2: Array
    log_activity: float
    log_activity_sigma: float


class TurnWatch:
    """Looks after a registration as an estimate's readings come in; ``prior`` is the map.

    It tells a turn once: what is believed stays as it is until the estimate begins anew.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self._unlooked = self._agreeing = 0
        self._is_told = False

    def look(self, readings: int, fit: Fit | None) -> Turn | None:
        """Take in what is believed with so many more readings; say whether the registration seems to be turned."""
        self._unlooked += readings
        if fit is None or self._unlooked < EVERY:
            return None
        self._unlooked = 0
        lead = turned_lead(located(fit), self._prior)
        self._agreeing = self._agreeing + 1 if lead > LEAST_LEAD else 0
        if self._is_told or self._agreeing < LOOKS:
            return None
        self._is_told = True
        return Turn(log_evidence=lead)


def turned_lead(found: Sequence[Located], prior: Prior) -> float:
    """Logarithm of how much likelier the turned map makes what is located than the map as it is; 0 for nothing."""
    return _log_likelihood(found, prior, HALF_TURN) - _log_likelihood(found, prior, np.ones(3))


def located(fit: Fit) -> list[Located]:
    """Give those sources of a fit that are located."""
    return [each for number in range(len(fit.mixture)) if (each := _located(fit, number)) is not None]


def _located(fit: Fit, number: int) -> Located | None:
    """Give what is known of a source; None where it is not located."""
    covariance = fit.source_covariance(number) * INFLATION
    if region_of(covariance[:3, :3])[0][0] > GREATEST_SEMI_AXIS_MM:
        return None
    return Located(
        position_mm=fit.mixture.position_mm[number],
        covariance_mm2=covariance[:3, :3],
        log_activity=float(fit.mixture.log_activity[number]),
        log_activity_sigma=math.sqrt(float(covariance[3, 3])),
    )


def _log_likelihood(found: Sequence[Located], prior: Prior, turn: Array) -> float:
    """Say how likely what is located is by the map turned so, which source is which chosen for the best."""
    if not found:
        return 0.0
    spots = [each for each in prior.sources if each.centre_mm is not None]
    by_spot = [[_log_density(source, each, turn) for each in spots] for source in found]
    # each may be on no map instead
    unmapped = np.array([_log_density(source, prior.unmapped, turn) for source in found])
    off_map = np.where(np.eye(len(found), dtype=bool), unmapped, -np.inf)
    table = np.hstack((np.reshape(by_spot, (len(found), len(spots))), off_map))
    chosen = linear_sum_assignment(np.where(np.isfinite(table), -table, 1e12))
    return float(table[chosen].sum())


def _log_density(source: Located, spot: SourcePrior, turn: Array) -> float:
    """Logarithm of the density of a place and an activity as those of a spot, which is there, turned."""
    sigma = math.hypot(spot.log_activity_sigma, source.log_activity_sigma)
    activity = -0.5 * ((source.log_activity - spot.log_activity_mean) / sigma) ** 2 - math.log(sigma)
    place = math.log(max(spot.uniform_share, 1e-300) / VOLUME_MM3)
    if spot.centre_mm is not None and spot.covariance_mm2 is not None:
        covariance = spot.covariance_mm2 * np.outer(turn, turn) + source.covariance_mm2
        off_mm = source.position_mm - turn * spot.centre_mm
        square = float(off_mm @ np.linalg.solve(covariance, off_mm))
        height = -0.5 * float(np.linalg.slogdet(2 * np.pi * covariance)[1])
        place = float(np.logaddexp(place, math.log1p(-spot.uniform_share) + height - 0.5 * square))
    return math.log(spot.presence) + activity + place

"""The search everywhere: a lattice of possible positions over what the probe has looked at.

For one source, all others held, the likelihood of every lattice point is computed with its own best activity.
That gives the evidence that the source is there at all, a start for the fit that no earlier start decides, and
the shape of the posterior while it is too wide for a Gaussian.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.prior import SourcePrior
from navigation.response import Response
from navigation.tally import Tally

Array = NDArray[np.float64]

SPACING_MM = 8.0
"""Between neighbouring points: about the width of a likelihood's peak when a source is first noticed."""

REACH_MM = 75.0
"""Farthest point from the tip that is searched."""

FIELD_COSINE = 0.7
"""Points are searched within 45 degrees of the axis: beyond, a probe hardly counts."""

NEW_VIEW_MM = 8.0
"""Once a point 25 mm ahead of the tip has moved this far from all former ones, points are added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One source tried at every lattice point.

    Attributes
    ----------
    log_activity
        Best logarithm of activity (MBq) at each point, shape (M,).
    log_weight
        Log of posterior mass of each cell over that of "no such source", the activity integrated out, shape (M,).
    log_evidence
        Log of the ratio of evidence with the source to evidence without, prior odds not included.

    """

    log_activity: Array
    log_weight: Array
    log_evidence: float


class Lattice:
    """Points that the probe has looked at, and the rate of 1 MBq at each for every row of a tally.

    Attributes
    ----------
    points_mm
        Shape (M, 3), patient frame.

    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self._keys: set[tuple[int, int, int]] = set()
        self._centres_mm = np.zeros((0, 3))
        self.points_mm = np.zeros((0, 3))
        self._rates = np.zeros((0, 0), dtype=np.float32)
        steps = np.arange(-int(REACH_MM // SPACING_MM) - 1, int(REACH_MM // SPACING_MM) + 2)
        self._cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)

    @property
    def volume_mm3(self) -> float:
        """Volume that is searched."""
        return max(len(self.points_mm), 1) * SPACING_MM**3

    def extend(self, tally: Tally, added: int) -> None:
        """Take in the last ``added`` rows of a tally: new points first, then their rates."""
        first = len(tally) - added
        fresh = self._fresh_points(tally, first)
        if len(fresh):
            older = self._rates_of(fresh, tally, slice(0, first))
            self._rates = np.hstack((self._rates, older))
            self.points_mm = np.concatenate((self.points_mm, fresh))
        newer = self._rates_of(self.points_mm, tally, slice(first, None))
        self._rates = np.vstack((self._rates, newer))

    def merge(self, group: NDArray[np.intp], live_time_s: Array) -> None:
        """Merge rows as the tally did: the mean over each group, weighted by live time."""
        share = np.zeros((int(group.max()) + 1, len(group)), dtype=np.float32)
        share[group, np.arange(len(group))] = live_time_s
        self._rates = (share / share.sum(axis=1, keepdims=True)) @ self._rates

    def _rates_of(self, points_mm: Array, tally: Tally, rows: slice) -> NDArray[np.float32]:
        tips = tally.tip_mm[rows]
        rates = np.zeros((len(tips), len(points_mm)), dtype=np.float32)
        whole = np.arange(len(tally))[rows]
        for start in range(0, len(tips), 64):
            chosen = whole[start : start + 64]
            rates[start : start + 64] = self._response.rate_and_gradient(
                points_mm, tally.tip_mm[chosen], tally.axis[chosen], tally.skin.take(chosen)
            )[0]
        return rates

    def _fresh_points(self, tally: Tally, first: int) -> Array:
        fresh: list[Array] = []
        for row in range(first, len(tally)):
            tip, axis = tally.tip_mm[row], tally.axis[row]
            centre = tip + 25 * axis
            if len(self._centres_mm) and np.linalg.norm(self._centres_mm - centre, axis=1).min() < NEW_VIEW_MM:
                continue
            self._centres_mm = np.concatenate((self._centres_mm, centre[None]))
            cells = self._cube + np.round(tip / SPACING_MM).astype(int)
            points = cells * SPACING_MM
            offset = points - tip
            distance = np.linalg.norm(offset, axis=1)
            above = max(0.0, float(np.nan_to_num(tally.skin.height_mm[row], posinf=0.0)))
            is_below = (offset @ axis > FIELD_COSINE * distance) & (distance < REACH_MM)
            if np.isfinite(tally.skin.height_mm[row]):
                is_below &= offset @ tally.skin.normal[row] <= -above
            for cell, point in zip(cells[is_below].tolist(), points[is_below], strict=True):
                key = (cell[0], cell[1], cell[2])
                if key not in self._keys:
                    self._keys.add(key)
                    fresh.append(point)
        return np.array(fresh).reshape(-1, 3)

    def scan(self, prior: SourcePrior, tally: Tally, others_cps: Array, weight: Array) -> Scan:
        """Try one source at every point.

        Parameters
        ----------
        prior
            Of that source.
        tally
            The counts.
        others_cps
            True rate of everything else at each row, background included, shape (N,).
        weight
            How much each row's likelihood counts, shape (N,).

        """
        live = weight * tally.live_time_s / (1 + others_cps * self._response.dead_time_s)
        is_counted = tally.counts > 0
        counted = (weight * tally.counts)[is_counted].astype(np.float32)
        relative = self._rates[is_counted] / others_cps[is_counted, None].astype(np.float32)
        exposure = (live.astype(np.float32) @ self._rates).astype(np.float64)
        mean, sigma = prior.log_activity_mean, prior.log_activity_sigma

        def gain_at(log_activity: Array) -> Array:
            activity = np.exp(log_activity)
            logs = counted @ np.log(1 + relative * activity.astype(np.float32))
            off = (log_activity - mean) / sigma
            return np.asarray(logs - activity * exposure - 0.5 * off**2)

        starts = [np.full(len(self.points_mm), mean + each * sigma) for each in (-1.2, 0.8)]
        gains = np.stack([gain_at(start) for start in starts])
        best = gains.argmax(axis=0)
        log_activity = np.choose(best, starts)
        for _ in range(3):
            scaled = relative * np.exp(log_activity).astype(np.float32)
            share = scaled / (1 + scaled)
            slope = counted @ share - np.exp(log_activity) * exposure - (log_activity - mean) / sigma**2
            curvature = counted @ np.square(share) + 1 / sigma**2
            log_activity = log_activity + np.clip(slope / curvature, -1.0, 1.0)
        gain = gain_at(log_activity) - 0.5 * np.log(curvature * sigma**2)
        better = gains.max(axis=0) - 0.5 * np.log(curvature * sigma**2) > gain
        gain = np.where(better, gains.max(axis=0) - 0.5 * np.log(curvature * sigma**2), gain)
        log_activity = np.where(better, np.choose(best, starts), log_activity)
        log_density = prior.log_density(self.points_mm, self.volume_mm3)[0]
        log_mass = log_density + np.log(SPACING_MM**3)
        unseen = max(1.0 - float(np.exp(log_mass).sum()), 0.0)
        log_weight = log_mass + gain
        evidence = float(np.logaddexp.reduce(log_weight))
        if unseen > 0:
            evidence = float(np.logaddexp(evidence, np.log(unseen)))
        return Scan(log_activity=log_activity, log_weight=log_weight, log_evidence=evidence)

"""The search everywhere: a lattice of possible positions over what the probe has looked at.

For one source, all others held, the likelihood of every lattice point is computed with its own best activity
(``navigation.estimation.marginal``). That gives the evidence that the source is there at all, a start for the fit
that no earlier start decides, and the shape of the posterior while it is too wide for a Gaussian.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from navigation.estimation.marginal import Marginal
from navigation.estimation.prior import SourcePrior
from navigation.estimation.tally import Tally
from navigation.probe.response import Response

Array = NDArray[np.float64]

SPACING_MM = 8.0
"""Between neighbouring points: about the width of a likelihood's peak when a source is first noticed."""

REACH_MM = 75.0
"""Farthest point from the tip that is searched."""

FIELD_COSINE = 0.7
"""Points are searched within 45 degrees of the axis: beyond, a probe hardly counts."""

NEW_VIEW_MM = 8.0
"""Once a point 25 mm ahead of the tip has moved this far from all former ones, points are added."""

RATES_A_READING = 16_000
"""Rates of new points at old poses that are computed for each reading taken in: the other new points wait."""

FAINTEST_CPS = 1e-3
"""Added to rates of 1 MBq before they are compared: fainter than this does not count."""

_ROWS_AT_ONCE = 64
_CORNERS = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)


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
        self._known: set[tuple[int, int, int]] = set()
        self._number_at: dict[tuple[int, int, int], int] = {}
        self._centres_mm = np.zeros((0, 3))
        self._waiting_mm = np.zeros((0, 3))
        self.points_mm = np.zeros((0, 3))
        self._rows = 0
        # grown by doubling: a reading then costs its own rates, not a copy of all
        self._room = np.zeros((0, 0), dtype=np.float32)
        self._marginal = Marginal()
        steps = np.arange(-int(REACH_MM // SPACING_MM) - 1, int(REACH_MM // SPACING_MM) + 2)
        self._cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)

    @property
    def volume_mm3(self) -> float:
        """Volume that is searched."""
        return max(len(self.points_mm), 1) * SPACING_MM**3

    @property
    def rates(self) -> NDArray[np.float32]:
        """Rate of what was 1 MBq when the tally began, cps, shape (N, M); a view, good until the next change."""
        return self._room[: self._rows, : len(self.points_mm)]

    def extend(self, tally: Tally, added: int) -> None:
        """Take in the last ``added`` rows of a tally: their rates, then points that they are the first to see.

        Of many new points only so many enter with each reading that an update's time stays flat.
        """
        first = len(tally) - added
        size = len(self.points_mm)
        self._reserve(len(tally), size)
        self._rows = len(tally)
        self._fill(self.points_mm, tally, slice(first, None), slice(0, size))
        self._waiting_mm = np.concatenate((self._waiting_mm, self._fresh_points(tally, first)))
        entering = min(len(self._waiting_mm), RATES_A_READING * added // len(tally) + 1)
        if entering:
            self._reserve(len(tally), size + entering)
            self._fill(self._waiting_mm[:entering], tally, slice(0, None), slice(size, size + entering))
            for number, cell in enumerate(_cells(self._waiting_mm[:entering])):
                self._number_at[cell] = size + number
            self.points_mm = np.concatenate((self.points_mm, self._waiting_mm[:entering]))
            self._waiting_mm = self._waiting_mm[entering:]

    def merge(self, group: NDArray[np.intp], live_time_s: Array) -> None:
        """Merge rows as the tally did: the mean over each group, weighted by live time."""
        total = np.bincount(group, live_time_s)
        share = (live_time_s / total[group]).astype(np.float32)
        merged = csr_array((share, (group, np.arange(len(group)))), shape=(len(total), len(group))) @ self.rates
        self._rows = len(total)
        self.rates[:] = merged

    def _reserve(self, rows: int, points: int) -> None:
        has_rows, has_points = self._room.shape
        if rows > has_rows or points > has_points:
            room = np.zeros(
                (
                    has_rows if rows <= has_rows else max(rows, 2 * has_rows),
                    has_points if points <= has_points else max(points, 2 * has_points),
                ),
                dtype=np.float32,
            )
            room[: self._rows, : len(self.points_mm)] = self.rates
            self._room = room

    def _fill(self, points_mm: Array, tally: Tally, rows: slice, columns: slice) -> None:
        whole = np.arange(len(tally))[rows]
        for start in range(0, len(whole), _ROWS_AT_ONCE):
            chosen = whole[start : start + _ROWS_AT_ONCE]
            rate = self._response.rate_cps(
                points_mm, tally.tip_mm[chosen], tally.axis[chosen], tally.skin.take(chosen)
            )
            self._room[chosen[0] : chosen[-1] + 1, columns] = rate * tally.strength[chosen, None]

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
                if key not in self._known:
                    self._known.add(key)
                    fresh.append(point)
        return np.array(fresh).reshape(-1, 3)

    def log_mean_over_middle(self, position_mm: Array, tally: Tally) -> Array:
        """Log of the mean rate over a row's poses, over that at its mean pose, for each source; shape (N, K).

        A merged row stands for poses between which the rate may change severalfold at the edge of the field. What
        it should have counted is known exactly at the lattice's points; between them it is interpolated, and zero
        where the probe has not looked.
        """
        found = np.zeros((len(tally), len(position_mm)))
        merged = np.flatnonzero(tally.is_merged)
        if not len(merged):
            return found
        skin = tally.skin.take(merged)
        for source, position in enumerate(position_mm):
            corner = np.floor(position / SPACING_MM).astype(int)
            cells = corner + _CORNERS
            numbers = [self._number_at.get((cell[0], cell[1], cell[2])) for cell in cells.tolist()]
            chosen = np.array([number for number in numbers if number is not None], dtype=np.intp)
            if not len(chosen):
                continue
            near = 1 - np.abs(self.points_mm[chosen] / SPACING_MM - position / SPACING_MM)
            share = np.maximum(near, 1e-3).prod(axis=1)
            at_middle = self._response.rate_cps(
                self.points_mm[chosen], tally.tip_mm[merged], tally.axis[merged], skin
            )
            at_middle *= tally.strength[merged, None]
            mean = self.rates[np.ix_(merged, chosen)].astype(np.float64)
            found[merged, source] = np.log((mean + FAINTEST_CPS) / (at_middle + FAINTEST_CPS)) @ (
                share / share.sum()
            )
        return found

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
        log_density = prior.log_density(self.points_mm, self.volume_mm3)[0]
        log_mass = log_density + np.log(SPACING_MM**3)
        log_activity, log_weight = self._marginal.over_activity(
            self.rates,
            others_cps,
            counted=weight * tally.counts,
            live_time_s=weight * tally.live_time_s / (1 + others_cps * self._response.dead_time_s),
            log_mass=log_mass,
            mean=prior.log_activity_mean,
            sigma=prior.log_activity_sigma,
        )
        unseen = max(1.0 - float(np.exp(log_mass).sum()), 0.0)
        evidence = float(np.logaddexp.reduce(log_weight))
        if unseen > 0:
            evidence = float(np.logaddexp(evidence, np.log(unseen)))
        return Scan(log_activity=log_activity, log_weight=log_weight, log_evidence=evidence)


def _cells(points_mm: Array) -> list[tuple[int, int, int]]:
    return [(cell[0], cell[1], cell[2]) for cell in np.round(points_mm / SPACING_MM).astype(int).tolist()]

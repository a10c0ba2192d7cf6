"""One source at every point of a lattice: its best activity there, and the likelihood whatever its activity.

At a point with rates r of 1 MBq over a rate o of everything else, counts c and live times t, an activity a gains

    g(a) = sum_i c_i log(1 + a r_i / o_i) - a sum_i t_i r_i - (log a - mean)^2 / (2 sigma^2)

over "no such source". Its integral over log a is Laplace's, about the maximum. The sum of logarithms costs an
update most of its time, so neighbouring readings are summed up first: by Jensen's inequality,

    sum_i c_i log(1 + x_i) <= C log(1 + u),   C = sum c_i,  u = sum c_i x_i / C,

so that a group's logarithm bounds those of its readings from above, and its variance v tells by how much, to
second order: C v / (2 (1 + u)^2). Where that is small it is taken off and the point is done; elsewhere, points are
computed reading by reading, highest bound first, until no bound left reaches what was found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Single = NDArray[np.float32]

GROUPED = 8
"""Rows to a group: they follow each other in time or in place, so that they are alike."""

REGROUPED = 4
"""Groups to a group where the climb's start is sought."""

STARTS = (-4.0, -2.4, -1.2, -0.2, 0.8)
"""Where the climb may start: standard deviations of the log activity's prior from its mean."""

GROUPED_STEPS, SINGLE_STEPS = 3, 6
"""Newton's steps at most, on groups and from there on single rows: fewer where all points have settled."""

SETTLED = 0.1
"""Last step, in log activity, that is small enough for a parabola."""

SMALL = 0.3
"""Second-order correction, in nats, up to which higher orders do not show."""

MARGIN = 15.0
"""Nats under the best point below which a point's share in any sum is nothing."""

_FEW_POINTS, _MANY_POINTS = 32, 128
"""Points computed reading by reading at once: first, as they often suffice, and then as a cache holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Activity:
    """The log-normal prior of the activity, and what 1 MBq at each point would have counted."""

    mean: float
    sigma: float
    exposure: Array

    def at(self, chosen: NDArray[np.intp]) -> _Activity:
        return _Activity(mean=self.mean, sigma=self.sigma, exposure=self.exposure[chosen])

    def log_density(self, log_activity: Array) -> Array:
        """Of the activity, and of what it leaves uncounted."""
        off = (log_activity - self.mean) / self.sigma
        return np.asarray(-np.exp(log_activity) * self.exposure - 0.5 * off**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peak:
    """Maximum over the activity at each point: where, how high, and its curvature."""

    log_activity: Array
    gain: Array
    curvature: Array

    def log_integral(self, sigma: float) -> Array:
        """Over the prior of the log activity, by Laplace."""
        return np.asarray(self.gain - 0.5 * np.log(self.curvature * sigma**2))


def _grouped(counted: Single, weight: Single, rows: Single, size: int) -> tuple[Single, Single]:
    """Sum up ``size`` rows each: counts (G,), and the weighted sum of ``rows`` (N, M) for each count, (G, M)."""
    total = np.add.reduceat(counted, np.arange(0, len(counted), size))
    whole = len(counted) // size
    sums = np.empty((len(total), rows.shape[1]), dtype=np.float32)
    parts = rows[: whole * size].reshape(whole, size, rows.shape[1])
    np.matmul(weight[: whole * size].reshape(whole, 1, size), parts, out=sums[:whole, None])
    if whole < len(total):
        np.matmul(weight[whole * size :], rows[whole * size :], out=sums[whole])
    sums /= np.where(total > 0, total, 1)[:, None]
    return total, sums


def _started(activity: _Activity, counted: Single, relative: Single) -> Array:
    """Best of ``STARTS`` at each point, on rows summed up once more."""
    counted, relative = _grouped(counted, counted, relative, REGROUPED)
    starts = activity.mean + activity.sigma * np.array(STARTS)
    gains = [
        counted @ np.log1p(relative * np.float32(np.exp(start))) + activity.log_density(start) for start in starts
    ]
    return np.asarray(starts[np.argmax(gains, axis=0)])


def _climbed(activity: _Activity, counted: Single, relative: Single, log_activity: Array, steps: int) -> _Peak:
    """Climb by Newton's steps, the last one by the parabola alone."""
    scaled, share = np.empty_like(relative), np.empty_like(relative)
    step = np.zeros(len(log_activity))
    for _ in range(steps):
        log_activity = log_activity + step
        np.multiply(relative, np.exp(log_activity).astype(np.float32), out=scaled)
        np.add(scaled, 1, out=share)
        np.divide(scaled, share, out=share)
        pull = (log_activity - activity.mean) / activity.sigma**2
        slope = counted @ share - np.exp(log_activity) * activity.exposure - pull
        np.square(share, out=share)
        # the second derivative itself is its slope less; below the mean it is no less than what is kept of it
        information = counted @ share + activity.sigma**-2
        step = np.clip(slope / (information + np.maximum(-slope - pull, 0)), -1.5, 1.5)
        if np.abs(step).max(initial=0.0) < SETTLED:
            break
    curvature = np.asarray(information + np.maximum(-pull, 0), dtype=np.float64)
    gain = counted @ np.log1p(scaled, out=scaled) + activity.log_density(log_activity)
    return _Peak(log_activity=log_activity + step, gain=gain + 0.5 * slope * step, curvature=curvature)


def _correction(peak: _Peak, counted: Single, mean: Single, square: Single) -> tuple[Array, Array]:
    """Second-order loss by grouping at the peak, nats, and its derivative by the log activity.

    ``mean`` and ``square`` are the groups' first and second moments, shape (G, M).
    """
    activity = np.exp(peak.log_activity).astype(np.float32)
    rest = 1 / (1 + mean * activity)
    variance = np.maximum(square - np.square(mean), 0) * np.square(rest * activity)
    loss = counted @ variance
    variance *= rest
    return 0.5 * loss, counted @ variance


class Marginal:
    """Working memory of the sums below, kept from update to update."""

    def __init__(self) -> None:
        self._room = np.zeros(0, dtype=np.float32)

    def over_activity(
        self,
        rates: Single,
        others_cps: Array,
        *,
        counted: Array,
        live_time_s: Array,
        log_mass: Array,
        mean: float,
        sigma: float,
    ) -> tuple[Array, Array]:
        """Integrate one source's activity out at every point.

        Parameters
        ----------
        rates
            Of 1 MBq at each of M points in each of N rows, shape (N, M), cps.
        others_cps
            True rate of everything else, shape (N,); positive.
        counted, live_time_s
            Counts and the time that they took, both times the row's weight, dead time taken off, shape (N,).
        log_mass
            Logarithm of each point's prior probability, shape (M,).
        mean, sigma
            Of the prior of the log activity.

        Returns
        -------
        log_activity, log_weight
            Best log activity (MBq) at each point, and the logarithm of the point's posterior mass over that of
            "no such source", shape (M,). A point that lies more than ``MARGIN`` below the best one may be given
            more than its mass, never so much that it came within the margin.

        """
        exposure = (live_time_s.astype(np.float32) @ rates).astype(np.float64)
        activity = _Activity(mean=mean, sigma=sigma, exposure=exposure)
        total, first, second = self._moments(rates, others_cps, counted)
        peak = _climbed(activity, total, first, _started(activity, total, first), GROUPED_STEPS)
        bound = log_mass + peak.log_integral(sigma)
        loss, loss_slope = _correction(peak, total, first, second)
        is_done = loss < SMALL
        log_activity = peak.log_activity - np.minimum(loss_slope / peak.curvature, 1.0)
        log_weight = np.where(is_done, bound - loss + 0.5 * loss_slope**2 / peak.curvature, bound)

        best = float(log_weight[is_done].max(initial=-np.inf))
        order = np.flatnonzero(~is_done)
        order = order[np.argsort(-bound[order], kind="stable")]
        seen = np.flatnonzero(counted > 0)
        counted_seen, others_seen = counted[seen].astype(np.float32), others_cps[seen].astype(np.float32)
        for start in (0, *range(_FEW_POINTS, len(order), _MANY_POINTS)):
            chosen = order[start : start + (_MANY_POINTS if start else _FEW_POINTS)]
            if not len(chosen) or bound[chosen[0]] < best - MARGIN:
                break
            relative = rates[:, chosen][seen]
            relative /= others_seen[:, None]
            exact = _climbed(activity.at(chosen), counted_seen, relative, log_activity[chosen], SINGLE_STEPS)
            log_activity[chosen] = exact.log_activity
            log_weight[chosen] = log_mass[chosen] + exact.log_integral(sigma)
            best = max(best, float(log_weight[chosen].max()))
        return log_activity, log_weight

    def _moments(self, rates: Single, others_cps: Array, counted: Array) -> tuple[Single, Single, Single]:
        """Sum up rows: counts (G,), first and second moment of the relative rate (G, M), of each group."""
        if self._room.size < rates.size:
            self._room = np.empty(2 * rates.size, dtype=np.float32)
        squares = np.square(rates, out=self._room[: rates.size].reshape(rates.shape))
        counted_single = counted.astype(np.float32)
        total, first = _grouped(counted_single, (counted / others_cps).astype(np.float32), rates, GROUPED)
        second = _grouped(counted_single, (counted / others_cps**2).astype(np.float32), squares, GROUPED)[1]
        return total, first, second

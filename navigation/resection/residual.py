"""Likelihood of an activity at an uncertain place, what else is counted there integrated out.

A reading counts n of Poisson mean t m(A r(x) + b u + o v): r the rate of 1 MBq at x, b the background, o what
other sources give, m the dead time. Background and others are right up to a factor, u and v, with gamma priors of
mean 1 and the stated relative errors: the conjugate choice, which for a single reading gives Loredo's closed form
(Maximum Entropy and Bayesian Methods, 1990, 81). The factors are integrated out by adaptive Gauss-Hermite
quadrature about their mode (Liu & Pierce, Biometrika 81 (1994) 624) and the place by the product rule of three
Gauss-Hermite points an axis, so the result is the same on every run.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]

ALIKE = 0.05
"""Consecutive readings whose rates differ less than this are one reading: a probe held still."""

CELL_MM, CELL_AXIS = 1.5, 0.06
"""Smallest cells in which many readings are grouped: of the tip, and of the components of the axis."""

GRID = 41
"""Activities tried at each place, over the range where they are likely at all."""

DEPTH = 14.0
"""That range: where the log-likelihood is less than this below its maximum."""

FINE_GRID = 241
"""Activities tried over that range once it is found."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_LEAST_CPS = 1e-12
_NO_STEP = 1e-300
_NEWTON_STEPS = 8
_ZOOMS = 12


def groups_of(tip_mm: Array, axis: Array, most: int) -> NDArray[np.intp]:
    """Group readings by like pose, tips (N, 3), mm, and axes (N, 3), into at most so many groups.

    Cells of tip and axis grow until they are few enough. Groups are numbered by their newest reading, so that the
    last one holds the last pose.
    """
    growth = 1.0
    while True:
        cells = np.hstack((np.round(tip_mm / (CELL_MM * growth)), np.round(axis / (CELL_AXIS * growth))))
        group = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
        if group.max() < most:
            break
        growth *= 1.2
    newest = np.zeros(int(group.max()) + 1, dtype=np.intp)
    newest[group] = np.arange(len(group))
    return np.asarray(newest.argsort().argsort()[group], dtype=np.intp)


def places_of(centre_mm: Array, covariance_mm2: Array) -> tuple[Array, Array]:
    """Points (27, 3), mm, and weights (27,) that stand for a Gaussian: exact for polynomials up to degree five."""
    values, vectors = np.linalg.eigh(covariance_mm2)
    spread = vectors * np.sqrt(np.maximum(values, 0.0))
    axis = ((-np.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (np.sqrt(3.0), 1 / 6))
    nodes = np.array([[each[0] for each in node] for node in product(axis, repeat=3)])
    weights = np.array([np.prod([each[1] for each in node]) for node in product(axis, repeat=3)])
    return centre_mm + nodes @ spread.T, weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """Counts at N poses and what is expected there from K possible places.

    Attributes
    ----------
    counts, live_time_s
        Shape (N,).
    rate_cps
        Of 1 MBq at each place, shape (N, K).
    background_cps, others_cps
        True rates of the rest, shape (N,).
    background_error, others_error
        Their relative standard errors, common to all readings.
    dead_time_s
        Non-paralysable.

    """

    counts: Array
    live_time_s: Array
    rate_cps: Array
    background_cps: Array
    others_cps: Array
    background_error: float
    others_error: float
    dead_time_s: float

    def joined(self) -> Self:
        """Join runs of readings that expect nearly the same: the same likelihood from fewer rows."""
        seen = np.column_stack((self.rate_cps, self.others_cps))
        runs = np.zeros(len(seen), dtype=np.intp)
        first = 0
        for row in range(1, len(seen)):
            is_new = bool((np.abs(seen[row] - seen[first]) > ALIKE * seen[first]).any())
            runs[row] = runs[row - 1] + is_new
            first = row if is_new else first
        return self.pooled(runs)

    def pooled(self, group: NDArray[np.intp]) -> Self:
        """Add up the readings of each group (N,), numbered from 0.

        A sum of Poisson counts is one of the summed mean, so the likelihood stays true whatever is added up; what
        is lost is only what the readings of a group tell apart.
        """
        live = np.bincount(group, self.live_time_s).astype(np.float64)

        def mean(rates: Array) -> Array:
            total = np.zeros((len(live), *rates.shape[1:]))
            np.add.at(total, group, (rates.T * self.live_time_s).T)
            return np.asarray((total.T / live).T)

        return replace(
            self,
            counts=np.bincount(group, self.counts).astype(np.float64),
            live_time_s=live,
            rate_cps=mean(self.rate_cps),
            background_cps=mean(self.background_cps),
            others_cps=mean(self.others_cps),
        )

    def lengthened(self, activity_mbq: float, place: int, more_s: float) -> Self:
        """Add what holding on at the last pose would be expected to count, were so much at that place."""
        true_cps = activity_mbq * self.rate_cps[-1, place] + self.background_cps[-1] + self.others_cps[-1]
        counted = more_s * true_cps / (1 + true_cps * self.dead_time_s)
        last = np.arange(len(self.counts) + 1)
        last[-1] -= 1
        return replace(
            self,
            counts=np.append(self.counts, counted),
            live_time_s=np.append(self.live_time_s, more_s),
            rate_cps=self.rate_cps[last],
            background_cps=self.background_cps[last],
            others_cps=self.others_cps[last],
        )

    def expected_counts(self, activity_mbq: Array) -> Array:
        """Mean counts for activities (K, G), one row a place: shape (K, G, N)."""
        true_cps = activity_mbq[..., None] * self.rate_cps.T[:, None, :] + self.background_cps + self.others_cps
        return np.asarray(self.live_time_s * true_cps / (1 + true_cps * self.dead_time_s))

    def log_likelihood(self, activity_mbq: Array) -> Array:
        """Log-likelihood of activities (K, G), one row a place, factors integrated out: shape (K, G)."""
        fixed = activity_mbq[..., None] * self.rate_cps.T[:, None, :]
        uncertain, shapes = [], []
        for rate_cps, error in (
            (self.background_cps, self.background_error),
            (self.others_cps, self.others_error),
        ):
            if error > 0 and rate_cps.any():
                uncertain.append(rate_cps)
                shapes.append(error**-2)
            else:
                fixed = fixed + rate_cps
        if not uncertain:
            return self._log_poisson(fixed)
        return self._integrated(fixed, np.array(uncertain), np.array(shapes))

    def _log_poisson(self, true_cps: Array) -> Array:
        true_cps = np.maximum(true_cps, _LEAST_CPS)
        counted = true_cps / (1 + true_cps * self.dead_time_s)
        # against a mean equal to the count, so that nothing large is subtracted
        mean, counts = self.live_time_s * counted, self.counts
        saturated = np.maximum(counts, _LEAST_CPS)
        return np.asarray((counts * np.log(mean / saturated) - mean + counts).sum(axis=-1))

    def _integrated(self, fixed: Array, uncertain: Array, shapes: Array) -> Array:
        """Integrate over the logarithms of the factors, shape (K, G, P)."""

        def log_density(log_factor: Array) -> Array:
            factor = np.exp(log_factor)
            log_prior = ((log_factor - factor + 1) * shapes).sum(axis=-1)
            return np.asarray(self._log_poisson(fixed + factor @ uncertain) + log_prior)

        mode = np.zeros((*fixed.shape[:2], len(shapes)))
        information = np.zeros((*mode.shape, len(shapes)))
        for _ in range(_NEWTON_STEPS):
            factor = np.exp(mode)
            true_cps = np.maximum(fixed + factor @ uncertain, _LEAST_CPS)
            alive = 1 + true_cps * self.dead_time_s
            slope = self.counts / (true_cps * alive) - self.live_time_s / alive**2
            weight = self.live_time_s / (true_cps * alive**3)
            gradient = factor * (slope @ uncertain.T) + shapes * (1 - factor)
            information = (weight @ (uncertain[:, None] * uncertain).reshape(-1, len(self.counts)).T).reshape(
                information.shape
            ) * (factor[..., None] * factor[..., None, :])
            information = information + np.eye(len(shapes)) * (shapes * factor)[..., None]
            step = np.linalg.solve(information, gradient[..., None])[..., 0]
            mode = mode + np.clip(step, -1.0, 1.0)
        spread = np.linalg.cholesky(np.linalg.inv(information))
        terms = []
        for chosen in product(range(len(_NODES)), repeat=len(shapes)):
            node = _NODES[list(chosen)]
            log_weight = np.log(_WEIGHTS[list(chosen)]).sum() + 0.5 * (node**2).sum()
            terms.append(log_weight + log_density(mode + spread @ node))
        log_scale = np.log(np.diagonal(spread, axis1=-2, axis2=-1)).sum(axis=-1)
        return np.asarray(logsumexp(np.array(terms), axis=0) + log_scale)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivityLikelihood:
    """Likelihood of the activity, as atoms that a sum over stands for an integral.

    Attributes
    ----------
    activity_mbq
        Of each atom, rising for each place, shape (K, G), MBq.
    log_likelihood
        There, the place's weight in it, shape (K, G).
    log_mass
        The same times the step in activity: the posterior under a flat prior, not normalised, shape (K, G).
    best_mbq, best_place
        Activity of the greatest likelihood, and the place that speaks most for it.

    """

    activity_mbq: Array
    log_likelihood: Array
    log_mass: Array
    best_mbq: float
    best_place: int


def activity_likelihood(readings: Readings, weights: Array, ceiling_mbq: float) -> ActivityLikelihood:
    """Find where the likelihood of an activity of at most ``ceiling_mbq`` lies, for each place (weights (K,))."""
    # denser towards the lower end, where a likelihood without background rises from nothing
    unit = np.linspace(0.0, 1.0, GRID) ** 2
    low, high = np.zeros(len(weights)), np.full(len(weights), ceiling_mbq)
    places = np.arange(len(weights))
    for _ in range(_ZOOMS):
        grid = low[:, None] + (high - low)[:, None] * unit
        log_likelihood = readings.log_likelihood(grid)
        is_likely = log_likelihood > log_likelihood.max(axis=1, keepdims=True) - DEPTH
        first = np.maximum(is_likely.argmax(axis=1) - 1, 0)
        last = np.minimum(GRID - is_likely[:, ::-1].argmax(axis=1), GRID - 1)
        low, high = grid[places, first], grid[places, last]
        if (last - first >= GRID // 3).all():
            break
    fine = np.linspace(0.0, 1.0, FINE_GRID)
    activity_mbq = low[:, None] + (high - low)[:, None] * fine**2
    step = (high - low)[:, None] * 2 * fine
    step[:, -1] /= 2
    log_likelihood = readings.log_likelihood(activity_mbq) + np.log(weights)[:, None]
    every = np.unique(activity_mbq)
    total = np.array(
        [
            np.interp(every, at, logs, left=-np.inf, right=-np.inf)
            for at, logs in zip(activity_mbq, log_likelihood, strict=True)
        ]
    )
    best = int(logsumexp(total, axis=0).argmax())
    return ActivityLikelihood(
        activity_mbq=activity_mbq,
        log_likelihood=log_likelihood,
        log_mass=log_likelihood + np.log(np.maximum(step, _NO_STEP)),
        best_mbq=float(every[best]),
        best_place=int(total[:, best].argmax()),
    )

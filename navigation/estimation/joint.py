"""The joint fit as it is carried from reading to reading: where it stands, and what need not be computed anew.

The sensitivities of the rate to the response change little from update to update. They are kept until a source has
moved, and the newest readings borrow those of the one before them until there are enough to be worth a call. So is
what a merged row should have counted, over what it would have at its mean pose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from navigation.estimation.lattice import Lattice
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import NUISANCES, Fit, Mixture
from navigation.estimation.prior import SourcePrior
from navigation.estimation.tally import Tally

Array = NDArray[np.float64]

FRESH_ROWS = 10
"""Newest readings that borrow the sensitivities of the one before them, until there are so many."""

MOVED_MM = 2.0
"""Once a source has moved this far, the sensitivities to the response are computed again."""

GROWN = 0.3
"""The same for the variance of the injection sites, as an unknown."""

GREATEST_PULL = 16.0
"""Most that one reading adds to the chi-square of the newest: a single wild pose is no contradiction."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """What a fit with one more source rests on: where it started, and what was computed for its rows."""

    start: Mixture
    slopes: Array
    log_mean: Array


class JointFit:
    """All believed sources, background and response, fitted to a tally.

    Attributes
    ----------
    mixture
        Where the fit stands.
    weight
        How much each row of the tally counts, shape (N,).
    steps
        Most steps of a fit that goes on from an earlier one.

    """

    def __init__(self, likelihood: Likelihood, tally: Tally, lattice: Lattice, start: Mixture) -> None:
        self._likelihood = likelihood
        self._tally = tally
        self._lattice = lattice
        self.mixture = start
        self.weight = np.zeros(0)
        self.steps = 8
        self._slopes = np.zeros((0, len(start), NUISANCES + 1))
        self._slopes_at, self._variance_at = start.position_mm, float(start.log_response[-1])
        self._log_mean = np.zeros((0, len(start)))
        self._without: dict[str, Mixture] = {}
        self._tried: _Tried | None = None

    def merge(self, group: NDArray[np.intp], live_time_s: Array) -> None:
        """Merge rows as the tally did: the mean over each group, weighted by live time."""
        self._log_mean = self._log_mean[:0]
        missing = len(group) - len(self._slopes)
        if missing >= FRESH_ROWS or not len(self._slopes):
            self._slopes = self._slopes[:0]
            return
        known = self._borrowed(missing)
        share = live_time_s / np.bincount(group, live_time_s)[group]
        rows = int(group.max()) + 1
        merged = csr_array((share, (group, np.arange(len(group)))), shape=(rows, len(group)))
        # without a source there is nothing to merge, and no size to be worked out
        flat = known.reshape(len(known), math.prod(known.shape[1:]))
        self._slopes = np.asarray(merged @ flat).reshape(rows, *known.shape[1:])

    def climb(self, start: Mixture) -> Fit:
        """Fit from a start, weights and sensitivities brought up to date, and stand there."""
        tally, rows = self._tally, len(self._tally)
        is_same = (
            self._slopes_at.shape == start.position_mm.shape
            and np.abs(self._slopes_at - start.position_mm).max(initial=0.0) < MOVED_MM
            and abs(self._variance_at - float(start.log_response[-1])) < GROWN
        )
        if not is_same:
            self._slopes = np.zeros((0, len(start), NUISANCES + 1))
        if rows - len(self._slopes) >= (FRESH_ROWS if len(self._slopes) else 1):
            fresh = self._likelihood.sensitivities(start, tally, slice(len(self._slopes), None))
            if not len(self._slopes):
                self._slopes_at, self._variance_at = start.position_mm, float(start.log_response[-1])
            self._slopes = np.concatenate((self._slopes, fresh))
        if not is_same or not len(self._log_mean):
            self._log_mean = self._lattice.log_mean_over_middle(start.position_mm, tally)
        # what came since is not merged
        newest = np.zeros((rows - len(self._log_mean), len(start)))
        self._log_mean = np.concatenate((self._log_mean, newest))
        fit = self._likelihood.maximise(
            start,
            tally,
            None,
            self._all_slopes,
            self._lattice.volume_mm3,
            log_mean=self._log_mean,
            steps=self.steps,
        )
        self.weight, self.mixture = fit.weight, fit.mixture
        return fit

    def without(self, fit: Fit, index: int) -> Fit:
        """Fit what is left when one source is taken out; the joint fit stays where it stands.

        It starts where that ended last time, or from the joint fit if that is better by now.
        """
        left, name = fit.mixture.without(index), fit.mixture.names[index]
        former = self._without.get(name)
        found = self._likelihood.maximise(
            left,
            self._tally,
            self.weight,
            np.delete(self._all_slopes, index, axis=1),
            self._lattice.volume_mm3,
            log_mean=np.delete(self._log_mean, index, axis=1),
            rival=former if former is not None and former.priors == left.priors else None,
            beaten_at=fit.log_posterior,
            steps=self.steps,
        )
        self._without[name] = found.mixture
        return found

    def with_one_more(self, without: Fit, sought: SourcePrior, place_mm: Array, log_activity: float) -> Fit:
        """Fit with one more source from a start; the joint fit stays where it stands.

        Only the new source's sensitivities are computed, the others' are at hand.
        """
        mixture = without.mixture.plus(sought, place_mm, log_activity)
        alone = replace(
            mixture,
            priors=mixture.priors[-1:],
            position_mm=mixture.position_mm[-1:],
            log_activity=mixture.log_activity[-1:],
        )
        own = self._likelihood.sensitivities(alone, self._tally, slice(0, None))
        kept = [number for number, name in enumerate(self.mixture.names) if name in without.mixture.names]
        slopes = np.concatenate((self._all_slopes[:, kept], own), axis=1)
        at_place = self._lattice.log_mean_over_middle(mixture.position_mm[-1:], self._tally)
        log_mean = np.concatenate((self._log_mean[:, kept], at_place), axis=1)
        self._tried = _Tried(start=mixture, slopes=slopes, log_mean=log_mean)
        return self._likelihood.maximise(
            mixture,
            self._tally,
            self.weight,
            slopes,
            self._lattice.volume_mm3,
            log_mean=log_mean,
            steps=10,
        )

    def adopt(self, found: Fit) -> Fit:
        """Stand at the fit that ``with_one_more`` gave last, under whatever names; a climb goes on from it."""
        if self._tried is None:
            raise RuntimeError("there is no fit with one more source to stand at")
        self._slopes, self._log_mean = self._tried.slopes, self._tried.log_mean
        self._slopes_at = self._tried.start.position_mm
        self._variance_at = float(self._tried.start.log_response[-1])
        self.weight, self.mixture = found.weight, found.mixture
        return found

    def misfit(self, fit: Fit) -> tuple[float, float]:
        """Excess scatter of the counts in standard deviations, and the factor by which variances grow for it."""
        expected = fit.expected
        chi2 = float((self.weight * (self._tally.counts - expected) ** 2 / expected).sum())
        degrees = max(len(expected) - 4 * len(fit.mixture) - 1, 1)
        misfit = (chi2 - degrees) / math.sqrt(float((2 + self.weight / expected).sum()))
        return misfit, max(chi2 / degrees, 1.0) if misfit > 3 else 1.0

    def newest_misfit(self, fit: Fit, readings: int) -> float:
        """Excess scatter of the newest readings, in standard deviations; no single one decides."""
        newest = slice(-readings, None)
        expected, weight = fit.expected[newest], self.weight[newest]
        pulls = np.minimum(weight * (self._tally.counts[newest] - expected) ** 2 / expected, GREATEST_PULL)
        return float((pulls.sum() - len(pulls)) / np.sqrt((2 + weight / expected).sum()))

    @property
    def _all_slopes(self) -> Array:
        return self._borrowed(len(self._tally) - len(self._slopes))

    def _borrowed(self, missing: int) -> Array:
        return np.concatenate((self._slopes, np.repeat(self._slopes[-1:], missing, axis=0)))

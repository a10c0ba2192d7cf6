"""Count-rate capability by a decaying source: what is counted of a rate that is known to fall by its half-life.

The decaying-source method (Knoll, 4.VII.C): the true rate at any time follows from that at the start, so that
counts over a few half-lives give the starting rate, the dead time and its kind, all by one Poisson likelihood. The
rate of 20 % loss is what NEMA states of a counter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot, log

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.statistics.dead_time import DeadTimeModel
from navigation.statistics.deviance import deviance_residuals

Array = NDArray[np.float64]

LOSS = 0.2
"""Share of the true rate at whose loss the capability is stated."""

LEAST_COUNTS = 4
LEAST_HALF_LIVES = 1.0
TOLD_BY = 4.0
"""Deviance by which one kind of dead time must fit better than the other to be told: two standard errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayingCount:
    """One count of the decaying source: s after the first, seconds counted, and events, background in."""

    elapsed_s: float
    time_s: float
    counts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRate:
    """What a counter is capable of.

    Attributes
    ----------
    dead_time_s, sigma_s
        Per event, of the kind that fits better; its error holds the other kind's value where the kind is not told.
    is_extending, is_told
        Its kind, and whether the counts tell it.
    start_cps
        True rate of the source at the start.
    chi2, degrees
        Of the fit.

    """

    dead_time_s: float
    sigma_s: float
    is_extending: bool
    is_told: bool
    start_cps: float
    chi2: float
    degrees: int

    @property
    def model(self) -> DeadTimeModel:
        """How it loses counts."""
        return _model(self.dead_time_s, is_extending=self.is_extending)

    @property
    def loss_counted_cps(self) -> float:
        """Rate that is counted where a fifth is lost; infinite where nothing is."""
        if self.dead_time_s <= 0:
            return np.inf
        true_cps = -log(1 - LOSS) / self.dead_time_s if self.is_extending else LOSS / (1 - LOSS) / self.dead_time_s
        return (1 - LOSS) * true_cps


def fit_decaying_source(
    counts: Sequence[DecayingCount], *, half_life_s: float, background_cps: float
) -> CountRate:
    """Find dead time and true rate.

    Raises
    ------
    NavigationError
        Where the counts are too few, or cover less than a half-life.

    """
    elapsed = np.array([each.elapsed_s for each in counts])
    if len(counts) < LEAST_COUNTS or np.ptp(elapsed) < LEAST_HALF_LIVES * half_life_s:
        raise NavigationError(
            f"a decaying source wants {LEAST_COUNTS} counts over {LEAST_HALF_LIVES:g} half-life at least"
        )
    kinds = [
        _fit(counts, half_life_s=half_life_s, background_cps=background_cps, is_extending=is_extending)
        for is_extending in (False, True)
    ]
    (better, lower), (other, higher) = sorted(kinds, key=lambda kind: kind[1])
    is_told = higher - lower > TOLD_BY
    # where the counts do not tell the kind, the other's dead time may as well be the true one
    apart_s = 0.0 if is_told else better.dead_time_s - other.dead_time_s
    return replace(better, is_told=is_told, sigma_s=hypot(better.sigma_s, apart_s))


def _model(dead_time_s: float, *, is_extending: bool) -> DeadTimeModel:
    if is_extending:
        return DeadTimeModel(extending_s=dead_time_s)
    return DeadTimeModel(non_extending_s=dead_time_s)


def _fit(
    counts: Sequence[DecayingCount], *, half_life_s: float, background_cps: float, is_extending: bool
) -> tuple[CountRate, float]:
    """Fit one kind; with its deviance."""
    seen = np.array([each.counts for each in counts], dtype=np.float64)
    times = np.array([each.time_s for each in counts])
    # the mean of the decay over a count, not its value at the start
    left = np.array(
        [decay_factor(half_life_s=half_life_s, elapsed_s=each.elapsed_s + each.time_s / 2) for each in counts]
    )

    def expected(found: Array) -> Array:
        true_cps = np.exp(found[0]) * left + background_cps
        model = _model(max(found[1], 0.0) * 1e-6, is_extending=is_extending)
        return np.asarray(times * [max(model.counted_cps(float(each)), 1e-9) for each in true_cps])

    def deviance(found: Array) -> Array:
        return deviance_residuals(seen, expected(found))

    weakest = int(np.argmin(left))
    start_cps = max(float(seen[weakest] / times[weakest]) - background_cps, 1.0) / left[weakest]
    found = least_squares(
        deviance, [log(start_cps), 1.0], bounds=([-np.inf, 0.0], [np.inf, 1e5]), x_scale=[0.1, 1.0]
    )
    jacobian = np.asarray(found.jac, dtype=np.float64)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    mean = expected(found.x)
    fitted = CountRate(
        dead_time_s=float(found.x[1]) * 1e-6,
        sigma_s=float(covariance[1, 1] ** 0.5) * 1e-6,
        is_extending=is_extending,
        is_told=False,
        start_cps=float(np.exp(found.x[0])),
        chi2=float(((seen - mean) ** 2 / np.maximum(mean, 1.0)).sum()),
        degrees=len(counts) - 2,
    )
    return fitted, 2 * float(found.cost)

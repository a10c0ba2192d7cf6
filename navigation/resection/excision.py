"""After the excision: how much activity can still be where the target was.

The counts over the bed bound it from both sides. The upper limit is that of a posterior with a flat prior from
zero to what was there before: for one reading over a known background it is Helene's (NIM 212 (1983) 319), which
is CL_s too, and without background Garwood's. The lower limit takes a prior that falls as one over the expected
counts: without background Garwood's again. Each limit so errs to its own safe side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.estimation.estimate import TargetEstimate
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.resection.residual import ActivityLikelihood, Readings, activity_likelihood, groups_of, places_of
from navigation.statistics.counting import Rate
from navigation.statistics.limits import Limits, Verdict, require_confidence, require_positive, shortest_wait_s
from navigation.tissue import Tissue

Array = NDArray[np.float64]

CEILING_SIGMAS = 3.09
"""No more can be left than was there: 99.9 % of the estimate before the excision."""

MISFIT_SIGMAS = 4.0
"""Scatter of the counts about the best activity that chance no longer explains."""

LEAST_SPREAD = 0.01
"""Relative error that every activity is given at least: no calibration is better, and it smooths the sum."""

MOST_ROWS = 120
"""More readings than this are added up by like pose, so that a minute takes no longer than ten seconds."""

_LEAST_COUNTS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class BedRule:
    """When a bed counts as free.

    Attributes
    ----------
    share
        Of the activity before the excision; a residual below it is "gone".
    confidence
        Of each limit.
    longest_s
        A wait longer than this is not proposed, s.

    Raises
    ------
    NavigationError
        Where a number makes no rule.

    """

    share: float = 0.1
    confidence: float = 0.95
    longest_s: float = 300.0

    def __post_init__(self) -> None:
        require_confidence(self.confidence)
        require_positive(longest_s=self.longest_s)
        if not 0 < self.share < 1:
            raise NavigationError(f"bed rule: a share of {self.share}: wants more than 0 and less than 1, as 0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualBed:
    """What the counts over the bed say about the place where the target was.

    Attributes
    ----------
    activity_mbq
        Activity that is left, MBq, at the time of the counts.
    share
        The same over the activity before the excision, its decay taken off and its error included.
    verdict
        ``BELOW``: gone. ``ABOVE``: still there. ``UNDECIDED``: cannot tell yet.
    needed_s
        How much longer to hold the probe where it is until the verdict is expected; 0 where it stands, None where
        holding on will not bring it within the rule's longest wait.
    misfit
        By how many standard deviations the counts scatter more about the best activity than chance lets them.
    is_consistent
        Whether they scatter as they should; where not, the verdict stays open.
    is_within_calibration
        Whether some reading saw the place within the distances and angles that were calibrated; where none did,
        the verdict stays open.
    reason
        Why the verdict is open; empty where it stands.

    """

    activity_mbq: Limits
    share: Limits
    verdict: Verdict
    needed_s: float | None
    misfit: float
    is_consistent: bool
    is_within_calibration: bool
    reason: str


def residual_bed(
    observations: Observations,
    *,
    target: TargetEstimate,
    response: Response,
    tissue: Tissue,
    background: Rate,
    others_cps: Array,
    others_error: float,
    half_life_s: float,
    elapsed_s: float,
    rule: BedRule | None = None,
) -> ResidualBed:
    """Bound the activity that is left where ``target`` was.

    The place is marginalised over the target's covariance, the response over its ``model_error``, background and
    others over their errors. Readings from nearly one pose are joined, so the time taken grows with the number of
    poses, ``MOST_ROWS`` at most: 0.05 to 0.7 s, and some times that where a wait has to be worked out. Keep it off
    the event loop.

    Parameters
    ----------
    observations
        Counts over the bed after the excision, in time order; at least one.
    target
        What was believed of the target when it was last there.
    tissue
        As it is now: with the cavity. Tissue that is gone but still assumed makes the upper limit too high.
    background
        True rate without any source, with its error.
    others_cps, others_error
        True rate that all other sources give at each reading, shape (N,), and its relative error.
    half_life_s, elapsed_s
        Of the nuclide, and from the estimate of ``target`` to these counts, s.

    Raises
    ------
    NavigationError
        Where there is no reading, a shape does not fit, or a number is not finite, negative or absurd.

    """
    rule = rule or BedRule()
    others = np.asarray(others_cps, dtype=np.float64)
    _require_target(target)
    _require_rest(len(observations), background, others, others_error)
    places_mm, weights = places_of(target.centre_mm, target.covariance_mm2)
    # a background no larger than its error is one of which at most a count was seen: exponential
    background_cps = max(background.rate_cps, background.sigma_cps)
    readings = Readings(
        counts=observations.counts,
        live_time_s=observations.live_time_s,
        rate_cps=response.expected_rate_cps(places_mm, observations.tip_mm, observations.axis, tissue),
        background_cps=np.full(len(observations), background_cps),
        others_cps=others,
        background_error=background.sigma_cps / background_cps if background_cps > 0 else 0.0,
        others_error=others_error,
        dead_time_s=response.dead_time_s,
    )
    if len(observations) > MOST_ROWS:
        readings = readings.pooled(groups_of(observations.tip_mm, observations.axis, MOST_ROWS))
    else:
        readings = readings.joined()
    bed = _Bed(
        weights=weights,
        before_mbq=target.activity_mbq * decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s),
        before_error=target.log_activity_sigma,
        response_error=response.model_error,
        rule=rule,
    )
    likelihood = bed.likelihood(readings)
    misfit = bed.misfit(readings, likelihood)
    share = bed.share(readings, likelihood)
    verdict, reason = share.against(rule.share), ""
    needed_s: float | None = 0.0
    is_within_calibration = bool(
        response.is_calibrated_for(target.centre_mm[None], observations.tip_mm, observations.axis).any()
    )
    if not is_within_calibration:
        verdict, needed_s = Verdict.UNDECIDED, None
        reason = "the probe was not calibrated for such distances and angles: hold it nearer, pointing at the bed"
    elif misfit > MISFIT_SIGMAS:
        verdict, needed_s, reason = (
            Verdict.UNDECIDED,
            None,
            "the counts do not fit a source at this place: count the bed anew",
        )
    elif verdict is Verdict.UNDECIDED:
        needed_s = bed.wait_s(readings, likelihood)
        reason = "more counts at this pose would not decide it" if needed_s is None else "too few counts yet"
    return ResidualBed(
        activity_mbq=bed.activity_mbq(readings, likelihood),
        share=share,
        verdict=verdict,
        needed_s=needed_s,
        misfit=misfit,
        is_consistent=misfit <= MISFIT_SIGMAS,
        is_within_calibration=is_within_calibration,
        reason=reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bed:
    """What is known beside the counts: where it may be (weights (27,)) and how much there was, MBq."""

    weights: Array
    before_mbq: float
    before_error: float
    response_error: float
    rule: BedRule

    def likelihood(self, readings: Readings) -> ActivityLikelihood:
        ceiling_mbq = self.before_mbq * float(np.exp(CEILING_SIGMAS * self.before_error))
        return activity_likelihood(readings, self.weights, ceiling_mbq)

    def activity_mbq(self, readings: Readings, likelihood: ActivityLikelihood) -> Limits:
        return self._limits(readings, likelihood, 1.0, self.response_error)

    def share(self, readings: Readings, likelihood: ActivityLikelihood) -> Limits:
        error = float(np.hypot(self.response_error, self.before_error))
        return self._limits(readings, likelihood, self.before_mbq, error)

    def _limits(self, readings: Readings, likelihood: ActivityLikelihood, unit_mbq: float, error: float) -> Limits:
        """Limits of activity over ``unit_mbq``, both right but for a log-normal ``error``."""
        activity_mbq = likelihood.activity_mbq
        seen = np.maximum(readings.live_time_s @ readings.rate_cps, _LEAST_COUNTS)
        rest = readings.live_time_s @ (readings.background_cps + readings.others_cps)
        expected = np.maximum(activity_mbq * seen[:, None] + rest, _LEAST_COUNTS)
        with np.errstate(divide="ignore"):
            log_activity = np.log(activity_mbq / unit_mbq).ravel()
        spread = max(error, LEAST_SPREAD)
        tail = 1 - self.rule.confidence
        upper = _quantile(log_activity, likelihood.log_mass.ravel(), spread, 1 - tail)
        falling = np.log(expected / seen[:, None])
        lower = _quantile(log_activity, (likelihood.log_mass - falling).ravel(), spread, tail)
        return Limits(
            best=likelihood.best_mbq / unit_mbq,
            lower=min(lower, upper),
            upper=upper,
            confidence=self.rule.confidence,
        )

    def misfit(self, readings: Readings, likelihood: ActivityLikelihood) -> float:
        """Pearson's chi-square beyond its mean, in its standard deviations; what is uncertain widens it."""
        best = np.full((len(self.weights), 1), likelihood.best_mbq)
        everywhere = readings.expected_counts(best)[:, 0]
        expected = np.maximum(everywhere[likelihood.best_place], _LEAST_COUNTS)
        place = self.weights @ (everywhere - self.weights @ everywhere) ** 2
        live = readings.live_time_s
        source = likelihood.best_mbq * readings.rate_cps[:, likelihood.best_place] * live * self.response_error
        background = readings.background_cps * live * readings.background_error
        others = readings.others_cps * live * readings.others_error
        variance = expected + place + source**2 + background**2 + others**2
        chi_square = float(((readings.counts - expected) ** 2 / variance).sum())
        # 1 / expected: what the Poisson's fourth moment adds to the variance of chi-square
        return (chi_square - len(expected)) / float(np.sqrt((2 + 1 / np.maximum(expected, 1.0)).sum()))

    def wait_s(self, readings: Readings, likelihood: ActivityLikelihood) -> float | None:
        """Find the shortest time at the last pose after which a verdict is expected, were the best guess true."""

        def is_decided(wait_s: float) -> bool:
            longer = readings.lengthened(likelihood.best_mbq, likelihood.best_place, wait_s)
            found = self.share(longer, self.likelihood(longer))
            return found.against(self.rule.share) is not Verdict.UNDECIDED

        return shortest_wait_s(is_decided, longest_s=self.rule.longest_s)


def _quantile(log_values: Array, log_mass: Array, spread: float, share: float) -> float:
    """Value below which ``share`` of the mass lies, each atom a log-normal of width ``spread``."""
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    is_heavy = mass > 1e-12
    mass, log_values = mass[is_heavy], log_values[is_heavy]
    finite = log_values[np.isfinite(log_values)]

    def excess(log_value: float) -> float:
        return float(mass @ ndtr((log_value - log_values) / spread)) - share

    if not finite.size:
        return 0.0
    low, high = float(finite.min()) - 9 * spread, float(finite.max()) + 9 * spread
    return 0.0 if excess(low) >= 0 else float(np.exp(brentq(excess, low, high, xtol=1e-7)))


def _require_target(target: TargetEstimate) -> None:
    centre, covariance = np.asarray(target.centre_mm), np.asarray(target.covariance_mm2)
    if centre.shape != (3,) or covariance.shape != (3, 3):
        raise NavigationError(
            f"{target.name}: centre {centre.shape} and covariance {covariance.shape}: wants (3,) and (3, 3)"
        )
    if not (np.isfinite(centre).all() and np.isfinite(covariance).all()):
        raise NavigationError(f"{target.name}: its position is not finite; there is no place to test")
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance).min() < -1e-9:
        raise NavigationError(f"{target.name}: its covariance is not symmetric and positive")
    if not (np.isfinite(target.log_activity_mean) and 0 <= target.log_activity_sigma < np.inf):
        raise NavigationError(f"{target.name}: its activity before the excision is not known; estimate it first")


def _require_rest(size: int, background: Rate, others_cps: Array, others_error: float) -> None:
    if size == 0:
        raise NavigationError("residual bed: no reading; count over the bed first")
    if not (0 <= background.rate_cps < np.inf and 0 <= background.sigma_cps < np.inf):
        raise NavigationError(
            f"residual bed: background of {background.rate_cps} +- {background.sigma_cps} cps: wants zero or more"
        )
    if others_cps.shape != (size,):
        raise NavigationError(f"residual bed: others_cps has shape {others_cps.shape}, wants ({size},)")
    if not (np.isfinite(others_cps).all() and (others_cps >= 0).all()):
        raise NavigationError("residual bed: others_cps holds a number that is negative or not finite")
    if not 0 <= others_error <= 1:
        raise NavigationError(f"residual bed: a relative error of the others of {others_error}: wants 0 to 1")

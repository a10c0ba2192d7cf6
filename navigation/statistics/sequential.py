"""Deciding while counting: Wald's sequential probability ratio test of a Poisson rate, truncated.

Two rates are told apart: that of the background, and the background's with a signal. After n counts in t the
logarithm of their likelihood ratio is n ln(1 + s / b) - s t; the count goes on while it lies between
ln(beta / (1 - alpha)) and ln((1 - beta) / alpha) (Wald, Sequential Analysis, 1947, chapter 3; for counts of
radiation Jarman, 2004). At the latest after ``longest_s`` the sign of the logarithm decides, as Wald truncates.
Both rates are taken as known: give a background that was counted long, or its upper limit.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, isfinite, log, log1p, sqrt
from typing import Self

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, ndtri, pdtr, pdtrc

from navigation.errors import NavigationError
from navigation.statistics.discrete import poisson_chances, poisson_quantile
from navigation.statistics.limits import require_positive

LONGEST = 2.0
"""A sequential test is cut off at this multiple of the fixed time that would do: beyond, it hardly ever gets."""

NEGLIGIBLE = 1e-12
"""Probability of a count that a sum leaves out."""

MOST_COUNTS = 1e7
"""A test that needs more counts than this is refused: the signal is nothing beside the background."""


class Decision(StrEnum):
    """What a test has found so far."""

    SIGNAL = "signal"
    BACKGROUND = "background"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTest:
    """The test that counts for a fixed time and compares with a threshold.

    Attributes
    ----------
    time_s
        For which it counts.
    least_counts
        From so many counts on it says "signal".
    false_alarm, miss
        What it really errs by: at most what was asked for, since counts are whole.

    """

    time_s: float
    least_counts: int
    false_alarm: float
    miss: float


def fixed_test(*, background_cps: float, signal_cps: float, false_alarm: float, miss: float) -> FixedTest:
    """Find the shortest fixed count that tells background from background + signal with these errors.

    With k the threshold, counting must be long enough that P(N < k) with the signal is at most ``miss`` (a gamma
    quantile gives that time) and short enough that P(N >= k) without it is at most ``false_alarm``.

    Raises
    ------
    NavigationError
        Where a rate is not positive, an error is outside (0, 0.5), or the signal is too weak to be worth a test.

    """
    _require(background_cps, signal_cps, false_alarm, miss)
    both_cps = background_cps + signal_cps
    deviates = -ndtri(false_alarm) * sqrt(background_cps) - ndtri(miss) * sqrt(both_cps)
    # by the normal approximation, and room for what it is wrong by
    most_counts = 1.5 * both_cps * (deviates / signal_cps) ** 2 + 50
    if most_counts > MOST_COUNTS:
        raise NavigationError(
            f"{signal_cps} cps over {background_cps} cps are too few to be told apart by counting"
        )
    least_counts = np.arange(1, int(most_counts) + 1, dtype=np.float64)
    times_s = gammaincinv(least_counts, 1 - miss) / both_cps
    false_alarms = pdtrc(least_counts - 1, background_cps * times_s)
    chosen = int((false_alarms <= false_alarm).argmax())
    return FixedTest(
        time_s=float(times_s[chosen]),
        least_counts=int(least_counts[chosen]),
        false_alarm=float(false_alarms[chosen]),
        miss=float(pdtr(least_counts[chosen] - 1, both_cps * times_s[chosen])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """What a test does at one true rate.

    Attributes
    ----------
    signal_probability
        Of the verdict "signal": false alarms at the background's rate, 1 - misses with the signal.
    mean_time_s
        Counting time until the verdict (average sample number times the interval), s.
    cut_off_probability
        Of coming to the longest time without a verdict.

    """

    signal_probability: float
    mean_time_s: float
    cut_off_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """A truncated test of background against background + signal.

    Attributes
    ----------
    background_cps, signal_cps
        Counted rates, dead time in; both above 0.
    false_alarm, miss
        Errors that are aimed at, inside (0, 0.5). Wald's bounds keep their sum; counts come whole and overshoot
        the bounds, which makes both smaller, and cutting off makes them larger again: see ``characteristic``.
    longest_s
        When it must decide.

    Raises
    ------
    NavigationError
        Where a number makes no test.

    """

    background_cps: float
    signal_cps: float
    false_alarm: float = 0.01
    miss: float = 0.01
    longest_s: float

    def __post_init__(self) -> None:
        _require(self.background_cps, self.signal_cps, self.false_alarm, self.miss)
        require_positive(longest_s=self.longest_s)

    @classmethod
    def planned(
        cls, *, background_cps: float, signal_cps: float, false_alarm: float = 0.01, miss: float = 0.01
    ) -> Self:
        """Plan a test that is cut off at ``LONGEST`` times the fixed time that would do."""
        fixed = fixed_test(
            background_cps=background_cps, signal_cps=signal_cps, false_alarm=false_alarm, miss=miss
        )
        return cls(
            background_cps=background_cps,
            signal_cps=signal_cps,
            false_alarm=false_alarm,
            miss=miss,
            longest_s=LONGEST * fixed.time_s,
        )

    @property
    def gain(self) -> float:
        """What one count adds to the logarithm of the likelihood ratio: ln(1 + s / b)."""
        return log1p(self.signal_cps / self.background_cps)

    @property
    def upper(self) -> float:
        """Log-likelihood ratio from which on it says "signal": ln((1 - beta) / alpha)."""
        return wald_bounds(self.false_alarm, self.miss)[1]

    @property
    def lower(self) -> float:
        """Log-likelihood ratio down from which it says "background": ln(beta / (1 - alpha))."""
        return wald_bounds(self.false_alarm, self.miss)[0]

    def log_ratio(self, counts: float, live_time_s: float) -> float:
        """Logarithm of the likelihood ratio of signal to background: n ln(1 + s / b) - s t."""
        return counts * self.gain - self.signal_cps * live_time_s

    def decide(self, counts: float, live_time_s: float) -> Decision:
        """Decide on so many counts in so long a time, if none of the counts before has decided."""
        log_ratio = self.log_ratio(counts, live_time_s)
        is_last = live_time_s >= self.longest_s
        if log_ratio >= self.upper or (is_last and log_ratio >= 0):
            return Decision.SIGNAL
        return Decision.BACKGROUND if log_ratio <= self.lower or is_last else Decision.OPEN

    def start(self) -> "SequentialState":
        """Begin with nothing counted."""
        return SequentialState(test=self)

    def characteristic(self, rate_cps: float, interval_s: float) -> Characteristic:
        """Work out exactly what the test does at a true rate when it looks at the counts every ``interval_s``.

        The distribution of the count, as far as it is undecided, is carried from look to look, and decided at the
        last (Aroian, Technometrics 10 (1968) 125).

        Raises
        ------
        NavigationError
            Where the rate or the interval is not positive.

        """
        require_positive(rate_cps=rate_cps, interval_s=interval_s)
        mean = rate_cps * interval_s
        added = poisson_chances(np.arange(poisson_quantile(1 - NEGLIGIBLE, mean) + 1), mean)
        undecided, first, looks = np.ones(1), 0, 0
        signal, mean_time_s, cut_off = 0.0, 0.0, 0.0
        while undecided.size and (looks * interval_s < self.longest_s):
            mean_time_s += float(undecided.sum()) * interval_s
            looks += 1
            undecided = np.convolve(undecided, added)
            log_ratio = self.log_ratio(0, looks * interval_s) + self.gain * np.arange(
                first, first + undecided.size
            )
            is_open = (log_ratio > self.lower) & (log_ratio < self.upper)
            signal += float(undecided[log_ratio >= self.upper].sum())
            if looks * interval_s >= self.longest_s:
                signal += float(undecided[is_open & (log_ratio >= 0)].sum())
                cut_off = float(undecided[is_open].sum())
                break
            first += int(is_open.argmax())
            undecided = undecided[is_open]
        return Characteristic(signal_probability=signal, mean_time_s=mean_time_s, cut_off_probability=cut_off)

    def wald_characteristic(self, rate_cps: float) -> Characteristic:
        """Give Wald's closed form: bounds met exactly, no cutting off (1947, 3.4 and 3.5).

        With h the root of E[exp(h z)] = 1, that is rate = s h / ((1 + s / b)^h - 1), the background is accepted
        with L = (A^h - 1) / (A^h - B^h), and the mean time is (L ln B + (1 - L) ln A) / (rate ln(1 + s / b) - s).

        Raises
        ------
        NavigationError
            Where the rate is not positive.

        """
        require_positive(rate_cps=rate_cps)
        drift_per_s = rate_cps * self.gain - self.signal_cps
        neutral_cps = self.signal_cps / self.gain
        if abs(rate_cps / neutral_cps - 1) < 1e-6:
            accepted = self.upper / (self.upper - self.lower)
            mean_time_s = -self.upper * self.lower / (rate_cps * self.gain**2)
            return Characteristic(
                signal_probability=1 - accepted, mean_time_s=mean_time_s, cut_off_probability=0.0
            )
        root = self._root(rate_cps)
        accepted = (exp(root * self.upper) - 1) / (exp(root * self.upper) - exp(root * self.lower))
        mean_time_s = (accepted * self.lower + (1 - accepted) * self.upper) / drift_per_s
        return Characteristic(signal_probability=1 - accepted, mean_time_s=mean_time_s, cut_off_probability=0.0)

    def _root(self, rate_cps: float) -> float:
        def missing(root: float) -> float:
            power = root * self.gain
            return log(self.signal_cps / self.gain / rate_cps) - log((exp(power) - 1) / power)

        # the rate falls as the root rises: 1 at the background, -1 with the signal, 0 between
        is_weak = rate_cps < self.signal_cps / self.gain
        near, far = (1e-9, 1.0) if is_weak else (-1e-9, -1.0)
        while missing(far) * missing(near) > 0:
            far *= 2
        return float(brentq(missing, near, far))


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialState:
    """Where a test stands; ``after`` gives the next.

    Attributes
    ----------
    test
        What is tested.
    counts, live_time_s
        All that was counted until the verdict.
    decision
        Once it has been reached it stays.

    """

    test: SequentialTest
    counts: float = 0.0
    live_time_s: float = 0.0
    decision: Decision = Decision.OPEN

    @property
    def log_ratio(self) -> float:
        """Logarithm of the likelihood ratio of signal to background."""
        return self.test.log_ratio(self.counts, self.live_time_s)

    @property
    def remaining_s(self) -> float:
        """Time that is expected to be missing if it goes on as it went; no more than until the cut-off."""
        if self.decision is not Decision.OPEN:
            return 0.0
        left_s = max(self.test.longest_s - self.live_time_s, 0.0)
        if self.log_ratio == 0:
            return left_s
        drift_per_s = self.log_ratio / self.live_time_s
        bound = self.test.upper if drift_per_s > 0 else self.test.lower
        return min((bound - self.log_ratio) / drift_per_s, left_s)

    def after(self, counts: float, live_time_s: float) -> "SequentialState":
        """Count on; what comes after the verdict changes nothing.

        Raises
        ------
        NavigationError
            Where the counts are negative or not finite, or the time is not positive.

        """
        if not (isfinite(counts) and counts >= 0):
            raise NavigationError(f"sequential test: {counts} counts: wants a finite number, zero or more")
        require_positive(live_time_s=live_time_s)
        if self.decision is not Decision.OPEN:
            return self
        counts, live_time_s = self.counts + counts, self.live_time_s + live_time_s
        return replace(
            self, counts=counts, live_time_s=live_time_s, decision=self.test.decide(counts, live_time_s)
        )


def wald_bounds(false_alarm: float, miss: float) -> tuple[float, float]:
    """Give the log-likelihood ratios down from which it is background, and up from which a signal (Wald 1947)."""
    return log(miss / (1 - false_alarm)), log((1 - miss) / false_alarm)


def _require(background_cps: float, signal_cps: float, false_alarm: float, miss: float) -> None:
    require_positive(background_cps=background_cps, signal_cps=signal_cps)
    for name, error in (("false_alarm", false_alarm), ("miss", miss)):
        if not 0 < error < 0.5:
            raise NavigationError(f"sequential test: {name} is {error}: wants more than 0 and less than 0.5")

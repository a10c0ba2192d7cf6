"""Deciding while counting whether a rate is the background's or some times that, by a background that was counted.

Wald's test takes both rates as known (``navigation.statistics.sequential``). Of a background that was counted for
a minute they are not, and who takes its rate for the true one errs up to twice as often as he was asked to. Here
the background is what its count leaves open: with the prior 1 / b, which has no scale of its own, b is distributed
as Gamma(B, t_B) after B counts in t_B, and the likelihoods of both rates are averaged over it. What is left of
their ratio after n counts in t has a closed form::

    n ln k + (n + B) ln((t_B + t) / (t_B + k t))

It comes to Wald's n ln k - (k - 1) b t as t_B grows. Over the backgrounds that the count leaves open it is a ratio
of likelihoods as his is, so his bounds hold for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final, Self

from navigation.errors import NavigationError
from navigation.statistics.limits import require_positive
from navigation.statistics.sequential import LONGEST, Decision, fixed_test, wald_bounds

LEAST_COUNTS: Final = 100
"""Of the background: with fewer the errors depend on what its true rate is."""

GREATEST_STRETCH: Final = 1.3
"""How much longer it may take, on the mean, than with a background that is known. So far the sum of both errors
stays within a fifth of what was asked for; beyond, the test too often comes to its end undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveBackground:
    """A truncated test of the background's rate against ``factor`` times that.

    Attributes
    ----------
    background_counts, background_s
        What was counted without a source, and the live time, s.
    factor
        k, above 1.
    false_alarm, miss
        Errors that are aimed at, inside (0, 0.5); their sum is kept within a fifth.
    longest_s
        When it must decide.

    """

    background_counts: int
    background_s: float
    factor: float
    false_alarm: float
    miss: float
    longest_s: float

    @classmethod
    def planned(
        cls,
        *,
        background_counts: int,
        background_s: float,
        factor: float,
        false_alarm: float = 0.01,
        miss: float = 0.01,
    ) -> Self:
        """Plan a test that is cut off at ``LONGEST`` times the fixed time that would do, and its stretch.

        Raises
        ------
        NavigationError
            Where a number makes no test, or the background was counted too briefly for these errors; then with how
            long it must be counted.

        """
        require_positive(background_s=background_s)
        if not factor > 1:
            raise NavigationError(f"{factor} times the background: wants more than 1")
        if background_counts < 1:
            raise NavigationError(
                f"no count of background in {background_s:.0f} s: nothing is some times nothing; count it longer"
            )
        background_cps = background_counts / background_s
        fixed = fixed_test(
            background_cps=background_cps,
            signal_cps=(factor - 1) * background_cps,
            false_alarm=false_alarm,
            miss=miss,
        )

        def counted_for(seconds: float) -> "AboveBackground":
            return cls(
                background_counts=round(background_cps * seconds),
                background_s=seconds,
                factor=factor,
                false_alarm=false_alarm,
                miss=miss,
                longest_s=LONGEST * fixed.time_s,
            )

        test, needed_s = counted_for(background_s), background_s
        while counted_for(needed_s).background_counts < LEAST_COUNTS or not counted_for(needed_s).stretch:
            needed_s *= 1.1
        if needed_s > background_s:
            raise NavigationError(
                f"{background_counts} counts of background are too few to tell {factor:g} times it with errors of "
                f"{false_alarm:.1%} and {miss:.1%}: count it for {needed_s:.0f} s"
            )
        return cls(
            background_counts=background_counts,
            background_s=background_s,
            factor=factor,
            false_alarm=false_alarm,
            miss=miss,
            longest_s=test.longest_s * test.stretch,
        )

    @property
    def stretch(self) -> float:
        """How much longer than with a known background it takes on the mean; 0: more than ``GREATEST_STRETCH``."""
        lower, upper = wald_bounds(self.false_alarm, self.miss)
        rate_cps, gain = self.background_counts / self.background_s, log(self.factor)
        worst = 1.0
        for true, bound in ((self.factor, upper), (1.0, lower)):
            known_s = bound / (rate_cps * (true * gain - (self.factor - 1)))

            def is_there(
                stretch: float, true: float = true, bound: float = bound, known_s: float = known_s
            ) -> bool:
                counts = true * rate_cps * known_s * stretch
                return self.log_ratio(counts, known_s * stretch) / bound >= 1

            worst = max(worst, _least(is_there))
        return worst if worst <= GREATEST_STRETCH else 0.0

    def log_ratio(self, counts: float, live_time_s: float) -> float:
        """Logarithm of the likelihood ratio of ``factor`` times the background to the background."""
        background_s = self.background_s
        less = log((background_s + live_time_s) / (background_s + self.factor * live_time_s))
        return counts * log(self.factor) + (counts + self.background_counts) * less

    def decide(self, counts: int, live_time_s: float) -> Decision:
        """Decide on so many counts in so long a live time, if none of the looks before has decided."""
        lower, upper = wald_bounds(self.false_alarm, self.miss)
        log_ratio, is_last = self.log_ratio(counts, live_time_s), live_time_s >= self.longest_s
        if log_ratio >= upper or (is_last and log_ratio >= 0):
            return Decision.SIGNAL
        return Decision.BACKGROUND if log_ratio <= lower or is_last else Decision.OPEN


def _least(is_there: Callable[[float], bool]) -> float:
    """Find the least stretch, to 1 %, at which the mean course is at its bound; beyond the greatest: none."""
    stretch = 1.0
    while stretch <= GREATEST_STRETCH and not is_there(stretch):
        stretch *= 1.01
    return stretch

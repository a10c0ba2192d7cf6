"""Ratio of two rates that were each counted, with or without a background under them.

The hypothesis "first = ratio x second" is rejected where the first count would be too rarely as large (lower
limit) or as small (upper limit) as it was. The second rate and the backgrounds are not known but counted, so the
probability is averaged over what their counts leave possible; a count of n leaves a gamma distribution whose shape
is n or n + 1, whichever moves the limit outward. All averages are finite sums of negative binomials:

- without backgrounds the limits are those of the binomial test of two Poisson means (Przyborowski & Wilenski,
  Biometrika 31 (1940) 313) with Clopper & Pearson's interval (Biometrika 26 (1934) 404);
- the test of "nothing above background" is Linnemann's Z_Bi = Z_Gamma (PHYSTAT 2003, astro-ph/0312059; Cousins,
  Linnemann & Tucker, NIM A 595 (2008) 480), and Garwood's interval where the background is known to be none;
- the upper limit is divided by the chance of so few counts from background alone (CL_s: Zech, NIM A 277 (1989)
  608; Read, J. Phys. G 28 (2002) 2693), so a background that fluctuates low never proves absence;
- what the second's background leaves of it is Loredo's sum (Maximum Entropy and Bayesian Methods, 1990, 81).

A profile likelihood would be shorter, but of no counts at all it says "at most 1.35" at 95 %, where 3.00 is true.
Backgrounds of both counts are taken as independent, also where they are one measurement: that matters only where
the second is no stronger than its background, and then the limits are wide anyway.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc

from navigation.errors import NavigationError
from navigation.statistics.discrete import negative_binomial_chances, negative_binomial_quantile
from navigation.statistics.limits import Limits, require_confidence

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-9
"""Probability below which a share of the background is left out of a sum."""

MOST_TERMS = 9
"""Terms kept of the second count's background: neighbours are joined, for they hardly differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Events in a time.

    Attributes
    ----------
    counts
        Events as counted; an expected, not whole number is allowed.
    live_time_s
        Time in which the instrument could count, s.
    taken_at_s
        Middle of the counting time, host monotonic clock, s.

    Raises
    ------
    NavigationError
        Where a number is not finite, the counts are negative or the time is not positive.

    """

    counts: float
    live_time_s: float
    taken_at_s: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.counts) and self.counts >= 0):
            raise NavigationError(f"{self.counts} counts: wants a finite number, zero or more")
        if not (isfinite(self.live_time_s) and self.live_time_s > 0):
            raise NavigationError(f"a live time of {self.live_time_s} s: wants a finite time above 0")
        if not isfinite(self.taken_at_s):
            raise NavigationError(f"a count taken at {self.taken_at_s} s: wants a time on the host's clock")

    @property
    def rate_cps(self) -> float:
        """Counts over live time."""
        return self.counts / self.live_time_s

    def corrected_for(self, dead_time_s: float) -> "Count":
        """Take a non-paralysable dead time (s) after each event off the live time.

        What is left is a Poisson count in the time that was really open (Knoll, 4.VII; Mueller, NIM 112 (1973)
        47).

        Raises
        ------
        NavigationError
            Where the dead time is negative or fills the whole time.

        """
        open_s = self.live_time_s - self.counts * dead_time_s
        if not (isfinite(dead_time_s) and dead_time_s >= 0 and open_s > 0):
            raise NavigationError(
                f"{self.counts:.0f} counts in {self.live_time_s} s do not go with a dead time of {dead_time_s} s"
            )
        return Count(counts=self.counts, live_time_s=open_s, taken_at_s=self.taken_at_s)

    def lengthened(self, rate_cps: float, more_s: float) -> "Count":
        """Add what counting on for ``more_s`` would be expected to give at this rate."""
        return Count(
            counts=self.counts + rate_cps * more_s,
            live_time_s=self.live_time_s + more_s,
            taken_at_s=self.taken_at_s,
        )


def ratio_limits(
    first: Count,
    second: Count,
    *,
    first_background: Count | None = None,
    second_background: Count | None = None,
    confidence: float = 0.95,
) -> Limits:
    """Limits of (first - its background) / (second - its background), rates above 0.

    ``best`` is the ratio of the net rates, zero where the first is below its background and None where the second
    is. The upper limit is infinite where the second may be nothing.

    Raises
    ------
    NavigationError
        Where ``confidence`` is not inside (0.5, 1).

    """
    require_confidence(confidence)
    upper_sum = _Predicted(first, second, first_background, second_background, is_upper=True)
    lower_sum = _Predicted(first, second, first_background, second_background, is_upper=False)
    net = first.rate_cps - (first_background.rate_cps if first_background else 0.0)
    reference = second.rate_cps - (second_background.rate_cps if second_background else 0.0)
    scale = max(net, 1 / first.live_time_s) / max(reference, 1 / second.live_time_s)
    tail = 1 - confidence
    return Limits(
        best=max(net, 0.0) / reference if reference > 0 else None,
        lower=_crossing(lambda ratio: lower_sum.chance(ratio) - tail, scale),
        upper=_crossing(lambda ratio: tail - upper_sum.chance(ratio), scale),
        confidence=confidence,
    )


def chance_of_background(first: Count, background: Count) -> float:
    """Probability that the background alone gives as many counts as the first, or more.

    Binomial test of equal rates: p = I_x(n, m + 1) with x = t / (t + t_b) (Przyborowski & Wilenski 1940).
    """
    if first.counts == 0:
        return 1.0
    open_share = first.live_time_s / (first.live_time_s + background.live_time_s)
    return float(betainc(first.counts, background.counts + 1, open_share))


class _Predicted:
    """Distribution of the first count for an assumed ratio, all else as its own counts leave it."""

    def __init__(
        self, first: Count, second: Count, under_first: Count | None, under_second: Count | None, *, is_upper: bool
    ) -> None:
        self._counts = first.counts
        self._is_upper = is_upper
        self._exposure = first.live_time_s / second.live_time_s
        outward = 0 if is_upper else 1
        taken, self._taken_weight = _background_terms(first, under_first, outward=outward)
        # what is left for a source, given that so many were background
        self._left = self._counts - taken
        lost, weight = _background_terms(second, under_second, outward=1 - outward)
        is_possible = lost <= second.counts
        lost, weight = lost[is_possible], weight[is_possible]
        joined = np.array_split(np.arange(lost.size), min(MOST_TERMS, lost.size))
        weight_of = np.array([weight[each].sum() for each in joined])
        lost_of = np.array([(weight[each] * lost[each]).sum() for each in joined]) / weight_of
        self._shape = second.counts - lost_of + outward
        self._weight = weight_of / weight_of.sum()
        self._without = self._tail(0.0)

    def chance(self, ratio: float) -> float:
        """Probability of a first count as far out as the one seen."""
        tail = self._tail(ratio)
        return tail / self._without if self._is_upper else tail

    def _tail(self, ratio: float) -> float:
        open_share = self._exposure * ratio / (1 + self._exposure * ratio)
        left, shape = self._left[:, None], self._shape[None]
        if self._is_upper:
            # P(N <= left) of a negative binomial; a second count of nothing leaves nothing to be a ratio of
            inside = betainc(np.maximum(shape, 1e-12), np.maximum(left, 0) + 1, 1 - open_share)
            tail = np.where(left >= 0, np.where(shape > 0, inside, 1.0), 0.0)
        else:
            tail = np.where(left > 0, betainc(np.maximum(left, 1e-12), shape, open_share), 1.0)
        return float(self._taken_weight @ tail @ self._weight)


def _background_terms(gross: Count, background: Count | None, *, outward: int) -> tuple[Array, Array]:
    """How many of ``gross`` may be background, and how probable each number is."""
    if background is None or background.counts + outward == 0:
        return np.zeros(1), np.ones(1)
    shape = background.counts + outward
    share = background.live_time_s / (background.live_time_s + gross.live_time_s)
    first, last = (negative_binomial_quantile(each, shape, share) for each in (NEGLIGIBLE, 1 - NEGLIGIBLE))
    taken = np.arange(first, last + 1, dtype=np.float64)
    return taken, negative_binomial_chances(taken, shape, share)


def _crossing(rising: Callable[[float], float], scale: float) -> float:
    """Where a function that rises from below zero crosses it: 0 if above at once, infinite if it never does."""
    least, most = scale * 1e-9, scale * 1e9
    if rising(least) >= 0:
        return 0.0
    if rising(most) < 0:
        return inf
    low = high = scale
    while rising(high) < 0:
        low, high = high, high * 2
    while rising(low) >= 0:
        low, high = low / 2, low
    return float(brentq(rising, low, high, rtol=1e-7))

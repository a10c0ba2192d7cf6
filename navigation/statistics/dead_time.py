"""Dead time of the three kinds, both ways: what is counted of a true rate, and what rate a count comes from.

With a non-extending (non-paralysable) dead time tau_n and an extending (paralysable) one tau_e behind it, a rate n
is counted as

    m = n exp(-n tau_e) / (1 + n tau_n)

(Lee and Gardner, Appl. Radiat. Isot. 53 (2000) 731; Knoll, 4.VII, where one of the two is 0). With an extending
part the counted rate rises to a turn and falls again: each m has two rates n, and at the turn the slope is 0, so
that no error is small enough. Only the lower one is ever given here; whoever asks must know that the upper one is
excluded, and is told where the turn is near.
"""

from dataclasses import dataclass
from math import exp, inf, isfinite, sqrt

from scipy.optimize import brentq

from navigation.errors import NavigationError
from navigation.statistics.counting import Rate

NEAR_TURN = 0.9
"""Share of the greatest countable rate from which on a corrected rate is not to be relied on: there true rates of
0.61 and of 1.53 times the turn's are counted alike, and an error is blown up nearly five times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRate:
    """A rate without its dead time.

    Attributes
    ----------
    rate
        On the lower branch, with its standard error.
    is_near_turn
        Whether the counted rate, by two standard errors, comes near the greatest that can be counted: then the
        true rate may as well be the upper one.

    """

    rate: Rate
    is_near_turn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTimeModel:
    """How an instrument loses counts.

    Attributes
    ----------
    non_extending_s
        Dead time after an event that another event within it does not lengthen, s.
    extending_s
        Dead time that each event within it begins anew, s; it follows the other where there are both.

    Raises
    ------
    NavigationError
        Where a dead time is negative or not finite.

    """

    non_extending_s: float = 0.0
    extending_s: float = 0.0

    def __post_init__(self) -> None:
        for dead_time_s in (self.non_extending_s, self.extending_s):
            if not (isfinite(dead_time_s) and dead_time_s >= 0):
                raise NavigationError(f"a dead time of {dead_time_s} s: wants a finite one, zero or more")

    @property
    def turn_cps(self) -> float:
        """True rate at which the most is counted; infinite without an extending part.

        dm/dn = 0 where tau_n n^2 + n - 1 / tau_e = 0.
        """
        if self.extending_s == 0:
            return inf
        # the root in the form that stands a tau_n of 0
        return 2 / (self.extending_s * (1 + sqrt(1 + 4 * self.non_extending_s / self.extending_s)))

    @property
    def greatest_cps(self) -> float:
        """Greatest rate that can be counted: 1 / (e tau_e), or 1 / tau_n, which is never quite reached."""
        if self.extending_s > 0:
            return self.counted_cps(self.turn_cps)
        return 1 / self.non_extending_s if self.non_extending_s > 0 else inf

    def counted_cps(self, true_cps: float) -> float:
        """Rate that is counted of a true one."""
        if not (isfinite(true_cps) and true_cps >= 0):
            raise NavigationError(f"a true rate of {true_cps} cps: wants a finite one, zero or more")
        return true_cps * exp(-true_cps * self.extending_s) / (1 + true_cps * self.non_extending_s)

    def true_rate(self, counted: Rate) -> TrueRate:
        """Give the lower of the rates that are counted so, its error by the slope there.

        Raises
        ------
        NavigationError
            Where no rate is counted as so much.

        """
        if not 0 <= counted.rate_cps < self.greatest_cps:
            raise NavigationError(
                f"{counted.rate_cps:.0f} cps cannot be counted: with this dead time {self.greatest_cps:.0f} cps "
                "is the most; move away from the source, or measure the dead time anew"
            )
        true_cps = self._invert(counted.rate_cps)
        slope = self._slope(true_cps)
        near_cps = counted.rate_cps + 2 * counted.sigma_cps
        return TrueRate(
            rate=Rate(rate_cps=true_cps, sigma_cps=counted.sigma_cps / slope),
            is_near_turn=self.extending_s > 0 and near_cps > NEAR_TURN * self.greatest_cps,
        )

    def _invert(self, counted_cps: float) -> float:
        if self.extending_s == 0:
            return counted_cps / (1 - counted_cps * self.non_extending_s)
        if counted_cps == 0:
            return 0.0
        return float(
            brentq(lambda true_cps: self.counted_cps(true_cps) - counted_cps, 0.0, self.turn_cps, rtol=1e-12)
        )

    def _slope(self, true_cps: float) -> float:
        """dm/dn: the share of a small rise that is counted."""
        alive = 1 + true_cps * self.non_extending_s
        return exp(-true_cps * self.extending_s) * (1 - true_cps * self.extending_s * alive) / alive**2

"""Counts out of an instrument that gives only a smoothed rate.

A rate meter shows an exponentially weighted mean of what it counted, with a time constant tau. Neighbouring values
share most of their events: values ten times a second at tau = 1 s, taken as Poisson counts of 0.1 s, are late by a
second and seem to say something each. The filter can be undone. With r the shown rate,

    r(t) = r(t - T) exp(-T / tau) + (1 / tau) sum over events in the last T of exp(-age / tau),

so y = r(t) - r(t - T) exp(-T / tau) holds events of the last T alone, and separate intervals are independent.
By Campbell's theorem (Schiff and Evans, Rev. Sci. Instrum. 7 (1936) 456) a rate m gives y the mean
m (1 - exp(-T / tau)) and the variance m (1 - exp(-2 T / tau)) / (2 tau). A Poisson count with the same mean and
variance is

    k = y / (1 - exp(-T / tau)) L      in      L = 2 tau tanh(T / (2 tau)).

L tends to T for short intervals: nothing that was counted is lost. It tends to 2 tau for long ones: the known
standard error sqrt(m / (2 tau)) of a rate meter that has settled.
"""

import math
from dataclasses import dataclass

from navigation.errors import NavigationError


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalentCount:
    """A count that says as much as the values of a rate meter did.

    Attributes
    ----------
    counts
        Events that it is worth; no integer. Poisson in mean and variance.
    live_time_s
        Time that they are worth, s; at most ``real_time_s``.
    real_time_s
        Length of the interval whose events these are, s.
    middle_s
        Mean time of its events as they are weighted, host monotonic clock, s: the pose belongs there.

    """

    counts: float
    live_time_s: float
    real_time_s: float
    middle_s: float


class RateMeter:
    """Undoes the smoothing of one instrument, value by value.

    An interval is closed once it is as long as ``least_interval_s`` and its events are not negative, as rounding
    can make them. Rounding is blown up by tau / T: half a time constant keeps that at twice.

    Parameters
    ----------
    time_constant_s
        tau of the exponential mean, s, from the instrument's manual or its answer to a source that is taken away.
    least_interval_s
        Shortest interval to make a count of, s; half the time constant if None.

    Raises
    ------
    NavigationError
        Where a time is not positive.

    """

    def __init__(self, *, time_constant_s: float, least_interval_s: float | None = None) -> None:
        least_s = time_constant_s / 2 if least_interval_s is None else least_interval_s
        if not (0 < time_constant_s < math.inf and 0 < least_s < math.inf):
            raise NavigationError(
                f"rate meter: {time_constant_s} s smoothed, {least_s} s an interval, undo nothing; "
                "give the instrument's own time constant, above 0 s"
            )
        self._time_constant_s = time_constant_s
        self._least_s = least_s
        self._since: tuple[float, float] | None = None

    def take(self, taken_at_s: float, rate_cps: float) -> EquivalentCount | None:
        """Take a shown rate; return a count once there is one.

        Parameters
        ----------
        taken_at_s
            When it was shown, host monotonic clock, s.
        rate_cps
            As shown, not corrected for dead time.

        Raises
        ------
        NavigationError
            Where the rate is negative or no number, or its time is no number. It is then not taken.

        """
        if not (math.isfinite(taken_at_s) and 0 <= rate_cps < math.inf):
            raise NavigationError(f"rate meter: {rate_cps} cps at {taken_at_s} s is no rate; leave this value out")
        if self._since is None or taken_at_s <= self._since[0]:
            # before the first, or after a clock that went back, nobody knows what the mean still holds
            self._since = taken_at_s, rate_cps
            return None
        since_s, before_cps = self._since
        interval_s = taken_at_s - since_s
        turn = interval_s / self._time_constant_s
        left, gained = math.exp(-turn), -math.expm1(-turn)
        fresh_cps = rate_cps - before_cps * left
        if interval_s < self._least_s * (1 - 1e-9) or fresh_cps < 0:
            return None
        self._since = taken_at_s, rate_cps
        live_time_s = 2 * self._time_constant_s * math.tanh(turn / 2)
        return EquivalentCount(
            counts=fresh_cps / gained * live_time_s,
            live_time_s=live_time_s,
            real_time_s=interval_s,
            middle_s=taken_at_s - self._time_constant_s + interval_s * left / gained,
        )

"""Counting statistics: intervals, rates with their errors, dead time, chi-square, decay, detection limits.

Counts are Poisson; every error here follows from that, none from a guess. Rates are per second, times in
seconds. "Counted" is what the instrument says, "true" what it would say without dead time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite, sqrt

import numpy as np
from scipy.special import chdtrc, chdtri, gammainccinv, gammaincinv, ndtri

from navigation.decay import decay_factor
from navigation.errors import NavigationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate and its standard error, per second."""

    rate_cps: float
    sigma_cps: float


def poisson_interval(counts: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of the mean that gave ``counts``: exact and central, so right also for few counts.

    Garwood, Biometrika 28 (1936) 437: low = chi2(alpha/2; 2 n) / 2, high = chi2(1 - alpha/2; 2 n + 2) / 2. No
    counts at all still leave a mean of up to 3.69 possible at 95 %.

    Raises
    ------
    NavigationError
        Where ``counts`` is negative or ``confidence`` is not inside (0, 1).

    """
    if counts < 0 or not 0 < confidence < 1:
        raise NavigationError(f"an interval needs counts >= 0 and 0 < confidence < 1: {counts}, {confidence}")
    tail = (1 - confidence) / 2
    # chi2's quantile over 2; scipy.stats takes a hundred times as long to ask for it, in every frame
    low = float(gammaincinv(counts, tail)) if counts else 0.0
    return low, float(gammainccinv(counts + 1, tail))


def gross_rate(counts: int, live_time_s: float) -> Rate:
    """Rate and Poisson error of a count; a count of none is given the error of one, never certainty."""
    _require(live_time_s > 0 and counts >= 0, f"{counts} counts in {live_time_s} s are no count")
    return Rate(rate_cps=counts / live_time_s, sigma_cps=sqrt(max(counts, 1)) / live_time_s)


def net_rate(gross: Rate, background: Rate) -> Rate:
    """Rate above background; the errors add in quadrature (Knoll, 3.VI)."""
    return Rate(
        rate_cps=gross.rate_cps - background.rate_cps,
        sigma_cps=sqrt(gross.sigma_cps**2 + background.sigma_cps**2),
    )


def true_rate(counted: Rate, dead_time_s: float) -> Rate:
    """Undo non-paralysable dead time: n = m / (1 - m tau), error by its slope 1 / (1 - m tau)^2 (Knoll, 4.VII).

    Raises
    ------
    NavigationError
        Where the counted rate has reached 1 / tau: no true rate could give it.

    """
    alive = 1 - counted.rate_cps * dead_time_s
    _require(alive > 0, f"{counted.rate_cps:.0f} cps cannot be counted with a dead time of {dead_time_s:.3g} s")
    return Rate(rate_cps=counted.rate_cps / alive, sigma_cps=counted.sigma_cps / alive**2)


def counted_rate_cps(true_cps: float, dead_time_s: float) -> float:
    """Rate that a non-paralysable instrument counts: m = n / (1 + n tau) (Knoll, 4.VII)."""
    return true_cps / (1 + true_cps * dead_time_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTime:
    """A measured dead time per event and its standard error, s.

    Slightly negative values are possible: that is what chance makes of a dead time near zero.
    """

    dead_time_s: float
    sigma_s: float


def two_source_dead_time(first: Rate, second: Rate, both: Rate, background: Rate) -> DeadTime:
    """Non-paralysable dead time from two sources counted singly and together, background counted in all.

    Knoll, 4.VII.C, eq. 4.32-4.33: X = m1 m2 - mb m12, Y = m1 m2 (m12 + mb) - mb m12 (m1 + m2),
    Z = Y (m1 + m2 - m12 - mb) / X^2, tau = X (1 - sqrt(1 - Z)) / Y; the error by the slopes in the four rates.

    Raises
    ------
    NavigationError
        Where the rates cannot come from two sources above a background.

    """
    rates_cps = np.array([first.rate_cps, second.rate_cps, both.rate_cps, background.rate_cps])
    sigmas_cps = np.array([first.sigma_cps, second.sigma_cps, both.sigma_cps, background.sigma_cps])
    dead_time_s = _two_source(rates_cps)
    steps_cps = np.diag(np.maximum(rates_cps, 1.0) * 1e-5)
    slopes = [(_two_source(rates_cps + step) - _two_source(rates_cps - step)) / 2 for step in steps_cps]
    slopes_s2 = np.array(slopes) / np.diag(steps_cps)
    return DeadTime(dead_time_s=dead_time_s, sigma_s=float(np.sqrt(((slopes_s2 * sigmas_cps) ** 2).sum())))


def _two_source(rates_cps: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    m1, m2, m12, mb = (float(rate) for rate in rates_cps)
    x = m1 * m2 - mb * m12
    y = m1 * m2 * (m12 + mb) - mb * m12 * (m1 + m2)
    _require(
        x > 0 and y > 0 and min(m1, m2, m12) > mb,
        f"{m1:.0f}, {m2:.0f} and together {m12:.0f} cps over {mb:.1f} cps of background are not two sources",
    )
    z = y * (m1 + m2 - m12 - mb) / x**2
    _require(
        m12 > max(m1, m2) and z < 1,
        f"together {m12:.0f} cps, but alone {m1:.0f} and {m2:.0f}: the counter is paralysed, or a source moved",
    )
    return x * (1 - sqrt(1 - z)) / y


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquare:
    """Scatter of equal counts against Poisson: the value, and the limits that good counters keep.

    Attributes
    ----------
    value
        sum (x - mean)^2 / mean.
    low, high
        Limits; below: too regular (stuck, smoothed, or losing counts); above: unstable.

    """

    value: float
    low: float
    high: float


def chi_square(counts: Sequence[int], *, tail: float = 0.05) -> ChiSquare:
    """Chi-square of counts of equal time, n - 1 degrees of freedom, a share ``tail`` cut off at each end.

    Ten counts: 3.33-16.9 for a tail of 0.05 (Capintec Captus 3000 manual p. 75), 4.168-14.68 for 0.10 (Biodex
    Atomlab 960 manual p. 92). A good counter falls outside in twice ``tail`` of its tests: repeat once.

    Raises
    ------
    NavigationError
        Where there are fewer than two counts, or none has an event.

    """
    values = np.asarray(counts, dtype=np.float64)
    _require(values.size >= 2 and values.sum() > 0, "chi-square needs at least two counts, not all of them zero")
    freedom = values.size - 1
    return ChiSquare(
        value=float(((values - values.mean()) ** 2).sum() / values.mean()),
        low=float(2 * gammaincinv(freedom / 2, tail)),
        high=float(chdtri(freedom, tail)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far equal counts rise or fall from the first to the last, relative to their mean, and its error."""

    share: float
    sigma: float


def drift(counts: Sequence[int]) -> Drift:
    """Fit a straight line to equal counts in their order (Bevington and Robinson, 6.3 and 6.4).

    The error is Poisson's of the mean, or that of the scatter about the line where it is larger: what jumps to and
    fro does not drift.

    Raises
    ------
    NavigationError
        Where there are fewer than three counts, or none has an event.

    """
    values = np.asarray(counts, dtype=np.float64)
    _require(values.size >= 3 and values.sum() > 0, "a drift needs at least three counts, not all of them zero")
    from_middle = np.arange(values.size) - (values.size - 1) / 2
    squares, mean = float((from_middle**2).sum()), float(values.mean())
    slope, length = float((from_middle * values).sum()) / squares, values.size - 1
    left = values - mean - slope * from_middle
    variance = max(mean, float((left**2).sum()) / (values.size - 2))
    return Drift(share=slope * length / mean, sigma=length / mean * sqrt(variance / squares))


def chance_of(chi_square_value: float, degrees: int) -> float:
    """Probability that chance alone gives a chi-square at least this large."""
    _require(chi_square_value >= 0 and degrees > 0, f"chi-square {chi_square_value} of {degrees} degrees")
    return float(chdtrc(degrees, chi_square_value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constancy:
    """How far a check source's rate is from what decay has left of its reference.

    Attributes
    ----------
    expected_cps
        Reference net rate times decay.
    deviation, sigma
        (net - expected) / expected, and its standard error.

    """

    expected_cps: float
    deviation: float
    sigma: float


def constancy(net: Rate, *, reference_cps: float, elapsed_s: float, half_life_s: float) -> Constancy:
    """Compare a net rate with its reference: expected = R0 2^(-dt / T) (IEC 61453, decay-corrected check)."""
    _require(reference_cps > 0, f"a reference rate of {reference_cps} cps")
    expected_cps = reference_cps * decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)
    _require(isfinite(expected_cps) and expected_cps > 0, "the check source has decayed to nothing")
    return Constancy(
        expected_cps=expected_cps,
        deviation=net.rate_cps / expected_cps - 1,
        sigma=net.sigma_cps / expected_cps,
    )


def critical_level(background_counts: float, *, time_ratio: float = 1.0, error: float = 0.05) -> float:
    """Net counts above which a source is said to be there, with false alarms in a share of ``error``.

    Currie, Anal. Chem. 40 (1968) 586: L_C = k sqrt(B r (1 + r)), of a background of B counts and a gross count
    that takes ``time_ratio`` r of its time; 2.33 sqrt(B) where both take as long. Counts are taken as normal: with
    fewer than some ten, ``navigation.statistics.detection`` keeps what this promises.
    """
    _require(background_counts >= 0, f"{background_counts} background counts")
    _require(time_ratio > 0 and 0 < error < 0.5, f"no critical level of ratio {time_ratio} and error {error}")
    return -float(ndtri(error)) * sqrt(background_counts * time_ratio * (1 + time_ratio))


def detection_limit(background_counts: float, *, time_ratio: float = 1.0, error: float = 0.05) -> float:
    """Net counts that are found but for a share of ``error``: L_D = k^2 + 2 L_C (Currie, as ``critical_level``).

    2.71 + 4.65 sqrt(B) where the blank is counted as long, 2.71 + 3.29 sqrt(B) in the limit of a well-known one.
    """
    return float(ndtri(error)) ** 2 + 2 * critical_level(background_counts, time_ratio=time_ratio, error=error)


def width_at(angles_deg: Sequence[float], relative: Sequence[float], *, level: float = 0.5) -> float:
    """Full width of a symmetric fall-off, in the unit of its abscissa: twice where it first crosses ``level``.

    Straight lines between the points, as NEMA widths are taken. Infinite where it never falls that low.
    """
    points = list(zip(angles_deg, relative, strict=True))
    for (near, above), (far, below) in pairwise(points):
        if above >= level > below:
            return 2 * (near + (far - near) * (above - level) / (above - below))
    return inf


def width_sigma_at(angles_deg: Sequence[float], rates: Sequence[Rate], *, level: float = 0.5) -> float:
    """Give the standard error of ``width_at`` by that of each rate, the first of which the others are relative to.

    Each rate in turn is moved by its error, and the changes of the width are added in quadrature. Infinite where
    one of them moves the crossing beyond the last point.
    """

    def width(moved: int | None) -> float:
        values = [rate.rate_cps + (number == moved) * rate.sigma_cps for number, rate in enumerate(rates)]
        return width_at(angles_deg, [value / values[0] for value in values], level=level)

    return sqrt(sum((width(number) - width(None)) ** 2 for number in range(len(rates))))


def _require(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as the condition it is
    if not holds:
        raise NavigationError(sentence)

"""Control charts: whether a figure that is measured each day still comes from where it came from.

- Shewhart's chart of single values: warning lines at two standard deviations, action lines at three; one value
  beyond an action line, or two of three successive ones beyond the same warning line, are no chance (Western
  Electric, Statistical Quality Control Handbook, 1956; Montgomery, Introduction to Statistical Quality Control,
  6th ed., 5.3.3 and 6.4). It sees what happens at once.
- The exponentially weighted moving average, z_i = lambda x_i + (1 - lambda) z_(i-1) from z_0 = centre, with lines
  at L sigma sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^(2 i))) (Roberts, Technometrics 1 (1959) 239; Montgomery,
  9.2). It sees what comes slowly. With lambda 0.2 and L 2.962 a chart that is in order calls once in 500 values
  (Lucas and Saccucci, Technometrics 32 (1990) 1).

The standard deviation comes from the moving range of successive values of a base, MR / d2 with d2 = 1.128
(Montgomery, 6.4), so that a drift within the base does not widen its own lines; never less than what counting
alone makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, sqrt

import numpy as np
from scipy.special import chdtr, ndtri

from navigation.errors import NavigationError

WARNING, ACTION = 2.0, 3.0
"""Shewhart's lines, in standard deviations."""

WEIGHT, LIMIT = 0.2, 2.962
"""Lambda and L of the moving average."""

D2 = 1.128
"""Mean range of two normal values, in standard deviations (Montgomery, appendix VI)."""

FARTHEST = 8.2
"""Deviates are not told beyond: their chance is below what a double holds beside 1."""


class Signal(StrEnum):
    """What a chart says of its newest value."""

    IN_ORDER = "in order"
    WARNING = "beyond a warning line"
    ACTION = "beyond an action line"
    TWO_OF_THREE = "two of three beyond a warning line"
    SHIFT = "the moving average is beyond its line"

    @property
    def is_out(self) -> bool:
        """Whether something has to be done."""
        return self not in {Signal.IN_ORDER, Signal.WARNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Where values come from while nothing changes: their mean and standard deviation, in their unit.

    Raises
    ------
    NavigationError
        Where a number is not finite, or the standard deviation is not above zero.

    """

    centre: float
    sigma: float

    def __post_init__(self) -> None:
        if not (isfinite(self.centre) and isfinite(self.sigma) and self.sigma > 0):
            raise NavigationError(
                f"control chart: centre {self.centre}, sigma {self.sigma}: wants a sigma above 0"
            )


STANDARD = Process(centre=0.0, sigma=1.0)
"""Of figures that are normal deviates already."""


def process_of(values: Sequence[float], *, counting_sigma: float = 0.0) -> Process:
    """Learn a process from a base of values in the order of their times.

    Parameters
    ----------
    values
        Two or more, none of which is known to be out.
    counting_sigma
        Standard error of one value by its counts alone: the least that the standard deviation can be.

    Raises
    ------
    NavigationError
        Where there are fewer than two, one is not finite, or they are all one value and counts allow no other.

    """
    base = np.asarray(values, dtype=np.float64)
    if base.size < 2 or not np.isfinite(base).all():
        raise NavigationError(f"control chart: a base of {base.size} values: wants two or more, all finite")
    sigma = float(np.abs(np.diff(base)).mean()) / D2
    return Process(centre=float(base.mean()), sigma=max(sigma, counting_sigma))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value on the charts.

    Attributes
    ----------
    value
        As measured.
    average
        The moving average with it.
    average_line
        Distance of the moving average's lines from the centre at this value.
    signal
        What the charts say of it; the gravest of what holds.

    """

    value: float
    average: float
    average_line: float
    signal: Signal


def chart(
    values: Sequence[float], process: Process, *, weight: float = WEIGHT, limit: float = LIMIT
) -> list[Point]:
    """Put values on both charts, in the order of their times.

    Raises
    ------
    NavigationError
        Where a value is not finite, or ``weight`` is not inside (0, 1].

    """
    if not 0 < weight <= 1:
        raise NavigationError(f"control chart: a weight of {weight}: wants more than 0 and at most 1")
    points: list[Point] = []
    average = process.centre
    away = [(value - process.centre) / process.sigma for value in values]
    for index, value in enumerate(values):
        if not isfinite(value):
            raise NavigationError(f"control chart: the value {value} is no number")
        average = weight * value + (1 - weight) * average
        growth = 1 - (1 - weight) ** (2 * (index + 1))
        line = limit * process.sigma * sqrt(weight / (2 - weight) * growth)
        points.append(
            Point(
                value=value,
                average=average,
                average_line=line,
                signal=_signal(away[max(index - 2, 0) : index + 1], is_shift=abs(average - process.centre) > line),
            )
        )
    return points


def _signal(away: Sequence[float], *, is_shift: bool) -> Signal:
    """Say what holds of the last of up to three values, in standard deviations from the centre."""
    newest = away[-1]
    if abs(newest) > ACTION:
        return Signal.ACTION
    beyond = [side for side in (1, -1) if newest * side > WARNING]
    if beyond and sum(each * beyond[0] > WARNING for each in away) >= 2:
        return Signal.TWO_OF_THREE
    if is_shift:
        return Signal.SHIFT
    return Signal.WARNING if beyond else Signal.IN_ORDER


def chi_square_deviate(value: float, degrees: int) -> float:
    """Give a chi-square as the normal deviate that is as rare, so that it can stand on a chart.

    The probability integral transform: Phi^-1(F(value)).

    Raises
    ------
    NavigationError
        Where the value is negative or there are no degrees of freedom.

    """
    if not (isfinite(value) and value >= 0 and degrees > 0):
        raise NavigationError(f"control chart: a chi-square of {value} with {degrees} degrees of freedom")
    return float(np.clip(ndtri(chdtr(degrees, value)), -FARTHEST, FARTHEST))

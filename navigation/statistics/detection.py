"""Whether a count says that something is there, and how little would be found: exact where counts are few.

Currie (Anal. Chem. 40 (1968) 586) asks two things of a count over a background: the critical level L_C, the net
count above which a source is said to be there, with false alarms no more often than ``false_alarm``; and the
detection limit L_D, the true net count that is found with all but ``miss`` of chances. His formulas take counts as
normal (``counting.critical_level``, ``counting.detection_limit``); below some ten counts they promise what they do
not keep. Here it is kept, by the Poisson distribution itself:

- of a background that is known, gross counts of ``critical_counts`` and fewer happen by it alone in all but
  ``false_alarm`` (Currie, J. Radioanal. Nucl. Chem. 276 (2008) 285);
- of one that was counted, the share of all counts that fell into the gross count is binomial (Przyborowski and
  Wilenski, Biometrika 31 (1940) 313), whatever the background is.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtrc, gammainccinv, pdtr

from navigation.errors import NavigationError
from navigation.statistics.counting import detection_limit
from navigation.statistics.discrete import poisson_chances, poisson_quantile
from navigation.statistics.limits import require_positive

NEGLIGIBLE = 1e-9
"""Probability of background counts that a sum leaves out."""

MOST_COUNTS = 10_000.0
"""Background above which the exact sums are long and the normal formulas exact enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a count can tell.

    Attributes
    ----------
    critical_counts
        Greatest gross count that is put down to the background: one more says that something is there.
    limit_counts
        Detection limit: true net counts that are found with probability 1 - ``miss``.

    """

    critical_counts: int
    limit_counts: float


def over_known(background_counts: float, *, false_alarm: float = 0.05, miss: float = 0.05) -> Detection:
    """Give critical count and detection limit over a background whose mean in the counting time is known.

    Raises
    ------
    NavigationError
        Where the background is negative, or an error is outside (0, 0.5).

    """
    _require(background_counts, false_alarm, miss)
    critical = poisson_quantile(1 - false_alarm, background_counts)
    # the mean of which so few are as rare as misses may be: a quantile of the gamma distribution
    gross = float(gammainccinv(critical + 1, miss))
    return Detection(critical_counts=critical, limit_counts=gross - background_counts)


def critical_over_counted(background_counts: int, *, time_ratio: float = 1.0, false_alarm: float = 0.05) -> int:
    """Greatest gross count that is put down to a background of which so many were counted.

    Parameters
    ----------
    background_counts
        As counted.
    time_ratio
        Time of the gross count over that of the background.
    false_alarm
        Probability that is allowed to it.

    Raises
    ------
    NavigationError
        Where a number makes no test.

    """
    _require(background_counts, false_alarm, 0.05)
    return int(_criticals(np.array([background_counts]), time_ratio, false_alarm)[0])


def _criticals(background_counts: NDArray[np.int64], time_ratio: float, false_alarm: float) -> NDArray[np.int64]:
    """Give the critical count over each of several backgrounds, by bisection: they may be of thousands."""
    require_positive(time_ratio=time_ratio)
    share = time_ratio / (1 + time_ratio)

    def is_enough(gross: NDArray[np.int64]) -> NDArray[np.bool_]:
        # P(more than gross of gross + 1 + background) falls as gross rises
        return np.asarray(bdtrc(gross, gross + 1 + background_counts, share) <= false_alarm)

    low = np.full(background_counts.shape, -1)
    high = np.ceil(2 * background_counts * time_ratio + 16).astype(np.int64)
    while not is_enough(high).all():
        high *= 2
    while (high - low > 1).any():
        middle = (low + high) // 2
        enough = is_enough(middle)
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.asarray(high, dtype=np.int64)


def over_counted(
    background_counts: float, *, time_ratio: float = 1.0, false_alarm: float = 0.05, miss: float = 0.05
) -> Detection:
    """Give critical count and detection limit where the background is counted too, before it is.

    Parameters
    ----------
    background_counts
        Its mean in the time in which it is counted.
    time_ratio
        Time of the gross count over that of the background.
    false_alarm, miss
        Errors that are allowed, inside (0, 0.5).

    Returns
    -------
    Detection
        ``critical_counts`` for a background that came as its mean is, rounded; ``limit_counts`` over all that
        it may come as.

    Raises
    ------
    NavigationError
        Where a number makes no test, or the background is above ``MOST_COUNTS``: take the normal formulas.

    """
    _require(background_counts, false_alarm, miss)
    if background_counts > MOST_COUNTS:
        raise NavigationError(
            f"{background_counts:.0f} background counts are many: counting.detection_limit is exact"
        )
    first = poisson_quantile(NEGLIGIBLE, background_counts)
    last = poisson_quantile(1 - NEGLIGIBLE, background_counts)
    came = np.arange(first, last + 1)
    chances = poisson_chances(came, background_counts)
    criticals = _criticals(came, time_ratio, false_alarm)
    below = background_counts * time_ratio

    def missed(net: float) -> float:
        return float((chances * pdtr(criticals, below + net)).sum()) - miss

    most = 10.0
    while missed(most) > 0:
        most *= 2
    return Detection(
        critical_counts=critical_over_counted(
            round(background_counts), time_ratio=time_ratio, false_alarm=false_alarm
        ),
        limit_counts=float(brentq(missed, 0.0, most)),
    )


def least_detected(background_counts: float, *, time_ratio: float = 1.0) -> float:
    """Net counts that are found in 19 of 20 counts over a counted background: L_D, exact up to ``MOST_COUNTS``."""
    if background_counts > MOST_COUNTS:
        return detection_limit(background_counts, time_ratio=time_ratio)
    return over_counted(background_counts, time_ratio=time_ratio).limit_counts


def _require(background_counts: float, false_alarm: float, miss: float) -> None:
    if not (isfinite(background_counts) and background_counts >= 0):
        raise NavigationError(f"{background_counts} background counts: wants a finite number, zero or more")
    for name, error in (("false_alarm", false_alarm), ("miss", miss)):
        if not 0 < error < 0.5:
            raise NavigationError(f"detection: {name} is {error}: wants more than 0 and less than 0.5")

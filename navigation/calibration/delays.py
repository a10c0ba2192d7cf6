"""Fits of counts to a track of which one parameter is how late the counts are.

A hand goes to and fro, and to one that goes evenly a delay and one that is longer by a pass look nearly alike. A
fit that is begun at one delay ends at whichever is near. So it is begun at many, and all that promise something
are followed to their ends: then it is seen whether one fits better than every other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.optimize import OptimizeResult

LONGEST_DELAY_S = 0.5
SEARCHED_S = 1.0
"""How far out a delay is looked for: one that is too long may look nearly like a shorter one."""

SURE = 4.0
"""Standard deviations by which one fit must be better than another to be told from it."""

STARTS_S = (-0.9, -0.72, -0.54, -0.36, -0.18, 0.0, 0.18, 0.36, 0.54, 0.72, 0.9)
LOOKS, MOST_STEPS = 6, 60
PROMISING = 4.0
"""Starts that come after so many looks to this many times the least, or to less, are followed to their ends."""

DELAY = 5
"""Which parameter it is, after the source's place, activity and background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where fits have ended.

    Attributes
    ----------
    best
        The best of those whose delay is possible; of all, where none's is.
    alike
        Those with a possible delay that fit so nearly as well that they cannot be told from it; itself too. Empty
        where none is possible.
    is_too_long
        Whether one fits better than all whose delay is possible.
    inflation
        By how much the counts scatter more than chance, in variance; at least 1.

    """

    best: OptimizeResult
    alike: Sequence[OptimizeResult]
    is_too_long: bool
    inflation: float


def follow(fit: Callable[[float, int], OptimizeResult], *, counts: int) -> Ends:
    """Follow a fit of so many ``counts`` from every delay that it may have.

    ``fit`` begins at a delay, s, and takes at most so many steps; its residuals are those of the deviance.
    """
    began = [fit(start_s, LOOKS) for start_s in STARTS_S]
    hopeful = PROMISING * min(float(found.cost) for found in began)
    ends = [fit(float(each.x[DELAY]), MOST_STEPS) for each in began if each.cost <= hopeful]
    possible = [end for end in ends if abs(end.x[DELAY]) <= LONGEST_DELAY_S]
    best = min(possible or ends, key=lambda end: float(end.cost))
    inflation = max(1.0, 2 * float(best.cost) / (counts - len(best.x)))
    margin = SURE**2 * inflation / 2
    return Ends(
        best=best,
        alike=[end for end in possible if end.cost - best.cost < margin],
        is_too_long=not possible or float(best.cost - min(end.cost for end in ends)) > margin,
        inflation=inflation,
    )

"""What a quantity may be, and what that says about a threshold."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, isnan, log

from navigation.errors import NavigationError

SHORTEST_WAIT_S = 0.5
WAIT_STEP = 1.1
"""Waiting times that are tried stand in this ratio, from the shortest up."""


class Verdict(StrEnum):
    """Where a quantity lies from a threshold, as far as the counts can tell."""

    BELOW = "below"
    ABOVE = "above"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A quantity that cannot be negative: its most likely value and a limit on either side.

    Attributes
    ----------
    best
        Most likely value; None where the counts give none.
    lower, upper
        One-sided limits, each right with a probability of ``confidence``: together they make an interval of
        ``2 confidence - 1``. ``upper`` is infinite where nothing bounds the quantity.
    confidence
        Of each limit, inside (0.5, 1).

    Raises
    ------
    NavigationError
        Where the limits cross, are negative or no number, or ``confidence`` is none.

    """

    best: float | None
    lower: float
    upper: float
    confidence: float

    def __post_init__(self) -> None:
        require_confidence(self.confidence)
        if isnan(self.lower) or isnan(self.upper) or not 0 <= self.lower <= self.upper:
            raise NavigationError(f"limits: {self.lower} to {self.upper} is no interval from zero up")

    def against(self, threshold: float) -> Verdict:
        """Compare with a threshold: below or above only where the limit on that side has passed it."""
        if self.upper < threshold:
            return Verdict.BELOW
        return Verdict.ABOVE if self.lower > threshold else Verdict.UNDECIDED


def shortest_wait_s(is_decided: Callable[[float], bool], *, longest_s: float) -> float | None:
    """Find, to a tenth, the shortest time of waiting (s) after which a question is decided.

    None where it is open even after the longest. What is decided after some time is taken to stay so.
    """
    steps = max(ceil(log(longest_s / SHORTEST_WAIT_S) / log(WAIT_STEP)), 0)
    waits_s = [min(SHORTEST_WAIT_S * WAIT_STEP**step, longest_s) for step in range(steps + 1)]
    if not is_decided(waits_s[-1]):
        return None
    return waits_s[bisect_left(waits_s, 1, hi=len(waits_s) - 1, key=lambda wait_s: int(is_decided(wait_s)))]


def require_confidence(confidence: float) -> None:
    """Refuse a confidence that would let both limits fail at once."""
    if not 0.5 < confidence < 1:
        raise NavigationError(f"a confidence of {confidence}: wants more than 0.5 and less than 1, as 0.95")


def require_positive(**named: float) -> None:
    """Refuse a number that is not finite and above zero, by its name."""
    for name, value in named.items():
        if not 0 < value < float("inf"):
            raise NavigationError(f"{name} is {value}: wants a finite number above 0")

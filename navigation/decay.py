"""Radioactive decay."""

import math

from navigation.errors import NavigationError


def decay_factor(*, half_life_s: float, elapsed_s: float) -> float:
    """Give the share of an activity that is left: 2 ** (-elapsed / half-life).

    Negative ``elapsed_s`` looks back in time and gives more than 1.

    Raises
    ------
    NavigationError
        Where the half-life is not above zero, or a number is not finite.

    """
    if not (math.isfinite(half_life_s) and math.isfinite(elapsed_s) and half_life_s > 0):
        raise NavigationError(
            f"decay over {elapsed_s} s with a half-life of {half_life_s} s: wants a half-life above 0"
        )
    return math.exp2(-elapsed_s / half_life_s)

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


def decay_within(*, half_life_s: float, counting_s: float) -> float:
    """Give the mean share that is left during a count, of what was there at its beginning.

    (1 - exp(-x)) / x with x = ln 2 t / T. Counts over it, and over ``decay_factor`` to the beginning, belong to
    the time that an activity is stated for. Of Ga-68 a minute takes 1 %, half of that within a count of a minute.

    Raises
    ------
    NavigationError
        Where the half-life is not above zero, or the time negative or not finite.

    """
    if not (math.isfinite(half_life_s) and half_life_s > 0 and math.isfinite(counting_s) and counting_s >= 0):
        raise NavigationError(
            f"decay within {counting_s} s with a half-life of {half_life_s} s: wants a half-life above 0"
        )
    decays = math.log(2) * counting_s / half_life_s
    return -math.expm1(-decays) / decays if decays else 1.0

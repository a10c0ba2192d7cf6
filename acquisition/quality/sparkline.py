"""A course of values as one line of text."""

from collections.abc import Sequence
from typing import Final

LEVELS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Draw each value as a bar between the least and the greatest; all alike are drawn at half height."""
    if not values:
        return ""
    least, span = min(values), max(values) - min(values)
    if span == 0:
        return LEVELS[3] * len(values)
    return "".join(LEVELS[min(int((value - least) / span * len(LEVELS)), len(LEVELS) - 1)] for value in values)

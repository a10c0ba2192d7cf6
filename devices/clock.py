"""Time: the host's monotonic clock for every reading, wall time at the edges only."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds of a clock that never jumps; only differences mean anything."""


def monotonic() -> float:
    """Seconds of the host's monotonic clock."""
    return time.monotonic()


def epoch_s(taken_at_s: float, *, clock: Clock = monotonic) -> float:
    """Seconds since 1970 (UTC) of a monotonic stamp, by the offset that holds now."""
    return time.time() - (clock() - taken_at_s)


def wall_time(taken_at_s: float, *, clock: Clock = monotonic) -> datetime:
    """UTC time of a monotonic stamp, by the offset that holds now."""
    return datetime.fromtimestamp(epoch_s(taken_at_s, clock=clock), tz=UTC)

"""What a counter with dead time makes of true events, and how its clock runs."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(kw_only=True)
class Counter:
    """Counts on its own clock.

    Attributes
    ----------
    events
        True events between two readings of the instrument's clock, s.
    powered_at_s
        Host monotonic clock at which it is switched on; its own clock starts there.
    rng
        Where it draws what dead time takes.
    dead_time_s
        Non-paralysable.
    speed
        Instrument seconds in each host second.

    """

    events: Callable[[float, float], int]
    powered_at_s: float
    rng: np.random.Generator
    dead_time_s: float = 100e-6
    speed: float = 1.0
    _counted_to_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._counted_to_s = self.powered_at_s

    def instrument_s(self, now_s: float) -> float:
        """Give the instrument's clock, s."""
        return self.powered_at_s + (now_s - self.powered_at_s) * self.speed

    def elapsed_s(self, now_s: float) -> float:
        """Give the time on its clock since it was counted last, s."""
        return self.instrument_s(now_s) - self._counted_to_s

    def is_over(self, period_s: float, now_s: float) -> bool:
        """Say whether another period has passed on its clock."""
        return self._counted_to_s + period_s <= self.instrument_s(now_s)

    def count_period(self, period_s: float) -> int:
        """Count the next period."""
        return self._count(self._counted_to_s + period_s)

    def count(self, now_s: float) -> int:
        """Count up to now."""
        return self._count(self.instrument_s(now_s))

    def skip(self, now_s: float) -> None:
        """Begin to count anew."""
        self._counted_to_s = self.instrument_s(now_s)

    def _count(self, to_s: float) -> int:
        start_s, self._counted_to_s = self._counted_to_s, to_s
        if to_s <= start_s:
            self._counted_to_s = start_s
            return 0
        true_events = self.events(start_s, to_s)
        lost = true_events * self.dead_time_s / (to_s - start_s)
        return int(self.rng.binomial(true_events, 1 / (1 + lost)))

"""A simulated rate meter: the exponential mean of what a counter counts."""

import math
from dataclasses import dataclass

from simulators.probes.counting import Counter

STEPS = 8
"""Steps in each period: events in one are weighted alike."""


@dataclass(kw_only=True)
class MeteredRate:
    """An exponential mean.

    Attributes
    ----------
    counter
        What counts.
    time_constant_s
        Of the mean, s.
    rate_cps
        Where it stands.

    """

    counter: Counter
    time_constant_s: float
    rate_cps: float = 0.0

    def after(self, period_s: float) -> float:
        """Follow the next period; give the rate at its end, per second."""
        step_s = period_s / STEPS
        left = math.exp(-step_s / self.time_constant_s)
        for _ in range(STEPS):
            counted_cps = self.counter.count_period(step_s) / step_s
            self.rate_cps = self.rate_cps * left + counted_cps * (1 - left)
        return self.rate_cps

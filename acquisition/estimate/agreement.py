"""Whether the probe counts what the estimate predicts: over the same readings, at the same poses."""

from collections import deque
from dataclasses import dataclass
from math import fsum
from typing import Literal

from navigation.estimation.posterior import Estimator
from navigation.estimation.tally import RECENT_ROWS
from navigation.observations import Observations
from navigation.statistics.counting import poisson_interval

OVER_S = 2.0
"""Counting time that is compared: as long as a hand takes to doubt a number."""

CONFIDENCE = 0.997
"""Of the interval that must leave the prediction out before the two are said to disagree."""

TOLERANCE = 0.15
"""Relative error of a predicted rate that the probe's calibration explains."""

Verdict = Literal["agrees", "more", "fewer"]
"""What was measured, held against what was predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was counted of late, and what the estimate expects to have been counted there.

    Attributes
    ----------
    counts
        As counted, not corrected for dead time.
    expected
        By the estimate, at the poses of the same readings, dead time included.
    live_time_s
        Of those readings.
    low, high
        Measured over predicted, as far apart as chance lets it lie: exact Poisson bounds of ``CONFIDENCE``.

    """

    counts: int
    expected: float
    live_time_s: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether chance and the calibration's error explain the difference."""
        if self.low > 1 + TOLERANCE:
            return "more"
        return "fewer" if self.high < 1 - TOLERANCE else "agrees"


class Comparison:
    """Remembers the newest readings that an estimator took in."""

    def __init__(self) -> None:
        self._newest: deque[tuple[float, float]] = deque(maxlen=RECENT_ROWS)

    def compare(self, estimator: Estimator, accepted: Observations) -> Agreement | None:
        """Hold the newest readings against the estimator's newest fit; None where it has none yet.

        ``accepted`` are the readings that it has taken in since the last time.
        """
        self._newest.extend(zip(accepted.counts.tolist(), accepted.live_time_s.tolist(), strict=True))
        while len(self._newest) > 1 and fsum(live_s for _, live_s in self._newest) > OVER_S:
            self._newest.popleft()
        fit = estimator.fit
        if fit is None or not self._newest:
            return None
        counts = round(sum(counts for counts, _ in self._newest))
        expected = float(fit.expected[-len(self._newest) :].sum())  # its newest readings are a row each
        low, high = poisson_interval(counts, confidence=CONFIDENCE)
        return Agreement(
            counts=counts,
            expected=expected,
            live_time_s=fsum(live_s for _, live_s in self._newest),
            low=low / expected,
            high=high / expected,
        )

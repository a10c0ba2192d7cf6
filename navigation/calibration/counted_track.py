"""What a probe counted and where its tip was meanwhile: of which delay and direction are found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEADY_S = 2.0
"""Over which a probe's own clock is held against the host's: by 0.2 % they part by 4 ms meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountedTrack:
    """Counts and poses of the same time.

    Attributes
    ----------
    start_s, real_time_s, live_time_s, counts
        Of the counting intervals, shape (N,), host monotonic clock.
    at_s, tip_mm, turn
        Of the poses of the tip's frame: shapes (P,), (P, 3), (P, 3, 3), in any frame that stands still, times
        rising.

    """

    start_s: Array
    real_time_s: Array
    live_time_s: Array
    counts: Array
    at_s: Array
    tip_mm: Array
    turn: Array

    @property
    def axis(self) -> Array:
        """Where the probe's axis points, shape (P, 3): +z of the tip's frame."""
        return self.turn[:, :, 2]

    @property
    def lateness_s(self) -> Array:
        """By how much later an interval was told, by the probe's own clock, than one of the next 2 s, shape (N,).

        As where a busy host or a converter's buffer holds some of them up. A gap between intervals shifts all that
        come after it, and so is none; one that was held up for longer than 2 s is later than is told.
        """
        behind_s = self.start_s + self.real_time_s - np.cumsum(self.real_time_s)
        next_ones = int(np.ceil(STEADY_S / np.median(self.real_time_s)))
        padded_s = np.pad(behind_s, (0, next_ones), constant_values=np.inf)
        least_s = np.lib.stride_tricks.sliding_window_view(padded_s, next_ones + 1).min(axis=1)
        return np.asarray(behind_s - least_s)

    def between_poses(self, longest_delay_s: float) -> NDArray[np.bool_]:
        """Tell the counts, shape (N,), whose track is known for every delay up to this one, to both sides."""
        first, last = self.at_s[0] + longest_delay_s, self.at_s[-1] - longest_delay_s
        return np.asarray((self.start_s >= first) & (self.start_s + self.real_time_s <= last))

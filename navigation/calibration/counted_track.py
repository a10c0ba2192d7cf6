"""What a probe counted and where its tip was meanwhile: of which delay and direction are found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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

    def between_poses(self, longest_delay_s: float) -> NDArray[np.bool_]:
        """Tell the counts, shape (N,), whose track is known for every delay up to this one, to both sides."""
        first, last = self.at_s[0] + longest_delay_s, self.at_s[-1] - longest_delay_s
        return np.asarray((self.start_s >= first) & (self.start_s + self.real_time_s <= last))

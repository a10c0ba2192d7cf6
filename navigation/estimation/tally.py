"""Readings as the estimators keep them: recent ones singly, older ones merged where the pose was the same."""

import math

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.observations import Observations
from navigation.tissue import Skin, Tissue

Array = NDArray[np.float64]

KEPT_ROWS = 480
"""Rows above which the older ones are merged."""

RECENT_ROWS = 160
"""Newest rows, never merged."""

CELL_MM = 1.5
"""Tips closer than this, looking the same way, are one pose: well inside the scale on which a rate changes."""

CELL_AXIS = 0.06
"""The same for the components of the axis (3.4 degrees)."""


class Tally:
    """Counts by pose.

    Attributes
    ----------
    counts, live_time_s, tip_mm, axis
        As in ``Observations``, N rows, merged rows first.
    skin
        As each tip meets it.
    is_merged
        Which rows stand for several poses, shape (N,).
    began_at_s
        Moment that activities are stated for, host monotonic clock, s: given, or that of the first reading.
    strength
        Share of the activity at that moment that was left at each row, shape (N,).
    log_strength
        Natural logarithm of what is left at the newest reading.
    readings
        How many readings were taken in.

    Raises
    ------
    NavigationError
        Where the half-life is not positive.

    """

    def __init__(self, tissue: Tissue, *, half_life_s: float = math.inf, began_at_s: float | None = None) -> None:
        if not half_life_s > 0:
            raise NavigationError(
                f"a half-life of {half_life_s} s: wants more than 0, infinite where nothing decays"
            )
        self._tissue = tissue
        self._half_life_s = half_life_s
        self.began_at_s = began_at_s
        empty = Observations.empty()
        self.counts, self.live_time_s = empty.counts, empty.live_time_s
        self.tip_mm, self.axis = empty.tip_mm, empty.axis
        self.skin = tissue.skin_at(self.tip_mm)
        self.is_merged = np.zeros(0, dtype=bool)
        self.strength = np.zeros(0)
        self.log_strength = 0.0
        self.readings = 0
        self._growth = 1.0

    def __len__(self) -> int:
        return len(self.counts)

    def append(self, observations: Observations) -> None:
        """Take in readings, a row each."""
        self.counts = np.concatenate((self.counts, observations.counts))
        self.live_time_s = np.concatenate((self.live_time_s, observations.live_time_s))
        self.tip_mm = np.concatenate((self.tip_mm, observations.tip_mm))
        self.axis = np.concatenate((self.axis, observations.axis))
        self.skin = self.skin + self._tissue.skin_at(observations.tip_mm)
        self.is_merged = np.append(self.is_merged, np.zeros(len(observations), dtype=bool))
        self.readings += len(observations)
        if not len(observations):
            return
        if self.began_at_s is None:
            self.began_at_s = float(observations.taken_at_s[0])
        log_strength = -math.log(2) * (observations.taken_at_s - self.began_at_s) / self._half_life_s
        self.strength = np.concatenate((self.strength, np.exp(log_strength)))
        self.log_strength = float(log_strength[-1])

    def merge(self) -> tuple[NDArray[np.intp], Array] | None:
        """Merge older rows of like pose once there are too many; return (group of each row, live time) if done.

        Counts and live times are summed, poses averaged by live time. Cells grow until the rows fit, so that
        an update's time stays flat however long the session.
        """
        if len(self) <= KEPT_ROWS:
            return None
        older = len(self) - RECENT_ROWS
        while True:
            cells = np.hstack(
                (
                    np.round(self.tip_mm[:older] / (CELL_MM * self._growth)),
                    np.round(self.axis[:older] / (CELL_AXIS * self._growth)),
                )
            )
            merged, group = np.unique(cells, axis=0, return_inverse=True)
            if len(merged) <= (KEPT_ROWS - RECENT_ROWS) * 0.8:
                break
            self._growth *= 1.15
        groups = np.concatenate((group.reshape(-1), len(merged) + np.arange(RECENT_ROWS))).astype(np.intp)
        live_time_s = self.live_time_s
        total = np.bincount(groups, live_time_s)
        share = live_time_s / total[groups]  # exactly one for a row that stays single

        def mean(values: Array) -> Array:
            return np.stack([np.bincount(groups, share * column) for column in values.T], axis=-1)

        axis, normal = mean(self.axis), mean(self.skin.normal)
        height_mm = np.bincount(groups, share * np.nan_to_num(self.skin.height_mm, posinf=1e12))
        self.is_merged = np.bincount(groups, 1 + self.is_merged) > 1
        self.strength = np.bincount(groups, live_time_s * self.strength) / total
        self.counts = np.asarray(np.bincount(groups, self.counts), dtype=np.float64)
        self.live_time_s = np.asarray(total, dtype=np.float64)
        self.tip_mm = mean(self.tip_mm)
        self.axis = axis / np.linalg.norm(axis, axis=1)[:, None]
        self.skin = Skin(
            height_mm=np.where(height_mm > 1e9, np.inf, height_mm),
            normal=normal / np.linalg.norm(normal, axis=1)[:, None],
            layers=None if self.skin.layers is None else mean(self.skin.layers),
        )
        return groups, live_time_s

"""Tracked counts as arrays: what the estimators read."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError

UNIT_TOLERANCE = 1e-3
"""Largest deviation of an axis' length from one that rounding of a wire format explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Counts and the poses that they were counted at, in the patient frame (LPS).

    Attributes
    ----------
    counts
        Events as counted, not corrected for dead time, shape (N,).
    live_time_s
        Time in which the instrument could count, shape (N,), s; positive.
    tip_mm
        Centre of the probe's entrance window at the middle of the interval, shape (N, 3), mm.
    axis
        Unit vector the way the probe looks, shape (N, 3); made exactly unit here.
    taken_at_s
        Middle of the counting interval, host monotonic clock, shape (N,), s.

    Raises
    ------
    NavigationError
        Where shapes do not fit, a number is not finite, a count is negative, a time is not positive, or an
        axis is no unit vector. All arrays are copies and read-only.

    """

    counts: NDArray[np.float64]
    live_time_s: NDArray[np.float64]
    tip_mm: NDArray[np.float64]
    axis: NDArray[np.float64]
    taken_at_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = {"counts": (), "live_time_s": (), "tip_mm": (3,), "axis": (3,), "taken_at_s": ()}
        size = np.shape(self.counts)[:1]
        for name, tail in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != (*size, *tail) or array.ndim == 0:
                raise NavigationError(f"observations: {name} has shape {array.shape}, not {(*size, *tail)}")
            if not np.isfinite(array).all():
                raise NavigationError(f"observations: {name} holds a number that is not finite")
            object.__setattr__(self, name, array)
        if (self.counts < 0).any():
            raise NavigationError("observations: a count is negative")
        if (self.live_time_s <= 0).any():
            raise NavigationError("observations: a live time is not positive")
        length = np.linalg.norm(self.axis, axis=1)
        if (np.abs(length - 1) > UNIT_TOLERANCE).any():
            raise NavigationError("observations: an axis is no unit vector")
        object.__setattr__(self, "axis", self.axis / length[:, None])
        for name in shapes:
            getattr(self, name).flags.writeable = False

    @classmethod
    def empty(cls) -> Self:
        """Start with none."""
        return cls(
            counts=np.zeros(0),
            live_time_s=np.zeros(0),
            tip_mm=np.zeros((0, 3)),
            axis=np.zeros((0, 3)),
            taken_at_s=np.zeros(0),
        )

    def __len__(self) -> int:
        return len(self.counts)

    def __add__(self, later: Self) -> Self:
        """Append ``later``."""
        return type(self)(
            counts=np.concatenate((self.counts, later.counts)),
            live_time_s=np.concatenate((self.live_time_s, later.live_time_s)),
            tip_mm=np.concatenate((self.tip_mm, later.tip_mm)),
            axis=np.concatenate((self.axis, later.axis)),
            taken_at_s=np.concatenate((self.taken_at_s, later.taken_at_s)),
        )

    def newest(self, most: int) -> Self:
        """Return the last ``most`` readings."""
        return self.take(np.arange(max(len(self) - most, 0), len(self)))

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the readings that a mask or an index array names, in its order."""
        return type(self)(
            counts=self.counts[chosen],
            live_time_s=self.live_time_s[chosen],
            tip_mm=self.tip_mm[chosen],
            axis=self.axis[chosen],
            taken_at_s=self.taken_at_s[chosen],
        )

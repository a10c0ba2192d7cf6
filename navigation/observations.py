"""Tracked counts as arrays: what the estimators read."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from navigation.errors import BadReading, NavigationError

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

    All arrays are copies and read-only. ``navigation.screening.sieve`` leaves out bad readings one by one, and
    counts them; here a single one is an error of whoever hands the readings on.

    Raises
    ------
    BadReading
        Where a number is not finite, a count is negative, a time is not positive, or an axis is no unit vector:
        of the first row that is so.
    NavigationError
        Where shapes do not fit.

    """

    counts: NDArray[np.float64]
    live_time_s: NDArray[np.float64]
    tip_mm: NDArray[np.float64]
    axis: NDArray[np.float64]
    taken_at_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes: dict[str, tuple[int, ...]] = {
            "counts": (),
            "live_time_s": (),
            "tip_mm": (3,),
            "axis": (3,),
            "taken_at_s": (),
        }
        size = np.shape(self.counts)[:1]
        for name, tail in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != (*size, *tail) or array.ndim == 0:
                wanted = (*size, *tail) if array.ndim and size else ("N", *tail)
                raise NavigationError(
                    f"observations: {name} has shape {array.shape}, not {wanted}: give one row a reading, as many "
                    "as there are counts"
                )
            object.__setattr__(self, name, array)
            self._refuse(name, ~np.isfinite(array).all(axis=tuple(range(1, array.ndim))), "wants finite numbers")
        self._refuse("counts", self.counts < 0, "wants events as counted, none below zero")
        self._refuse("live_time_s", self.live_time_s <= 0, "wants the time in which it could count, above zero")
        with np.errstate(over="ignore"):
            length = np.linalg.norm(self.axis, axis=1)
        self._refuse("axis", np.abs(length - 1) > UNIT_TOLERANCE, "wants a unit vector, the way the probe looks")
        object.__setattr__(self, "axis", self.axis / length[:, None])
        for name in shapes:
            getattr(self, name).flags.writeable = False

    def _refuse(self, name: str, bad: NDArray[np.bool_] | np.bool_, want: str) -> None:
        """Raise for the first row that is bad."""
        is_bad = np.atleast_1d(bad)
        if not is_bad.any():
            return
        row = int(is_bad.argmax())
        value = getattr(self, name)[row]
        raise BadReading(
            f"observations: {name} of row {row} is {value}: {want}; {int(is_bad.sum())} of {len(is_bad)} rows are "
            "so: screen readings before they are joined (navigation.screening.sieve), or look at what sent them",
            name=name,
            row=row,
            value=value.tolist(),
        )

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

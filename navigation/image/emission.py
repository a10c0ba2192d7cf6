"""Expectation maximisation of an image of activity from counts.

The counts y of an interval t are those of a counter that is dead for tau after each: their likelihood depends on
the true rate n as n^y exp(-n (t - y tau)), a Poisson likelihood over the time in which it was alive (Müller,
Nucl. Instrum. Methods 112, 1973). With n = A x + b, A being the rate of 1 MBq in each voxel and b all else, a
step is

    x_j <- x_j / s_j * sum_i A_ij y_i / n_i ,   s_j = sum_i A_ij (t_i - y_i tau)

(Shepp and Vardi, IEEE Trans. Med. Imaging 1, 1982), and the likelihood never falls. Alone it makes a speckled
image, the more so in depth where the probe tells little, so a cost of roughness can be taken off it: Green's
potential ln cosh d of the difference d of neighbours (IEEE Trans. Med. Imaging 9, 1990). It is quadratic for
small differences and linear for large ones, so that a hot voxel keeps its edge. Its step is not Green's
one-step-late, which may lose likelihood or go negative where counts are few, but De Pierro's (IEEE Trans. Med.
Imaging 14, 1995): a parabola above the cost, split between the neighbours, has its minimum at the positive root
of a quadratic for each voxel; likelihood less cost never falls.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError

Array = NDArray[np.float64]

_WALKED_ROWS = 8
"""Rows that are squared at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """Counts, and what a voxel of 1 MBq would have added to their rates.

    Attributes
    ----------
    rates_cps
        Rate of 1 MBq in each of M voxels at each of N rows, shape (N, M), float32.
    counts
        As counted, shape (N,).
    alive_s
        Counting time less the dead time of the counts, shape (N,), s; positive.
    others_cps
        True rate of all that is no voxel, background included, shape (N,), cps; positive.
    sensitivity
        Counts that 1 MBq in each voxel brings, shape (M,); worked out here.

    Raises
    ------
    NavigationError
        Where a time or a background is not above zero.

    """

    rates_cps: NDArray[np.float32]
    counts: Array
    alive_s: Array
    others_cps: Array
    sensitivity: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("alive_s", "others_cps"):
            values = getattr(self, name)
            if (is_wrong := ~(values > 0)).any():
                row = int(is_wrong.argmax())
                raise NavigationError(
                    f"emission: {name} is {values[row]} in row {row}: wants it above zero; take dead time off the "
                    "time, not more than there is, and give a background"
                )
        sensitivity = self.alive_s.astype(np.float32) @ self.rates_cps
        object.__setattr__(self, "sensitivity", sensitivity.astype(np.float64))

    def expected_cps(self, activity_mbq: Array) -> Array:
        """Rate of an image (M,) at each row, before dead time, shape (N,)."""
        return np.asarray(self.others_cps + self.rates_cps @ activity_mbq.astype(np.float32), dtype=np.float64)

    def log_likelihood(self, activity_mbq: Array) -> float:
        """Return sum of y ln n - n (t - y tau): constants of the counts are left out."""
        rate = self.expected_cps(activity_mbq)
        return float(self.counts @ np.log(rate) - self.alive_s @ rate)

    def information(self, activity_mbq: Array) -> Array:
        """Fisher information of each voxel's activity, all others held, shape (M,), per MBq2."""
        weight = (self.alive_s / self.expected_cps(activity_mbq)).astype(np.float32)
        total = np.zeros(self.rates_cps.shape[1], dtype=np.float32)
        for start in range(0, len(weight), _WALKED_ROWS):
            some = slice(start, start + _WALKED_ROWS)
            total += weight[some] @ np.square(self.rates_cps[some])
        return total.astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roughness:
    """Green's potential over pairs of neighbours, their difference being told in its standard errors.

    A voxel under the tip is counted a thousand times better than one at the edge of the field; a cost by the
    difference alone would leave the one in speckles and wipe out the other (Fessler and Rogers, IEEE Trans. Image
    Process. 5, 1996).

    Attributes
    ----------
    first, second
        Voxels of each pair, shape (P,).
    errors_per_mbq
        Standard errors that a difference of 1 MBq makes in each pair, shape (P,).
    cost
        Log-likelihood that each standard error of a steep edge costs; below one error the cost is quadratic.

    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    errors_per_mbq: Array
    cost: float

    def of(self, activity_mbq: Array) -> float:
        """Cost of an image, in units of log-likelihood."""
        ratio = self.errors_per_mbq * np.abs(activity_mbq[self.first] - activity_mbq[self.second])
        # ln cosh u without the overflow of cosh
        return self.cost * float((ratio + np.log1p(np.exp(-2 * ratio)) - np.log(2)).sum())

    def surrogate(self, activity_mbq: Array) -> tuple[Array, Array]:
        """Parabola in each voxel that touches the cost here and lies above it elsewhere.

        Returns its curvature w and pull p, shapes (M,): the cost's bound is the sum of w x^2 / 2 - p x.
        """
        here, there = activity_mbq[self.first], activity_mbq[self.second]
        ratio = self.errors_per_mbq * np.abs(here - there)
        curvature = np.divide(np.tanh(ratio), ratio, out=np.ones_like(ratio), where=ratio > 1e-6)
        curvature *= 2 * self.cost * self.errors_per_mbq**2
        pull = curvature * (here + there) / 2
        size = len(activity_mbq)

        def gathered(values: Array) -> Array:
            of_both = np.bincount(self.first, values, size) + np.bincount(self.second, values, size)
            return np.asarray(of_both, dtype=np.float64)

        return gathered(curvature), gathered(pull)


def maximised(
    emission: Emission, start_mbq: Array, *, iterations: int, roughness: Roughness | None = None
) -> Array:
    """Climb from an image (M,), MBq a voxel, all positive; likelihood less roughness rises with every iteration.

    Voxels that no row sees keep their start.
    """
    activity = start_mbq.copy()
    sensitivity = emission.sensitivity
    is_seen = sensitivity > 0
    for _ in range(iterations):
        ratio = (emission.counts / emission.expected_cps(activity)).astype(np.float32)
        explained = activity * (ratio @ emission.rates_cps)
        if roughness is None:
            np.divide(explained, sensitivity, out=activity, where=is_seen)
            continue
        curvature, pull = roughness.surrogate(activity)
        slope = sensitivity - pull
        # the positive root of w x^2 + (s - p) x - e = 0, in the form that loses no digits
        root = np.sqrt(slope**2 + 4 * curvature * explained)
        below = slope + root
        upper = np.divide(root - slope, 2 * curvature, out=np.zeros_like(root), where=curvature > 0)
        lower = np.divide(2 * explained, below, out=activity.copy(), where=below > 0)
        activity = np.where(is_seen, np.where(slope > 0, lower, upper), activity)
    return activity

"""Pivot calibration: the point of a tool that stays in place while the tool is turned about it.

The algebraic one step: ``R_i tip + t_i = pivot`` for every pose, stacked to ``[R_i | -1] (tip, pivot) = -t_i``,
by least squares (Yaniv, "Which pivot calibration?", SPIE 9415, 2015). Poses that do not fit are found from a start
that they cannot pull (least sum of distances, by reweighting), left out, and named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.transforms import RigidTransform

FEWEST_POSES = 20
LEAST_SPREAD_DEG = 8.0
"""Below it the tip's error is more than seven times that of one pose, over the root of their number."""

GREATEST_REJECTED = 1 / 3
"""Where more do not fit, it is the tip that moved."""

MEDIAN_OF_CHI_3 = 1.5382
"""Median length of a normal vector in space, in standard deviations of one axis."""

SETTLED_MM = 1e-3
"""Change of the tip from which weighing the poses anew tells no other of them to be an outlier."""

OUTLIER_SIGMA = 4.033
"""Longer ones are 1 in 1,000 (chi of 3 degrees of freedom)."""

LEAST_SIGMA_MM = 1e-6
"""Rounding is no outlier where poses are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotCalibration:
    """Where the tip is on its tool, and how well that is known.

    Attributes
    ----------
    tip_mm
        The tip in frame ``TOOL``, shape (3,).
    pivot_mm
        The point that it stood on, in frame ``TRACKER``, shape (3,).
    rms_mm
        Root mean square distance in space (not for each axis) of the tip from the pivot over the poses used.
    tip_covariance_mm2
        Of ``tip_mm``, shape (3, 3), frame ``TOOL``.
    spread_deg
        RMS angle by which the least turned axis of the tool was turned.
    is_used
        For each pose whether it fits, shape (N,).

    """

    tip_mm: NDArray[np.float64]
    pivot_mm: NDArray[np.float64]
    rms_mm: float
    tip_covariance_mm2: NDArray[np.float64]
    spread_deg: float
    is_used: NDArray[np.bool_]

    @property
    def tip_sigma_mm(self) -> float:
        """Standard error of ``tip_mm``: root of the trace of its covariance."""
        return float(np.sqrt(np.trace(self.tip_covariance_mm2)))


def spread_deg(rotations: NDArray[np.float64]) -> float:
    """RMS angle, degrees, by which rotations (N, 3, 3) turn that axis of the tool which they turn least.

    ``R_i u`` scatter about their mean, whose length is at most the greatest singular value s of the mean rotation:
    the RMS sine is ``sqrt(1 - s²)``. It is 0 where all turn about one axis.
    """
    greatest = float(np.linalg.svd(rotations.mean(axis=0), compute_uv=False)[0])
    return float(np.degrees(np.arcsin(np.sqrt(max(0.0, 1 - greatest**2)))))


def calibrate_pivot(poses: Sequence[RigidTransform]) -> PivotCalibration:
    """Find the tip from ``tracker_from_tool`` while the tool was turned about it in all directions.

    Raises
    ------
    NavigationError
        Where there are too few poses, the tool was held still or turned about one axis alone, or too many poses
        do not fit. The sentence says what to do.

    """
    if len(poses) < FEWEST_POSES:
        raise NavigationError(f"{len(poses)} poses are too few for the tip; at least {FEWEST_POSES} are needed")
    rotations = np.array([pose.rotation for pose in poses])
    offsets_mm = np.array([pose.translation_mm for pose in poses])
    _check_spread(rotations)
    is_used = _fitting(rotations, offsets_mm)
    rejected = int(np.count_nonzero(~is_used))
    if rejected > GREATEST_REJECTED * len(poses):
        raise NavigationError(
            f"{rejected} of {len(poses)} poses do not fit: the tip moved, or the marker is loose. "
            "Press the tip into the divot and do it again"
        )
    used = rotations[is_used]
    _check_spread(used)
    tip_mm, pivot_mm = _solve(used, offsets_mm[is_used], np.ones(len(used)))
    squares_mm2 = _distances_mm(used, offsets_mm[is_used], tip_mm, pivot_mm) ** 2
    variance_mm2 = squares_mm2.sum() / (3 * len(used) - 6)
    mean = used.mean(axis=0)
    covariance_mm2 = variance_mm2 / len(used) * np.linalg.inv(np.eye(3) - mean.T @ mean)
    return PivotCalibration(
        tip_mm=tip_mm,
        pivot_mm=pivot_mm,
        rms_mm=float(np.sqrt(squares_mm2.mean())),
        tip_covariance_mm2=covariance_mm2,
        spread_deg=spread_deg(used),
        is_used=is_used,
    )


def _check_spread(rotations: NDArray[np.float64]) -> None:
    spread = spread_deg(rotations)
    if spread >= LEAST_SPREAD_DEG:
        return
    others = np.linalg.svd(rotations.mean(axis=0), compute_uv=False)[1:]
    is_still = bool(np.all(others > np.cos(np.radians(LEAST_SPREAD_DEG))))
    what = "the tool was held still" if is_still else "the tool was turned about one axis only"
    raise NavigationError(
        f"{what}: its least turned axis moved by {spread:.1f}°, {LEAST_SPREAD_DEG:g}° are needed. "
        "Tilt it forwards and backwards, and to both sides"
    )


def _fitting(rotations: NDArray[np.float64], offsets_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    weights, former_mm = np.ones(len(rotations)), np.full(3, np.inf)
    for _ in range(50):
        tip_mm, pivot_mm = _solve(rotations, offsets_mm, weights)
        if np.linalg.norm(tip_mm - former_mm) < SETTLED_MM:
            break
        former_mm = tip_mm
        weights = 1 / np.maximum(_distances_mm(rotations, offsets_mm, tip_mm, pivot_mm), 1e-3)
    is_used = _within(_distances_mm(rotations, offsets_mm, tip_mm, pivot_mm))
    for _ in range(20):
        tip_mm, pivot_mm = _solve(rotations[is_used], offsets_mm[is_used], np.ones(np.count_nonzero(is_used)))
        again = _within(_distances_mm(rotations, offsets_mm, tip_mm, pivot_mm))
        if np.array_equal(again, is_used):
            break
        is_used = again
    return is_used


def _within(distances_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    sigma_mm = max(float(np.median(distances_mm)) / MEDIAN_OF_CHI_3, LEAST_SIGMA_MM)
    return np.asarray(distances_mm <= OUTLIER_SIGMA * sigma_mm)


def _solve(
    rotations: NDArray[np.float64], offsets_mm: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots = np.sqrt(weights / weights.max())[:, None, None]
    minus = np.broadcast_to(-np.eye(3), rotations.shape)
    matrix = (roots * np.concatenate((rotations, minus), axis=2)).reshape(-1, 6)
    found = np.linalg.lstsq(matrix, (-roots[:, :, 0] * offsets_mm).ravel())[0]
    return found[:3], found[3:]


def _distances_mm(
    rotations: NDArray[np.float64],
    offsets_mm: NDArray[np.float64],
    tip_mm: NDArray[np.float64],
    pivot_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(rotations @ tip_mm + offsets_mm - pivot_mm, axis=1))

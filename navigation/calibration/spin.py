"""Spin calibration: the axis of a tool that stays in place while the tool is turned about its shaft.

``R_i u`` is nearly one direction for the axis u: the one whose mean ``mean(R) u`` is longest, the first right
singular vector of the mean rotation. A probe looks along it; the pivot's tip alone does not tell where.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

FEWEST_POSES = 20
LEAST_SPIN_DEG = 25.0
GREATEST_WOBBLE_DEG = 3.0
GREATEST_SIDEWAYS_DEG = 80.0
"""Beyond it the tip lies beside the marker, and which end of the axis looks out is not known."""

MEDIAN_OF_CHI_2 = 1.1774
OUTLIER_SIGMA = 3.717
"""Longer than it is 1 normal vector of the plane in 1,000, in standard deviations of one axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinCalibration:
    """Which way the tool looks.

    Attributes
    ----------
    axis
        Unit vector in frame ``TOOL``, towards the tip, shape (3,).
    wobble_deg
        RMS angle of the axis from its mean over the poses used.
    spin_deg
        RMS angle by which the tool was turned about it, at most 90.
    is_used
        For each pose whether it fits, shape (N,).

    """

    axis: NDArray[np.float64]
    wobble_deg: float
    spin_deg: float
    is_used: NDArray[np.bool_]


def turned_deg(rotations: NDArray[np.float64]) -> float:
    """RMS angle, degrees, by which rotations (N, 3, 3) turn about that axis of the tool which they turn least."""
    second = float(np.linalg.svd(rotations.mean(axis=0), compute_uv=False)[1])
    return float(np.degrees(np.arcsin(np.sqrt(max(0.0, 1 - second**2)))))


def calibrate_spin(poses: Sequence[RigidTransform], *, tip_mm: ArrayLike) -> SpinCalibration:
    """Find the axis from ``tracker_from_tool`` while the tool was spun; ``tip_mm`` is the pivot's, frame ``TOOL``.

    Raises
    ------
    NavigationError
        Where there are too few poses, the tool was hardly spun, its axis swayed, or the tip does not tell which
        end of the axis looks out.

    """
    if len(poses) < FEWEST_POSES:
        raise NavigationError(f"{len(poses)} poses are too few for the axis; at least {FEWEST_POSES} are needed")
    rotations = np.array([pose.rotation for pose in poses])
    is_used = np.ones(len(poses), dtype=np.bool_)
    for _ in range(20):
        axis = np.linalg.svd(rotations[is_used].mean(axis=0))[2][0]
        seen = rotations @ axis
        away = np.linalg.norm(seen - np.median(seen, axis=0), axis=1)
        again = away <= OUTLIER_SIGMA * max(float(np.median(away)) / MEDIAN_OF_CHI_2, 1e-9)
        if np.array_equal(again, is_used):
            break
        is_used = again
    lengths = np.linalg.svd(rotations[is_used].mean(axis=0), compute_uv=False)
    wobble_deg, spin_deg = np.degrees(np.arcsin(np.sqrt(np.maximum(0.0, 1 - lengths[:2] ** 2)))).tolist()
    if spin_deg < LEAST_SPIN_DEG:
        raise NavigationError(
            f"the tool was turned by {spin_deg:.1f}° only; {LEAST_SPIN_DEG:g}° are needed. "
            "Turn it about its shaft as far as the camera sees it"
        )
    if wobble_deg > GREATEST_WOBBLE_DEG:
        raise NavigationError(
            f"the shaft swayed by {wobble_deg:.1f}°; {GREATEST_WOBBLE_DEG:g}° at most. "
            "Hold it upright, or in a bushing, and turn it about its shaft alone"
        )
    return SpinCalibration(
        axis=_towards(axis, np.asarray(tip_mm, dtype=np.float64)),
        wobble_deg=wobble_deg,
        spin_deg=spin_deg,
        is_used=is_used,
    )


def _towards(axis: NDArray[np.float64], tip_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    along, length_mm = float(axis @ tip_mm), float(np.linalg.norm(tip_mm))
    if not abs(along) > np.cos(np.radians(GREATEST_SIDEWAYS_DEG)) * length_mm:
        raise NavigationError(
            "the tip lies beside the marker, not before it: which end of the axis looks out is not known"
        )
    return axis if along > 0 else -axis


def tool_from_tip(*, tip_mm: ArrayLike, axis: ArrayLike, up: ArrayLike) -> RigidTransform:
    """Join tip, axis and the probe's up mark (all in frame ``TOOL``): +z is the axis, +y the mark across it.

    Raises
    ------
    NavigationError
        Where the mark lies within 10° of the axis: it does not say how the probe is turned.

    """
    ahead = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    mark = np.asarray(up, dtype=np.float64) / np.linalg.norm(up)
    across = mark - (mark @ ahead) * ahead
    if not np.linalg.norm(across) > np.sin(np.radians(10.0)):
        raise NavigationError("the up mark points along the probe's axis: give one that points across it")
    upwards = across / np.linalg.norm(across)
    return RigidTransform(
        to=Frame.TOOL,
        from_=Frame.TIP,
        rotation=np.column_stack((np.cross(upwards, ahead), upwards, ahead)),
        translation_mm=np.asarray(tip_mm, dtype=np.float64),
    )

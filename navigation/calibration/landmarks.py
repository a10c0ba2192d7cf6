"""Registration by landmarks: the rigid motion that lays measured points on the same points of the study.

Arun, Huang and Blostein, IEEE PAMI 9:698, 1987 (with Kabsch's sign, so that nothing is mirrored).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.registration_error import LEAST_SPREAD_MM, check_landmarks, extents_mm
from navigation.transforms import RigidTransform

GREATEST_SCALE = 1.5
"""Distances that differ by more between the two sets are of other points, or of other units."""

FAR_BETTER = 1 / 3
"""A swap or a mirror that leaves less than this part of the residual is what happened ..."""

LEAST_DOUBT_MM = 5.0
"""... provided that the residual is worth doubting, mm RMS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkRegistration:
    """Where the patient's reference lies in the study, by landmarks.

    Attributes
    ----------
    patient_from_reference
        The motion.
    residuals_mm
        Distance of each landmark after it, shape (N,).
    fre_mm
        Their root mean square. Not the accuracy at the target.
    left_out_mm
        For each landmark its distance under the motion that the others give, shape (N,): the greatest is the
        one to doubt. NaN where the others alone do not determine a motion.
    least_extent_mm
        RMS distance of the landmarks from that of their principal axes which they lie nearest to: the smaller,
        the worse the turn about it is known.

    """

    patient_from_reference: RigidTransform
    residuals_mm: NDArray[np.float64]
    fre_mm: float
    left_out_mm: NDArray[np.float64]
    least_extent_mm: float


def register_landmarks(patient_mm: ArrayLike, reference_mm: ArrayLike) -> LandmarkRegistration:
    """Register landmarks (N, 3) of the study with the same, in the same order, measured in frame ``REFERENCE``.

    Raises
    ------
    NavigationError
        Where there are fewer than three, they lie on one line, their units differ, two are swapped, or one set is
        mirrored. The sentence names it. RAS in place of LPS is no mirror but half a turn, which no landmark shows.

    """
    patient, reference = (np.asarray(points, dtype=np.float64) for points in (patient_mm, reference_mm))
    if patient.shape != reference.shape or patient.ndim != 2 or patient.shape[1] != 3:
        raise NavigationError(f"landmarks come in pairs of points, not as {patient.shape} and {reference.shape}")
    if not (np.isfinite(patient).all() and np.isfinite(reference).all()):
        raise NavigationError("not every coordinate of the landmarks is finite")
    if len(patient) >= 3:
        _check_scale(patient, reference)
    check_landmarks(patient)
    check_landmarks(reference)
    rotation, translation_mm = fit_motion(patient, reference)
    left_mm = residuals_mm(patient, reference, rotation, translation_mm)
    fre_mm = _rms(left_mm)
    if fre_mm > LEAST_DOUBT_MM:
        _explain(patient, reference, fre_mm)
    motion = RigidTransform(
        to=Frame.PATIENT, from_=Frame.REFERENCE, rotation=rotation, translation_mm=translation_mm
    )
    return LandmarkRegistration(
        patient_from_reference=motion,
        residuals_mm=left_mm,
        fre_mm=fre_mm,
        left_out_mm=_left_out_mm(patient, reference),
        least_extent_mm=float(min(extents_mm(patient)[0], extents_mm(reference)[0])),
    )


def _check_scale(patient: NDArray[np.float64], reference: NDArray[np.float64]) -> None:
    sizes = [float(np.linalg.norm(points - points.mean(axis=0))) for points in (patient, reference)]
    if not min(sizes) > 0:
        raise NavigationError("the landmarks are all at one place")
    scale = sizes[1] / sizes[0]
    if not 1 / GREATEST_SCALE < scale < GREATEST_SCALE:
        times = f"{scale:,.0f}" if scale >= 10 else f"{scale:.2g}"
        raise NavigationError(
            f"the measured landmarks are {times} times as far apart as those of the study: "
            "check the units (both in millimetres), and that they are the same points"
        )


def fit_motion(
    patient: NDArray[np.float64], reference: NDArray[np.float64], sign: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the best rotation (3, 3) of ``patient ~ rotation @ reference + translation``, and the translation (3,).

    Points are (N, 3), or stacks of them, (..., N, 3), with a motion for each. With ``sign`` -1 the best mirrored
    one. Nothing is checked.
    """
    centre, middle = patient.mean(axis=-2), reference.mean(axis=-2)
    spread = np.swapaxes(reference - middle[..., None, :], -1, -2) @ (patient - centre[..., None, :])
    left, _, right = np.linalg.svd(spread)
    turn = np.ones(centre.shape)
    turn[..., 2] = sign * np.sign(np.linalg.det(left @ right))
    rotation = np.swapaxes(right, -1, -2) * turn[..., None, :] @ np.swapaxes(left, -1, -2)
    return rotation, centre - (rotation @ middle[..., None])[..., 0]


def residuals_mm(
    patient: NDArray[np.float64],
    reference: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Distance of each pair (N,) after a motion."""
    return np.asarray(np.linalg.norm(reference @ rotation.T + translation_mm - patient, axis=1))


def _rms(distances_mm: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(distances_mm**2)))


def _explain(patient: NDArray[np.float64], reference: NDArray[np.float64], fre_mm: float) -> None:
    """Raise where one common mistake explains the residual."""
    if _rms(residuals_mm(patient, reference, *fit_motion(patient, reference, -1.0))) < FAR_BETTER * fre_mm:
        raise NavigationError("the measured landmarks mirror those of the study: left would become right")
    best_mm, swapped = fre_mm, (0, 0)
    for pair in combinations(range(len(patient)), 2):
        order: Sequence[int] = np.arange(len(patient)).tolist()
        order = [pair[0] if n == pair[1] else pair[1] if n == pair[0] else n for n in order]
        left_mm = _rms(residuals_mm(patient, reference[order], *fit_motion(patient, reference[order])))
        if left_mm < best_mm:
            best_mm, swapped = left_mm, pair
    if best_mm < FAR_BETTER * fre_mm:
        raise NavigationError(f"landmarks {swapped[0] + 1} and {swapped[1] + 1} are swapped: touch them in order")


def _left_out_mm(patient: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(patient), np.nan)
    for n in range(len(patient)):
        others = np.arange(len(patient)) != n
        enough = len(patient) > 3 and extents_mm(patient[others])[0] >= LEAST_SPREAD_MM
        if enough:
            rotation, translation_mm = fit_motion(patient[others], reference[others])
            found[n] = np.linalg.norm(rotation @ reference[n] + translation_mm - patient[n])
    return found

"""Which measured point is which landmark: found from the distances between them, whatever the order.

Every pair of triples that could be the same triangle proposes a motion; the motion claims further pairs (the
assignment of least distance), and the proposal that explains most points best wins. Another pairing that explains
as many nearly as well makes it ambiguous: geometry alone does not tell, so it is reported and not guessed.
"""

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from navigation.calibration.landmarks import fit_motion, residuals_mm
from navigation.errors import NavigationError

Array = NDArray[np.float64]
Pairs: TypeAlias = tuple[tuple[int, int], ...]

MOST_POINTS = 12
"""On either side: the triples grow with the sixth power."""

NEARLY = 2.0
"""Another pairing whose residual is less than this times the best one's, or within the tolerance, is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which measured point is which landmark.

    Attributes
    ----------
    pairs
        Index of the landmark and of the measured point, shape (M, 2), landmarks rising.
    fre_mm
        RMS distance that is left between the pairs.
    rivals
        Other pairings of as many points that fit nearly as well, each as ``pairs``; empty where it is unambiguous.

    """

    pairs: NDArray[np.intp]
    fre_mm: float
    rivals: tuple[NDArray[np.intp], ...]

    @property
    def is_ambiguous(self) -> bool:
        """Whether geometry alone does not tell which point is which."""
        return bool(self.rivals)

    @property
    def is_in_order(self) -> bool:
        """Whether the n-th measured point is the n-th landmark throughout."""
        return bool(np.array_equal(self.pairs[:, 0], self.pairs[:, 1]))


def match_landmarks(patient_mm: ArrayLike, measured_mm: ArrayLike, *, tolerance_mm: float) -> Matching:
    """Pair landmarks (N, 3) of the study with measured points (M, 3), in any order, some without a partner.

    Parameters
    ----------
    patient_mm, measured_mm
        Up to ``MOST_POINTS`` each.
    tolerance_mm
        Greatest distance of a pair after the motion: three times what a landmark is localised to.

    Raises
    ------
    NavigationError
        Where either side has fewer than three or more than ``MOST_POINTS``, a coordinate is not finite, or no
        three of them fit.

    """
    patient, measured = np.asarray(patient_mm, np.float64), np.asarray(measured_mm, np.float64)
    for called, points in (("landmarks", patient), ("measured points", measured)):
        if not 3 <= len(points) <= MOST_POINTS:
            raise NavigationError(f"{len(points)} {called}: 3 to {MOST_POINTS} can be matched")
        if not np.isfinite(points).all():
            raise NavigationError(f"not every coordinate of the {called} is finite")
    found: dict[Pairs, float] = {}
    ours, theirs = _triangles(patient, measured, tolerance_mm)
    motions = zip(*fit_motion(patient[ours], measured[theirs]), strict=True)
    # most triangles of a right pairing claim the same
    for claimed in dict.fromkeys(_claimed(patient, measured, *motion, tolerance_mm) for motion in motions):
        if len(claimed) < 3:
            continue
        pairs = _claimed(patient, measured, *_motion(patient, measured, claimed), tolerance_mm)
        if pairs not in found and len(pairs) >= 3:
            found[pairs] = _fre_mm(patient, measured, pairs)
    if not found:
        raise NavigationError("no three of the measured points fit three landmarks: are they of this study?")
    most = max(len(key) for key in found)
    best_mm, best = min((fre_mm, key) for key, fre_mm in found.items() if len(key) == most)
    limit_mm = max(NEARLY * best_mm, tolerance_mm / 3)
    rivals = [key for key, fre_mm in found.items() if len(key) == most and key != best and fre_mm <= limit_mm]
    return Matching(
        pairs=np.array(best, dtype=np.intp),
        fre_mm=best_mm,
        rivals=tuple(np.array(key, dtype=np.intp) for key in sorted(rivals)),
    )


def _triangles(patient: Array, measured: Array, tolerance_mm: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Triples of each side, (T, 3), whose three sides agree within twice the tolerance."""
    ours, theirs = cdist(patient, patient), cdist(measured, measured)
    triples = np.array(list(permutations(range(len(measured)), 3)))
    sides = np.stack([theirs[triples[:, a], triples[:, b]] for a, b in ((0, 1), (0, 2), (1, 2))], axis=1)
    wanted = np.array(list(combinations(range(len(patient)), 3)))
    lengths = np.stack([ours[wanted[:, a], wanted[:, b]] for a, b in ((0, 1), (0, 2), (1, 2))], axis=1)
    fits = [np.flatnonzero(np.all(np.abs(sides - each) <= 2 * tolerance_mm, axis=1)) for each in lengths]
    return np.repeat(wanted, [len(each) for each in fits], axis=0), triples[np.concatenate(fits)]


def _claimed(
    patient: Array, measured: Array, rotation: Array, translation_mm: Array, tolerance_mm: float
) -> Pairs:
    """Pairs that a motion explains, of least squared distance in all."""
    away_mm = cdist(patient, measured @ rotation.T + translation_mm)
    ours, theirs = linear_sum_assignment(np.minimum(away_mm, tolerance_mm) ** 2)
    is_near = away_mm[ours, theirs] < tolerance_mm
    return tuple(zip(ours[is_near].tolist(), theirs[is_near].tolist(), strict=True))


def _motion(patient: Array, measured: Array, pairs: Pairs) -> tuple[Array, Array]:
    ours, theirs = np.array(pairs, dtype=np.intp).T
    return fit_motion(patient[ours], measured[theirs])


def _fre_mm(patient: Array, measured: Array, pairs: Pairs) -> float:
    ours, theirs = np.array(pairs, dtype=np.intp).T
    left_mm = residuals_mm(patient[ours], measured[theirs], *_motion(patient, measured, pairs))
    return float(np.sqrt(np.mean(left_mm**2)))

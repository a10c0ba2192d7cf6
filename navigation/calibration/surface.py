"""Registration by landmarks and the skin: points drawn over the patient are laid on the skin of her CT.

Iterative closest points, point to plane, trimmed: in each step the points that lie farthest from the skin are left
out (Chetverikov et al., ICPR 3, 2002), and a small motion brings the others onto it, held by the landmarks as far
as those are known: a trunk is nearly a cylinder, and they hold what skin leaves open.
The same is done from starts all around; one that ends elsewhere and fits as well makes it ambiguous.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.registration_error import RegistrationError, gain
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

FEWEST_POINTS = 30
KEPT = 0.85
"""Share of the points that are used in each step: fingers, drapes and lifts of the tip are the rest."""

STEPS = 40
STARTS_MM, STARTS_DEG = 12.0, 8.0
"""How far about the landmarks' motion the other starts lie."""

SAME_MM = 2.0
"""Motions that move the points to places nearer than this, RMS, are one."""

AS_GOOD = 1.5
"""A residual up to so many times the best one's fits as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceRegistration:
    """Where the patient's reference lies, by landmarks and skin.

    Attributes
    ----------
    patient_from_reference, error
        The motion, and how far it may be wrong.
    residual_mm
        RMS distance of the points that were used from the skin.
    points
        How many were used.
    moved_mm
        How far it moved the points from where the landmarks alone had them, RMS.
    share_converged
        Of the starts, those that ended in the same place.

    """

    patient_from_reference: RigidTransform
    error: RegistrationError
    residual_mm: float
    points: int
    moved_mm: float
    share_converged: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a registration is made from.

    Attributes
    ----------
    landmarks_mm, touched_mm
        Landmarks in the patient, and where they were touched, frame ``REFERENCE``, shapes (N, 3), paired.
    fle_mm
        Error of one of them, RMS in space.
    drawn_mm
        Points drawn over the skin, frame ``REFERENCE``, shape (M, 3).
    sigma_mm
        How far such a point is from the CT's skin where all is right: breathing, pressure, the CT's voxels.

    """

    landmarks_mm: Array
    touched_mm: Array
    fle_mm: float
    drawn_mm: Array
    sigma_mm: float


def register_surface(evidence: Evidence, skin: Tissue, start: RigidTransform) -> SurfaceRegistration:
    """Lay drawn points on the skin, from the motion that the landmarks alone gave, ``patient_from_reference``.

    Raises
    ------
    NavigationError
        Where there are too few points, they do not lie on this skin, or another place fits as well.

    """
    if len(evidence.drawn_mm) < FEWEST_POINTS:
        raise NavigationError(
            f"{len(evidence.drawn_mm)} points on the skin are too few: {FEWEST_POINTS} are needed"
        )
    ends = [_settle(evidence, skin, one) for one in (start, *_around(start, evidence.drawn_mm))]
    costs = [_cost(evidence, skin, end) for end in ends]
    best = ends[int(np.argmin(costs))]
    away_mm = np.array([_apart_mm(best, end, evidence.drawn_mm) for end in ends])
    is_same = away_mm < SAME_MM
    rivals = ~is_same & (np.array(costs) <= AS_GOOD * min(costs))
    if rivals.any():
        raise NavigationError(
            f"the skin fits in another place too, {away_mm[rivals].min():.0f} mm away: draw where it is curved, "
            "and to all sides"
        )
    height_mm, _, kept = _on_skin(evidence, skin, best)
    residual_mm = float(np.sqrt(np.mean(height_mm[kept] ** 2)))
    if residual_mm > 3 * evidence.sigma_mm:
        raise NavigationError(
            f"the points lie {residual_mm:.1f} mm from the skin, RMS: was the tip on it, "
            "and is she lying as in the CT?"
        )
    information, _, centre_mm = _system(evidence, skin, best)
    return SurfaceRegistration(
        patient_from_reference=best,
        error=RegistrationError(
            centre_mm=centre_mm, covariance=np.asarray(np.linalg.inv(information), np.float64)
        ),
        residual_mm=residual_mm,
        points=int(np.count_nonzero(kept)),
        moved_mm=_apart_mm(best, start, evidence.drawn_mm),
        share_converged=float(np.mean(is_same)),
    )


def thinned(points_mm: ArrayLike, *, apart_mm: float = 4.0) -> Array:
    """Keep of points (N, 3) those that are no nearer than ``apart_mm`` to one that was kept, in their order."""
    kept: list[Array] = []
    for point in np.asarray(points_mm, dtype=np.float64):
        if all(np.linalg.norm(point - each) >= apart_mm for each in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, 3)


def _around(start: RigidTransform, drawn_mm: Array) -> list[RigidTransform]:
    """Give starts that are shifted and turned about the points' middle, both ways about each axis."""
    middle_mm = start.points_mm(drawn_mm).mean(axis=0)
    found = []
    for axis in np.vstack((np.eye(3), -np.eye(3))):
        turn = Rotation.from_rotvec(np.radians(STARTS_DEG) * axis).as_matrix()
        for rotation, shift_mm in ((turn, np.zeros(3)), (np.eye(3), STARTS_MM * axis)):
            found.append(_moved(start, rotation, middle_mm, shift_mm))
    return found


def _moved(motion: RigidTransform, rotation: Array, centre_mm: Array, shift_mm: Array) -> RigidTransform:
    return RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.REFERENCE,
        rotation=rotation @ motion.rotation,
        translation_mm=rotation @ (motion.translation_mm - centre_mm) + centre_mm + shift_mm,
    )


def _settle(evidence: Evidence, skin: Tissue, motion: RigidTransform) -> RigidTransform:
    for _ in range(STEPS):
        information, pull, centre_mm = _system(evidence, skin, motion)
        step = np.asarray(np.linalg.solve(information, pull), dtype=np.float64)
        motion = _moved(motion, Rotation.from_rotvec(step[:3]).as_matrix(), centre_mm, step[3:])
        if np.linalg.norm(step[3:]) < 1e-3 and np.linalg.norm(step[:3]) < 1e-5:
            break
    return motion


def _system(evidence: Evidence, skin: Tissue, motion: RigidTransform) -> tuple[Array, Array, Array]:
    """Give the normal equations of the small motion about the middle: (6, 6), (6,), and that middle (3,)."""
    touched_mm, drawn_mm = motion.points_mm(evidence.touched_mm), motion.points_mm(evidence.drawn_mm)
    centre_mm = np.vstack((touched_mm, drawn_mm)).mean(axis=0)
    information, pull = np.zeros((6, 6)), np.zeros(6)
    for touched, landmark in zip(touched_mm, evidence.landmarks_mm, strict=True):
        lever = gain(touched - centre_mm)
        information += 3 / evidence.fle_mm**2 * lever.T @ lever
        pull += 3 / evidence.fle_mm**2 * lever.T @ (landmark - touched)
    height_mm, normal, kept = _on_skin(evidence, skin, motion)
    rows = np.array([n @ gain(p - centre_mm) for n, p in zip(normal[kept], drawn_mm[kept], strict=True)])
    information += rows.T @ rows / evidence.sigma_mm**2
    pull -= rows.T @ height_mm[kept] / evidence.sigma_mm**2
    return information, pull, centre_mm


def _on_skin(evidence: Evidence, skin: Tissue, motion: RigidTransform) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Heights (M,) and normals (M, 3) of the drawn points, and which of them are used."""
    found = skin.skin_at(motion.points_mm(evidence.drawn_mm))
    away_mm = np.abs(found.height_mm)
    return found.height_mm, found.normal, np.asarray(away_mm <= np.quantile(away_mm, KEPT))


def _cost(evidence: Evidence, skin: Tissue, motion: RigidTransform) -> float:
    height_mm, _, kept = _on_skin(evidence, skin, motion)
    away_mm2 = np.sum((motion.points_mm(evidence.touched_mm) - evidence.landmarks_mm) ** 2)
    return float(np.sum(height_mm[kept] ** 2) / evidence.sigma_mm**2 + 3 * away_mm2 / evidence.fle_mm**2)


def _apart_mm(one: RigidTransform, other: RigidTransform, points_mm: Array) -> float:
    away_mm = one.points_mm(points_mm) - other.points_mm(points_mm)
    return float(np.sqrt(np.mean(np.sum(away_mm**2, axis=1))))

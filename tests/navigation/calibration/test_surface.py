"""Points drawn over a body whose skin is known by formula, laid back on it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from navigation.calibration.landmarks import register_landmarks
from navigation.calibration.surface import Evidence, register_surface, thinned
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.tissue import Skin
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

SEMI_AXES_MM = np.array((160.0, 105.0, 230.0))
LANDMARKS_MM = np.array([(0.0, -104, 40), (60, -95, 20), (-70, -92, -15), (15, -103, -60)])
TARGET_MM = np.array((70.0, -60.0, 0.0))


@dataclass(frozen=True)
class Ellipsoid:
    """A body; distances to its skin to first order."""

    round_: bool = False

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height and normal."""
        semi_axes = np.full(3, 105.0) if self.round_ else SEMI_AXES_MM
        slope = 2 * tip_mm / semi_axes**2
        length = np.linalg.norm(slope, axis=1)
        level = np.sum((tip_mm / semi_axes) ** 2, axis=1)
        height_mm = 2 * (level - np.sqrt(level)) / length
        return Skin(height_mm=height_mm, normal=slope / length[:, None])


def drawn(rng: np.random.Generator, count: int = 120) -> Array:
    """Points on the front of the body, patient frame."""
    x, z = rng.uniform(-110, 110, count), rng.uniform(-90, 90, count)
    y = -SEMI_AXES_MM[1] * np.sqrt(1 - (x / SEMI_AXES_MM[0]) ** 2 - (z / SEMI_AXES_MM[2]) ** 2)
    return np.stack((x, y, z), axis=1)


def taken(seed: int, *, fle_mm: float = 4.0) -> tuple[Evidence, RigidTransform, RigidTransform]:
    """What was touched and drawn, the true motion, and the one that the landmarks give."""
    rng = np.random.default_rng(seed)
    true = RigidTransform(
        to=Frame.PATIENT,
        from_=Frame.REFERENCE,
        rotation=Rotation.random(rng=rng).as_matrix(),
        translation_mm=rng.uniform(-200, 200, 3),
    )
    touched_mm = true.inverse.points_mm(LANDMARKS_MM + rng.normal(0, fle_mm / np.sqrt(3), LANDMARKS_MM.shape))
    points_mm = drawn(rng) + rng.normal(0, 0.7, (120, 3))
    points_mm[:8] += (0.0, -15.0, 0.0)  # the tip was lifted
    evidence = Evidence(
        landmarks_mm=LANDMARKS_MM,
        touched_mm=touched_mm,
        fle_mm=fle_mm,
        drawn_mm=true.inverse.points_mm(points_mm),
        sigma_mm=1.0,
    )
    return evidence, true, register_landmarks(LANDMARKS_MM, touched_mm).patient_from_reference


def test_skin_improves_on_landmarks_and_knows_by_how_much() -> None:
    """Over 40 patients the error at the target falls below that of landmarks alone, and is as predicted."""
    with_skin, alone, predicted = [], [], []
    for seed in range(40):
        evidence, true, start = taken(seed)
        found = register_surface(evidence, Ellipsoid(), start)
        at_mm = true.inverse.points_mm(TARGET_MM)
        with_skin.append(np.sum((found.patient_from_reference.points_mm(at_mm) - TARGET_MM) ** 2))
        alone.append(np.sum((start.points_mm(at_mm) - TARGET_MM) ** 2))
        predicted.append(found.error.at(TARGET_MM) ** 2)
        assert found.share_converged == 1.0
        assert found.residual_mm < 1.5
    assert np.mean(with_skin) < 0.85 * np.mean(alone)
    assert np.sqrt(np.mean(with_skin)) == pytest.approx(np.sqrt(np.mean(predicted)), rel=0.25)


def test_what_the_skin_does_not_say_is_refused() -> None:
    """Few points, and points that are nowhere near a skin of this shape: each named."""
    evidence, _, start = taken(1)
    few = replace(evidence, drawn_mm=evidence.drawn_mm[:9])
    with pytest.raises(NavigationError, match="9 points on the skin are too few"):
        register_surface(few, Ellipsoid(), start)
    with pytest.raises(NavigationError, match=r"mm from the skin|in another place too"):
        register_surface(evidence, Ellipsoid(round_=True), start)


@dataclass(frozen=True)
class Washboard:
    """Skin with a wave along x each 12 mm; distances to first order."""

    wave_mm: float = 12.0
    depth_mm: float = 3.0

    def skin_at(self, tip_mm: Array) -> Skin:
        """Height and normal."""
        phase = 2 * np.pi * tip_mm[:, 0] / self.wave_mm
        slope = self.depth_mm * 2 * np.pi / self.wave_mm * np.cos(phase)
        normal = np.stack((-slope, np.zeros_like(slope), np.ones_like(slope)), axis=1)
        length = np.linalg.norm(normal, axis=1)
        height_mm = (tip_mm[:, 2] - self.depth_mm * np.sin(phase)) / length
        return Skin(height_mm=height_mm, normal=normal / length[:, None])


def on_washboard(*, fle_mm: float) -> Evidence:
    """Points drawn over waves, and landmarks beside them, the reference lying as the patient does."""
    rng, skin = np.random.default_rng(4), Washboard()
    x, y = rng.uniform(-60, 60, 150), rng.uniform(-60, 60, 150)
    z = skin.depth_mm * np.sin(2 * np.pi * x / skin.wave_mm) + rng.normal(0, 0.3, 150)
    landmarks_mm = np.array([(-80.0, -80, 0), (80, -80, 5), (-80, 80, 10), (80, 80, 0)])
    return Evidence(
        landmarks_mm=landmarks_mm,
        touched_mm=landmarks_mm,
        fle_mm=fle_mm,
        drawn_mm=np.stack((x, y, z), axis=1),
        sigma_mm=0.3,
    )


def test_a_skin_that_fits_a_wave_further_is_told_and_not_guessed() -> None:
    """Where landmarks do not tell one wave from the next both places are ends; where they do there is one."""
    start = RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE)
    with pytest.raises(NavigationError, match="fits in another place too, 12 mm away: draw where it is curved"):
        register_surface(on_washboard(fle_mm=40.0), Washboard(), start)
    held = register_surface(on_washboard(fle_mm=2.0), Washboard(), start)
    assert held.moved_mm < 0.5


def test_of_two_places_the_better_is_taken_wherever_it_began() -> None:
    """A start one wave beside settles there: starts around it find where landmarks and skin fit together."""
    beside = RigidTransform(
        to=Frame.PATIENT, from_=Frame.REFERENCE, rotation=np.eye(3), translation_mm=np.array((12.0, 0.0, 0.0))
    )
    found = register_surface(on_washboard(fle_mm=4.0), Washboard(), beside)
    np.testing.assert_allclose(found.patient_from_reference.translation_mm, 0.0, atol=0.3)
    assert found.moved_mm == pytest.approx(12.0, abs=0.3)
    assert 0 < found.share_converged < 1


def test_points_are_thinned() -> None:
    """A tip that rests gives one point, not a hundred."""
    assert len(thinned(np.zeros((100, 3)))) == 1
    assert len(thinned(np.arange(30.0)[:, None] * (1.0, 0, 0))) == 8

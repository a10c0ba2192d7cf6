"""How far a pivot, a spin and a touch are, and how good they are called, by angles worked out by hand."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from acquisition.tracking.following import Pose
from acquisition.tracking.settings import RegistrationSettings, TipSettings
from acquisition.tracking.tool import FEWEST, grade, judge_pivot, pivot_progress, spin_progress
from acquisition.tracking.touching import touch_progress
from navigation.frames import Frame
from navigation.transforms import RigidTransform

SETTINGS = TipSettings(file=Path("tip.json"))
"""200 poses, tilted by 20°, turned by 60°; the tip known to 0.2 mm, 1 mm RMS in space."""
TIP_MM = np.array((0.0, 0.0, 150.0))


def tilted(count: int, spread_deg: float, *, sigma_mm: float = 0.0) -> list[Pose]:
    """Poses tilted forwards, backwards and to both sides, about a tip in a divot, the marker shaking.

    Tilts by a about x and about y, both ways, have the mean rotation diag((1+c)/2, (1+c)/2, c) with c = cos a, so
    that the axis that is turned least is turned by the RMS angle whose cosine is (1+c)/2.
    """
    angle = np.arccos(2 * np.cos(np.radians(spread_deg)) - 1)
    rng = np.random.default_rng(2)
    turns = Rotation.from_rotvec(angle * np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)])).as_matrix()
    return [pose(turn, rng.normal(0, sigma_mm, 3) - turn @ TIP_MM) for turn in islice(cycle(turns), count)]


def turned(count: int, angle_deg: float) -> list[Pose]:
    """Poses turned about the shaft by an angle, to and fro."""
    turns = Rotation.from_rotvec(np.radians(angle_deg) * np.array([(0, 0, 1), (0, 0, -1)])).as_matrix()
    return [pose(turn, -TIP_MM) for turn in islice(cycle(turns), count)]


def pose(turn: np.ndarray, at_mm: np.ndarray) -> Pose:
    marker = RigidTransform(to=Frame.TRACKER, from_=Frame.TOOL, rotation=turn, translation_mm=at_mm)
    return Pose(at_s=0.0, transform=marker)


@pytest.mark.parametrize(
    ("count", "spread_deg", "share", "words"),
    [
        (100, 20.0, 0.5, "100 poses, tilted by 20° of 20°, tip to 0.00 mm"),
        (400, 10.0, 0.5, "400 poses, tilted by 10° of 20°, tip to 0.00 mm"),
        (200, 20.1, 1.0, "200 poses, tilted by 20° of 20°, tip to 0.00 mm"),
        (400, 7.0, 0.35, "400 poses, tilted by 7° of 20°"),
        (FEWEST - 1, 20.0, 0.0, "19 poses"),
    ],
    ids=["few", "hardly tilted", "enough", "no tip yet", "too few to say"],
)
def test_a_pivot_is_as_far_as_that_which_lacks_most(
    count: int, spread_deg: float, share: float, words: str
) -> None:
    """Of the poses and of the tilt that are wanted, each in words; at all of both it ends."""
    found = pivot_progress(tilted(count, spread_deg), SETTINGS)
    assert found.share == pytest.approx(share)
    assert found.words == words


def test_a_pivot_whose_tip_wanders_does_not_end() -> None:
    """As many poses, tilted as far: while no tip fits them the motion goes on to its longest."""
    rng = np.random.default_rng(2)
    steady, loose = tilted(240, 21.0), tilted(160, 21.0)
    wandering = [
        pose(each.transform.rotation, each.transform.translation_mm + rng.uniform(-40, 40, 3)) for each in loose
    ]
    found = pivot_progress([*steady, *wandering], SETTINGS)
    assert (found.share, found.words) == (0.9, "400 poses, tilted by 21° of 20°")


@pytest.mark.parametrize(
    ("count", "angle_deg", "share", "words"),
    [
        (100, 60.0, 0.5, "100 poses, turned by 60° of 60°"),
        (400, 30.0, 0.5, "400 poses, turned by 30° of 60°"),
        (200, 60.1, 1.0, "200 poses, turned by 60° of 60°"),
        (FEWEST - 1, 60.0, 0.0, "19 poses"),
    ],
    ids=["few", "hardly turned", "enough", "too few to say"],
)
def test_a_spin_is_as_far_as_that_which_lacks_most(count: int, angle_deg: float, share: float, words: str) -> None:
    """Of the poses and of the turn that are wanted, each in words; at all of both it ends."""
    found = spin_progress(turned(count, angle_deg), SETTINGS)
    assert found.share == pytest.approx(share)
    assert found.words == words


@pytest.mark.parametrize(
    ("count", "sigma_mm", "passed", "words"),
    [
        (200, 0.1, True, "very good: the tip is known to 0.0"),
        (200, 0.4, True, "good: the tip is known to 0.1"),
        (60, 0.4, False, "the tip is known to 0.2"),
        (2000, 0.8, False, "1.4 mm RMS: the tip slid in the divot"),
    ],
    ids=["very good", "good", "too short", "slid"],
)
def test_a_pivot_is_called_what_it_is(count: int, sigma_mm: float, passed: bool, words: str) -> None:  # noqa: FBT001
    """By its standard error, sqrt(2 / (1 - cos² 20°) + 1 / (1 - c²)) s / sqrt(N), and its RMS, sqrt(3) s."""
    found, result = judge_pivot(tilted(count, 20.0, sigma_mm=sigma_mm), SETTINGS)
    assert ((found is not None), result.passed) == (passed, passed)
    assert result.reason.startswith(words)
    cos_20 = np.cos(np.radians(20.0))
    expected_mm = np.sqrt((2 / (1 - cos_20**2) + 1 / (1 - (2 * cos_20 - 1) ** 2)) / count) * sigma_mm
    known_to, rms, *_ = result.figures
    assert known_to.value == pytest.approx(expected_mm, rel=0.25)
    assert rms.value == pytest.approx(np.sqrt(3) * sigma_mm, rel=0.15)


def test_half_a_limit_is_very_good() -> None:
    """Up to half of it; what is more and passed is good."""
    assert [grade(value, 0.2) for value in (0.05, 0.1, 0.11, 0.2)] == ["very good", "very good", "good", "good"]


def touching(lasting_s: float, *, wander_mm: float = 0.0) -> list[Pose]:
    """A tip that wanders to and fro by so much, RMS, at 50 poses a second."""
    return [
        Pose(
            at_s=at_s,
            transform=RigidTransform(
                to=Frame.REFERENCE,
                from_=Frame.TIP,
                rotation=np.eye(3),
                translation_mm=np.array(((-1) ** number * wander_mm, 0.0, 0.0)),
            ),
        )
        for number, at_s in enumerate(np.arange(100.0, 100.0 + lasting_s, 0.02).tolist())
    ]


@pytest.mark.parametrize(
    ("poses", "share", "words"),
    [
        (touching(0.1), 0.0, "wanted: the tip on the landmark"),
        (touching(0.52), 0.5, "still for 0.5 s of 1 s"),
        (touching(0.92), 0.9, "still for 0.9 s of 1 s"),
        (touching(1.1), 1.0, "still for 1.0 s of 1 s"),
        (touching(1.1, wander_mm=1.9), 1.0, "still for 1.0 s of 1 s"),
        (touching(1.1, wander_mm=2.4), 0.0, "hold it still: the tip wanders by 2.4 mm"),
    ],
    ids=["none", "half", "nearly", "enough", "a little", "too much"],
)
def test_a_touch_is_as_far_as_the_tip_was_held_still(poses: list[Pose], share: float, words: str) -> None:
    """For a second, within 2 mm RMS; a tip that wanders further begins anew, and hears by how much."""
    found = touch_progress(poses, RegistrationSettings(file=Path("registration.json")))
    assert found.share == pytest.approx(share, abs=0.03)
    assert (found.share >= 1) == (share == 1.0)
    assert found.words == words

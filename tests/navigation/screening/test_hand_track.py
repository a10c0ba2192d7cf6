"""The way of the hand: wild poses left out, true moves followed, however fast."""

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.screening.hand_track import CONFIRMED_BY, LONGEST_GAP_S, MOST_HELD, HandTrack, Waypoint

Array = NDArray[np.float64]

STEP_S = 0.1
DOWN = np.array([0.0, 0.0, -1.0])


def pose(number: int, tip_mm: Array, *, axis: Array = DOWN, at_s: float | None = None) -> Waypoint:
    return Waypoint(
        number=number,
        taken_at_s=number * STEP_S if at_s is None else at_s,
        tip_mm=tip_mm,
        axis=axis / np.linalg.norm(axis),
        is_deep=bool(tip_mm[2] < -15),
    )


def judged(poses: list[Waypoint]) -> tuple[list[int], list[int], int]:
    """Numbers of the poses that were followed, and of the wild ones, and how many wait."""
    track = HandTrack()
    followed: list[int] = []
    wild: list[int] = []
    for each in poses:
        verdict = track.judge(each)
        followed += [one.number for one in verdict.followed]
        wild += [one.number for one in verdict.wild]
    return followed, wild, track.held


def swept(size: int, rng: np.random.Generator) -> list[Array]:
    """Sweep over skin at 30 mm/s with 0.3 mm of noise."""
    return [np.array([3.0 * number, 0.0, 0.5]) + rng.normal(0, 0.3, 3) for number in range(size)]


def reach_mm(at_s: Array, length_mm: float, lasting_s: float) -> Array:
    """Minimum-jerk reach (Flash and Hogan, 1985)."""
    share = np.clip(at_s / lasting_s, 0.0, 1.0)
    return np.asarray(length_mm * (10 * share**3 - 15 * share**4 + 6 * share**5))


def test_a_steady_sweep_is_followed_at_once() -> None:
    """No pose of a sweep waits, so no belief is late by one."""
    track = HandTrack()
    for number, tip_mm in enumerate(swept(200, np.random.default_rng(1))):
        assert [each.number for each in track.judge(pose(number, tip_mm)).followed] == [number]


@pytest.mark.parametrize("off_mm", [[25.0, 0, 0], [0, 0, 40.0], [-300.0, 200, 100], [0, 0, -30.0]])
def test_a_wild_pose_is_left_out_and_the_ones_after_it_are_not(off_mm: list[float]) -> None:
    """The good reading right after a wild one is as good as any other."""
    tips = swept(30, np.random.default_rng(2))
    tips[12] = tips[12] + np.array(off_mm)
    followed, wild, held = judged([pose(number, tip) for number, tip in enumerate(tips)])
    assert wild == [12]
    assert followed == [number for number in range(30) if number != 12]
    assert held == 0


def test_two_wild_poses_in_a_row_are_left_out() -> None:
    """One does not vouch for the other."""
    tips = swept(30, np.random.default_rng(3))
    tips[12] = tips[12] + np.array([80.0, 0, 0])
    tips[13] = tips[13] + np.array([-40.0, 90.0, 0])
    followed, wild, _ = judged([pose(number, tip) for number, tip in enumerate(tips)])
    assert wild == [12, 13]
    assert followed == [number for number in range(30) if number not in wild]


def test_a_wild_direction_alone_is_enough() -> None:
    """A marker taken for its mirror image leaves the tip about where it was and turns the axis."""
    poses = [pose(number, tip) for number, tip in enumerate(swept(20, np.random.default_rng(4)))]
    poses[9] = pose(9, poses[9].tip_mm, axis=np.array([0.5, 0.0, -1.0]))
    assert judged(poses)[1] == [9]


@pytest.mark.parametrize(("length_mm", "lasting_s"), [(300.0, 0.6), (500.0, 0.5), (40.0, 0.2), (200.0, 1.5)])
@pytest.mark.parametrize("offset_s", [0.0, 0.03, 0.07])
def test_a_fast_reach_is_followed_whole(length_mm: float, lasting_s: float, offset_s: float) -> None:
    """A hand that lifts the probe off the patient and back, 1.9 m/s at its fastest, loses no reading."""
    rng = np.random.default_rng(5)
    at_s = np.arange(60, dtype=np.float64) * STEP_S - offset_s
    up_mm, down_mm = (reach_mm(at_s - begun_s, length_mm, lasting_s) for begun_s in (1.5, 4.0))
    poses = [
        pose(number, np.array([0.0, 0.0, height_mm]) + rng.normal(0, 0.3, 3))
        for number, height_mm in enumerate(up_mm - down_mm)
    ]
    followed, wild, held = judged(poses)
    assert (wild, held) == ([], 0)
    assert followed == list(range(60))


@pytest.mark.parametrize(("hertz", "mm", "deg"), [(2.0, 20.0, 0.0), (2.0, 0.0, 20.0), (1.5, 40.0, 25.0)])
def test_a_hand_that_shakes_is_followed(hertz: float, mm: float, deg: float) -> None:
    """What a hand does all the time is no exception."""
    rng = np.random.default_rng(6)
    turn = np.sin(2 * np.pi * hertz * np.arange(200) * STEP_S)
    poses = [
        pose(
            number,
            np.array([mm * each, 0.0, 0.0]) + rng.normal(0, 0.3, 3),
            axis=np.array([np.sin(np.radians(deg * each)), 0.0, -np.cos(np.radians(deg * each))]),
        )
        for number, each in enumerate(turn)
    ]
    followed, wild, held = judged(poses)
    assert wild == []
    assert len(followed) + held == 200


def test_after_a_gap_the_hand_may_be_anywhere() -> None:
    """The tracker lost the probe; where it finds it again is where it is."""
    tips = swept(20, np.random.default_rng(7))
    poses = [pose(number, tip) for number, tip in enumerate(tips[:10])]
    later_s = poses[-1].taken_at_s + LONGEST_GAP_S + 0.01
    poses += [
        pose(number, tip + np.array([0.0, 400.0, 100.0]), at_s=later_s + (number - 10) * STEP_S)
        for number, tip in enumerate(tips[10:], start=10)
    ]
    assert judged(poses) == (list(range(20)), [], 0)


def test_a_wild_first_pose_does_not_shut_the_others_out() -> None:
    """Nothing tells that the first is wild; the next ones lead to one another and are believed."""
    tips = swept(10, np.random.default_rng(8))
    tips[0] = tips[0] + np.array([0.0, 150.0, 0.0])
    followed, wild, _ = judged([pose(number, tip) for number, tip in enumerate(tips)])
    assert followed == list(range(10))
    assert wild == []


def test_poses_without_any_order_are_left_out_and_few_wait() -> None:
    """A tracker gone mad makes no hand, and the wait stays short; a hand that comes back is believed again."""
    rng = np.random.default_rng(9)
    tips = swept(10, rng) + list(rng.uniform(-500, 500, (100, 3)))
    track = HandTrack()
    for number, tip in enumerate(tips):
        followed = track.judge(pose(number, tip)).followed
        assert track.held <= MOST_HELD
        assert number < 10 or len(followed) <= CONFIRMED_BY
    seen = [
        each for number, tip in enumerate(swept(6, rng), 110) for each in track.judge(pose(number, tip)).followed
    ]
    assert {each.number for each in seen} >= set(range(110, 116))

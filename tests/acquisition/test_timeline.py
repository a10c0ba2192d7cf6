"""Where a tool was at a time."""

import numpy as np
import pytest

from acquisition.timeline import PoseTimeline
from devices.readings import PoseReading, PoseStatus
from navigation.errors import PoseGap
from navigation.frames import Frame
from navigation.transforms import RigidTransform


def seen(at_s: float, x_mm: float) -> PoseReading:
    pose = RigidTransform(
        to=Frame.TRACKER, from_=Frame.TOOL, rotation=np.eye(3), translation_mm=np.array([x_mm, 0.0, 0.0])
    )
    return PoseReading(device="camera", tool="Probe", taken_at_s=at_s, tracker_from_tool=pose)


def lost(at_s: float) -> PoseReading:
    return PoseReading(
        device="camera", tool="Probe", taken_at_s=at_s, tracker_from_tool=None, status=PoseStatus.MISSING
    )


def timeline(*readings: PoseReading) -> PoseTimeline:
    made = PoseTimeline(longest_gap_s=0.1)
    for reading in readings:
        made.add(reading)
    return made


def test_a_pose_between_two_lies_between_them() -> None:
    """A quarter of the time is a quarter of the way."""
    assert timeline(seen(1.0, 0.0), seen(1.08, 8.0)).at(1.02).translation_mm[0] == pytest.approx(2.0)


@pytest.mark.parametrize(("at_s", "age_s"), [(1.02, 0.06), (1.06, 0.06), (1.08, 0.0)])
def test_a_pose_between_two_is_as_old_as_the_further(at_s: float, age_s: float) -> None:
    """A motion between 1 s and 1.08 s is told by both of them; at the time of one, by that one alone."""
    state = timeline(seen(1.0, 0.0), seen(1.08, 8.0)).edge(Frame.TOOL, at_s)
    assert state.age_s == pytest.approx(age_s)
    assert state.transform is not None


def test_an_edge_that_nobody_saw_says_why() -> None:
    """Lost beside the time that is asked for: no motion, the name of the tool, and how long nothing is known."""
    state = timeline(seen(1.0, 0.0), lost(1.04)).edge(Frame.TOOL, 1.02)
    assert (state.transform, state.said) == (None, "Probe was not seen")
    assert state.age_s == pytest.approx(0.04)


def test_the_time_of_a_reading_gives_that_reading() -> None:
    """No neighbour is needed where the time is exact."""
    assert timeline(seen(1.0, 3.0)).at(1.0).translation_mm[0] == 3.0


@pytest.mark.parametrize(
    ("readings", "at_s", "message"),
    [
        ([seen(1.0, 0)], 1.01, "either side"),
        ([seen(1.0, 0)], 0.99, "either side"),
        ([], 1.0, "either side"),
        ([seen(1.0, 0), seen(1.2, 9)], 1.1, "no pose for 0.20 s"),
        ([seen(1.0, 0), lost(1.02), seen(1.04, 9)], 1.03, "not seen"),
    ],
)
def test_no_pose_is_made_up(readings: list[PoseReading], at_s: float, message: str) -> None:
    """After the last, before the first, over a gap, beside a loss: a named refusal, never a guess."""
    with pytest.raises(PoseGap, match=message):
        timeline(*readings).at(at_s)


def test_steps_back_are_left_out() -> None:
    """What was taken before the last one and comes after it moves nothing."""
    made = timeline(seen(1.0, 0.0), seen(0.9, 70.0))
    assert made.at(1.0).translation_mm[0] == 0.0
    assert made.newest is not None
    assert made.newest.taken_at_s == 1.0


def test_of_those_that_came_at_one_time_the_last_told_holds() -> None:
    """A batch after a stall leaves the tool where it is now, not where it was when the stall began."""
    made = timeline(seen(1.0, 0.0), seen(1.08, 8.0), seen(1.08, 50.0))
    assert made.at(1.08).translation_mm[0] == 50.0
    assert made.at(1.04).translation_mm[0] == pytest.approx(4.0)


def test_a_loss_that_comes_with_the_last_pose_is_a_loss() -> None:
    """Told in the packet of a pose, after it, the tool is lost at once; before it, nothing is joined over it."""
    made = timeline(seen(1.0, 0.0), seen(1.02, 2.0), lost(1.02))
    assert made.newest == lost(1.02)
    with pytest.raises(PoseGap, match="not seen"):
        made.at(1.02)
    made = timeline(seen(1.0, 0.0), lost(1.02), seen(1.02, 2.0))
    assert made.at(1.02).translation_mm[0] == 2.0
    with pytest.raises(PoseGap, match="not seen"):
        made.at(1.01)


def test_it_forgets() -> None:
    """An hour of poses holds no more than the last seconds."""
    made = PoseTimeline(kept_s=1.0)
    for step in range(1000):
        made.add(seen(step * 0.1, 0.0))
    with pytest.raises(PoseGap):
        made.at(50.0)
    assert made.newest is not None
    assert made.newest.taken_at_s == pytest.approx(99.9)

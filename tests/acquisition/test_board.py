"""The newest of every device: what is added up to a rate, and what keeps a device fresh."""

import numpy as np
import pytest

from acquisition.board import Board
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading, PoseStatus
from navigation.frames import Frame
from navigation.transforms import RigidTransform


def count(at_s: float, *, real_s: float = 0.1, live_s: float | None = None, counts: int = 5) -> CountReading:
    return CountReading(
        device="gamma", taken_at_s=at_s, real_time_s=real_s, live_time_s=live_s or real_s, counts=counts
    )


def filled(*readings: CountReading) -> Board:
    board = Board()
    for reading in readings:
        board.count(reading)
    return board


def test_the_newest_that_fill_the_time_are_chosen_oldest_first() -> None:
    """Ten tenths of a second fill one second; not one of them is older than need be."""
    board = filled(*(count(0.1 * number) for number in range(40)))
    chosen = board.newest_counts("gamma", integration_s=1.0)
    assert [reading.taken_at_s for reading in chosen] == pytest.approx(np.arange(3.0, 3.95, 0.1))


def test_live_time_is_what_fills_it() -> None:
    """Where half of the time is dead, twice as many readings are needed."""
    board = filled(*(count(0.1 * number, live_s=0.05) for number in range(40)))
    chosen = board.newest_counts("gamma", integration_s=1.0)
    assert len(chosen) == 20
    assert sum(reading.live_time_s for reading in chosen) == pytest.approx(1.0)


def test_one_long_reading_is_shown_alone() -> None:
    """An instrument slower than the integration time still has a rate."""
    board = filled(count(0.0, real_s=2.0), count(2.0, real_s=2.0))
    assert [reading.taken_at_s for reading in board.newest_counts("gamma", integration_s=1.0)] == [2.0]


def test_a_reading_longer_than_all_that_is_kept_is_kept() -> None:
    """A count of ten seconds neither empties the board nor stops the service."""
    board = filled(count(0.0), count(0.1, real_s=10.0))
    assert [reading.taken_at_s for reading in board.newest_counts("gamma", integration_s=1.0)] == [0.1]


def test_counts_from_before_a_pulled_plug_are_not_added_to_those_after_it() -> None:
    """The first reading after a pause stands alone: what the probe saw before it is not what it sees now."""
    before = [count(0.1 * number, counts=500) for number in range(20)]
    board = filled(*before, count(5.0, counts=1), count(5.1, counts=2))
    assert [reading.counts for reading in board.newest_counts("gamma", integration_s=1.0)] == [1, 2]


def test_a_lost_poll_does_not_begin_the_rate_anew() -> None:
    """A gap of one interval is bridged; its time is not counted."""
    board = filled(*(count(0.1 * number) for number in range(20) if number != 15))
    chosen = board.newest_counts("gamma", integration_s=1.0)
    assert len(chosen) == 10
    assert sum(reading.live_time_s for reading in chosen) == pytest.approx(1.0)


def test_the_board_forgets() -> None:
    """A day of readings does not fill the memory, and what is kept suffices for the longest time shown."""
    board = filled(*(count(0.1 * number) for number in range(5000)))
    assert len(board._counts["gamma"]) <= 52
    assert len(board.newest_counts("gamma", integration_s=5.0)) >= 49
    assert board.tally.readings == 5000


def test_an_unknown_probe_has_no_counts() -> None:
    """Nothing came: no reading, not a reading of nothing."""
    assert Board().newest_counts("gamma", integration_s=1.0) == ()


def test_a_reading_is_as_old_as_its_end() -> None:
    """A count of a second that just ended was delivered now."""
    assert filled(count(7.0, real_s=1.0)).delivered_s == {"gamma": 8.0}


def test_a_tracker_that_sees_nothing_keeps_nothing_fresh() -> None:
    """A missing tool is counted as come in, but the age of the last pose goes on growing."""
    board = Board()
    pose = RigidTransform.identity(Frame.TRACKER, Frame.TOOL)
    board.pose(PoseReading(device="camera", tool="Probe", taken_at_s=1.0, tracker_from_tool=pose))
    missing = PoseReading(
        device="camera", tool="Probe", taken_at_s=2.0, tracker_from_tool=None, status=PoseStatus.MISSING
    )
    board.pose(missing)
    assert board.delivered_s == {"camera": 1.0}
    assert board.tally.poses == 2


def test_the_newest_health_is_kept() -> None:
    """A link is what its supervisor said last."""
    board = Board()
    board.link(DeviceHealth(device="gamma", state=LinkState.LIVE, since_s=1.0))
    board.link(DeviceHealth(device="gamma", state=LinkState.LOST, since_s=2.0, detail="gone"))
    assert board.health["gamma"].detail == "gone"

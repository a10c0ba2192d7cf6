"""How late the poses of an OpenIGTLink sender are, by its own stamps and a clock that is not ours."""

import numpy as np
import pytest
from structlog.testing import capture_logs

from devices.trackers.igtl_lateness import OVER_S, Lateness

OFFSET_S = 1.7e9
"""Of the sender's clock from ours."""


def lateness(sent_s: np.ndarray, came_s: np.ndarray) -> np.ndarray:
    """What is told of messages that were made and came at these times."""
    found, told_s = Lateness("camera"), []
    for made_s, at_s in zip(sent_s.tolist(), came_s.tolist(), strict=True):
        found.begin(round((made_s + OFFSET_S) * 2**32))
        told_s.append(found.late_s("Probe", at_s))
    return np.array(told_s)


def test_what_waited_is_late_by_as_much() -> None:
    """Held up for 2 s and then sent in one go, the oldest is 2 s late and the newest is not; none before was."""
    sent_s = 0.01 * np.arange(600)
    came_s = sent_s + 0.02 + np.random.default_rng(1).uniform(0, 0.005, 600)
    came_s[200:400] = came_s[400]
    told_s = lateness(sent_s, came_s)
    assert np.abs(np.delete(told_s, slice(200, 400))).max() < 0.006
    np.testing.assert_allclose(told_s[200:400], came_s[400] - sent_s[200:400] - 0.02, atol=0.006)


def test_a_link_that_was_opened_on_a_queue_is_held_against_the_quickest_since() -> None:
    """The first poses had waited for 1 s, and it is worked off: what is held up later is late by all of it."""
    sent_s = 0.02 * np.arange(1000)
    waited_s = np.maximum(1.0 - 0.25 * sent_s, 0.0)
    waited_s[900:] = 0.8
    np.testing.assert_allclose(lateness(sent_s, sent_s + waited_s)[900:], 0.8, atol=1e-5)


def test_a_queue_that_grows_is_told_while_it_grows() -> None:
    """Of a reader that takes 95 poses where 100 are made each is later than the one before."""
    sent_s = 0.01 * np.arange(3000)
    told_s = lateness(sent_s, sent_s * 1.05)
    np.testing.assert_allclose(told_s, 0.05 * sent_s, atol=1e-5)


@pytest.mark.parametrize("drift", [-5e-4, 5e-4])
def test_a_clock_that_runs_a_little_faster_or_slower_makes_nothing_late(drift: float) -> None:
    """Over four hours at 500 parts in a million it is off by 7 s, and over the minute that is asked by 30 ms."""
    came_s = np.arange(0.0, 4 * 3600.0)
    assert lateness(came_s * (1 + drift), came_s).max() <= 5e-4 * OVER_S + 1e-3


@pytest.mark.parametrize(("jump_s", "words"), [(-3600.0, "by -3600.0 s"), (7.0, "by 7.0 s")])
def test_a_clock_that_is_set_to_another_time_is_named_and_makes_nothing_late(jump_s: float, words: str) -> None:
    """Back by an hour at the end of summer time, or ahead: poses go on, and what waits later is late again."""
    came_s = 0.02 * np.arange(500)
    sent_s = came_s + np.where(came_s > 4.0, jump_s, 0.0)
    late_s = np.zeros(500)
    late_s[400:420] = 1.5
    with capture_logs() as logs:
        told_s = lateness(sent_s, came_s + late_s)
    np.testing.assert_allclose(told_s, late_s, atol=0.05)
    assert [(line["event"], line["reason"]) for line in logs] == [("tracker_clock", f"its clock jumped {words}")]


def test_a_clock_of_whole_seconds_makes_nothing_late() -> None:
    """All that it stamps alike is as late as the first of them."""
    came_s = 0.01 * np.arange(1000)
    assert lateness(np.floor(came_s), came_s).max() < 0.011


def test_stamps_that_are_no_times_are_named_once_and_make_nothing_late() -> None:
    """A number of the frame in place of seconds runs ahead with each message; no stamp at all says nothing."""
    came_s = 0.02 * np.arange(1000)
    with capture_logs() as logs:
        assert lateness(np.arange(1000.0), came_s).max() == 0.0
    assert len(logs) == 1
    mixed = Lateness("camera")
    with capture_logs() as logs:
        for stamp, at_s in ((5 << 32, 1.0), (0, 1.1), (6 << 32, 2.0), (0, 9.0)):
            mixed.begin(stamp)
            assert mixed.late_s("Probe", at_s) == 0.0
    assert logs == []


def test_each_tool_has_its_own_clock() -> None:
    """Two tools behind one server may be stamped by two computers: neither jumps, and one that waits is late."""
    found, told_s = Lateness("camera"), dict[str, float]()
    with capture_logs() as logs:
        for at_s in (1.0, 2.0, 3.0):
            for tool, off_s in (("Probe", 0.0), ("Patient", -900.0 - 0.7 * (at_s == 3.0))):
                found.begin(round((OFFSET_S + off_s + at_s) * 2**32))
                told_s[tool] = found.late_s(tool, at_s)
    assert told_s == pytest.approx({"Probe": 0.0, "Patient": 0.7}, abs=1e-6)
    assert logs == []

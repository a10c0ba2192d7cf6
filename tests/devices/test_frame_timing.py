"""Times of numbered frames: the wobble goes, breaks are found, what is missing is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.frame_timing import KEPT_FRAMES, LEAST_FRAMES, FrameClock

INTERVAL_S = 1 / 60


def test_the_wobble_of_arrivals_is_taken_out() -> None:
    """With arrivals off by 3 ms, fitted times are off by what the theory of the line says, a third of it."""
    rng = np.random.default_rng(1)
    wobble_s = np.abs(rng.normal(0.0, 0.003, 2000))
    clock, errors_s = FrameClock(), []
    for frame in range(2000):
        taken_at_s = 10.0 + frame * INTERVAL_S
        fitted_s = clock.add(frame, taken_at_s + wobble_s[frame])
        assert fitted_s is not None
        assert fitted_s <= taken_at_s + wobble_s[frame]
        if frame >= KEPT_FRAMES:
            errors_s.append(fitted_s - taken_at_s - wobble_s.mean())
    timing = clock.timing
    assert timing.jitter_s is not None
    assert timing.jitter_s == pytest.approx(wobble_s.std(), rel=0.25)
    # variance at the end of a line through n points is 4/n of one point's
    assert timing.uncertainty_s == pytest.approx(timing.jitter_s * 2 / np.sqrt(KEPT_FRAMES), rel=0.05)
    assert np.std(errors_s) < 0.5 * wobble_s.std()
    assert timing.interval_s == pytest.approx(INTERVAL_S, rel=0.01)
    assert (timing.dropped, timing.duplicates, timing.restarts) == (0, 0, 0)


def jitters_s(wobble_s: np.ndarray) -> np.ndarray:
    """What is told of frames that come so late, after each of them once the line is whole."""
    clock, told_s = FrameClock(), []
    for frame, late_s in enumerate(wobble_s.tolist()):
        clock.add(frame, 10.0 + frame * INTERVAL_S + late_s)
        told_s.append(clock.timing.jitter_s)
    return np.array(told_s[KEPT_FRAMES:], dtype=np.float64)


@pytest.mark.parametrize("shape", ["normal", "uniform", "exponential"])
def test_the_jitter_that_is_told_is_the_one_that_was_drawn(shape: str) -> None:
    """Where frames are late independently of each other, by 0.87 ms RMS, that is told, whatever their shape."""
    rng, drawn_s = np.random.default_rng(3), 0.87e-3
    wobble_s = {
        "normal": rng.normal(0.0, drawn_s, 6000),
        "uniform": rng.uniform(0.0, np.sqrt(12) * drawn_s, 6000),
        "exponential": rng.exponential(drawn_s, 6000),
    }[shape]
    assert np.sqrt(np.mean(jitters_s(wobble_s) ** 2)) == pytest.approx(drawn_s, rel=0.03)


def test_the_jitter_is_of_the_newest_second() -> None:
    """A frame that came 12 ms late counts while it is among the newest 60; what wanders slowly is none of it."""
    wobble_s = np.random.default_rng(4).normal(0.0, 0.3e-3, 600)
    wobble_s[300] += 0.012
    told_s = jitters_s(wobble_s)
    is_held = slice(300 - KEPT_FRAMES, 300)
    assert told_s[is_held].min() > 1e-3
    calm_s = np.delete(told_s, is_held)
    assert np.sqrt(np.mean(calm_s**2)) == pytest.approx(0.3e-3, rel=0.05)
    wander_s = 0.02 * np.sin(2 * np.pi * np.arange(3600) * INTERVAL_S / 60.0)
    assert jitters_s(wander_s).max() < 0.02 * wander_s.std()


def test_a_frame_that_came_before_is_no_news() -> None:
    """It has no time of its own, and is counted."""
    clock = FrameClock()
    assert clock.add(7, 1.0) == 1.0
    assert clock.add(7, 1.01) is None
    assert clock.timing.duplicates == 1


def test_frames_that_never_came_are_counted_and_the_line_goes_on() -> None:
    """Two of three frames missing are counted by their numbers, and change no time."""
    clock = FrameClock()
    for frame in range(0, 300, 3):
        taken_at_s = clock.add(frame, 5.0 + frame * INTERVAL_S)
        assert taken_at_s == pytest.approx(5.0 + frame * INTERVAL_S, abs=1e-9)
    assert clock.timing.dropped == 99 * 2
    assert clock.timing.restarts == 0


@pytest.mark.parametrize(
    ("frame", "later_s", "words"),
    [
        (0, INTERVAL_S, "went back by 99: it was restarted"),
        (500, 401 * INTERVAL_S, "400 frames were left out at once"),
        (100, 0.5, "its clock jumped, or its frames came 483 ms too late"),
        (149, INTERVAL_S, "its clock jumped, or its frames came 817 ms too early"),
    ],
    ids=["wrap", "gap", "jump", "numbers that run ahead"],
)
def test_a_break_begins_the_line_anew_and_is_named(frame: int, later_s: float, words: str) -> None:
    """After a wrap, a gap or a jump either way the old line says nothing of the new frames."""
    clock = FrameClock()
    for number in range(100):
        clock.add(number, 5.0 + number * INTERVAL_S)
    came_at_s = 5.0 + 99 * INTERVAL_S + later_s
    assert clock.add(frame, came_at_s) == pytest.approx(came_at_s)
    assert clock.timing.restarts == 1
    assert words in clock.timing.reason
    assert clock.timing.jitter_s is None
    for number in range(1, LEAST_FRAMES):
        clock.add(frame + number, came_at_s + number * INTERVAL_S)
    assert clock.timing.jitter_s == pytest.approx(0.0, abs=1e-9)


def test_frames_told_together_lie_an_interval_apart() -> None:
    """Of two frames in one answer the older is timed by the line, not by when both came."""
    clock = FrameClock()
    for frame in range(0, 100, 2):
        clock.add(frame, 5.0 + frame * INTERVAL_S)
    assert clock.before(97) == pytest.approx(5.0 + 97 * INTERVAL_S)


def test_of_frames_told_together_only_the_newest_is_timed_before_there_is_an_interval() -> None:
    """The first answer tells nothing of the time from frame to frame, nor does the first after a break."""
    clock = FrameClock()
    clock.add(10, 5.0, together_with=[8, 9, 10])
    assert (clock.before(9), clock.before(10)) == (None, 5.0)
    clock.add(13, 5.0 + 3 * INTERVAL_S, together_with=[11, 12, 13])
    assert clock.before(12) == pytest.approx(5.0 + 2 * INTERVAL_S)
    assert clock.before(9) is None, "no later than what the answer before told"
    clock.add(2, 6.0, together_with=[1, 2])
    assert (clock.before(1), clock.before(2)) == (None, 6.0)


def test_frames_told_together_are_not_dropped() -> None:
    """Of five numbers that passed, the two that came with the newest were not lost."""
    clock = FrameClock()
    clock.add(10, 5.0)
    clock.add(15, 5.0 + 5 * INTERVAL_S, together_with=[12, 14, 15])
    assert clock.timing.dropped == 2


@given(steps=st.lists(st.tuples(st.integers(1, 5), st.floats(0.0, 0.09)), max_size=150))
def test_times_keep_their_order_and_no_frame_is_of_the_future(steps: list[tuple[int, float]]) -> None:
    """Whatever arrives when, each frame is later than the one before, and not later than it came."""
    clock, frame, at_s, former_s = FrameClock(), 0, 1.0, 0.0
    for step, wait_s in steps:
        frame, at_s = frame + step, at_s + wait_s + 1e-3
        taken_at_s = clock.add(frame, at_s)
        assert taken_at_s is not None
        assert former_s < taken_at_s <= at_s
        former_s = taken_at_s

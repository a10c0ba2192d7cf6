"""The sieve: every reason, what it lets through, and that one bad reading costs no other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.errors import NavigationError
from navigation.observations import Observations
from navigation.screening.sieve import RESUMED_AFTER, Reason, Rejections, Sieve
from tests.navigation.bench import DEAD_TIME_S, SKIN, sweep

ONE_NODE_MM = np.array([[0.0, 0.0, -20.0]])


def swept(seed: int = 1, *, seconds: float = 20.0) -> Observations:
    rng = np.random.default_rng(seed)
    made = sweep(ONE_NODE_MM, np.array([0.1]), rng, seconds=seconds, width_mm=40.0)
    return replace(made, taken_at_s=0.05 + 0.1 * np.arange(len(made), dtype=np.float64))


def changed(name: str, row: int, value: float) -> Observations:
    """One number of a sweep replaced."""
    made = swept()
    array = getattr(made, name).copy()
    array[row] = value
    return replace(made, **{name: array})


def test_a_sweep_passes_whole_in_any_batches() -> None:
    """Nothing is left out, nothing waits, and the numbers are the ones that came."""
    made = swept()
    sieve = Sieve(dead_time_s=DEAD_TIME_S, tissue=SKIN)
    parts = [sieve.screen(made.take(np.arange(start, start + 8))) for start in range(0, len(made), 8)]
    for name in ("counts", "live_time_s", "tip_mm", "axis", "taken_at_s"):
        joined = np.concatenate([getattr(each.accepted, name) for each in parts])
        assert np.allclose(joined, getattr(made, name), rtol=0, atol=1e-15)
    assert parts[-1].rejections == Rejections()
    assert parts[-1].rejections.total == parts[-1].held == 0


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("counts", 0.1 / DEAD_TIME_S, Reason.COUNTS),
        ("counts", 2e5, Reason.COUNTS),
        ("live_time_s", 1e-4, Reason.LIVE_TIME),
        ("live_time_s", 60.0, Reason.LIVE_TIME),
        ("taken_at_s", 2.0, Reason.BACKWARD),
        ("taken_at_s", 4.96, Reason.OVERLAP),
    ],
)
def test_a_reading_that_cannot_be_is_left_out_alone(name: str, value: float, reason: Reason) -> None:
    """It is counted with its reason, and all others pass."""
    made = changed(name, 50, value)
    screening = Sieve(dead_time_s=DEAD_TIME_S, tissue=SKIN).screen(made)
    assert screening.rejections == Rejections(by_reason={reason: 1}, newest=reason)
    assert np.array_equal(screening.accepted.counts, np.delete(made.counts, 50))


@pytest.mark.parametrize("distance", [1, 5])
def test_a_reading_that_comes_twice_counts_once(distance: int) -> None:
    """At once or a few readings later, the same time, counts and pose are the same reading."""
    made = swept()
    rows = [*range(50), *range(50, 50 + distance), 50, *range(50 + distance, len(made))]
    screening = Sieve().screen(made.take(np.array(rows)))
    assert screening.rejections.by_reason == {Reason.REPEATED: 1}
    assert np.array_equal(screening.accepted.counts, made.counts)


def test_a_packet_stamped_twice_counts_once() -> None:
    """The same counts a few milliseconds later fill an interval that was counted already."""
    made = swept()
    twice = made.take(np.sort(np.append(np.arange(len(made)), 50)))
    at_s = twice.taken_at_s.copy()
    at_s[51] += 0.004
    screening = Sieve().screen(replace(twice, taken_at_s=at_s))
    assert screening.rejections.by_reason == {Reason.OVERLAP: 1}


def test_a_clock_that_jitters_costs_nothing() -> None:
    """Arrival times that are 20 ms off overlap a little, and all are readings of their own."""
    made = swept()
    jitter_s = np.random.default_rng(3).uniform(-0.02, 0.02, len(made))
    screening = Sieve(tissue=SKIN).screen(replace(made, taken_at_s=made.taken_at_s + jitter_s))
    assert screening.rejections.total == 0


def test_a_reading_that_a_busy_host_stamps_late_costs_nothing() -> None:
    """Late by 0.08 s it leaves a gap before it and an overlap after it; the next but one has no such excuse."""
    made = changed("taken_at_s", 50, 5.13)
    assert made.taken_at_s[50] - made.taken_at_s[49] == pytest.approx(0.18)
    assert Sieve().screen(made).rejections.total == 0
    at_s = made.taken_at_s.copy()
    at_s[52] = at_s[51] + 0.02
    assert Sieve().screen(replace(made, taken_at_s=at_s)).rejections.by_reason == {Reason.OVERLAP: 1}


def test_one_time_far_ahead_does_not_shut_out_all_that_follow() -> None:
    """A few readings that go on in order before it tell that it was wrong."""
    made = changed("taken_at_s", 50, 5000.0)
    screening = Sieve().screen(made)
    assert screening.rejections.by_reason == {Reason.BACKWARD: RESUMED_AFTER - 1}
    assert screening.accepted.taken_at_s[-1] == made.taken_at_s[-1]


def test_wild_poses_are_left_out_and_no_other() -> None:
    """Of two readings in a hundred that lie 30 to 200 mm off, nearly all are found, and no good one is lost."""
    rng = np.random.default_rng(4)
    made = swept(seconds=120.0)
    is_wild = rng.random(len(made)) < 0.02
    off_mm = rng.normal(size=(len(made), 3))
    off_mm *= (rng.uniform(30, 200, len(made)) / np.linalg.norm(off_mm, axis=1))[:, None]
    tip_mm = np.where(is_wild[:, None], made.tip_mm + off_mm, made.tip_mm)
    screening = Sieve(dead_time_s=DEAD_TIME_S, tissue=SKIN).screen(replace(made, tip_mm=tip_mm))
    passed = np.isin(made.taken_at_s, screening.accepted.taken_at_s)
    assert is_wild.sum() > 15
    assert passed[~is_wild].all()
    assert passed[is_wild].mean() < 0.05
    assert set(screening.rejections.by_reason) <= {Reason.WILD, Reason.DEEP}


def test_a_jump_into_the_body_has_its_own_name() -> None:
    """A tip 40 mm below the skin between two on the skin is no incision."""
    made = swept()
    tip_mm = made.tip_mm.copy()
    tip_mm[50, 2] = -40.0
    screening = Sieve(tissue=SKIN).screen(replace(made, tip_mm=tip_mm))
    assert screening.rejections.by_reason == {Reason.DEEP: 1}


def test_a_probe_that_goes_into_the_wound_is_followed() -> None:
    """In surgery the tip gets far below the skin of the study, and what it counts there is worth most."""
    made = swept()
    tip_mm = made.tip_mm.copy()
    tip_mm[80:, 2] -= np.minimum(np.arange(len(made) - 80) * 4.0, 40.0)
    screening = Sieve(tissue=SKIN).screen(replace(made, tip_mm=tip_mm))
    assert screening.rejections.total == 0
    assert len(screening.accepted) == len(made)


def test_a_lifted_probe_tells_the_background() -> None:
    """Half a metre off within half a second, there for a while, and back: all of it is used."""
    made = swept()
    share = np.clip((np.arange(len(made)) - 60) / 5, 0, 1) - np.clip((np.arange(len(made)) - 140) / 5, 0, 1)
    smooth = 10 * share**3 - 15 * share**4 + 6 * share**5
    tip_mm = made.tip_mm + np.outer(smooth, [0.0, 0.0, 500.0])
    screening = Sieve(tissue=SKIN).screen(replace(made, tip_mm=tip_mm))
    assert screening.rejections.total == 0
    assert len(screening.accepted) == len(made)


@pytest.mark.parametrize("name", ["counts", "live_time_s", "taken_at_s", "tip_mm", "axis"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_does_not_take_the_others_with_it(name: str, value: float) -> None:
    """One NaN in a batch costs one reading, not the batch, and not the estimate."""
    made = swept()
    rows = {each: getattr(made, each).copy() for each in ("counts", "live_time_s", "tip_mm", "axis", "taken_at_s")}
    rows[name][50] = value
    screening = Sieve().screen_rows(**rows)
    assert screening.rejections.by_reason == {Reason.UNREADABLE: 1}
    assert np.array_equal(screening.accepted.counts, np.delete(made.counts, 50))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("counts", -1.0, Reason.NEGATIVE),
        ("live_time_s", 0.0, Reason.LIVE_TIME),
        ("live_time_s", -0.1, Reason.LIVE_TIME),
        ("tip_mm", 1e200, Reason.FAR),
        ("tip_mm", -2e4, Reason.FAR),
        ("axis", 1e200, Reason.UNREADABLE),
        ("axis", 0.0, Reason.UNREADABLE),
    ],
)
def test_an_absurd_number_is_left_out_with_its_own_reason(name: str, value: float, reason: Reason) -> None:
    """Fewer counts than none, no live time, a tip outside the room, an axis that is none: one reading each."""
    made = swept()
    rows = {each: getattr(made, each).copy() for each in ("counts", "live_time_s", "tip_mm", "axis", "taken_at_s")}
    rows[name][50] = value
    screening = Sieve(tissue=SKIN).screen_rows(**rows)
    assert screening.rejections.by_reason == {reason: 1}
    assert screening.rejections.newest is reason
    assert np.array_equal(screening.accepted.counts, np.delete(made.counts, 50))


@given(numbers=st.lists(st.tuples(*[st.floats()] * 3, *[st.floats(-2, 2) | st.floats()] * 6), max_size=30))
def test_garbage_is_left_out_and_every_reading_accounted_for(numbers: list[tuple[float, ...]]) -> None:
    """Whatever numbers come, each is accepted, waits, or is counted as rejected; nothing is raised."""
    rows = np.array(numbers, dtype=np.float64).reshape(-1, 9)
    sieve = Sieve(dead_time_s=DEAD_TIME_S, tissue=SKIN)
    screening = sieve.screen_rows(
        counts=rows[:, 0], live_time_s=rows[:, 1], taken_at_s=rows[:, 2], tip_mm=rows[:, 3:6], axis=rows[:, 6:]
    )
    assert len(screening.accepted) + screening.held + screening.rejections.total == len(rows)
    assert (np.diff(screening.accepted.taken_at_s) >= 0).all()


def test_numbers_that_do_not_belong_together_are_refused() -> None:
    """Where counts and poses differ in number, nobody knows which belongs to which."""
    with pytest.raises(NavigationError, match="not equally many"):
        Sieve().screen_rows(
            counts=[1, 2], live_time_s=[0.1], taken_at_s=[0.0], tip_mm=[[0, 0, 0]], axis=[[0, 0, 1]]
        )


@pytest.mark.parametrize(("dead_time_s", "greatest_rate_cps"), [(-1e-6, 1e6), (np.nan, 1e6), (0.0, 0.0)])
def test_a_sieve_without_sense_is_refused(dead_time_s: float, greatest_rate_cps: float) -> None:
    """A dead time below zero is a calibration that went wrong."""
    with pytest.raises(NavigationError, match="calibration"):
        Sieve(dead_time_s=dead_time_s, greatest_rate_cps=greatest_rate_cps)

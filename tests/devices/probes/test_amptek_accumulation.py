"""Increments of a DP5 that counts on, whatever becomes of its answers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.probes.amptek_accumulation import Accumulation, Increment
from devices.probes.amptek_packets import Spectrum, Status

STATUS = Status.from_bytes(bytes(64))
CHANNELS = 256


def advance(
    accumulation: Accumulation, time_s: float, counts: dict[int, int] | None = None, **changes: Any
) -> Increment | None:
    """Hand over an answer with these counts in these channels."""
    is_cleared = changes.pop("is_cleared", False)
    channels = changes.pop("channels", CHANNELS)
    filled = tuple((counts or {}).get(channel, 0) for channel in range(channels))
    events = sum(filled) & 0xFFFFFFFF
    status = replace(STATUS, accumulation_s=time_s, **({"fast_counts": events, "slow_counts": events} | changes))
    return accumulation.advance(Spectrum(counts=filled, status=status), status, is_cleared=is_cleared)


def test_the_first_answer_counts_from_the_clearing() -> None:
    """What is there first was counted since the clearing; whether that is a gap is told once."""
    accumulation = Accumulation(is_neighbour=False)
    first = advance(accumulation, 0.1, {3: 5}, fast_counts=8)
    assert first is not None
    assert (first.counts[3], first.fast_counts, first.slow_counts) == (5, 8, 5)
    assert (first.accumulation_s, first.is_neighbour) == (0.1, False)
    second = advance(accumulation, 0.3, {3: 9, 4: 2}, fast_counts=20)
    assert second is not None
    assert (second.counts[3:5], second.fast_counts, second.slow_counts) == ((4, 2), 12, 6)
    assert (second.accumulation_s, second.is_neighbour) == (0.2, True)


def test_no_time_is_no_increment_and_loses_none() -> None:
    """While the time stands still nothing is given; what came meanwhile is in the next."""
    accumulation = Accumulation(is_neighbour=True)
    assert advance(accumulation, 0.0) is None
    assert advance(accumulation, 0.1, {3: 5}) is not None
    assert advance(accumulation, 0.1, {3: 5}) is None
    assert advance(accumulation, 0.1, {3: 6}) is None
    increment = advance(accumulation, 0.2, {3: 8})
    assert increment is not None
    assert increment.counts[3] == 3


@pytest.mark.parametrize("name", ["fast_counts", "slow_counts"])
def test_a_counter_of_32_bits_goes_round(name: str) -> None:
    """A counter that passes 2^32 has risen; nothing is lost and nothing marked."""
    accumulation = Accumulation(is_neighbour=True)
    advance(accumulation, 100.0, {3: 5}, **{name: 0xFFFFFFF0})
    increment = advance(accumulation, 100.1, {3: 6}, **{name: 0x10})
    assert increment is not None
    assert (getattr(increment, name), increment.accumulation_s, increment.is_neighbour) == (0x20, 0.1, True)


@pytest.mark.parametrize(
    ("time_s", "counts", "changes"),
    [
        (0.9, {3: 60}, {}),
        (1.1, {3: 49, 4: 30}, {}),
        (1.1, {3: 50}, {"fast_counts": 49}),
        (1.1, {3: 50}, {"slow_counts": 49}),
        (1.1, {3: 60}, {"is_rebooted": True}),
        (1.1, {3: 60}, {"channels": 512}),
    ],
    ids=["time", "channel", "fast", "slow", "rebooted", "channels"],
)
def test_what_went_back_was_cleared(time_s: float, counts: dict[int, int], changes: dict[str, Any]) -> None:
    """Less time, less in a channel or a counter, a restart, another size: all it holds was counted since, once."""
    accumulation = Accumulation(is_neighbour=True)
    advance(accumulation, 1.0, {3: 50})
    increment = advance(accumulation, time_s, counts, **changes)
    assert increment is not None
    assert (sum(increment.counts), increment.accumulation_s) == (sum(counts.values()), time_s)
    assert not increment.is_neighbour
    following = advance(accumulation, time_s + 0.1, counts, **(changes | {"is_rebooted": False}))
    assert following is not None
    assert following.is_neighbour


def test_a_gap_is_told_with_the_next_increment() -> None:
    """An answer of no time just after a restart gives nothing; the gap is told with the next that does."""
    accumulation = Accumulation(is_neighbour=True)
    advance(accumulation, 1.0, {3: 50})
    assert advance(accumulation, 0.0, is_rebooted=True) is None
    increment = advance(accumulation, 0.1, {3: 4})
    assert increment is not None
    assert (increment.counts[3], increment.is_neighbour) == (4, False)


def test_a_clearing_asked_for_is_no_gap_unless_it_restarted() -> None:
    """The answer to a clearing ends where the next begins; not so if the instrument lost power in between."""
    for is_rebooted in (False, True):
        accumulation = Accumulation(is_neighbour=True)
        advance(accumulation, 1.0, {3: 50}, is_cleared=True)
        assert advance(accumulation, 1.0, {3: 50}) is None  # once more
        increment = advance(accumulation, 0.1, {3: 4}, is_rebooted=is_rebooted)
        assert increment is not None
        assert (increment.counts[3], increment.is_neighbour) == (4, not is_rebooted)


@pytest.mark.parametrize(
    ("time_s", "count", "expected"),
    [(1.0, 0x7FFFFF, False), (1.0, 0x800000, True), (838_860.0, 1, False), (838_861.0, 1, True)],
)
def test_half_full(time_s: float, count: int, *, expected: bool) -> None:
    """A channel beyond 2^23 - 1 or a time beyond half of 2^24 times 100 ms, and none before the first answer."""
    accumulation = Accumulation(is_neighbour=True)
    assert not accumulation.is_half_full
    advance(accumulation, time_s, {7: count})
    assert accumulation.is_half_full is expected


GREATEST_LOSSES = 3
"""In a row: after more the probe is opened, and cleared, anew."""
STEP = st.tuples(
    st.integers(0, (1 << 21) - 1),  # events in the fullest channel: even after all losses fewer than 2^23
    st.integers(1, 400),  # ms
    st.sampled_from(["good", "good", "good", "lost", "twice"]),
)


@settings(max_examples=300)
@given(steps=st.lists(STEP, max_size=60))
def test_what_is_counted_is_read_once(steps: list[tuple[int, int, str]]) -> None:
    """Whichever answers are lost or doubled, every count and every ms is read once, but for a lost clearing's."""
    accumulation = Accumulation(is_neighbour=True)
    held = held_ms = unread = unread_ms = 0
    pause = losses = 0
    read = read_ms = gone = gone_ms = gaps = expected_gaps = 0
    for events, milliseconds, wanted in [*steps, (1, 1, "good")]:
        fate = wanted if losses < GREATEST_LOSSES else "good"
        losses = losses + 1 if fate == "lost" else 0
        held, held_ms = held + events, held_ms + milliseconds
        unread, unread_ms = unread + events, unread_ms + milliseconds
        is_clearing = accumulation.is_half_full and pause == 0
        pause = GREATEST_LOSSES + 1 if is_clearing else max(pause - 1, 0)
        for _ in range({"good": 1, "lost": 0, "twice": 2}[fate]):
            increment = advance(accumulation, held_ms / 1000, {7: held}, is_cleared=is_clearing)
            if increment is not None:
                read += increment.counts[7]
                read_ms += round(1000 * increment.accumulation_s)
                gaps += not increment.is_neighbour
                unread = unread_ms = 0
        if is_clearing:
            if fate == "lost":
                gone, gone_ms, expected_gaps = gone + unread, gone_ms + unread_ms, expected_gaps + 1
                unread = unread_ms = 0
            held = held_ms = 0
    total, total_ms = sum(step[0] for step in steps) + 1, sum(step[1] for step in steps) + 1
    assert (read + gone, read_ms + gone_ms) == (total, total_ms)
    assert gaps == expected_gaps

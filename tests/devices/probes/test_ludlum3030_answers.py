"""Ludlum 3030 on a bad wire: what is damaged, late or silent costs no count and makes none."""

from itertools import count

import numpy as np
import pytest
from pydantic import ValidationError

from devices.errors import DeviceTimeout
from devices.probes.ludlum3030 import Settings
from devices.readings import CountStatus
from simulators.faults import losing, truncating
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from tests.devices.probes.sample_counter import BEGINNING, SETTINGS, answer, opened, sample, talk
from tests.devices.probes.talk import Deaf, Given, Talk, counter


def test_a_line_that_an_answer_has_lost_was_there_before() -> None:
    """Seen, lost whole on the wire, seen again: when it was not there yet is before it was first seen."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    for at_s, samples in ((12.0, [sample(1)]), (12.1, []), (14.0, [sample(1)])):
        assert answer(dialogue, samples, at_s) == []
    (reading,) = answer(dialogue, [sample(1)], 14.1, times=2)
    assert reading.taken_at_s == pytest.approx(10.0 - 60.0)


def test_a_changed_digit_is_never_told() -> None:
    """A line that is another one in one answer, or in two, is no sample."""
    dialogue = opened([sample(1)])
    for at_s, changed in ((10.0, 1), (10.1, 0), (12.0, 1), (12.1, 1), (12.2, 0)):
        read = [sample(1, beta=5001)] if changed else [sample(1)]
        assert answer(dialogue, read, at_s) == []
    assert answer(dialogue, [sample(1)], 14.0) == []
    assert dialogue.start_known_to_s < 2.0


def test_a_damaged_line_costs_nothing() -> None:
    """A sample that is cut off in mid-line is told by the next answers, and the line counted as refused."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    dialogue.wake(12.0)
    dialogue.feed(sample(1).to_bytes()[:30] + b"\r\n$\r\n", 12.0)
    assert dialogue.rejected == 1
    dialogue.take_outgoing()
    dialogue.feed(sample(1).to_bytes() + b"$\r\n", 12.1)
    (reading,) = answer(dialogue, [sample(1)], 12.2, times=2)
    assert (reading.counts, reading.status) == (1001, CountStatus.OK)
    assert reading.taken_at_s <= 10.0 - 60.0


def test_an_answer_with_a_line_without_end_says_nothing() -> None:
    """Where CR LF are lost a sample may be in it: it is asked again at once, and was not seen to be without."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    dialogue.wake(12.0)
    dialogue.take_outgoing()
    dialogue.feed(b"0" * 600 + b"\r\n$\r\n", 12.0)
    assert dialogue.take_outgoing() == b"RS\n"
    dialogue.feed(sample(1).to_bytes() + b"$\r\n", 12.1)
    (reading,) = answer(dialogue, [sample(1)], 12.2, times=2)
    assert reading.taken_at_s == pytest.approx(10.0 - 60.0)


def test_no_sample_is_told_before_one_that_is_in_doubt() -> None:
    """What is damaged anew in each answer may be the sample before: both are told once it is whole, in order."""
    dialogue = opened([])
    for number in range(3):
        assert answer(dialogue, [sample(1, beta=5000 + number), sample(2)], 10.0 + number / 10) == []
    readings = answer(dialogue, [sample(1), sample(2)], 10.3, times=3)
    assert [reading.counts for reading in readings] == [1001, 1002]


def test_a_damaged_request_is_no_refusal() -> None:
    """It says ERROR-RS of a damaged request too: once is nothing, nor is once more after an answer."""
    dialogue = opened([])
    for at_s in (10.0, 20.0):
        dialogue.wake(at_s)
        dialogue.take_outgoing()
        dialogue.feed(b"ERROR-RS\r\n", at_s + 0.1)
        dialogue.wake(at_s + 2.0)
        dialogue.take_outgoing()
        dialogue.feed(b"$\r\n", at_s + 2.1)
        dialogue.wake(at_s + 5.0)
        dialogue.feed(b"$\r\n", at_s + 5.1)
    assert dialogue.is_ready


def test_a_line_that_is_odd_for_good_holds_nothing_up() -> None:
    """A line of its memory that is no sample is history like others, or is passed over once it has stood."""
    dialogue = SETTINGS.dialogue("bench")
    dialogue.begin(0.0)
    dialogue.feed(BEGINNING, 0.1)
    at_s = 0.2
    for number in range(6):
        while not dialogue.take_outgoing():
            dialogue.wake(at_s := dialogue.wake_at_s)
        lines = sample(1).to_bytes() if number > 2 else b""
        dialogue.feed(b"0000 no sample at all\r\n" + lines + b"$\r\n", at_s)
    assert [reading.counts for reading in dialogue.take_readings()] == [1001]


def test_an_answer_without_its_end_is_asked_for_again() -> None:
    """Without ``$`` nothing is taken; a second later it is asked again, and the time-out counted."""
    dialogue = opened([])
    dialogue.wake(10.0)
    dialogue.take_outgoing()
    dialogue.feed(sample(1).to_bytes(), 10.1)
    assert dialogue.wake_at_s == pytest.approx(11.1)
    dialogue.wake(11.1)
    assert dialogue.take_outgoing() == b"RS\n"
    assert dialogue.traffic.timeouts == 1
    assert dialogue.take_readings() == []


def test_of_two_questions_no_answer_says_anything() -> None:
    """Asked at 10 s and again at 11 s, what comes may answer either: it is let pass, and asked anew in quiet."""
    dialogue = opened([])
    answer(dialogue, [], 5.0)
    dialogue.wake(10.0)
    dialogue.wake(11.0)
    dialogue.take_outgoing()
    dialogue.feed(b"$\r\n", 11.5)  # whether of 10 s or of 11 s nobody knows
    assert dialogue.wake_at_s >= 12.5  # the other answer may be on its way
    dialogue.feed(sample(1).to_bytes() + b"$\r\n", 12.4)
    (reading,) = answer(dialogue, [sample(1)], 12.5, times=3)
    assert reading.taken_at_s == pytest.approx(5.0 - 60.0)


def test_the_rest_of_an_answer_is_no_answer() -> None:
    """It pauses for long before ``$`` and is asked again: its end is not taken for the second answer."""
    history = [sample(number) for number in range(1, 4)]
    dialogue = opened(history)
    answer(dialogue, history, 5.0)
    dialogue.wake(10.0)
    assert dialogue.take_outgoing() == b"RS\n"
    dialogue.feed(b"".join(each.to_bytes() for each in history), 10.1)
    dialogue.wake(11.2)
    assert dialogue.take_outgoing() == b"RS\n"
    dialogue.feed(b"$\r\n", 11.3)  # the end of what was asked at 10 s
    late = [*history, sample(4)]
    dialogue.feed(b"".join(each.to_bytes() for each in late) + b"$\r\n", 11.6)
    (reading,) = answer(dialogue, late, 11.7, times=3)
    assert reading.taken_at_s == pytest.approx(5.0 - 60.0)


def test_who_asks_in_vain_asks_more_seldom() -> None:
    """One that does not answer while it counts is not asked each second, so that it has no hour to tell after."""
    dialogue = opened([], SETTINGS.model_copy(update={"silence_s": 90.0}))
    asked = 0
    for tenth in range(100, 700):
        dialogue.wake(tenth / 10)
        asked += dialogue.take_outgoing().count(b"RS\n")
    assert asked <= 31


def test_a_bad_wire_costs_no_count() -> None:
    """A fifth of its answers cut off, two fifths lost: every count is told, since the memory holds them."""
    numbers = Given()
    running = talk(
        SimulatedLudlum3030(counter(numbers), count_s=20.0), SETTINGS.model_copy(update={"silence_s": 90})
    )
    running.run(5.0)
    rng = np.random.default_rng(3)
    cut, lost = truncating(0.2, rng), losing(bool(rng.random() < 0.4) for _ in count())
    running.fault = lambda said: cut(said) if any(True for _ in lost(said)) else ()
    readings = running.run(600.0)
    assert [reading.counts for reading in readings] == numbers.numbers[: len(readings)]
    assert len(readings) >= 28


def test_the_line_is_free_for_two_thirds_of_the_time() -> None:
    """A hundred samples take 6 s of the line: the next question comes 12 s after the answer, not sooner."""
    dialogue = opened([sample(number) for number in range(100)])
    asked_at_s = dialogue.wake_at_s
    dialogue.wake(asked_at_s)
    dialogue.feed(b"".join(sample(number).to_bytes() for number in range(100)), asked_at_s)
    dialogue.feed(b"$\r\n", asked_at_s + 6.15)
    assert dialogue.wake_at_s == pytest.approx(asked_at_s + 3 * 6.15)
    assert dialogue.start_known_to_s == pytest.approx(4 * 6.15)


def test_one_that_says_nothing_to_b0_is_asked_on() -> None:
    """What it answers to B0 is not documented, and may be nothing."""
    running = talk(SimulatedLudlum3030(counter(Given())))
    running.fault = losing([True, True])
    running.run(3.0)
    assert running.dialogue.is_ready


def test_nobody_there_and_one_that_falls_silent_are_told() -> None:
    """At the opening with what to check; later once no line came for as long as the site file says."""
    with pytest.raises(DeviceTimeout, match='where that has no RTS and CTS set handshake = "none"'):
        Talk(SETTINGS.dialogue("bench"), Deaf()).run(10.0)
    running = talk(SimulatedLudlum3030(counter(Given())))
    running.run(20.0)
    running.instrument = Deaf()
    with pytest.raises(DeviceTimeout, match="no answer for 5 s: check that it is on"):
        running.run(10.0)
    assert running.now_s == pytest.approx(1026.0, abs=1.5)


def test_babble_is_no_answer() -> None:
    """Lines without end that are no samples are asked through, bounded, and silence with the words of silence."""
    dialogue = opened([])
    dialogue.wake(2.0)
    dialogue.take_outgoing()
    for tenth in range(49):
        dialogue.feed(b"what is this?\r\n" * 50, 2.05 + tenth / 10)
        dialogue.wake(2.1 + tenth / 10)
    assert dialogue.take_outgoing() == b"RS\n" * 2
    with pytest.raises(DeviceTimeout, match="no answer for 5 s"):
        dialogue.wake(7.2)


def test_silence_is_longer_than_the_questions() -> None:
    """Asking slower than silence is refused."""
    with pytest.raises(ValidationError, match="must be below silence_s"):
        Settings(driver="ludlum3030", port="/dev/ttyUSB0", answer_s=4.5)

"""Ludlum 3030: each finished count once, out of a memory that is told again and again."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.clock import monotonic
from devices.errors import DeviceError, DeviceTimeout, FrameError
from devices.probes.ludlum3030 import Ludlum3030, Settings
from devices.probes.ludlum3030_memory import LONGEST_MEMORY, Channel, Memory, Sample
from devices.readings import CountReading, CountStatus
from simulators.faults import losing, truncating
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from tests.devices.probes.talk import Deaf, Given, Talk, counter

SETTINGS = Settings(driver="ludlum3030", port="/dev/ttyUSB0")
QUESTIONS = b"00060.0\r\n" * 2 + b"0750\r\n" * 2 + b"ON\r\n" * 2
BEGINNING = QUESTIONS + b"OFF\r\n"


def sample(number: int, **changes: object) -> Sample:
    """Make a sample as the manual lays it out, a minute for each number."""
    fields: dict[str, object] = {
        "number": number,
        "date": "11/28/26",
        "time": f"08:{number % 60:02}:00",
        "alpha": 3,
        "beta": 1000 + number,
        "seconds": 60.0,
    }
    return Sample(**(fields | changes))  # type: ignore[arg-type]


def test_the_manuals_layout() -> None:
    """``ssss MM/DD/YY HH:MM:SS aaaaaa bbbbbb ttttt.t x cccccccccc`` and CR LF: 59 bytes."""
    line = b"0017 11/28/26 08:15:30 000003 012345 00060.0 S swab 3    \r\n"
    assert len(line) == 59
    read = Sample.from_bytes(line[:-2])
    assert read == Sample(
        number=17, date="11/28/26", time="08:15:30", alpha=3, beta=12345, seconds=60.0, comment="swab 3    "
    )
    assert read.to_bytes() == line
    assert [read.counts(channel) for channel in ("beta", "alpha", "sum")] == [12345, 3, 12348]
    blanks = b"  17 11/28/26  8:15:30      3  12345    60.0 C           "
    assert Sample.from_bytes(blanks).beta == 12345


@pytest.mark.parametrize(
    "line",
    [
        b"0017 11/28/26 08:15:30 000003 012345 00060.0 S swab 3   ",  # a byte is missing
        b"0 17 11/28/26 08:15:30 000003 012345 00060.0 S swab 3    ",  # a digit is missing
        b"0017 11/28/26 08:15:30 00003  012345 00060.0 S swab 3    ",
        b"0017 11/28/26 08:15:30 000003 012345 00000.0 S swab 3    ",  # no time at all
        b"0017 11/28/26 08:15:30 000003 012345 00060.0 X swab 3    ",
        b"ERROR-RS",
    ],
)
def test_what_is_no_sample_is_refused(line: bytes) -> None:
    """Fields stand in their places, in full."""
    with pytest.raises(FrameError):
        Sample.from_bytes(line)


@given(
    number=st.integers(0, 9999),
    counts=st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)),
    tenths=st.integers(1, 999_999),
    unit=st.sampled_from("SCD"),
    comment=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=10),
)
def test_any_sample_is_read_as_it_was_written(
    number: int, counts: tuple[int, int], tenths: int, unit: str, comment: str
) -> None:
    """Written and read it is the same, in 59 bytes."""
    alpha, beta = counts
    written = sample(number, alpha=alpha, beta=beta, seconds=tenths / 10, unit=unit, comment=comment.ljust(10))
    assert len(written.to_bytes()) == 59
    assert Sample.from_bytes(written.to_bytes()[:-2]) == written


@given(st.binary(max_size=80))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a sample is read or a FrameError raised."""
    with suppress(FrameError):
        Sample.from_bytes(raw)


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=30))
def test_no_memory_tells_a_sample_twice(answers: list[list[int]]) -> None:
    """Whatever comes and goes, each is told once at most, and only what stood in three answers."""
    memory, told = Memory(), list[int]()
    for at_s, numbers in enumerate(answers):
        lines = [memory.line_of(sample(number).to_bytes()[:-2])[0] for number in numbers]
        told += [found.sample.number for found in memory.compare(lines, float(at_s))]
    assert len(told) == len(set(told))
    assert all(sum(number in numbers for numbers in answers) >= 3 for number in told)


def talk(instrument: SimulatedLudlum3030, settings: Settings = SETTINGS) -> Talk:
    """Begin a talk with it."""
    return Talk(settings.dialogue("bench"), instrument)


def answer(dialogue: Ludlum3030, samples: list[Sample], at_s: float, *, times: int = 1) -> list[CountReading]:
    """Answer what it asks; give what it makes of it."""
    for number in range(times):
        dialogue.wake(at_s + number / 100)
        assert b"RS\n" in dialogue.take_outgoing()
        told = b"".join(each.to_bytes() for each in samples) + b"$\r\n"
        dialogue.feed(told, at_s + (number + 0.5) / 100)
    return dialogue.take_readings()


def opened(samples: list[Sample], settings: Settings = SETTINGS) -> Ludlum3030:
    """Give a talk at 1 s, past its questions, that knows what is history."""
    dialogue = settings.dialogue("bench")
    dialogue.begin(0.0)
    dialogue.feed(BEGINNING, 0.1)
    assert dialogue.is_open
    assert not dialogue.is_ready
    assert answer(dialogue, samples, 0.2, times=3) == []
    assert dialogue.is_ready
    return dialogue


def test_it_is_asked_what_is_documented() -> None:
    """Count time, high voltage, recycling, background off, and its samples: nothing else is ever sent."""
    instrument = SimulatedLudlum3030(counter(Given()), count_s=10.0)
    running, sent = talk(instrument), bytearray()

    def overhear(said: bytes) -> list[tuple[float, bytes]]:
        sent.extend(said)
        return [(0.0, said)]

    running.request_fault = overhear
    running.run(60.0)
    assert sent.startswith(b"RT\nRT\nRV\nRV\nRY\nRY\nB0\nRS\n")
    assert set(bytes(sent).split(b"\n")) == {b"B0", b"RT", b"RV", b"RY", b"RS", b""}
    assert instrument.has_background_off
    condition = running.dialogue.condition
    assert condition is not None
    assert condition.high_voltage_v == 750.0


def test_each_finished_count_is_a_reading() -> None:
    """Counts of a minute again and again: each once, in order; what was logged before is not told."""
    numbers = Given()
    instrument = SimulatedLudlum3030(counter(numbers))
    instrument.tick(1000.0 + 180.0)  # three were logged before anybody asked
    running = talk(instrument)
    running.now_s = 1200.0
    readings = running.run(600.0)
    assert [reading.counts for reading in readings] == numbers.numbers[3 : 3 + len(readings)]
    assert len(readings) == 10
    assert {(reading.real_time_s, reading.status) for reading in readings} == {(60.0, CountStatus.OK)}
    assert running.dialogue.rejected == 0
    for number, reading in enumerate(readings):
        began_at_s = 1180.0 + 60.0 * number
        assert began_at_s - 1.1 <= reading.taken_at_s <= began_at_s


@pytest.mark.parametrize(("channel", "counts"), [("beta", 1005), ("alpha", 3), ("sum", 1008)])
def test_the_channel_is_chosen(channel: Channel, counts: int) -> None:
    """Of both channels the one that the site file names is read, and the window says which."""
    settings = SETTINGS.model_copy(update={"channel": channel})
    dialogue = opened([], settings)
    (reading,) = answer(dialogue, [sample(5)], 10.0, times=3)
    assert reading.counts == counts
    assert ("beta" in settings.window_said) == (channel != "alpha")


def test_no_count_is_told_to_have_begun_later_than_it_did() -> None:
    """It ended after the last answer without it was asked for, at 10 s, so it began after -50 s: that is told."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    assert answer(dialogue, [sample(1)], 12.0, times=2) == []
    (reading,) = answer(dialogue, [sample(1)], 12.1)
    assert reading.taken_at_s == pytest.approx(10.0 - 60.0)


def test_of_two_that_come_together_the_second_began_after_the_first() -> None:
    """Each ended after 10 s; the second cannot have begun before the first had ended."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    readings = answer(dialogue, [sample(1, seconds=1.0), sample(2, seconds=1.0)], 12.5, times=3)
    assert [reading.taken_at_s for reading in readings] == pytest.approx([9.0, 10.0])


def test_a_memory_that_tells_the_newest_first_tells_none_too_late() -> None:
    """The one told behind the other need not have come after it: only its number says so."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    readings = answer(dialogue, [sample(2, seconds=1.0), sample(1, seconds=1.0)], 12.5, times=3)
    assert [reading.taken_at_s for reading in readings] == pytest.approx([9.0, 9.0])


def test_a_line_that_an_answer_has_lost_was_there_before() -> None:
    """Seen, lost whole on the wire, seen again: when it was not there yet is before it was first seen."""
    dialogue = opened([])
    answer(dialogue, [], 10.0)
    for at_s, samples in ((12.0, [sample(1)]), (12.1, []), (14.0, [sample(1)])):
        assert answer(dialogue, samples, at_s) == []
    (reading,) = answer(dialogue, [sample(1)], 14.1, times=2)
    assert reading.taken_at_s == pytest.approx(10.0 - 60.0)


def test_one_that_counts_again_and_again_gets_ready_in_three_answers() -> None:
    """Its memory grows while it is learnt: what stood in the first answer is history, what came since is told."""
    dialogue = SETTINGS.dialogue("bench")
    dialogue.begin(0.0)
    dialogue.feed(BEGINNING, 0.1)
    for number in range(3):
        assert answer(dialogue, [sample(each) for each in range(number + 2)], 0.2 + number / 10) == []
    assert dialogue.is_ready
    readings = answer(dialogue, [sample(each) for each in range(4)], 0.5, times=2)
    assert [reading.counts for reading in readings] == [1002, 1003]
    assert readings[0].taken_at_s == pytest.approx(0.1 - 60.0, abs=0.01)


@pytest.mark.parametrize(("channel", "status"), [("beta", CountStatus.SATURATED), ("alpha", CountStatus.OK)])
def test_six_digits_that_are_full_may_have_been_more(channel: Channel, status: CountStatus) -> None:
    """Of 999,999 in a channel that is read nobody knows how many more there were."""
    dialogue = opened([], SETTINGS.model_copy(update={"channel": channel}))
    (reading,) = answer(dialogue, [sample(1, beta=999_999)], 10.0, times=3)
    assert reading.status is status


def test_counts_that_are_no_counts_are_refused() -> None:
    """In cpm or dpm a sample is refused with what to set; one that was logged before is nobody's trouble."""
    for unit, words in (("C", "cpm"), ("D", "dpm")):
        dialogue = opened([sample(1, unit=unit)])
        with pytest.raises(
            DeviceError, match=rf"per minute \({words}\), which are no counts: set it to scaler counts"
        ):
            answer(dialogue, [sample(1, unit=unit), sample(2, unit=unit)], 10.0, times=3)


def test_a_cleared_memory_and_numbers_that_begin_again() -> None:
    """What comes after it is cleared is new, number 1 or not; the gap is told; nothing is told twice."""
    dialogue = opened([sample(1), sample(2)])
    assert answer(dialogue, [], 10.0) == []
    again = sample(1, time="09:00:00", beta=7)
    (first,) = answer(dialogue, [again], 20.0, times=3)
    assert first.counts == 7
    (second,) = answer(dialogue, [again, sample(9)], 90.0, times=3)
    assert (second.counts, second.status) == (1009, CountStatus.RESYNCED)


def test_two_samples_of_one_number_are_two() -> None:
    """Number 5 again, a minute later on its calendar or a day before: each is a count."""
    dialogue = opened([sample(5)])
    later = sample(5, time="08:06:00", beta=11)
    back = sample(5, date="11/27/26", beta=12)
    readings = answer(dialogue, [sample(5), later, back], 10.0, times=3)
    assert [reading.counts for reading in readings] == [11, 12]


def test_a_comment_that_is_written_later_makes_no_new_sample() -> None:
    """It is known by what stands before the comment."""
    dialogue = opened([sample(1)])
    for number in range(4):
        assert answer(dialogue, [sample(1, comment="swab 3    ")], 10.0 + 2 * number) == []


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


def test_a_memory_that_is_too_long_is_refused() -> None:
    """More than 250 samples are refused with what to do."""
    with pytest.raises(DeviceError, match="more than 250 samples, which take too long to tell: print or save"):
        opened([sample(number) for number in range(LONGEST_MEMORY + 1)])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (QUESTIONS + b"ERROR-B0\r\n", "does not know B0"),
        (BEGINNING + b"ERROR-B0\r\n", "does not know B0"),  # late, after what was taken for its answer
        (BEGINNING + b"ERROR-RS\r\n" * 2, "does not know RS"),
    ],
)
def test_an_instrument_without_its_commands_is_refused(said: bytes, words: str) -> None:
    """What it does not know makes another instrument of it."""
    dialogue = SETTINGS.dialogue("bench")
    dialogue.begin(0.0)
    with pytest.raises(DeviceError, match=words):
        dialogue.feed(said, 0.1)


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


@pytest.mark.parametrize("handshake", ["rts_cts", "none"])
async def test_it_is_read_over_a_port(handshake: str, tmp_path: Path) -> None:
    """Opened on a pty it is ready, and tells the next count that ends."""
    numbers = Given()
    make: Callable[..., Counter] = Counter
    counting = make(events=numbers, powered_at_s=monotonic(), rng=np.random.default_rng(3), dead_time_s=0.0)
    instrument = SimulatedLudlum3030(counting, count_s=0.2)
    async with asyncio.timeout(20), open_pty_port(instrument, tmp_path / "bench") as port:
        changes = {"port": port.url, "handshake": handshake, "interval_s": 0.02}
        async with SETTINGS.model_copy(update=changes).connect("bench", clock=monotonic) as probe:
            assert probe.start_known_to_s > 0
            reading = await anext(aiter(probe))
    assert reading.counts in numbers.numbers

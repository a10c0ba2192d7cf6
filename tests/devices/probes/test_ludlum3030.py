"""Ludlum 3030: each finished count once, and none told to have begun later than it did."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from devices.clock import monotonic
from devices.errors import DeviceError
from devices.probes.ludlum3030_memory import LONGEST_MEMORY, Channel
from devices.readings import CountStatus
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from tests.devices.probes.sample_counter import BEGINNING, QUESTIONS, SETTINGS, answer, opened, sample, talk
from tests.devices.probes.talk import Given, counter


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
    told = {(reading.real_time_s, reading.live_time_s, reading.status) for reading in readings}
    assert told == {(60.0, 60.0, CountStatus.OK)}
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

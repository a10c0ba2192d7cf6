"""Open Gamma Detector: the events of each second, by their channels."""

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.errors import DeviceError, DeviceTimeout, FrameError
from devices.probes.opengamma import OpenGamma, Settings, read_events, write_events
from devices.readings import CountStatus
from simulators.probes.opengamma import SimulatedOpenGamma
from tests.devices.probes.talk import Deaf, Given, Talk, counter, steady

SETTINGS = Settings(driver="opengamma", port="/dev/ttyACM0")
DEAD_TIME = "[#] Average Dead Time: \t10 µs\r\n".encode()


def opened(settings: Settings = SETTINGS) -> OpenGamma:
    """Give a talk past its questions."""
    dialogue = settings.dialogue("gamma")
    dialogue.begin(0.0)
    dialogue.feed(b"[#] Set serial output mode to events.\r\n", 0.0)
    mode = (
        b"[#] Enabled geiger mode.\r\n" if settings.mode == "geiger" else b"[#] Enabled energy measuring mode.\r\n"
    )
    dialogue.feed(mode, 0.1)
    dialogue.feed(b"[#] Firmware Version: 4.2.0\r\n" + DEAD_TIME, 0.2)
    dialogue.take_outgoing()
    return dialogue


def test_golden_conversation() -> None:
    """Commands and answers as the firmware's source has them, and a line of its README."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    assert dialogue.take_outgoing() == b"set out events\n"
    dialogue.feed(b"389;874;\r\n[#] Set serial output mode to events.\r\n", 0.0)
    assert dialogue.take_outgoing() == b"set mode energy\n"
    dialogue.feed(b"[#] Enabled energy measuring mode.\r\n", 0.1)
    assert dialogue.take_outgoing() == b"read info\n"
    dialogue.feed(DEAD_TIME, 0.2)
    assert dialogue.is_open
    dialogue.feed(b"[#] Total Dead Time: \t0.01 %\r\n[#] Total Pulses: \t1500\r\n", 0.21)
    dialogue.feed(b"570;354;318;330;688;1343;455;1627;359;252;652;449;602;\r\n", 1.0)
    (reading,) = dialogue.take_readings()
    assert (reading.counts, reading.taken_at_s, reading.real_time_s) == (13, 0.0, 1.0)
    assert reading.live_time_s == pytest.approx(1 - 13 * 10e-6)
    assert (reading.dead_time_s, reading.status, dialogue.rejected) == (0.0, CountStatus.OK, 0)


def test_only_the_window_counts_and_all_events_are_dead_time() -> None:
    """Channels from first to last, both included; an event beside them takes its time all the same."""
    dialogue = opened(SETTINGS.model_copy(update={"window_channels": (354, 449)}))
    dialogue.feed(b"353;354;400;449;450;4095;\r\n", 1.0)
    dialogue.feed(b"100;4095;\r\n", 2.0)
    inside, beside = dialogue.take_readings()
    assert inside.counts == 3
    assert inside.live_time_s == pytest.approx(1 - 6 * 10e-6)
    assert beside.counts == 0  # received: two events that are not in the window


def info(runtime_s: float, pulses: int) -> bytes:
    """Give what ``read info`` says of the running time and of the pulses, with a neighbour of each."""
    return (
        f"[#] =========================\r\n[#] Runtime: \t\t{runtime_s:.2f} s\r\n"
        f"[#] Total Dead Time: \t0.00 %\r\n[#] Total Pulses: \t{pulses}\r\n"
    ).encode()


def asked(dialogue: OpenGamma, at_s: float) -> None:
    """Let the time pass in which a line was due, and see that it asks."""
    dialogue.wake(at_s)
    assert dialogue.take_outgoing() == b"read info\n"


def test_a_second_without_a_line_is_no_zero() -> None:
    """Silence is read as nothing, however often it asks; and nobody asks while lines come."""
    dialogue = opened()
    for second in range(1, 4):
        dialogue.feed(b"389;\r\n", float(second))
        dialogue.wake(second + 0.9)
    assert (len(dialogue.take_readings()), dialogue.take_outgoing()) == (3, b"")
    for second in range(5):
        asked(dialogue, 4.3 + second)
    assert dialogue.take_readings() == []
    assert dialogue.traffic.timeouts == 4


def test_no_pulse_from_answer_to_answer_is_a_zero() -> None:
    """The same total twice, half a second apart by its own clock; the line behind it takes what is left."""
    dialogue = opened()
    dialogue.feed(b"389;874;\r\n", 10.0)
    asked(dialogue, 11.15)
    dialogue.feed(info(61.15, 1500), 11.16)
    asked(dialogue, 11.65)
    dialogue.feed(info(61.65, 1500), 11.66)
    asked(dialogue, 12.15)
    dialogue.feed(info(62.15, 1500), 12.16)
    dialogue.feed(b"389;\r\n", 13.0)
    _, first, second, line = dialogue.take_readings()
    assert [reading.counts for reading in (first, second, line)] == [0, 0, 1]
    assert (first.taken_at_s, first.real_time_s) == pytest.approx((10.0, 1.65))
    assert (second.taken_at_s, second.real_time_s) == pytest.approx((11.65, 0.5))
    assert (line.taken_at_s, line.real_time_s) == pytest.approx((12.15, 0.85))
    assert {reading.status for reading in (first, second, line)} == {CountStatus.OK}


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (info(61.80, 1503), "pulses whose line is lost, or on its way"),
        (info(61.30, 1500), "the first answer once more"),
        (info(61.80, 1500).replace(b"Runtime", b"Runt\x01me"), "half an answer"),
        (info(61.80, 1500).replace(b"Pulses", b"Puls\x01s"), "the other half"),
    ],
)
def test_what_is_not_known_to_be_empty_is_no_zero(second: bytes, why: str) -> None:
    """A total that rose, and an answer that is damaged or comes twice, make no reading."""
    dialogue = opened()
    asked(dialogue, 1.5)
    dialogue.feed(info(61.30, 1500), 1.51)
    asked(dialogue, 2.0)
    dialogue.feed(second, 2.01)
    assert dialogue.take_readings() == [], why


def test_behind_lines_that_were_lost_a_zero_is_of_its_own_second() -> None:
    """14 events and then nothing: the first silent second may be a lost line, and is left out as a gap."""
    dialogue = opened()
    dialogue.feed(write_events([700] * 14), 10.0)
    asked(dialogue, 11.15)
    dialogue.feed(info(61.15, 1500), 11.16)
    asked(dialogue, 11.65)
    dialogue.feed(info(61.65, 1500), 11.66)
    _, reading = dialogue.take_readings()
    assert (reading.counts, reading.status) == (0, CountStatus.RESYNCED)
    assert (reading.taken_at_s, reading.real_time_s) == pytest.approx((11.16, 0.49))


@pytest.mark.parametrize("rate_cps", [0.02, 0.5, 2.0])
def test_a_weak_rate_is_no_silence_and_comes_back_as_it_is(rate_cps: float) -> None:
    """Only seconds with events have lines; to count those alone would make 1.3 cps of 0.5."""
    events = counter(steady(rate_cps, np.random.default_rng(8)))
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedOpenGamma(events), tick_s=0.25)
    readings = running.run(8000.0)
    assert {reading.status for reading in readings} == {CountStatus.OK}
    ends_s = [reading.taken_at_s + reading.real_time_s for reading in readings]
    assert max(after - before for before, after in pairwise(ends_s)) < SETTINGS.silence_s - 0.3
    assert sum(reading.real_time_s for reading in readings) == pytest.approx(8000.0, rel=0.01)
    told_cps = sum(reading.counts for reading in readings) / sum(reading.live_time_s for reading in readings)
    assert told_cps == pytest.approx(rate_cps, rel=max(0.06, 2 / (rate_cps * 8000) ** 0.5))


def test_a_reading_holds_the_silence_before_it() -> None:
    """A line three seconds after the one before is three seconds' worth, and the neighbour of the one before."""
    dialogue = opened()
    dialogue.feed(b"389;\r\n", 10.0)
    dialogue.feed(b"389;874;\r\n", 13.02)
    _, reading = dialogue.take_readings()
    assert (reading.counts, reading.real_time_s, reading.status) == (2, 3.0, CountStatus.OK)
    assert reading.taken_at_s == pytest.approx(10.02)
    assert reading.live_time_s == pytest.approx(3 - 2 * 10e-6)


@pytest.mark.parametrize(
    "between", [b"874;87\x01;\r\n", b"[#] Welcome to the Open Gamma Detector!\r\n"], ids=["damaged", "restarted"]
)
def test_silence_that_is_not_known_to_be_empty_is_no_time(between: bytes) -> None:
    """A refused line, or a restart, between two lines: the second is of its own second only, and says so."""
    dialogue = opened()
    dialogue.feed(b"389;\r\n", 10.0)
    dialogue.feed(between, 11.0)
    dialogue.feed(b"389;874;\r\n", 13.0)
    _, reading = dialogue.take_readings()
    assert (reading.counts, reading.real_time_s, reading.status) == (2, 1.0, CountStatus.RESYNCED)


def test_lines_that_were_lost_are_no_empty_seconds() -> None:
    """Silence between lines of 14 events is none of the detector's; beside a line of 13 it may be."""
    for beside, real_time_s, status in ((14, 1.0, CountStatus.RESYNCED), (13, 2.0, CountStatus.OK)):
        dialogue = opened()
        dialogue.feed(write_events([700] * beside), 10.0)
        dialogue.feed(write_events([700] * 14), 12.0)
        _, reading = dialogue.take_readings()
        assert (reading.real_time_s, reading.status) == (real_time_s, status)


def test_every_event_is_counted_once() -> None:
    """Over a minute the readings hold what the crystal saw, second by second."""
    numbers = Given()
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedOpenGamma(counter(numbers)))
    readings = running.run(60.0)
    first, *others = [reading.counts for reading in readings]
    assert first == sum(numbers.numbers[:2])  # it was asked for its dead time within the first second
    assert others == numbers.numbers[2 : len(readings) + 1]
    assert len(readings) > 55


@pytest.mark.parametrize(
    "line",
    [
        b"389;874;359",  # its end is lost
        b"389;4096;",
        b"389874;359;",
        b"389;;359;",
        b"389;87\x014;",
        b"0;0;0;0;",  # Geiger mode says so
    ],
)
def test_what_is_no_list_is_refused(line: bytes) -> None:
    """A lost semicolon, a channel that is none, and events without energy make no count."""
    dialogue = opened()
    dialogue.feed(b"389;\r\n", 1.0)
    dialogue.feed(line + b"\r\n", 2.0)
    dialogue.feed(b"389;\r\n", 3.0)
    assert [reading.status for reading in dialogue.take_readings()] == [CountStatus.OK, CountStatus.RESYNCED]
    assert dialogue.rejected == 1


def test_a_line_that_lost_its_end_is_not_joined_with_the_next() -> None:
    """Two seconds in one line would be twice the rate: a line comes at once or is refused, and never twice."""
    dialogue = opened()
    dialogue.feed(b"389;874;", 1.0)
    dialogue.feed(b"359;\r\n", 2.0)
    dialogue.feed(b"700;\r\n", 3.0)
    dialogue.feed(b"700;\r\n", 3.1)
    assert [reading.counts for reading in dialogue.take_readings()] == [1]
    assert dialogue.rejected == 2


def test_its_button_is_told() -> None:
    """Pressed while it counts energies, it would send events without any: the words say what to do."""
    instrument = SimulatedOpenGamma(counter(Given()))
    running = Talk(SETTINGS.dialogue("gamma"), instrument)
    assert running.run(3.0)
    instrument.press()
    with pytest.raises(DeviceError, match="switched it to Geiger mode: press it again"):
        running.run(2.0)


def test_geiger_mode_counts_all_events() -> None:
    """Each event is a 0 and a semicolon, and there is no window."""
    settings = Settings(driver="opengamma", port="/dev/ttyACM0", mode="geiger", dead_time_s=1e-6)
    dialogue = opened(settings)
    dialogue.feed(b"0;0;0;0;\r\n", 1.0)
    (reading,) = dialogue.take_readings()
    assert reading.counts == 4
    assert reading.live_time_s == pytest.approx(1 - 4e-6)
    with pytest.raises(ValidationError, match="Geiger mode has no channels"):
        Settings(driver="opengamma", port="/dev/ttyACM0", mode="geiger", window_channels=(1, 2))
    with pytest.raises(ValidationError, match="its first number must be the lower one"):
        Settings(driver="opengamma", port="/dev/ttyACM0", window_channels=(2, 1))


def test_its_window_is_told_in_words() -> None:
    """Channels where the site file names some, nothing where every event counts."""
    assert SETTINGS.window_said == ""
    assert SETTINGS.model_copy(update={"window_channels": (354, 449)}).window_said == "channels 354 to 449"


def test_the_true_rate_comes_back() -> None:
    """With a tenth of the events lost, live time makes up for them."""
    counted = counter(steady(10_000.0, np.random.default_rng(4)), dead_time_s=10e-6)
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedOpenGamma(counted))
    readings = running.run(20.0)
    rate_cps = sum(reading.counts for reading in readings) / sum(reading.live_time_s for reading in readings)
    assert rate_cps == pytest.approx(10_000.0, rel=0.01)
    assert sum(reading.counts for reading in readings) < 0.95 * 10_000 * len(readings)


def test_half_of_the_time_dead_is_an_overload() -> None:
    """More than half a second of dead time in a second, and a buffer that is full, count too few."""
    dialogue = opened(SETTINGS.model_copy(update={"dead_time_s": 1e-3}))
    dialogue.feed(write_events([700] * 600), 1.0)
    assert dialogue.take_readings()[0].status is CountStatus.OVERLOAD
    dialogue = opened()
    dialogue.feed(write_events([700] * 49_999), 1.0)
    assert dialogue.take_readings()[0].status is CountStatus.OVERLOAD


@given(st.binary(max_size=60))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a list is read or a FrameError raised; what is read is written as it came, zeros aside."""
    with suppress(FrameError):
        assert read_events(write_events(read_events(raw)).rstrip()) == read_events(raw)


def test_nobody_there_is_told_in_words() -> None:
    """Silence at the opening says what to look at."""
    with pytest.raises(DeviceTimeout, match="check its USB cable"):
        Talk(SETTINGS.dialogue("gamma"), Deaf()).run(60.0)

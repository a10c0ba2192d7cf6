"""Thermo RadEye: woken, told to send, and its smoothing undone."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from devices.errors import DeviceError, DeviceTimeout, DeviceUnavailable, FrameError
from devices.probes.radeye import RadEye, Report, Settings
from devices.readings import CountStatus
from simulators.probes.radeye import SimulatedRadEye
from simulators.probes.ratemeter import MeteredRate
from tests.devices.probes.talk import Deaf, Talk, counter, steady

SETTINGS = Settings(driver="radeye", port="/dev/ttyUSB0", time_constant_s=5.0)
REPORT = b"\x0212345 5 544 0 00 PRD 15 3F\x03\n"


def simulated(rate_cps: float = 123.0) -> SimulatedRadEye:
    """Give one that has settled on a rate."""
    counted = counter(steady(rate_cps, np.random.default_rng(2)))
    return SimulatedRadEye(MeteredRate(counter=counted, time_constant_s=5.0, rate_cps=rate_cps))


def opened() -> RadEye:
    """Give a talk past its questions."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    for step in range(3):
        dialogue.feed(b">", 0.1 * step)
        dialogue.wake(0.1 * step + 0.02)
        dialogue.feed(b"#4711\n" if step < 2 else b">" + REPORT, 0.1 * step + 0.03)
    return dialogue


def test_golden_conversation() -> None:
    """Wake-up, serial number and auto-send in the bytes of protocol 2.0, with the pause that it wants."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    assert dialogue.take_outgoing() == b"@"
    dialogue.feed(b">", 0.1)
    assert dialogue.take_outgoing() == b""
    assert dialogue.wake_at_s - 0.1 >= 0.005
    dialogue.wake(dialogue.wake_at_s)
    assert dialogue.take_outgoing() == b">#R\n"
    dialogue = opened()
    assert dialogue.identity == "RadEye PRD, serial number 4711"
    assert dialogue.take_outgoing().endswith(b"@>X1\n")
    assert Report.from_bytes(REPORT.rstrip(b"\n")) == Report(
        value=12345, unit=5, second=544, flags=0, model="PRD", dose=15, check=0x3F
    )


@pytest.mark.parametrize("model", ["PRD", "GN+", "FH41B2", "SX"])
def test_reports_are_written_as_they_are_read(model: str) -> None:
    """A report of any model, from STX to ETX and LF."""
    report = Report(value=599, unit=5, second=544, second_unit=3, flags=0x22, model=model, dose=9, check=0xA1)
    assert Report.from_bytes(report.to_bytes().rstrip(b"\n")) == report


@given(st.binary(max_size=60))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a report is read or a FrameError raised."""
    with suppress(FrameError):
        assert Report.from_bytes(raw).model


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_is_passed_over_and_held_back_never(chunks: list[bytes]) -> None:
    """After any noise without end marks the next whole report is read, and no more than a report is held."""
    dialogue = opened()
    try:
        for place, chunk in enumerate(chunks):
            dialogue.feed(chunk.replace(b"\x02", b"").replace(b"@", b""), 1.0 + place)
    except DeviceError as exc:
        pytest.fail(f"noise was believed: {exc}")
    dialogue.take_readings()
    dialogue.feed(b"\n" + REPORT, 100.0)
    dialogue.feed(REPORT, 101.0)
    assert len(dialogue.take_readings()) == 1


def test_smoothing_is_undone() -> None:
    """Readings are counts of their own second or a little more, with the right mean."""
    running = Talk(SETTINGS.dialogue("gamma"), simulated(), tick_s=0.2)
    readings = running.run(600.0)
    total = sum(reading.counts for reading in readings) / sum(reading.live_time_s for reading in readings)
    assert total == pytest.approx(123.0, rel=0.03)
    assert running.dialogue.rejected == 0


def test_a_lost_answer_begins_with_waking_it_again() -> None:
    """A command that got no answer is repeated from the wake-up on: it has fallen asleep meanwhile."""
    instrument = simulated()
    lost = [True]

    def lose_first_number(said: bytes) -> list[tuple[float, bytes]]:
        is_lost = said.startswith(b"#") and lost[0]
        lost[0] &= not is_lost
        return [] if is_lost else [(0.0, said)]

    running = Talk(SETTINGS.dialogue("gamma"), instrument, fault=lose_first_number)
    assert running.run(8.0)
    assert running.dialogue.identity == "RadEye PRD, serial number 4711"


def test_auto_send_that_was_left_on_does_not_disturb_the_opening() -> None:
    """Reports of the last session come between the answers and are told from them."""
    instrument = simulated()
    instrument.receive(b"@", 1000.0)
    instrument.receive(b">X1\n", 1000.01)
    running = Talk(SETTINGS.dialogue("gamma"), instrument)
    assert running.run(8.0)
    assert running.dialogue.identity == "RadEye PRD, serial number 4711"


def test_overload_and_power_off_are_told() -> None:
    """The overload flag marks the reading; the word that it sends as it goes off ends the talk."""
    dialogue = opened()
    for second, flags in enumerate((0x00, 0x02)):
        dialogue.feed(Report(value=100, unit=5, flags=flags).to_bytes(), 1.0 + second)
    assert dialogue.take_readings()[-1].status is CountStatus.OVERLOAD
    with pytest.raises(DeviceUnavailable, match="has been switched off"):
        dialogue.feed(b"@CIAO\r", 4.0)


def test_alarm_and_battery_are_logged_as_they_rise() -> None:
    """Its own alarm and a low battery are told once each, and again after they were over; readings go on."""
    dialogue, alarms = opened(), list[bool | None]()
    with capture_logs() as said:
        for second, flags in enumerate((0x00, 0x04, 0x24, 0x20, 0x04)):
            dialogue.feed(Report(value=100, unit=5, flags=flags).to_bytes(), 1.0 + second)
            alarms.append(dialogue.condition.is_alarming if dialogue.condition else None)
    assert alarms == [False, True, True, False, True]
    assert [each["event"] for each in said] == ["alarm", "battery low", "alarm"]
    assert {each["device"] for each in said} == {"gamma"}
    assert all(each.status is CountStatus.OK for each in dialogue.take_readings()[1:])


def test_a_dose_is_no_count() -> None:
    """Shown in Sv/h it is refused with what to set; once, it may be a flipped bit."""
    dialogue = opened()
    dialogue.feed(Report(value=100, unit=0).to_bytes(), 1.0)
    with pytest.raises(DeviceError, match="unit 0, a dose: set its display to cps"):
        dialogue.feed(Report(value=100, unit=0).to_bytes(), 2.0)


def test_nobody_there_is_told_in_words() -> None:
    """Silence at the opening says what to look at."""
    with pytest.raises(DeviceTimeout, match="seat its infrared cradle"):
        Talk(SETTINGS.dialogue("gamma"), Deaf()).run(60.0)

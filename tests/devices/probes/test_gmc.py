"""GQ GMC: bytes without a frame, aligned by time and never by content."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import DeviceError
from devices.probes.gmc import GAP_S, Gmc, Settings
from devices.readings import CountStatus
from simulators.faults import Piece
from simulators.probes.gmc import SimulatedGmc
from tests.devices.probes.talk import Given, Talk, chunked, counter

SETTINGS = Settings(driver="gmc", port="/dev/ttyUSB0")
VERSIONS = {
    b"GMC-300Re 2.10": "GMC-300Re 2.10",
    b"GMC-320+V5\x00RRe 5.73": "GMC-320+V5 RRe 5.73",
    b"GMC-600+Re 1.14": "GMC-600+Re 1.14",
    b"GMC-500+Re 2.22": "GMC-500+Re 2.22",
}


def opened(version: bytes = b"GMC-300Re 2.10", settings: Settings = SETTINGS, *, battery: bytes = b"\x62") -> Gmc:
    """Give a talk that has asked its questions and started the heartbeat."""
    dialogue = settings.dialogue("gamma")
    dialogue.begin(0.0)
    serial_number = bytes.fromhex("00230000003e9a")
    for step, answer in enumerate((version, version, battery, battery, serial_number, serial_number)):
        dialogue.feed(answer, step * 0.2)
        dialogue.wake(step * 0.2 + GAP_S)
    return dialogue


def test_golden_conversation() -> None:
    """Commands as both documents print them; the count of RFC1201 without its two highest bits."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    assert dialogue.take_outgoing() == b"<HEARTBEAT0>><GETVER>>"
    assert bytes.fromhex("3c4745545645523e3e") in b"<HEARTBEAT0>><GETVER>>"
    dialogue = opened()
    assert dialogue.identity == "GMC-300Re 2.10, serial number 00230000003e9a"
    assert dialogue.take_outgoing().endswith(b"<GETVOLT>><GETVOLT>><GETSERIAL>><GETSERIAL>><HEARTBEAT1>>")
    assert dialogue.condition is not None
    assert dialogue.condition.battery_v == 9.8
    assert dialogue.farewell() == b"<HEARTBEAT0>>"
    for at_s, burst in ((2.0, "001c"), (3.0, "801c"), (4.0, "101c")):
        dialogue.feed(bytes.fromhex(burst), at_s)
        dialogue.wake(at_s + GAP_S)
    readings = dialogue.take_readings()
    # the document prints 10 1C as 28, which its own mask does not give: the mask is what is done
    assert [reading.counts for reading in readings] == [28, 28, 0x101C]
    assert [reading.taken_at_s for reading in readings] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("answer", "volts"), [(b"\x62", 9.8), (b"\x62\x00", 9.8), (b"3.97v", 3.97), (b"4.1 V\x00", 4.1)]
)
def test_the_battery_is_read_in_every_form(answer: bytes, volts: float) -> None:
    """A byte of tenths, or text, with a NUL or without, as documents and firmware have it."""
    condition = opened(battery=answer).condition
    assert condition is not None
    assert condition.battery_v == pytest.approx(volts)


@pytest.mark.parametrize("answer", [b"", b"?!"])
def test_without_a_battery_it_counts_all_the_same(answer: bytes) -> None:
    """A voltage that is never told, or no voltage, holds the count up by a second, and stays unknown."""

    def without_voltage(said: bytes) -> list[Piece]:
        return [(0.0, answer if said == b"\x62" else said)]

    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGmc(counter(Given())), fault=without_voltage)
    assert running.run(5.0)
    assert running.dialogue.condition is None
    assert running.dialogue.traffic.timeouts == 2


@pytest.mark.parametrize("late_s", [0.29, 0.35, 0.5, 0.7, 1.1, 1.6])
@pytest.mark.parametrize("answer", [b"\x62\x00", b"\x62", b"3.97 V\x00"])
def test_a_voltage_that_comes_late_is_no_count(answer: bytes, late_s: float) -> None:
    """A byte and a NUL are as long as a count: however late they come, nothing is read that was not counted."""

    def slow_voltage(said: bytes) -> list[Piece]:
        return [(late_s, answer)] if said == b"\x62" else [(0.0, said)]

    numbers = Given(least=100)
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGmc(counter(numbers)), fault=slow_voltage)
    readings = running.run(12.0)
    assert len(readings) >= 6
    assert [reading.counts for reading in readings] == numbers.numbers[: len(readings)]
    assert running.dialogue.identity.endswith("serial number 00230000003e9a")


def test_a_burst_just_behind_the_start_is_no_count() -> None:
    """Less than half a second after the start there is no second to be told of; later there may be."""
    dialogue = opened()
    started_s = 5 * 0.2 + GAP_S
    for after_s in (0.45, 0.6):
        dialogue.feed(b"\x62\x00", started_s + after_s)
        dialogue.wake(started_s + after_s + GAP_S)
    (reading,) = dialogue.take_readings()
    assert reading.taken_at_s == pytest.approx(started_s - 0.4)
    assert reading.status is CountStatus.RESYNCED
    assert dialogue.rejected == 1


@pytest.mark.parametrize(("version", "named"), VERSIONS.items())
def test_the_model_says_how_long_a_count_is(version: bytes, named: str) -> None:
    """Two bytes up to the GMC-320, four from the GMC-500 on; versions of any length and with a NUL are read."""
    numbers = Given()
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGmc(counter(numbers), version=version))
    readings = running.run(8.0)
    assert running.dialogue.identity.startswith(named)
    assert [reading.counts for reading in readings] == numbers.numbers[: len(readings)]
    assert len(readings) >= 6


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=12))
def test_bytes_are_counts_only_two_at_a_time(bursts: list[bytes]) -> None:
    """Bursts of any content: exactly those of two bytes are counts, each by itself, whatever they hold."""
    dialogue = opened()
    for second, burst in enumerate(bursts):
        dialogue.feed(burst, 10.0 + second)
        dialogue.wake(10.0 + second + GAP_S)
    expected = [int.from_bytes(burst) & 0x3FFF for burst in bursts if len(burst) == 2]
    assert [reading.counts for reading in dialogue.take_readings()] == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_byte_never_shifts_the_counts(version: bytes) -> None:
    """Complaint of every user: one byte less, and all counts after it were false. Here one second is missing."""
    numbers = Given(least=300)
    beats = [0]

    def lose_one(said: bytes) -> list[Piece]:
        beats[0] += len(said) in {2, 4}
        return [(0.0, said[1:] if beats[0] == 3 and len(said) in {2, 4} else said)]

    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGmc(counter(numbers), version=version), fault=lose_one)
    readings = running.run(9.0)
    expected = [number for place, number in enumerate(numbers.numbers) if place != 2]
    assert [reading.counts for reading in readings] == expected[: len(readings)]
    assert [reading.status for reading in readings[:4]] == [
        CountStatus.OK,
        CountStatus.OK,
        CountStatus.RESYNCED,
        CountStatus.OK,
    ]


def test_chunks_make_no_difference_and_doubles_are_refused() -> None:
    """A burst in pieces is one count; a burst that comes twice is none."""
    numbers = Given()
    fault = chunked(np.random.default_rng(1))
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGmc(counter(numbers)), fault=fault)
    assert [reading.counts for reading in running.run(6.0)] == numbers.numbers[:5]
    running.fault = lambda said: [(0.0, said), (0.0, said)]
    assert running.run(3.0) == []
    assert running.dialogue.rejected == 3


def test_a_heartbeat_of_the_last_session_does_not_disturb_the_opening() -> None:
    """One that nobody stopped is stopped, and its bytes are not taken for the version."""
    instrument = SimulatedGmc(counter(Given()))
    instrument.receive(b"<HEARTBEAT1>>", 1000.0)
    running = Talk(SETTINGS.dialogue("gamma"), instrument)
    assert running.run(3.0)
    assert running.dialogue.identity.startswith("GMC-300Re 2.10")


def test_an_unknown_model_is_asked_about() -> None:
    """A model that no document names is told, unless the site file says how it speaks."""
    with pytest.raises(DeviceError, match=r"GMC-900Re 1\.00 is a model not known here: set protocol"):
        opened(b"GMC-900Re 1.00")
    assert opened(b"GMC-900Re 1.00", SETTINGS.model_copy(update={"protocol": "rfc1801"})).is_open


def test_a_full_count_is_saturated_and_an_impossible_one_refused() -> None:
    """14 ones are the greatest count of RFC1201; four bytes can say more than any tube counts."""
    dialogue = opened()
    dialogue.feed(b"\x3f\xff", 5.0)
    dialogue.wake(5.0 + GAP_S)
    assert dialogue.take_readings()[0].status is CountStatus.SATURATED
    dialogue = opened(b"GMC-600+Re 1.14")
    dialogue.feed(b"GMC-", 5.0)
    dialogue.wake(5.0 + GAP_S)
    assert (dialogue.take_readings(), dialogue.rejected) == ([], 1)

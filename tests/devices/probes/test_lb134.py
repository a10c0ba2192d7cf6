"""Berthold LB 134: telegrams with a checksum, and a reading of each cycle."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.errors import DeviceError, DeviceTimeout, FrameError
from devices.probes.lb134 import READ_CURRENT, Lb134, Record, Settings, Telegram
from devices.readings import CountStatus
from simulators.faults import corrupting
from simulators.probes.lb134 import SimulatedLb134
from tests.devices.probes.talk import Given, Talk, counter

SETTINGS = Settings(driver="lb134", port="/dev/ttyUSB0")


def test_the_manuals_telegram() -> None:
    """The request for the current value of the memory, device 0001 from host 9001, by the manual's pattern."""
    bare = Telegram(to=1, from_=9001, code=READ_CURRENT, has_checksum=False)
    assert bare.to_bytes() == b"*0001900101010100**\r"
    assert len(bare.to_bytes().rstrip()) + 1 == 20  # the shortest that the manual allows
    # two stars (42 each), sixteen digits (48 each and their sum 14): 866 = 0x362
    assert Telegram(to=1, from_=9001, code=READ_CURRENT).to_bytes() == b"*0001900101010100*62*\r"
    assert Telegram.from_bytes(b"*0001900101010100*62*") == Telegram(to=1, from_=9001, code=READ_CURRENT)
    with pytest.raises(FrameError, match="checksum"):
        Telegram.from_bytes(b"*0001900101010100*63*")


@pytest.mark.parametrize(
    "data",
    [
        b"28/11/26 08.15.00;17;00000000000F;10;Tc-99m;123.400;cps;0.000;Bq",
        b"28/11/26 08.15.00 0042 17 00000000000F 10 Tc-99m 123.4 cps 0.0 Bq 0.5",
        b"28/11/26\t08.15.00\t17\t00000000000F\t10\tTc-99m\t123.4\tcps",
    ],
)
def test_a_record_is_read_by_the_order_of_its_fields(data: bytes) -> None:
    """The fields stand in the manual's order; what stands between them, it does not tell."""
    assert Record.from_bytes(data) == Record(cycle=17, seconds=10, value=123.4, unit="cps")


@given(st.binary(max_size=80))
def test_garbage_raises_only_frame_error(raw: bytes) -> None:
    """Whatever comes, a telegram and a record are read or a FrameError raised."""
    with suppress(FrameError):
        Telegram.from_bytes(raw)
    with suppress(FrameError):
        Record.from_bytes(raw)


def talk(instrument: SimulatedLb134, settings: Settings = SETTINGS) -> Talk:
    """Begin a talk with it."""
    return Talk(settings.dialogue("gamma"), instrument)


@pytest.mark.parametrize("checksum", ["sum", "none"])
def test_each_cycle_is_a_reading(checksum: str) -> None:
    """Counts of each cycle once, in order; the first, whose end nobody knows, is left out."""
    numbers = Given()
    settings = SETTINGS.model_copy(update={"checksum": checksum})
    running = talk(SimulatedLb134(counter(numbers), cycle_s=2), settings)
    readings = running.run(20.0)
    assert running.dialogue.identity == "Berthold LB 134, address 0001"
    counts = [reading.counts for reading in readings]
    assert counts == numbers.numbers[1 : len(counts) + 1] or counts == numbers.numbers[: len(counts)]
    assert len(counts) >= 8
    assert {(reading.real_time_s, reading.status) for reading in readings} == {(2, CountStatus.OK)}
    assert running.dialogue.rejected == 0


def test_cycles_that_were_missed_are_a_gap() -> None:
    """A number that leaves some out says so; the one behind 2000 is 1."""
    dialogue = opened()
    for second, cycle in enumerate((1999, 2000, 1, 2, 5)):
        dialogue.feed(record(cycle), 10.0 + second)
    readings = dialogue.take_readings()
    assert [reading.status for reading in readings] == [CountStatus.OK] * 3 + [CountStatus.RESYNCED]
    assert dialogue.traffic.resyncs == 1


def record(cycle: int, unit: str = "cps") -> bytes:
    """Give a telegram with a record."""
    data = f"28/11/26 08.15.00;{cycle};000000000000;1;Tc-99m;123.000;{unit}".encode()
    return Telegram(to=9001, from_=1, code=READ_CURRENT, data=data).to_bytes()


def opened() -> Lb134:
    """Give a talk past its question."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    dialogue.feed(record(1998), 0.1)
    return dialogue


def test_a_flipped_bit_is_found_and_costs_nothing() -> None:
    """Of ten thousand flipped telegrams few pass an 8-bit sum; here every reading is one that was counted."""
    numbers = Given()
    running = talk(SimulatedLb134(counter(numbers)))
    running.run(3.0)
    running.fault = corrupting(0.002, np.random.default_rng(3))
    readings = running.run(60.0)
    assert all(reading.counts in numbers.numbers for reading in readings)
    assert running.dialogue.rejected > 5
    assert running.dialogue.traffic.timeouts > 5
    assert len(readings) > 40


def test_another_unit_is_told() -> None:
    """Shown in Bq it is refused with what to set; once, it may be a flipped bit."""
    dialogue = opened()
    dialogue.feed(record(1999, "Bq"), 10.0)
    dialogue.feed(record(2000), 11.0)
    dialogue.feed(record(1, "Bq"), 12.0)
    with pytest.raises(DeviceError, match="shows Bq: set its measurement type to raw data in cps"):
        dialogue.feed(record(2, "Bq"), 13.0)


def test_another_address_is_nobody() -> None:
    """An instrument with another address stays silent, and the words say what to compare."""
    with pytest.raises(DeviceTimeout, match="with the address 0001: compare it with the instrument's menu"):
        talk(SimulatedLb134(counter(Given()), address=7)).run(60.0)


def test_asking_slower_than_silence_is_refused() -> None:
    """A question that a lost answer turns into silence is refused."""
    with pytest.raises(ValidationError, match="must be below silence_s"):
        Settings(driver="lb134", port="/dev/ttyUSB0", answer_s=2.5, silence_s=2.6)

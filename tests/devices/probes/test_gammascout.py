"""Gamma-Scout online: lines in hexadecimal after each interval."""

import pytest

from devices.errors import DeviceTimeout
from devices.probes.gammascout import Settings
from devices.readings import CountStatus
from simulators.faults import Piece
from simulators.probes.gammascout import SimulatedGammaScout
from tests.devices.probes.talk import Deaf, Given, Talk, counter

SETTINGS = Settings(driver="gammascout", port="/dev/ttyUSB0")


def test_golden_conversation() -> None:
    """Lines that a logger recorded of a real one: 19 pulses in 2 s."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    assert dialogue.take_outgoing() == b"O0s"
    dialogue.feed(b"S00020000000003\r\n", 0.1)
    dialogue.feed(b"I0002000013\r\n", 2.1)
    (reading,) = dialogue.take_readings()
    assert (reading.counts, reading.real_time_s, reading.live_time_s) == (19, 2.0, 2.0)
    assert reading.taken_at_s == pytest.approx(0.1)
    assert reading.status is CountStatus.OK
    assert dialogue.farewell() == b"X"


@pytest.mark.parametrize(
    "line",
    [
        b"I000a000044",  # another interval: real, but not the one that was set
        b"I000200001",
        b"I00020000133",
        b"I000200001g",
        b"0002000013",
        b"Standard",
        b"I0002000013I0002000013",
    ],
)
def test_what_is_no_line_of_the_interval_is_refused(line: bytes) -> None:
    """Half lines, other intervals and other words make no reading, and the next one says that it follows a gap."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    dialogue.feed(b"S00020000000003\r\n" + line + b"\r\n", 0.1)
    assert (dialogue.take_readings(), dialogue.rejected) == ([], 1)
    dialogue.feed(b"I0002000013\r\n", 2.1)
    assert dialogue.take_readings()[0].status is CountStatus.RESYNCED


def test_each_interval_is_a_reading() -> None:
    """Against the simulated one: all intervals, in order, each with its counts."""
    numbers = Given()
    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGammaScout(counter(numbers)))
    assert [reading.counts for reading in running.run(21.0)] == numbers.numbers[:10]
    assert running.dialogue.identity == ""
    assert running.dialogue.rejected == 0


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    """The first answer lost, it is asked again, and what that answer says later does no harm."""
    told = [0]

    def lose_first(said: bytes) -> list[Piece]:
        told[0] += 1
        return [] if told[0] == 1 else [(0.0, said)]

    running = Talk(SETTINGS.dialogue("gamma"), SimulatedGammaScout(counter(Given())), fault=lose_first)
    assert len(running.run(7.0)) == 3
    assert running.dialogue.rejected == 0


def test_a_full_count_is_saturated() -> None:
    """Six F are the greatest count of the wire: the true one may be larger."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    dialogue.feed(b"S00020000000003\r\nI0002ffffff\r\n", 0.1)
    assert dialogue.take_readings()[0].status is CountStatus.SATURATED


def test_nobody_there_is_told_in_words() -> None:
    """Silence at the opening says which baud rate goes with which firmware."""
    with pytest.raises(DeviceTimeout, match=r"9600 for firmware before 6\.90"):
        Talk(SETTINGS.dialogue("gamma"), Deaf()).run(60.0)

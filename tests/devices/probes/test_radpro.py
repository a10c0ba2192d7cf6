"""Rad Pro: a count that wraps, confirmed before it is believed."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from devices.errors import DeviceTimeout
from devices.probes.radpro import COUNTER_RANGE, Settings
from devices.readings import CountStatus
from devices.traffic import Condition
from simulators.faults import Piece, delayed, duplicating, losing
from simulators.ports import Instrument
from simulators.probes.radpro import SimulatedRadPro
from tests.devices.probes.talk import STARTED_S, Deaf, Talk, counter, steady

SETTINGS = Settings(driver="radpro", port="/dev/ttyACM0")


def simulated(rate_cps: float = 40.0, pulse_count: int = 1500) -> SimulatedRadPro:
    """Give a counter that sees a steady rate."""
    return SimulatedRadPro(
        counter(steady(rate_cps, np.random.default_rng(2)), dead_time_s=242e-6), pulse_count=pulse_count
    )


def talk(instrument: Instrument, **changes: object) -> Talk:
    """Open a talk with it."""
    return Talk(SETTINGS.dialogue("gamma"), instrument, **changes)  # type: ignore[arg-type]


def test_golden_conversation() -> None:
    """The bytes of the firmware's own description, both ways."""
    dialogue = SETTINGS.dialogue("gamma")
    dialogue.begin(0.0)
    answers = {
        b"GET tubeDeadTime\r\n": b"OK 0.0002420\r\n",
        b"GET deviceId\r\n": b"OK FS2011 (STM32F051C8);Rad Pro 2.0/en;b5706d937087f975b5812810\r\n",
        b"GET tubeDeadTimeCompensation\r\n": b"OK 0.0002500\r\n",
        b"GET tubePulseCount\r\n": b"OK 1500\r\n",
    }
    asked = []
    for step in range(8):
        asked.append(dialogue.take_outgoing())
        dialogue.feed(answers[asked[-1]], 0.01 * step)
    assert asked[::2] == list(answers)
    assert dialogue.identity == "FS2011 (STM32F051C8), Rad Pro 2.0/en, b5706d937087f975b5812810"
    assert dialogue.take_outgoing() == b"GET deviceBatteryVoltage\r\n"
    dialogue.feed(b"OK 1.421\r\n", 0.1)
    assert dialogue.condition == Condition(told_at_s=0.1, battery_v=1.421)
    dialogue.wake(0.2)
    for at_s, answer in ((0.21, b"OK 1503\r\n"), (0.215, b"OK 1504\r\n")):
        assert dialogue.take_outgoing() == b"GET tubePulseCount\r\n"
        dialogue.feed(answer, at_s)
    (reading,) = dialogue.take_readings()
    assert (reading.counts, reading.dead_time_s, reading.status) == (4, 0.00025, CountStatus.OK)
    assert reading.taken_at_s == pytest.approx(0.07)
    assert reading.real_time_s == pytest.approx(0.145)


def test_the_battery_is_asked_each_minute_and_not_where_there_is_none() -> None:
    """Its voltage is a minute old at most; one that answers ERROR is not asked again, and nothing is lost."""
    instrument = simulated()
    running = talk(instrument)
    running.run(50.0)
    instrument.battery_v = 1.1
    running.run(20.0)
    told = running.dialogue.condition
    assert told is not None
    assert told.battery_v == 1.1
    assert running.now_s - told.told_at_s < 60.0
    instrument = simulated()
    instrument.battery_v = None
    running = talk(instrument)
    running.run(130.0)
    assert running.dialogue.condition is None
    assert bytes(running.sent).count(b"ERROR") == 1
    assert (running.dialogue.rejected, running.dialogue.traffic.timeouts) == (0, 0)


def test_the_count_wraps_at_32_bits() -> None:
    """Past 4294967295 the count begins again at 0: eleven counts from 4294967290 to 5."""
    running = talk(simulated(rate_cps=400.0, pulse_count=COUNTER_RANGE - 100))
    readings = running.run(3.0)
    assert sum(reading.counts for reading in readings) == pytest.approx(1150, abs=150)
    assert {reading.status for reading in readings} == {CountStatus.OK}
    assert running.dialogue.rejected == 0
    now_s = running.now_s
    for step, count in enumerate((4294967290, 4294967290, 5, 5)):
        if step % 2 == 0:
            now_s = max(running.dialogue.wake_at_s, now_s + 0.5)
            running.dialogue.wake(now_s)
        now_s += 0.01
        running.dialogue.feed(b"OK %d\r\n" % count, now_s)
    assert running.dialogue.take_readings()[-1].counts == 11


def test_a_flipped_bit_makes_no_other_instrument() -> None:
    """A number that was damaged once on the line is asked for until two answers in a row agree."""
    named = [0]

    def spoil(said: bytes) -> list[Piece]:
        named[0] += b"b5706d93" in said
        # the second of the two answers, which is the one that would be kept
        return [(0.0, said.replace(b"b5706d93", b"b4706d93") if named[0] == 2 else said)]

    running = talk(simulated(), fault=spoil)
    assert running.run(2.0)
    assert named[0] == 4
    assert running.dialogue.identity.endswith("b5706d937087f975b5812810")


def test_no_count_is_lost_with_an_answer() -> None:
    """Answers that are lost cost nothing: the readings join end to end and hold all that was counted."""
    instrument = simulated(rate_cps=200.0)
    lost = iter(np.random.default_rng(3).random(10_000) < 0.2)
    running = talk(instrument, fault=losing(bool(one) for one in lost))
    readings = running.run(20.0)
    for before, after in pairwise(readings):
        assert after.taken_at_s == pytest.approx(before.taken_at_s + before.real_time_s)
    assert sum(reading.counts for reading in readings) / sum(
        reading.real_time_s for reading in readings
    ) == pytest.approx(200 / (1 + 200 * 242e-6), rel=0.06)
    # an answer in five is lost, and what is asked again is counted
    assert running.dialogue.traffic.timeouts > 10
    assert running.dialogue.traffic.resyncs == 0


def test_a_changed_digit_is_not_believed() -> None:
    """Any one answer whose count is false by more than the tube could count makes no reading false."""
    running = talk(simulated())
    running.run(1.0)
    is_armed = [True]

    def spoil(said: bytes) -> list[Piece]:
        if is_armed[0] and said.startswith(b"OK 1") and len(said) == 9:
            is_armed[0] = False
            return [(0.0, b"OK 9" + said[4:])]
        return [(0.0, said)]

    running.fault = spoil
    readings = running.run(2.0)
    assert not is_armed[0]
    assert running.dialogue.rejected == 1
    assert max(reading.counts for reading in readings) < 30


def test_a_restarted_counter_is_a_gap() -> None:
    """A count that fell is no reading; the one after it says that counts before it are gone."""
    instrument = simulated()
    running = talk(instrument)
    running.run(2.0)
    instrument.restart()
    readings = running.run(2.0)
    assert max(reading.counts for reading in readings) < 30
    assert [reading.status for reading in readings].count(CountStatus.RESYNCED) == 1


@pytest.mark.parametrize("delay_s", [0.0, 0.03])
def test_late_and_doubled_answers_do_no_harm(delay_s: float) -> None:
    """Answers that come twice, late or not, name the same instrument and count the same events."""
    fault = duplicating(0.5, np.random.default_rng(4)) if not delay_s else delayed(delay_s)
    running = talk(simulated(rate_cps=100.0), fault=fault)
    readings = running.run(10.0)
    assert running.dialogue.identity.endswith("b5706d937087f975b5812810")
    assert {reading.dead_time_s for reading in readings} == {0.0}
    assert sum(reading.counts for reading in readings) == pytest.approx(960, abs=130)


def test_nobody_there_is_told_in_words() -> None:
    """Silence at the opening ends it, and says what to do."""
    with pytest.raises(DeviceTimeout, match="switch it on before plugging it in"):
        talk(Deaf()).run(60.0)


def test_dead_time_is_the_counters_own_unless_the_site_says_otherwise() -> None:
    """Without a figure in the site file the counter's compensation is used; its count is raw."""
    given = SETTINGS.model_copy(update={"dead_time_s": 1e-4})
    running = Talk(given.dialogue("gamma"), simulated())
    assert {reading.dead_time_s for reading in running.run(1.0)} == {1e-4}
    assert running.readings[0].taken_at_s > STARTED_S


def test_polling_slower_than_silence_is_refused() -> None:
    """A poll that a lost answer turns into silence is refused."""
    with pytest.raises(ValidationError, match="must be below silence_s"):
        Settings(driver="radpro", port="/dev/ttyACM0", interval_s=0.7)

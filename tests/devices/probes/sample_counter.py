"""A Ludlum 3030 to talk with: what it answers, given by hand, and the samples in its memory."""

from devices.probes.ludlum3030 import Ludlum3030, Settings
from devices.probes.ludlum3030_memory import Sample
from devices.readings import CountReading
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from tests.devices.probes.talk import Talk

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

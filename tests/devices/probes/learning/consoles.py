"""Sessions with instruments that nobody knows: each simulated one's bytes, with a source that comes half-way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

import numpy as np

from devices.links import Character, Chunk
from devices.probes.learning.session import Session
from simulators.ports import Instrument
from simulators.probes.counting import Counter

AWAY_CPS, NEAR_CPS = 20.0, 600.0


@dataclass
class Source:
    """Events of a source that comes near; keeps how many there were in each interval asked for.

    Attributes
    ----------
    near_from_s
        When it comes.
    numbers
        Events of each interval, in order.

    """

    near_from_s: float
    seed: int = 4
    numbers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def __call__(self, start_s: float, end_s: float) -> int:
        """Draw the events of an interval."""
        near_s = max(end_s - max(start_s, self.near_from_s), 0.0)
        away_s = end_s - start_s - near_s
        self.numbers.append(int(self._rng.poisson(AWAY_CPS * away_s + NEAR_CPS * near_s)))
        return self.numbers[-1]

    def counter(self) -> Counter:
        """Give a counter of them without dead time, switched on at 0."""
        return Counter(events=self, powered_at_s=0.0, rng=np.random.default_rng(1), dead_time_s=0.0)


class Console:
    """An invented console: a line each 0.2 s with a number, counts, battery, a state and an exclusive or.

    Parameters
    ----------
    counter
        What counts.
    line
        Writes a line, without its end, of its number and its counts.

    """

    PERIOD_S = 0.2

    def __init__(self, counter: Counter, line: Callable[[int, int], bytes], *, banner: bytes = b"") -> None:
        self._counter = counter
        self._line = line
        self._number = 0
        self._greeting = banner

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it does not listen
        """Take no notice."""
        return b""

    def tick(self, now_s: float) -> bytes:
        """Give a line for each period that is over."""
        sent, self._greeting = self._greeting, b""
        while self._counter.is_over(self.PERIOD_S, now_s):
            sent += self._line(self._number, self._counter.count_period(self.PERIOD_S)) + b"\r\n"
            self._number += 1
        return sent


def checked(number: int, counts: int) -> bytes:
    """Write a line as NMEA does: between dollar and star, and the exclusive or of what is between."""
    body = b"PRB,%04d,%05d,%d.%02dV,OK" % (number % 10000, counts, 7, 40 - number // 150)
    return b"$%s*%02X" % (body, reduce(xor, body, 0))


def plain(number: int, counts: int) -> bytes:
    """Write a line of a talkative console, right-aligned, with a clock."""
    seconds = number // 5
    return b"12:%02d:%02d  N=%6d  HV 612 V  T=%.1fC" % (
        seconds // 60,
        seconds % 60,
        counts,
        22.4 + number % 3 / 10,
    )


def record(
    instrument: Instrument,
    *,
    seconds: float,
    source_at_s: float | None = None,
    baud_rate: int = 9600,
    character: Character = "8N1",
    send: bytes = b"",
    ask: bytes = b"",
    every_s: float = 0.5,
    seed: int = 3,
) -> Session:
    """Record an instrument on a clock of its own; chunks are cut anywhere."""
    rng = np.random.default_rng(seed)
    chunks: list[Chunk] = []
    said = instrument.receive(send, 0.0) if send else b""
    for step in range(1, round(seconds / 0.01)):
        now_s = step * 0.01
        if ask and step % round(every_s / 0.01) == 0:
            said += instrument.receive(ask, now_s)
        said += instrument.tick(now_s)
        late_s = 0.0
        while said:
            length = int(rng.integers(1, 24))
            chunks.append(Chunk(received=said[:length], arrived_at_s=now_s + late_s))
            said, late_s = said[length:], late_s + 1e-4
    return Session(baud_rate=baud_rate, character=character, chunks=chunks, source_at_s=source_at_s)

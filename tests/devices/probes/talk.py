"""A dialogue and a simulated instrument talking over a wire that exists in numbers only: no waiting, no I/O."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

import numpy as np

from devices.probes.dialogue import Dialogue
from devices.readings import CountReading
from simulators.faults import Fault, intact
from simulators.ports import Instrument
from simulators.probes.counting import Counter

STARTED_S = 1000.0


@dataclass
class Talk:
    """Carries bytes both ways, each through its fault, on a clock of its own.

    Attributes
    ----------
    dialogue, instrument
        The two ends.
    fault, request_fault
        What the wire does to what the instrument sends, and to what it is sent.
    tick_s
        How often the instrument may speak unasked, s.
    now_s
        The clock.
    sent
        All that the instrument sent.
    arrived_bytes
        How much of it came over the wire, or of what the wire made of it.
    readings
        All that came of it.

    """

    dialogue: Dialogue
    instrument: Instrument
    fault: Fault = intact
    request_fault: Fault = intact
    tick_s: float = 0.02
    now_s: float = STARTED_S
    sent: bytearray = field(default_factory=bytearray)
    arrived_bytes: int = 0
    readings: list[CountReading] = field(default_factory=list)
    _flying: deque[tuple[float, bytes]] = field(default_factory=deque)
    _tick_at_s: float = STARTED_S
    _has_begun: bool = False

    def run(self, for_s: float) -> list[CountReading]:
        """Let time pass; give the readings made in it."""
        until_s, before = self.now_s + for_s, len(self.readings)
        if not self._has_begun:
            self._has_begun = True
            self.dialogue.begin(self.now_s)
        while self.now_s < until_s:
            self._exchange()
            arrives_at_s = self._flying[0][0] if self._flying else inf
            next_s = min(arrives_at_s, self.dialogue.wake_at_s, self._tick_at_s, until_s)
            self.now_s = max(next_s, self.now_s)
            if self.now_s >= self._tick_at_s:
                self._tick_at_s = self.now_s + self.tick_s
                self._send(self.instrument.tick(self.now_s))
            while self._flying and self._flying[0][0] <= self.now_s:
                _, piece = self._flying.popleft()
                self.arrived_bytes += len(piece)
                self.dialogue.feed(piece, self.now_s)
            self.dialogue.wake(self.now_s)
        self._exchange()
        return self.readings[before:]

    def _exchange(self) -> None:
        self.readings += self.dialogue.take_readings()
        if asked := self.dialogue.take_outgoing():
            for _, piece in self.request_fault(asked):
                self._send(self.instrument.receive(piece, self.now_s))

    def _send(self, said: bytes) -> None:
        if not said:
            return
        self.sent += said
        for delay_s, piece in self.fault(said):
            # nothing overtakes on a wire, and a round trip takes a millisecond
            earliest_s = self._flying[-1][0] if self._flying else 0.0
            self._flying.append((max(self.now_s + 0.001 + delay_s, earliest_s), piece))


class Deaf:
    """An instrument that is not there."""

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - nobody listens
        """Give no answer."""
        return b""

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - nobody speaks
        """Say nothing."""
        return b""


@dataclass
class Given:
    """Events that are all different in number, so that a reading can be told from any other."""

    numbers: list[int] = field(default_factory=list)
    least: int = 1

    def __call__(self, start_s: float, end_s: float) -> int:
        """Give the next number."""
        if end_s > start_s:
            self.numbers.append(self.least + 7 * len(self.numbers) % 5000)
        return self.numbers[-1] if self.numbers else 0


def steady(rate_cps: float, rng: np.random.Generator) -> Callable[[float, float], int]:
    """Give events at a steady rate."""
    return lambda start_s, end_s: int(rng.poisson(rate_cps * (end_s - start_s)))


def counter(events: Callable[[float, float], int], *, dead_time_s: float = 0.0, seed: int = 1) -> Counter:
    """Give a counter that was switched on as the talk begins."""
    return Counter(events=events, powered_at_s=STARTED_S, rng=np.random.default_rng(seed), dead_time_s=dead_time_s)


def chunked(rng: np.random.Generator) -> Fault:
    """Cut what is sent anywhere."""

    def carry(said: bytes) -> Iterator[tuple[float, bytes]]:
        at = 0
        while at < len(said):
            length = int(rng.integers(1, 6))
            yield 0.0, said[at : at + length]
            at += length

    return carry

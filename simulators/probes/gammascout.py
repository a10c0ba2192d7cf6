"""A simulated Gamma-Scout: single-character commands, lines in hexadecimal."""

from typing import Final

from devices.probes.gammascout import GREATEST_PULSES
from simulators.probes.counting import Counter

INTERVALS_S: Final = {"0": 2, "1": 10, "2": 30, "3": 60, "4": 120, "5": 300}


class SimulatedGammaScout:
    """Reports each interval while it is online; ``counter`` is what counts."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._is_online = False
        self._interval_s = 10

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Obey each character."""
        return b"".join(self._obey(chr(character), now_s) for character in sent)

    def tick(self, now_s: float) -> bytes:
        """Give a line for each interval that is over."""
        sent = b""
        while self._is_online and self._counter.is_over(self._interval_s, now_s):
            pulses = min(self._counter.count_period(self._interval_s), GREATEST_PULSES)
            sent += f"I{self._interval_s:04x}{pulses:06x}\r\n".encode()
        return sent

    def _obey(self, character: str, now_s: float) -> bytes:
        if character == "O":
            self._is_online = True
            self._counter.skip(now_s)
        elif character == "X":
            self._is_online = False
        elif character in INTERVALS_S and self._is_online:
            self._interval_s = INTERVALS_S[character]
            self._counter.skip(now_s)
        elif character == "s" and self._is_online:
            return f"S{self._interval_s:04x}{0:04x}{0:06x}\r\n".encode()
        return b""

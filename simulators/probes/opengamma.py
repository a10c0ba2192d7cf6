"""A simulated Open Gamma Detector: a shell, and each second the channels of its events."""

from typing import Final

import numpy as np

from devices.framing import LineSplitter
from devices.probes.opengamma import ASK_INFO, CHANNELS, EVENT_BUFFER, PERIOD_S, write_events
from simulators.probes.counting import Counter

INFO: Final = (
    "[#] =========================\r\n[#] -- Open Gamma Detector --\r\n[#] Firmware Version: 4.2.0\r\n"
    "[#] Runtime: \t\t{runtime_s:.2f} s\r\n[#] Average Dead Time: \t{dead_time_us} µs\r\n"
    "[#] Total Dead Time: \t0.01 %\r\n[#] Total Pulses: \t{pulses}\r\n[#] Temperature: \t31.5 °C\r\n"
)


class SimulatedOpenGamma:
    """Sends the events of each second, once it is told to.

    Parameters
    ----------
    counter
        What counts.
    peak, width
        Mean channel of an event and its standard deviation, in channels.

    """

    def __init__(self, counter: Counter, *, peak: float = 800.0, width: float = 40.0) -> None:
        self._counter = counter
        self._peak = peak
        self._width = width
        self._requests = LineSplitter(greatest_length=64)
        self._is_sending = False
        self._is_geiger = False
        self._is_pressed = False
        self._pulses = 0
        self._pending = 0
        self._left_s = PERIOD_S

    def press(self) -> None:
        """Press its button: the other mode, until it is pressed again."""
        self._is_geiger = not self._is_geiger
        self._is_pressed = True

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Answer each whole line, behind what was due before."""
        return self.tick(now_s) + b"".join(
            self._answer(frame.raw, now_s) for frame in self._requests.feed(sent, now_s)
        )

    def tick(self, now_s: float) -> bytes:
        """Give a line for each second that is over and had an event."""
        sent = b""
        if self._is_pressed:
            self._is_pressed = False
            mode = "geiger mode" if self._is_geiger else "energy measuring mode"
            sent += f"[#] Switched to {mode}.\r\n".encode()
        while self._counter.is_over(self._left_s, now_s):
            counted = self._counter.count_period(self._left_s)
            self._pulses += counted
            counts = (self._pending + counted) % EVENT_BUFFER
            self._pending, self._left_s = 0, PERIOD_S
            if self._is_sending and counts:
                sent += write_events(self._channels(counts))
        return sent

    def _count_to(self, now_s: float) -> None:
        """Count the second in hand up to now; its pulses wait for its line."""
        self._left_s -= self._counter.elapsed_s(now_s)
        counted = self._counter.count(now_s)
        self._pulses += counted
        self._pending += counted

    def _channels(self, counts: int) -> list[int]:
        if self._is_geiger:
            return [0] * counts
        drawn = self._counter.rng.normal(self._peak, self._width, counts)
        return [int(channel) for channel in np.clip(drawn, 1, CHANNELS - 1)]

    def _answer(self, request: bytes, now_s: float) -> bytes:
        match request:
            case b"set out events":
                if not self._is_sending:
                    self._counter.skip(now_s)
                    self._pending, self._left_s = 0, PERIOD_S
                self._is_sending = True
                answer = "[#] Set serial output mode to events.\r\n"
            case b"set mode energy":
                self._is_geiger = False
                answer = "[#] Enabled energy measuring mode.\r\n"
            case b"set mode geiger":
                self._is_geiger = True
                answer = "[#] Enabled geiger mode.\r\n"
            case _ if request == ASK_INFO.strip():
                self._count_to(now_s)
                answer = INFO.format(
                    runtime_s=self._counter.instrument_s(now_s) - self._counter.powered_at_s,
                    dead_time_us=round(self._counter.dead_time_s * 1e6),
                    pulses=self._pulses,
                )
            case _:
                answer = f"[!] Command '{request.decode('ascii', 'replace')}' not found.\r\n"
        return answer.encode()

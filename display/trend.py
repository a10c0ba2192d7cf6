"""The rate of the last minutes, for a display that has just been opened."""

from collections import deque

from display.event_messages import TrendPoint
from display.kept_states import live_rate
from display.messages import State

KEPT_S, EVERY_S = 120.0, 0.2


class TrendMemory:
    """Keeps a point of the rate for each fifth of a second."""

    def __init__(self) -> None:
        self._points: deque[TrendPoint] = deque(maxlen=round(KEPT_S / EVERY_S))
        self._noted_s = float("-inf")

    def note(self, state: State) -> None:
        """Take a frame; most are too soon after the one before."""
        now_s = state.server_monotonic_s
        if now_s - self._noted_s < EVERY_S:
            return
        self._noted_s = now_s
        live = live_rate(state.rate, state.devices)
        rate_cps = live.rate_cps if live else None
        self._points.append(TrendPoint(seq=state.seq, server_monotonic_s=now_s, rate_cps=rate_cps))

    def since(self, seq: int) -> tuple[TrendPoint, ...]:
        """Give the points after a frame's number, oldest first."""
        return tuple(point for point in self._points if point.seq > seq)

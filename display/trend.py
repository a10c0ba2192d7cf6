"""The rate of the last minutes, for a display that has just been opened."""

from collections import deque

from display.event_messages import TrendPoint
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
        rate = state.rate
        probe = next((each for each in state.devices if rate and each.name == rate.device), None)
        limit_s = probe.stale_after_s if probe and probe.stale_after_s is not None else EVERY_S * 2
        is_live = rate is not None and probe is not None and probe.state == "live" and rate.age_s <= limit_s
        rate_cps = rate.rate_cps if rate is not None and is_live else None
        self._points.append(TrendPoint(seq=state.seq, server_monotonic_s=now_s, rate_cps=rate_cps))

    def since(self, seq: int) -> tuple[TrendPoint, ...]:
        """Give the points after a frame's number, oldest first."""
        return tuple(point for point in self._points if point.seq > seq)

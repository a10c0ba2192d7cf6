"""The rate of the last minutes as a display gets it."""

from acquisition.session.rate_trend import RateTrend
from display.messages.event import TrendPoint
from display.messages.feed import State
from display.states.kept import live_rate


class TrendMemory:
    """Takes the rate from frames, and gives it to who asks."""

    def __init__(self, kept: RateTrend) -> None:
        self._kept = kept

    def note(self, state: State) -> None:
        """Take a frame."""
        live = live_rate(state.rate, state.devices)
        self._kept.take(live.rate_cps if live else None, seq=state.seq, now_s=state.server_monotonic_s)

    def since(self, seq: int) -> tuple[TrendPoint, ...]:
        """Give the points after a frame's number, oldest first."""
        return tuple(
            TrendPoint(seq=point.seq, server_monotonic_s=point.at_s, rate_cps=point.rate_cps)
            for point in self._kept.since(seq)
        )

"""The rate of the probe in hand, as a display shows it."""

from math import isfinite

from acquisition.board import Board
from acquisition.rates import MeasuredRate, measure_rate
from display.messages.feed import RateState


def _finite(rate_cps: float) -> float | None:
    return rate_cps if isfinite(rate_cps) else None


def show_rate(
    board: Board, probe: str, *, integration_s: float, background_cps: float | None, now_s: float
) -> RateState | None:
    """Show the rate of the probe in hand; None before its first reading."""
    measured: MeasuredRate | None = measure_rate(board.newest_counts(probe, integration_s=integration_s))
    if measured is None:
        return None
    return RateState(
        device=probe,
        rate_cps=_finite(measured.rate_cps),
        # beyond correction all that is certain is that there was more than was counted
        low_cps=measured.low_cps if isfinite(measured.low_cps) else measured.counts / measured.integration_s,
        high_cps=_finite(measured.high_cps),
        counts=measured.counts,
        integration_s=measured.integration_s,
        dead_fraction=measured.dead_fraction,
        background_cps=background_cps,
        status=measured.status.value,
        age_s=max(0.0, now_s - measured.end_s),
        time_constant_s=measured.time_constant_s,
    )

"""A count rate with its error, from the newest readings of a probe."""

from collections.abc import Sequence
from dataclasses import dataclass

from devices.readings import WORST_FIRST, CountReading, CountStatus
from navigation.errors import NavigationError
from navigation.statistics.counting import Rate, poisson_interval, true_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRate:
    """Rate over some readings, corrected for dead time.

    Attributes
    ----------
    counts, integration_s
        As counted, and the live time that they were counted in.
    rate_cps, low_cps, high_cps
        Corrected rate and its 68 % interval; infinite where the counted rate reaches 1 / dead time.
    dead_fraction
        Share of the true counts that dead time hides, whether the instrument measured it as live time or not.
    status
        The worst of its readings'.
    end_s
        End of the newest interval, host monotonic clock, s.
    time_constant_s
        Of the rate meter whose values they were made of; 0 where all were counted.

    """

    counts: int
    integration_s: float
    rate_cps: float
    low_cps: float
    high_cps: float
    dead_fraction: float
    status: CountStatus
    end_s: float
    time_constant_s: float = 0.0


def _corrected(rate_cps: float, dead_time_s: float) -> float:
    try:
        return true_rate(Rate(rate_cps=rate_cps, sigma_cps=0.0), dead_time_s).rate_cps
    except NavigationError:  # the instrument is saturated: any rate could have given this
        return float("inf")


def measure_rate(readings: Sequence[CountReading]) -> MeasuredRate | None:
    """Add up consecutive readings of one probe; None where there are none.

    The interval is the exact Poisson one of the counts, carried through the dead-time correction.
    """
    if not readings:
        return None
    newest = readings[-1]
    counts = sum(reading.counts for reading in readings)
    live_s = sum(reading.live_time_s for reading in readings)
    real_s = sum(reading.real_time_s for reading in readings)
    low, high = poisson_interval(counts, confidence=0.6827)
    rate_cps = _corrected(counts / live_s, newest.dead_time_s)
    return MeasuredRate(
        counts=counts,
        integration_s=live_s,
        rate_cps=rate_cps,
        low_cps=_corrected(low / live_s, newest.dead_time_s),
        high_cps=_corrected(high / live_s, newest.dead_time_s),
        dead_fraction=1.0 - min(1.0, live_s / real_s) * max(0.0, 1.0 - counts / live_s * newest.dead_time_s),
        status=next(status for status in WORST_FIRST if any(reading.status is status for reading in readings)),
        end_s=newest.taken_at_s + newest.real_time_s,
        time_constant_s=max(reading.time_constant_s for reading in readings),
    )

"""Readings out of an instrument that shows only a smoothed rate: whole counts, and the rest kept for the next."""

from devices.readings import WORST_FIRST, CountReading, CountStatus
from navigation.statistics.ratemeter import RateMeter

LEAST_APART_S = 0.5
"""Least time between two shown rates that a reading is made of: most such instruments send each second or two."""


class SmoothedRate:
    """Makes Poisson counts of shown rates (``navigation.statistics.ratemeter``).

    A shown rate falls no faster than its time constant lets it; one that falls faster is kept until the next one
    makes sense of it.

    Parameters
    ----------
    device
        The device's name in the site file.
    time_constant_s
        Of the instrument's exponential mean, s.
    dead_time_s
        What it does not correct for, s.

    """

    def __init__(self, device: str, *, time_constant_s: float, dead_time_s: float) -> None:
        self._device = device
        self._dead_time_s = dead_time_s
        self._time_constant_s = time_constant_s
        self._meter = RateMeter(time_constant_s=time_constant_s, least_interval_s=LEAST_APART_S)
        self._carried = 0.0
        self._status = CountStatus.OK

    def take(self, taken_at_s: float, rate_cps: float, status: CountStatus) -> CountReading | None:
        """Take a shown rate and what is known of it; give a reading once there is one."""
        self._status = min(self._status, status, key=WORST_FIRST.index)
        equivalent = self._meter.take(taken_at_s, rate_cps)
        if equivalent is None:
            return None
        counts = max(round(equivalent.counts + self._carried), 0)
        self._carried += equivalent.counts - counts
        status, self._status = self._status, CountStatus.OK
        return CountReading(
            device=self._device,
            taken_at_s=equivalent.middle_s - equivalent.real_time_s / 2,
            real_time_s=equivalent.real_time_s,
            live_time_s=equivalent.live_time_s,
            counts=counts,
            dead_time_s=self._dead_time_s,
            status=status,
            time_constant_s=self._time_constant_s,
        )

"""A simulated Ludlum 375: a dump every 2 s of a smoothed rate."""

from devices.probes.ludlum375 import PERIOD_S, Dump
from simulators.probes.ratemeter import MeteredRate

GREATEST_READING = 9999.9


class SimulatedLudlum375:
    """Dumps what its rate meter shows.

    Parameters
    ----------
    rate
        Its rate meter.
    cps_per_unit
        Counts per second for one unit of its reading.

    """

    def __init__(self, rate: MeteredRate, *, cps_per_unit: float) -> None:
        self._rate = rate
        self._cps_per_unit = cps_per_unit
        self.is_in_order = True

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it only talks
        """Take no notice."""
        return b""

    def tick(self, now_s: float) -> bytes:
        """Give a dump for every 2 s that are over."""
        sent = b""
        while self._rate.counter.is_over(PERIOD_S, now_s):
            reading = self._rate.after(PERIOD_S) / self._cps_per_unit
            dump = Dump(
                reading=min(reading, GREATEST_READING),
                is_over_range=reading > GREATEST_READING,
                is_in_order=self.is_in_order,
            )
            sent += dump.to_bytes()
        return sent

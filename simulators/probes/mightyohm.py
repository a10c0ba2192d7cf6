"""A simulated MightyOhm counter: banner, then a line a second with its firmware's averaging and limits."""

from collections import deque
from collections.abc import Callable

import numpy as np

from devices.probes.mightyohm import GREATEST_CPS, PERIOD_S, Averaging, Line
from simulators.probes.counting import Counter

BANNER = b"mightyohm.com Geiger Counter 1.00\r\nhttp://mightyohm.com/geiger\r\n"
GREATEST_SAMPLE = 255
"""The running averages are made of bytes."""
FAST_CPM = 1000
"""Above it the average is taken over 5 s (THRESHOLD in geiger.c 1.00)."""
USV_PER_H_PER_CPM = 0.0057
"""SBM-20 tube (SCALE_FACTOR in geiger.c 1.00)."""


class SimulatedMightyOhm:
    """Counts true events by its tube's dead time and reports each second.

    Parameters
    ----------
    events
        True events between two readings of the instrument's clock, s.
    powered_at_s
        Host monotonic clock at which it is switched on; its own clock starts there.
    rng
        Where it draws what dead time takes.
    dead_time_s
        Non-paralysable.
    speed
        Instrument seconds in each host second, so lines a second.

    """

    def __init__(
        self,
        events: Callable[[float, float], int],
        *,
        powered_at_s: float,
        rng: np.random.Generator,
        dead_time_s: float = 190e-6,
        speed: float = 1.0,
    ) -> None:
        self._counter = Counter(
            events=events, powered_at_s=powered_at_s, rng=rng, dead_time_s=dead_time_s, speed=speed
        )
        self._samples: deque[int] = deque([0] * 60, maxlen=60)
        self._has_greeted = False

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - the kit's receive pin is not wired
        """Take no notice: the counter has no commands."""
        return b""

    def tick(self, now_s: float) -> bytes:
        """Give the banner once, then a line for each second that is over."""
        sent = b"" if self._has_greeted else BANNER
        self._has_greeted = True
        while self._counter.is_over(PERIOD_S, now_s):
            sent += self._line().to_bytes()
        return sent

    def _line(self) -> Line:
        cps = min(self._counter.count_period(PERIOD_S), GREATEST_CPS)
        self._samples.append(min(cps, GREATEST_SAMPLE))
        fast_cpm = 12 * sum(list(self._samples)[-5:])
        if cps > GREATEST_SAMPLE:
            averaging, cpm = Averaging.INST, 60 * cps
        elif fast_cpm > FAST_CPM:
            averaging, cpm = Averaging.FAST, fast_cpm
        else:
            averaging, cpm = Averaging.SLOW, sum(self._samples)
        return Line(cps=cps, cpm=cpm, dose_usv_per_h=cpm * USV_PER_H_PER_CPM, averaging=averaging)

"""An event loop for tests whose clock stands still while the host does.

A busy host may take the processor away for a second at any moment. A test that measures time would then blame our
code for it. Here at most ``LONGEST_STEP_S`` passes between two looks at the clock, and the loop looks at it that
often, so what the host took is not counted, and what our code waits for is.
"""

import asyncio
import selectors
import threading
import time
from unittest.mock import patch

LONGEST_STEP_S = 0.02
LONGEST_WAIT_S = 0.005

_host_s = time.monotonic


class _Selector(selectors.DefaultSelector):
    """Wakes the loop in time for its next look at the clock."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for at most a part of a step."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(
            LONGEST_WAIT_S if timeout is None else min(timeout, LONGEST_WAIT_S)
        )
        return ready


class SteadyLoop(asyncio.SelectorEventLoop):
    """Counts only the host's time that it was given; while it runs ``time.monotonic`` tells the same."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._looked_at_s = _host_s()
        self._time_s = self._looked_at_s
        super().__init__(_Selector())

    def time(self) -> float:
        """Seconds of a clock that never jumps."""
        with self._looking:
            now_s = _host_s()
            self._time_s += min(now_s - self._looked_at_s, LONGEST_STEP_S)
            self._looked_at_s = now_s
            return self._time_s

    def run_forever(self) -> None:
        """Run, and give every other clock of the process the same time."""
        with patch("time.monotonic", self.time):
            super().run_forever()

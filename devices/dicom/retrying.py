"""How often something is tried again that another node did not take."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Pauses between attempts: ``first_s``, then twice as long each time up to ``longest_s``."""

    first_s: float = 5.0
    longest_s: float = 600.0

    def pause_s(self, attempt: int, *, jitter: Callable[[], float] = lambda: 0.0) -> float:
        """Pause after an attempt, the first being 1.

        ``jitter`` gives a number from 0 to 1, by half of which it is shortened: many nodes must not come back at
        once.
        """
        # a power of two past any pause: an outage of weeks must not overflow
        whole_s: float = min(self.longest_s, self.first_s * 2 ** min(attempt - 1, 30))
        return whole_s * (1 - 0.5 * jitter())

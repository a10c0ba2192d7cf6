"""What an estimate was told, so that another process can be told it again."""

from collections.abc import Iterator

from navigation.estimation.posterior import RECENT_READINGS
from navigation.observations import Observations

PART = 200
"""Readings that are told again at once: at two hundredths of the time that they take one by one."""


class Ledger:
    """Keeps what was counted since an estimate last began anew; what was forgotten then is not told again.

    Parameters
    ----------
    restarts
        How often it had begun anew before.

    """

    def __init__(self, restarts: int = 0) -> None:
        self.restarts = restarts
        """How often the estimate has begun anew."""
        self._parts: list[Observations] = []

    def __iter__(self) -> Iterator[Observations]:
        """Give all of it, oldest first, in parts that are neither short nor long."""
        return iter(tuple(self._parts))

    def note(self, accepted: Observations, *, restarts: int) -> None:
        """Note what was believed, and how often the estimate had begun anew with it."""
        if self._parts and len(self._parts[-1]) + len(accepted) <= PART:
            self._parts[-1] += accepted
        else:
            self._parts.append(accepted)
        if restarts > self.restarts:
            self.restarts = restarts
            recent = Observations.empty()
            while self._parts and len(recent) < RECENT_READINGS:
                recent = self._parts.pop() + recent
            self._parts = [recent.newest(RECENT_READINGS)]

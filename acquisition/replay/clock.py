"""The time of a recording: it goes at a chosen speed, and stands still while it is held."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf

from devices.clock import Clock, monotonic

LONGEST_NAP_S = 0.1
"""Between two looks at a time that may have been held meanwhile."""


class ReplayClock:
    """Seconds of the monotonic clock by which a recording's readings were stamped.

    It is held at first. Whoever takes longer than it did then, such as an estimate on a slower machine, holds it
    meanwhile, so that nothing comes out otherwise. Nor does it pass what is played next: on a host that is late a
    count would have waited too long for the pose that comes after it.

    Parameters
    ----------
    starts_at_s
        Where it begins, by the clock of the recording, s.
    utc_at_start
        Wall time there.
    speed
        Seconds of the recording in one second.
    clock
        Host monotonic clock.

    """

    def __init__(
        self, *, starts_at_s: float, utc_at_start: datetime, speed: float = 1.0, clock: Clock = monotonic
    ) -> None:
        self._clock = clock
        self._speed = speed
        self._at_s = starts_at_s
        self._began_s: float | None = None
        self._holds = 1
        self._next_s = inf
        self._utc_s = utc_at_start.timestamp() - starts_at_s

    def __call__(self) -> float:
        """Give the time, s."""
        if self._began_s is None:
            return self._at_s
        return min(self._at_s + (self._clock() - self._began_s) * self._speed, self._next_s)

    @property
    def is_held(self) -> bool:
        """Whether it stands still."""
        return self._began_s is None

    def now(self) -> datetime:
        """Wall time of the recording, UTC."""
        return datetime.fromtimestamp(self() + self._utc_s, tz=UTC)

    def hold(self) -> None:
        """Stand still, until as many have let go as hold it."""
        self._at_s, self._began_s = self(), None
        self._holds += 1

    def let_go(self) -> None:
        """Go on, unless somebody else still holds it."""
        self._holds -= 1
        if not self._holds:
            self._began_s = self._clock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it until the end of the block."""
        self.hold()
        try:
            yield
        finally:
            self.let_go()

    async def until(self, at_s: float) -> None:
        """Wait until that time has come, s; time goes no further until another is waited for."""
        self._next_s = max(at_s, self())
        while (left_s := at_s - self()) > 0:  # noqa: ASYNC110 - no event: it is time that is waited for
            await asyncio.sleep(min(left_s / self._speed, LONGEST_NAP_S))

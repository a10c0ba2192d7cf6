"""The plan by the study in use, made anew with what is sorted and drawn; its activities decay with the clock."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from acquisition.archive import ArchivedStudy
from acquisition.session.drawn import DrawnSpot, spots_now
from acquisition.session.plan import PlannedSource, plan_of
from devices.clock import Clock
from navigation.decay import decay_factor
from navigation.probe.response import Response


class Planner:
    """Holds the newest plan; none before the first and after ``clear``.

    Parameters
    ----------
    response
        Of the probe in hand; None without a calibration.
    share_left
        Says which share of a study's activity is left now; None where nobody knows.
    half_life_s
        Of what was injected.
    clock, now
        Host monotonic clock; and the time of day, with its zone.

    """

    def __init__(
        self,
        *,
        response: Response | None,
        share_left: Callable[[ArchivedStudy], float | None],
        half_life_s: float,
        clock: Clock,
        now: Callable[[], datetime],
    ) -> None:
        self._response = response
        self._share_left = share_left
        self._half_life_s = half_life_s
        self._clock = clock
        self._now = now
        self._planned: tuple[PlannedSource, ...] = ()
        self._planned_at_s = clock()
        self._planning = object()

    @property
    def sources(self) -> tuple[PlannedSource, ...]:
        """Hot spots of the map and those that were drawn, their activities and rates as they are now."""
        elapsed_s = self._clock() - self._planned_at_s
        share = decay_factor(half_life_s=self._half_life_s, elapsed_s=elapsed_s)
        return tuple(source.after(share) for source in self._planned)

    def clear(self) -> None:
        """Hold no plan; one that is being made is not held either."""
        self._planned, self._planning = (), object()

    async def plan(self, archived: ArchivedStudy, drawn: Iterable[DrawnSpot]) -> None:
        """Plan by a study and what was drawn in its space; only what was asked for last is held."""
        self._planning = ours = object()
        at_s, left = self._clock(), self._share_left(archived)
        spots = spots_now(tuple(drawn), archived.map, left=left, half_life_s=self._half_life_s, now=self._now())
        planned = await asyncio.to_thread(plan_of, archived.map, self._response, left=left, drawn=spots)
        if ours is self._planning:
            self._planned, self._planned_at_s = planned, at_s

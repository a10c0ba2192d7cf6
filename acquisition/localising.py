"""Runs the posterior beside the event loop, on the newest tracked counts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog

from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import Clock
from navigation.errors import NavigationError
from navigation.guidance import Guidance, guide
from navigation.observations import Observations
from navigation.posterior import Estimator, Posterior
from navigation.transforms import RigidTransform

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """What is believed, since when, and how long it took to compute.

    Attributes
    ----------
    posterior
        The belief.
    counted_until_s
        Middle of the newest count in it, host monotonic clock, s.
    update_ms
        Time that the update took.

    """

    posterior: Posterior
    counted_until_s: float
    update_ms: float


def _observations(tracked: Sequence[TrackedCount]) -> Observations:
    tips = [count.patient_from_tip for count in tracked if count.patient_from_tip is not None]
    return Observations(
        counts=np.array([count.counts for count in tracked], dtype=np.float64),
        live_time_s=np.array([count.live_time_s for count in tracked]),
        tip_mm=np.array([tip.translation_mm for tip in tips]),
        axis=np.array([tip.rotation[:, 2] for tip in tips]),
        taken_at_s=np.array([count.middle_s for count in tracked]),
    )


class Localiser:
    """Feeds an estimator in a thread, a batch at a time, and holds the newest belief.

    Counts that come while an update runs wait for the next one; none is dropped. A new estimator starts afresh:
    what was counted before belongs to another map.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._estimator: Estimator | None = None
        self._waiting: list[TrackedCount] = []
        self._woken = asyncio.Event()
        self.newest: Localisation | None = None
        self.obstacle = ""
        """Why nothing is estimated, in words; empty where something is, or nothing was begun."""

    @property
    def is_estimating(self) -> bool:
        """Whether counts are made use of: an estimate was begun, and has not failed."""
        return self._estimator is not None

    def begin(self, estimator: Estimator | None, *, obstacle: str = "") -> None:
        """Start afresh with an estimator, or stop with None and say why."""
        self._estimator = estimator
        self.obstacle = obstacle
        self._waiting.clear()
        self.newest = None

    def take(self, tracked: TrackedCount) -> None:
        """Take a count; one without a trustworthy place says nothing about where the target is."""
        if tracked.status is TrackStatus.OK and self._estimator is not None:
            self._waiting.append(tracked)
            self._woken.set()

    def guide(self, patient_from_tip: RigidTransform) -> Guidance | None:
        """Say where to go from here; None before the first belief."""
        return None if self.newest is None else guide(self.newest.posterior, patient_from_tip)

    async def run(self) -> None:
        """Update for ever, as fast as counts come and the processor allows."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            estimator, batch = self._estimator, tuple(self._waiting)
            self._waiting.clear()
            if estimator is None or not batch:
                continue
            started_s = self._clock()
            try:
                posterior = await asyncio.to_thread(estimator.add, _observations(batch))
            except (ArithmeticError, NavigationError, np.linalg.LinAlgError) as exc:
                log.exception("estimate failed", readings=len(batch))
                if estimator is self._estimator:
                    self.begin(
                        None, obstacle=f"the estimate failed ({exc}): choose the study again to start afresh"
                    )
                continue
            if estimator is self._estimator:  # not replaced meanwhile
                self.newest = Localisation(
                    posterior=posterior,
                    counted_until_s=batch[-1].middle_s,
                    update_ms=(self._clock() - started_s) * 1000.0,
                )

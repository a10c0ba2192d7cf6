"""Runs the posterior beside the event loop, on the newest tracked counts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import Clock
from navigation.errors import NavigationError
from navigation.guidance import Guidance, guide
from navigation.posterior import Estimator, Posterior
from navigation.screening import Rejections, Screening, Sieve
from navigation.tissue import Tissue
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
    rejections
        Counts that were left out since this estimate was begun, by reason.

    """

    posterior: Posterior
    counted_until_s: float
    update_ms: float
    rejections: Rejections = field(default_factory=Rejections)


def _screened(sieve: Sieve, tracked: Sequence[TrackedCount]) -> Screening:
    tips = [count.patient_from_tip for count in tracked if count.patient_from_tip is not None]
    return sieve.screen_rows(
        counts=[count.counts for count in tracked],
        live_time_s=[count.live_time_s for count in tracked],
        tip_mm=[tip.translation_mm for tip in tips],
        axis=[tip.rotation[:, 2] for tip in tips],
        taken_at_s=[count.middle_s for count in tracked],
    )


class Localiser:
    """Feeds an estimator in a thread, a batch at a time, and holds the newest belief.

    Counts that come while an update runs wait for the next one; none is dropped but what the sieve rejects. A new
    estimator starts afresh: what was counted before belongs to another map.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._estimator: Estimator | None = None
        self._sieve = Sieve()
        self._waiting: list[TrackedCount] = []
        self._woken = asyncio.Event()
        self.newest: Localisation | None = None
        self.obstacle = ""
        """Why nothing is estimated, in words; empty where something is, or nothing was begun."""

    @property
    def is_estimating(self) -> bool:
        """Whether counts are made use of: an estimate was begun, and has not failed."""
        return self._estimator is not None

    @property
    def rejections(self) -> Rejections:
        """Counts that were left out since the estimate was begun: told also where nothing else came."""
        return self._sieve.rejections

    def begin(self, estimator: Estimator | None, *, obstacle: str = "", tissue: Tissue | None = None) -> None:
        """Start afresh with an estimator, or stop with None and say why.

        ``tissue`` is where the patient's skin is: a pose that jumps far below it is left out.
        """
        dead_time_s = 0.0 if estimator is None else estimator.likelihood.response.dead_time_s
        self._sieve = Sieve(dead_time_s=dead_time_s, tissue=tissue)
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
            estimator, sieve, batch = self._estimator, self._sieve, tuple(self._waiting)
            self._waiting.clear()
            if estimator is None or not batch:
                continue
            started_s = self._clock()
            try:
                screening = _screened(sieve, batch)
                if not len(screening.accepted):
                    self._tell(screening.rejections)
                    continue
                posterior = await asyncio.to_thread(estimator.add, screening.accepted)
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
                    counted_until_s=float(screening.accepted.taken_at_s[-1]),
                    update_ms=(self._clock() - started_s) * 1000.0,
                    rejections=screening.rejections,
                )

    def _tell(self, rejections: Rejections) -> None:
        """Bring the number of rejected counts up to date where the belief stays as it was."""
        if self.newest is not None and rejections != self.newest.rejections:
            self.newest = replace(self.newest, rejections=rejections)

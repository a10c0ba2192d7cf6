"""Runs the posterior beside the event loop, on the newest tracked counts, and asks it for advice in between."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from acquisition.advising import Advised, Cadence
from acquisition.agreement import Agreement, Comparison
from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import Clock
from navigation.estimation.posterior import Estimator, Posterior
from navigation.observations import Observations
from navigation.screening.sieve import Rejections, Screening, Sieve
from navigation.steering.advice import advise
from navigation.steering.guidance import Guidance, Track, guide
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

log = structlog.get_logger()

NUMERICS = (ArithmeticError, ValueError)
"""What numbers that nobody foresaw end in, singular matrices and refused arguments among them."""


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
    agreement
        The newest counts, and what is expected of them by this belief; None where nothing is expected yet.

    """

    posterior: Posterior
    counted_until_s: float
    update_ms: float
    rejections: Rejections = field(default_factory=Rejections)
    agreement: Agreement | None = None


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
    estimator starts afresh: what was counted before belongs to another map. Where to hold the probe next is asked
    about once a second, of the same thread, never while a late count waits.

    Parameters
    ----------
    clock
        Host monotonic clock.
    on_accepted
        Takes the counts that the sieve accepted, and what is believed with them.

    """

    def __init__(
        self, *, clock: Clock, on_accepted: Callable[[Observations, Posterior], None] = lambda *_: None
    ) -> None:
        self._clock = clock
        self._on_accepted = on_accepted
        self._estimator: Estimator | None = None
        self._tissue: Tissue | None = None
        self._sieve = Sieve()
        self._comparison = Comparison()
        self._cadence = Cadence()
        self._waiting: list[TrackedCount] = []
        self._woken = asyncio.Event()
        self.newest: Localisation | None = None
        self.advised: Advised | None = None
        """Where to hold the probe next, as last asked; look whether it still holds."""
        self.obstacle = ""
        """Why nothing is estimated, in words; empty where something is, or nothing was begun."""

    @property
    def is_estimating(self) -> bool:
        """Whether counts are made use of: an estimate was begun, and has not failed."""
        return self._estimator is not None

    @property
    def tissue(self) -> Tissue | None:
        """Where the patient's skin is; None where nothing is estimated in her."""
        return self._tissue

    @property
    def rejections(self) -> Rejections:
        """Counts that were left out since the estimate was begun: told also where nothing else came."""
        return self._sieve.rejections

    def begin(self, estimator: Estimator | None, *, obstacle: str = "", tissue: Tissue | None = None) -> None:
        """Start afresh with an estimator, or stop with None and say why.

        ``tissue`` is where the patient's skin is: a pose that jumps far below it is left out, and advice is for
        poses on it; without it there is none.
        """
        dead_time_s = 0.0 if estimator is None else estimator.likelihood.response.dead_time_s
        self._sieve = Sieve(dead_time_s=dead_time_s, tissue=tissue)
        self._comparison, self._cadence = Comparison(), Cadence()
        self._estimator, self._tissue = estimator, tissue
        self.obstacle = obstacle
        self._waiting.clear()
        self.newest = self.advised = None

    def take(self, tracked: TrackedCount) -> None:
        """Take a count; one without a trustworthy place says nothing about where the target is."""
        if tracked.status is TrackStatus.OK and self._estimator is not None:
            self._waiting.append(tracked)
            self._cadence.note(tracked)
            self._woken.set()

    def guide(self, patient_from_tip: RigidTransform, track: Track | None = None) -> Guidance | None:
        """Say where to go from here, and whether the tip's ``track`` leads there; None before the first belief."""
        if self.newest is None:
            return None
        return guide(self.newest.posterior, patient_from_tip, tissue=self._tissue, track=track)

    async def run(self) -> None:
        """Update for ever, as fast as counts come and the processor allows."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            estimator, sieve, comparison = self._estimator, self._sieve, self._comparison
            batch = tuple(self._waiting)
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
            except NUMERICS as exc:
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
                    agreement=comparison.compare(estimator, screening.accepted),
                )
                self._on_accepted(screening.accepted, posterior)
                await self._ask(estimator, self.newest)

    async def _ask(self, estimator: Estimator, belief: Localisation) -> None:
        """Ask where to hold the probe next, if it is time to; what fails costs the advice alone."""
        cadence, tissue, began_s = self._cadence, self._tissue, self._clock()
        oldest_waiting_s = self._waiting[0].middle_s if self._waiting else None
        pose = cadence.pose_at(belief.counted_until_s)
        if tissue is None or pose is None or not cadence.is_due(oldest_waiting_s=oldest_waiting_s, now_s=began_s):
            return
        advised = None
        try:
            advice = await asyncio.to_thread(advise, estimator, belief.posterior, tissue, pose)
        except NUMERICS:
            log.exception("advice failed", readings=belief.posterior.readings)
        else:
            advised = Advised(
                advice=advice,
                counted_until_s=belief.counted_until_s,
                took_ms=(self._clock() - began_s) * 1000.0,
                restarts=belief.posterior.restarts,
            )
        cadence.asked(at_s=began_s, until_s=self._clock())
        if estimator is self._estimator:  # not replaced meanwhile
            self.advised = advised

    def _tell(self, rejections: Rejections) -> None:
        """Bring the number of rejected counts up to date where the belief stays as it was."""
        if self.newest is not None and rejections != self.newest.rejections:
            self.newest = replace(self.newest, rejections=rejections)

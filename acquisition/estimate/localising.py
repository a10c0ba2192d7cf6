"""Has the posterior computed beside the service, on the newest tracked counts, and asks for advice between."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from acquisition.apart import RESTART_S, START_S, Companion, ProcessDied, run_apart
from acquisition.estimate.advising import Advised, Cadence
from acquisition.estimate.agreement import Agreement
from acquisition.estimate.estimating import NUMERICS, Belief, Counted, Failure, Held, Misplaced, Premises, Question
from acquisition.estimate.ledger import Ledger
from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import Clock
from navigation.estimation.estimate import Posterior
from navigation.observations import Observations
from navigation.screening.sieve import Rejections, Screening, Sieve
from navigation.steering.advice import Advice
from navigation.steering.guidance import Guidance, Track, guide
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

ANSWER_S = 10.0
"""Time after which an answer that has not come is given up: hundreds of times what an update takes."""

STEADY_S = 60.0
"""A process that has answered for so long is not one that ends again and again."""

MOST_DEATHS = 3
"""Processes in a row that may end before that; after one more nothing is estimated until a person begins anew."""

log = structlog.get_logger()


class _Failed(Exception):
    """Raised when numbers went wrong; the message says how."""


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


class _Course:
    """All that belongs to one estimate, and goes with it."""

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        self.sieve = Sieve(dead_time_s=premises.response.dead_time_s, tissue=premises.tissue)
        self.cadence = Cadence()
        self.waiting: list[TrackedCount] = []
        self.kept_back: list[TrackedCount] = []
        """Those that wait to be released."""
        self.accepted = Observations.empty()
        """Past the sieve and not believed yet, those with a process that ended among them."""
        self.ledger = Ledger()
        self.deaths = 0
        self.answering_since_s: float | None = None


class Localiser:
    """Feeds an estimator in a process of its own, a batch at a time, and holds the newest belief.

    Counts that come while an update runs wait for the next one; none is dropped but what the sieve rejects. A new
    estimate starts afresh, in a new process: what was counted before belongs to another map. Where to hold the
    probe next is asked about once a second, never while a late count waits.

    A process that ends, or hangs, takes the belief with it. Nothing is believed until another one has been told
    all that was counted, and meanwhile ``obstacle`` says so.

    Parameters
    ----------
    clock
        Host monotonic clock.
    on_accepted
        Takes the counts that the sieve accepted, each once, and what is believed with them.
    on_misplaced
        Told what the counts say against the registration.
    on_asked
        Called when all that has come until then is being believed.
    is_paced
        Whether counts wait until they are released: a replay believes them in the batches of the recording.
    answer_s
        Time after which a process that does not answer is taken for hung.

    """

    def __init__(
        self,
        *,
        clock: Clock,
        on_accepted: Callable[[Observations, Posterior], None] = lambda *_: None,
        on_misplaced: Callable[[Misplaced], None] = lambda _: None,
        on_asked: Callable[[], None] = lambda: None,
        is_paced: bool = False,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._clock = clock
        self._on_accepted = on_accepted
        self._on_misplaced = on_misplaced
        self._on_asked = on_asked
        self._is_paced = is_paced
        self._answer_s = answer_s
        self._course: _Course | None = None
        self._woken = asyncio.Event()
        self.newest: Localisation | None = None
        self.advised: Advised | None = None
        """Where to hold the probe next, as last asked; look whether it still holds."""
        self.obstacle = ""
        """Why nothing is estimated, in words; empty where something is, or nothing was begun."""

    @property
    def is_estimating(self) -> bool:
        """Whether counts are made use of: an estimate was begun, and has not failed."""
        return self._course is not None

    @property
    def tissue(self) -> Tissue | None:
        """Where the patient's skin is; None where nothing is estimated in her."""
        return None if self._course is None else self._course.premises.tissue

    @property
    def rejections(self) -> Rejections:
        """Counts that were left out since the estimate was begun: told also where nothing else came."""
        return Rejections() if self._course is None else self._course.sieve.rejections

    def begin(self, premises: Premises | None, *, obstacle: str = "") -> None:
        """Start afresh from premises, whose activities are of now, or stop with None and say why."""
        self._course = None if premises is None else _Course(replace(premises, mapped_at_s=self._clock()))
        self.obstacle = obstacle
        self.newest = self.advised = None
        self._woken.set()

    def take(self, tracked: TrackedCount) -> None:
        """Take a count; one without a trustworthy place says nothing about where the target is."""
        if tracked.status is TrackStatus.OK and self._course is not None:
            self._course.cadence.note(tracked)
            if self._is_paced:
                self._course.kept_back.append(tracked)
            else:
                self._course.waiting.append(tracked)
                self._woken.set()

    def release(self) -> None:
        """Let what was kept back be believed, all of it at once."""
        if self._course is not None:
            self._course.waiting += self._course.kept_back
            self._course.kept_back.clear()
            self._woken.set()

    def guide(self, patient_from_tip: RigidTransform, track: Track | None = None) -> Guidance | None:
        """Say where to go from here, and whether the tip's ``track`` leads there; None before the first belief."""
        if self.newest is None:
            return None
        return guide(self.newest.posterior, patient_from_tip, tissue=self.tissue, track=track)

    async def run(self) -> None:
        """Update for ever, as fast as counts come and the processor allows; each estimate in its own process."""
        while True:
            course = self._course
            if course is None:
                await self._woken.wait()
                self._woken.clear()
                continue
            course.answering_since_s = None
            try:
                async with run_apart("acquisition.estimate.estimator") as companion:
                    await self._follow(course, companion)
            except _Failed as exc:
                self._give_up(course, f"the estimate failed ({exc})")
            except ProcessDied as exc:
                self._lose(course, exc)
                await asyncio.sleep(RESTART_S)

    async def _follow(self, course: _Course, companion: Companion) -> None:
        """Have one estimate computed by one process, until another is begun."""
        await _answered(companion, course.premises, within_s=START_S)
        course.answering_since_s = self._clock()
        before = course.ledger.restarts
        await self._recount(course, companion, before)
        while course is self._course:
            await _let_frames_go()
            began_s = self._clock()
            self._screen(course)
            if not len(course.accepted):
                await companion.idle_until(self._woken)
                continue
            accepted = course.accepted
            self._on_asked()
            belief = await self._believe(companion, accepted, before)
            if course is self._course:  # not replaced meanwhile
                course.accepted = Observations.empty()
                course.ledger.note(accepted, restarts=belief.posterior.restarts)
                self.newest = self._localisation(course, belief, accepted, began_s)
                self._on_accepted(accepted, belief.posterior)
                if belief.misplaced is not None:
                    self._on_misplaced(belief.misplaced)
                await self._ask_where(course, companion, self.newest)

    async def _recount(self, course: _Course, companion: Companion, before: int) -> None:
        """Tell a process all that a former one was told, and show what it believes once it knows it all."""
        told, newest = Ledger(before), None
        for part in course.ledger:
            began_s = self._clock()
            belief = await self._believe(companion, part, before)
            if course is not self._course:
                return
            told.note(part, restarts=belief.posterior.restarts)
            newest = self._localisation(course, belief, part, began_s)
        course.ledger = told
        if course is self._course:
            self.newest, self.obstacle = newest, ""

    async def _believe(self, companion: Companion, observations: Observations, before: int) -> Belief:
        """Ask what is believed now; the estimate had begun anew ``before`` times when the process started."""
        belief: Belief = await _answered(companion, Counted(observations=observations), within_s=self._answer_s)
        posterior = belief.posterior
        return replace(belief, posterior=replace(posterior, restarts=before + posterior.restarts))

    def _localisation(
        self, course: _Course, belief: Belief, observations: Observations, began_s: float
    ) -> Localisation:
        return Localisation(
            posterior=belief.posterior,
            counted_until_s=float(observations.taken_at_s[-1]),
            update_ms=(self._clock() - began_s) * 1000.0,
            rejections=course.sieve.rejections,
            agreement=belief.agreement,
        )

    def _screen(self, course: _Course) -> None:
        """Sift what came; where all of it is rejected, only the number of rejected counts changes."""
        if not course.waiting:
            return
        waiting = tuple(course.waiting)
        course.waiting.clear()
        try:
            screening = _screened(course.sieve, waiting)
            course.accepted += screening.accepted
        except NUMERICS as exc:
            log.exception("readings could not be screened", readings=len(waiting))
            raise _Failed(str(exc)) from exc
        if self.newest is not None and not len(course.accepted):
            self.newest = replace(self.newest, rejections=screening.rejections)

    async def _ask_where(self, course: _Course, companion: Companion, belief: Localisation) -> None:
        """Ask where to hold the probe next, if it is time to; what fails costs the advice alone."""
        cadence, began_s = course.cadence, self._clock()
        oldest_waiting_s = course.waiting[0].middle_s if course.waiting else None
        pose = cadence.pose_at(belief.counted_until_s)
        if pose is None or not cadence.is_due(oldest_waiting_s=oldest_waiting_s, now_s=began_s):
            return
        advised = None
        try:
            advice: Advice = await _answered(companion, Held(patient_from_tip=pose), within_s=self._answer_s)
        except _Failed:
            pass  # told to the log
        else:
            advised = Advised(
                advice=advice,
                counted_until_s=belief.counted_until_s,
                took_ms=(self._clock() - began_s) * 1000.0,
                restarts=belief.posterior.restarts,
            )
        cadence.asked(at_s=began_s, until_s=self._clock())
        if course is self._course:  # not replaced meanwhile
            self.advised = advised

    def _lose(self, course: _Course, exc: ProcessDied) -> None:
        """Believe nothing until another process has counted it all again; if one after another ends, give up."""
        since_s = course.answering_since_s
        is_steady = since_s is not None and self._clock() - since_s >= STEADY_S
        course.deaths = 1 if is_steady else course.deaths + 1
        log.error("estimate lost", reason=str(exc), deaths=course.deaths)
        if course.deaths > MOST_DEATHS:
            self._give_up(course, f"its process was lost {course.deaths} times ({exc})")
        elif course is self._course:
            self.newest = self.advised = None
            self.obstacle = f"the process of the estimate was lost ({exc}); all counts are being counted again"

    def _give_up(self, course: _Course, reason: str) -> None:
        if course is self._course:
            self.begin(None, obstacle=f"{reason}: choose the study again to start afresh")


async def _let_frames_go() -> None:
    """Wait two rounds of the event loop: in one a frame of the same count is made, in the next it is sent."""
    for _ in range(2):
        await asyncio.sleep(0)


async def _answered(companion: Companion, question: Question, *, within_s: float) -> Any:
    answer = await companion.ask(question, within_s=within_s)
    if isinstance(answer, Failure):
        log.error("estimate failed", question=type(question).__name__, reason=answer.reason, trace=answer.trace)
        raise _Failed(answer.reason)
    return answer

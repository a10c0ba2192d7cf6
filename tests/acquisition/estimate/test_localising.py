"""The posterior in a process of its own: every count used once whatever becomes of that, nothing of another map.

The processes are real ones: held in mid-update by SIGSTOP, ended by SIGKILL.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from acquisition.calibration import load_calibration
from acquisition.estimate.advising import Advised
from acquisition.estimate.estimating import Premises
from acquisition.estimate.localising import MOST_DEATHS, STEADY_S, Localiser
from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import monotonic
from display.states.estimate import show_posterior
from navigation.estimation.estimate import Posterior
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.screening.sieve import Reason
from navigation.tissue import HalfSpace
from navigation.transforms import RigidTransform
from tests.acquisition.children import children
from tests.acquisition.received import hotspot

LOOKING_BACK = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""Columns left, up and ahead of a probe before the patient that looks to her back (+y), up to her head."""


@cache
def response() -> Response:
    """The shipped calibration of the simulated probe."""
    folder = Path(str(files("config"))) / "instruments"
    return load_calibration(folder / "simulated-gamma.json", is_simulated=True).response


SKIN = HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))


def premises() -> Premises:
    """One node on the map, 20 mm under the skin."""
    return Premises(response=response(), prior=Prior.from_hotspots([hotspot()]), tissue=SKIN)


def broken_premises() -> Premises:
    """A map whose node is so hot that no number is left of what it should count: eigenvalues do not converge."""
    return replace(premises(), prior=Prior.from_hotspots([replace(hotspot(), activity_mbq=1e308)]))


def tracked(middle_s: float, *, status: TrackStatus = TrackStatus.OK, x_mm: float = 0.0) -> TrackedCount:
    tip = RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=LOOKING_BACK, translation_mm=np.array([x_mm, -32.0, 0.0])
    )
    is_placed = status in {TrackStatus.OK, TrackStatus.OVERLOAD, TrackStatus.DOUBTED}
    return TrackedCount(
        device="gamma",
        middle_s=middle_s,
        counts=40,
        live_time_s=0.1,
        patient_from_tip=tip if is_placed else None,
        age_s=0.05,
        status=status,
    )


@asynccontextmanager
async def running(localiser: Localiser) -> AsyncIterator[None]:
    """Run it, and cancel it at the end."""
    task = asyncio.create_task(localiser.run())
    try:
        yield
    finally:
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.002)


async def until_counted(localiser: Localiser, readings: int) -> Posterior:
    """Wait until the belief rests on so many readings."""
    await until(lambda: localiser.newest is not None and localiser.newest.posterior.readings >= readings)
    assert localiser.newest is not None
    return localiser.newest.posterior


async def process_of(localiser: Localiser, *, besides: int = 0) -> int:
    """Wait for the process of its estimate, another than ``besides``, to be there and ready."""
    await until(lambda: set(children("acquisition.estimate.estimator")) - {besides})
    await until(lambda: localiser._course is None or localiser._course.answering_since_s is not None)
    (found,) = set(children("acquisition.estimate.estimator")) - {besides}
    return found


async def test_no_count_that_comes_during_an_update_is_lost() -> None:
    """Counts wait in one batch for the next update, in order, and the belief rests on all of them."""
    sizes: list[int] = []
    localiser = Localiser(clock=monotonic, on_accepted=lambda accepted, _: sizes.append(len(accepted)))
    localiser.begin(premises())
    async with running(localiser):
        os.kill(process := await process_of(localiser), signal.SIGSTOP)
        localiser.take(tracked(0.0))
        await until(lambda: is_asked(localiser))
        for number in range(1, 8):
            localiser.take(tracked(0.1 * number, x_mm=number))
        assert localiser.newest is None
        os.kill(process, signal.SIGCONT)
        posterior = await until_counted(localiser, 8)
    assert sizes == [1, 7]
    assert posterior.readings == 8
    assert localiser.newest is not None
    assert localiser.newest.counted_until_s == pytest.approx(0.7)
    assert localiser.newest.update_ms > 0
    assert not children("acquisition.estimate.estimator"), "it ends with its asker"


def is_asked(localiser: Localiser) -> bool:
    """Whether all that came is on its way to the process, and not believed."""
    course = localiser._course
    return course is not None and not course.waiting and len(course.accepted) > 0


async def test_a_replay_believes_counts_in_the_batches_that_it_is_given() -> None:
    """Paced, counts wait until they are released, and those that were released together are believed together."""
    sizes: list[int] = []
    asked: list[int] = []
    localiser = Localiser(
        clock=monotonic,
        on_accepted=lambda accepted, _: sizes.append(len(accepted)),
        on_asked=lambda: asked.append(len(sizes)),
        is_paced=True,
    )
    localiser.begin(premises())
    async with running(localiser):
        await process_of(localiser)
        for batch in ((0, 1, 2), (3,), (4, 5)):
            before = len(asked)
            for number in batch:
                localiser.take(tracked(0.1 * number, x_mm=number))
                for _ in range(20):  # as often as anybody else may have the loop
                    await asyncio.sleep(0)
            assert len(asked) == before, "believed before it was released"
            localiser.release()
            await until_counted(localiser, batch[-1] + 1)
    assert sizes == [3, 1, 2]
    assert asked == [0, 1, 2], "it is said each time before it is believed"


async def test_what_a_replaced_estimate_answers_is_dropped() -> None:
    """A belief about the former patient's map, still being computed as the map changes, never comes up."""
    sizes: list[int] = []
    localiser = Localiser(clock=monotonic, on_accepted=lambda accepted, _: sizes.append(len(accepted)))
    localiser.begin(premises())
    async with running(localiser):
        os.kill(former := await process_of(localiser), signal.SIGSTOP)
        localiser.take(tracked(0.0))
        await until(lambda: is_asked(localiser))
        localiser.take(tracked(0.1))  # waits for an update that is not to come
        localiser.begin(premises())
        assert localiser.newest is None
        os.kill(former, signal.SIGCONT)
        await process_of(localiser, besides=former)
        assert localiser.newest is None
        localiser.take(tracked(0.2))
        posterior = await until_counted(localiser, 1)
    assert sizes == [1]
    assert posterior.readings == 1
    assert localiser.newest is not None
    assert localiser.newest.counted_until_s == pytest.approx(0.2)


async def test_without_a_map_nothing_is_believed() -> None:
    """Counts taken before a map came, or after it went, are not counted to the next one."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.take(tracked(0.0))
        localiser.begin(premises())
        localiser.take(tracked(0.1))
        await until_counted(localiser, 1)
        localiser.begin(None)
        assert localiser.newest is None
        localiser.take(tracked(0.2))
        localiser.begin(premises())
        localiser.take(tracked(0.3))
        posterior = await until_counted(localiser, 1)
    assert posterior.readings == 1


async def test_only_counts_with_a_trustworthy_place_are_used() -> None:
    """An overload, a pose that is lost or doubted, or no registration says nothing about where the target is."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    async with running(localiser):
        for number, status in enumerate(TrackStatus):
            localiser.take(tracked(0.1 * number, status=status))
        posterior = await until_counted(localiser, 1)
    assert posterior.readings == 1


async def test_a_reading_that_cannot_be_costs_no_other() -> None:
    """An endless live time, a reading that came twice and a wild pose: the rest is believed, and all is told."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    readings = [tracked(0.1 * number, x_mm=number) for number in range(12)]
    readings[3] = replace(readings[3], live_time_s=float("inf"))
    readings[8] = tracked(0.8, x_mm=120.0)
    readings.insert(6, readings[5])
    async with running(localiser):
        for reading in readings:
            localiser.take(reading)
        posterior = await until_counted(localiser, 10)
    assert posterior.readings == 10
    assert localiser.obstacle == ""
    assert localiser.newest is not None
    assert localiser.newest.rejections.by_reason == {Reason.UNREADABLE: 1, Reason.REPEATED: 1, Reason.WILD: 1}
    assert localiser.newest.counted_until_s == pytest.approx(1.1)


async def test_what_is_rejected_alone_is_told_too() -> None:
    """A batch of nothing usable leaves the belief as it was and brings the number up to date, until a new map."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    async with running(localiser):
        localiser.take(tracked(0.0))
        await until_counted(localiser, 1)
        localiser.take(tracked(0.0))
        await until(lambda: localiser.rejections.total)
        assert localiser.newest is not None
        assert localiser.newest.rejections == localiser.rejections
        assert localiser.newest.posterior.readings == 1
    localiser.begin(premises())
    assert localiser.rejections.total == 0


async def test_a_jump_into_the_patient_is_known_by_her_skin() -> None:
    """A tip that is 60 mm inside for one reading has a reason of its own."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    readings = [tracked(0.1 * number, x_mm=number) for number in range(8)]
    inside = RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=LOOKING_BACK, translation_mm=np.array([5.0, 30.0, 0.0])
    )
    readings[5] = replace(readings[5], patient_from_tip=inside)
    async with running(localiser):
        for reading in readings:
            localiser.take(reading)
        await until_counted(localiser, 7)
    assert localiser.rejections.by_reason == {Reason.DEEP: 1}


async def test_there_is_no_guidance_before_the_first_belief() -> None:
    """Nothing is said about a direction until something was counted on this map."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    tip = tracked(0.0).patient_from_tip
    assert tip is not None
    assert localiser.guide(tip) is None
    async with running(localiser):
        localiser.take(tracked(0.0))
        await until_counted(localiser, 1)
    guidance = localiser.guide(tip)
    assert guidance is not None
    assert guidance.sentence


async def test_an_estimate_that_fails_is_taken_back_and_says_so() -> None:
    """Nothing is believed any more, the reason stands there, its process is gone, and a new map starts afresh."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.begin(broken_premises())
        localiser.take(tracked(1.0))
        await until(lambda: localiser.obstacle)
        assert localiser.newest is None
        assert not localiser.is_estimating
        assert "Eigenvalues did not converge" in localiser.obstacle
        assert "choose the study again" in localiser.obstacle
        await until(lambda: not children("acquisition.estimate.estimator"))
        localiser.begin(premises())
        localiser.take(tracked(2.0))
        await until_counted(localiser, 1)
        assert localiser.obstacle == ""


async def test_an_estimate_that_cannot_begin_says_so() -> None:
    """A half-life that cannot be is refused before anything is counted, in words."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.begin(replace(premises(), half_life_s=0.0))
        await until(lambda: localiser.obstacle)
    assert "half-life" in localiser.obstacle
    assert not localiser.is_estimating


async def test_a_process_that_is_killed_in_mid_update_costs_no_count() -> None:
    """The belief goes at once and a sentence says why; then it is what one that was told all of it believes."""
    handed_on: list[Observations] = []
    localiser = Localiser(clock=Clock(), on_accepted=lambda accepted, _: handed_on.append(accepted))
    localiser.begin(premises())
    times_s = [0.1 * number for number in range(36)]
    async with running(localiser):
        for number, at_s in enumerate(times_s[:30]):
            localiser.take(tracked(at_s, x_mm=number))
        await until_counted(localiser, 30)
        await until_advised(localiser, 0.0)
        os.kill(killed := await process_of(localiser), signal.SIGSTOP)
        for at_s in times_s[30:35]:
            localiser.take(tracked(at_s, x_mm=30.0))
        await until(lambda: is_asked(localiser))
        os.kill(killed, signal.SIGKILL)
        await until(lambda: localiser.obstacle)
        assert (localiser.newest, localiser.advised) == (None, None)
        assert "all counts are being counted again" in localiser.obstacle
        assert localiser.is_estimating
        assert localiser.guide(RigidTransform.identity(Frame.PATIENT, Frame.TIP)) is None
        posterior = await until_counted(localiser, 35)
        assert localiser.obstacle == ""
        assert killed not in children("acquisition.estimate.estimator")
        localiser.take(tracked(times_s[35], x_mm=30.0))
        await until_counted(localiser, 36)
    every = sum(handed_on, Observations.empty())
    assert every.taken_at_s == pytest.approx(times_s), "each count once, and in order"
    begun = premises()
    alone = Estimator(begun.response, begun.prior, begun.tissue)
    alone.add(every.take(np.arange(30)))
    (expected,) = alone.add(every.take(np.arange(30, 35))).targets
    assert np.array_equal(posterior.targets[0].centre_mm, expected.centre_mm)
    assert posterior.targets[0].presence == expected.presence


async def test_a_process_that_is_killed_again_and_again_is_not_started_for_ever() -> None:
    """After a few the estimate is given up with a sentence; a person who chooses the study again begins afresh."""
    localiser, killed = Localiser(clock=Clock()), 0
    localiser.begin(premises())
    async with running(localiser):
        localiser.take(tracked(0.0))
        for _ in range(MOST_DEATHS + 1):
            killed = await process_of(localiser, besides=killed)
            os.kill(killed, signal.SIGKILL)
        await until(lambda: not localiser.is_estimating)
        assert f"lost {MOST_DEATHS + 1} times" in localiser.obstacle
        assert "choose the study again" in localiser.obstacle
        assert not children("acquisition.estimate.estimator")
        localiser.begin(premises())
        localiser.take(tracked(0.1))
        assert (await until_counted(localiser, 1)).readings == 1
        assert localiser.obstacle == ""


async def test_processes_that_die_a_minute_apart_are_each_replaced() -> None:
    """One that has answered for a minute does not count to those that end again and again."""
    clock, killed = Clock(), 0
    localiser = Localiser(clock=clock)
    localiser.begin(premises())
    async with running(localiser):
        for number in range(MOST_DEATHS + 2):
            localiser.take(tracked(0.1 * number, x_mm=number))
            await until_counted(localiser, number + 1)
            clock.now_s += STEADY_S
            os.kill(killed := await process_of(localiser, besides=killed), signal.SIGKILL)
        await until(lambda: localiser.newest is None)
        localiser.take(tracked(1.0))
        await until_counted(localiser, MOST_DEATHS + 3)
        assert localiser.is_estimating


async def test_a_process_that_hangs_is_seen_and_replaced() -> None:
    """The belief grows old meanwhile, and every frame says how old; then another process counts all of it."""
    localiser = Localiser(clock=monotonic, answer_s=5.0)
    localiser.begin(premises())
    async with running(localiser):
        began_s = monotonic()
        localiser.take(tracked(began_s))
        await until_counted(localiser, 1)
        os.kill(hung := await process_of(localiser), signal.SIGSTOP)
        localiser.take(tracked(began_s + 0.1))
        await until(lambda: monotonic() - began_s > 2.5)
        shown = show_posterior(localiser.newest, response(), now_s=monotonic())
        assert shown is not None
        assert shown.age_s > 2.0, "what the page calls old"
        assert shown.readings == 1
        await until(lambda: localiser.obstacle)
        assert "it hung" in localiser.obstacle
        assert localiser.newest is None
        await until_counted(localiser, 2)
        assert hung not in children("acquisition.estimate.estimator")


async def test_what_contradicted_the_belief_before_it_was_lost_is_not_believed_again() -> None:
    """An estimate that had begun anew is counted again from there, and still says how often it did."""
    localiser = Localiser(clock=Clock())
    localiser.begin(premises())
    async with running(localiser):
        for number in range(300):
            localiser.take(tracked(0.1 * number))
        await until_counted(localiser, 300)
        believed_s = 29.9
        while not localiser.newest or not localiser.newest.posterior.restarts:
            for _ in range(10):
                believed_s += 0.1
                localiser.take(replace(tracked(believed_s), counts=400))
            await until_counted_at(localiser, believed_s)
        rests_on = localiser.newest.posterior.readings
        assert rests_on < 300
        os.kill(await process_of(localiser), signal.SIGKILL)
        await until(lambda: localiser.obstacle)
        assert localiser.newest is None
        await until(lambda: not localiser.obstacle)
        again = await until_counted_at(localiser, believed_s)
        assert (again.restarts, again.readings) == (1, rests_on)


async def until_counted_at(localiser: Localiser, at_s: float) -> Posterior:
    """Wait until the belief rests on a count of that time."""
    await until(lambda: localiser.newest is not None and localiser.newest.counted_until_s > at_s - 1e-6)
    assert localiser.newest is not None
    return localiser.newest.posterior


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


async def until_advised(localiser: Localiser, until_s: float) -> Advised:
    """Wait for an advice that rests on counts until then."""
    await until(lambda: localiser.advised is not None and localiser.advised.counted_until_s >= until_s)
    assert localiser.advised is not None
    return localiser.advised


async def test_advice_comes_once_a_second() -> None:
    """The first count gives one; those of the same second none more; the first a second later the next."""
    clock = Clock()
    localiser = Localiser(clock=clock)
    localiser.begin(premises())
    async with running(localiser):
        localiser.take(tracked(0.0))
        first = await until_advised(localiser, 0.0)
        assert first.advice.patient_from_tip is not None
        for number in range(1, 10):
            clock.now_s = 0.1 * number
            localiser.take(tracked(clock.now_s))
            await until_counted(localiser, 1 + number)
        assert localiser.advised is first
        clock.now_s = 1.0
        localiser.take(tracked(1.0))
        second = await until_advised(localiser, 1.0)
    assert second.counted_until_s == 1.0


async def test_advice_waits_for_counts_that_are_late() -> None:
    """A count that came during a long update and has grown old meanwhile is believed before anything is asked."""
    clock, sizes = Clock(), list[int]()
    localiser = Localiser(clock=clock, on_accepted=lambda accepted, _: sizes.append(len(accepted)))
    localiser.begin(premises())
    async with running(localiser):
        os.kill(process := await process_of(localiser), signal.SIGSTOP)
        localiser.take(tracked(0.0))
        await until(lambda: is_asked(localiser))
        localiser.take(tracked(0.1))
        clock.now_s = 2.0
        os.kill(process, signal.SIGCONT)
        advised = await until_advised(localiser, 0.0)
    assert advised.counted_until_s == pytest.approx(0.1)
    assert sizes == [1, 1]


async def test_another_patient_s_way_is_nobody_s() -> None:
    """A new map takes the old one's advice away at once."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    async with running(localiser):
        localiser.take(tracked(monotonic()))
        await until_advised(localiser, 0.0)
        localiser.begin(premises())
        assert localiser.advised is None


async def test_advice_that_fails_costs_no_estimate() -> None:
    """From a pose in no patient's frame it goes wrong: the belief stays, and readings go on being counted."""
    clock = Clock()
    localiser = Localiser(clock=clock)
    localiser.begin(premises())
    async with running(localiser):
        localiser.take(tracked(0.0))
        await until_advised(localiser, 0.0)
        clock.now_s = 5.0
        nowhere = tracked(0.1)
        assert nowhere.patient_from_tip is not None
        localiser.take(replace(nowhere, patient_from_tip=replace(nowhere.patient_from_tip, to=Frame.TRACKER)))
        await until(lambda: localiser.advised is None)
        localiser.take(tracked(0.2))
        await until_counted(localiser, 3)
    assert localiser.is_estimating
    assert localiser.obstacle == ""


async def test_what_was_counted_is_held_against_what_was_expected() -> None:
    """Each belief carries the newest counts and what it expects of them."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(premises())
    async with running(localiser):
        for number in range(30):
            localiser.take(tracked(0.1 * number))
        await until_counted(localiser, 30)
    assert localiser.newest is not None
    agreement = localiser.newest.agreement
    assert agreement is not None
    assert agreement.counts == 40 * 20
    assert agreement.verdict == "agrees"

"""The posterior beside the loop: every count used, the newest belief held, nothing kept of another map."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition.advising import Advised
from acquisition.calibration import load_calibration
from acquisition.localising import Localiser
from acquisition.synchronise import TrackedCount, TrackStatus
from devices.clock import monotonic
from navigation.errors import NavigationError
from navigation.estimation.estimate import Posterior
from navigation.estimation.lattice import Scan
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.screening.sieve import Reason
from navigation.tissue import HalfSpace
from navigation.transforms import RigidTransform
from tests.acquisition.received import hotspot

LOOKING_BACK = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
"""Columns left, up and ahead of a probe before the patient that looks to her back (+y), up to her head."""


@cache
def response() -> Response:
    """The shipped calibration of the simulated probe."""
    folder = Path(str(files("config"))) / "instruments"
    return load_calibration(folder / "simulated-gamma.json", is_simulated=True).response


def estimator() -> Estimator:
    skin = HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))
    return Estimator(response(), Prior.from_hotspots([hotspot()]), skin)


class HeldEstimator(Estimator):
    """An estimator that a test can hold in the middle of an update."""

    def __init__(self) -> None:
        skin = HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))
        super().__init__(response(), Prior.from_hotspots([hotspot()]), skin)
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.sizes: list[int] = []

    def add(self, observations: Observations) -> Posterior:
        """Add them when the test lets it go on."""
        self.begun.set()
        assert self.may_go_on.wait(20)
        self.sizes.append(len(observations))
        return super().add(observations)


def tracked(middle_s: float, *, status: TrackStatus = TrackStatus.OK, x_mm: float = 0.0) -> TrackedCount:
    tip = RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=LOOKING_BACK, translation_mm=np.array([x_mm, -32.0, 0.0])
    )
    is_placed = status in {TrackStatus.OK, TrackStatus.OVERLOAD}
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


async def until_counted(localiser: Localiser, readings: int) -> Posterior:
    """Wait until the belief rests on so many readings."""
    async with asyncio.timeout(30):
        while localiser.newest is None or localiser.newest.posterior.readings < readings:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.002)
    return localiser.newest.posterior


async def test_no_count_that_comes_during_an_update_is_lost() -> None:
    """Counts wait in one batch for the next update, in order, and the belief rests on all of them."""
    localiser, held = Localiser(clock=monotonic), HeldEstimator()
    localiser.begin(held)
    async with running(localiser):
        localiser.take(tracked(0.0))
        await asyncio.to_thread(held.begun.wait, 20)
        for number in range(1, 8):
            localiser.take(tracked(0.1 * number, x_mm=number))
        assert localiser.newest is None
        held.may_go_on.set()
        posterior = await until_counted(localiser, 8)
    assert held.sizes == [1, 7]
    assert posterior.readings == 8
    assert localiser.newest is not None
    assert localiser.newest.counted_until_s == pytest.approx(0.7)
    assert localiser.newest.update_ms > 0


async def test_what_a_replaced_estimator_answers_is_dropped() -> None:
    """A belief about the former patient's map, still being computed as the map changes, never comes up."""
    localiser, former = Localiser(clock=monotonic), HeldEstimator()
    localiser.begin(former)
    async with running(localiser):
        localiser.take(tracked(0.0))
        await asyncio.to_thread(former.begun.wait, 20)
        localiser.take(tracked(0.1))  # waits for an update that is not to come
        localiser.begin(estimator())
        assert localiser.newest is None
        former.may_go_on.set()
        async with asyncio.timeout(20):
            while not former.sizes:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.002)
        localiser.take(tracked(0.2))
        posterior = await until_counted(localiser, 1)
    assert former.sizes == [1]
    assert posterior.readings == 1
    assert localiser.newest is not None
    assert localiser.newest.counted_until_s == pytest.approx(0.2)


async def test_without_a_map_nothing_is_believed() -> None:
    """Counts taken before a map came, or after it went, are not counted to the next one."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.take(tracked(0.0))
        localiser.begin(estimator())
        localiser.take(tracked(0.1))
        await until_counted(localiser, 1)
        localiser.begin(None)
        assert localiser.newest is None
        localiser.take(tracked(0.2))
        localiser.begin(estimator())
        localiser.take(tracked(0.3))
        posterior = await until_counted(localiser, 1)
    assert posterior.readings == 1


async def test_only_counts_with_a_trustworthy_place_are_used() -> None:
    """An overload, a lost pose or a missing registration says nothing about where the target is."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(estimator())
    async with running(localiser):
        for status in TrackStatus:
            localiser.take(tracked(0.1, status=status))
        posterior = await until_counted(localiser, 1)
    assert posterior.readings == 1


async def test_a_reading_that_cannot_be_costs_no_other() -> None:
    """An endless live time, a reading that came twice and a wild pose: the rest is believed, and all is told."""
    localiser, held = Localiser(clock=monotonic), HeldEstimator()
    localiser.begin(held)
    readings = [tracked(0.1 * number, x_mm=number) for number in range(12)]
    readings[3] = replace(readings[3], live_time_s=float("inf"))
    readings[8] = tracked(0.8, x_mm=120.0)
    readings.insert(6, readings[5])
    held.may_go_on.set()
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
    localiser.begin(estimator())
    async with running(localiser):
        localiser.take(tracked(0.0))
        await until_counted(localiser, 1)
        localiser.take(tracked(0.0))
        async with asyncio.timeout(20):
            while not localiser.rejections.total:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.002)
        assert localiser.newest is not None
        assert localiser.newest.rejections == localiser.rejections
        assert localiser.newest.posterior.readings == 1
    localiser.begin(estimator())
    assert localiser.rejections.total == 0


async def test_a_jump_into_the_patient_is_known_by_her_skin() -> None:
    """With the skin at hand, a tip that is 60 mm inside for one reading has a reason of its own."""
    localiser = Localiser(clock=monotonic)
    skin = HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))
    localiser.begin(estimator(), tissue=skin)
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
    localiser.begin(estimator())
    tip = tracked(0.0).patient_from_tip
    assert tip is not None
    assert localiser.guide(tip) is None
    async with running(localiser):
        localiser.take(tracked(0.0))
        await until_counted(localiser, 1)
    guidance = localiser.guide(tip)
    assert guidance is not None
    assert guidance.sentence


class BrokenEstimator(HeldEstimator):
    """An estimator whose numbers have gone wrong."""

    def add(self, observations: Observations) -> Posterior:
        """Fail as a singular matrix does."""
        raise np.linalg.LinAlgError(f"Singular matrix of {len(observations)}")


async def test_an_estimate_that_fails_is_taken_back_and_says_so() -> None:
    """Nothing is believed any more, the reason stands there, and a new map starts afresh."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.begin(BrokenEstimator())
        localiser.take(tracked(1.0))
        async with asyncio.timeout(20):
            while not localiser.obstacle:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.002)
        assert localiser.newest is None
        assert "Singular matrix" in localiser.obstacle
        localiser.begin(estimator())
        localiser.take(tracked(2.0))
        await until_counted(localiser, 1)
        assert localiser.obstacle == ""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


async def until_advised(localiser: Localiser, until_s: float) -> Advised:
    """Wait for an advice that rests on counts until then."""
    async with asyncio.timeout(30):
        while localiser.advised is None or localiser.advised.counted_until_s < until_s:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.002)
    return localiser.advised


def skin_before_her() -> HalfSpace:
    return HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))


async def test_advice_comes_once_a_second() -> None:
    """The first count gives one; those of the same second none more; the first a second later the next."""
    clock = Clock()
    localiser = Localiser(clock=clock)
    localiser.begin(estimator(), tissue=skin_before_her())
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
    clock, held = Clock(), HeldEstimator()
    localiser = Localiser(clock=clock)
    localiser.begin(held, tissue=skin_before_her())
    async with running(localiser):
        localiser.take(tracked(0.0))
        await asyncio.to_thread(held.begun.wait, 20)
        localiser.take(tracked(0.1))
        clock.now_s = 2.0
        held.may_go_on.set()
        advised = await until_advised(localiser, 0.0)
    assert advised.counted_until_s == pytest.approx(0.1)
    assert held.sizes == [1, 1]


async def test_nobody_is_advised_without_a_skin_or_another_patient_s_way() -> None:
    """Where no skin is known there is no pose to advise; a new map takes the old one's advice away at once."""
    localiser = Localiser(clock=monotonic)
    async with running(localiser):
        localiser.begin(estimator())
        localiser.take(tracked(0.0))
        await until_counted(localiser, 1)
        localiser.begin(estimator(), tissue=skin_before_her())
        localiser.take(tracked(monotonic()))
        await until_advised(localiser, 0.0)
        localiser.begin(estimator())
        assert localiser.advised is None


class ForgetfulEstimator(Estimator):
    """An estimator that cannot say what it searched for, as advice wants to know."""

    def __init__(self) -> None:
        super().__init__(response(), Prior.from_hotspots([hotspot()]), skin_before_her())
        self.asked = 0

    def searched(self, name: str) -> tuple[NDArray[np.float64], Scan] | None:
        """Fail."""
        self.asked += 1
        raise NavigationError(f"nothing known of {name}")


async def test_advice_that_fails_costs_no_estimate() -> None:
    """What goes wrong in the advice leaves the belief as it is, and readings go on being counted."""
    forgetful = ForgetfulEstimator()
    localiser = Localiser(clock=Clock())
    localiser.begin(forgetful, tissue=skin_before_her())
    async with running(localiser):
        localiser.take(tracked(0.0))
        async with asyncio.timeout(20):
            while not forgetful.asked:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.002)
        localiser.take(tracked(0.1))
        await until_counted(localiser, 2)
    assert localiser.advised is None
    assert localiser.is_estimating
    assert localiser.obstacle == ""


async def test_what_was_counted_is_held_against_what_was_expected() -> None:
    """Each belief carries the newest counts and what it expects of them."""
    localiser = Localiser(clock=monotonic)
    localiser.begin(estimator())
    async with running(localiser):
        for number in range(30):
            localiser.take(tracked(0.1 * number))
        await until_counted(localiser, 30)
    assert localiser.newest is not None
    agreement = localiser.newest.agreement
    assert agreement is not None
    assert agreement.counts == 40 * 20
    assert agreement.verdict == "agrees"

"""A hand that knows nothing but the feed: it goes where the advice says, and the node is found."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition.estimate.estimating import Premises
from acquisition.estimate.localising import Localiser
from acquisition.synchronise import Synchroniser, TipChain
from devices.readings import CountReading, PoseReading, PoseStatus
from display.messages.feed import AdviceState, State
from navigation.estimation.prior import Prior
from navigation.frames import Frame
from navigation.steering.advice import HAND_DEG_PER_S, HAND_MM_PER_S
from navigation.tissue import HalfSpace
from navigation.transforms import RigidTransform
from simulators.probe_physics import ProbePhysics
from tests.acquisition.estimate.test_localising import response
from tests.acquisition.received import hotspot, received
from tests.display.test_composer import Console

Array = NDArray[np.float64]

READING_S, POSES_A_SECOND = 0.1, 60
NODE_MM = np.array([9.0, -13.0, 8.0])
"""17 mm under the skin, 14 mm from where the map has it."""
NODE_MBQ = 0.3
START_MM = np.array([-20.0, -32.0, -16.0])
SKIN = HalfSpace(point_mm=np.array([0.0, -30.0, 0.0]), normal=np.array([0.0, -1.0, 0.0]))


def held(tip_mm: Array, axis: Array) -> RigidTransform:
    """A probe whose up mark is as near the patient's head as can be."""
    up = np.array([0.0, 0.0, 1.0]) - axis[2] * axis
    up /= np.linalg.norm(up)
    rotation = np.column_stack((np.cross(up, axis), up, axis))
    return RigidTransform(to=Frame.PATIENT, from_=Frame.TIP, rotation=rotation, translation_mm=tip_mm)


class Hand:
    """Holds the probe; moves and turns it no faster than hands do."""

    def __init__(self) -> None:
        self.tip_mm, self.axis = START_MM, np.array([0.0, 1.0, 0.0])

    def go(self, advice: AdviceState, seconds: float) -> None:
        """Go where the advice says, as far as the time allows."""
        way_mm = np.array(advice.tip_mm) - self.tip_mm
        length_mm = float(np.linalg.norm(way_mm))
        self.tip_mm = self.tip_mm + way_mm * min(1.0, HAND_MM_PER_S * seconds / max(length_mm, 1e-9))
        turn_deg = float(np.degrees(np.arccos(np.clip(self.axis @ np.array(advice.axis), -1.0, 1.0))))
        share = min(1.0, HAND_DEG_PER_S * seconds / max(turn_deg, 1e-9))
        axis = (1 - share) * self.axis + share * np.array(advice.axis)
        self.axis = axis / np.linalg.norm(axis)


Move: TypeAlias = Callable[[Hand, State], None]
"""What a hand does from one reading to the next, seeing a frame."""


class Theatre:
    """One room from readings to frames, in a time of its own; a probe that counts what one node gives it."""

    def __init__(self) -> None:
        self._poses = 100 * POSES_A_SECOND
        self.hand = Hand()
        self._console = Console()
        self._rng = np.random.default_rng(11)
        self._physics = ProbePhysics()
        self.localiser = Localiser(clock=lambda: self.now_s)
        chain = TipChain(
            tool="Probe",
            reference=None,
            tool_from_tip=RigidTransform.identity(Frame.TOOL, Frame.TIP),
            patient_from_reference=RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE),
        )
        self.synchroniser = Synchroniser(chain, emit=self.localiser.take)
        self._console.composer.localiser = self.localiser
        self._console.composer.synchroniser = self.synchroniser

    @property
    def now_s(self) -> float:
        """The room's clock."""
        return self._poses / POSES_A_SECOND

    async def begin(self) -> asyncio.Task[None]:
        """Take the study into use and start from its map."""
        await self._console.archive.take(received())
        prior = Prior.from_hotspots([hotspot()])
        self.localiser.begin(Premises(response=response(), prior=prior, tissue=SKIN))
        self._see()
        return asyncio.create_task(self.localiser.run())

    def frame(self) -> State:
        """What every display gets now."""
        return self._console.frame(self.now_s)

    async def pass_second(self, move: Move, estimating: asyncio.Task[None]) -> list[State]:
        """Count for a second, moving from reading to reading, until it is believed; return the frames."""
        frames = []
        for _ in range(10):
            frame = self.frame()
            frames.append(frame)
            move(self.hand, frame)
            began_s = self.now_s
            for _ in range(6):
                self._poses += 1
                self._see()
            self._count(began_s)
        async with asyncio.timeout(30):
            while not self._is_believed():
                await asyncio.wait({estimating}, timeout=0.002)
                assert not estimating.done(), estimating
        return frames

    def _is_believed(self) -> bool:
        """Whether all but what waits for the next poses is counted, and advice was asked on it."""
        newest, advised = self.localiser.newest, self.localiser.advised
        since_s = self.now_s - 4 * READING_S
        return bool(newest and advised and min(newest.counted_until_s, advised.counted_until_s) > since_s)

    def _see(self) -> None:
        pose = held(self.hand.tip_mm + self._rng.normal(0.0, 0.2, 3), self.hand.axis)
        seen = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TOOL, rotation=pose.rotation, translation_mm=pose.translation_mm
        )
        reading = PoseReading(
            device="camera",
            tool="Probe",
            taken_at_s=self.now_s,
            tracker_from_tool=seen,
            status=PoseStatus.OK,
            error_mm=0.2,
        )
        self.synchroniser.add_pose(reading, now_s=self.now_s)

    def _count(self, began_s: float) -> None:
        tip = held(self.hand.tip_mm, self.hand.axis)
        fall_mm = NODE_MM[1] - tip.translation_mm[1]
        in_air = max(0.0, (-30.0 - tip.translation_mm[1]) / fall_mm)
        path_mm = np.array([(1 - in_air) * np.linalg.norm(NODE_MM - tip.translation_mm)])
        rate_cps = self._physics.rate_cps(tip.inverse.points_mm(NODE_MM[None]), np.array([NODE_MBQ]), path_mm)
        self.synchroniser.add_count(
            CountReading(
                device="gamma",
                taken_at_s=began_s,
                real_time_s=READING_S,
                live_time_s=READING_S,
                counts=int(self._rng.poisson(rate_cps * READING_S)),
            ),
            now_s=self.now_s,
        )


def follow(hand: Hand, frame: State) -> None:
    """Go where the feed says, or stay."""
    if frame.guidance.advice is not None:
        hand.go(frame.guidance.advice, READING_S)


def stay(_hand: Hand, _frame: State) -> None:
    """Hear nothing."""


async def run(theatre: Theatre, move: Move, seconds: int) -> list[State]:
    """Begin, and pass the time; return all frames."""
    estimating = await theatre.begin()
    try:
        frames = [frame for _ in range(seconds) for frame in await theatre.pass_second(move, estimating)]
    finally:
        estimating.cancel()
        await asyncio.gather(estimating, return_exceptions=True)
    return [*frames, theatre.frame()]


async def test_a_hand_that_follows_the_feed_finds_the_node() -> None:
    """From a place that tells little, the advised poses alone locate the node within 25 s; then it is gone to."""
    theatre = Theatre()
    frames = await run(theatre, follow, 25)
    (searched, *_), last = [frame for frame in frames if frame.guidance.advice], frames[-1]
    assert not searched.targets[0].localisable
    assert searched.targets[0].centre_mm is None
    assert searched.guidance.sentence.startswith("Cannot tell yet: hold ")
    assert searched.guidance.advice is not None
    assert searched.guidance.advice.information_bit is not None
    (target, *_) = last.targets
    assert target.localisable
    assert target.centre_mm is not None
    assert np.linalg.norm(np.array(target.centre_mm) - NODE_MM) < 3.0
    assert last.guidance.probability_near is not None
    assert last.guidance.probability_near > 0.9
    assert last.guidance.advice is None
    assert last.guidance.sentence.startswith("Target 1: ")
    assert last.guidance.depth_mm == pytest.approx(17.0, abs=3.0)
    assert last.posterior is not None
    assert last.posterior.agreement is not None
    assert last.posterior.agreement.verdict == "agrees"
    assert {frame.guidance.motion for frame in frames} >= {"toward", "still"}


async def test_a_hand_that_stays_does_not() -> None:
    """Held still where the first one started, the probe locates nothing in the same time, and advice stays."""
    frames = await run(Theatre(), stay, 25)
    assert not any(target.localisable for frame in frames for target in frame.targets)
    assert frames[-1].guidance.advice is not None
    assert frames[-1].guidance.sentence.startswith("Cannot tell yet: hold ")

"""Error budget at the tip, from a simulated tracker over its wire to what is told: it holds the true tip."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from acquisition.synchronise import Synchroniser, TipChain
from acquisition.tracking.budget import Budgeting
from acquisition.tracking.judging import judge_registration
from acquisition.tracking.landmark_plan import LandmarkPlan
from acquisition.tracking.settings import AccuracySettings, RegistrationSettings
from devices.readings import PoseReading, PoseStatus
from devices.trackers.openigtlink import OpenIgtLinkTracker, Settings
from navigation.calibration.pivot import FEWEST_POSES, calibrate_pivot
from navigation.error_budget import ErrorBudget
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker

Array = NDArray[np.float64]
Frames = Sequence[tuple[float, RigidTransform, RigidTransform]]
"""Of times, s, and what the tracker measures of the probe's tool and of the patient's reference then."""

CONFIGURATIONS = 2000
POSES = FEWEST_POSES
"""Of a pivot."""

SETTINGS = RegistrationSettings(file=Path("registration.json"), fle_mm=2.0, greatest_tre_mm=1000.0)


def measured(
    poses: Sequence[RigidTransform], rng: np.random.Generator, accuracy: AccuracySettings
) -> list[RigidTransform]:
    """What a tracker of this accuracy makes of poses."""
    turns = Rotation.from_rotvec(rng.normal(0, np.radians(accuracy.tracker_deg), (len(poses), 3))).as_matrix()
    shifts_mm = rng.normal(0, accuracy.tracker_mm / np.sqrt(3), (len(poses), 3))
    return [
        RigidTransform(
            to=pose.to,
            from_=pose.from_,
            rotation=pose.rotation @ turn,
            translation_mm=pose.translation_mm + shift_mm,
        )
        for pose, turn, shift_mm in zip(poses, turns, shifts_mm, strict=True)
    ]


def somewhere(to: Frame, from_: Frame, rng: np.random.Generator, reach_mm: float) -> RigidTransform:
    return RigidTransform(
        to=to,
        from_=from_,
        rotation=Rotation.random(rng=rng).as_matrix(),
        translation_mm=rng.uniform(-reach_mm, reach_mm, 3),
    )


class Wire:
    """A simulated tracker, the shipped driver before it, and TCP between them; time is what the test says."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._seen: dict[str, RigidTransform | None] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Serve, and connect."""
        rng = np.random.default_rng(1)
        async with serve_tracker(lambda _: self._seen, rng=rng, rate_hz=1e-4, clock=self._clock) as tracker:
            tracker.is_silent = True  # it tells what it is asked to, and nothing by itself
            self._tracker: SimulatedTracker = tracker
            settings = Settings(
                driver="openigtlink", host=tracker.host, port=tracker.port, tools=("Probe", "Patient")
            )
            async with settings.connect("camera", clock=self._clock) as connection:
                self._connection: OpenIgtLinkTracker = connection
                yield

    async def receive(self, frames: Frames) -> list[PoseReading]:
        """Have frames sent, and give what the driver made of them; those of less than 10 ms are sent in one go."""
        readings = list[PoseReading]()
        sent = 0
        for number, (at_s, probe, patient) in enumerate(frames):
            self.now_s, self._seen = at_s, {"Probe": probe, "Patient": patient}
            self._tracker.tell(at_s)
            sent += 2
            if number + 1 == len(frames) or frames[number + 1][0] - at_s > 0.01:
                readings += [await anext(self._connection) for _ in range(sent)]
                sent = 0
        assert {reading.status for reading in readings} == {PoseStatus.OK}
        return readings

    def _clock(self) -> float:
        return self.now_s


class Configuration:
    """One room: its true motions, and what calibration, registration and tracker make of them."""

    def __init__(self, rng: np.random.Generator, wire: Wire, *, began_s: float) -> None:
        self._rng = rng
        self._wire = wire
        self._began_s = began_s
        self.accuracy = AccuracySettings(
            tracker_mm=rng.uniform(0.1, 0.6),
            tracker_deg=rng.uniform(0.05, 0.4),
            delay_sigma_s=rng.uniform(0.0, 0.05),
            tissue_mm=rng.uniform(0.2, 4.0),
        )
        self.tool_from_tip = somewhere(Frame.TOOL, Frame.TIP, rng, 120.0)
        self.patient_from_reference = somewhere(Frame.PATIENT, Frame.REFERENCE, rng, 200.0)
        self.tracker_from_reference = somewhere(Frame.TRACKER, Frame.REFERENCE, rng, 1000.0)
        seen = self.tracker_from_reference
        self.marker = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TOOL, rotation=seen.rotation, translation_mm=seen.translation_mm
        )

    async def calibrated(self) -> tuple[RigidTransform, Array]:
        """Pivot about a divot, as ``acquire tool`` has it done."""
        rng, divot_mm = self._rng, self._rng.uniform(-1000, 1000, 3)
        phase, cycles = rng.uniform(0, 2 * np.pi) + np.array((0, 0, np.pi / 2)), np.array((1, 2, 1))
        angles_deg = 35 * np.sin(phase + cycles * np.linspace(0, 2 * np.pi, POSES)[:, None])
        true = [
            RigidTransform(
                to=Frame.TRACKER,
                from_=Frame.TOOL,
                rotation=turn,
                translation_mm=divot_mm - turn @ self.tool_from_tip.translation_mm,
            )
            for turn in Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
        ]
        seen = measured(true, rng, self.accuracy)
        frames = [(self._began_s + 0.001 * number, pose, self.marker) for number, pose in enumerate(seen)]
        readings = await self._wire.receive(frames)
        poses = [
            reading.tracker_from_tool
            for reading in readings
            if reading.tool == "Probe" and reading.tracker_from_tool is not None
        ]
        found = calibrate_pivot(poses)
        tip = RigidTransform(
            to=Frame.TOOL,
            from_=Frame.TIP,
            rotation=self.tool_from_tip.rotation,
            translation_mm=found.tip_mm,
        )
        return tip, found.tip_covariance_mm2

    def registered(self) -> tuple[RigidTransform, RegistrationError]:
        """Touch landmarks, as ``acquire register`` has it done."""
        rng = self._rng
        count = int(rng.integers(4, 8))
        landmarks_mm = rng.uniform(-150, 150, (count, 3)) * rng.uniform(0.4, 1.0, 3)
        plan = LandmarkPlan(names=tuple("abcdefgh"[:count]), patient_mm=landmarks_mm, targets_mm={})
        noise_mm = rng.normal(0, SETTINGS.fle_mm / np.sqrt(3), landmarks_mm.shape)
        touched_mm = self.patient_from_reference.inverse.points_mm(landmarks_mm + noise_mm)
        found, result = judge_registration(plan, touched_mm, SETTINGS)
        if found is None or len(found.names) < count:  # one in a thousand is refused by chance, and touched again
            assert "fit" in result.reason or "line" in result.reason
            return self.registered()
        return found.registration.patient_from_reference, found.error

    def held(self, poses: Sequence[RigidTransform]) -> list[RigidTransform]:
        """What the tracker makes of poses of one moment: of slow errors, as those of a tracker mostly are."""
        error = self._rng.integers(2**31)
        return [measured([pose], np.random.default_rng(error), self.accuracy)[0] for pose in poses]

    async def miss(self) -> tuple[float, ErrorBudget]:
        """How far the shown tip is from the true one, and what is told of that."""
        rng, accuracy = self._rng, self.accuracy
        tip, covariance_mm2 = await self.calibrated()
        patient_from_reference, error = self.registered()
        chain = TipChain(
            tool="Probe", reference="Patient", tool_from_tip=tip, patient_from_reference=patient_from_reference
        )
        synchroniser = Synchroniser(chain, emit=lambda _: None)
        true = somewhere(Frame.PATIENT, Frame.TIP, rng, 120.0)
        velocity_mm_s = rng.normal(0, 60, 3)
        late_s = rng.normal(0, accuracy.delay_sigma_s)
        tissue_mm = rng.normal(0, accuracy.tissue_mm / np.sqrt(3), 3)
        to_tracker = self.tracker_from_reference @ self.patient_from_reference.inverse
        before_s = (0.12, 0.06, 0.0)
        moved = [
            RigidTransform(
                to=true.to,
                from_=true.from_,
                rotation=true.rotation,
                translation_mm=true.translation_mm - velocity_mm_s * (at_s + late_s),
            )
            for at_s in before_s
        ]
        probe = self.held([to_tracker @ pose @ self.tool_from_tip.inverse for pose in moved])
        patient = self.held([self.marker] * len(moved))
        frames = [
            (self._began_s + 5.0 - at_s, tool, reference)
            for at_s, tool, reference in zip(before_s, probe, patient, strict=True)
        ]
        for reading in await self._wire.receive(frames):
            synchroniser.add_pose(reading, now_s=reading.taken_at_s)
        shown = synchroniser.newest_tip()
        assert shown is not None
        budgeting = Budgeting(accuracy, tip_covariance_mm2=covariance_mm2, registration=lambda: error)
        budget = budgeting.of(shown, chain, synchroniser.velocity_mm_s(shown))
        away_mm = shown.patient_from_tip.translation_mm + tissue_mm - true.translation_mm
        return float(np.linalg.norm(away_mm)), budget


@pytest.mark.timeout(900)
async def test_the_true_tip_is_within_what_is_told_in_95_of_100() -> None:
    """Of 2,000 rooms, each calibrated, registered and tracked anew, 93 to 97 % hold the true tip in the 95 %.

    Every pose comes from a simulated tracker over TCP through the shipped driver.
    """
    rng, wire = np.random.default_rng(2026), Wire()
    held, by_part = 0, dict[str, float]()
    async with wire.opened():
        for number in range(CONFIGURATIONS):
            miss_mm, budget = await Configuration(rng, wire, began_s=10.0 * number).miss()
            assert budget.within_mm is not None
            held += miss_mm <= budget.within_mm
            for name, part_mm in budget.rms_mm().items():
                assert part_mm is not None
                by_part[name] = by_part.get(name, 0.0) + part_mm / CONFIGURATIONS
    assert 0.93 <= held / CONFIGURATIONS <= 0.97
    assert min(by_part.values()) > 0.05, by_part

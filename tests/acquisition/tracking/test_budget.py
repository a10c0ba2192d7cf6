"""The error that is told at the tip: how often it holds the true tip, and where it is not known."""

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
from devices.readings import PoseReading
from navigation.calibration.pivot import calibrate_pivot
from navigation.error_budget import ErrorBudget, round_error
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

CONFIGURATIONS = 2000

SETTINGS = RegistrationSettings(file=Path("registration.json"), fle_mm=2.0, greatest_tre_mm=1000.0)


def turned(rng: np.random.Generator, sigma_deg: float) -> Array:
    return np.asarray(Rotation.from_rotvec(np.radians(rng.normal(0, sigma_deg, 3))).as_matrix())


def measured(pose: RigidTransform, rng: np.random.Generator, accuracy: AccuracySettings) -> RigidTransform:
    """What a tracker of this accuracy makes of a pose."""
    return RigidTransform(
        to=pose.to,
        from_=pose.from_,
        rotation=pose.rotation @ turned(rng, accuracy.tracker_deg),
        translation_mm=pose.translation_mm + rng.normal(0, accuracy.tracker_mm / np.sqrt(3), 3),
    )


def somewhere(to: Frame, from_: Frame, rng: np.random.Generator, reach_mm: float) -> RigidTransform:
    return RigidTransform(
        to=to,
        from_=from_,
        rotation=Rotation.random(rng=rng).as_matrix(),
        translation_mm=rng.uniform(-reach_mm, reach_mm, 3),
    )


class Configuration:
    """One room: its true motions, and what calibration, registration and tracker make of them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.accuracy = AccuracySettings(
            tracker_mm=rng.uniform(0.1, 0.6),
            tracker_deg=rng.uniform(0.05, 0.4),
            delay_sigma_s=rng.uniform(0.0, 0.05),
            tissue_mm=rng.uniform(0.2, 4.0),
        )
        self.tool_from_tip = somewhere(Frame.TOOL, Frame.TIP, rng, 120.0)
        self.patient_from_reference = somewhere(Frame.PATIENT, Frame.REFERENCE, rng, 200.0)
        self.tracker_from_reference = somewhere(Frame.TRACKER, Frame.REFERENCE, rng, 1000.0)

    def calibrated(self) -> tuple[RigidTransform, Array]:
        """Pivot about a divot, as ``acquire tool`` has it done."""
        rng, divot_mm = self._rng, self._rng.uniform(-1000, 1000, 3)
        poses = []
        for angles_deg in rng.uniform(-35, 35, (30, 3)):
            turn = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
            pose = RigidTransform(
                to=Frame.TRACKER,
                from_=Frame.TOOL,
                rotation=turn,
                translation_mm=divot_mm - turn @ self.tool_from_tip.translation_mm,
            )
            poses.append(measured(pose, rng, self.accuracy))
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

    def miss(self) -> tuple[float, ErrorBudget]:
        """How far the shown tip is from the true one, and what is told of that."""
        rng, accuracy = self._rng, self.accuracy
        tip, covariance_mm2 = self.calibrated()
        patient_from_reference, error = self.registered()
        chain = TipChain(
            tool="Probe", reference="Patient", tool_from_tip=tip, patient_from_reference=patient_from_reference
        )
        synchroniser = Synchroniser(chain, emit=lambda _: None)
        true = somewhere(Frame.PATIENT, Frame.TIP, rng, 120.0)
        velocity_mm_s = rng.normal(0, 60, 3)
        late_s = rng.normal(0, accuracy.delay_sigma_s)
        tissue_mm = rng.normal(0, accuracy.tissue_mm / np.sqrt(3), 3)
        noise = {name: np.random.default_rng(rng.integers(2**31)) for name in ("Probe", "Patient")}
        states = {name: each.bit_generator.state for name, each in noise.items()}
        for at_s in (9.88, 9.94, 10.0):
            moved = RigidTransform(
                to=true.to,
                from_=true.from_,
                rotation=true.rotation,
                translation_mm=true.translation_mm + velocity_mm_s * (at_s - 10.0 - late_s),
            )
            to_tracker = self.tracker_from_reference @ self.patient_from_reference.inverse
            tool = to_tracker @ moved @ self.tool_from_tip.inverse
            seen = self.tracker_from_reference
            marker = RigidTransform(
                to=Frame.TRACKER, from_=Frame.TOOL, rotation=seen.rotation, translation_mm=seen.translation_mm
            )
            for name, pose in (("Probe", tool), ("Patient", marker)):
                noise[name].bit_generator.state = states[name]  # slow errors, as those of a tracker mostly are
                reading = measured(pose, noise[name], accuracy)
                synchroniser.add_pose(
                    PoseReading(device="camera", tool=name, taken_at_s=at_s, tracker_from_tool=reading), now_s=at_s
                )
        shown = synchroniser.newest_tip()
        assert shown is not None
        budget = Budgeting(accuracy, tip_covariance_mm2=covariance_mm2, registration=lambda: error).of(
            shown, chain
        )
        away_mm = shown.patient_from_tip.translation_mm + tissue_mm - true.translation_mm
        return float(np.linalg.norm(away_mm)), budget


@pytest.mark.timeout(900)
def test_the_true_tip_is_within_what_is_told_in_95_of_100() -> None:
    """Of 2,000 rooms, each calibrated, registered and tracked anew, 93 to 97 % hold the true tip in the 95 %."""
    rng = np.random.default_rng(2026)
    held, by_part = 0, dict[str, float]()
    for _ in range(CONFIGURATIONS):
        miss_mm, budget = Configuration(rng).miss()
        assert budget.within_mm is not None
        held += miss_mm <= budget.within_mm
        for name, part_mm in budget.rms_mm().items():
            assert part_mm is not None
            by_part[name] = by_part.get(name, 0.0) + part_mm / CONFIGURATIONS
    assert 0.93 <= held / CONFIGURATIONS <= 0.97
    assert min(by_part.values()) > 0.05, by_part


@pytest.mark.parametrize("missing", ["registration", "tracker", "calibration", "motion", "tissue"])
def test_an_unknown_part_makes_no_number(missing: str) -> None:
    """Where one part is not known nothing is told of the whole, and the others are told."""
    parts = dict.fromkeys(("registration", "tracker", "calibration", "motion", "tissue"), round_error(1.0))
    assert ErrorBudget(**parts).within_mm == pytest.approx(np.sqrt(5 / 3) * 2.7955, rel=1e-3)
    budget = ErrorBudget(**(parts | {missing: None}))
    assert budget.within_mm is None
    rms_mm = budget.rms_mm()
    assert rms_mm.pop(missing) is None
    assert all(part == pytest.approx(1.0) for part in rms_mm.values())

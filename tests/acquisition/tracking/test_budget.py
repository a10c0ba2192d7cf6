"""Each part of the error told at the tip beside what chance makes of it; ``tests.system`` has the sum."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from acquisition.synchronise import SeenTip, TipChain
from acquisition.tracking.budget import Budgeting
from acquisition.tracking.settings import AccuracySettings
from navigation.error_budget import ErrorBudget, round_error
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

DRAWS = 20_000
ACCURACY = AccuracySettings(tracker_mm=0.4, tracker_deg=0.3, delay_sigma_s=0.03, tissue_mm=3.0)

TIP_MM = np.array((5.0, 12.0, -142.0))
"""Of the tip in its tool: a long lever."""

REFERENCE_MM = np.array((220.0, -90.0, 60.0))
"""Of the reference in the patient: far from the tip, and from the origin."""

TOOL_TURN = Rotation.from_euler("xyz", (30, -50, 110), degrees=True)
"""``tracker_from_tool``."""

REFERENCE_TURN = Rotation.from_euler("xyz", (-70, 20, 40), degrees=True)
"""``tracker_from_reference``."""

PATIENT_TURN = Rotation.from_euler("xyz", (10, 80, -35), degrees=True)
"""``patient_from_reference``."""

TIP_COVARIANCE_MM2 = np.diag((0.04, 0.01, 0.5))
VELOCITY_MM_S = np.array((40.0, -10.0, 80.0))


def chain(*, reference: str | None = "Patient") -> TipChain:
    return TipChain(
        tool="Probe",
        reference=reference,
        tool_from_tip=RigidTransform(to=Frame.TOOL, from_=Frame.TIP, rotation=np.eye(3), translation_mm=TIP_MM),
        patient_from_reference=RigidTransform(
            to=Frame.PATIENT,
            from_=Frame.REFERENCE,
            rotation=PATIENT_TURN.as_matrix(),
            translation_mm=REFERENCE_MM,
        ),
    )


def tips_mm(tip_mm: Array, turns: tuple[Rotation, Rotation], shifts_mm: tuple[Array, Array]) -> Array:
    """Of tips (N, 3) in their tool: where they are in the patient, with errors of tool and reference."""
    tool_mm = np.array((30.0, -20.0, 900.0))
    in_tracker_mm = (TOOL_TURN * turns[0]).apply(tip_mm) + tool_mm + shifts_mm[0]
    in_reference_mm = (REFERENCE_TURN * turns[1]).inv().apply(in_tracker_mm - shifts_mm[1])
    return np.asarray(PATIENT_TURN.apply(in_reference_mm) + REFERENCE_MM)


STILL = Rotation.identity(), Rotation.identity()
UNSHIFTED = np.zeros(3), np.zeros(3)


def told(*, reference: str | None = "Patient", error: RegistrationError | None = None) -> ErrorBudget:
    """What is told of the tip where it is."""
    turn = PATIENT_TURN * REFERENCE_TURN.inv() * TOOL_TURN
    seen = SeenTip(
        patient_from_tip=RigidTransform(
            to=Frame.PATIENT,
            from_=Frame.TIP,
            rotation=turn.as_matrix(),
            translation_mm=tips_mm(TIP_MM[None], STILL, UNSHIFTED)[0],
        ),
        taken_at_s=0.0,
        tracker="camera",
        error_mm=None,
    )
    budgeting = Budgeting(ACCURACY, tip_covariance_mm2=TIP_COVARIANCE_MM2, registration=lambda: error)
    return budgeting.of(seen, chain(reference=reference), VELOCITY_MM_S)


def held_against(part_mm2: Array | None, drawn_mm: Array) -> None:
    """Hold a covariance against drawn errors (N, 3): each element to 5 % of the greatest variance."""
    assert part_mm2 is not None
    greatest_mm2 = float(np.linalg.eigvalsh(np.cov(drawn_mm.T))[-1])
    np.testing.assert_allclose(part_mm2, np.cov(drawn_mm.T), atol=0.05 * greatest_mm2)


@pytest.mark.parametrize("reference", ["Patient", None])
def test_the_trackers_part_is_what_its_noise_makes_at_the_tip(reference: str | None) -> None:
    """Tool and reference are each shifted and turned at the ends of their levers; without the one, the other."""
    rng = np.random.default_rng(1)

    def noise() -> tuple[Rotation, Array]:
        turns = Rotation.from_rotvec(np.radians(rng.normal(0, ACCURACY.tracker_deg, (DRAWS, 3))))
        return turns, rng.normal(0, ACCURACY.tracker_mm / np.sqrt(3), (DRAWS, 3))

    tool, patient = noise(), noise() if reference else (Rotation.identity(DRAWS), np.zeros((DRAWS, 3)))
    drawn_mm = tips_mm(np.tile(TIP_MM, (DRAWS, 1)), (tool[0], patient[0]), (tool[1], patient[1]))
    held_against(told(reference=reference).tracker, drawn_mm)


def test_the_calibrations_part_turns_with_the_tool() -> None:
    """The tip is known least well along its shaft, wherever that points in the patient."""
    rng = np.random.default_rng(2)
    held_against(
        told().calibration,
        tips_mm(rng.multivariate_normal(TIP_MM, TIP_COVARIANCE_MM2, DRAWS), STILL, UNSHIFTED),
    )


def test_the_motions_part_lies_along_the_way() -> None:
    """A delay that is not known moves the tip to and fro on its way, not beside it."""
    late_s = np.random.default_rng(3).normal(0, ACCURACY.delay_sigma_s, DRAWS)
    held_against(told().motion, late_s[:, None] * VELOCITY_MM_S)


def test_the_tissues_part_is_alike_in_all_directions() -> None:
    """Its root mean square is in space, not on an axis."""
    budget = told()
    assert budget.rms_mm()["tissue"] == pytest.approx(3.0)
    held_against(budget.tissue, np.random.default_rng(4).normal(0, 3.0 / np.sqrt(3), (DRAWS, 3)))


def test_the_registrations_part_is_that_at_the_tip() -> None:
    """Small turns about the landmarks' middle and shifts, as its covariance has them, felt where the tip is."""
    landmarks_mm = np.array(((0.0, -100, 100), (110, -80, 90), (-120, -85, 85), (10, -105, -40)))
    error = RegistrationError.of_landmarks(landmarks_mm, fle_mm=2.0)
    drawn = np.random.default_rng(5).multivariate_normal(np.zeros(6), error.covariance, DRAWS)
    tip_mm = tips_mm(TIP_MM[None], STILL, UNSHIFTED)[0]
    turned_mm = Rotation.from_rotvec(drawn[:, :3]).apply(tip_mm - error.centre_mm) + error.centre_mm
    held_against(told(error=error).registration, turned_mm + drawn[:, 3:])


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

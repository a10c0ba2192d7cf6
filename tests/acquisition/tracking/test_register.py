"""``acquire register`` and ``acquire verify`` over the shipped OpenIGTLink driver, and the record they keep."""

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from acquisition.calibration import CalibrationError
from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice, MorningAborted
from acquisition.tracking.following import Camera
from acquisition.tracking.landmark_plan import LandmarkPlan, PlanUnusable, read_plan
from acquisition.tracking.operator import Move
from acquisition.tracking.register import RegisterOutcome, run_register, run_verify
from acquisition.tracking.registration_file import newest_registration, read_registrations
from acquisition.tracking.touching import Hand
from devices.clock import monotonic
from devices.trackers.openigtlink import Settings
from navigation.calibration.approach import Lying
from navigation.statistics.radius import radius_within_mm
from simulators.theatre import PATIENT_FROM_REFERENCE, TOOL_FROM_TIP
from simulators.tool_bench import HandFault, ToolBench, open_tool_bench
from tests.acquisition.tracking.registering import SETTINGS, plan

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)


class Hasty:
    """A person who holds the tool before her body at one landmark, and goes on."""

    def __init__(self, bench: ToolBench, skipped: str) -> None:
        self._bench = bench
        self._skipped = skipped

    async def ready(self, move: Move) -> None:
        """Let the rig move, seen or not."""
        is_skipped = bool(self._skipped) and move.place == self._skipped
        see = self._bench.tracker.drop if is_skipped else self._bench.tracker.restore
        see("Probe")
        self._bench.hand.move(move.motion, move.place)

    async def judge(self, result: StepResult) -> Choice:  # noqa: ARG002 - whatever failed
        """Go on."""
        return Choice.CONTINUE

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Use what passed, unless she is too tired to look at it."""
        if self._skipped == results[-1].name:
            raise MorningAborted("nobody went on")


def turned(planned: LandmarkPlan) -> LandmarkPlan:
    """Negate x and y, as of RAS that is read as LPS."""
    at_mm = {name: place * (-1, -1, 1) for name, place in planned.targets_mm.items()}
    return replace(planned, patient_mm=planned.patient_mm * (-1, -1, 1), targets_mm=at_mm)


async def registered(
    folder: Path,
    *,
    verify: str = "",
    fault: HandFault | None = None,
    at: datetime = NOW,
    seed: int = 3,
    skipped: str = "",
    tool: str = "Probe",
    longest_s: float = 60.0,
    tip_calibrated_at: datetime | None = None,
    points: int | None = None,
    planned: LandmarkPlan | None = None,
    lying: Lying = Lying.SUPINE,
) -> tuple[RegisterOutcome, str]:
    shown = io.StringIO()
    settings = SETTINGS.model_copy(
        update={"file": folder / "registration.json", "hold_s": 0.4, "longest_s": longest_s}
    )
    async with open_tool_bench(folder, rng=np.random.default_rng(seed), clock=monotonic, fault=fault) as bench:
        device = Settings(
            driver="openigtlink", host=bench.tracker.host, port=bench.tracker.port, tools=("Probe", "Patient")
        )
        camera = Camera(name="camera", device=device, tool=tool, reference="Patient", clock=monotonic)
        hand = Hand(
            camera=camera,
            tool_from_tip=TOOL_FROM_TIP,
            serial="TM-17",
            operator=Hasty(bench, skipped),
            patient_id="A-1",
            tip_calibrated_at=tip_calibrated_at,
            is_simulated=True,
        )
        console = Console(file=shown, width=200)
        if verify:
            outcome = await run_verify(
                hand=hand,
                plan=plan(folder),
                name=verify,
                settings=settings,
                console=console,
                wall_time=lambda _: at,
            )
        else:
            outcome = await run_register(
                hand=hand,
                plan=planned or plan(folder),
                settings=settings,
                console=console,
                points=points,
                lying=lying,
                wall_time=lambda _: at,
            )
    return outcome, shown.getvalue()


async def test_landmarks_that_were_saved_as_the_wrong_axes_register_nobody(tmp_path: Path) -> None:
    """RAS that is said to be LPS fits without a distance that is off: the hand that came from above tells it."""
    outcome, shown = await registered(tmp_path, planned=turned(plan(tmp_path)))
    assert [(each.name, each.passed) for each in outcome.results] == [("registration", True), ("approach", False)]
    assert "the landmarks are turned by half, as where RAS was saved as LPS" in outcome.results[-1].reason
    assert "The patient is not registered by this" in shown
    assert not (tmp_path / "registration.json").exists()


async def test_who_lies_on_her_front_is_said_to(tmp_path: Path) -> None:
    """The hand comes from before her: that is from below one who lies on her front, and above one on her back."""
    outcome, _ = await registered(tmp_path, lying=Lying.PRONE)
    assert not outcome.passed
    assert "if she lies on her front" in outcome.results[-1].reason


async def test_what_nobody_accepts_is_not_written(tmp_path: Path) -> None:
    """It passed, and the room goes by what it went by before; why it ended is told."""
    outcome, shown = await registered(tmp_path, skipped="approach")
    assert outcome.results[-1].passed
    assert not outcome.passed
    assert not (tmp_path / "registration.json").exists()
    assert "Ended early: nobody went on" in shown


async def test_landmarks_are_touched_in_any_order(tmp_path: Path) -> None:
    """The hand chooses; which is which is found from the distances, and the patient lies where she does."""
    outcome, shown = await registered(tmp_path, points=6)
    assert outcome.passed, shown
    assert "touched in another order" in outcome.results[0].reason
    (record,) = read_registrations(tmp_path / "registration.json")
    np.testing.assert_allclose(record.transform.matrix, PATIENT_FROM_REFERENCE.matrix, atol=4.0)


async def test_a_patient_is_registered_again_and_both_stay_in_the_record(tmp_path: Path) -> None:
    """The newest is in use, within the predicted error; the one before it is kept with its landmarks."""
    first, shown = await registered(tmp_path)
    assert first.passed
    assert "SIMULATED" in shown
    again, _ = await registered(tmp_path, at=NOW + timedelta(hours=1), seed=4)
    assert again.passed
    path = tmp_path / "registration.json"
    former, newest = read_registrations(path)
    assert newest_registration(path, is_simulated=True) == newest
    assert (former.registered_at, newest.registered_at) == (NOW, NOW + timedelta(hours=1))
    assert [landmark.name for landmark in former.landmarks][:2] == ["sternal notch", "left shoulder"]
    target_mm = np.array((90.0, -60.0, 10.0))
    wrong_mm = newest.transform.points_mm(PATIENT_FROM_REFERENCE.inverse.points_mm(target_mm)) - target_mm
    assert np.linalg.norm(wrong_mm) < 3 * newest.error.at(target_mm)
    assert json.loads(json.dumps(again.to_dict()))["passed"]
    with pytest.raises(CalibrationError, match="simulated tracker"):
        newest_registration(path, is_simulated=False)


async def test_a_landmark_left_out_leaves_a_registration_that_passed(tmp_path: Path) -> None:
    """One touch failed and was not repeated, the rest is good: written, used, and passed; the step is told."""
    outcome, _ = await registered(tmp_path, skipped="left rib", longest_s=8.0)
    assert outcome.written == tmp_path / "registration.json"
    assert outcome.results[-1].name == "approach"
    assert "left rib" in [result.name for result in outcome.results if not result.passed]
    assert outcome.passed
    assert outcome.to_dict()["passed"] is True


async def test_a_name_that_the_tracker_does_not_know_is_told_in_time(tmp_path: Path) -> None:
    """Where only other tools come a touch ends as any other that fails, and the sentence names the tool."""
    async with asyncio.timeout(60):
        outcome, _ = await registered(tmp_path, tool="Prode", longest_s=0.5)
    assert not outcome.passed
    assert len(outcome.results) == 6
    assert {result.reason for result in outcome.results} == {
        "the camera never saw Prode: check its name and its line of sight"
    }


async def test_a_check_holds_and_a_slip_is_found(tmp_path: Path) -> None:
    """A landmark touched again passes; once the reference was pushed by 15 mm it does not, which is recorded."""
    await registered(tmp_path)
    held, _ = await registered(tmp_path, verify="xiphoid", at=NOW + timedelta(minutes=20), seed=4)
    assert held.passed, held.results
    path, hours = tmp_path / "registration.json", 12.0
    (registration,) = read_registrations(path)
    (place_mm,) = (each.patient_mm for each in registration.landmarks if each.name == "xiphoid")
    off_mm2 = registration.error.covariance_at(np.array(place_mm)) + registration.fle_mm**2 / 3 * np.eye(3)
    assert registration.verifications[-1].limit_mm == pytest.approx(radius_within_mm(off_mm2)), "and one touch"
    due = {"valid_hours": hours, "verify_within_min": 30.0}
    assert registration.doubt(NOW + timedelta(minutes=40), **due) == ""
    assert "last checked 31 min ago" in registration.doubt(NOW + timedelta(minutes=51), **due)
    assert "13 h old" in registration.doubt(NOW + timedelta(hours=13), **due)
    slipped, _ = await registered(tmp_path, verify="xiphoid", fault=HandFault.SLIPPED_REFERENCE)
    assert not slipped.passed
    assert "the reference has slipped" in slipped.results[-1].reason
    assert "slipped" in read_registrations(path)[-1].doubt(NOW, **due)


async def test_another_tip_does_not_vouch_for_a_registration(tmp_path: Path) -> None:
    """A touch with a tip that was calibrated since says nothing of where the former one is."""
    await registered(tmp_path, tip_calibrated_at=NOW - timedelta(days=2))
    with pytest.raises(CalibrationError, match="with another calibration of the tip: register again"):
        await registered(tmp_path, verify="xiphoid", tip_calibrated_at=NOW - timedelta(days=1))
    assert read_registrations(tmp_path / "registration.json")[-1].verifications == []


async def test_a_check_without_a_registration_is_refused(tmp_path: Path) -> None:
    """There is nothing to check."""
    with pytest.raises(CalibrationError, match="nothing is registered yet"):
        await registered(tmp_path, verify="xiphoid")


def test_a_damaged_record_is_refused_and_not_written_over(tmp_path: Path) -> None:
    """What cannot be read is named; what was registered before is not thrown away."""
    path = tmp_path / "registration.json"
    assert read_registrations(path) == ()
    path.write_text('{"format": "radionav-registrations", "version": 1')
    with pytest.raises(CalibrationError, match="no whole registrations"):
        read_registrations(path)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ('"mm"', '"m"', "coordinates in m, wanted mm"),
        ('"defined"', '"undefined"', "has no place"),
        ('"xiphoid"', '"left rib"', "names of their own"),
        ('"markups"', '"points"', "no markups of 3D Slicer"),
        ('"RAS"', '"IJK"', "no markups of 3D Slicer"),
    ],
)
def test_a_file_of_landmarks_is_read_or_named(tmp_path: Path, right: str, wrong: str, words: str) -> None:
    """Metres, a point without a place, two of one name, unknown axes: each named."""
    plan(tmp_path)
    path = tmp_path / "landmarks.mrk.json"
    path.write_text(path.read_text().replace(right, wrong, 1))
    with pytest.raises(PlanUnusable, match=words):
        read_plan(path)


def test_right_anterior_superior_is_turned_to_left_posterior_superior(tmp_path: Path) -> None:
    """The file says RAS, as Slicer's do by default: x and y change their sign, and LPS is taken as it is.

    What it says is wrong where names contradict it.
    """
    ras = plan(tmp_path)
    path = tmp_path / "landmarks.mrk.json"
    path.write_text(path.read_text().replace('"RAS"', '"LPS"'))
    with pytest.raises(
        PlanUnusable, match="left shoulder lies to the right of right shoulder: x has the other sign"
    ):
        read_plan(path)
    path.write_text(path.read_text().replace("left", "one").replace("right", "other"))
    np.testing.assert_allclose(read_plan(path).patient_mm, ras.patient_mm * (-1, -1, 1))
    with pytest.raises(PlanUnusable, match="no landmarks: No such file"):
        read_plan(tmp_path / "none.mrk.json")

"""``acquire register`` and ``acquire verify``: landmarks touched with the tip, judged, and kept in the record."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from acquisition.calibration import CalibrationError
from acquisition.quality.counts import WallTime
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.screen import table_of
from acquisition.quality.technologist import MorningAborted
from acquisition.tracking.approaching import judge_approach
from acquisition.tracking.drawing import draw, judge_skin
from acquisition.tracking.following import Screen, open_follower
from acquisition.tracking.judging import Found, judge_registration
from acquisition.tracking.landmark_plan import LandmarkPlan
from acquisition.tracking.operator import ProgressBar
from acquisition.tracking.registration_file import (
    Registration,
    TouchedLandmark,
    Verification,
    add_registration,
    add_verification,
    newest_registration,
)
from acquisition.tracking.settings import RegistrationSettings
from acquisition.tracking.tool import say_verdict
from acquisition.tracking.touching import Hand, touch_all
from devices.clock import wall_time
from navigation.calibration.approach import Lying
from navigation.statistics.radius import radius_within_mm
from navigation.tissue import Tissue


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOutcome:
    """What ``acquire register`` or ``acquire verify`` came to.

    Attributes
    ----------
    is_simulated
        Whether tracker and hand were simulated.
    results
        Verdicts: each touch that failed, and the registration or the check.
    aborted
        Why it ended early, or the empty string.
    written
        The file; None where nothing was written, and then what was there stays in use.

    """

    is_simulated: bool
    results: tuple[StepResult, ...]
    aborted: str
    written: Path | None

    @property
    def passed(self) -> bool:
        """Whether the patient is registered by it, or the check held: the last verdict is on the whole.

        A landmark that was left out does not count against the registration that passed without it.
        """
        return self.written is not None and self.results[-1].passed

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "simulated": self.is_simulated,
            "passed": self.passed,
            "aborted": self.aborted,
            "file": str(self.written) if self.written else None,
            "steps": [result.to_dict() for result in self.results],
        }


async def run_register(
    *,
    hand: Hand,
    plan: LandmarkPlan,
    settings: RegistrationSettings,
    console: Console,
    screen: Screen | None = None,
    points: int | None = None,
    skin: Tissue | None = None,
    lying: Lying = Lying.SUPINE,
    wall_time: WallTime = wall_time,
) -> RegisterOutcome:
    """Have the landmarks touched, register the patient, show how well, and put it in the record if it passed.

    With the ``skin`` of her CT the tip is then drawn over it, and both register her.

    ``points`` is how many are touched where they are touched in any order; None: each landmark once, in order.
    ``lying`` is how she lies on the table: the tip comes from above, unless the landmarks are turned by half.
    ``screen`` shows how far each motion is; None: the console does.

    Raises
    ------
    DeviceError
        Where the tracker cannot be opened, or fails.
    CalibrationError
        Where nobody said who the patient is, or the file cannot be written.

    """
    _say_simulated(hand, console)
    if not hand.patient_id:
        raise CalibrationError("nobody knows whose landmarks these are: give her Patient ID, --patient-id")
    asked = (
        {name: name for name in plan.names}
        if points is None
        else {f"landmark {n + 1} of {points}, in any order": "" for n in range(points)}
    )
    results, found, aborted = list[StepResult](), None, ""
    screen = screen or ProgressBar(console)
    try:
        async with open_follower(hand.camera, tool_from_tip=hand.tool_from_tip) as follower:
            touched, results = await touch_all(
                follower, asked, hand, settings=settings, console=console, screen=screen
            )
            if touched:
                places_mm = np.array([touch.place_mm for touch in touched])
                found, result = await asyncio.to_thread(
                    judge_registration, plan, places_mm, settings, tip_mm=places_mm[-1]
                )
                say_verdict(result, console)
                results.append(result)
            if found is not None:
                found, result = judge_approach(found, [touch.axis for touch in touched], lying)
                say_verdict(result, console)
                results.append(result)
            if found is not None and skin is not None:
                drawn_mm = await draw(follower, hand.operator, hand.camera.tool, settings, screen)
                found, result = await asyncio.to_thread(judge_skin, found, drawn_mm, skin, settings)
                say_verdict(result, console)
                results.append(result)
        if found is not None:
            await hand.operator.accept(results)
    except MorningAborted as exc:
        aborted, found = str(exc), None
    written = None
    if found is not None:
        add_registration(settings.file, _record(hand, found, settings, results, wall_time))
        written = settings.file
    return _concluded(hand, results, aborted, written, console)


async def run_verify(
    *,
    hand: Hand,
    plan: LandmarkPlan,
    name: str,
    settings: RegistrationSettings,
    console: Console,
    screen: Screen | None = None,
    wall_time: WallTime = wall_time,
) -> RegisterOutcome:
    """Have one landmark touched again, and put in the record how far the registration misses it.

    It passes within the 95 % of what the registration and one touch may be off. What does not is recorded too: the
    service then trusts no position until the patient is registered again.

    Raises
    ------
    DeviceError
        Where the tracker cannot be opened, or fails.
    CalibrationError
        Where nothing is registered, it was with another calibration of the tip, no landmark has that name, or the
        file cannot be written.

    """
    _say_simulated(hand, console)
    registration = newest_registration(settings.file, is_simulated=hand.is_simulated)
    if registration is None:
        raise CalibrationError(f"{settings.file}: nothing is registered yet; run acquire register")
    if registration.tip_calibrated_at != hand.tip_calibrated_at:
        raise CalibrationError(f"{settings.file}: registered with another calibration of the tip: register again")
    if name not in plan.names:
        raise CalibrationError(f"no landmark is called {name!r}: there are {', '.join(plan.names)}")
    results, written, aborted = list[StepResult](), None, ""
    try:
        async with open_follower(hand.camera, tool_from_tip=hand.tool_from_tip) as follower:
            touched, results = await touch_all(
                follower,
                {name: name},
                hand,
                settings=settings,
                console=console,
                screen=screen or ProgressBar(console),
            )
    except MorningAborted as exc:
        aborted, touched = str(exc), []
    if touched:
        place_mm = plan.patient_mm[plan.names.index(name)]
        touch_mm2 = settings.fle_mm**2 / 3 * np.eye(3)
        limit_mm = radius_within_mm(registration.error.covariance_at(place_mm) + touch_mm2)
        miss_mm = float(np.linalg.norm(registration.transform.points_mm(touched[0].place_mm) - place_mm))
        check = Verification(
            verified_at=wall_time(hand.camera.clock()), name=name, miss_mm=miss_mm, limit_mm=limit_mm
        )
        add_verification(settings.file, check)
        written = settings.file
        results.append(_judged(check))
        say_verdict(results[-1], console)
    return _concluded(hand, results, aborted, written, console)


def _judged(check: Verification) -> StepResult:
    figures = (Figure(name="missed by", value=check.miss_mm, unit="mm"),)
    limit = f"at most {check.limit_mm:.1f} mm: 95 % of what registration and touch may be off"
    if check.passed:
        reason = f"the registration holds: {check.name} within {check.miss_mm:.1f} mm"
        return StepResult(name="verification", passed=True, figures=figures, limit=limit, reason=reason)
    reason = (
        f"{check.name} is missed by {check.miss_mm:.1f} mm: the reference has slipped, or it is another landmark"
    )
    return failure("verification", limit, reason, *figures)


def _record(
    hand: Hand, found: Found, settings: RegistrationSettings, results: Sequence[StepResult], wall_time: WallTime
) -> Registration:
    return Registration(
        patient_id=hand.patient_id,
        frame_of_reference_uid=hand.frame_of_reference_uid,
        reference=hand.camera.reference or "",
        tool=hand.camera.tool,
        serial=hand.serial,
        is_simulated=hand.is_simulated,
        registered_at=wall_time(hand.camera.clock()),
        tip_calibrated_at=hand.tip_calibrated_at,
        patient_from_reference=found.registration.patient_from_reference.matrix.tolist(),
        centre_mm=found.error.centre_mm.tolist(),
        covariance=found.error.covariance.tolist(),
        landmarks=[
            TouchedLandmark(name=name, patient_mm=_place(ours), reference_mm=_place(theirs))
            for name, ours, theirs in zip(found.names, found.patient_mm, found.reference_mm, strict=True)
        ],
        fle_mm=settings.fle_mm,
        fre_mm=found.registration.fre_mm,
        results=[result.to_dict() for result in results if result.passed],
    )


def _place(place_mm: NDArray[np.float64]) -> tuple[float, float, float]:
    x_mm, y_mm, z_mm = place_mm.tolist()
    return x_mm, y_mm, z_mm


def _say_simulated(hand: Hand, console: Console) -> None:
    if hand.is_simulated:
        console.print("[bold yellow]SIMULATED: tracker, hand and patient[/bold yellow]")


def _concluded(
    hand: Hand, results: Sequence[StepResult], aborted: str, written: Path | None, console: Console
) -> RegisterOutcome:
    outcome = RegisterOutcome(
        is_simulated=hand.is_simulated, results=tuple(results), aborted=aborted, written=written
    )
    console.print()
    console.print(table_of(outcome.results))
    if written is not None:
        console.print(f"Written to {escape(str(written))}, beside what was there")
    else:
        why = f"Ended early: {aborted}. " if aborted else ""
        console.print(f"[red]The patient is not registered by this.[/red] {escape(why)}Nothing was written.")
    return outcome

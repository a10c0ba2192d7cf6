"""``acquire tool``: where the tip is (pivot), which way the probe looks (spin), and the file that keeps both."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from acquisition.quality.counts import WallTime
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.screen import table_of
from acquisition.quality.technologist import Choice, MorningAborted
from acquisition.tracking.following import Camera, Follower, Pose, Progress, Screen, open_follower
from acquisition.tracking.operator import Motion, Move, Operator, ProgressBar
from acquisition.tracking.settings import TipSettings
from acquisition.tracking.tip_file import TipCalibration, write_tip
from devices.clock import wall_time
from navigation.calibration.pivot import PivotCalibration, calibrate_pivot, spread_deg
from navigation.calibration.spin import SpinCalibration, calibrate_spin, tool_from_tip, turned_deg
from navigation.errors import NavigationError
from navigation.frames import Frame

Found = TypeVar("Found")

VERY_GOOD = 0.5
"""Share of a limit below which a figure is called very good."""

FEWEST = 20
"""Poses before which nothing is said of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolOutcome:
    """What ``acquire tool`` came to.

    Attributes
    ----------
    tool
        Its name as the tracker sends it.
    is_simulated
        Whether it was simulated.
    results
        Verdicts of the steps that were run.
    aborted
        Why it ended early, or the empty string.
    written
        The file; None where it did not pass, and then the old one stays.
    calibration
        What was written.

    """

    tool: str
    is_simulated: bool
    results: tuple[StepResult, ...]
    aborted: str
    written: Path | None
    calibration: TipCalibration | None

    @property
    def passed(self) -> bool:
        """Whether the tool may be navigated with."""
        return self.written is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire tool --json``."""
        calibration = self.calibration
        return {
            "tool": self.tool,
            "simulated": self.is_simulated,
            "passed": self.passed,
            "aborted": self.aborted,
            "file": str(self.written) if self.written else None,
            "calibrated_at": calibration.calibrated_at.isoformat() if calibration else None,
            "expires_at": calibration.expires_at.isoformat() if calibration else None,
            "tool_from_tip": calibration.tool_from_tip if calibration else None,
            "steps": [result.to_dict() for result in self.results],
        }


async def run_tool(
    *,
    camera: Camera,
    operator: Operator,
    settings: TipSettings,
    console: Console,
    screen: Screen | None = None,
    wall_time: WallTime = wall_time,
    is_simulated: bool = False,
) -> ToolOutcome:
    """Calibrate a tool's tip and axis, show how, and write the file if both passed.

    ``screen`` shows how far each motion is; None: the console does.

    Raises
    ------
    DeviceError
        Where the tracker cannot be opened, or fails.
    CalibrationError
        Where the file cannot be written.

    """
    if is_simulated:
        console.print("[bold yellow]SIMULATED: tracker and tool[/bold yellow]")
    round_ = _Round(camera, operator, settings, console, screen or ProgressBar(console))
    aborted, found = "", None
    try:
        async with open_follower(camera) as follower:
            identity = follower.identity
            found = await round_.run(follower)
        if found is not None:
            await operator.accept(round_.results)
    except MorningAborted as exc:
        aborted, found = str(exc), None
    calibration = None
    if found is not None:
        pivot, spin = found
        at = wall_time(camera.clock())
        calibration = TipCalibration(
            tool=camera.tool,
            serial=settings.serial,
            tracker=camera.name,
            tracker_identity=identity,
            is_simulated=is_simulated,
            calibrated_at=at,
            expires_at=at + timedelta(days=settings.valid_days),
            tool_from_tip=tool_from_tip(tip_mm=pivot.tip_mm, axis=spin.axis, up=settings.up).matrix.tolist(),
            tip_covariance_mm2=pivot.tip_covariance_mm2.tolist(),
            results=[result.to_dict() for result in round_.results],
        )
        write_tip(settings.file, calibration)
    outcome = ToolOutcome(
        tool=camera.tool,
        is_simulated=is_simulated,
        results=tuple(round_.results),
        aborted=aborted,
        written=settings.file if calibration else None,
        calibration=calibration,
    )
    _conclude(outcome, settings.file, console)
    return outcome


class _Round:
    """The two motions, each repeated as long as the operator wants."""

    def __init__(
        self, camera: Camera, operator: Operator, settings: TipSettings, console: Console, screen: Screen
    ) -> None:
        self.results: list[StepResult] = []
        self._camera = camera
        self._operator = operator
        self._settings = settings
        self._console = console
        self._screen = screen

    async def run(self, follower: Follower) -> tuple[PivotCalibration, SpinCalibration] | None:
        settings = self._settings
        press = Move(
            motion=Motion.PIVOT,
            instruction=f"Press the tip of {self._camera.tool} into the divot, then tilt it slowly to all sides",
        )
        turn = Move(
            motion=Motion.SPIN,
            instruction=f"Hold {self._camera.tool} upright in the divot and turn it about its shaft, to and fro",
        )
        pivot = await self._step(
            follower,
            press,
            lambda poses: pivot_progress(poses, settings),
            lambda poses: judge_pivot(poses, settings),
        )
        if pivot is None:
            return None
        spin = await self._step(
            follower,
            turn,
            lambda poses: spin_progress(poses, settings),
            lambda poses: judge_spin(poses, settings, pivot.tip_mm),
        )
        return None if spin is None else (pivot, spin)

    async def _step(
        self,
        follower: Follower,
        move: Move,
        progress: Callable[[Sequence[Pose]], Progress],
        judge: Callable[[Sequence[Pose]], tuple[Found | None, StepResult]],
    ) -> Found | None:
        attempts = 0
        while True:
            attempts += 1
            await self._operator.ready(move)
            poses = await follower.collect(
                Frame.TRACKER,
                Frame.TOOL,
                progress=progress,
                longest_s=self._settings.longest_s,
                screen=self._screen,
            )
            found, judged = await asyncio.to_thread(judge, poses)
            result = replace(judged, attempts=attempts)
            if not poses:
                unseen = follower.unseen() or self._camera.tool
                result = replace(
                    result, reason=f"the camera never saw {unseen}: check its name and its line of sight"
                )
            say_verdict(result, self._console)
            if result.passed or await self._operator.judge(result) is not Choice.REPEAT:
                self.results.append(result)
                return found


def pivot_progress(poses: Sequence[Pose], settings: TipSettings) -> Progress:
    """Say how far a pivot is: it ends by poses, spread and what is known of the tip."""
    if len(poses) < FEWEST:
        return Progress(share=0.0, words=f"{len(poses)} poses")
    spread = spread_deg(np.array([pose.transform.rotation for pose in poses]))
    share = min(1.0, len(poses) / settings.poses, spread / settings.spread_deg)
    words = f"{len(poses)} poses, tilted by {spread:.0f}° of {settings.spread_deg:.0f}°"
    try:
        found = calibrate_pivot([pose.transform for pose in poses])
    except NavigationError:
        return Progress(share=min(share, 0.9), words=words)
    wanted_mm = settings.greatest_sigma_mm * VERY_GOOD
    if found.tip_sigma_mm > wanted_mm:
        share = min(share, 0.9)
    return Progress(share=share, words=f"{words}, tip to {found.tip_sigma_mm:.2f} mm")


def spin_progress(poses: Sequence[Pose], settings: TipSettings) -> Progress:
    """Say how far a spin is: it ends by poses and by how far the tool was turned."""
    if len(poses) < FEWEST:
        return Progress(share=0.0, words=f"{len(poses)} poses")
    turned = turned_deg(np.array([pose.transform.rotation for pose in poses]))
    share = min(1.0, len(poses) / settings.poses, turned / settings.spin_deg)
    return Progress(share=share, words=f"{len(poses)} poses, turned by {turned:.0f}° of {settings.spin_deg:.0f}°")


def judge_pivot(poses: Sequence[Pose], settings: TipSettings) -> tuple[PivotCalibration | None, StepResult]:
    """Judge a pivot; what was found is there where it passed."""
    limit = f"tip to {settings.greatest_sigma_mm:g} mm, {settings.greatest_rms_mm:g} mm RMS in space"
    try:
        found = calibrate_pivot([pose.transform for pose in poses])
    except NavigationError as exc:
        return None, failure("pivot", limit, str(exc))
    figures = (
        Figure(name="tip known to", value=found.tip_sigma_mm, unit="mm"),
        Figure(name="RMS in space", value=found.rms_mm, unit="mm"),
        Figure(name="tilted by", value=found.spread_deg, unit="°"),
        Figure(name="poses", value=int(np.count_nonzero(found.is_used)), unit=f"of {len(poses)}"),
    )
    if found.rms_mm > settings.greatest_rms_mm:
        reason = (
            f"{found.rms_mm:.1f} mm RMS: the tip slid in the divot, the marker is loose, or its file is another's"
        )
        return None, failure("pivot", limit, reason, *figures)
    if found.tip_sigma_mm > settings.greatest_sigma_mm:
        reason = f"the tip is known to {found.tip_sigma_mm:.2f} mm only: tilt further to all sides, and longer"
        return None, failure("pivot", limit, reason, *figures)
    reason = (
        f"{grade(found.tip_sigma_mm, settings.greatest_sigma_mm)}: the tip is known to {found.tip_sigma_mm:.2f} mm"
    )
    return found, StepResult(name="pivot", passed=True, figures=figures, limit=limit, reason=reason)


def judge_spin(
    poses: Sequence[Pose], settings: TipSettings, tip_mm: NDArray[np.float64]
) -> tuple[SpinCalibration | None, StepResult]:
    """Judge a spin; what was found is there where it passed."""
    limit = "turned by 25°, the shaft swaying by 3° at most"
    try:
        found = calibrate_spin([pose.transform for pose in poses], tip_mm=tip_mm)
        tool_from_tip(tip_mm=tip_mm, axis=found.axis, up=settings.up)
    except NavigationError as exc:
        return None, failure("spin", limit, str(exc))
    figures = (
        Figure(name="shaft swayed by", value=found.wobble_deg, unit="°"),
        Figure(name="turned by", value=found.spin_deg, unit="°"),
        Figure(name="poses", value=int(np.count_nonzero(found.is_used)), unit=f"of {len(poses)}"),
    )
    reason = f"{grade(found.wobble_deg, 3.0)}: the shaft swayed by {found.wobble_deg:.1f}° while it was turned"
    return found, StepResult(name="spin", passed=True, figures=figures, limit=limit, reason=reason)


def grade(value: float, limit: float) -> str:
    """Call a figure that passed good or very good."""
    return "very good" if value <= VERY_GOOD * limit else "good"


def say_verdict(result: StepResult, console: Console) -> None:
    """Say whether a step passed, and why."""
    verdict = "[green]pass[/green]" if result.passed else "[red]FAIL[/red]"
    console.print(f"  {verdict}  {escape(result.reason)}")


def _conclude(outcome: ToolOutcome, path: Path, console: Console) -> None:
    console.print()
    console.print(table_of(outcome.results))
    if outcome.calibration is not None:
        until = outcome.calibration.expires_at.astimezone().date()
        written = escape(str(outcome.written))
        console.print(f"[green]{escape(outcome.tool)} passed[/green], until {until}. Written to {written}")
        return
    why = f"Ended early: {outcome.aborted}. " if outcome.aborted else ""
    fate = "is as it was" if path.exists() else "was not written"
    verdict = f"{escape(outcome.tool)} did not pass: do not navigate with it."
    console.print(f"[red]{verdict}[/red] {escape(f'{why}{path} {fate}.')}")

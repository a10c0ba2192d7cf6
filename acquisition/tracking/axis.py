"""``acquire axis``: does the probe count most where its axis points? The verdict goes into the tip's file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from acquisition.quality.counts import WallTime
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.tracking.following import Pose, Progress
from acquisition.tracking.operator import Motion, Move
from acquisition.tracking.settings import TipSettings
from acquisition.tracking.swept_probe import Sweeping, counted_track, say_end
from acquisition.tracking.tip_file import AxisCheck, TipCalibration, write_tip
from acquisition.tracking.tool import FEWEST, grade
from devices.clock import wall_time
from devices.readings import CountReading
from navigation.calibration.looking import LEAST_TILT_DEG, LEAST_TURN_DEG, LookDirection, calibrate_look
from navigation.calibration.pivot import spread_deg
from navigation.calibration.spin import turned_deg
from navigation.errors import NavigationError
from navigation.probe.response import Response

NAME = "axis"

SURE = 4.0
"""Standard errors that the limit must be worth, or the counts cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisOutcome:
    """What ``acquire axis`` came to: its verdicts, why it ended early if it did, and where it was noted.

    ``written`` is the tip's file: a verdict against the axis stands there too, and radionav then trusts no
    position. None where the counts could never tell, or the tip was typed in and has no file.
    """

    is_simulated: bool
    results: tuple[StepResult, ...]
    aborted: str
    written: Path | None
    look: LookDirection | None

    @property
    def passed(self) -> bool:
        """Whether the counts bear the axis out."""
        return not self.aborted and bool(self.results) and all(result.passed for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire axis --json``."""
        return {
            "simulated": self.is_simulated,
            "passed": self.passed,
            "aborted": self.aborted,
            "file": str(self.written) if self.written else None,
            "away_deg": None if self.look is None else self.look.away_deg,
            "interval_deg": None if self.look is None else list(self.look.interval_deg),
            "steps": [result.to_dict() for result in self.results],
        }


async def run_axis(
    *,
    sweeping: Sweeping,
    tip: TipCalibration | None,
    settings: TipSettings,
    wall_time: WallTime = wall_time,
) -> AxisOutcome:
    """Have the probe swung about a point source, hold its axis against the counts, and note it in the tip's file.

    ``tip`` is the calibration that the probe's ``tool_from_tip`` is of; None where that was typed in.
    What the counts tell is noted as soon as it is judged:
    who ends it after a verdict against the axis, or tries again and the counts cannot tell, leaves that verdict.

    Raises
    ------
    DeviceError
        Where tracker or probe cannot be opened, or fail.
    CalibrationError
        Where the file cannot be written.

    """
    camera, probe, noted = sweeping.camera, sweeping.probe, tip

    def judged(poses: Sequence[Pose], counts: Sequence[CountReading]) -> tuple[LookDirection | None, StepResult]:
        nonlocal noted
        look, result = judge_axis(poses, counts, probe.response, settings)
        if look is not None and tip is not None:
            check = _check_of(look, result, probe.name, wall_time(camera.clock()))
            noted = msgspec.structs.replace(tip, axis_check=check)
            write_tip(settings.file, noted)
        return look, result

    swept = await sweeping.sweep(
        move=swing_of(camera.tool),
        progress=lambda poses: swing_progress(poses, settings),
        longest_s=settings.swing_s,
        judge=judged,
        is_accepted=False,
    )
    written = None if noted is tip else settings.file
    say_end(swept.results, _fate(tip, noted, settings.file, swept.aborted), sweeping.console)
    return AxisOutcome(
        is_simulated=sweeping.is_simulated,
        results=swept.results,
        aborted=swept.aborted,
        written=written,
        look=swept.found,
    )


def _check_of(look: LookDirection, result: StepResult, probe: str, checked_at: datetime) -> AxisCheck:
    low_deg, high_deg = look.interval_deg
    return AxisCheck(
        checked_at=checked_at,
        probe=probe,
        passed=result.passed,
        away_deg=look.away_deg,
        low_deg=low_deg,
        high_deg=high_deg,
    )


def _fate(tip: TipCalibration | None, noted: TipCalibration | None, path: Path, aborted: str) -> str:
    """Say what became of the tip's file, and what follows from it."""
    ended = f" Ended early: {aborted}." if aborted else ""
    if tip is None or noted is None:
        return f"Nothing was written: the tip was typed in and has no file.{ended}"
    if noted is tip:
        return f"{path} is as it was.{ended}"
    doubt = noted.doubt(tip.calibrated_at)
    return f"Noted in {path}{f': {doubt}' if doubt else ''}.{ended}"


def swing_of(tool: str) -> Move:
    """Say how the probe is to be swung."""
    return Move(
        motion=Motion.SWING,
        instruction=(
            f"Swing {tool} about a point source, the tip 20-40 mm from it: slowly to all sides, and turn it half "
            "about its shaft and back meanwhile"
        ),
    )


def swing_progress(poses: Sequence[Pose], settings: TipSettings) -> Progress:
    """Say how long the probe has been swung, and how far."""
    if len(poses) < FEWEST:
        return Progress(share=0.0, words="wanted: the probe before the source")
    lasted_s = poses[-1].at_s - poses[0].at_s
    turns = np.array([pose.transform.rotation for pose in poses])
    words = (
        f"{lasted_s:.0f} s of {settings.swing_s:.0f} s, tilted by {spread_deg(turns):.0f}° of "
        f"{LEAST_TILT_DEG:.0f}°, turned by {turned_deg(turns):.0f}° of {LEAST_TURN_DEG:.0f}°"
    )
    return Progress(share=min(1.0, lasted_s / settings.swing_s), words=words)


def judge_axis(
    poses: Sequence[Pose], counts: Sequence[CountReading], response: Response, settings: TipSettings
) -> tuple[LookDirection | None, StepResult]:
    """Judge a swing; what was found is there where the counts could tell, be it for the axis or against it."""
    limit_deg = settings.greatest_axis_deg
    limit = f"within {limit_deg:g}° of the way it counts most"
    try:
        found = calibrate_look(counted_track(poses, counts), response)
    except NavigationError as exc:
        return None, failure(NAME, limit, str(exc))
    low_deg, high_deg = found.interval_deg
    figures = (
        Figure(name="away from the axis", value=found.away_deg, unit="°", sigma=found.sigma_deg),
        Figure(name="95 % from", value=low_deg, unit="°"),
        Figure(name="95 % to", value=high_deg, unit="°"),
        Figure(name="correlation", value=found.correlation, unit=""),
        Figure(name="distance", value=found.distance_mm, unit="mm"),
    )
    told = f"it counts most {found.away_deg:.1f}° ({low_deg:.1f}° to {high_deg:.1f}°) from its axis"
    if SURE * found.sigma_deg > limit_deg:
        remedy = "a stronger source, longer, tilted and turned further"
        reason = f"{told}, which is known to {found.sigma_deg:.1f}° only: {remedy}"
        return None, failure(NAME, limit, reason, *figures)
    if found.away_deg > limit_deg:
        reason = (
            f"{told}, towards its {found.towards}: the marker moved, the collimator sits askew or the head is "
            "bent. Run acquire tool again, and have the probe looked at if that does not help"
        )
        return found, failure(NAME, limit, reason, *figures)
    reason = f"{grade(found.away_deg, limit_deg)}: {told}"
    return found, StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason=reason)

"""``acquire timing``: how late the counts are behind the poses, and the file that keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from acquisition.calibration import CalibrationError
from acquisition.durable import write_whole
from acquisition.quality.counts import WallTime
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.tracking.following import Pose, Progress
from acquisition.tracking.operator import Motion, Move
from acquisition.tracking.settings import TimingSettings
from acquisition.tracking.swept_probe import Sweeping, counted_track, say_end
from devices.clock import wall_time
from devices.readings import CountReading
from navigation.calibration.timing import TimingCalibration, calibrate_timing
from navigation.errors import NavigationError
from navigation.probe.response import Response

VERSION = 1
NAME = "timing"


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How late a probe's counts are behind a tracker's poses.

    Attributes
    ----------
    probe, tracker
        Their names in the site file.
    is_simulated
        Whether they were simulated.
    calibrated_at
        UTC.
    delay_s, sigma_s
        A count that is stamped t was counted where the probe was at ``t - delay_s``; the standard error of that.

    """

    format: Literal["radionav-timing"] = "radionav-timing"
    version: int = VERSION
    probe: str
    tracker: str
    is_simulated: bool
    calibrated_at: datetime
    delay_s: float
    sigma_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingOutcome:
    """What ``acquire timing`` came to: its verdicts, why it ended early if it did, and what was written."""

    is_simulated: bool
    results: tuple[StepResult, ...]
    aborted: str
    written: Path | None
    timing: Timing | None

    @property
    def passed(self) -> bool:
        """Whether the delay is known."""
        return self.written is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire timing --json``."""
        return {
            "simulated": self.is_simulated,
            "passed": self.passed,
            "aborted": self.aborted,
            "file": str(self.written) if self.written else None,
            "delay_ms": None if self.timing is None else 1000 * self.timing.delay_s,
            "sigma_ms": None if self.timing is None else 1000 * self.timing.sigma_s,
            "steps": [result.to_dict() for result in self.results],
        }


async def run_timing(
    *,
    sweeping: Sweeping,
    settings: TimingSettings,
    wall_time: WallTime = wall_time,
) -> TimingOutcome:
    """Have the probe moved to and fro over a point source, find the delay, and write the file if it is known.

    Raises
    ------
    DeviceError
        Where tracker or probe cannot be opened, or fail.
    CalibrationError
        Where the file cannot be written.

    """
    camera, probe = sweeping.camera, sweeping.probe
    swept = await sweeping.sweep(
        move=sweep_of(camera.tool),
        progress=lambda poses: sweep_progress(poses, settings),
        longest_s=settings.sweep_s,
        judge=lambda poses, counts: judge_timing(poses, counts, probe.response, settings),
        is_accepted=True,
    )
    timing = None
    if swept.found is not None:
        timing = Timing(
            probe=probe.name,
            tracker=camera.name,
            is_simulated=sweeping.is_simulated,
            calibrated_at=wall_time(camera.clock()),
            delay_s=swept.found.delay_s,
            sigma_s=swept.found.sigma_s,
        )
        _write(settings.file, timing)
    fate = f"Written to {settings.file}" if timing else f"Nothing was written. {swept.aborted}".rstrip()
    say_end(swept.results, fate, sweeping.console)
    return TimingOutcome(
        is_simulated=sweeping.is_simulated,
        results=swept.results,
        aborted=swept.aborted,
        written=settings.file if timing else None,
        timing=timing,
    )


def sweep_of(tool: str) -> Move:
    """Ask for the motion."""
    instruction = f"Move {tool} to and fro over a point source, 10-30 mm above it, a pass each second"
    return Move(motion=Motion.SWEEP, instruction=instruction)


def sweep_progress(poses: Sequence[Pose], settings: TimingSettings) -> Progress:
    """Say how long the probe has been moved."""
    if len(poses) < 2:
        return Progress(share=0.0, words="wanted: the probe over the source")
    lasted_s = poses[-1].at_s - poses[0].at_s
    places = np.array([pose.transform.translation_mm for pose in poses])
    travel_mm = float(np.linalg.norm(np.ptp(places, axis=0)))
    words = f"{lasted_s:.0f} s of {settings.sweep_s:.0f} s, moved over {travel_mm:.0f} mm"
    return Progress(share=min(1.0, lasted_s / settings.sweep_s), words=words)


def judge_timing(
    poses: Sequence[Pose], counts: Sequence[CountReading], response: Response, settings: TimingSettings
) -> tuple[TimingCalibration | None, StepResult]:
    """Judge a sweep; what was found is there where it passed."""
    limit = f"known to {settings.greatest_sigma_ms:g} ms (standard error)"
    try:
        found = calibrate_timing(counted_track(poses, counts), response)
    except NavigationError as exc:
        return None, failure(NAME, limit, str(exc))
    low_s, high_s = found.interval_s
    figures = (
        Figure(name="counts behind poses", value=1000 * found.delay_s, unit="ms", sigma=1000 * found.sigma_s),
        Figure(name="95 % from", value=1000 * low_s, unit="ms"),
        Figure(name="95 % to", value=1000 * high_s, unit="ms"),
        Figure(name="uneven by", value=1000 * found.unevenness_s, unit="ms"),
        Figure(name="correlation", value=found.correlation, unit=""),
        Figure(name="passes", value=found.passes, unit=""),
    )
    told = f"counts are {1000 * found.delay_s:.0f} ms behind poses, known to {1000 * found.sigma_s:.1f} ms"
    if 1000 * found.sigma_s > settings.greatest_sigma_ms:
        remedy = "a stronger source, nearer, or longer"
        if 2000 * found.unevenness_s > settings.greatest_sigma_ms:
            remedy = (
                f"they arrive unevenly, by {1000 * found.unevenness_s:.0f} ms: free the computer of other work"
            )
        return None, failure(NAME, limit, f"{told} only: {remedy}", *figures)
    return found, StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason=told)


def load_timing(path: Path, *, probe: str, tracker: str, is_simulated: bool = False) -> Timing:
    """Read and check the file.

    Raises
    ------
    CalibrationError
        Where there is none, it is damaged, or of another probe or tracker, or simulated where these are real.

    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Timing)
    except OSError as exc:
        raise CalibrationError(f"{path}: no timing: {exc.strerror}; run acquire timing") from exc
    except msgspec.DecodeError as exc:
        raise CalibrationError(f"{path}: no whole timing: {exc}; run acquire timing again") from exc
    if (found.version, found.probe, found.tracker) != (VERSION, probe, tracker):
        raise CalibrationError(f"{path}: of {found.probe} and {found.tracker}; run acquire timing with these")
    if found.is_simulated and not is_simulated:
        raise CalibrationError(f"{path}: measured with simulated devices; run acquire timing with the real ones")
    return found


def _write(path: Path, timing: Timing) -> None:
    try:
        write_whole(path, timing)
    except OSError as exc:
        raise CalibrationError(f"{path}: the timing cannot be written: {exc.strerror}") from exc

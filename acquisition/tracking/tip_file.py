"""The file of a tip's calibration: where the tip is in its tool, how well that is known, until when."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from acquisition.calibration import CalibrationError
from acquisition.durable import write_whole
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

VERSION = 1


class AxisCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The axis held against what the probe counted from a point source.

    Attributes
    ----------
    checked_at
        UTC.
    probe
        Its name in the site file.
    passed
        Whether both agree within the site's limit.
    away_deg, low_deg, high_deg
        Angle between the axis and the direction of greatest counts, and its 95 % interval.

    """

    checked_at: Annotated[datetime, msgspec.Meta(tz=True)]
    probe: str
    passed: bool
    away_deg: float
    low_deg: float
    high_deg: float


class TipCalibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tip's calibration.

    Attributes
    ----------
    tool, serial
        The tool's name as the tracker sends it, and what is engraved on its marker.
    tracker, tracker_identity
        The tracker's name in the site file, and what it said it is.
    is_simulated
        Whether tracker and tool were simulated.
    calibrated_at, expires_at
        UTC.
    tool_from_tip
        Rows of the 4 x 4 matrix, mm.
    tip_covariance_mm2
        Of the tip, 3 x 3, the tool's axes.
    results
        Verdicts of all steps, as ``StepResult.to_dict`` gives them.
    axis_check
        What the counts say of the axis; None where they were not asked.

    """

    format: Literal["radionav-tip"] = "radionav-tip"
    version: int = VERSION
    tool: str
    serial: str
    tracker: str
    tracker_identity: str
    is_simulated: bool
    calibrated_at: Annotated[datetime, msgspec.Meta(tz=True)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]
    tool_from_tip: list[list[float]]
    tip_covariance_mm2: list[list[float]]
    results: list[dict[str, Any]]
    axis_check: AxisCheck | None = None

    @property
    def transform(self) -> RigidTransform:
        """``tool_from_tip``."""
        return RigidTransform.from_matrix(self.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)

    @property
    def covariance_mm2(self) -> NDArray[np.float64]:
        """Of the tip, shape (3, 3), frame ``TOOL``."""
        return np.array(self.tip_covariance_mm2, dtype=np.float64)

    def doubt(self, now: datetime) -> str:
        """Say that it has expired, or that the counts speak against its axis; empty while it holds."""
        if now > self.expires_at:
            return f"the tip's calibration expired on {self.expires_at.astimezone().date()}: run acquire tool"
        if self.axis_check is not None and not self.axis_check.passed:
            return (
                f"the probe counts most {self.axis_check.away_deg:.1f}° beside its axis: run acquire tool, "
                "then acquire axis"
            )
        return ""


def write_tip(path: Path, calibration: TipCalibration) -> None:
    """Write the file whole or not at all.

    Raises
    ------
    CalibrationError
        Where it cannot be written.

    """
    try:
        write_whole(path, calibration)
    except OSError as exc:
        raise CalibrationError(f"{path}: the tip's calibration cannot be written: {exc.strerror}") from exc


def load_tip(path: Path, *, tool: str, serial: str, is_simulated: bool = False) -> TipCalibration:
    """Read and check the file, to navigate by it with this tool.

    Raises
    ------
    CalibrationError
        Where there is none, it is damaged, of another version, of steps that did not pass, of another tool or
        marker, or simulated where the tool is real. One that has expired is read: see ``TipCalibration.doubt``.

    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=TipCalibration)
        covariance_mm2 = found.covariance_mm2
        RigidTransform.from_matrix(found.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)
        is_whole = covariance_mm2.shape == (3, 3) and bool(np.all(np.linalg.eigvalsh(covariance_mm2) >= 0))
        if found.version != VERSION or not is_whole:
            raise CalibrationError(f"{path}: no tip's calibration of version {VERSION}; run acquire tool again")
    except OSError as exc:
        raise CalibrationError(f"{path}: no tip's calibration: {exc.strerror}; run acquire tool") from exc
    except (msgspec.DecodeError, NavigationError, ValueError, TypeError) as exc:  # rows that are none
        raise CalibrationError(f"{path}: no whole tip's calibration: {exc}; run acquire tool again") from exc
    if not found.results or not all(result.get("passed") is True for result in found.results):
        raise CalibrationError(f"{path}: of steps that did not pass; run acquire tool again")
    if found.is_simulated and not is_simulated:
        raise CalibrationError(f"{path}: measured with a simulated tracker; run acquire tool with the real one")
    for what, ours, theirs in (("tool", tool, found.tool), ("marker", serial, found.serial)):
        if ours != theirs:
            raise CalibrationError(
                f"{path}: of {what} {theirs or 'without a number'}, not of {ours or 'one without a number'}; "
                "run acquire tool with this one"
            )
    return found

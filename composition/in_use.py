"""The calibrations that a room goes by until it is restarted, and whether their files hold others by now."""

from dataclasses import dataclass

import msgspec

from acquisition.tracking.timing import Timing
from acquisition.tracking.tip_file import TipCalibration
from composition.errors import ServiceError
from composition.instruments import timing_of, tip_of
from config.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What was read as the room started: what it believes of the patient was joined by it.

    Attributes
    ----------
    tip, timing
        None where the site file names no such file.

    """

    tip: TipCalibration | None
    timing: Timing | None

    def superseded(self, site: Site, *, is_simulated: bool) -> str:
        """Say that the files hold something else now, or cannot be read any more; empty while they hold this."""
        try:
            found = read_in_use(site, is_simulated=is_simulated)
        except ServiceError as exc:
            return str(exc)
        if _unchecked(found.tip) != _unchecked(self.tip):
            return "a new calibration of the tip waits: restart radionav"
        if _is_contradicted(found.tip) and found.tip is not None:
            return found.tip.doubt(found.tip.calibrated_at)
        if _is_contradicted(self.tip):
            return "the tip's axis passed by now: restart radionav"
        return "a new delay of the counts waits: restart radionav" if found.timing != self.timing else ""


def _unchecked(tip: TipCalibration | None) -> TipCalibration | None:
    """Leave out what the counts said of the axis: it changes nothing that the room goes by."""
    return None if tip is None else msgspec.structs.replace(tip, axis_check=None)


def _is_contradicted(tip: TipCalibration | None) -> bool:
    return tip is not None and tip.axis_check is not None and not tip.axis_check.passed


def read_in_use(site: Site, *, is_simulated: bool) -> InUse:
    """Read what a room that starts now goes by.

    Raises
    ------
    ServiceError
        Where a file cannot be read, or is of another tool, probe or tracker.

    """
    tip = tip_of(site, site.navigation, is_simulated=is_simulated) if site.navigation else None
    return InUse(tip=tip, timing=timing_of(site, is_simulated=is_simulated))

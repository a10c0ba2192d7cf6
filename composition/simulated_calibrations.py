"""By which calibrations a simulated room goes, and where those that are made from its display go."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from acquisition.calibration import CalibrationError
from acquisition.tracking.registration_file import newest_registration
from acquisition.tracking.settings import RegistrationSettings, TimingSettings, TipSettings
from acquisition.tracking.tip_file import TipCalibration
from composition.errors import ServiceError
from composition.instruments import tip_of
from composition.simulated import (
    SHIPPED_TIMING,
    SHIPPED_TIP,
    navigating_by,
    simulated_registration,
    simulated_tip,
)
from config.settings import Site


def room_tip(folder: Path) -> TipSettings:
    """Say where a simulated room's tip is in its folder."""
    return simulated_tip().model_copy(update={"file": folder / "tip.json"})


def room_registration(folder: Path) -> RegistrationSettings:
    """Say where its patient's registration is."""
    return simulated_registration().model_copy(update={"file": folder / "registration.json"})


def room_timing(folder: Path) -> TimingSettings:
    """Say where its delay is."""
    return TimingSettings(file=folder / "timing.json")


def calibrated(site: Site, folder: Path, *, scan_uid: str, now: datetime) -> tuple[Site, list[str]]:
    """Let a simulated room go by what its display made, else by what acquire made, else by what is shipped.

    Parameters
    ----------
    site
        Its site; what it has typed in holds where nothing else does.
    folder
        Its own: what is made from its display is written there. Until then links lead to what it begins with,
        which is so read where it lies, and never written to.
    scan_uid
        Frame of Reference UID of the scan that is sent to it.
    now
        UTC.

    Returns
    -------
    The site, and a sentence for each calibration that is not shipped, with what speaks against it. One of acquire
    that something speaks against is left out: the room would show no target by it.

    Raises
    ------
    ServiceError
        Where a tip cannot be read, or the folder not be written.

    """
    tip, registration, timing = room_tip(folder), room_registration(folder), room_timing(folder)
    site, said = navigating_by(site, tip=tip, registration=registration, timing=timing), list[str]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        acquired = simulated_tip().file
        said += _begin(tip.file, acquired, SHIPPED_TIP, partial(_tip_doubt, site=site, now=now))
        acquired = simulated_registration().file
        doubt = partial(_doubt, site=site, settings=registration, scan_uid=scan_uid, now=now)
        said += _begin(registration.file, acquired, None, doubt)
        said += _begin(timing.file, None, SHIPPED_TIMING, lambda _: "")
    except OSError as exc:
        raise ServiceError(
            f"{folder}: the simulated room's calibrations cannot be kept there: {exc.strerror}"
        ) from exc
    return site, said


def _begin(path: Path, acquired: Path | None, shipped: Path | None, doubt: Callable[[Path], str]) -> list[str]:
    """Lay a link to what the room begins with where nothing was made from its display; say what was made."""
    if path.is_symlink():
        path.unlink()
    if path.exists():
        why = doubt(path)
        return [f"SIMULATED calibration{' in doubt' if why else ''}: {path}, made from the display{_because(why)}"]
    said, source = [], shipped
    if acquired is not None and acquired.exists():
        why = doubt(acquired)
        said = [
            f"SIMULATED calibration{' left out' if why else ''}: {acquired}, written by acquire{_because(why)}"
        ]
        source = shipped if why else acquired
    if source is not None:
        path.symlink_to(source.absolute())
    return said


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _tip_of(site: Site) -> TipCalibration:
    """Load the tip that the simulated room's site names, which always names one."""
    tip = tip_of(site, site.navigation, is_simulated=True) if site.navigation else None
    if tip is None:
        raise ServiceError("the simulated room navigates by no tip")
    return tip


def _tip_doubt(path: Path, *, site: Site, now: datetime) -> str:
    return _tip_of(navigating_by(site, tip=simulated_tip().model_copy(update={"file": path}))).doubt(now)


def _doubt(path: Path, *, site: Site, settings: RegistrationSettings, scan_uid: str, now: datetime) -> str:
    """Say what speaks against a registration in this room; empty where nothing does."""
    try:
        found = newest_registration(path, is_simulated=True)
    except CalibrationError as exc:
        return str(exc).removeprefix(f"{path}: ")
    if found is None:
        return "it holds no registration"
    others = (
        (found.patient_id != site.procedure.patient_id, "it is of another patient"),
        (
            found.frame_of_reference_uid not in {"", scan_uid},
            "its landmarks were marked in another scan than the one that is sent, as of another --seed",
        ),
        (
            found.tip_calibrated_at != _tip_of(site).calibrated_at,
            "it was touched with another calibration of the tip: register again",
        ),
    )
    return next((sentence for is_so, sentence in others if is_so), "") or found.doubt(
        now, valid_hours=settings.valid_hours, verify_within_min=settings.verify_within_min
    )

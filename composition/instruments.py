"""What the site file says of the instruments: calibration, tip, delay, chain of frames, and how they are shown."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from acquisition.archive import StudyArchive
from acquisition.calibration import Calibration, CalibrationError, load_calibration
from acquisition.session.checklist import Equipment
from acquisition.synchronise import Synchroniser, TipChain
from acquisition.tracking.budget import Budgeting, TellBudget
from acquisition.tracking.joining import Joining
from acquisition.tracking.suspicion import Suspicion
from acquisition.tracking.timing import Timing, load_timing
from acquisition.tracking.tip_file import TipCalibration, load_tip
from composition.errors import ServiceError
from config.navigation import NavigationSettings
from config.settings import Site
from devices.readings import DeviceHealth
from display.states.device import ShownDevice
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform


def probe_in_hand(site: Site) -> str:
    """Name the probe that navigates, or the first where none does."""
    return site.navigation.probe if site.navigation else next(iter(site.probes))


def load_response(site: Site, *, is_simulated: bool) -> Calibration | None:
    """Load the calibration of the probe that navigates; None where the site file names none.

    Raises
    ------
    ServiceError
        Where it cannot be read, or was made for another probe, nuclide or window.

    """
    if site.navigation is None:
        return None
    probe = site.navigation.probe
    path = site.probes[probe].response
    return None if path is None else load_calibration_of(site, probe, path, is_simulated=is_simulated)


def load_calibration_of(site: Site, probe: str, path: Path, *, is_simulated: bool) -> Calibration:
    """Load the calibration of a probe for the nuclide and window in use; raises as ``load_response`` does."""
    try:
        calibration = load_calibration(path, probe=probe, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc
    response, window_kev = calibration.response, site.window_kev(probe)
    if response.nuclide != site.nuclide or window_kev not in {None, response.window_kev}:
        raise ServiceError(
            f"{path}: made for {response.nuclide} in {response.window_kev} keV, but the site file has "
            f"{site.nuclide} in {window_kev} keV: run acquire, or name the calibration that fits"
        )
    return calibration


def tip_chain(
    site: Site, navigation: NavigationSettings, tip: TipCalibration | None, *, now: datetime
) -> TipChain:
    """Give the chain from the tip to the patient as the site file and the tip's calibration, if any, have it."""
    rows, tool, doubt = navigation.patient_from_reference, site.probes[navigation.probe].tool or "", ""
    tool_from_tip = RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)
    if tip is not None:
        tool_from_tip, doubt = tip.transform, tip.doubt(now)
    return TipChain(
        tool=tool,
        reference=navigation.reference_tool,
        tool_from_tip=tool_from_tip,
        tip_doubt=doubt,
        patient_from_reference=None
        if rows is None
        else RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE),
    )


def tip_of(site: Site, navigation: NavigationSettings, *, is_simulated: bool) -> TipCalibration | None:
    """Load the tip's calibration; None where the site file names none.

    Raises
    ------
    ServiceError
        Where it cannot be read, or is another tool's.

    """
    tip, tool = navigation.tip, site.probes[navigation.probe].tool or ""
    if tip is None:
        return None
    try:
        return load_tip(tip.file, tool=tool, serial=tip.serial, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc


def timing_of(site: Site, *, is_simulated: bool) -> Timing | None:
    """Load how late counts are behind poses; None where the site file names no such file.

    Raises
    ------
    ServiceError
        Where it cannot be read, or is of another probe or tracker.

    """
    navigation = site.navigation
    if navigation is None or navigation.timing is None:
        return None
    names = {"probe": navigation.probe, "tracker": navigation.tracker}
    try:
        return load_timing(navigation.timing.file, **names, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc


def budgeting(
    site: Site,
    *,
    tip: TipCalibration | None,
    timing: Timing | None,
    registration: Callable[[], RegistrationError | None],
) -> TellBudget | None:
    """Give what says how far a tip that was seen may be wrong; None where nothing navigates."""
    navigation = site.navigation
    if navigation is None:
        return None
    measured = {"delay_sigma_s": timing.sigma_s} if timing else {}
    return Budgeting(
        navigation.accuracy.model_copy(update=measured),
        tip_covariance_mm2=tip.covariance_mm2 if tip else None,
        registration=registration,
    ).of


ROLES: Final = frozenset({"response", "tip", "registration", "timing"})
"""What the files of measurements tell that a room navigates by."""


def files_of(site: Site) -> Mapping[str, Path]:
    """Name the files of measurements that the room navigates by, each by its one of ``ROLES``."""
    navigation = site.navigation
    if navigation is None:
        return {}
    named: dict[str, Path | None] = {
        "response": site.probes[navigation.probe].response,
        "tip": navigation.tip.file if navigation.tip else None,
        "registration": navigation.registration.file if navigation.registration else None,
        "timing": navigation.timing.file if navigation.timing else None,
    }
    return {role: path for role, path in named.items() if path is not None}


def join(
    site: Site,
    synchroniser: Synchroniser | None,
    archive: StudyArchive,
    *,
    tip: TipCalibration | None,
    superseded: Callable[[], str],
    is_simulated: bool,
    note: Callable[[str, Mapping[str, Any]], None],
    on_registered: Callable[[], Awaitable[None]],
    now: Callable[[], datetime],
    suspected: Suspicion | None,
) -> Joining | None:
    """Give what keeps tip and patient joined as the site's files say; None where nothing navigates."""
    navigation = site.navigation
    if synchroniser is None or navigation is None:
        return None
    return Joining(
        synchroniser,
        tip=tip,
        superseded=superseded,
        settings=navigation.registration,
        error=registration_error(site),
        is_simulated=is_simulated,
        patient_id=lambda: archive.in_use.study.patient_id if archive.in_use else "",
        space_uid=lambda: archive.in_use.study.frame_of_reference_uid if archive.in_use else "",
        skin=lambda: archive.in_use.map.skin if archive.in_use else None,
        note=note,
        on_registered=on_registered,
        now=now,
        suspected=suspected,
    )


def equipment(
    site: Site,
    *,
    calibration: Calibration | None,
    stranger: str,
    health: Mapping[str, DeviceHealth],
    synchroniser: Synchroniser | None,
) -> Equipment:
    """Say what the room works with now, for the time-out."""
    probe = probe_in_hand(site)
    tracker = site.navigation.tracker if site.navigation else ""
    seen = synchroniser.newest_tip() if synchroniser else None
    chain = synchroniser.chain if synchroniser else None
    return Equipment(
        nuclide=site.nuclide,
        window_kev=site.window_kev(probe),
        window_said=site.probes[probe].window_said,
        calibration=calibration,
        stranger=stranger,
        probe=health.get(probe),
        tracker=health.get(tracker),
        tracker_error_mm=seen.error_mm if seen else None,
        is_registered=bool(chain and chain.patient_from_reference),
        doubt=(chain.tip_doubt or chain.registration_doubt) if chain else "",
    )


def registration_error(site: Site) -> RegistrationError | None:
    """Predict the error of a registration whose landmarks stand in the site file."""
    navigation = site.navigation
    if navigation is None or navigation.landmarks_mm is None or navigation.fre_mm is None:
        return None
    return RegistrationError.of_residual(np.array(navigation.landmarks_mm), fre_mm=navigation.fre_mm)


def shown_devices(site: Site, *, is_replayed: bool) -> Mapping[str, ShownDevice]:
    """Say how the display names each device, and when its readings are stale; a replay is not recorded."""
    navigation = site.navigation
    primary = {navigation.probe, navigation.tracker} if navigation else set(site.probes)
    shown: dict[str, ShownDevice] = {}
    for name, probe in site.probes.items():
        shown[name] = ShownDevice(
            kind="probe",
            label=probe.label or name,
            primary=name in primary,
            streams=probe.streams,
            stale_after_s=probe.stale_after_s,
        )
    for name, tracker in site.trackers.items():
        shown[name] = ShownDevice(
            kind="tracker",
            label=tracker.label,
            primary=name in primary,
            streams=tracker.streams,
            stale_after_s=tracker.silence_s,
        )
    if site.dicom is not None:
        shown["dicom"] = ShownDevice(kind="dicom", label="Scanner", primary=False, streams=False)
    if not is_replayed:
        shown["recorder"] = ShownDevice(kind="recorder", label="Recording", primary=False, streams=False)
    if site.mqtt is not None:
        shown["mqtt"] = ShownDevice(kind="mqtt", label="Hospital broker", primary=False, streams=False)
    return shown

"""What the site file says of the instruments: calibration, tip, delay, chain of frames, and how they are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from acquisition.calibration import Calibration, CalibrationError, load_calibration
from acquisition.synchronise import TipChain
from acquisition.tracking.timing import Timing, load_timing
from acquisition.tracking.tip_file import TipCalibration, load_tip
from composition.errors import ServiceError
from config.settings import NavigationSettings, Site
from display.composition import ShownDevice
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
    if path is None:
        return None
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


def tip_chain(site: Site, navigation: NavigationSettings, *, is_simulated: bool) -> TipChain:
    """Give the chain from the tip to the patient as the site file and the tip's calibration have it.

    Raises
    ------
    ServiceError
        Where the tip's calibration cannot be read, or is another tool's.

    """
    rows, tool, doubt = navigation.patient_from_reference, site.probes[navigation.probe].tool or "", ""
    tool_from_tip = RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)
    if (calibration := tip_of(site, navigation, is_simulated=is_simulated)) is not None:
        tool_from_tip, doubt = calibration.transform, calibration.doubt(datetime.now(tz=UTC))
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


def registration_error(site: Site) -> RegistrationError | None:
    """Predict the error of a registration whose landmarks stand in the site file."""
    navigation = site.navigation
    if navigation is None or navigation.landmarks_mm is None or navigation.fre_mm is None:
        return None
    return RegistrationError.of_residual(np.array(navigation.landmarks_mm), fre_mm=navigation.fre_mm)


def shown_devices(site: Site) -> Mapping[str, ShownDevice]:
    """Say how the display names each device, and after how long each counts as silent."""
    navigation = site.navigation
    primary = {navigation.probe, navigation.tracker} if navigation else set(site.probes)
    shown: dict[str, ShownDevice] = {}
    for name, probe in site.probes.items():
        shown[name] = ShownDevice(
            kind="probe", label=probe.label or name, primary=name in primary, stale_after_s=probe.silence_s
        )
    for name, tracker in site.trackers.items():
        shown[name] = ShownDevice(
            kind="tracker", label=tracker.label, primary=name in primary, stale_after_s=tracker.silence_s
        )
    if site.dicom is not None:
        shown["dicom"] = ShownDevice(kind="dicom", label="Scanner", primary=False, stale_after_s=None)
    shown["recorder"] = ShownDevice(kind="recorder", label="Recording", primary=False, stale_after_s=None)
    if site.mqtt is not None:
        shown["mqtt"] = ShownDevice(kind="mqtt", label="Hospital broker", primary=False, stale_after_s=None)
    return shown

"""The file of a patient's registrations: each one that was made, the newest in use, and the checks made of it.

Nothing is taken out: a registration that was replaced stays in the record, with why it could be believed then.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from acquisition.calibration import CalibrationError
from acquisition.durable import write_whole
from acquisition.tracking.landmark_plan import LandmarkPlan
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform

VERSION = 1

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""With its zone: a time without one cannot be compared with now."""


class Verification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that was touched again.

    Attributes
    ----------
    verified_at
        UTC.
    name
        Of the landmark.
    miss_mm
        How far the tip then was from it, by the registration.
    limit_mm
        What passes.

    """

    verified_at: Moment
    name: str
    miss_mm: float
    limit_mm: float

    @property
    def passed(self) -> bool:
        """Whether the registration still held."""
        return self.miss_mm <= self.limit_mm


class TouchedLandmark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A landmark that a registration was made by.

    Attributes
    ----------
    name
        As it was called when it was marked.
    patient_mm
        Where it was marked, patient frame (LPS), mm.
    reference_mm
        Where it was touched, the reference's frame, mm.

    """

    name: str
    patient_mm: tuple[float, float, float]
    reference_mm: tuple[float, float, float]


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One registration of a patient.

    Attributes
    ----------
    patient_id
        Whose study the landmarks were marked in.
    frame_of_reference_uid
        Of the CT that the landmarks were marked in; empty where nobody said which.
    reference, tool, serial
        Names of the tracked tools on the patient and in the hand, and what is engraved on the latter's marker.
    is_simulated
        Whether tracker and hand were simulated.
    registered_at
        UTC.
    tip_calibrated_at
        When the tip that touched them was calibrated, UTC; None where the site file has its place by hand.
    patient_from_reference
        Rows of the 4 x 4 matrix, mm.
    centre_mm, covariance
        As ``RegistrationError`` takes them.
    landmarks
        Those that were used.
    fle_mm, fre_mm
        Error of one landmark that was assumed, and RMS distance that was left.
    results
        Verdicts, as ``StepResult.to_dict`` gives them.
    verifications
        Checks made since, oldest first.

    """

    patient_id: str
    frame_of_reference_uid: str = ""
    reference: str
    tool: str
    serial: str
    is_simulated: bool
    registered_at: Moment
    tip_calibrated_at: Moment | None = None
    patient_from_reference: list[list[float]]
    centre_mm: list[float]
    covariance: list[list[float]]
    landmarks: Annotated[list[TouchedLandmark], msgspec.Meta(min_length=1)]
    fle_mm: float
    fre_mm: float
    results: list[dict[str, Any]]
    verifications: list[Verification] = []

    @property
    def transform(self) -> RigidTransform:
        """``patient_from_reference``."""
        return RigidTransform.from_matrix(self.patient_from_reference, to=Frame.PATIENT, from_=Frame.REFERENCE)

    @property
    def error(self) -> RegistrationError:
        """How far it may be wrong."""
        return RegistrationError(centre_mm=np.array(self.centre_mm), covariance=np.array(self.covariance))

    def doubt(self, now: datetime, *, valid_hours: float, verify_within_min: float | None) -> str:
        """Say what speaks against it, in words: a check that failed, one that is due, or its age."""
        newest = self.verifications[-1] if self.verifications else None
        if newest is not None and not newest.passed:
            return (
                f"{newest.name} was missed by {newest.miss_mm:.0f} mm: the reference has slipped, register again"
            )
        if now - self.registered_at > timedelta(hours=valid_hours):
            hours = (now - self.registered_at).total_seconds() / 3600
            return f"the registration is {hours:.0f} h old: register again"
        checked_at = newest.verified_at if newest else self.registered_at
        if verify_within_min is not None and now - checked_at > timedelta(minutes=verify_within_min):
            minutes = (now - checked_at).total_seconds() / 60
            return f"the registration was last checked {minutes:.0f} min ago: touch a landmark with acquire verify"
        return ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["radionav-registrations"] = "radionav-registrations"
    version: int = VERSION
    registrations: list[Registration]


def read_registrations(path: Path) -> tuple[Registration, ...]:
    """Read every registration that was made, oldest first; empty where there is no file yet.

    Raises
    ------
    CalibrationError
        Where the file is damaged, of another version, or holds what did not pass.

    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
        for each in content.registrations:
            _ = each.transform, each.error
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise CalibrationError(f"{path}: the registrations cannot be read: {exc.strerror}") from exc
    except (msgspec.DecodeError, NavigationError, ValueError, TypeError) as exc:  # rows that are none
        raise CalibrationError(f"{path}: no whole registrations: {exc}; run acquire register again") from exc
    if content.version != VERSION:
        raise CalibrationError(f"{path}: registrations of version {content.version}, wanted {VERSION}")
    for each in content.registrations:
        if not each.results or not all(result.get("passed") is True for result in each.results):
            raise CalibrationError(f"{path}: of steps that did not pass; run acquire register again")
    return tuple(content.registrations)


def newest_registration(path: Path, *, is_simulated: bool) -> Registration | None:
    """Read the registration in use; None before the first.

    Raises
    ------
    CalibrationError
        As ``read_registrations``, and where it is simulated and the room is not.

    """
    found = read_registrations(path)
    if found and found[-1].is_simulated and not is_simulated:
        raise CalibrationError(f"{path}: made with a simulated tracker; run acquire register with the real one")
    return found[-1] if found else None


def landmarks_of(registration: Registration) -> LandmarkPlan:
    """Give the landmarks that it was made by, as a plan to touch them again."""
    return LandmarkPlan(
        names=tuple(each.name for each in registration.landmarks),
        patient_mm=np.array([each.patient_mm for each in registration.landmarks], dtype=np.float64),
        targets_mm={},
    )


def add_registration(path: Path, registration: Registration) -> None:
    """Put a registration after those that were made before.

    Raises
    ------
    CalibrationError
        Where the former ones cannot be read, which are not to be lost, or the file cannot be written.

    """
    _write(path, [*read_registrations(path), registration])


def add_verification(path: Path, verification: Verification) -> None:
    """Put a check after those of the newest registration.

    Raises
    ------
    CalibrationError
        Where there is no registration, or the file cannot be read or written.

    """
    former = read_registrations(path)
    if not former:
        raise CalibrationError(f"{path}: nothing is registered yet; run acquire register")
    checked = msgspec.structs.replace(former[-1], verifications=[*former[-1].verifications, verification])
    _write(path, [*former[:-1], checked])


def _write(path: Path, registrations: list[Registration]) -> None:
    try:
        write_whole(path, _File(registrations=registrations))
    except OSError as exc:
        raise CalibrationError(f"{path}: the registration cannot be written: {exc.strerror}") from exc

"""What joins the tip to the patient, as the files of ``acquire`` say, also while they change.

A registration that is made anew while the service runs takes the place of the former at once, and goes into the
record; what was counted by the former is counted in other places, so that the estimate begins again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from acquisition.calibration import CalibrationError
from acquisition.synchronise import Synchroniser
from acquisition.tracking.registration_file import Registration, newest_registration
from acquisition.tracking.settings import RegistrationSettings
from acquisition.tracking.suspicion import Suspicion
from acquisition.tracking.tip_file import TipCalibration
from navigation.calibration.on_skin import doubt_landmarks
from navigation.estimation.slip import Slip
from navigation.estimation.turn import Turn
from navigation.registration_error import RegistrationError
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

REGISTERED = "registered"
"""Kind of the record's entries on another registration, and the one that it took the place of."""

LOOK_S = 1.0
"""Between two looks at the files, and at whether they still hold."""


class Joining:
    """Keeps a synchroniser's chain to what is known and trusted now.

    Parameters
    ----------
    synchroniser
        Whose chain it is; as it begins, of what the site file says by hand.
    tip
        The tip's calibration; None where the site file has a matrix.
    superseded
        Says that the files of tip and delay hold others than the room goes by; empty while they do not.
    settings
        Of the registration; None where the site file has a matrix.
    error
        How far that matrix may be wrong; None where it is not known.
    is_simulated
        Whether the room is.
    patient_id
        Says whose study is in use; empty while none is.
    space_uid
        Gives the Frame of Reference UID of the study in use; empty while none is.
    skin
        Gives the skin of the study in use; None while none is known.
    note
        Enters into the record what the service noticed.
    on_registered
        Told when another registration has taken the place of a former one.
    now
        UTC.
    suspected
        What the counts said against the registration, as recorded before a restart; None where they never did.

    """

    def __init__(
        self,
        synchroniser: Synchroniser,
        *,
        tip: TipCalibration | None,
        superseded: Callable[[], str],
        settings: RegistrationSettings | None,
        error: RegistrationError | None,
        is_simulated: bool,
        patient_id: Callable[[], str],
        space_uid: Callable[[], str],
        skin: Callable[[], Tissue | None],
        note: Callable[[str, Mapping[str, Any]], None],
        on_registered: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
        suspected: Suspicion | None = None,
    ) -> None:
        self._synchroniser = synchroniser
        self._tip = tip
        self._superseded = superseded
        self._settings = settings
        self._is_simulated = is_simulated
        self._patient_id = patient_id
        self._space_uid = space_uid
        self._skin = skin
        self._note = note
        self._on_registered = on_registered
        self._now = now
        self._state: tuple[int, int] | None = None
        self._registration: Registration | None = None
        self._unreadable = ""
        self._suspected = suspected
        self.error = error
        """How far the registration may be wrong; None where that is not known."""

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Take what the files say now, and what speaks against it."""
        former, chain = self._registration, self._synchroniser.chain
        was_counted_by = chain.patient_from_reference
        limit_mm = self._settings.greatest_tre_mm if self._settings else inf
        if self._settings is not None:
            self._read(self._settings)
        registration = self._registration
        if registration is not None:
            chain = replace(
                chain,
                patient_from_reference=registration.transform,
                doubt_at=partial(_beyond_limit, registration.error, limit_mm),
            )
        if registration is not None and registration is not former and _is_another(former, registration):
            tip_doubt, doubt = self._doubts()
            self._synchroniser.chain = replace(chain, tip_doubt=tip_doubt, registration_doubt=doubt)
            told = {"registration": _summary(registration)}
            if former is not None:
                told["in place of"] = _summary(former)
            self._note(REGISTERED, told)
            if was_counted_by is not None:  # it may have been typed in
                await self._on_registered()
        else:
            self.reconsider()

    def begin_anew(self) -> None:
        """Say anew what speaks against tip and registration: another study, or the same, just came into use."""
        if self._registration is None:
            self._suspected = None  # one that was typed in can be checked in no other way
        self.reconsider()

    def reconsider(self) -> None:
        """Say anew what speaks against tip and registration."""
        chain, (tip_doubt, doubt) = self._synchroniser.chain, self._doubts()
        if (tip_doubt, doubt) != (chain.tip_doubt, chain.registration_doubt):
            self._synchroniser.chain = replace(chain, tip_doubt=tip_doubt, registration_doubt=doubt)
            self._note("trust", {"tip": tip_doubt, "registration": doubt})

    def suspect(self, misplaced: Slip | Turn) -> None:
        """Doubt the registration for what the counts say: a slip until it is checked, half a turn until another.

        A slip that is told while half a turn is suspected takes nothing of that away.
        """
        suspected = Suspicion(
            length_mm=misplaced.length_mm if isinstance(misplaced, Slip) else None, at=self._now()
        )
        if self._suspicious() and self._suspected is not None and self._suspected.is_turn > suspected.is_turn:
            return
        self._suspected = suspected
        self._note(suspected.kind, suspected.told)
        self.reconsider()

    def _doubts(self) -> tuple[str, str]:
        now = self._now()
        tip_doubt = self._superseded() or (self._tip.doubt(now) if self._tip else "")
        return tip_doubt, self._doubt(self._registration, now)

    def _read(self, settings: RegistrationSettings) -> None:
        state = _state_of(settings.file)
        if state == self._state:
            return
        try:
            found = newest_registration(settings.file, is_simulated=self._is_simulated)
        except CalibrationError as exc:
            self._unreadable = str(exc)
        else:
            self._unreadable = (
                "" if found or self._registration is None else f"{settings.file} is gone: register again"
            )
            if found is not None:
                self._registration, self.error = found, found.error
        self._state = state

    def _doubt(self, registration: Registration | None, now: datetime) -> str:
        if self._settings is None or registration is None:
            return self._unreadable or self._suspicious()
        return (
            self._of_another(registration)
            or self._beside_skin(registration)
            or self._unreadable
            or registration.doubt(
                now, valid_hours=self._settings.valid_hours, verify_within_min=self._settings.verify_within_min
            )
            or self._suspicious()
        )

    def _suspicious(self) -> str:
        """Say what the counts say against it, unless it was checked or made anew since."""
        return self._suspected.doubt(self._registration) if self._suspected else ""

    def _of_another(self, registration: Registration) -> str:
        """Say of what else than what is in use here it is: patient, scan, calibration of the tip, tools."""
        chain, patient_id, space_uid = self._synchroniser.chain, self._patient_id(), self._space_uid()
        marked_in, touched_by = registration.frame_of_reference_uid, registration.tip_calibrated_at
        calibrated_at = self._tip.calibrated_at if self._tip else None
        is_later = touched_by is not None and calibrated_at is not None and touched_by > calibrated_at
        others = (
            (
                patient_id and registration.patient_id != patient_id,
                "the registration is of another patient than the study: register the one on the table",
            ),
            (
                marked_in and space_uid and marked_in != space_uid,
                "the landmarks were marked in another scan than the study: mark them in this one, register again",
            ),
            (
                is_later,
                "registered with a newer calibration of the tip than this room navigates by: restart radionav",
            ),
            (
                touched_by != calibrated_at,
                "registered with another calibration of the tip than this room navigates by: register again",
            ),
            (
                (registration.tool, registration.reference) != (chain.tool, chain.reference or ""),
                "the registration was made with other tools than the site file names: register again",
            ),
        )
        return next((sentence for is_so, sentence in others if is_so), "")

    def _beside_skin(self, registration: Registration) -> str:
        skin = self._skin()
        marked_mm = [landmark.patient_mm for landmark in registration.landmarks]
        return "" if skin is None else doubt_landmarks(marked_mm, skin)


def _beyond_limit(error: RegistrationError, limit_mm: float, patient_from_tip: RigidTransform) -> str:
    """Say that the registration is not good enough there."""
    error_mm = error.at(patient_from_tip.translation_mm)
    if error_mm <= limit_mm:
        return ""
    return f"here the registration is good to {error_mm:.0f} mm only: add landmarks nearby, with acquire register"


def _is_another(former: Registration | None, registration: Registration) -> bool:
    """Whether it is no former one with a check added."""
    return former is None or former.registered_at != registration.registered_at


def _summary(registration: Registration) -> dict[str, Any]:
    """Say which one it is, by its time in the file of registrations; whose it is stands there alone."""
    return {
        "registered_at": registration.registered_at.isoformat(),
        "landmarks": [landmark.name for landmark in registration.landmarks],
        "fre_mm": registration.fre_mm,
        "patient_from_reference": registration.patient_from_reference,
    }


def _state_of(path: Path) -> tuple[int, int] | None:
    """Tell a file from what it was before: it is replaced whole."""
    try:
        stated = path.stat()
    except OSError:
        return None
    return stated.st_ino, stated.st_mtime_ns

"""Whose procedure it is: confirmed by a person from a received study, or from the worklist before one has come."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from acquisition.archive import StudyArchive
from acquisition.patient import Patient
from acquisition.session.session import Session
from acquisition.session.worklist import AskWorklists, Schedule


class Reception:
    """Takes a patient whose two identifiers a person has confirmed; one choice after another, never two at once.

    Parameters
    ----------
    session, archive
        The procedure, and the studies that may come into use in it.
    ask
        Asks the worklists what is scheduled on a day.
    now
        The time of day, with its zone.

    """

    def __init__(
        self, session: Session, archive: StudyArchive, *, ask: AskWorklists, now: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._archive = archive
        self._ask = ask
        self._now = now
        self._choosing = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._scheduled = Schedule()

    @property
    def revision(self) -> int:
        """Of the procedure as it stands now."""
        return self._session.procedure.revision

    async def schedule(self) -> Schedule:
        """Ask who is scheduled today."""
        async with self._asking:
            self._scheduled = await self._ask(self._now().astimezone().date())
            return self._scheduled

    async def choose_study(self, study_uid: str, patient: Patient, *, seen: int) -> str | None:
        """Take a received study into use and begin its patient's procedure; returns why not, or None.

        ``seen`` is the revision of the list of studies that the person saw.
        """
        async with self._choosing:
            if seen < self._archive.used_revision:
                return "another study has come into use meanwhile: look again, then repeat it if it still holds"
            refusal = self._session.failure or self._session.refuse(patient)
            refusal = refusal or await self._archive.choose(
                study_uid, patient_id=patient.patient_id, patient_name=patient.name
            )
            if refusal is None:
                await self._session.begin(patient, study_uid=study_uid)
            return refusal or self._session.failure or None

    async def choose_scheduled(self, patient: Patient, *, revision: int) -> str | None:
        """Begin the procedure of a patient of the worklist; returns why not, or None.

        Of the studies that came or will come hers alone are used. Her procedure that has begun goes on as it is:
        with the study that was chosen for it, however many others of hers there are. ``revision`` is that of the
        procedure which the person has seen.
        """
        async with self._choosing:
            if revision != self.revision:
                return "somebody else has acted meanwhile: look again, then repeat it if it still holds"
            listed = {(step.patient_id, step.patient_name) for step in self._scheduled.steps}
            if (patient.patient_id, patient.name) not in listed:
                return "the worklist has nobody of this ID and name today: ask it again"
            if not patient.patient_id:
                return "the worklist gives no patient ID: have it corrected there"
            refusal = self._session.failure or self._session.refuse(patient)
            if refusal or self._session.is_open:  # hers goes on, with the map that is in use
                return refusal
            await self._session.begin(patient, study_uid="")
            if not self._session.failure:  # a patient without a procedure is nobody's to wait for
                await self._archive.await_patient(patient)
            return self._session.failure or None

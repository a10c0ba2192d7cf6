"""What the display's server answers of the worklist."""

from dataclasses import dataclass

import msgspec
from fastapi import Request, Response

from acquisition.patient import Patient
from acquisition.session.reception import Reception
from devices.dicom.clients.worklist import ScheduledStep
from display.bodies import do
from display.messages.worklist import PatientChoice, ScheduledEntry, Worklist


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistRoutes:
    """Answers from the hospital's worklists."""

    reception: Reception

    async def worklist(self) -> Response:
        """Say who is scheduled today."""
        schedule = await self.reception.schedule()
        listed = Worklist(
            revision=self.reception.revision,
            steps=tuple(_show(step) for step in schedule.steps),
            troubles=schedule.troubles,
        )
        return Response(msgspec.json.encode(listed), media_type="application/json")

    async def choose(self, request: Request) -> Response:
        """Begin the procedure of a patient of the worklist."""
        return await do(request, PatientChoice, self._choose)

    async def _choose(self, choice: PatientChoice) -> str | None:
        patient = Patient(patient_id=choice.patient_id, name=choice.patient_name)
        return await self.reception.choose_scheduled(patient, revision=choice.revision)


def _show(step: ScheduledStep) -> ScheduledEntry:
    return ScheduledEntry(
        patient_id=step.patient_id,
        patient_name=step.patient_name,
        birth_date=step.birth_date.isoformat() if step.birth_date else None,
        sex=step.sex,
        accession_number=step.accession_number,
        procedure=step.procedure or step.step,
        modality=step.modality,
        station_ae=step.station_ae,
        start_date=step.start_date.isoformat() if step.start_date else None,
        start_time=step.start_time,
        physician=step.physician,
    )

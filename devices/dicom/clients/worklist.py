"""The modality worklist (PS3.4 annex K): which procedures are scheduled for whom."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

from devices.dicom.clients.association import Hangup
from devices.dicom.clients.finding import Found, UnreadableAnswer, day, days, find, text, value
from devices.dicom.settings import Peer

_PATIENT: Final = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_PROCEDURE: Final = (
    "AccessionNumber",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "StudyInstanceUID",
)
_STEP: Final = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
)
"""Attributes that are asked for (PS3.4 table K.6-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledStep:
    """One scheduled procedure step, for whom and where.

    Texts are empty, and days None, where the worklist does not say. ``start_time`` is as it came (HHMMSS).
    """

    patient_name: str
    patient_id: str
    birth_date: date | None
    sex: str
    accession_number: str
    study_uid: str
    procedure: str
    step: str
    modality: str
    station_ae: str
    start_date: date | None
    start_time: str
    physician: str


def find_scheduled(
    peer: Peer,
    *,
    calling_ae: str,
    on: date | None = None,
    station_ae: str = "",
    patient_id: str = "",
    limit: int = 200,
    hangup: Hangup | None = None,
) -> Found[ScheduledStep]:
    """Ask which steps are scheduled on a day, for a station, for a patient; what is left away matches any.

    Blocks: for a thread, which ``hangup`` frees.

    Raises
    ------
    PeerFailed
        As ``finding.find``.

    """
    step = Dataset()
    for keyword in _STEP:
        setattr(step, keyword, "")
    step.ScheduledProcedureStepStartDate = days(on, on)
    step.ScheduledStationAETitle = station_ae
    query = Dataset()
    for keyword in (*_PATIENT, *_PROCEDURE):
        setattr(query, keyword, "")
    query.PatientID = patient_id
    query.ScheduledProcedureStepSequence = Items([step])
    model = ModalityWorklistInformationFind
    return find(peer, query, model=model, calling_ae=calling_ae, limit=limit, read=_read, hangup=hangup)


def _read(answer: Dataset) -> ScheduledStep:
    steps = value(answer, "ScheduledProcedureStepSequence")
    if not steps:
        raise UnreadableAnswer("it has no ScheduledProcedureStepSequence (0040,0100)")
    step = steps[0]
    return ScheduledStep(
        patient_name=text(answer, "PatientName"),
        patient_id=text(answer, "PatientID"),
        birth_date=day(answer, "PatientBirthDate"),
        sex=text(answer, "PatientSex"),
        accession_number=text(answer, "AccessionNumber"),
        study_uid=text(answer, "StudyInstanceUID"),
        procedure=text(answer, "RequestedProcedureDescription"),
        step=text(step, "ScheduledProcedureStepDescription"),
        modality=text(step, "Modality"),
        station_ae=text(step, "ScheduledStationAETitle"),
        start_date=day(step, "ScheduledProcedureStepStartDate"),
        start_time=text(step, "ScheduledProcedureStepStartTime"),
        physician=text(step, "ScheduledPerformingPhysicianName"),
    )

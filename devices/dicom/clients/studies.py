"""The study root query (PS3.4 annex C): which studies an archive has."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from devices.dicom.clients.finding import Found, UnreadableAnswer, day, days, find, text, uid
from devices.dicom.settings import Peer

_WANTED: Final = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
"""Attributes that are asked for (PS3.4 table C.6-5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """One study of an archive.

    Texts are empty, days and numbers None, where the archive does not say. ``study_time`` is as it came (HHMMSS).
    """

    study_uid: str
    study_date: date | None
    study_time: str
    accession_number: str
    patient_name: str
    patient_id: str
    birth_date: date | None
    sex: str
    description: str
    modalities: str
    series: int | None
    objects: int | None


def find_studies(
    peer: Peer,
    *,
    calling_ae: str,
    patient_id: str = "",
    patient_name: str = "",
    accession_number: str = "",
    since: date | None = None,
    until: date | None = None,
    limit: int = 200,
) -> Found[FoundStudy]:
    """Ask for studies by what is known of them; what is left away matches any, ``*`` and ``?`` in texts do too.

    Raises
    ------
    PeerFailed
        As ``finding.find``.

    """
    query = Dataset()
    for keyword in _WANTED:
        setattr(query, keyword, None)
    query.QueryRetrieveLevel = "STUDY"
    query.PatientID = patient_id
    query.PatientName = patient_name
    query.AccessionNumber = accession_number
    query.StudyDate = days(since, until)
    model = StudyRootQueryRetrieveInformationModelFind
    return find(peer, query, model=model, calling_ae=calling_ae, limit=limit, read=_read)


def _read(answer: Dataset) -> FoundStudy:
    return FoundStudy(
        study_uid=uid(answer, "StudyInstanceUID"),
        study_date=day(answer, "StudyDate"),
        study_time=text(answer, "StudyTime"),
        accession_number=text(answer, "AccessionNumber"),
        patient_name=text(answer, "PatientName"),
        patient_id=text(answer, "PatientID"),
        birth_date=day(answer, "PatientBirthDate"),
        sex=text(answer, "PatientSex"),
        description=text(answer, "StudyDescription"),
        modalities=text(answer, "ModalitiesInStudy"),
        series=_number(answer, "NumberOfStudyRelatedSeries"),
        objects=_number(answer, "NumberOfStudyRelatedInstances"),
    )


def _number(answer: Dataset, keyword: str) -> int | None:
    found = text(answer, keyword)
    if not found:
        return None
    if not found.isdecimal():
        raise UnreadableAnswer(f"{keyword} is no number: {found[:20]!r}")
    return int(found)

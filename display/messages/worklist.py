"""The messages of the worklist: who is scheduled, and whom a person has chosen."""

from typing import Annotated

from msgspec import Meta, Struct


class ScheduledEntry(Struct, frozen=True, kw_only=True):
    """One scheduled step; texts are empty, and days null, where the worklist does not say."""

    patient_id: str
    patient_name: Annotated[str, Meta(description="As DICOM writes it: family^given^middle^prefix^suffix.")]
    birth_date: str | None
    sex: str
    accession_number: str
    procedure: str
    modality: str
    station_ae: str
    start_date: str | None
    start_time: Annotated[str, Meta(description="HHMMSS, or the beginning of it.")]
    physician: str


class Worklist(Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/worklist``: who is scheduled today, by time."""

    revision: Annotated[
        int, Meta(description="Of the procedure as it stood then: a choice from this list names it.")
    ]
    steps: tuple[ScheduledEntry, ...]
    troubles: Annotated[tuple[str, ...], Meta(description="What did not answer, or could not be read, and why.")]


class PatientChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/procedure/patient``: a person confirmed both identifiers of somebody of the worklist."""

    revision: Annotated[int, Meta(description="Of the procedure, that the person has seen; another: 409.")]
    patient_id: str
    patient_name: str

"""The studies that came in, what was made of each, and the one whose map is in use."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from acquisition.studies import Study, read_study
from devices.dicom.study import ReceivedStudy

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedStudy:
    """A received study and what was read from it."""

    received: ReceivedStudy
    study: Study

    @property
    def is_usable(self) -> bool:
        """Whether it holds a map to navigate by: where the activity is, in one patient's space."""
        return self.study.activity is not None and bool(self.study.patient_id)


class StudyArchive:
    """Reads studies as they come in and keeps the one in use.

    A study is taken into use for the patient on the table only: named in the site file before, or confirmed by
    a person by ID and name. A study of anybody else is listed and nothing more.

    Parameters
    ----------
    patient_id
        The patient on the table, None until a person has confirmed one.
    executor
        Reads studies; apart from the event loop, so that the tone never waits for a CT.
    on_use
        Takes the study that has come into use.

    """

    def __init__(
        self, *, patient_id: str | None, executor: Executor, on_use: Callable[[ArchivedStudy], None]
    ) -> None:
        self._patient_id = patient_id
        self._executor = executor
        self._on_use = on_use
        self._studies: dict[str, ArchivedStudy] = {}
        self._in_use: str | None = None
        self.revision = 0

    @property
    def in_use(self) -> ArchivedStudy | None:
        """The study whose map is in use."""
        return None if self._in_use is None else self._studies[self._in_use]

    def newest_first(self) -> tuple[ArchivedStudy, ...]:
        """List all studies, the one that came in last first."""
        return tuple(reversed(self._studies.values()))

    async def take(self, received: ReceivedStudy) -> None:
        """Read a received study; one of the patient on the table comes into use if none is yet, or is renewed."""
        study = await asyncio.get_running_loop().run_in_executor(self._executor, read_study, received.objects)
        archived = ArchivedStudy(received=received, study=study)
        self._studies.pop(received.study_uid, None)
        self._studies[received.study_uid] = archived
        self.revision += 1
        refused = sum(not series.accepted for series in study.series)
        log.info("study read", reason=received.reason, series=len(study.series), refused=refused)
        is_hers = archived.is_usable and study.patient_id == self._patient_id
        if is_hers and self._in_use in {None, received.study_uid}:
            self._use(archived)

    def choose(self, study_uid: str, *, patient_id: str, patient_name: str) -> str | None:
        """Take a study into use whose patient a person has confirmed; returns why not, or None."""
        archived = self._studies.get(study_uid)
        if archived is None:
            return "no such study has come in"
        if (archived.study.patient_id, archived.study.patient_name) != (patient_id, patient_name):
            return "the study is of another patient: ID and name must both be those in the study"
        if not archived.is_usable:
            return "the study holds no map: it has no SPECT or PET that could be placed in the patient"
        self._patient_id = patient_id
        self._use(archived)
        return None

    def _use(self, archived: ArchivedStudy) -> None:
        self._in_use = archived.received.study_uid
        self.revision += 1
        self._on_use(archived)

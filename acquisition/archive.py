"""The studies that came in, what was made of each, and the one whose map is in use."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from acquisition.patient import Patient
from acquisition.studies import SeriesReport, Study
from acquisition.studies.reading import StudyMap, StudyUnread
from devices.dicom.study import FOUND_AT_START, ReceivedStudy

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedStudy:
    """A received study and what was read from it; ``files`` tells its objects' files from those of other times."""

    received: ReceivedStudy
    map: StudyMap
    files: Mapping[Path, tuple[int, int] | None] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """Its series and volumes."""
        return self.map.study

    @property
    def is_usable(self) -> bool:
        """Whether it holds a map to navigate by: where the activity is, in one patient's space."""
        return self.study.activity is not None and bool(self.study.patient_id)


Reader = Callable[[ReceivedStudy], Awaitable[StudyMap]]
"""Reads the objects of a study, with what the site and its people know of it; else raises `StudyUnread`."""


def _unread(received: ReceivedStudy, former: ArchivedStudy | None, reason: str) -> StudyMap:
    """Say why a study could not be read; what was read of it before stays."""
    report = SeriesReport(
        series_uid="",
        modality="",
        description="",
        objects=len(received.objects),
        accepted=False,
        reason=reason,
        volume=None,
    )
    if former is not None:
        study = replace(former.study, series=(*former.study.series, report))
        return replace(former.map, study=study)
    study = Study(
        study_uid=received.study_uid,
        patient_id="",
        patient_name="",
        description="",
        taken_at=None,
        half_life_s=None,
        nuclide=None,
        resolution=None,
        series=(report,),
        anatomy=None,
        activity=None,
    )
    return StudyMap(study=study, hotspots=(), skin=None, obstacle=reason)


def _states(paths: Sequence[Path]) -> dict[Path, tuple[int, int] | None]:
    """Tell files from those of other times: an object that replaces another has its path."""
    states: dict[Path, tuple[int, int] | None] = {}
    for path in paths:
        try:
            stated = path.stat()
        except OSError:  # the reader will say so
            states[path] = None
        else:
            states[path] = stated.st_ino, stated.st_mtime_ns
    return states


def _taken_at(archived: ArchivedStudy) -> float:
    """Order studies by when they were taken; those that do not say come first."""
    taken_at = archived.study.taken_at
    return float("-inf") if taken_at is None else taken_at.timestamp()


class StudyArchive:
    """Reads studies as they come in and keeps the one in use.

    A study is taken into use for the patient on the table only: named in the site file before, or confirmed by
    a person by ID and name. Of those that are there at the start the newest is used; later ones take nobody's
    place by themselves. A study of anybody else is listed and nothing more. One that turns out to be somebody
    else's when more of it has come goes out of use. Changes of use wait for each other, so that what is in use
    here is what ``on_use`` was told last.

    Parameters
    ----------
    patient_id, patient_name
        The patient on the table, None until a person has confirmed one; the name is empty where nobody knows it.
    awaited
        The study that she confirmed before a restart: no other takes its place by itself. None without one.
    read
        Reads a study.
    on_use
        Takes the study that has come into use; None where none is any more.

    """

    def __init__(
        self,
        *,
        patient_id: str | None,
        patient_name: str = "",
        awaited: str | None = None,
        read: Reader,
        on_use: Callable[[ArchivedStudy | None], Awaitable[None]],
    ) -> None:
        self._patient = Patient(patient_id=patient_id or "", name=patient_name)
        self._awaited = awaited
        self._read = read
        self._on_use = on_use
        self._studies: dict[str, ArchivedStudy] = {}
        self._in_use: str | None = None
        self._is_confirmed = False
        self._changing_use = asyncio.Lock()
        self._reading = asyncio.Lock()
        self.revision = 0
        """Grows with whatever comes in, and with each change of use."""
        self.used_revision = 0
        """What it was at the last change of use."""

    @property
    def in_use(self) -> ArchivedStudy | None:
        """The study whose map is in use."""
        return None if self._in_use is None else self._studies[self._in_use]

    def newest_first(self) -> tuple[ArchivedStudy, ...]:
        """List all studies, the one that came in last first."""
        return tuple(reversed(self._studies.values()))

    async def take(self, received: ReceivedStudy) -> bool:
        """Read a received study; one of the patient on the table comes into use if none is yet, or is renewed.

        Returns whether there was anything new in it.

        One that comes again as it was, as after a restart of the storage node, is not read again: a map that is
        begun anew forgets what was counted.
        """
        async with self._reading:
            files = await asyncio.to_thread(_states, received.objects)
            former = self._studies.get(received.study_uid)
            if former and former.is_usable and former.files == files:
                if former.received.conflicts != received.conflicts:
                    self._studies[received.study_uid] = replace(former, received=received)
                    self.revision += 1
                return False
            await self._renew(received, files, former=former)
        return True

    async def read_again(self, study_uid: str, *, holds: bool) -> str | None:
        """Read a study anew by what a person has said about it; returns why not, or None.

        ``holds`` says whether what was read before can still be used; else it goes out of use at once, and stays
        out until it has been read.
        """
        if not holds:
            await self._withdraw(study_uid)
        async with self._reading:
            archived = self._studies.get(study_uid)
            if archived is None:
                return "no such study has come in"
            files = await asyncio.to_thread(_states, archived.received.objects)
            reason = await self._renew(archived.received, files, former=archived if holds else None)
        if reason is None:
            return None
        then = "say it again" if holds else "it is out of use until it is sent again"
        return f"what was said is entered, but the study was not read by it, {reason}; {then}"

    async def _withdraw(self, study_uid: str) -> None:
        """Forget what was read of a study, and take it out of use."""
        async with self._changing_use:
            archived = self._studies.get(study_uid)
            if archived is None:
                return
            unread = _unread(archived.received, None, "it is being read again")
            self._studies[study_uid] = replace(archived, map=unread)
            self.revision += 1
            if self._in_use == study_uid:
                log.warning("study taken out of use", reason="a person has parted its frames of reference")
                await self._use(None)

    def find(self, study_uid: str) -> ArchivedStudy | None:
        """Find a study, None where nothing of it has come in and been read."""
        return self._studies.get(study_uid)

    async def _renew(
        self,
        received: ReceivedStudy,
        files: Mapping[Path, tuple[int, int] | None],
        *,
        former: ArchivedStudy | None,
    ) -> str | None:
        """Read a study; where that fails, what ``former`` holds stays. Returns why it failed, or None."""
        try:
            found, reason = await self._read(received), None
        except StudyUnread as exc:
            reason = str(exc)
            found = _unread(received, former, reason)
        study = found.study
        async with self._changing_use:
            archived = ArchivedStudy(received=received, map=found, files=files)
            self._studies.pop(received.study_uid, None)
            self._studies[received.study_uid] = archived
            self.revision += 1
            refused = sum(not series.accepted for series in study.series)
            log.info("study read", reason=received.reason, series=len(study.series), refused=refused)
            if reason is None and self._is_hers(archived) and self._is_next(archived):
                await self._use(archived)
            elif self._in_use == received.study_uid and (reason is None or former is None):
                log.warning("study taken out of use", reason="as it stands now it is no map of this patient")
                await self._use(None)
        return reason

    def _is_hers(self, archived: ArchivedStudy) -> bool:
        """Whether it is a map of the patient on the table, by both identifiers."""
        study = archived.study
        return archived.is_usable and self._patient.is_named(study.patient_id, study.patient_name)

    def _is_next(self, archived: ArchivedStudy) -> bool:
        """Whether a study of the patient on the table takes the place of the one in use."""
        in_use = self.in_use
        if self._awaited is not None:
            return archived.received.study_uid == self._awaited
        if in_use is None or in_use.received.study_uid == archived.received.study_uid:
            return True
        if self._is_confirmed or archived.received.reason != FOUND_AT_START:
            return False
        taken_at, former = archived.study.taken_at, in_use.study.taken_at
        return taken_at is not None and (former is None or taken_at > former)

    async def choose(self, study_uid: str, *, patient_id: str, patient_name: str) -> str | None:
        """Take a study into use whose patient a person has confirmed; returns why not, or None."""
        async with self._changing_use:
            archived = self._studies.get(study_uid)
            if archived is None:
                return "no such study has come in"
            if (archived.study.patient_id, archived.study.patient_name) != (patient_id, patient_name):
                return "the study is of another patient: ID and name must both be those in the study"
            if not archived.is_usable:
                return "the study holds no map: it has no SPECT or PET that could be placed in the patient"
            self._patient = Patient(patient_id=patient_id, name=patient_name)
            self._awaited, self._is_confirmed = None, True
            await self._use(archived)
        return None

    async def await_patient(self, patient: Patient) -> None:
        """Have a patient's studies come into use whom a person has confirmed before any was chosen.

        The newest that came already does so now; later ones as they come. Nobody else's stays in use.
        """
        async with self._changing_use:
            self._patient = patient
            self._awaited, self._is_confirmed = None, False
            hers = [archived for archived in self._studies.values() if self._is_hers(archived)]
            if hers:
                await self._use(max(hers, key=_taken_at))
            elif self._in_use is not None:
                await self._use(None)

    async def _use(self, archived: ArchivedStudy | None) -> None:
        former, self._in_use = self._in_use, None if archived is None else archived.received.study_uid
        self.revision += 1
        if self._in_use != former:
            self.used_revision = self.revision
        await self._on_use(archived)

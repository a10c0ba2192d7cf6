"""The objects of one study into one patient space: an anatomy, an activity, and a word on every series."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.calibrations import read_nuclide
from acquisition.studies.errors import ObjectUnreadable, SeriesRefused
from acquisition.studies.injection import read_half_life_s
from acquisition.studies.objects import StoredObject, read_object
from acquisition.studies.plans import Knowledge, Role
from acquisition.studies.series import Series, SeriesReport, group_series
from acquisition.studies.times import read_moment
from acquisition.studies.verdicts import Verdicts
from navigation.hotspots import Resolution
from navigation.outlines import Outline
from navigation.volume import Volume

ROLES_IN_USE: tuple[Role, ...] = ("activity", "anatomy")

LONGEST_WORDS = 1000
"""Letters of a sentence, a name or a description in a report."""

log = structlog.get_logger()

Value = TypeVar("Value")

NOTHING = Knowledge()


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What one study gives to navigation.

    Attributes
    ----------
    study_uid, patient_id, patient_name, description
        As the console named them; no patient where the objects contradict each other on who it is.
    taken_at
        When the activity was as the values say (its decay reference), else when the anatomy was taken, else when
        the study began. With a time zone: the sender's own, this host's where the sender names none.
    half_life_s
        Of the radionuclide that the activity's objects name, None where they name none, or several.
    nuclide
        Which it is, spelt as in nuclides.toml, several with ``+`` between them; None where they name none.
    resolution
        How wide a point is taken to be in the activity, by what its objects say; None without one.
    series
        A report on each series; files that are no DICOM objects come last, in one report.
    anatomy, activity
        The CT and the SPECT or PET in one frame of reference; None where there is none.
    joined_by
        Why the two are in one space: that their frame of reference is the same, a registration object, or who
        confirmed it; "" where they are not both there.
    outlines
        Targets that people drew, in the same space.
    apart
        Frame of Reference UIDs (0020,0052) that nothing joins, in pairs: of the space in use, and of something
        that is not used for it. A person may confirm that they are one space.

    """

    study_uid: str
    patient_id: str
    patient_name: str
    description: str
    taken_at: datetime | None
    half_life_s: float | None
    nuclide: str | None
    resolution: Resolution | None
    series: tuple[SeriesReport, ...]
    anatomy: Volume | None
    activity: Volume | None
    joined_by: str = ""
    outlines: tuple[Outline, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()

    @property
    def frame_of_reference_uid(self) -> str:
        """Of the space that all of it is in; empty where nothing has a place."""
        placed = self.anatomy or self.activity
        return placed.geometry.frame_of_reference_uid if placed else ""

    def without_activity(self, reason: str) -> "Study":
        """Give the same study with its activity refused after all, for a reason that its report then says."""
        series = tuple(
            replace(one, accepted=False, volume=None, reason=reason)
            if one.volume is not None and one.volume is self.activity
            else one
            for one in self.series
        )
        return replace(self, activity=None, resolution=None, joined_by="", series=series)


def read_study(paths: Sequence[Path], knowledge: Knowledge = NOTHING) -> Study:
    """Read the objects of one study.

    Frames of reference whose UIDs differ are joined only by a registration object of the study, or where a person
    has confirmed that two are one space.

    Nothing in the files makes this raise: a bad object or series becomes a report with the reason. Objects of
    several studies or several patients are all refused. Pixels are read only of the series that are used.
    """
    objects, unreadable = _read_objects(paths)
    return _assemble(objects, unreadable, knowledge)


def read_studies(paths: Sequence[Path], knowledge: Knowledge = NOTHING) -> tuple[Study, ...]:
    """Read every study among the files of a folder; what is no DICOM object forms a study without UID."""
    objects, unreadable = _read_objects(paths)
    grouped: dict[str, list[StoredObject]] = {}
    for stored in objects:
        grouped.setdefault(stored.study_uid, []).append(stored)
    studies = tuple(_assemble(members, (), knowledge) for members in grouped.values())
    return (*studies, _assemble((), unreadable, knowledge)) if unreadable else studies


def _read_objects(paths: Iterable[Path]) -> tuple[tuple[StoredObject, ...], tuple[ObjectUnreadable, ...]]:
    objects, unreadable = [], []
    for path in paths:
        try:
            objects.append(read_object(path))
        except ObjectUnreadable as exc:
            log.warning("unreadable object", object=path.name, reason=str(exc))
            unreadable.append(exc)
    return tuple(objects), tuple(unreadable)


def _assemble(
    objects: Sequence[StoredObject], unreadable: Sequence[ObjectUnreadable], knowledge: Knowledge
) -> Study:
    series = group_series(objects)
    verdicts = Verdicts()
    if mixed := _mixed_identities(objects):
        for one in series:
            verdicts.refuse(one.series_uid, mixed)
    else:
        verdicts.judge(series, knowledge)
    reports = tuple(_report(one, verdicts) for one in series)
    chosen = verdicts.chosen.get("activity")
    return Study(
        study_uid=Counter(stored.study_uid for stored in objects).most_common(1)[0][0] if objects else "",
        patient_id="" if mixed else _label(objects, "PatientID"),
        patient_name="" if mixed else _label(objects, "PatientName"),
        description=_label(objects, "StudyDescription"),
        taken_at=_taken_at(objects, verdicts),
        half_life_s=_read_first(series, verdicts, read_half_life_s),
        nuclide=_read_first(series, verdicts, read_nuclide),
        resolution=verdicts.plans[chosen].resolution if chosen else None,
        series=(*reports, *_report_unreadable(unreadable)),
        anatomy=verdicts.volume("anatomy"),
        activity=verdicts.volume("activity"),
        joined_by=verdicts.joined_by,
        outlines=tuple(verdicts.outlines),
        apart=tuple(sorted(verdicts.apart)),
    )


def _mixed_identities(objects: Sequence[StoredObject]) -> str:
    """Say what differs where the objects are not of one study and one patient; "" where they are.

    Identifiers must be equal; name and birth date must not contradict each other where both are given.
    """
    if len({stored.study_uid for stored in objects}) > 1:
        return f"{attribute_name('StudyInstanceUID')} differs: objects of several studies came together"
    for keyword, may_be_absent in (("PatientID", False), ("PatientName", True), ("PatientBirthDate", True)):
        try:
            seen = {stored.attributes.text(keyword).rstrip("^ ").casefold() for stored in objects}
        except SeriesRefused as exc:
            return str(exc)
        if max(map(len, seen), default=0) > LONGEST_WORDS:
            return f"{attribute_name(keyword)} is longer than {LONGEST_WORDS} letters"
        if may_be_absent:
            seen.discard("")
        if len(seen) > 1:
            return f"{attribute_name(keyword)} differs: objects of several patients came in one study"
    return ""


def _report(series: Series, verdicts: Verdicts) -> SeriesReport:
    volume, plan = verdicts.volumes.get(series.series_uid), verdicts.plans.get(series.series_uid)
    return SeriesReport(
        series_uid=series.series_uid,
        modality=_label(series.objects, "Modality"),
        description=_label(series.objects, "SeriesDescription"),
        objects=len(series.objects),
        accepted=volume is not None or series.series_uid in verdicts.applied,
        reason=_shorten(verdicts.reasons[series.series_uid]),
        volume=volume,
        geometry=plan.geometry if plan else None,
        uptake=plan.uptake if plan else None,
    )


def _report_unreadable(unreadable: Sequence[ObjectUnreadable]) -> tuple[SeriesReport, ...]:
    if not unreadable:
        return ()
    return (
        SeriesReport(
            series_uid="",
            modality="",
            description="",
            objects=len(unreadable),
            accepted=False,
            reason=_list_reasons([str(exc) for exc in unreadable]),
            volume=None,
        ),
    )


def _list_reasons(reasons: Sequence[str]) -> str:
    """Tell as many as a person reads, the first at least, and how many more there are."""
    told = [_shorten(reasons[0])]
    for reason in reasons[1:]:
        if len("; ".join([*told, reason])) > LONGEST_WORDS:
            break
        told.append(reason)
    left = len(reasons) - len(told)
    return "; ".join([*told, f"and {left} more"] if left else told)


def _label(objects: Sequence[StoredObject], keyword: str) -> str:
    """Text for people from the first object; "" where it is absent or not readable."""
    try:
        return _shorten(objects[0].attributes.text(keyword)) if objects else ""
    except SeriesRefused as exc:
        log.warning("unreadable label", reason=str(exc))
        return ""


def _shorten(words: str) -> str:
    """Cut what no person reads to its end: an object may hold a thousand names, or one of a million letters."""
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]} …"


def _read_first(
    series: Sequence[Series], verdicts: Verdicts, read: Callable[[Attributes], Value | None]
) -> Value | None:
    """Read something of the activity's first frame; None where it is not there, or not readable."""
    chosen = verdicts.chosen.get("activity")
    if chosen is None:
        return None
    (objects,) = (one.objects for one in series if one.series_uid == chosen)
    try:
        return read(verdicts.plans[chosen].first or objects[0].attributes)
    except SeriesRefused as exc:
        log.warning("unreadable radiopharmaceutical", reason=str(exc))
        return None


def _taken_at(objects: Sequence[StoredObject], verdicts: Verdicts) -> datetime | None:
    for role in ROLES_IN_USE:
        if role in verdicts.chosen:
            return verdicts.plans[verdicts.chosen[role]].taken_at
    return read_moment(objects[0].attributes, "StudyDate", "StudyTime") if objects else None

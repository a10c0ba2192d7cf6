"""The objects of one study into one patient space: an anatomy, an activity, and a word on every series."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import ObjectUnreadable, SeriesRefused
from acquisition.studies.objects import StoredObject, read_object
from acquisition.studies.plans import Role, VolumePlan
from acquisition.studies.series import Series, SeriesReport, group_series, plan_volume
from acquisition.studies.times import read_moment
from navigation.volume import Volume

log = structlog.get_logger()


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
        Of the radionuclide that the activity's objects name, None where they name none.
    series
        A report on each series; files that are no DICOM objects come last, in one report.
    anatomy, activity
        The CT and the SPECT or PET in one frame of reference; None where there is none.

    """

    study_uid: str
    patient_id: str
    patient_name: str
    description: str
    taken_at: datetime | None
    half_life_s: float | None
    series: tuple[SeriesReport, ...]
    anatomy: Volume | None
    activity: Volume | None


def read_study(paths: Sequence[Path]) -> Study:
    """Read the objects of one study.

    Nothing in the files makes this raise: a bad object or series becomes a report with the reason. Objects of
    several studies or several patients are all refused. Pixels are read only of the series that are used.
    """
    objects, unreadable = _read_objects(paths)
    return _assemble(objects, unreadable)


def read_studies(paths: Sequence[Path]) -> tuple[Study, ...]:
    """Read every study among the files of a folder; what is no DICOM object forms a study without UID."""
    objects, unreadable = _read_objects(paths)
    grouped: dict[str, list[StoredObject]] = {}
    for stored in objects:
        grouped.setdefault(stored.study_uid, []).append(stored)
    studies = tuple(_assemble(members, ()) for members in grouped.values())
    return (*studies, _assemble((), unreadable)) if unreadable else studies


def _read_objects(paths: Iterable[Path]) -> tuple[tuple[StoredObject, ...], tuple[ObjectUnreadable, ...]]:
    objects, unreadable = [], []
    for path in paths:
        try:
            objects.append(read_object(path))
        except ObjectUnreadable as exc:
            log.warning("unreadable object", object=path.name, reason=str(exc))
            unreadable.append(exc)
    return tuple(objects), tuple(unreadable)


@dataclass(slots=True, kw_only=True)
class _Verdicts:
    """Reports as they are found; the series not yet judged are the plans."""

    plans: dict[str, VolumePlan] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)

    def refuse(self, series_uid: str, reason: str) -> None:
        self.plans.pop(series_uid, None)
        self.volumes.pop(series_uid, None)
        self.reasons[series_uid] = reason


def _assemble(objects: Sequence[StoredObject], unreadable: Sequence[ObjectUnreadable]) -> Study:
    series = group_series(objects)
    verdicts = _Verdicts()
    chosen: dict[Role, str] = {}
    if mixed := _mixed_identities(objects):
        for one in series:
            verdicts.refuse(one.series_uid, mixed)
    else:
        for one in series:
            try:
                verdicts.plans[one.series_uid] = plan_volume(one)
            except SeriesRefused as exc:
                verdicts.refuse(one.series_uid, str(exc))
            except Exception as exc:
                # an odd object must not take the others with it, nor reach the feed
                log.exception("series not understood", series=one.series_uid)
                verdicts.refuse(one.series_uid, f"not understood: {type(exc).__name__}: {exc}")
        chosen = _read_chosen(verdicts)
        _explain_unused(verdicts, chosen)
    reports = tuple(_report(one, verdicts) for one in series)
    return Study(
        study_uid=Counter(stored.study_uid for stored in objects).most_common(1)[0][0] if objects else "",
        patient_id="" if mixed else _label(objects, "PatientID"),
        patient_name="" if mixed else _label(objects, "PatientName"),
        description=_label(objects, "StudyDescription"),
        taken_at=_taken_at(objects, verdicts, chosen),
        half_life_s=_half_life_s(series, chosen),
        series=(*reports, *_report_unreadable(unreadable)),
        anatomy=verdicts.volumes[chosen["anatomy"]] if "anatomy" in chosen else None,
        activity=verdicts.volumes[chosen["activity"]] if "activity" in chosen else None,
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
        if may_be_absent:
            seen.discard("")
        if len(seen) > 1:
            return f"{attribute_name(keyword)} differs: objects of several patients came in one study"
    return ""


def _choose(plans: dict[str, VolumePlan]) -> dict[Role, str]:
    """Choose the best activity that shares its frame of reference with an anatomy, and the best such anatomy.

    Where none share one, the anatomy stands alone: navigation has one patient space.
    """

    def rank(series_uid: str) -> tuple[tuple[float, ...], str]:
        return plans[series_uid].rank, series_uid

    anatomies = [key for key, plan in plans.items() if plan.role == "anatomy"]
    activities = [key for key, plan in plans.items() if plan.role == "activity"]
    pairs = [
        (activity, anatomy)
        for activity, anatomy in itertools.product(activities, anatomies)
        if plans[activity].geometry.frame_of_reference_uid == plans[anatomy].geometry.frame_of_reference_uid
    ]
    if pairs:
        activity, anatomy = max(pairs, key=lambda pair: (rank(pair[0]), rank(pair[1])))
        return {"anatomy": anatomy, "activity": activity}
    if anatomies:
        return {"anatomy": max(anatomies, key=rank)}
    return {"activity": max(activities, key=rank)} if activities else {}


def _read_chosen(verdicts: _Verdicts) -> dict[Role, str]:
    """Read the chosen series; where one fails, refuse it and choose again among the rest."""
    while True:
        chosen = _choose(verdicts.plans)
        for series_uid in set(verdicts.volumes) - set(chosen.values()):
            del verdicts.volumes[series_uid]
        for series_uid in chosen.values():
            if series_uid in verdicts.volumes:
                continue
            try:
                volume, words = verdicts.plans[series_uid].read()
            except SeriesRefused as exc:
                verdicts.refuse(series_uid, str(exc))
                break
            except MemoryError:
                verdicts.refuse(series_uid, "there is not enough memory for its voxels")
                break
            except Exception as exc:
                log.exception("series not understood", series=series_uid)
                verdicts.refuse(series_uid, f"not understood: {type(exc).__name__}: {exc}")
                break
            verdicts.volumes[series_uid] = volume
            verdicts.reasons[series_uid] = f"used as {verdicts.plans[series_uid].role}: {words}"
        else:
            return chosen


def _explain_unused(verdicts: _Verdicts, chosen: dict[Role, str]) -> None:
    for series_uid, plan in verdicts.plans.items():
        if series_uid in chosen.values():
            continue
        if plan.role == "reference":
            verdicts.reasons[series_uid] = "not used: placed in the patient, but neither CT nor activity"
            continue
        anchor = chosen.get("anatomy") or chosen[plan.role]
        other = verdicts.plans[anchor]
        is_shared = plan.geometry.frame_of_reference_uid == other.geometry.frame_of_reference_uid
        verdicts.reasons[series_uid] = (
            f"not used: another series is preferred as {plan.role}"
            if is_shared
            else f"not used: its {attribute_name('FrameOfReferenceUID')} is not that of the {other.role}, "
            "so how the two lie to each other is unknown"
        )


def _report(series: Series, verdicts: _Verdicts) -> SeriesReport:
    volume = verdicts.volumes.get(series.series_uid)
    return SeriesReport(
        series_uid=series.series_uid,
        modality=_label(series.objects, "Modality"),
        description=_label(series.objects, "SeriesDescription"),
        objects=len(series.objects),
        accepted=volume is not None,
        reason=verdicts.reasons[series.series_uid],
        volume=volume,
    )


def _report_unreadable(unreadable: Sequence[ObjectUnreadable]) -> tuple[SeriesReport, ...]:
    if not unreadable:
        return ()
    others = f"; and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
    return (
        SeriesReport(
            series_uid="",
            modality="",
            description="",
            objects=len(unreadable),
            accepted=False,
            reason=f"{unreadable[0]}{others}",
            volume=None,
        ),
    )


def _label(objects: Sequence[StoredObject], keyword: str) -> str:
    """Text for people from the first object; "" where it is absent or not readable."""
    try:
        return objects[0].attributes.text(keyword) if objects else ""
    except SeriesRefused as exc:
        log.warning("unreadable label", reason=str(exc))
        return ""


def _half_life_s(series: Sequence[Series], chosen: dict[Role, str]) -> float | None:
    """Radionuclide Half Life (0018,1075) of the first radiopharmaceutical (PS3.3 C.8.9.2, type 3)."""
    objects = next((one.objects for one in series if one.series_uid == chosen.get("activity")), ())
    try:
        items = objects[0].attributes.items("RadiopharmaceuticalInformationSequence") if objects else ()
        return items[0].optional_number("RadionuclideHalfLife") if items else None
    except SeriesRefused as exc:
        log.warning("unreadable half-life", reason=str(exc))
        return None


def _taken_at(objects: Sequence[StoredObject], verdicts: _Verdicts, chosen: dict[Role, str]) -> datetime | None:
    for role in ("activity", "anatomy"):
        if role in chosen:
            return verdicts.plans[chosen[role]].taken_at
    return read_moment(objects[0].attributes, "StudyDate", "StudyTime") if objects else None

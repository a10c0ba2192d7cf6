"""Queries of the index by attributes (PS3.4 annex C): what is matched and given back at each level."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, func, select

from devices.dicom.index.catalogue import held
from devices.dicom.index.matching import match
from devices.dicom.index.tables import objects, series, studies


class Level(Enum):
    """What is searched for."""

    PATIENTS = "patients"
    STUDIES = "studies"
    SERIES = "series"
    INSTANCES = "instances"


_PATIENT: Final = (
    studies.c.patient_id,
    studies.c.patient_name,
    studies.c.patient_birth_date,
    studies.c.patient_sex,
)
"""A patient is who is called so: two studies with one ID and different names are two answers."""

_COLUMNS: Final[Mapping[Level, tuple[Column[Any], ...]]] = {
    Level.PATIENTS: _PATIENT,
    Level.STUDIES: tuple(studies.columns),
    Level.SERIES: (*studies.columns, *series.columns),
    Level.INSTANCES: (*studies.columns, *series.columns, *objects.columns),
}

_GROUPS: Final[Mapping[Level, tuple[Column[Any], ...]]] = {
    Level.PATIENTS: _PATIENT,
    Level.STUDIES: tuple(studies.primary_key),
    Level.SERIES: (*studies.primary_key, *series.primary_key),
}

_ORDER: Final[Mapping[Level, tuple[Any, ...]]] = {
    Level.PATIENTS: _PATIENT,
    # the newest first, and always in the same order, so that pages meet
    Level.STUDIES: (studies.c.study_date.desc().nulls_last(), studies.c.study_uid),
    Level.SERIES: (studies.c.study_date.desc().nulls_last(), studies.c.study_uid, series.c.series_uid),
    Level.INSTANCES: (
        *(studies.c.study_date.desc().nulls_last(), studies.c.study_uid),
        *(series.c.series_uid, objects.c.object_uid),
    ),
}


def keys(level: Level) -> dict[int, Column[Any]]:
    """Give what can be searched by at a level, and is given back: columns by tag."""
    return {column.info["tag"]: column for column in _COLUMNS[level] if column.info}


def choose(
    level: Level, matching: Mapping[Column[Any], str], *, modality: str = "", is_sqlite: bool
) -> Select[Any]:
    """Make the query for what is in use and matches; ``modality`` is that of any series of the study.

    Beside the columns of ``keys`` a row has ``studies_held``, ``series_held`` and ``objects_held``, the numbers of
    what is below it.

    Raises
    ------
    Unanswerable
        Where a value is none of its column's kind.

    """
    joined = objects.join(series).join(studies, series.c.study_uid == studies.c.study_uid)
    chosen = select(*keys(level).values()).select_from(joined).where(held)
    if level in _GROUPS:
        chosen = chosen.add_columns(
            func.count(studies.c.study_uid.distinct()).label("studies_held"),
            func.count(objects.c.series_uid.distinct()).label("series_held"),
            func.count(objects.c.object_uid.distinct()).label("objects_held"),
        ).group_by(*_GROUPS[level])
    for column, value in matching.items():
        condition = match(column, value, is_sqlite=is_sqlite)
        if condition is not None:
            chosen = chosen.where(condition)
    condition = match(series.c.modality, modality, is_sqlite=is_sqlite)
    if condition is not None:
        chosen = chosen.where(studies.c.study_uid.in_(select(series.c.study_uid).where(condition)))
    return chosen.order_by(*_ORDER[level])


def modalities_of(connection: Connection, study_uids: Sequence[str]) -> dict[str, list[str]]:
    """Give the modalities of each study, sorted."""
    found: dict[str, list[str]] = {study_uid: [] for study_uid in study_uids}
    chosen = (
        select(series.c.study_uid, series.c.modality)
        .join(objects)
        .where(series.c.study_uid.in_(found), series.c.modality.is_not(None), held)
        .distinct()
        .order_by(series.c.modality)
    )
    for study_uid, modality in connection.execute(chosen):
        found[study_uid].append(modality)
    return found

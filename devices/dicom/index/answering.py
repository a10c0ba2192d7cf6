"""Answers queries from the index: keys as they came into values of columns, rows into elements."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Column, Row
from sqlalchemy.exc import SQLAlchemyError

from devices.dicom.index.attributes import SPECIFIC_CHARACTER_SET, TEXT
from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.characters import decode_text
from devices.dicom.index.database import IndexUnavailable
from devices.dicom.index.matching import Unanswerable
from devices.dicom.index.queries import Level, choose, keys, modalities_of
from devices.dicom.index.tables import studies
from devices.dicom.services.commands import Status
from devices.dicom.services.querying import (
    MOST_ANSWERS,
    QUERY_LEVEL,
    UNIQUE_KEYS,
    Element,
    Matches,
    QueryLevel,
    QueryRefused,
    Question,
)

LEVELS: Final[Mapping[QueryLevel, Level]] = {
    QueryLevel.PATIENT: Level.PATIENTS,
    QueryLevel.STUDY: Level.STUDIES,
    QueryLevel.SERIES: Level.SERIES,
    QueryLevel.IMAGE: Level.INSTANCES,
}

MODALITIES_IN_STUDY: Final = 0x00080061
INSTANCE_AVAILABILITY: Final = 0x00080056

COUNTS: Final[Mapping[QueryLevel, Mapping[int, str]]] = {
    QueryLevel.PATIENT: {0x00201200: "studies_held", 0x00201202: "series_held", 0x00201204: "objects_held"},
    QueryLevel.STUDY: {0x00201206: "series_held", 0x00201208: "objects_held"},
    QueryLevel.SERIES: {0x00201209: "objects_held"},
    QueryLevel.IMAGE: {},
}
"""Numbers that can be asked for, and are not matched (PS3.4 C.3.4): column of a row by tag."""

log = structlog.get_logger()


class Answering:
    """Looks queries up in the index of one folder.

    Parameters
    ----------
    folder
        The store's.
    index
        Its database; None for the SQLite file below the folder.

    """

    def __init__(self, folder: Path, index: str | None) -> None:
        self._folder = folder
        self._index = index

    def __call__(self, question: Question) -> Matches:
        """Find what matches; blocks, for a thread.

        Raises
        ------
        QueryRefused
            Where a value is none of its attribute's kind, or the index cannot be used.

        """
        try:
            with Catalogue.open(self._folder, self._index) as catalogue, catalogue.reading() as connection:
                chosen = _choose(question, is_sqlite=connection.dialect.name == "sqlite")
                rows = connection.execute(chosen.limit(MOST_ANSWERS + 1)).all()
                some = rows[:MOST_ANSWERS]
                modalities: Mapping[str, list[str]] = {}
                if question.level is QueryLevel.STUDY and MODALITIES_IN_STUDY in question.keys:
                    modalities = modalities_of(connection, [row.study_uid for row in some])
        except Unanswerable as exc:
            raise QueryRefused(Status.DATA_SET_MISMATCH, str(exc)) from exc
        except (IndexUnavailable, SQLAlchemyError) as exc:
            log.warning("a query is not answered", reason=str(exc))
            raise QueryRefused(Status.UNABLE_TO_PROCESS, "the index cannot be used: see the node's log") from exc
        made = _made(question)
        is_of_studies = question.level is not QueryLevel.PATIENT
        return Matches(
            answers=[_answer(question, row, modalities) for row in some],
            studies=Counter(row.study_uid for row in some) if is_of_studies else {},
            are_all=len(rows) <= MOST_ANSWERS,
            is_every_key_known=question.keys.keys() <= {*keys(LEVELS[question.level]), *made},
        )


def _made(question: Question) -> set[int]:
    """Tags that are given back and stand in no column."""
    of_study = {MODALITIES_IN_STUDY} if question.level is QueryLevel.STUDY else set()
    return {INSTANCE_AVAILABILITY, *of_study, *COUNTS[question.level]}


def _choose(question: Question, *, is_sqlite: bool) -> Any:
    columns = keys(LEVELS[question.level])
    matching: dict[Column[Any], str] = {}
    for tag, value in question.keys.items():
        column = columns.get(tag)
        if column is not None:
            matching[column] = _text(value, column.info["vr"], question.character_sets)
    modality = ""
    if question.level is QueryLevel.STUDY:
        modality = _text(question.keys.get(MODALITIES_IN_STUDY, b""), "CS", "")
    return choose(LEVELS[question.level], matching, modality=modality, is_sqlite=is_sqlite)


def _text(value: bytes, vr: str, character_sets: str) -> str:
    return decode_text(value, character_sets if vr in TEXT else "").strip("\0 ")


def _answer(question: Question, row: Row[Any], modalities: Mapping[str, list[str]]) -> dict[int, Element]:
    mapping = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    wanted = {*question.keys, UNIQUE_KEYS[question.level][0]}
    columns = {tag: column for tag, column in keys(LEVELS[question.level]).items() if tag in wanted}
    values = {tag: (column.info["vr"], mapping[column]) for tag, column in columns.items()}
    for tag, name in COUNTS[question.level].items():
        if tag in wanted:
            values[tag] = "IS", mapping[name]
    if INSTANCE_AVAILABILITY in wanted:
        values[INSTANCE_AVAILABILITY] = "CS", "ONLINE"
    if MODALITIES_IN_STUDY in wanted and question.level is QueryLevel.STUDY:
        values[MODALITIES_IN_STUDY] = "CS", "\\".join(modalities[mapping[studies.c.study_uid]])
    values[QUERY_LEVEL] = "CS", question.level.value
    term, codec = _character_set("".join(str(value) for _, value in values.values() if value is not None))
    if term:
        values[SPECIFIC_CHARACTER_SET] = "CS", term
    return {tag: (vr.encode(), _encoded(value, vr, codec)) for tag, (vr, value) in values.items()}


def _character_set(text: str) -> tuple[str, str]:
    """Choose the plainest character set that has every letter: its term (PS3.3 C.12.1.1.2), and Python's codec."""
    for term, codec in (("", "ascii"), ("ISO_IR 100", "latin_1")):
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            continue
        return term, codec
    return "ISO_IR 192", "utf_8"


def _encoded(value: str | int | None, vr: str, codec: str) -> bytes:
    if value is None:
        return b""
    if vr == "US":
        return int(value).to_bytes(2, "little")
    content = str(value).encode(codec)
    return content + (b"\0" if vr == "UI" else b" ") * (len(content) % 2)

"""The search transaction (PS3.18 10.6, QIDO-RS): queries of the index, answered in data sets."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from sqlalchemy import Column, Row, func, select

from devices.dicom.index.catalogue import Catalogue
from devices.dicom.index.matching import Unanswerable
from devices.dicom.index.queries import Level, choose, keys, modalities_of
from devices.dicom.index.tables import objects, series, studies
from devices.dicom.web.attributes import put

MOST_RESULTS: Final = 500
"""In one answer; the rest is asked for by offset."""

INSTANCE_AVAILABILITY: Final = Tag(0x0008, 0x0056)
MODALITIES_IN_STUDY: Final = Tag(0x0008, 0x0061)
RETRIEVE_URL: Final = Tag(0x0008, 0x1190)
SERIES_OF_STUDY: Final = Tag(0x0020, 0x1206)
OBJECTS_OF_STUDY: Final = Tag(0x0020, 0x1208)
OBJECTS_OF_SERIES: Final = Tag(0x0020, 0x1209)

NO_FUZZY: Final = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


@dataclass(slots=True, kw_only=True)
class Query:
    """A query, read from the parameters of a URL.

    Each stands there once, as a key does in a data set (PS3.18 8.3.4, PS3.4 C.2.2.2): which of two values holds
    nobody can know. ``includefield`` may stand there again.
    """

    level: Level
    matching: dict[Column[Any], str] = field(default_factory=dict)
    modality: str | None = None
    limit: int = MOST_RESULTS
    offset: int = 0
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def read(
        cls, level: Level, parameters: Iterable[tuple[str, str]], *, path: Mapping[Column[Any], str]
    ) -> "Query":
        """Read a query; ``path`` are the UIDs that stand in the path.

        Raises
        ------
        Unanswerable
            Where a parameter is not known, not searched by, or has two values: who asks for one patient is not
            given all.

        """
        query, known, given = cls(level=level, matching=dict(path)), keys(level), dict[str, str]()
        for name, value in parameters:
            if name != "includefield" and given.setdefault(name, value) != value:
                raise Unanswerable(f"{name} is asked for twice")
            match name:
                case "limit":
                    query.limit = min(_count(name, value), MOST_RESULTS)
                case "offset":
                    query.offset = _count(name, value)
                case "fuzzymatching":
                    if value == "true":
                        query.warnings.append(NO_FUZZY)
                case "includefield":
                    # everything that is known is given back anyhow
                    for one in value.split(","):
                        if one != "all":
                            _tag(one)
                case _:
                    query._add(name, value, known)
        return query

    def _add(self, name: str, value: str, known: Mapping[int, Column[Any]]) -> None:
        tag = _tag(name)
        if tag == MODALITIES_IN_STUDY:
            if self.modality not in {None, value}:  # by its keyword and by its number
                raise Unanswerable(f"{name} is asked for twice")
            self.modality = value
        elif tag not in known:
            raise Unanswerable(f"{self.level.value} cannot be searched by {name}")
        elif self.matching.setdefault(known[tag], value) != value:
            raise Unanswerable(f"{name} is asked for twice")


def _count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or len(value) > 9:
        raise Unanswerable(f"{name} wants a whole number, not {value[:80]!r}")
    return int(value)


def _tag(name: str) -> int:
    tag = tag_for_keyword(name)
    if tag is None and len(name) == 8:
        try:
            tag = int(name, 16)
        except ValueError:
            tag = None
    if tag is None or not dictionary_has_tag(tag):
        raise Unanswerable(f"no attribute is called {name[:80]!r}")
    return tag


class Search:
    """Answers queries.

    Parameters
    ----------
    folder
        The store's.
    index
        The database of its index; None for the SQLite file below the folder.
    url_of
        Gives where a study, a series or an object is retrieved.

    """

    def __init__(self, folder: Path, index: str | None, *, url_of: Callable[..., str]) -> None:
        self._folder = folder
        self._index = index
        self._url_of = url_of

    def answer(self, query: Query) -> list[Dataset]:
        """Give what matches; adds to the query's warnings where that is not all.

        Raises
        ------
        Unanswerable
            Where a value is none of its attribute's kind.
        IndexUnavailable, SQLAlchemyError
            Where the database cannot be used.

        """
        with Catalogue.open(self._folder, self._index) as catalogue, catalogue.reading() as connection:
            chosen = choose(
                query.level,
                query.matching,
                modality=query.modality or "",
                is_sqlite=connection.dialect.name == "sqlite",
            )
            rows = connection.execute(chosen.limit(query.limit + 1).offset(query.offset)).all()
            if len(rows) > query.limit:
                total = connection.execute(
                    select(func.count()).select_from(chosen.order_by(None).subquery())
                ).scalar_one()
                left = total - query.offset - query.limit
                query.warnings.append(f"There are {left} additional results that can be requested")
            rows = rows[: query.limit]
            modalities: Mapping[str, list[str]] = {}
            if query.level is Level.STUDIES:
                modalities = modalities_of(connection, [row.study_uid for row in rows])
        return [self._data_set(query.level, row, modalities) for row in rows]

    def _data_set(self, level: Level, row: Row[Any], modalities: Mapping[str, list[str]]) -> Dataset:
        said, mapping = Dataset(), row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
        for column in keys(level).values():
            value = mapping[column]
            put(said, Tag(column.info["tag"]), column.info["vr"], "" if value is None else value)
        put(said, INSTANCE_AVAILABILITY, "CS", "ONLINE")
        uids = [mapping[studies.c.study_uid]]
        match level:
            case Level.STUDIES:
                put(said, MODALITIES_IN_STUDY, "CS", modalities[row.study_uid])
                put(said, SERIES_OF_STUDY, "IS", mapping["series_held"])
                put(said, OBJECTS_OF_STUDY, "IS", mapping["objects_held"])
            case Level.SERIES:
                put(said, OBJECTS_OF_SERIES, "IS", mapping["objects_held"])
                uids.append(mapping[series.c.series_uid])
            case Level.INSTANCES:
                uids += [mapping[series.c.series_uid], mapping[objects.c.object_uid]]
        put(said, RETRIEVE_URL, "UR", self._url_of(*uids))
        return said

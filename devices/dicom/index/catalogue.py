"""What is known of the received objects: rows written and read, whatever the database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Subquery,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DatabaseError

from devices.dicom.audit.message import Removal
from devices.dicom.index.attributes import Entry, Row
from devices.dicom.index.database import discard, is_damage, open_to_read, open_to_write
from devices.dicom.index.tables import DERIVED, audit, objects, series, studies

BATCH = 500
"""Rows in one statement: PostgreSQL and SQLite both bound its parameters."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What a row says of its file; another file is there when it differs."""

    size_bytes: int
    received_at: datetime
    is_gone: bool


class Catalogue:
    """The index of one folder. One writer at a time, the one that has the folder's lock; any number of readers.

    Use ``open``, or ``to_write`` and ``close``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    @contextmanager
    def open(cls, folder: Path, url: str | None) -> Iterator[Self]:
        """Open the index of a folder to read; ``url`` names its database, None the SQLite file below the folder.

        Raises
        ------
        IndexUnavailable
            Where it cannot be used, with the reason in words.

        """
        catalogue = cls(open_to_read(folder, url))
        try:
            yield catalogue
        finally:
            catalogue.close()

    @classmethod
    def to_write(cls, folder: Path, url: str | None) -> Self:
        """Open the index of a folder whose lock one has, and make it where it is not there.

        Raises
        ------
        IndexUnavailable
            Where it cannot be used, with the reason in words.

        """
        return cls(open_to_write(folder, url))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def place(self) -> URL:
        """Where its database is."""
        return self._engine.url

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for queries of one's own on ``devices.dicom.index.tables``.

        ``present`` is the condition that leaves out objects whose files are gone.
        """
        with self._engine.connect() as connection:
            yield connection

    # --- writing ----------------------------------------------------------------------------------------------

    def add(self, entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
        """Write the rows of files, in place of those that were there; studies and series that are known stay.

        Gives those whose UID an object of another study has, with that study's UID.
        """
        shared: list[tuple[Entry, str]] = []
        with self._engine.begin() as connection:
            for start in range(0, len(entries), BATCH):
                some = entries[start : start + BATCH]
                shared += _shared_with_others(connection, some)
                _add_missing(connection, studies, [entry.study for entry in some])
                _add_missing(connection, series, [entry.series for entry in some])
                rows = {entry.path: entry.object for entry in some}
                connection.execute(delete(objects).where(objects.c.path.in_(rows)))
                connection.execute(insert(objects), list(rows.values()))
        return shared

    def describe(self, study_uid: str, read: Callable[[str], Entry]) -> None:
        """Describe a study, and each series in it, anew by the first of its objects in use.

        ``read`` reads the file at a path; what it raises comes out.
        """
        with self._engine.begin() as connection:
            chosen = select(objects.c.series_uid, objects.c.path).where(objects.c.study_uid == study_uid, held)
            first: dict[str, str] = {}
            for row in connection.execute(chosen.order_by(objects.c.received_at, objects.c.path)):
                first.setdefault(row.series_uid, row.path)
            # a dictionary keeps the order: the first series has the first object
            for number, path in enumerate(first.values()):
                entry = read(path)
                described = ((studies, entry.study), (series, entry.series))[number > 0 :]
                for table, values in described:
                    matching = (column == values[column.name] for column in table.primary_key)
                    connection.execute(update(table).where(*matching).values(**values))

    def mark_gone(self, paths: Sequence[str], at: datetime) -> None:
        """Note that files are missing; their rows stay, so that it is known what was there."""
        marking = update(objects).where(objects.c.path == bindparam("gone")).values(gone_at=at)
        with self._engine.begin() as connection:
            connection.execute(marking, [{"gone": path} for path in paths])

    def remove_study(self, study_uid: str) -> None:
        """Remove every row of a study."""
        with self._engine.begin() as connection:
            for table in (objects, series, studies):
                connection.execute(delete(table).where(table.c.study_uid == study_uid))

    def note(self, *removals: Removal) -> None:
        """Add rows to the audit."""
        if removals:
            with self._engine.begin() as connection:
                connection.execute(insert(audit), [asdict(removal) for removal in removals])

    def clear(self) -> None:
        """Empty every table that is made from the files."""
        with self._engine.begin() as connection:
            for table in reversed(DERIVED):
                connection.execute(delete(table))

    def discard_if_damaged(self, exc: DatabaseError) -> None:
        """Remove the database where it is a SQLite file that no longer holds together; open it anew then."""
        if is_damage(exc):
            self._engine.dispose()
            discard(self.place)

    @property
    def has_audit(self) -> bool:
        """Whether the audit has any row."""
        with self.reading() as connection:
            return connection.execute(select(audit.c.number).limit(1)).first() is not None

    # --- reading ----------------------------------------------------------------------------------------------

    def study_uids(self) -> set[str]:
        """Every study that has a row."""
        with self.reading() as connection:
            return set(connection.scalars(select(studies.c.study_uid)))

    def files(self, study_uid: str) -> dict[str, FileState]:
        """Give what the rows of a study say of its files, by path."""
        chosen = select(objects.c.path, objects.c.size_bytes, objects.c.received_at, objects.c.gone_at)
        with self.reading() as connection:
            return {
                row.path: FileState(row.size_bytes, row.received_at, row.gone_at is not None)
                for row in connection.execute(chosen.where(objects.c.study_uid == study_uid))
            }

    def conflicts(self) -> dict[str, list[str]]:
        """Paths of files that lie under one UID, by that UID where their bytes differ, oldest first."""
        shared = _shared_uids()
        chosen = (
            select(objects.c.object_uid, objects.c.path)
            .join(shared, shared.c.object_uid == objects.c.object_uid)
            .where(present)
            .order_by(objects.c.received_at, objects.c.path)
        )
        found: dict[str, list[str]] = {}
        with self.reading() as connection:
            for row in connection.execute(chosen):
                found.setdefault(row.object_uid, []).append(row.path)
        return found


present = objects.c.gone_at.is_(None)
"""Leaves out objects whose files are gone."""

held = present & (objects.c.path == objects.c.study_uid + "/" + objects.c.object_uid + ".dcm")
"""Leaves out those aside as well: of several files under one UID the one with the plain name is in use."""


def _shared_with_others(connection: Connection, entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Pair entries, which have no rows yet, with each other study that has an object of their UID."""
    chosen = select(objects.c.object_uid, objects.c.study_uid).where(
        objects.c.object_uid.in_({entry.object_uid for entry in entries}), present
    )
    known: dict[str, set[str]] = {}
    for row in connection.execute(chosen):
        known.setdefault(row.object_uid, set()).add(row.study_uid)
    shared = []
    for entry in entries:
        studies_with_it = known.setdefault(entry.object_uid, set())
        shared += [(entry, study_uid) for study_uid in sorted(studies_with_it - {entry.study_uid})]
        studies_with_it.add(entry.study_uid)
    return shared


def _shared_uids() -> Subquery:
    return (
        select(objects.c.object_uid)
        .where(present)
        .group_by(objects.c.object_uid)
        .having(func.count(func.coalesce(objects.c.checksum, objects.c.path).distinct()) > 1)
        .subquery()
    )


def _add_missing(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    keys: tuple[Column[Any], ...] = tuple(table.primary_key.columns)
    by_key: dict[tuple[object, ...], Row] = {}
    for row in rows:
        by_key.setdefault(tuple(row[key.name] for key in keys), row)
    known = {tuple(row) for row in connection.execute(select(*keys).where(tuple_(*keys).in_(by_key)))}
    if missing := [row for key, row in by_key.items() if key not in known]:
        connection.execute(insert(table), missing)

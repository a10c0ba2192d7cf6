"""The database of the index: a SQLite file in the node's folder, or a PostgreSQL that the site file names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog
from sqlalchemy import URL, Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from devices.databases import DRIVER_MISSING, make_engine, plain, postgresql_url, say, sqlite_url
from devices.dicom.index.tables import DERIVED, VERSION, about, metadata
from devices.dicom.storage.durability import write_durably

FOLDER: Final = ".index"
"""Subfolder of the store's: the identity of the folder, and the SQLite file where there is one."""

SQLITE_FILE: Final = "index.sqlite"

IDENTITY: Final = "identity"

log = structlog.get_logger()


class IndexUnavailable(Exception):
    """Raised when the database cannot be used; the message says which and what to do, without its password."""


def database_url(folder: Path, url: str | None) -> URL:
    """Give the database of a folder: the one named, or a SQLite file below it."""
    if url is None:
        return sqlite_url(str(folder / FOLDER / SQLITE_FILE))
    return postgresql_url(url)


def try_database(folder: Path, url: str | None) -> str:
    """Connect once and name the database; nothing is made or changed.

    Raises
    ------
    IndexUnavailable
        Where it cannot be reached, or its driver is missing.

    """
    place = database_url(folder, url)
    with _in_words(place):
        engine = make_engine(place)
        try:
            with engine.connect():
                return plain(place)
        finally:
            engine.dispose()


def open_to_read(folder: Path, url: str | None) -> Engine:
    """Open the database of a folder as its node has made it, beside the node or without.

    Raises
    ------
    IndexUnavailable
        Where it cannot be reached, or is not made yet, or is the index of another folder.

    """
    place = database_url(folder, url)
    is_file = place.get_backend_name() == "sqlite"
    if not (folder / FOLDER / IDENTITY).exists() or (is_file and not Path(place.database or "").exists()):
        raise IndexUnavailable(f"{plain(place)}: there is no index yet")
    with _in_words(place):
        engine = make_engine(place)
        try:
            with engine.connect() as connection:
                is_current = _is_current(connection, _identity(folder / FOLDER), place)
        except BaseException:
            engine.dispose()
            raise
    if not is_current:
        engine.dispose()
        raise IndexUnavailable(f"{plain(place)}: the index is not made yet")
    return engine


def open_to_write(folder: Path, url: str | None) -> Engine:
    """Open the database of a folder, with its tables made; for whoever has the folder's lock.

    Tables of another version, and a SQLite file that is damaged, are made anew, empty: the files have it all.

    Raises
    ------
    IndexUnavailable
        Where the database cannot be reached, its driver is missing, or it is the index of another folder.

    """
    place = database_url(folder, url)
    with _in_words(place):
        (folder / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = _identity(folder / FOLDER)
        try:
            return _made(place, identity)
        except DatabaseError as exc:
            if not is_damage(exc):
                raise
            log.error("the index is damaged and made anew", database=plain(place))  # noqa: TRY400 - the sentence says it
            discard(place)
            return _made(place, identity)


@contextmanager
def _in_words(place: URL) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as exc:
        raise IndexUnavailable(f"{plain(place)}: {DRIVER_MISSING}") from exc
    except (SQLAlchemyError, OSError) as exc:
        raise IndexUnavailable(say(place, exc)) from exc


def is_damage(exc: DatabaseError) -> bool:
    """Whether a SQLite file is none, or its content no longer holds together."""
    return type(exc) is DatabaseError and "sqlite" in type(exc.orig).__module__


def discard(place: URL) -> None:
    """Remove a SQLite file and what belongs to it."""
    for ending in ("", "-wal", "-shm"):
        Path(f"{place.database}{ending}").unlink(missing_ok=True)


def _identity(folder: Path) -> str:
    """Name the folder for good: it may be moved, and its node be called otherwise."""
    path = folder / IDENTITY
    if not path.exists():
        write_durably(path, uuid4().hex.encode())
    return path.read_text(encoding="ascii")


def _made(place: URL, identity: str) -> Engine:
    engine = make_engine(place)
    try:
        with engine.begin() as connection:
            _claim(connection, identity, place)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _is_current(connection: Connection, identity: str, place: URL) -> bool:
    """Whether the tables are there, as these are; raises ``IndexUnavailable`` where they are another folder's."""
    if not inspect(connection).has_table(about.name):
        return False
    row = connection.execute(select(about.c.folder, about.c.version)).one_or_none()
    if row is not None and row.folder != identity:
        raise IndexUnavailable(
            f"{plain(place)} is the index of another node's folder: give each node a database of its own"
        )
    return row is not None and row.version == VERSION


def _claim(connection: Connection, identity: str, place: URL) -> None:
    if _is_current(connection, identity, place):
        return
    # of another version
    metadata.drop_all(connection, tables=[about, *DERIVED])
    metadata.create_all(connection)
    connection.execute(insert(about).values(folder=identity, version=VERSION))

"""Databases through SQLAlchemy: a SQLite file, or a PostgreSQL of the hospital's own; the same code for both."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import URL, DateTime, Dialect, Engine, TypeDecorator, create_engine, event, make_url

CONNECT_TIME_S: Final = 5

CACHE_KB: Final = 512
"""Of a SQLite file, in memory of our own."""

DRIVER_MISSING: Final = "its driver is missing: install radionav with its extra, radionav[postgresql]"


class Moment(TypeDecorator[datetime]):
    """A time in UTC, kept without a zone: SQLite knows none, and PostgreSQL would show it in the session's."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Take the zone away."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give it back."""
        return None if value is None else value.replace(tzinfo=UTC)


def sqlite_url(path: str) -> URL:
    """Give the address of a SQLite file."""
    return URL.create("sqlite+pysqlite", database=path)


def postgresql_url(url: str) -> URL:
    """Give the address of a PostgreSQL, by the driver that is used."""
    return make_url(url).set(drivername="postgresql+psycopg")


def make_engine(place: URL, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> Engine:
    """Make what connects to a database.

    Parameters
    ----------
    place
        Its address.
    synchronous
        Of a SQLite file: ``NORMAL`` may lose the last rows in a power cut and leaves the file whole, ``FULL``
        loses nothing that was committed.

    """
    if place.get_backend_name() != "sqlite":
        # a server that is gone without a word is given up
        lasting = {"connect_timeout": CONNECT_TIME_S, "tcp_user_timeout": 1000 * CONNECT_TIME_S}
        return create_engine(place, pool_pre_ping=True, connect_args=lasting)
    engine = create_engine(place)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait for each other
        connection.execute(f"PRAGMA synchronous={synchronous}")
        # the kernel keeps its pages as well, and gives them up when they are wanted for something else
        connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")

    return engine


def say(place: URL, exc: Exception) -> str:
    """Say in one line what is wrong with a database."""
    cause = getattr(exc, "orig", None) or exc
    return f"{plain(place)}: {' '.join(str(cause).split())}"


def plain(place: URL) -> str:
    """Name a database without its password."""
    return place.database or "" if place.get_backend_name() == "sqlite" else place.render_as_string()

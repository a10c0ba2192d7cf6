"""How the site file names a database of the hospital's own."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator


def _checked_database(url: str) -> str:
    if not url.startswith("postgresql://"):
        raise ValueError(
            "it wants postgresql://user@host/database; leave it away for SQLite, and a password to ~/.pgpass"
        )
    return url


DatabaseUrl: TypeAlias = Annotated[str, AfterValidator(_checked_database)]
"""Where a PostgreSQL database is."""

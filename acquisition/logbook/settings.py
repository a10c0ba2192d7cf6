"""Where the site keeps its quality logbook."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from devices.database_url import DatabaseUrl


class LogbookSettings(BaseModel):
    """The quality logbook: a database, and the key that its records are sealed with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: Path = Field(
        default=Path("var/quality.sqlite"), description="SQLite file of the logbook, where there is no url."
    )
    url: DatabaseUrl | None = Field(
        default=None, description="A PostgreSQL in its place, as postgresql://radionav@db.example/quality."
    )
    key: Path = Field(
        default=Path("var/quality.key"),
        description="Key that this machine seals records with; made where there is none. Keep a copy of it.",
    )
    reports: Path = Field(default=Path("var/reports"), description="Folder that acquire writes its reports to.")

    def beside(self, folder: Path) -> Self:
        """Take relative paths as relative to ``folder``."""
        update = {
            "database": folder / self.database,
            "key": folder / self.key,
            "reports": folder / self.reports,
        }
        return self.model_copy(update=update)

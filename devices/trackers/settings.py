"""What every tracker's entry in the site file has."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class TrackerSettings(BaseModel):
    """Keys that all trackers share; each driver adds its own.

    Attributes
    ----------
    label
        What to call it on a screen.
    silence_s
        Longest time between readings, s; after it the tracker is shown as silent and opened again. Bounded, for
        page and server take it as the age at which a pose is stale, and nothing old looks live for a second.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    label: str = "Tracker"
    silence_s: float = Field(default=0.5, gt=0, le=0.9)

    @property
    def streams(self) -> bool:
        """Readings come all the time."""
        return True

    @property
    def opening_s(self) -> float:
        """Longest time to open the link and learn who answers, s."""
        return 5.0

    def beside(self, folder: Path) -> Self:  # noqa: ARG002 - for those that name files
        """Take relative paths as relative to ``folder``, where the site file lies."""
        return self

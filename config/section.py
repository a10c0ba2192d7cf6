"""What every table of the site file is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the site file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

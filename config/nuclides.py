"""The shipped table of radionuclides."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from navigation.nuclides import GammaLine, Nuclide

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LineEntry(BaseModel):
    """A photon line as ``nuclides.toml`` writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    energy_kev: Positive
    photons_per_decay: Positive
    water_attenuation_per_mm: Positive


class NuclideEntry(BaseModel):
    """A radionuclide as ``nuclides.toml`` writes it, under its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_s: Positive
    lines: Annotated[tuple[LineEntry, ...], Field(min_length=1)]

    def nuclide(self, name: str) -> Nuclide:
        """Give it as navigation knows it."""
        lines = tuple(GammaLine(**line.model_dump()) for line in self.lines)
        return Nuclide(name=name, half_life_s=self.half_life_s, lines=lines)


def load_nuclides(text: str | None = None) -> Mapping[str, Nuclide]:
    """Read a table of nuclides by name; without ``text`` the shipped one.

    Raises
    ------
    pydantic.ValidationError, tomllib.TOMLDecodeError
        Where it is not such a table; the key is named.

    """
    if text is None:
        text = files("config").joinpath("nuclides.toml").read_text(encoding="utf-8")
    entries = TypeAdapter(dict[str, NuclideEntry]).validate_python(tomllib.loads(text))
    return MappingProxyType({name: entry.nuclide(name) for name, entry in entries.items()})

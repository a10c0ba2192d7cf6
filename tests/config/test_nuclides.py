"""The shipped nuclide table, and what it refuses."""

import actigamma
import pytest
from pydantic import ValidationError

from config.nuclides import load_nuclides

SITE = (
    *("Tc-99m", "In-111", "I-123", "I-125", "I-131", "Lu-177", "Ac-225", "Ga-67"),
    *("Ga-68", "F-18", "Cu-64", "Zr-89", "Co-57", "Cs-137", "Ba-133", "Tl-201"),
)

DAUGHTERS = {"Ac-225": {"Fr221": 1.0, "Bi213": 1.0}, "Zr-89": {"Y89m": 0.9997}, "Cs-137": {"Ba137m": 0.944}}
"""What stands in equilibrium with a parent, and in how many of its decays it comes about."""

GROUPS = {"I-125": 4.5, "Tl-201": 9.0}
"""Half width, keV, of X rays and lines that the table gives as one."""


@pytest.mark.parametrize("name", SITE)
def test_every_nuclide_in_use_is_there(name: str) -> None:
    """Each nuclide that a probe meets has a half-life and a line."""
    nuclide = load_nuclides()[name]
    assert nuclide.name == name
    assert nuclide.main_line.photons_per_decay > 0


@pytest.mark.parametrize(
    ("name", "half_value_mm"), [("Tc-99m", 45.1), ("I-131", 63.0), ("F-18", 72.2), ("Ga-68", 72.2)]
)
def test_half_value_layers_of_water(name: str, half_value_mm: float) -> None:
    """The half-value layer of water, ln 2 / mu, is the known one: 4.51 cm at 140 keV, 6.30 at 364, 7.22 at 511."""
    assert 0.6931 / load_nuclides()[name].main_line.water_attenuation_per_mm == pytest.approx(
        half_value_mm, rel=0.005
    )


def test_activity_decays() -> None:
    """Tc-99m loses half in 6.015 h."""
    assert load_nuclides()["Tc-99m"].activity_mbq(2.0, 6.015 * 3600) == pytest.approx(1.0)


def test_a_typo_is_named() -> None:
    """A misspelt key is refused with its place."""
    with pytest.raises(ValidationError, match="half_live_s"):
        load_nuclides("[X-1]\nhalf_live_s = 1.0\nlines = []\n")


def test_the_table_cannot_be_changed() -> None:
    """What is loaded is read-only."""
    with pytest.raises(TypeError):
        load_nuclides()["Tc-99m"] = load_nuclides()["F-18"]  # type: ignore[index]


@pytest.mark.parametrize("name", SITE)
def test_lines_and_half_lives_beside_actigamma(name: str) -> None:
    """Half-lives agree with actigamma (JEFF decay data) to 1 %, lines to 5 % or half a per cent of decays."""
    table = actigamma.Decay2012Database()
    nuclide = load_nuclides()[name]
    own = name.replace("-", "")
    assert nuclide.half_life_s == pytest.approx(table.gethalflife(own), rel=0.01)
    sources = {own: 1.0, **DAUGHTERS.get(name, {})}
    for line in nuclide.lines:
        width_kev = GROUPS.get(name, 1.0) if line is nuclide.main_line else 1.0
        photons = 0.0
        for source, share in sources.items():
            for kind in ("gamma", "x-ray"):  # it files annihilation under X rays
                try:
                    energies_kev = table.getenergies(source, spectype=kind) / 1000
                    intensities = table.getintensities(source, spectype=kind)
                except KeyError:
                    continue
                photons += share * intensities[abs(energies_kev - line.energy_kev) < width_kev].sum()
        assert line.photons_per_decay == pytest.approx(photons, rel=0.05, abs=0.005), line

"""The shipped nuclide table, and what it refuses."""

import pytest
from pydantic import ValidationError

from config.nuclides import load_nuclides

SITE = ("Tc-99m", "In-111", "I-131", "Lu-177", "Ga-68", "F-18", "Co-57", "Cs-137", "I-125", "I-123")


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

"""Peak and light: each passes a good probe, fails a bad one for its reason, and says what it could not see."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from acquisition.quality.counts import Count
from acquisition.quality.light import LightTightness
from acquisition.quality.peak import EnergyPeak
from acquisition.quality.placements import Placement
from acquisition.quality.results import StepResult
from acquisition.quality.settings import LightLimits, PeakLimits, PointSource
from acquisition.quality.spectra import EnergyScale, SpectrumRise, energy_scale_of, window_of
from acquisition.quality.steps import Known, judge
from config.nuclides import load_nuclides
from devices.probes.amptek import Settings
from devices.probes.mightyohm import Settings as MightyOhmSettings
from simulators.probes.amptek import SpectrumShape

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COUNT = Count(counts=100, live_time_s=20, real_time_s=20, dead_time_s=0, started_at=NOON)


def peak_of(shape: SpectrumShape | None) -> StepResult:
    """Judge 10,000 counts of a spectrum, or none."""
    step = EnergyPeak(
        limits=PeakLimits(),
        source=PointSource(),
        scale=EnergyScale(kev_per_channel=1.0),
        placement=Placement(instruction="Place it"),
    )
    spectrum = None
    if shape is not None:
        peak, scatter = shape.shares()
        spectrum = tuple(np.random.default_rng(1).poisson(10_000 * peak + 6_000 * scatter).tolist())
    return judge(step, [replace(COUNT, spectrum=spectrum)], Known(nuclides=load_nuclides()))


def test_a_good_peak_is_told_in_kev_and_per_cent() -> None:
    """Tc-99m of a crystal with 8 % passes, its figures with errors."""
    result = peak_of(SpectrumShape())
    assert result.passed
    centre, shift, resolution = result.figures
    assert centre.value == pytest.approx(140.5, abs=0.5)
    assert abs(shift.value) < 0.5
    assert resolution.value == pytest.approx(8.0, abs=0.4)
    assert None not in (centre.sigma, shift.sigma, resolution.sigma)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (SpectrumShape(gain=0.95), "gain has drifted"),
        (SpectrumShape(gain=1.05), "gain has drifted"),
        (SpectrumShape(resolution=0.2), "crystal, its light or its coupling"),
        (SpectrumShape(line_kev=80.0, window_kev=(70.0, 90.0)), "no photopeak"),
    ],
)
def test_a_bad_peak_fails_for_its_reason(shape: SpectrumShape, words: str) -> None:
    """Drifted either way, too broad, and another nuclide's: each fails in words."""
    result = peak_of(shape)
    assert not result.passed
    assert words in result.reason


def test_a_probe_without_spectra_is_said_to_be_unmeasured() -> None:
    """Nothing is counted for it, and nothing claimed."""
    step = EnergyPeak(limits=PeakLimits(), source=PointSource(), scale=None, placement=Placement(instruction=""))
    assert step.exposures == ()
    result = judge(step, [], Known(nuclides=load_nuclides()))
    assert result.passed
    assert "not measured: this probe gives no spectrum" in result.reason
    assert result.figures == ()


def test_a_spectrum_that_does_not_come_fails() -> None:
    """Where the site file gives an energy scale, a missing spectrum would let a drifted gain pass."""
    result = peak_of(None)
    assert not result.passed
    assert "drifted gain would not be seen" in result.reason


def test_the_energy_scale_stands_in_the_site_file() -> None:
    """An Amptek's window in keV gives its scale; a counter without spectra has none."""
    amptek = Settings(driver="amptek", port="/dev/x", window_kev=(1, 2), energy_kev_per_channel=0.5)
    scale = energy_scale_of(amptek)
    assert scale is not None
    assert scale.energies_kev(3).tolist() == [0.0, 0.5, 1.0]
    assert energy_scale_of(MightyOhmSettings(driver="mightyohm", port="/dev/x")) is None


def test_the_window_is_told_as_the_site_file_sets_it() -> None:
    """In keV, in channels, or by the instrument's own analyser; a counter without energies has none."""

    def amptek(**window: object) -> Settings:
        return Settings.model_validate({"driver": "amptek", "port": "/dev/x", **window})

    assert window_of(amptek(window_kev=(126, 154), energy_kev_per_channel=0.5)) == "126 to 154 keV"
    assert window_of(amptek(window_channels=(120, 160))) == "channels 120 to 160"
    assert window_of(amptek(window_sca=2)) == "its own analyser 2"
    assert window_of(MightyOhmSettings(driver="mightyohm", port="/dev/x")) == ""


@dataclass
class Told:
    """A spectrum, as a driver has it."""

    counts: tuple[int, ...]


class Giver:
    """An open probe with a spectrum."""

    def __init__(self) -> None:
        self.spectrum: Told | None = None


def test_a_cleared_spectrum_loses_nothing() -> None:
    """Rises are taken from reading to reading; after a clearing all of the new one is new."""
    giver = Giver()
    rise = SpectrumRise(giver)
    assert rise.since_last() is None
    giver.spectrum = Told((5, 5))
    assert rise.since_last() is None
    risen = []
    for counts in ((7, 5), (7, 9), (1, 2)):
        giver.spectrum = Told(counts)
        found = rise.since_last()
        assert found is not None
        risen.append(found.tolist())
    assert risen == [[2, 0], [0, 4], [1, 2]]
    assert SpectrumRise(object()).since_last() is None


@pytest.mark.parametrize(("lit_cps", "passed"), [(5.0, True), (6.0, True), (300.0, False), (15.0, False)])
def test_light_must_not_add_to_the_background(lit_cps: float, passed: bool) -> None:  # noqa: FBT001 - a column of the table
    """Five counts a second stay five under the lamp; what surely adds more than the limit leaks."""
    dark = Count(counts=300, live_time_s=60, real_time_s=60, dead_time_s=0, started_at=NOON)
    lit = replace(COUNT, counts=round(20 * lit_cps))
    result = judge(LightTightness(limits=LightLimits()), [lit], Known(nuclides={}, background=dark))
    assert result.passed is passed
    assert ("light leaks in" in result.reason) is not passed


def test_light_that_a_short_count_cannot_tell_does_not_pass() -> None:
    """Over five counts a second, a second under the lamp is as likely five as nine: it says nothing of three."""
    dark = Count(counts=300, live_time_s=60, real_time_s=60, dead_time_s=0, started_at=NOON)
    lit = replace(COUNT, counts=5, live_time_s=1.0, real_time_s=1.0)
    result = judge(LightTightness(limits=LightLimits()), [lit], Known(nuclides={}, background=dark))
    assert not result.passed
    assert "too few counts to tell" in result.reason

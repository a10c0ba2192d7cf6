"""The photopeak's place and width, against spectra that are written out here."""

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.statistics.peak import fit_peak
from simulators.probes.amptek import SpectrumShape


def spectrum(*, centre_kev: float, fwhm_kev: float, counts: float, level: float, seed: int | None) -> np.ndarray:
    """Draw 256 channels of 1 keV: a Gaussian on a slope, or their means without a seed."""
    energies = np.arange(256.0)
    sigma = fwhm_kev / 2.3548
    peak = counts * np.exp(-0.5 * ((energies - centre_kev) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    mean = peak + np.maximum(level * (1 - energies / 300), 0)
    return np.asarray(mean if seed is None else np.random.default_rng(seed).poisson(mean))


def test_place_and_width_come_back_with_honest_errors() -> None:
    """Over forty spectra centre and width lie within two errors in 95 of 100, and are not biased."""
    found = [
        fit_peak(
            np.arange(256.0),
            spectrum(centre_kev=138.2, fwhm_kev=14.0, counts=5000, level=20, seed=seed),
            line_kev=140.5,
        )
        for seed in range(40)
    ]
    centre = np.array([(each.centre_kev - 138.2) / each.centre_sigma_kev for each in found])
    width = np.array([(each.fwhm_kev - 14.0) / each.fwhm_sigma_kev for each in found])
    for pull in (centre, width):
        assert abs(pull.mean()) < 0.5
        assert 0.7 < pull.std() < 1.35
    # sigma / sqrt(N) of the peak alone, and a little more for the background under it
    assert 1.0 < found[0].centre_sigma_kev / (14.0 / 2.3548 / np.sqrt(5000)) < 1.6


def test_a_spectrum_without_noise_is_met_exactly() -> None:
    """Centre, width and counts of the means come back."""
    peak = fit_peak(
        np.arange(256.0),
        spectrum(centre_kev=150.0, fwhm_kev=12.0, counts=1e6, level=100, seed=None),
        line_kev=140.5,
    )
    assert peak.centre_kev == pytest.approx(150.0, abs=0.01)
    assert peak.fwhm_kev == pytest.approx(12.0, rel=0.005)
    assert peak.counts == pytest.approx(1e6, rel=0.01)


@pytest.mark.parametrize("gain", [0.85, 1.0, 1.1])
def test_the_peak_of_the_simulated_instrument_follows_its_gain(gain: float) -> None:
    """With Compton events below, the peak is found at line times gain, as wide as the crystal makes it."""
    shape = SpectrumShape(gain=gain)
    peak, scatter = shape.shares()
    counts = np.random.default_rng(2).poisson(20_000 * peak + 12_000 * scatter)
    found = fit_peak(np.arange(256.0), counts, line_kev=140.5)
    assert found.centre_kev == pytest.approx(140.5 * gain, abs=0.3)
    assert found.fwhm_kev == pytest.approx(0.08 * 140.5 * gain, rel=0.05)


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros(256),
        np.random.default_rng(1).poisson(5, 256),
        np.random.default_rng(1).poisson(2000 * np.exp(-np.arange(256) / 40)),
        spectrum(centre_kev=60.0, fwhm_kev=8.0, counts=20_000, level=5, seed=3),
    ],
    ids=["silence", "noise", "a slope", "a peak elsewhere"],
)
def test_no_peak_near_the_line_is_said(counts: np.ndarray) -> None:
    """Silence, noise, a falling continuum and another nuclide's peak are not taken for the line."""
    with pytest.raises(NavigationError, match="no photopeak"):
        fit_peak(np.arange(256.0), counts, line_kev=140.5)


def test_channels_that_do_not_reach_the_line_are_said() -> None:
    """An energy calibration that ends at 100 keV cannot show 140.5 keV."""
    with pytest.raises(NavigationError, match="energy calibration"):
        fit_peak(np.arange(100.0), np.ones(100), line_kev=140.5)

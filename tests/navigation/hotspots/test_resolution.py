"""How wide a point is: assumed from what the study says, never wider than the narrowest spot of the image."""

import math

import numpy as np
import pytest
from scipy import ndimage

from navigation.errors import NavigationError
from navigation.hotspots import Resolution, find_candidates
from navigation.hotspots.resolution import sharpen
from navigation.volume import Volume
from tests.navigation.hotspots.test_finding import SPECT, Spot, make_geometry, make_values, make_volume

LEHR = Resolution(fwhm_mm=9.0, sigma_mm=2.0, words="usual for a low-energy collimator")
FINE = make_geometry((2.4, 2.4, 2.4), (48, 64, 64))


def image(fwhm_mm: float, *, noise: float = 0.0, seed: int = 1) -> Volume:
    """Two spots of a point's width on an even ground, with noise as of counts."""
    spots: list[Spot] = [((20.0, 10.0, -6.0), 0.4), ((-30.0, 0.0, 10.0), 0.2)]
    values = make_values(FINE, spots, background_bq_per_ml=500, fwhm_mm=fwhm_mm)
    if noise:
        values = noise * np.random.default_rng(seed).poisson(values / noise).astype(np.float64)
    return make_volume(values, FINE)


@pytest.mark.parametrize("fwhm_mm", [5.0, 6.0, 7.5])
@pytest.mark.parametrize("noise", [0.0, 40.0])
def test_a_spot_that_is_narrower_shows_a_finer_resolution(fwhm_mm: float, noise: float) -> None:
    """No spot is narrower than a point, so that the assumed 9 mm cannot be true; and it says why."""
    spots, resolution = find_candidates(image(fwhm_mm, noise=noise), LEHR)
    assert resolution.fwhm_mm == pytest.approx(fwhm_mm, rel=0.12)
    assert resolution.sigma_mm == pytest.approx(0.15 * resolution.fwhm_mm)
    assert resolution.words == (
        "a spot of the image is no wider, where 9 mm was assumed: usual for a low-energy collimator"
    )
    assert [spot.activity_mbq for spot in spots] == pytest.approx([0.4, 0.2], rel=0.15)


@pytest.mark.parametrize("fwhm_mm", [9.5, 12.0, 16.0])
def test_spots_that_are_wider_say_nothing(fwhm_mm: float) -> None:
    """They may be wide themselves: what was assumed stays."""
    assert find_candidates(image(fwhm_mm), LEHR)[1] is LEHR


def test_noise_shows_no_resolution() -> None:
    """Faint spots, and none, in the noise of few counts leave what was assumed."""
    for seed in range(5):
        noise = 1000 * np.random.default_rng(seed).poisson(0.5, SPECT.shape).astype(np.float64)
        assert find_candidates(make_volume(noise, SPECT), LEHR)[1] is LEHR
        smooth = make_volume(ndimage.gaussian_filter(noise, 0.5), SPECT)
        inside = smooth.values[12:-12, 12:-12, 12:-12]
        highest = np.array(np.unravel_index(int(inside.argmax()), inside.shape)) + 12
        assert sharpen(LEHR, smooth, [SPECT.positions_mm(highest)]) is LEHR
        assert find_candidates(image(9.0, noise=4000.0, seed=seed), LEHR)[1] is LEHR


def test_what_is_as_narrow_as_a_voxel_is_no_point() -> None:
    """It is a voxel that is wrong, or a line of a table: no image is finer than one and a half of its voxels."""
    values = make_values(SPECT, [((2.2, 2.2, 2.2), 0.5)], background_bq_per_ml=500, fwhm_mm=5.0)
    assert find_candidates(make_volume(values, SPECT), LEHR)[1].fwhm_mm == pytest.approx(1.5 * 4.4)


def test_a_spot_at_the_border_shows_nothing() -> None:
    """Half of its surroundings are outside: its width cannot be told."""
    edge_mm = 2.4 * 31.5
    values = make_values(FINE, [((edge_mm - 8.0, 0.0, 0.0), 0.4)], background_bq_per_ml=500, fwhm_mm=5.0)
    spots, resolution = find_candidates(make_volume(values, FINE), LEHR)
    assert len(spots) == 1
    assert resolution is LEHR


@pytest.mark.parametrize("width", [0.0, -9.0, math.nan, math.inf])
def test_a_width_that_cannot_be_is_refused(width: float) -> None:
    """It names which number is at fault."""
    with pytest.raises(NavigationError, match="fwhm_mm"):
        Resolution(fwhm_mm=width, sigma_mm=1.0)
    if width:
        with pytest.raises(NavigationError, match="sigma_mm"):
            Resolution(fwhm_mm=9.0, sigma_mm=width)


def test_an_unsure_resolution_makes_found_spots_less_sure() -> None:
    """What looks wider than a point may be a point where that may be as wide: at 9 mm exactly more is known."""
    wide = image(14.0)
    known, unsure = (
        find_candidates(wide, Resolution(fwhm_mm=9.0, sigma_mm=sigma_mm))[0][0] for sigma_mm in (0.0, 3.0)
    )
    assert unsure.activity_factor > 1.1 * known.activity_factor


def test_activities_lie_within_their_factor() -> None:
    """Of nodes of 2 to 18 mm, at resolutions of 6 to 13 mm where 9 +- 2 is assumed, 19 of 20 within one factor."""
    rng = np.random.default_rng(5)
    off = []
    for _ in range(12):
        point_mm = rng.uniform(6.0, 13.0)
        truth: list[Spot] = []
        values = np.full(SPECT.shape, rng.uniform(20.0, 300.0))
        for place_mm in ((-45.0, -40.0, 0.0), (45.0, -40.0, 20.0), (0.0, 45.0, -20.0)):
            shift_mm, activity_mbq = rng.uniform(-4, 4, 3), float(np.exp(rng.uniform(np.log(0.03), np.log(2.0))))
            spot = tuple((np.array(place_mm) + shift_mm).tolist()), activity_mbq
            # a ball's variance r^2 / 5 an axis on top of the point's
            wide_mm = math.hypot(point_mm, 2.3548 * rng.uniform(1.0, 9.0) / math.sqrt(5))
            values += make_values(SPECT, [spot], fwhm_mm=wide_mm)
            truth.append(spot)
        counts = rng.poisson(values * 0.005) / 0.005
        spots, _ = find_candidates(make_volume(counts, SPECT), LEHR)
        for offset_mm, activity_mbq in truth:
            middle_mm = np.array([12.0, -30.0, 250.0]) + offset_mm
            nearest = min(spots, key=lambda one: float(np.linalg.norm(one.centre_mm - middle_mm)))
            assert nearest.activity_mbq is not None
            off.append(abs(math.log(nearest.activity_mbq / activity_mbq)) / math.log(nearest.activity_factor))
    assert np.quantile(off, 0.95) < 1.0

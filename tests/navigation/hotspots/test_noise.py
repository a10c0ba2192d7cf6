"""Noise of volumes that hold hardly anything but spots, and of ones that hold less than nothing."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from navigation.hotspots import Hotspot, Resolution
from navigation.hotspots.blobs import SCALES, make_layer
from navigation.hotspots.noise import Noise, maxima_of_noise
from tests.navigation.hotspots.test_finding import (
    CENTRE_MM,
    FWHM_MM,
    SIGMA_MM,
    SPECT,
    find_hotspots,
    make_geometry,
    make_values,
    make_volume,
)

SMALL = make_geometry((4.0, 4.0, 4.0), (24, 32, 32))

CROP = make_geometry((2.0, 2.0, 2.0), (25, 25, 25))

INNER = (slice(14, -14),) * 3

RNG = np.random.default_rng

Image = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def counted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count, nothing else."""
    return RNG(1).poisson(values).astype(np.float64)


def filtered(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count and smooth, as a reconstruction does, so that no step is a count."""
    return np.asarray(ndimage.gaussian_filter(counted(values), 0.8))


def cut_off(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count with a ground of 2 a voxel, smooth, and set to 0 what is below 3.5."""
    smooth = filtered(values + 2.0)
    return np.asarray(np.where(smooth < 3.5, 0.0, smooth))


def in_steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to the 65535 steps of a stored pixel."""
    return np.asarray(np.rint(values * (65535 / values.max())))


def as_drawn(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without any noise."""
    return values


def hill(peak: float, offset_mm: tuple[float, float, float], fwhm_mm: float = FWHM_MM) -> NDArray[np.float64]:
    """A Gaussian of a peak in the grid of `SPECT`."""
    shape = make_values(SPECT, [(offset_mm, 1.0)], fwhm_mm=fwhm_mm)
    at_a_voxel = make_values(SPECT, [((2.2, 2.2, 2.2), 1.0)], fwhm_mm=fwhm_mm)
    return np.asarray(shape * (peak / at_a_voxel.max()))


def off_mm(spot: Hotspot, *offset_mm: float) -> float:
    """How far a spot lies from an offset from the middle."""
    return float(np.linalg.norm(spot.centre_mm - CENTRE_MM - offset_mm))


@pytest.mark.parametrize("image", [as_drawn, counted, filtered, cut_off, in_steps])
@pytest.mark.parametrize("unit", ["1", "Bq/mL"])
def test_a_node_beside_an_injection_and_nothing_else(image: Image, unit: str) -> None:
    """A hundredth of it 80 mm away, in a ground of zero: both are found, and which is which."""
    values = image(hill(20_000.0, (-30.0, 0.0, 0.0)) + hill(200.0, (50.0, 3.0, 1.5), 13.0))
    # of 20,000 counts in Bq/mL, as of 100 MBq
    scale = 4000.0 if unit == "Bq/mL" else 1.0
    injection, node = find_hotspots(make_volume(scale * values, SPECT, unit=unit))
    assert (injection.kind, node.kind) == ("injection", "target")
    assert off_mm(injection, -30.0, 0.0, 0.0) < 0.3
    assert off_mm(node, 50.0, 3.0, 1.5) < 0.8


@pytest.mark.parametrize("fwhm_mm", [14.0, 20.0, 28.0])
@pytest.mark.parametrize("image", [as_drawn, counted, filtered])
def test_a_wide_spot_alone(fwhm_mm: float, image: Image) -> None:
    """It fills much of a small volume, and is no noise: it is one spot in its place."""
    shape = make_values(SMALL, [((1.0, 2.0, -3.0), 1.0)], fwhm_mm=fwhm_mm)
    (spot,) = find_hotspots(make_volume(image(500 * shape / shape.max()), SMALL, unit="1"))
    assert off_mm(spot, 1.0, 2.0, -3.0) < 0.6


def test_a_few_counts_are_no_spots() -> None:
    """Twenty pairs in an empty volume are no targets, though only their height shows that they are counts."""
    values = np.zeros(SPECT.shape)
    for row, column in RNG(3).integers(8, 56, (20, 2)):
        values[24, row, column : column + 2] += 1.0
    assert find_hotspots(make_volume(values, SPECT, unit="1")) == ()


@pytest.mark.parametrize("counts", [5.0, 50.0])
@pytest.mark.parametrize("image", [counted, filtered])
def test_a_lesion_is_one_spot_and_not_its_noise(counts: float, image: Image) -> None:
    """A ball of 30 mm of so many counts a voxel, and nothing around it: one spot, within a voxel."""
    positions_mm = SPECT.positions_mm(np.moveaxis(np.indices(SPECT.shape), 0, -1))
    ball = counts * (np.linalg.norm(positions_mm - CENTRE_MM, axis=-1) < 15)
    (spot,) = find_hotspots(make_volume(image(np.asarray(ndimage.gaussian_filter(ball, 0.87))), SPECT, unit="1"))
    assert off_mm(spot, 0.0, 0.0, 0.0) < 4.4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_crop_around_a_node(seed: int) -> None:
    """A cube of 50 mm whose body is noise, in Bq/mL: it holds few maxima, and none but the node's is a spot."""
    node = make_values(CROP, [((0.0, 0.0, 0.0), 1.0)], fwhm_mm=7.6)
    counts = RNG(seed).poisson(40 * node / node.max() + 1.0).astype(np.float64)
    volume = make_volume(37.5 * ndimage.gaussian_filter(counts, 1.4), CROP)
    (spot,) = find_hotspots(volume, resolution=Resolution(fwhm_mm=6.9, sigma_mm=0.6))
    assert off_mm(spot, 0.0, 0.0, 0.0) < 2.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_islands_of_a_cut_off_background_are_no_spots(seed: int) -> None:
    """The highest fiftieth of a blurred ground, the rest set to 0: only the hot spot is one, at any scale."""
    counts = RNG([seed, 7]).poisson(hill(2000.0, (0.0, 0.0, 0.0)) + 2.0).astype(np.float64)
    smooth = ndimage.gaussian_filter(counts, 2.0)
    islands = np.where(smooth < np.quantile(smooth, 0.98), 0.0, smooth)
    (spot,) = find_hotspots(make_volume(islands, SPECT, unit="1"))
    assert off_mm(spot, 0.0, 0.0, 0.0) < 2.0


@pytest.mark.parametrize("is_white", [True, False])
def test_what_filters_leave_of_noise(*, is_white: bool) -> None:
    """Told at the finest scale it is told at all, white or as blurred as a point; it has no fewer maxima."""
    blur = 0.0 if is_white else SIGMA_MM / 3.0
    geometry = make_geometry((3.0, 3.0, 3.0), (64, 64, 64))
    noise = ndimage.gaussian_filter(RNG(5).normal(size=geometry.shape), blur, mode="wrap")
    volume = make_volume(1 + noise, geometry, unit="1")
    finest = make_layer(volume, SCALES[0], SIGMA_MM)
    # at the border a filter sees voxels twice
    told = Noise(per_mean=float(finest.response[INNER].var()), has_body=False, is_white=is_white)
    for scale in SCALES[1:]:
        layer = make_layer(volume, scale, SIGMA_MM)
        left = told.at_scale(layer.sigma_mm, told_at_mm=finest.sigma_mm, psf_sigma_mm=SIGMA_MM)
        assert layer.response[INNER].var() == pytest.approx(left.per_mean, rel=0.25)
    fewest = maxima_of_noise(60**3, np.full(3, finest.sigma_mm / 3.0), np.full(3, SIGMA_MM / 3.0))
    found = np.count_nonzero(finest.is_maximum)
    assert fewest < found < 5 * fewest


@pytest.mark.parametrize("blur", [0.0, 0.9])
def test_noise_around_zero_gives_nothing(blur: float) -> None:
    """As of a filtered back-projection: where the mean is below zero the noise is not."""
    for seed in range(3):
        noise = ndimage.gaussian_filter(RNG(seed).normal(size=SPECT.shape), blur)
        assert find_hotspots(make_volume(noise, SPECT, unit="1")) == ()


def test_spots_in_noise_around_zero() -> None:
    """An injection and a five-hundredth of it are found in it, and nothing else."""
    values = hill(20_000.0, (-30.0, 0.0, 0.0)) + hill(40.0, (50.0, 3.0, 1.5))
    noisy = counted(values) + RNG(2).normal(size=SPECT.shape)
    injection, node = find_hotspots(make_volume(noisy, SPECT, unit="1"))
    assert injection.kind == "injection"
    assert off_mm(node, 50.0, 3.0, 1.5) < 1.5


def test_a_node_in_thick_slices_is_one() -> None:
    """Slices of 9 mm, as thick as the resolution: a node between two of them is no pair."""
    geometry = make_geometry((9.0, 4.4, 4.4), (24, 48, 48))
    expected = make_values(geometry, [((0.0, 0.0, 0.0), 0.3)], background_bq_per_ml=500)
    (spot,) = find_hotspots(make_volume(RNG(4).poisson(expected * 0.01) / 0.01, geometry))
    assert off_mm(spot, 0.0, 0.0, 0.0) < 2.0

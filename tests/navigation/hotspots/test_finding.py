"""Hot spots in volumes whose content is known in closed form."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from navigation import hotspots
from navigation.errors import NavigationError
from navigation.hotspots import Resolution
from navigation.hotspots.blobs import Search, find_blobs
from navigation.hotspots.recovery import activity_factor, peak_recovery
from navigation.volume import Volume, VolumeGeometry

FWHM_MM = 9.0
SIGMA_MM = FWHM_MM / 2.3548200450309493
CENTRE_MM = np.array([12.0, -30.0, 250.0])

KNOWN = Resolution(fwhm_mm=FWHM_MM, sigma_mm=0.0)
find_hotspots = partial(hotspots.find_hotspots, resolution=KNOWN)

Spot = tuple[tuple[float, float, float], float]
"""Offset from the middle of the volume, LPS mm, and activity, MBq."""


def make_geometry(spacing_mm: tuple[float, float, float], shape: tuple[int, int, int]) -> VolumeGeometry:
    """Make an axial grid (slices up, rows back, columns left) around `CENTRE_MM`."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, spacing_mm[2]], [0, spacing_mm[1], 0], [spacing_mm[0], 0, 0]])
    affine[:3, 3] = CENTRE_MM - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2.3")


def make_values(
    geometry: VolumeGeometry, spots: list[Spot], *, background_bq_per_ml: float = 0.0, fwhm_mm: float = FWHM_MM
) -> NDArray[np.float64]:
    """Sum point sources blurred to a width: A / ((2 pi)^1.5 sigma^3) exp(-r^2 / 2 sigma^2), Bq/mL."""
    positions_mm = geometry.positions_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    values = np.full(geometry.shape, float(background_bq_per_ml))
    sigma_mm = fwhm_mm / 2.3548200450309493
    for offset_mm, activity_mbq in spots:
        squared_mm2 = ((positions_mm - CENTRE_MM - np.array(offset_mm)) ** 2).sum(axis=-1)
        peak = activity_mbq * 1e6 / ((2 * math.pi) ** 1.5 * sigma_mm**3 / 1000)
        values += peak * np.exp(-squared_mm2 / (2 * sigma_mm**2))
    return values


def make_volume(values: NDArray[np.float64], geometry: VolumeGeometry, *, unit: str = "Bq/mL") -> Volume:
    """Wrap values as an activity volume."""
    return Volume(
        geometry=geometry, values=values.astype(np.float32), quantity="activity concentration", unit=unit
    )


SPECT = make_geometry((4.4, 4.4, 4.4), (48, 64, 64))


def test_point_source_is_found_where_it_is() -> None:
    """A source between voxel centres is placed within a tenth of a voxel and measured within 10 %."""
    volume = make_volume(make_values(SPECT, [((11.3, -7.9, 20.6), 0.5)], background_bq_per_ml=500), SPECT)
    (spot,) = find_hotspots(volume)
    assert np.linalg.norm(spot.centre_mm - CENTRE_MM - (11.3, -7.9, 20.6)) < 0.44
    assert spot.activity_mbq == pytest.approx(0.5, rel=0.1)
    assert spot.kind == "target"
    assert spot.name == "target 1"
    assert spot.relative_to_hottest == 1.0
    assert spot.activity_factor == pytest.approx(2.0, rel=0.02)


def test_uneven_voxels() -> None:
    """Voxels of 2 x 2 x 5 mm give the same place and activity as cubic ones."""
    geometry = make_geometry((5.0, 2.0, 2.0), (30, 64, 64))
    (spot,) = find_hotspots(make_volume(make_values(geometry, [((5.2, 9.1, -12.4), 0.2)]), geometry))
    assert np.linalg.norm(spot.centre_mm - CENTRE_MM - (5.2, 9.1, -12.4)) < 0.5
    assert spot.activity_mbq == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("second_mbq", [0.1, 0.03])
def test_two_nodes_15_mm_apart(second_mbq: float) -> None:
    """Two nodes 15 mm apart at 9 mm resolution stay two, each within 1 mm and 15 % of its own activity."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 0.1), ((9.0, 12.0, 0.0), second_mbq)]
    spots = find_hotspots(make_volume(make_values(SPECT, truth, background_bq_per_ml=1000), SPECT))
    assert len(spots) == 2
    for offset_mm, activity_mbq in truth:
        spot = min(spots, key=lambda one: float(np.linalg.norm(one.centre_mm - CENTRE_MM - offset_mm)))
        assert np.linalg.norm(spot.centre_mm - CENTRE_MM - offset_mm) < 1.0
        assert spot.activity_mbq == pytest.approx(activity_mbq, rel=0.15)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("counts_per_bq_ml", [1e-3, 1e-2])
def test_weak_node_beside_the_injection(seed: int, counts_per_bq_ml: float) -> None:
    """A node 60 mm from a spot 100 times hotter is found, and the hot one's shoulder gives nothing else."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 10.0), ((60.0, 0.0, 0.0), 0.1)]
    expected = make_values(SPECT, truth, background_bq_per_ml=1000) * counts_per_bq_ml
    noisy = np.random.default_rng(seed).poisson(expected) / counts_per_bq_ml
    injection, node = find_hotspots(make_volume(noisy, SPECT))
    assert injection.kind == "injection"
    assert injection.name == "injection"
    assert node.kind == "target"
    assert node.name == "target 1"
    assert np.linalg.norm(node.centre_mm - CENTRE_MM - (60.0, 0.0, 0.0)) < 1.5
    assert node.activity_mbq == pytest.approx(0.1, rel=0.25)
    assert node.relative_to_hottest == pytest.approx(0.01, rel=0.3)


def test_injection_needs_a_ratio() -> None:
    """A spot ten times hotter than the next stays a target: nothing says that it is the injection."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 1.0), ((60.0, 0.0, 0.0), 0.1)]
    spots = find_hotspots(make_volume(make_values(SPECT, truth, background_bq_per_ml=1000), SPECT))
    assert [spot.kind for spot in spots] == ["target", "target"]
    assert [spot.name for spot in spots] == ["target 1", "target 2"]


def test_a_hot_node_is_no_injection() -> None:
    """A node of 1 MBq beside one of 0.03 MBq stays a target: to take it for the injection would hide it."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 1.0), ((60.0, 0.0, 0.0), 0.03)]
    spots = find_hotspots(make_volume(make_values(SPECT, truth, background_bq_per_ml=500), SPECT))
    assert [spot.kind for spot in spots] == ["target", "target"]


@pytest.mark.parametrize("counts", [0.02, 0.1, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("blur", [0.0, 0.9])
def test_pure_noise_gives_nothing(counts: float, blur: float) -> None:
    """Four volumes of Poisson noise, white or correlated, give no spot at all."""
    for seed in range(4):
        noise = np.random.default_rng(seed).poisson(counts, SPECT.shape).astype(np.float64)
        if blur:
            noise = ndimage.gaussian_filter(noise, blur)
        assert find_hotspots(make_volume(noise, SPECT)) == ()


@pytest.mark.parametrize("seed", range(3))
def test_large_organ_is_no_string_of_spots(seed: int) -> None:
    """A uniformly hot sphere of 100 mm gives no spot: its rim stands out outwards only."""
    positions_mm = SPECT.positions_mm(np.moveaxis(np.indices(SPECT.shape), 0, -1))
    organ = 20_000.0 * (np.linalg.norm(positions_mm - CENTRE_MM, axis=-1) < 50)
    expected = 1000 + ndimage.gaussian_filter(organ, SIGMA_MM / 4.4)
    noisy = np.random.default_rng(seed).poisson(expected * 0.01) / 0.01
    assert find_hotspots(make_volume(noisy, SPECT)) == ()


def test_wide_lesion_is_one_spot() -> None:
    """A lesion of 30 mm is one spot at its middle with its whole activity, not ripples along its surface."""
    positions_mm = SPECT.positions_mm(np.moveaxis(np.indices(SPECT.shape), 0, -1))
    lesion = 20_000.0 * (np.linalg.norm(positions_mm - CENTRE_MM, axis=-1) < 15)
    values = 1000 + ndimage.gaussian_filter(lesion, SIGMA_MM / 4.4)
    (spot,) = find_hotspots(make_volume(values, SPECT))
    assert np.linalg.norm(spot.centre_mm - CENTRE_MM) < 1.0
    assert spot.activity_mbq == pytest.approx(lesion.sum() * SPECT.voxel_volume_ml / 1e6, rel=0.1)


def test_relative_counts_have_no_activity() -> None:
    """Without Bq/mL there is no activity, only how the spots compare."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 1.0), ((50.0, 0.0, 0.0), 0.5)]
    spots = find_hotspots(make_volume(make_values(SPECT, truth, background_bq_per_ml=1000), SPECT, unit="1"))
    assert [spot.activity_mbq for spot in spots] == [None, None]
    assert spots[1].relative_to_hottest == pytest.approx(0.5, rel=0.1)


def test_covariance_covers_the_error() -> None:
    """Over 40 noisy volumes the squared error, in units of the covariance, averages below its 3 degrees."""
    distances = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        offset_mm = tuple(float(part) for part in rng.uniform(-10, 10, 3))
        expected = make_values(
            SPECT, [((offset_mm[0], offset_mm[1], offset_mm[2]), 0.05)], background_bq_per_ml=2000
        )
        noisy = rng.poisson(expected * 2e-3) / 2e-3
        (spot,) = find_hotspots(make_volume(noisy, SPECT))
        error_mm = spot.centre_mm - CENTRE_MM - offset_mm
        distances.append(float(error_mm @ np.linalg.solve(spot.covariance_mm2, error_mm)))
    assert 0.05 < np.mean(distances) < 3.0


def test_empty_volume_has_no_spots() -> None:
    """A volume of zeros gives none."""
    assert find_hotspots(make_volume(np.zeros(SPECT.shape), SPECT)) == ()


def test_values_that_are_not_finite_are_refused() -> None:
    """A NaN anywhere is refused rather than smeared over its neighbours."""
    values = np.zeros(SPECT.shape)
    values[3, 4, 5] = np.nan
    with pytest.raises(NavigationError, match="not finite"):
        find_hotspots(make_volume(values, SPECT))


@pytest.mark.parametrize("offset_mm", [(10.0, 0.0, 0.0), (0.0, 6.0, 8.0), (5.8, 5.8, 5.8)])
@pytest.mark.parametrize("seed", range(2))
def test_two_nodes_10_mm_apart_at_8_mm(offset_mm: tuple[float, float, float], seed: int) -> None:
    """Two nodes 10 mm apart are two at a camera resolution of 8 mm, each within 2 mm and 30 % of its activity."""
    geometry = make_geometry((2.4, 2.4, 2.4), (40, 48, 48))
    truth: list[Spot] = [((0.0, 0.0, 0.0), 0.2), (offset_mm, 0.15)]
    expected = make_values(geometry, truth, background_bq_per_ml=500, fwhm_mm=8.0) * 0.003
    volume = make_volume(np.random.default_rng(seed).poisson(expected) / 0.003, geometry)
    spots = find_hotspots(volume, resolution=replace(KNOWN, fwhm_mm=8.0))
    assert len(spots) == 2
    for place_mm, activity_mbq in truth:
        spot = min(spots, key=lambda one: float(np.linalg.norm(one.centre_mm - CENTRE_MM - place_mm)))
        assert np.linalg.norm(spot.centre_mm - CENTRE_MM - place_mm) < 2.0
        assert spot.activity_mbq == pytest.approx(activity_mbq, rel=0.3)


def halo(share: float, reach_mm: float) -> NDArray[np.float64]:
    """Scatter and septal penetration around an injection of 100 MBq: a wide exponential, Bq/mL."""
    positions_mm = SPECT.positions_mm(np.moveaxis(np.indices(SPECT.shape), 0, -1))
    fall = np.exp(-np.linalg.norm(positions_mm - CENTRE_MM, axis=-1) / reach_mm)
    return np.asarray(share * 100e6 * fall / (fall.sum() * SPECT.voxel_volume_ml))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_a_thousandth_of_the_injection_30_mm_away(share: float, seed: int) -> None:
    """A node of 0.1 MBq 30 mm from 100 MBq is found, or the injection says that it masks so far."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 100.0), ((30.0, 0.0, 0.0), 0.1)]
    expected = (make_values(SPECT, truth, background_bq_per_ml=300) + halo(share, 12.0)) * 0.003
    spots = find_hotspots(make_volume(np.random.default_rng(seed).poisson(expected) / 0.003, SPECT))
    injection = spots[0] if spots and spots[0].kind == "injection" else None
    targets = [spot for spot in spots if spot.kind == "target"]
    is_found = any(np.linalg.norm(one.centre_mm - CENTRE_MM - (30.0, 0.0, 0.0)) < 4.0 for one in targets)
    if share == 0.0:
        assert is_found, "without a halo nothing hides it"
    if not is_found and injection is not None:
        assert injection.masked_within_mm is not None
        assert injection.masked_within_mm >= 30.0
    assert len(targets) <= 1, "and the halo gives no other"


def test_an_injection_alone_masks_little_without_a_halo() -> None:
    """With plenty of counts and no halo a thousandth would be seen from 25 mm on; with one, not at 30 mm."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), 100.0), ((90.0, 0.0, 0.0), 0.1)]
    clean = make_values(SPECT, truth, background_bq_per_ml=300)
    (injection, _) = find_hotspots(make_volume(np.random.default_rng(1).poisson(clean * 0.003) / 0.003, SPECT))
    assert injection.masked_within_mm is not None
    assert injection.masked_within_mm <= 25.0
    hazy = (clean + halo(0.3, 12.0)) * 0.003
    injection = find_hotspots(make_volume(np.random.default_rng(1).poisson(hazy) / 0.003, SPECT))[0]
    assert injection.masked_within_mm is not None
    assert injection.masked_within_mm >= 30.0


def test_three_outlines_of_a_ball() -> None:
    """A ball of 30 mm: the blur moves the outlines of 50 % and of the gradient in by 1 mm; 41 % is wider."""
    positions_mm = SPECT.positions_mm(np.moveaxis(np.indices(SPECT.shape), 0, -1))
    ball = 20_000.0 * (np.linalg.norm(positions_mm - CENTRE_MM, axis=-1) < 15)
    (spot,) = find_hotspots(make_volume(2000 + ndimage.gaussian_filter(ball, SIGMA_MM / 4.4), SPECT))
    assert spot.volume_ml == pytest.approx(4 / 3 * math.pi * 14.0**3 / 1000, rel=0.1)
    assert spot.volume_gradient_ml == pytest.approx(4 / 3 * math.pi * 14.0**3 / 1000, rel=0.12)
    assert spot.volume_ml < spot.volume_41_ml < 1.5 * spot.volume_ml
    assert spot.peak > spot.mean > 0.6 * spot.peak
    assert 1.15 < spot.activity_factor < 1.5


def test_registration_widens_the_place() -> None:
    """What the image is off by in the anatomy's space is added to every spot's covariance, an axis."""
    volume = make_volume(make_values(SPECT, [((0.0, 0.0, 0.0), 0.5)], background_bq_per_ml=500), SPECT)
    (sharp,) = find_hotspots(volume)
    (wide,) = find_hotspots(volume, registration_sigma_mm=4.0)
    assert wide.covariance_mm2 - sharp.covariance_mm2 == pytest.approx(16.0 * np.eye(3))
    with pytest.raises(NavigationError, match="registration_sigma_mm"):
        find_hotspots(volume, registration_sigma_mm=math.nan)


@pytest.mark.parametrize(
    ("diameter_mm", "recovered", "factor"),
    [(0.0, 0.0, 2.0), (9.0, 0.30, 1.69), (18.0, 0.86, 1.24), (60.0, 1.0, 1.15)],
)
def test_recovery_by_size(diameter_mm: float, recovered: float, factor: float) -> None:
    """At 9 mm a ball of 9 mm shows 30 % of its concentration: its activity is known to a factor 1.7."""
    assert peak_recovery(diameter_mm, 9.0) == pytest.approx(recovered, abs=0.01)
    assert activity_factor(diameter_mm, KNOWN) == pytest.approx(factor, abs=0.02)
    if diameter_mm:
        fine_mm = 0.5
        axis_mm = np.arange(-80, 81) * fine_mm
        distance_mm = np.sqrt(sum(part**2 for part in np.meshgrid(axis_mm, axis_mm, axis_mm, sparse=True)))
        blurred = ndimage.gaussian_filter((distance_mm < diameter_mm / 2).astype(np.float32), SIGMA_MM / fine_mm)
        assert blurred[80, 80, 80] == pytest.approx(recovered, abs=0.02)


@pytest.mark.parametrize(
    ("spacing_mm", "shape", "at_most", "searched_mm"),
    [
        ((4.4, 4.4, 0.1), (24, 24, 1200), 10**9, (4.4, 4.4, 1.1)),
        ((2.2, 2.2, 2.0), (40, 40, 44), 36_000, (2.2, 2.2, 4.0)),
    ],
    ids=["far finer than a point", "more voxels than are searched"],
)
def test_what_would_cost_too_much_is_searched_in_blocks(
    monkeypatch: pytest.MonkeyPatch,
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    at_most: int,
    searched_mm: tuple[float, float, float],
) -> None:
    """Neighbours are averaged first; the spot is where it is all the same, and holds what it holds."""
    searched: list[Volume] = []

    def look(volume: Volume, *rest: Any) -> Search:
        searched.append(volume)
        return find_blobs(volume, *rest)

    monkeypatch.setattr("navigation.hotspots.finding.find_blobs", look)
    monkeypatch.setattr("navigation.hotspots.finding.MOST_VOXELS", at_most)
    geometry = make_geometry(spacing_mm, shape)
    volume = make_volume(make_values(geometry, [((5.2, -7.9, 10.6), 0.5)], background_bq_per_ml=500), geometry)
    (spot,), _ = hotspots.find_candidates(volume, Resolution(fwhm_mm=FWHM_MM, sigma_mm=2.0))
    assert searched[0].geometry.spacing_mm == pytest.approx(searched_mm)
    assert np.linalg.norm(spot.centre_mm - CENTRE_MM - (5.2, -7.9, 10.6)) < 0.44
    assert spot.activity_mbq == pytest.approx(0.5, rel=0.1)

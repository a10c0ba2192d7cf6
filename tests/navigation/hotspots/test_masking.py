"""What a hot spot may hide beside it: of phantoms whose every node is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.hotspots import Hotspot, Resolution, find_hotspots
from navigation.hotspots.masking import Masking, masking_words
from tests.navigation.hotspots.test_finding import CENTRE_MM, SPECT, Spot, make_values, make_volume

KNOWN = Resolution(fwhm_mm=9.0, sigma_mm=0.0)


def counted(
    truth: list[Spot], seed: int, *, background: float, counts_per_bq_ml: float = 3e-3
) -> NDArray[np.float64]:
    """Values of counts that were taken of a phantom, in Bq/mL."""
    expected = make_values(SPECT, truth, background_bq_per_ml=background) * counts_per_bq_ml
    return np.asarray(np.random.default_rng(seed).poisson(expected) / counts_per_bq_ml)


def is_said(spots: tuple[Hotspot, ...], place_mm: NDArray[np.float64]) -> bool:
    """Whether a spot says that a node so near to it might be missed."""
    return any(np.linalg.norm(spot.centre_mm - place_mm) < (spot.masked_within_mm or 0.0) for spot in spots)


@pytest.mark.parametrize("apart_mm", [9.0, 15.0, 21.0])
@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("background", [0.0, 300.0])
@pytest.mark.parametrize("unit", ["1", "Bq/mL"])
def test_a_missed_node_is_said_to_be_masked(apart_mm: float, share: float, background: float, unit: str) -> None:
    """Beside a lone spot of 20 MBq, taken for a target: each node is found, or lies within what it says."""
    offset_mm = (apart_mm * 0.6, apart_mm * 0.8, 0.0)
    values = counted([((0.0, 0.0, 0.0), 20.0), (offset_mm, 20.0 * share)], 1, background=background)
    spots = find_hotspots(make_volume(values, SPECT, unit=unit), resolution=KNOWN)
    place_mm = CENTRE_MM + offset_mm
    is_found = any(np.linalg.norm(spot.centre_mm - place_mm) < 6.0 for spot in spots[1:])
    assert is_found or is_said(spots, place_mm)


def test_a_hot_target_says_what_it_hides() -> None:
    """One of 20 MBq that stands alone is called a target, and says that it may hide a thousandth of it nearby."""
    values = counted([((0.0, 0.0, 0.0), 20.0)], 1, background=300.0)
    (spot,) = find_hotspots(make_volume(values, SPECT, unit="1"), resolution=KNOWN)
    assert (spot.kind, spot.masked_share) == ("target", 0.001)
    assert spot.masked_within_mm is not None
    assert 20.0 < spot.masked_within_mm <= 40.0
    assert spot.masking == f"may hide a node of 1/1000 of it within {spot.masked_within_mm:.0f} mm"


def test_a_second_hot_spot_says_what_it_hides_itself() -> None:
    """A node 15 mm from a second injection site, 80 mm from the first, is that one's to say."""
    truth: list[Spot] = [((-40.0, 0.0, 0.0), 40.0), ((40.0, 0.0, 0.0), 20.0), ((40.0, 15.0, 0.0), 0.02)]
    values = counted(truth, 1, background=0.0)
    spots = find_hotspots(make_volume(values, SPECT), resolution=KNOWN)
    assert len(spots) == 2
    place_mm = CENTRE_MM + truth[2][0]
    assert is_said(spots[1:], place_mm)
    assert not is_said(spots[:1], place_mm)


@pytest.mark.parametrize("counts_per_bq_ml", [1e-4, 3e-5])
@pytest.mark.parametrize("activity_mbq", [5.0, 20.0])
def test_in_a_short_scan_fainter_ones_may_be_missed_anywhere(activity_mbq: float, counts_per_bq_ml: float) -> None:
    """In few counts no thousandth is found 60 mm away: it says what share is, also of a site that stands alone."""
    truth: list[Spot] = [((0.0, 0.0, 0.0), activity_mbq), ((60.0, 0.0, 0.0), 0.001 * activity_mbq)]
    values = counted(truth, 1, background=2000.0, counts_per_bq_ml=counts_per_bq_ml)
    spot = find_hotspots(make_volume(values, SPECT), resolution=KNOWN)[0]
    assert spot.masked_share is not None
    assert 0.001 < spot.masked_share < 0.2
    assert spot.masking.endswith(f"within {spot.masked_within_mm:.0f} mm, and a fainter one anywhere")


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize(("background", "counts_per_bq_ml"), [(300.0, 3e-3), (300.0, 3e-4), (2000.0, 1e-4)])
@pytest.mark.parametrize("seed", range(2))
def test_a_thousandth_30_mm_away_is_found_or_the_surgeon_is_told(
    seed: int, background: float, counts_per_bq_ml: float, *, is_cut: bool
) -> None:
    """In a long scan it is found; in a short one, or where less than 2 in 1000 was set to 0, words say so."""
    away = np.random.default_rng(seed).normal(size=3)
    x_mm, y_mm, z_mm = 30.0 * away / np.linalg.norm(away)
    truth: list[Spot] = [((0.0, 0.0, 0.0), 20.0), ((float(x_mm), float(y_mm), float(z_mm)), 0.02)]
    values = counted(truth, seed, background=background, counts_per_bq_ml=counts_per_bq_ml)
    if is_cut:
        values[values < 0.002 * values.max()] = 0.0
    spots = find_hotspots(make_volume(values, SPECT), resolution=KNOWN)
    place_mm = CENTRE_MM + truth[1][0]
    is_found = any(np.linalg.norm(spot.centre_mm - place_mm) < 8.0 for spot in spots[1:])
    is_told = any(
        spot.masking and (is_said((spot,), place_mm) or spot.masking.endswith("a fainter one anywhere"))
        for spot in spots
    )
    assert is_found or is_told


def test_a_thousandth_that_was_rounded_is_one() -> None:
    """A share that came back a last bit greater is said as 1/1000, and not as what noise hides."""
    rounded = Masking(within_mm=30.0, share=float(np.nextafter(0.001, 1.0)))
    assert masking_words(rounded, is_leading=True) == "may hide a node of 1/1000 of it within 30 mm"


@pytest.mark.parametrize("seed", range(3))
def test_two_ordinary_nodes_say_nothing(seed: int) -> None:
    """Of nodes of 60 and 40 kBq there is nothing to say that a surgeon does not expect of any."""
    truth: list[Spot] = [((-40.0, 0.0, 0.0), 0.06), ((40.0, 0.0, 0.0), 0.04)]
    spots = find_hotspots(make_volume(counted(truth, seed, background=300.0), SPECT), resolution=KNOWN)
    assert len(spots) == 2
    assert [one.masking for one in spots] == ["", ""]


def test_a_faint_node_that_stands_alone_says_nothing() -> None:
    """One of 60 kBq is no injection site: what it may hide is too faint for the image."""
    (spot,) = find_hotspots(
        make_volume(counted([((0.0, 0.0, 0.0), 0.06)], 1, background=2000.0, counts_per_bq_ml=3e-4), SPECT),
        resolution=KNOWN,
    )
    assert spot.masking == ""

"""The response against closed forms, and against brute force over the crystal."""

import json
from typing import Any

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import FITTED, Response
from navigation.tissue import HalfSpace, NoTissue

STATED: dict[str, Any] = {
    "probe": "bench",
    "nuclide": "Tc-99m",
    "window_kev": (120.0, 160.0),
    "calibrated_at": "2026-11-22T07:30:00+00:00",
    "sensitivity_cps_per_mbq": 2040.0,
    "reference_distance_mm": 30.0,
    "recess_mm": 8.0,
    "crystal_thickness_mm": 5.0,
    "crystal_radius_mm": 4.0,
    "aperture_radius_mm": 4.5,
    "penumbra": 1e-9,
    "penumbra_deg": 17.0,
    "leak": 1e-9,
    "attenuation_per_mm": 0.01536,
    "buildup": 1e-9,
    "halo": 1e-9,
    "halo_angle_deg": 8.0,
    "halo_core_deg": 45.0,
    "dead_time_s": 4e-6,
    "background_cps": 4.0,
    "model_error": 0.02,
    "stray_error": 0.1,
    "covariance": np.eye(len(FITTED)) * 1e-4,
    "residuals": [[40.0, 30.0, 0.02, 0.01, 1.0]],
    "greatest_distance_mm": 100.0,
    "greatest_angle_deg": 90.0,
}
TIP = np.zeros((1, 3))
AHEAD = np.array([[0.0, 0.0, 1.0]])


def _probe(**changes: Any) -> Response:
    return Response(**(STATED | changes))


def test_sensitivity_is_the_rate_at_the_reference_distance() -> None:
    """On axis, 30 mm from the tip, in air, 1 MBq counts what the calibration says."""
    rate = _probe(leak=1e-3).expected_rate_cps([[0.0, 0.0, 30.0]], TIP, AHEAD, NoTissue())
    assert rate.item() == pytest.approx(2040.0, rel=1e-12)


def test_far_away_the_rate_falls_with_the_square_of_the_distance_to_the_crystal() -> None:
    """A source twice as far from the middle of the crystal counts a quarter (inverse square law)."""
    probe = _probe(crystal_radius_mm=1.0, crystal_thickness_mm=0.5)
    near, far = probe.expected_rate_cps(
        [[0.0, 0.0, 200.0 - probe.crystal_depth_mm], [0.0, 0.0, 400.0 - probe.crystal_depth_mm]],
        TIP,
        AHEAD,
        NoTissue(),
    )[0]
    assert near / far == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize(("mu_per_mm", "half_value_mm"), [(0.01536, 45.1), (0.0110, 63.0), (0.0096, 72.2)])
def test_tissue_halves_the_rate_every_half_value_layer(mu_per_mm: float, half_value_mm: float) -> None:
    """Water of one half-value layer (140.5, 364 and 511 keV: 4.51, 6.30, 7.22 cm) lets half through."""
    probe = _probe(attenuation_per_mm=mu_per_mm)
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, -1.0]))
    place = [[0.0, 0.0, half_value_mm]]
    ratio = probe.expected_rate_cps(place, TIP, AHEAD, skin) / probe.expected_rate_cps(
        place, TIP, AHEAD, NoTissue()
    )
    assert ratio.item() == pytest.approx(0.5, rel=2e-3)


def _brute_force(probe: Response, points: np.ndarray) -> np.ndarray:
    """Sum over crystal elements of 1/r2, where the straight line passes the opening."""
    rng = np.random.default_rng(11)
    size = 60_000
    radius = probe.crystal_radius_mm * np.sqrt(rng.random(size))
    turn = 2 * np.pi * rng.random(size)
    depth = probe.recess_mm + probe.crystal_thickness_mm * rng.random(size)
    crystal = np.column_stack((radius * np.cos(turn), radius * np.sin(turn), -depth))
    rates = []
    for point in points:
        offset = point - crystal
        crossing = crystal + offset * (depth / offset[:, 2])[:, None]
        passes = np.hypot(crossing[:, 0], crossing[:, 1]) < probe.aperture_radius_mm
        rates.append(np.mean(passes / (offset**2).sum(axis=1)))
    return np.array(rates)


def test_the_field_of_view_is_the_crystal_seen_through_the_opening() -> None:
    """Near and far, on axis and off, the rate is that of rays traced from all of the crystal: 18 % at the edge."""
    probe = _probe()
    places = np.array(
        [[x, 0.0, z] for z in (6.0, 15.0, 30.0, 60.0) for x in np.array([0.0, 0.2, 0.4, 0.6, 0.8]) * (z + 8)]
    )
    modelled = probe.expected_rate_cps(places, TIP, AHEAD, NoTissue())[0]
    traced = _brute_force(probe, places)
    on_axis = places[:, 0] == 0
    reference = on_axis & (places[:, 2] == 30.0)
    scale = (modelled[reference] / traced[reference]).item()
    inside = traced * scale > 0.05 * modelled.max()
    assert modelled[inside] == pytest.approx(traced[inside] * scale, rel=0.18)
    assert np.abs(modelled - traced * scale).max() < 0.03 * modelled.max()


def test_behind_the_probe_only_the_leak_counts() -> None:
    """A source behind or far aside counts the leak's share of what it would on axis."""
    probe = _probe(leak=5e-4)
    rate = probe.expected_rate_cps([[0.0, 0.0, 50.0], [50.0, 0.0, 0.0]], TIP, AHEAD, NoTissue())[0]
    reach = probe.crystal_depth_mm
    own = probe.expected_rate_cps([[0.0, 0.0, 50.0]], TIP, AHEAD, NoTissue()).item()
    assert rate[1] == pytest.approx(own * 5e-4 * (50 + reach) ** 2 / (50**2 + reach**2), rel=0.7)
    assert 0 < rate[1] < 5e-3 * rate[0]


def test_gradient_agrees_with_differences() -> None:
    """Everywhere, tissue, scatter and leak included, the gradient is that of the rate."""
    probe = _probe(leak=3e-4, buildup=0.25, halo=0.6, penumbra=0.2)
    rng = np.random.default_rng(2)
    tips = np.column_stack((rng.normal(0, 15, (40, 2)), rng.uniform(-1, 3, 40)))
    axes = np.column_stack((rng.normal(0, 0.3, (40, 2)), np.full(40, -1.0)))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.05, 0.1, 1.0])).skin_at(tips)
    points = np.column_stack((rng.normal(0, 15, (6, 2)), -rng.uniform(5, 60, 6)))
    gradient = probe.rate_and_gradient(points, tips, axes, skin)[1]
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-5
        high = probe.rate_and_gradient(points + step, tips, axes, skin)[0]
        low = probe.rate_and_gradient(points - step, tips, axes, skin)[0]
        assert gradient[..., axis] == pytest.approx((high - low) / 2e-5, abs=1e-5 * np.abs(gradient).max())


def test_response_survives_json() -> None:
    """A calibration file gives back the same response, and an odd one is refused with its key."""
    probe = _probe()
    plain = json.loads(json.dumps(probe.to_dict()))
    again = Response.from_dict(plain)
    assert again.to_dict() == probe.to_dict()
    with pytest.raises(NavigationError, match="leak missing"):
        Response.from_dict({name: value for name, value in plain.items() if name != "leak"})
    with pytest.raises(NavigationError, match="colour unknown"):
        Response.from_dict(plain | {"colour": 1})
    with pytest.raises(NavigationError, match="not of its kind"):
        Response.from_dict(plain | {"recess_mm": "deep"})


@pytest.mark.parametrize(
    "change",
    [
        {"recess_mm": 0.0},
        {"leak": float("nan")},
        {"dead_time_s": -1e-6},
        {"window_kev": (160.0, 120.0)},
        {"covariance": np.eye(3)},
        {"covariance": -np.eye(len(FITTED))},
        {"residuals": [[40.0, 30.0, 0.02, 0.0, 1.0]]},
        {"residuals": [[40.0, 30.0, np.nan, 0.01, 1.0]]},
    ],
)
def test_impossible_responses_are_refused(change: dict[str, Any]) -> None:
    """Lengths that are not positive, numbers that are none, and covariances that are none are refused."""
    with pytest.raises(NavigationError, match="response of bench"):
        _probe(**change)


def test_outside_the_calibrated_range_is_flagged() -> None:
    """A point farther or more aside than the bench saw is said to be outside."""
    probe = _probe(greatest_distance_mm=60.0, greatest_angle_deg=45.0)
    inside = probe.is_calibrated_for([[0.0, 0.0, 50.0], [0.0, 0.0, 70.0], [40.0, 0.0, 10.0]], TIP, AHEAD)
    assert inside.tolist() == [[True, False, False]]


def test_a_bench_count_must_make_sense() -> None:
    """A medium nobody knows, or a count without time, is refused."""
    good: dict[str, Any] = {
        "medium": "air",
        "distance_mm": 30.0,
        "lateral_mm": 0.0,
        "angle_deg": 0.0,
        "activity_mbq": 1.0,
    }
    with pytest.raises(NavigationError, match="'oil'"):
        PointSourceCount(**(good | {"medium": "oil"}), live_time_s=10.0, counts=5.0)
    with pytest.raises(NavigationError, match="positive time"):
        PointSourceCount(**good, live_time_s=0.0, counts=5.0)


def test_the_angular_response_is_relative_to_the_axis() -> None:
    """One straight ahead, falling with the angle, the leak alone far aside, and no matter of the sensitivity."""
    probe = _probe(leak=3e-4)
    relative = probe.angular_response([0.0, 15.0, 25.0, 60.0, 120.0], 30.0)
    assert relative[0] == pytest.approx(1.0)
    assert (np.diff(relative[:4]) < 0).all()
    assert relative[4] == pytest.approx(_probe(leak=6e-4).angular_response([120.0], 30.0)[0] / 2, rel=0.02)
    louder = _probe(leak=3e-4, sensitivity_cps_per_mbq=9000.0)
    assert louder.angular_response([0.0, 15.0, 25.0, 60.0, 120.0], 30.0) == pytest.approx(relative)

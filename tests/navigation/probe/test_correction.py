from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.probe.correction import (
    COMPONENTS,
    DISTANCES_MM,
    EDGE_LENGTH_DEG,
    EDGE_REACH_DEG,
    GREATEST_SCATTER,
    LENGTH_DEG,
    LENGTH_LOG_MM,
    PATIENT_FACTOR,
    SCATTER_SHARE,
    TILT_DEG,
    Correction,
)
from navigation.probe.response import FITTED, Response
from navigation.tissue import NoTissue, Skin

Array = NDArray[np.float64]

LEFT_OUT = 0.08 * PATIENT_FACTOR
"""Standard deviation that the components may leave to each single reading."""


def _probe(
    *,
    crystal_mm: float = 4.0,
    opening_mm: float = 4.0,
    recess_mm: float = 8.0,
    leak: float = 3e-4,
    residuals: Array | None = None,
) -> Response:
    return Response(
        probe="written down",
        nuclide="Tc-99m",
        window_kev=(120.0, 160.0),
        calibrated_at="2026-11-22T07:30:00+00:00",
        sensitivity_cps_per_mbq=2000.0,
        reference_distance_mm=30.0,
        recess_mm=recess_mm,
        crystal_thickness_mm=6.0,
        crystal_radius_mm=crystal_mm,
        aperture_radius_mm=opening_mm,
        penumbra=0.005,
        penumbra_deg=15.0,
        leak=leak,
        attenuation_per_mm=0.01536,
        buildup=0.2,
        halo=0.01,
        halo_angle_deg=10.0,
        halo_core_deg=45.0,
        dead_time_s=4e-6,
        background_cps=4.0,
        model_error=0.03,
        stray_error=0.15,
        covariance=1e-4 * np.eye(len(FITTED)),
        residuals=np.zeros((0, 5)) if residuals is None else residuals,
        greatest_distance_mm=100.0,
        greatest_angle_deg=90.0,
    )


PROBES = {
    "usual": _probe(),
    "narrow": _probe(crystal_mm=2.5, opening_mm=2.0, recess_mm=12.0),
    "wide": _probe(crystal_mm=7.0, opening_mm=9.0, recess_mm=5.0),
    "iodine": _probe(leak=1e-2),
}


def _points(angle_deg: Array, distance_mm: Array) -> Array:
    """Return points that far off an axis along z and that far from the tip."""
    angle = np.radians(angle_deg)
    return np.asarray(distance_mm[:, None] * np.column_stack((np.sin(angle), 0 * angle, np.cos(angle))))


def _skin(lean_deg: float = 0.0, height_mm: float = 0.5) -> Skin:
    """Skin below a probe at the origin that looks along z and leans so much towards -x."""
    lean = np.radians(lean_deg)
    return Skin(height_mm=np.array([height_mm]), normal=np.array([[-np.sin(lean), 0.0, -np.cos(lean)]]))


def _looked_up(correction: Correction, angle_deg: Array, distance_mm: Array, skin: Skin | None = None) -> Array:
    points, ahead = _points(angle_deg, distance_mm), np.array([[0.0, 0.0, 1.0]])
    return np.asarray(
        correction.components_at(points, np.zeros((1, 3)), ahead, _skin() if skin is None else skin)[0]
    )


def _error(correction: Correction, angle_deg: Array, distance_mm: Array) -> Array:
    points = _points(angle_deg, distance_mm)
    return np.asarray(correction.error_at(points, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]))[0])


def _nodes(correction: Correction) -> tuple[Array, Array]:
    angle = np.repeat(correction.angles_deg, len(DISTANCES_MM))
    return angle, np.tile(DISTANCES_MM, len(correction.angles_deg))


def _profile(response: Response, angle_deg: Array) -> Array:
    """Rate over that on axis, 25 mm from a tip deep in tissue."""
    places = _points(np.append(0.0, angle_deg), np.full(len(angle_deg) + 1, 25.0))
    deep = _skin(height_mm=-1e3)
    rate = response.rate_cps(places, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), deep)[0]
    return np.asarray(rate[1:] / rate[0])


def _kernel(response: Response, correction: Correction) -> tuple[Array, Array]:
    """Write out the covariance between the nodes of the upright surface, and the standard deviation of scatter."""
    angle, distance = _nodes(correction)
    scatter = PATIENT_FACTOR * np.minimum(np.log(1 + SCATTER_SHARE / _profile(response, angle)), GREATEST_SCATTER)
    edge = np.repeat(correction.edge_error, len(DISTANCES_MM))
    error = np.where(scatter > PATIENT_FACTOR * edge, response.stray_error, edge)
    spread = np.hypot(PATIENT_FACTOR * error, scatter)
    # the nodes stand evenly in units of the length over which the surface stays alike
    fine = np.arange(0.0, 120.0, 0.05)
    steepness = np.interp(fine, np.arange(0, 120.5, 0.5), _steepness(response))
    length = np.where(_near_edge(fine, steepness > 0.05), EDGE_LENGTH_DEG, LENGTH_DEG)
    place = np.interp(angle, fine, np.cumsum(0.05 / length))
    off = place[:, None] - place
    off_log = (np.log(distance)[:, None] - np.log(distance)) / LENGTH_LOG_MM
    return np.exp(-0.5 * (off**2 + off_log**2)) * np.outer(spread, spread), scatter


def _steepness(response: Response) -> Array:
    """Fall of the logarithm of the rate, per degree, averaged over 8 degrees, wherever two per cent are left."""
    angle = np.arange(0, 120.5, 0.5)
    profile = _profile(response, angle)
    fall = np.where(profile > 0.02, np.abs(np.gradient(np.log(profile), angle)), 0.0)
    return np.array([fall[np.clip(np.arange(each - 8, each + 9), 0, 240)].mean() for each in range(241)])


def _near_edge(angle: Array, is_steep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(angle[:, None] - angle[is_steep]).min(axis=1) <= EDGE_REACH_DEG)


def _bench(rows: list[tuple[float, float, float, float, float]]) -> Array:
    return np.array(rows)


@pytest.mark.parametrize("name", PROBES)
def test_the_prior_is_that_of_the_kernel(name: str) -> None:
    """Between any two nodes the components covary as the kernel says, but for what single readings keep."""
    correction = Correction(PROBES[name])
    components = _looked_up(correction, *_nodes(correction))
    covariance = _kernel(PROBES[name], correction)[0]
    assert components.shape == (len(covariance), COMPONENTS)
    spread = np.sqrt(np.diag(covariance))
    assert np.sqrt(np.square(components).sum(axis=1)) == pytest.approx(spread, abs=LEFT_OUT, rel=0.01)
    # what matters is what moves the counts; the kernel's lengths are rounded to half a degree and to whole nodes
    matters = np.sqrt(_profile(PROBES[name], _nodes(correction)[0]))
    weight = np.outer(matters, matters)
    assert components @ components.T * weight == pytest.approx(covariance * weight, abs=0.01)
    assert components @ correction.mean == pytest.approx(np.zeros(len(components)), abs=1e-12)


@pytest.mark.parametrize("name", PROBES)
def test_the_error_is_largest_at_the_edge_of_the_field(name: str) -> None:
    """Wherever the field ends, there the response is least sure of a reading, and nowhere surer than the bench."""
    response = PROBES[name]
    correction = Correction(response)
    angle = np.arange(0, 120, 0.5)
    edge_deg = float(angle[_profile(response, angle) > 0.05].max())
    assert abs(correction.angles_deg[correction.edge_error.argmax()] - edge_deg) < 6
    assert correction.edge_error.max() > 2 * correction.edge_error[0]
    assert correction.edge_error.min() >= response.model_error
    spacing = np.diff(correction.angles_deg)
    near = np.abs(correction.angles_deg[:-1] - edge_deg) < EDGE_REACH_DEG - 3
    assert spacing[near].max() <= EDGE_LENGTH_DEG / 2 + 0.01
    assert spacing.max() > 2 * spacing.min()
    error = _error(correction, correction.angles_deg, np.full(len(correction.angles_deg), 33.0))
    assert error == pytest.approx(correction.edge_error, rel=1e-6)


@pytest.mark.parametrize("name", PROBES)
def test_other_probes_have_finite_surfaces_too(name: str) -> None:
    """A narrow field, a wide one, a leaking shield: everywhere finite, a few per cent ahead, bounded aside."""
    correction = Correction(PROBES[name])
    angle, distance = (each.ravel() for each in np.meshgrid(np.linspace(0, 180, 61), [0.0, 1.0, 25.0, 500.0]))
    for skin in (_skin(), _skin(50.0), NoTissue().skin_at(np.zeros((1, 3)))):
        components = _looked_up(correction, angle, distance, skin)
        assert np.isfinite(components).all()
        spread = np.sqrt(np.square(components).sum(axis=1))
        assert spread.max() < 1.15 * PATIENT_FACTOR * np.hypot(1.0, 1.5)
    assert np.isfinite(_error(correction, angle, distance)).all()
    ahead = np.sqrt(np.square(_looked_up(correction, np.zeros(1), np.full(1, 25.0))).sum())
    assert ahead < 1.05 * PATIENT_FACTOR * np.hypot(0.031, SCATTER_SHARE)


COUNTED = [(40.0, 20.0, 0.12, 0.01, 0.0), (44.0, 45.0, -0.09, 0.015, 0.0), (75.0, 20.0, 0.5, 0.05, 0.0)]
COUNTED += [(20.0, 30.0, -0.02, 0.008, 1.0), (30.0, 30.0, 0.025, 0.008, 1.0), (46.0, 14.0, 0.07, 0.01, 1.0)]


def _measured() -> tuple[Response, Correction, NDArray[np.intp]]:
    """Probe whose bench counted at nodes of its surface, and which they are."""
    plain = Correction(_probe())
    angle, distance = _nodes(plain)
    rows, chosen = [], []
    for near_deg, near_mm, *rest in COUNTED:
        node = int(np.argmin(np.abs(angle - near_deg) + 100 * np.abs(distance - near_mm)))
        chosen.append(node)
        rows.append((float(angle[node]), float(distance[node]), *rest))
    response = _probe(residuals=np.array(rows))
    return response, Correction(response), np.array(chosen)


def test_the_bench_conditions_the_surface_as_a_textbook_does() -> None:
    """Mean and spread after the bench are K* (K + N)^-1 y and K** - K* (K + N)^-1 K*' (Rasmussen, 2.25, 2.26)."""
    response, correction, counted = _measured()
    covariance, scatter = _kernel(response, correction)
    log_ratio, sigma, in_air = response.residuals.T[2:]
    noise = sigma**2 + in_air * scatter[counted] ** 2
    across = covariance[:, counted]
    inverse = np.linalg.inv(covariance[np.ix_(counted, counted)] + np.diag(noise))
    mean = across @ inverse @ log_ratio
    spread = np.sqrt(np.diag(covariance - across @ inverse @ across.T))
    components = _looked_up(correction, *_nodes(correction))
    assert np.abs(mean).max() > 0.3
    assert components @ correction.mean == pytest.approx(mean, abs=0.02)
    assert np.sqrt(np.square(components).sum(axis=1)) == pytest.approx(spread, abs=LEFT_OUT)


def test_the_bench_is_believed_where_it_counted_well() -> None:
    """Where the bench saw 12 % more than the formula, to 1 %, the corrected rate is 12 % more."""
    response, correction, counted = _measured()
    angle, distance = (each[counted] for each in _nodes(correction))
    components = _looked_up(correction, angle, distance)
    log_ratio, sigma, in_air = response.residuals.T[2:]
    in_water = in_air == 0
    off = (components @ correction.mean - log_ratio) / sigma
    assert np.abs(off[in_water]).max() < 1.0
    assert np.abs(off).max() < 3.0


def test_what_was_counted_is_sure_and_the_rest_is_not() -> None:
    """A count in water leaves its own error there; far off in angle or distance nothing changed."""
    place = _points(np.array([70.0]), np.array([20.0]))
    assert np.linalg.norm(place) == pytest.approx(20.0)
    before = Correction(_probe())
    after = Correction(_probe(residuals=_bench([(70.0, 20.0, 0.3, 0.05, 0.0)])))

    def spread(correction: Correction, angle_deg: float, distance_mm: float) -> float:
        found = _looked_up(correction, np.array([angle_deg]), np.array([distance_mm]))
        return float(np.sqrt(np.square(found).sum()))

    assert spread(before, 70.0, 20.0) > 0.8
    assert spread(after, 70.0, 20.0) < 0.3
    for elsewhere in ((10.0, 20.0), (35.0, 20.0), (70.0, 75.0)):
        assert spread(after, *elsewhere) == pytest.approx(spread(before, *elsewhere), abs=0.01, rel=0.03)
    assert _looked_up(after, np.array([70.0]), np.array([20.0])) @ after.mean == pytest.approx([0.3], abs=0.05)
    assert _looked_up(after, np.array([10.0]), np.array([20.0])) @ after.mean == pytest.approx([0.0], abs=0.01)


def test_air_says_little_of_scatter() -> None:
    """The same ratio counted in air hardly moves the surface where scatter rules, and does where none is."""
    found = {}
    for in_air in (0.0, 1.0):
        rows = _bench([(80.0, 30.0, 0.4, 0.02, in_air), (15.0, 30.0, 0.04, 0.008, in_air)])
        correction = Correction(_probe(residuals=rows))
        components = _looked_up(correction, np.array([80.0, 15.0]), np.array([30.0, 30.0]))
        found[in_air] = components @ correction.mean, np.sqrt(np.square(components).sum(axis=1))
    (water, its_spread), (air, spread) = found[0.0], found[1.0]
    assert water[0] == pytest.approx(0.4, abs=0.02)
    assert 0 < air[0] < 0.6 * water[0]
    assert spread[0] > 0.6
    assert its_spread[0] < 0.3
    assert air[1] == pytest.approx(water[1], abs=0.004)


def test_square_on_and_without_tissue_there_is_no_tilt() -> None:
    """The leaning part is nothing on a bench and for a probe at right angles, and in proportion to the lean."""
    correction = Correction(_probe(residuals=_bench([(40.0, 20.0, 0.1, 0.01, 0.0)])))
    angle, distance = np.array([10.0, 45.0, 80.0]), np.array([12.0, 25.0, 60.0])
    square = _looked_up(correction, angle, distance)
    bench = _looked_up(correction, angle, distance, NoTissue().skin_at(np.zeros((1, 3))))
    assert square == pytest.approx(bench, abs=1e-9)
    # leaning away from points at +x: each is as much farther off the normal
    by_five, by_ten = (_looked_up(correction, angle, distance, _skin(-each)) - square for each in (5.0, 10.0))
    assert by_ten == pytest.approx(2 * by_five, abs=1e-9)
    assert _looked_up(correction, angle[1:], distance[1:], _skin(10.0)) - square[1:] == pytest.approx(
        -by_ten[1:], abs=1e-9
    )
    twenty = _looked_up(correction, angle, distance, _skin(-TILT_DEG)) - square
    unconditioned = _looked_up(Correction(_probe()), angle, distance)
    leaning = np.minimum(20.0 / distance, 1.0)
    # the surface is linear between its nodes, the fall with distance as well
    assert np.sqrt(np.square(twenty).sum(axis=1)) == pytest.approx(
        leaning * np.sqrt(np.square(unconditioned).sum(axis=1)), abs=1.25 * LEFT_OUT, rel=0.1
    )


def test_lean_is_bounded() -> None:
    """A probe laid flat leans no more than one that leans by 30 degrees: nobody calibrated that."""
    correction = Correction(_probe())
    angle, distance = np.array([20.0, 70.0]), np.array([25.0, 25.0])
    found = [_looked_up(correction, angle, distance, _skin(-each)) for each in (30.0, 60.0, 89.0)]
    assert found[0] == pytest.approx(found[1], abs=1e-9)
    assert found[1] == pytest.approx(found[2], abs=1e-9)


@pytest.mark.parametrize("along", ["angle", "distance", "lean"])
def test_surfaces_have_no_step(along: str) -> None:
    """A tenth of the way changes the components a tenth as much: no step in angle, distance or lean."""
    correction = _measured()[1]
    steps = []
    for size in (1001, 10001):
        way = np.linspace(0, 1, size)
        angle = 170 * way if along == "angle" else np.full(size, 47.0)
        distance = 2 + 150 * way if along == "distance" else np.full(size, 25.0)
        if along == "lean":
            lean = np.radians(-80 + 160 * way)
            normal = -np.column_stack((np.sin(lean), 0 * lean, np.cos(lean)))
            found = correction.components_at(
                _points(angle[:1], distance[:1]),
                np.zeros((size, 3)),
                np.tile([0.0, 0.0, 1.0], (size, 1)),
                Skin(height_mm=np.full(size, 0.5), normal=normal),
            )[:, 0]
        else:
            found = _looked_up(correction, angle, distance, _skin(15.0))
        steps.append(float(np.linalg.norm(np.diff(found, axis=0), axis=1).max()))
    assert 0 < steps[0] < 0.2 * PATIENT_FACTOR
    assert steps[1] < 0.15 * steps[0]


def test_the_surface_does_not_depend_on_the_frame() -> None:
    """Turned and moved as a whole, probe, skin and source have the same components."""
    correction = Correction(_measured()[0])
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    points = _points(np.array([15.0, 50.0]), np.array([20.0, 40.0]))
    tip, axis, skin = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 0.0, 1.0]]), _skin(12.0)
    here = correction.components_at(points, tip, axis, skin)
    moved = Skin(height_mm=skin.height_mm, normal=skin.normal @ turn.T)
    there = correction.components_at(points @ turn.T + 40.0, tip @ turn.T + 40.0, axis @ turn.T, moved)
    assert there == pytest.approx(here, abs=1e-9)


def test_the_same_calibration_gives_the_same_surface() -> None:
    """Two corrections of one response agree to the last bit."""
    response = _measured()[0]
    first, second = Correction(response), Correction(replace(response))
    assert first.mean.tolist() == second.mean.tolist()
    nodes = _nodes(first)
    assert _looked_up(first, *nodes).tolist() == _looked_up(second, *nodes).tolist()

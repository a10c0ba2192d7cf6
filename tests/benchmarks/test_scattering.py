import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.patients import WATER_PER_MM
from benchmarks.scattering import ELECTRONS_PER_MM3, ScatteringProbe, scattered_per_mm
from simulators.probe_physics import ProbePhysics

PHYSICS = ProbePhysics(attenuation_per_mm=WATER_PER_MM, leak=5e-4)
PROBE = ScatteringProbe(physics=PHYSICS)
DOWN = np.array([[0.0, 0.0, -1.0]])
MBQ = np.ones(1)


def test_forward_scatter_is_thomsons() -> None:
    """Straight ahead the cross-section is the electron's radius squared, 79.4 mb/sr; none goes back."""
    forward, backward = scattered_per_mm(np.array([1.0, -1.0]))
    assert forward == pytest.approx(ELECTRONS_PER_MM3 * 79.4079e-27 * 100, rel=1e-4)
    assert backward < 1e-6 * forward


def test_air_scatters_nothing() -> None:
    """In air the rate is that of the simulators' probe, background aside."""
    sources = np.array([[3.0, 4.0, -25.0], [0.0, 0.0, 10.0]])
    seen = PROBE.rate_cps(sources, np.array([1.0, 2.0]), np.zeros((1, 3)), DOWN, is_in_air=True)[0]
    in_tip_frame = np.array([[5.0, 0.0, 25.0], [0.0, 0.0, -10.0]])
    wanted = PHYSICS.rate_cps(in_tip_frame, np.array([1.0, 2.0]), np.zeros(2)) - PHYSICS.background_cps
    assert seen == pytest.approx(wanted, rel=1e-9)


def simulated_scatter(
    source_mm: NDArray[np.float64], tip_mm: NDArray[np.float64], axis: NDArray[np.float64]
) -> float:
    """Follow photons to their first scatter, then reckon what of it the crystal sees: rate of 1 MBq, cps."""
    rng = np.random.default_rng(5)
    size = 60_000
    direction = rng.normal(size=(size, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    place = source_mm + direction * rng.exponential(1 / WATER_PER_MM, size)[:, None]
    ahead = (place - tip_mm) @ axis
    is_kept = (place[:, 2] < 0) & (ahead > 0)
    place, direction, ahead = place[is_kept], direction[is_kept], ahead[is_kept]
    offset = place - tip_mm
    side = np.sqrt(np.maximum((offset**2).sum(axis=1) - ahead**2, 0))
    seen = PHYSICS.acceptance(np.stack((side, np.zeros_like(side), ahead), axis=-1))
    home = tip_mm - axis * PHYSICS.crystal_depth_mm - place
    cosine = (direction * home).sum(axis=1) / np.linalg.norm(home, axis=1)
    way = np.linalg.norm(offset, axis=1) * place[:, 2] / (place[:, 2] - tip_mm[2])
    each = scattered_per_mm(cosine) / WATER_PER_MM * 4 * np.pi * seen * np.exp(-WATER_PER_MM * way)
    return float(1e6 * PHYSICS.photons_per_decay * PHYSICS.efficiency * each.sum() / size)


@pytest.mark.parametrize(
    ("source", "tip", "tilt_deg"),
    [((0.0, 0.0, -30.0), (0.0, 0.0, 1.0), 0.0), ((25.0, 10.0, -20.0), (0.0, 0.0, 0.5), 20.0)],
)
def test_scatter_is_that_of_photons_followed_one_by_one(
    source: tuple[float, float, float], tip: tuple[float, float, float], tilt_deg: float
) -> None:
    """Inside the field of view and outside it, the sum over cells is that of a Monte Carlo to a tenth."""
    axis = np.array([np.sin(np.radians(tilt_deg)), 0.0, -np.cos(np.radians(tilt_deg))])
    source_mm, tip_mm = np.array(source), np.array(tip)
    whole = PROBE.rate_cps(source_mm[None], MBQ, tip_mm[None], axis[None])[0]
    offset = source_mm - tip_mm
    ahead = float(offset @ axis)
    side = np.sqrt(offset @ offset - ahead**2)
    path = np.linalg.norm(offset) * source_mm[2] / (source_mm[2] - tip_mm[2])
    straight = PHYSICS.rate_cps(np.array([[side, 0.0, ahead]]), MBQ, np.array([path])) - PHYSICS.background_cps
    assert whole - straight == pytest.approx(simulated_scatter(source_mm, tip_mm, axis), rel=0.1)


def test_a_wrong_probe_is_wrong_where_it_should_be() -> None:
    """On axis at 30 mm in air it counts as before; its field is 10 % wider, and three times as much leaks."""
    wrong = PROBE.wrong(width=1.1, attenuation=0.9, leak=3.0)
    tip = np.zeros((1, 3))

    def rate(probe: ScatteringProbe, x: float, z: float) -> float:
        place = np.array([[x, 0.0, z]])
        return float(probe.rate_cps(place, MBQ, tip, DOWN, is_in_air=True)[0])

    assert rate(wrong, 0.0, -30.0) == pytest.approx(rate(PROBE, 0.0, -30.0), rel=1e-9)
    for x in (5.0, 8.0, 11.0):
        assert rate(wrong, 1.1 * x, -30.0) == pytest.approx(rate(PROBE, x, -30.0), rel=0.03)
    assert rate(wrong, 0.0, 30.0) == pytest.approx(3 * rate(PROBE, 0.0, 30.0), rel=0.02)
    assert wrong.physics.attenuation_per_mm == pytest.approx(0.9 * WATER_PER_MM)


def test_a_source_under_water_is_seen_through_the_water_alone() -> None:
    """What lies between the tip and the surface takes nothing away: lifted in air, only distance counts."""
    clear = ScatteringProbe(physics=ProbePhysics(attenuation_per_mm=1.0))
    near, far = (
        clear.rate_cps(np.array([[0.0, 0.0, -1.0]]), MBQ, np.array([[0.0, 0.0, height]]), DOWN)[0]
        for height in (0.0, 20.0)
    )
    air = [
        clear.rate_cps(np.array([[0.0, 0.0, -1.0]]), MBQ, np.array([[0.0, 0.0, height]]), DOWN, is_in_air=True)[0]
        for height in (0.0, 20.0)
    ]
    assert far / near == pytest.approx(air[1] / air[0], rel=0.02)

"""The simulated probe against closed forms, so that the bench and the theatre stand on something."""

import numpy as np
import pytest
from numpy.typing import NDArray

from simulators.probe_physics import ProbePhysics


def around_tip_mm(angles_deg: NDArray[np.float64], distance_mm: float = 30.0) -> NDArray[np.float64]:
    """Points at a distance from the tip's centre, at angles to its axis."""
    angles_rad = np.deg2rad(angles_deg)
    across_mm, along_mm = distance_mm * np.sin(angles_rad), distance_mm * np.cos(angles_rad)
    return np.stack([across_mm, np.zeros_like(across_mm), along_mm], axis=1)


@pytest.mark.parametrize("distance_mm", [1.0, 10.0, 30.0, 100.0])
def test_on_axis_is_the_solid_angle_of_a_disc(distance_mm: float) -> None:
    """A wide opening leaves the closed form 2 pi (1 - d / sqrt(d^2 + a^2)) of a disc (Knoll, 4.IV)."""
    probe = ProbePhysics(aperture_radius_mm=50.0, leak=0.0)
    depth_mm = distance_mm + probe.crystal_depth_mm
    expected = (1 - depth_mm / np.hypot(depth_mm, probe.crystal_radius_mm)) / 2
    assert probe.acceptance(np.array([[0.0, 0.0, distance_mm]]))[0] == pytest.approx(expected, rel=1e-3)


def test_published_sensitivity_and_angular_width() -> None:
    """The default probe has the published 2,040 cps/MBq at 30 mm and an angular width of 40 degrees."""
    probe = ProbePhysics()
    rate_cps = probe.rate_cps(np.array([[0.0, 0.0, 30.0]]), np.ones(1), np.zeros(1)) - probe.background_cps
    assert rate_cps == pytest.approx(2040, rel=0.05)
    angles_deg = np.linspace(0, 60, 241)
    relative = probe.acceptance(around_tip_mm(angles_deg))
    half_deg = float(np.interp(-0.5, -relative / relative[0], angles_deg))
    assert 2 * half_deg == pytest.approx(40, abs=3)


def test_only_the_leak_is_seen_from_beside_and_behind() -> None:
    """A source beside or behind the probe is seen through the shield alone."""
    probe, sealed = ProbePhysics(), ProbePhysics(leak=0.0)
    points_mm = np.vstack([around_tip_mm(np.array([90.0, 120.0, 180.0])), [[30.0, 0.0, -10.0]]])
    assert (sealed.acceptance(points_mm) < 1e-12).all()
    ahead = probe.acceptance(np.array([[0.0, 0.0, 30.0]]))[0]
    assert (probe.acceptance(points_mm[:1]) < 2e-3 * ahead).all()
    assert (probe.acceptance(points_mm) > 0).all()


def test_tissue_attenuates_and_sources_add() -> None:
    """45.1 mm of tissue halve 140.5 keV (HVL of water 4.51 cm), and two sources count as their sum."""
    probe = ProbePhysics(background_cps=0.0)
    source_mm = np.array([[0.0, 0.0, 45.1]])
    bare_cps = probe.rate_cps(source_mm, np.ones(1), np.zeros(1))
    covered_cps = probe.rate_cps(source_mm, np.ones(1), np.array([45.1]))
    assert covered_cps == pytest.approx(bare_cps / 2, rel=0.01)
    both_cps = probe.rate_cps(np.repeat(source_mm, 2, axis=0), np.ones(2), np.array([0.0, 45.1]))
    assert both_cps == pytest.approx(bare_cps + covered_cps)


def test_nothing_there_gives_the_background() -> None:
    """Without a source the rate is the background."""
    nothing = np.zeros((0, 3))
    assert ProbePhysics().rate_cps(nothing, np.zeros(0), np.zeros(0)) == ProbePhysics().background_cps

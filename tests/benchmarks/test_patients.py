import numpy as np
import pytest

from benchmarks.patients import (
    FAMILIES,
    TILT_DEG,
    bench_counts,
    counted,
    drawn_error,
    drawn_probe,
    drawn_scene,
    hand_path,
)
from benchmarks.recordings import dead_time_s
from benchmarks.scattering import ScatteringProbe
from simulators.probe_physics import ProbePhysics

PROBE = ScatteringProbe(physics=ProbePhysics())


def test_the_same_seed_draws_the_same_scene() -> None:
    """Probe, error and scene come from the generator alone; another seed draws another."""
    first, again, other = (
        drawn_scene("shine-30mm", 0, drawn_error(drawn_probe(rng), rng), rng)
        for rng in map(np.random.default_rng, (3, 3, 4))
    )
    assert first[1] == again[1] != other[1]
    assert first[0].header == again[0].header
    for name in ("counts", "tip_mm", "axis", "taken_at_s"):
        assert np.array_equal(getattr(first[0].observations, name), getattr(again[0].observations, name))
    assert not np.array_equal(first[0].observations.counts, other[0].observations.counts)


def test_the_hand_scans_as_a_hand_does() -> None:
    """Sixty by sixty millimetres, leaning up to 25 degrees, never through the skin, no faster than 60 mm/s."""
    for seed in range(5):
        tips, axes = hand_path(np.random.default_rng(seed), 600)
        radius = np.linalg.norm(tips[:, :2], axis=1)
        assert 40 < radius.max() <= np.hypot(30.0, 31.5)
        assert (tips[:, 2] >= 0).all()
        tilt_deg = np.degrees(np.arccos(-axes[:, 2]))
        assert 20 < tilt_deg.max() <= TILT_DEG
        assert np.linalg.norm(np.diff(tips, axis=0), axis=1).max() < 6.0
        assert np.linalg.norm(axes, axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scene_is_what_its_family_says(family: str) -> None:
    """Depths, distances, the map's error and what the map shows are as named; readings come ten a second."""
    scene, truth = drawn_scene(family, 7, PROBE, np.random.default_rng(7))
    kind = FAMILIES[family]
    nodes = [each for each in truth if each["kind"] == "node"]
    sites = [each for each in truth if each["kind"] == "injection"]
    spots = {each["name"]: each for each in scene.header["map"]}
    assert (scene.name, scene.family, len(scene.observations)) == (f"{family}-7", family, 600)
    assert np.diff(scene.observations.taken_at_s) == pytest.approx(0.1)
    assert [each["activity_mbq"] for each in nodes] == list(kind.activity_mbq)
    assert all(each["position_mm"][2] == -kind.depth_mm for each in nodes)
    if kind.apart_mm:
        apart = np.subtract(nodes[0]["position_mm"], nodes[1]["position_mm"])
        assert np.linalg.norm(apart) == pytest.approx(kind.apart_mm)
    assert len(sites) == (kind.injection_mm is not None)
    if nodes and sites:
        beside = np.subtract(nodes[0]["position_mm"], sites[0]["position_mm"])
        assert np.linalg.norm(beside[:2]) == pytest.approx(kind.injection_mm)
    if kind.shift_mm:
        error = np.subtract(nodes[0]["position_mm"], spots["node"]["position_mm"])
        assert np.linalg.norm(error) == pytest.approx(kind.shift_mm)
    shown = [*(["node"] if not nodes else [each["name"] for each in nodes]), *(each["name"] for each in sites)]
    assert list(spots) == (shown if kind.is_mapped else [])


def test_a_scene_without_a_source_counts_background() -> None:
    """A phantom's total is what the background before it foretells, within five standard deviations."""
    scene, truth = drawn_scene("phantom-hotspot", 0, PROBE, np.random.default_rng(11))
    before = scene.header["background"]
    foretold = before["counts"] / before["live_s"] * 60.0
    assert truth == []
    spread = np.sqrt(foretold + before["counts"] * (60.0 / before["live_s"]) ** 2)
    assert abs(scene.observations.counts.sum() - foretold) < 5 * spread


def test_a_node_counts_what_inverse_squares_and_water_give() -> None:
    """Over a scan, the node's counts lie between those without scatter and half as much again."""
    scene, truth = drawn_scene("isolated-30mm", 0, PROBE, np.random.default_rng(12))
    seen, place = scene.observations, np.array(truth[0]["position_mm"])
    offset = place - seen.tip_mm
    whole = np.linalg.norm(offset, axis=1)
    ahead = (offset * seen.axis).sum(axis=1)
    side = np.sqrt(whole**2 - ahead**2)
    through = np.exp(-PROBE.physics.attenuation_per_mm * whole * 30.0 / (30.0 + np.maximum(seen.tip_mm[:, 2], 0)))
    acceptance = PROBE.physics.acceptance(np.stack((side, np.zeros(600), ahead), axis=-1))
    straight = (
        0.1 * (1e6 * PROBE.physics.photons_per_decay * 0.1 * PROBE.physics.efficiency * acceptance * through).sum()
    )
    before = scene.header["background"]
    net = seen.counts.sum() - before["counts"] / before["live_s"] * 60.0
    slack = 4 * np.sqrt(seen.counts.sum() + before["counts"] * 4)
    assert straight - slack < net < 1.5 * straight + slack


def test_dead_time_takes_its_share() -> None:
    """At 100,000 a second and 5 us, a third is lost; two sources on the bench tell it."""
    rng = np.random.default_rng(1)
    assert counted(np.full(200, 1e5), 1.0, 5e-6, rng).mean() == pytest.approx(1e5 / 1.5, rel=2e-3)
    bench = bench_counts(PROBE, "x", rng)
    background_cps = bench["background"]["counts"] / bench["background"]["live_s"]
    assert dead_time_s(bench["two_source"], background_cps) == pytest.approx(PROBE.physics.dead_time_s, rel=0.1)


def test_drawn_probes_are_those_that_there_are() -> None:
    """Openings of 5 to 20 mm and hundreds to thousands of counts a second from 1 MBq at 30 mm."""
    for seed in range(20):
        probe = drawn_probe(np.random.default_rng(seed))
        down = np.array([[0.0, 0.0, -1.0]])
        rate = probe.rate_cps(np.array([[0.0, 0.0, -30.0]]), np.ones(1), np.zeros((1, 3)), down, is_in_air=True)
        assert 2.5 < probe.physics.aperture_radius_mm < 10
        assert 500 < rate[0] < 6000

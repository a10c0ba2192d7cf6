"""The scene over time: a hand that a hand could be, and counts that follow from where it is."""

import numpy as np
import pytest

from navigation.frames import Frame
from simulators.scene import TC99M_HALF_LIFE_S, Scene, Surgeon, sentinel_node_scene

SCENE = sentinel_node_scene()
TIMES_S = np.arange(0.0, 120.0, 0.37)


def test_the_probe_stays_on_the_skin_and_looks_into_the_body() -> None:
    """Every pose is rigid and right-handed, a little above the skin, up its mark, looking at tissue."""
    for at_s in TIMES_S:
        pose = SCENE.patient_from_tip(float(at_s))
        assert (pose.to, pose.from_) == (Frame.PATIENT, Frame.TIP)
        assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose.rotation) == pytest.approx(1.0)
        tip_mm, up, ahead = pose.translation_mm, pose.rotation[:, 1], pose.rotation[:, 2]
        assert not SCENE.body.contains(tip_mm)
        assert SCENE.body.contains(tip_mm + 10 * ahead)
        assert up[2] > 0.8, "the up mark points to her head"
        assert ahead[1] > 0.3, "from her front to her back"
        assert tip_mm[0] > 0, "over her left chest"


def test_the_hand_moves_as_a_hand_does() -> None:
    """No jump: slower than 150 mm/s and 2 rad/s, so that poses at 60 Hz can be joined."""
    step_s = 1 / 60
    for at_s in TIMES_S:
        before, after = SCENE.patient_from_tip(float(at_s)), SCENE.patient_from_tip(float(at_s) + step_s)
        assert np.linalg.norm(after.translation_mm - before.translation_mm) / step_s < 150
        turned = np.arccos(np.clip((np.trace(before.rotation.T @ after.rotation) - 1) / 2, -1, 1))
        assert turned / step_s < 2


def test_the_map_is_older_than_the_theatre() -> None:
    """At the scan the sources lay elsewhere, by the shift, and held more, by the decay of the hours between."""
    for now, then in zip(SCENE.sources, SCENE.scan_sources, strict=True):
        assert (now.name, now.kind) == (then.name, then.kind)
        assert np.allclose(now.centre_mm - then.centre_mm, SCENE.shift_mm)
        left = np.exp(-np.log(2) * SCENE.hours_since_scan * 3600 / TC99M_HALF_LIFE_S)
        assert then.activity_mbq * left == pytest.approx(now.activity_mbq)


def test_the_node_lies_in_the_left_chest_far_from_its_injection() -> None:
    """25 mm under the skin on her left, 70 mm from the injection site, as the description says."""
    node, injection = SCENE.sources
    assert node.centre_mm[0] > 0
    assert SCENE.body.contains(node.centre_mm)
    assert np.linalg.norm(node.centre_mm - injection.centre_mm) == pytest.approx(70.0, abs=5.0)
    assert np.linalg.norm(SCENE.shift_mm) == pytest.approx(8.0, abs=0.2)


def test_tissue_and_distance_take_counts_away() -> None:
    """Without sources the background is left; a pose that looks at the node counts most of it."""
    bare = Scene(body=SCENE.body)
    pose = SCENE.patient_from_tip(3.0)
    assert bare.rate_cps(pose) == pytest.approx(bare.physics.background_cps + bare.tissue_background_cps)
    assert SCENE.rate_cps(pose) > bare.rate_cps(pose)


def mean_events(start_s: float, end_s: float, *, seed: int, draws: int = 200) -> float:
    surgeon = Surgeon(SCENE, started_s=100.0, rng=np.random.default_rng(seed))
    return float(np.mean([surgeon.events(start_s, end_s) for _ in range(draws)]))


def test_events_of_two_pieces_are_those_of_the_whole() -> None:
    """However an instrument cuts its time, the expectation adds up, within four standard errors of the draws."""
    whole = mean_events(122.5, 122.9, seed=1)
    pieces = mean_events(122.5, 122.57, seed=2) + mean_events(122.57, 122.9, seed=3)
    assert whole > 30
    assert pieces == pytest.approx(whole, abs=4 * np.sqrt(2 * whole / 200))


def test_events_are_the_integral_of_the_rate() -> None:
    """From the scene's own clock, which starts with the surgeon's, by an integral 40 times as fine."""
    times_s = 22.5 + 0.4 * (np.arange(800) + 0.5) / 800
    expected = np.mean([SCENE.rate_cps(SCENE.patient_from_tip(float(at_s))) for at_s in times_s]) * 0.4
    assert mean_events(122.5, 122.9, seed=4) == pytest.approx(expected, abs=4 * np.sqrt(expected / 200))


def test_no_time_has_no_events() -> None:
    """An interval of nothing counts nothing."""
    surgeon = Surgeon(SCENE, started_s=0.0, rng=np.random.default_rng(1))
    assert surgeon.events(3.0, 3.0) == 0


def test_a_source_that_was_cut_out_counts_no_more() -> None:
    """Over the node the probe counts what is left; the other source stays where it is."""
    over = next(
        pose
        for pose in (SCENE.patient_from_tip(float(at_s)) for at_s in TIMES_S)
        if np.linalg.norm(pose.translation_mm - SCENE.sources[0].centre_mm) < 32
    )
    left = SCENE.without("node")
    assert [source.name for source in left.sources] == ["injection site"]
    assert left.rate_cps(over) < SCENE.rate_cps(over) / 3
    assert SCENE.without("injection site").rate_cps(over) > left.rate_cps(over)
    with pytest.raises(ValueError, match="no source is called tumour: there are node, injection site"):
        SCENE.without("tumour")

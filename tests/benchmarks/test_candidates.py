"""The benchmark of candidates judges by truth: what is found, missed, announced and false."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.candidates import ASSUMED, draw_scene, judge, run, scan
from navigation.hotspots import find_candidates
from simulators.scene import Scene, Source


def test_a_few_studies() -> None:
    """Nodes above 30 kBq far from any injection are all found, to a millimetre, and nothing else is."""
    figures = run(4)
    assert figures["studies"] == 4
    assert figures["false_per_study"] == 0
    assert isinstance(figures["median_error_mm"], float)
    assert figures["median_error_mm"] < 1.5


def node(x_mm: float, activity_mbq: float, kind: str = "target") -> Source:
    """A source 40 mm under the middle."""
    return Source(
        name=f"{kind} {x_mm}",
        kind="injection" if kind == "injection" else "target",
        centre_mm=np.array([x_mm, -40.0, 0.0]),
        activity_mbq=activity_mbq,
        radius_mm=4.0,
    )


def test_what_is_false_and_what_is_missed() -> None:
    """Candidates of a scan are judged against another truth: one false, one missed, none twice."""
    rng = np.random.default_rng(3)
    scene = Scene(hours_since_scan=0.0, sources=(node(-60, 0.5), node(60, 0.5), node(0, 20.0, "injection")))
    spots, _ = find_candidates(scan(scene, rng), ASSUMED)
    findings, wrong = judge(scene, spots)
    assert [one.is_found for one in findings] == [True, True]
    assert wrong == 0
    moved = replace(scene, sources=(node(-60, 0.5), node(60, 0.4), node(62, 0.5), node(0, 20.0, "injection")))
    findings, wrong = judge(moved, spots)
    assert sum(one.is_found for one in findings) == 2, "one spot is one node's at most"
    gone = replace(scene, sources=(node(-60, 0.5), node(0, 20.0, "injection")))
    assert judge(gone, spots)[1] == 1


@pytest.mark.parametrize("seed", range(5))
def test_drawn_scenes_keep_their_nodes_apart(seed: int) -> None:
    """Nodes lie inside the body and 20 mm from each other at least."""
    scene = draw_scene(np.random.default_rng(seed))
    centres_mm = np.array([one.centre_mm for one in scene.sources]).reshape(-1, 3)
    assert scene.body.contains(centres_mm).all()
    for place, one in enumerate(centres_mm):
        for other in centres_mm[place + 1 :]:
            assert np.linalg.norm(one - other) > 20

"""The whole chain, calibration to position, on photon-transport recordings that no formula of ours made."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.localisation import replayed, summary
from benchmarks.recordings import read_response, read_scene, scene_files


def _family(samples: Path, family: str, scenes: int) -> dict[str, float]:
    folder = samples / "montecarlo/probe-A"
    truth = json.loads((folder / "truth.json").read_text())
    response = read_response(folder)
    files = scene_files(folder, only=family, most=scenes)
    lines = [replayed(scene, response, truth[scene.name], 50) for scene in map(read_scene, files)]
    return summary(family, lines)


@pytest.mark.timeout(180)
def test_an_isolated_node_is_placed_within_a_millimetre_or_so(samples: Path) -> None:
    """0.1 MBq at 20 mm, six seeds: a median of 1.2 mm in a minute, 3 mm in 20 s (bounds 0.9 and 2.0)."""
    found = _family(samples, "isolated-20mm", 6)
    assert found["found"] == 1.0
    assert found["median_mm_60"] <= 1.2
    assert found["median_mm_20"] <= 3.0
    assert found["false_targets"] == 0


@pytest.mark.timeout(180)
def test_a_node_that_is_only_on_the_map_is_never_drawn(samples: Path) -> None:
    """Where the map shows a node and the tissue holds none, no position is shown in any of three seeds."""
    assert _family(samples, "phantom-hotspot", 3)["false_targets"] == 0


def test_bench_and_readings_are_read_as_they_are(samples: Path) -> None:
    """Dead time comes out at the 4 microseconds that the recordings say, and a scene keeps its 600 readings."""
    folder = samples / "montecarlo/probe-A"
    assert read_response(folder).dead_time_s == pytest.approx(4e-6, rel=0.02)
    scene = read_scene(next(scene_files(folder, only="unmapped", most=1)))
    assert len(scene.observations) == 600
    assert np.all(np.diff(scene.observations.taken_at_s) > 0)

from typing import Any

import pytest

from benchmarks.coverage import family_line, scene_line
from benchmarks.posterior import RESPONSE
from benchmarks.scattering import ScatteringProbe
from simulators.probe_physics import ProbePhysics

PROBE = ScatteringProbe(physics=ProbePhysics(crystal_radius_mm=4.0, aperture_radius_mm=4.5, crystal_depth_mm=10.5))


def scene(*, is_in: bool) -> dict[str, Any]:
    found = {"found": True, "localisable": True, "error_mm": {"20": 1.0, "60": 1.0}, "in_region": is_in}
    return {"response": "wrong", "targets": [found], "false_targets": 0, "ms_p99": 1.0}


def test_a_share_comes_with_its_interval() -> None:
    """19 of 20 is 0.95, between 0.764 and 0.991 (Wilson's score interval, worked by hand)."""
    line = family_line("x", [scene(is_in=number > 0) for number in range(20)])
    assert (line["covered"], line["regions"], line["response"]) == (0.95, 20, "wrong")
    assert line["covered_95"] == pytest.approx([0.764, 0.991])


def test_no_region_has_no_share() -> None:
    """Without a stated region nothing is covered, and nothing is missed."""
    line = family_line("x", [{"response": "calibrated", "targets": [], "false_targets": 2, "ms_p99": 1.0}])
    assert (line["covered"], line["covered_95"], line["false_targets"]) == (None, None, 2)


def test_a_scene_is_drawn_by_its_number_alone() -> None:
    """The same number gives the same errors; in theatre a wrong probe gives others."""

    def line(*, is_wrong: bool) -> dict[str, Any]:
        got = scene_line(5, probes=[(PROBE, RESPONSE)], families=("isolated-20mm",), is_wrong=is_wrong, batch=300)
        return {name: got[name] for name in ("scene", "response", "targets")}

    first = line(is_wrong=False)
    assert first == line(is_wrong=False)
    assert (first["scene"], first["response"], len(first["targets"])) == ("isolated-20mm-5", "calibrated", 1)
    wrong = line(is_wrong=True)
    assert wrong["response"] == "wrong"
    assert wrong["targets"] != first["targets"]

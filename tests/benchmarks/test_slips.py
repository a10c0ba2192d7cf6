"""The benchmark of slips: what it counts as told and as false, and that a scene is what it says."""

import pytest

from benchmarks.coverage import calibrated
from benchmarks.patients import FAMILIES
from benchmarks.slips import scene_line, summary


def line(
    slip_mm: float, *, told: bool = False, false: bool = False, after_s: float | None = None
) -> dict[str, object]:
    return {"slip_mm": slip_mm, "told": told, "false": false, "after_s": after_s}


def test_a_summary_counts_what_was_told_and_bounds_what_was_false() -> None:
    """Clopper and Pearson's bound: none of 100 leaves 3.6 % possible."""
    lines = [line(0.0)] * 100 + [line(20.0, told=True, after_s=each) for each in (4.0, 9.0, 7.0)]
    assert summary(0.0, lines) == {
        "slip_mm": 0.0,
        "scenes": 100,
        "told": 0,
        "median_s": None,
        "false": 0,
        "false_at_most": pytest.approx(0.0362, abs=1e-4),
    }
    found = summary(20.0, [*lines, line(20.0, false=True)])
    assert (found["told"], found["median_s"], found["false"]) == (3, 7.0, 1)


def test_one_scene_with_and_without_a_slip() -> None:
    """A node 50 mm deep: nothing is told while the reference stays, and a slip of 20 mm is, after it."""
    number = list(FAMILIES).index("deep-50mm")
    still, slipped = scene_line(number, probes=[calibrated(0)], lengths_mm=(0.0, 20.0), is_wrong=False)
    assert (still["told"], still["false"], still["told_mm"]) == (False, False, None)
    assert (slipped["told"], slipped["slip_mm"]) == (True, 20.0)
    assert 0 < slipped["after_s"] <= 30
    assert slipped["told_mm"] == pytest.approx(20.0, abs=8.0)

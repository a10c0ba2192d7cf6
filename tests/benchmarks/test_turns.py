"""The benchmark of half turns: what it counts as told, that a procedure is what it says, and one scene."""

import numpy as np
import pytest

from benchmarks.coverage import calibrated
from benchmarks.patients import FAMILIES
from benchmarks.turns import drawn_procedure, scene_line, summary
from navigation.estimation.turn import HALF_TURN, LEAST_LEAD, turned_lead


def test_a_summary_counts_what_was_told_and_bounds_it() -> None:
    """Clopper and Pearson's bound: none of 100 leaves 3.6 % possible."""
    found = summary("right", [False] * 100)
    assert (found["told"], found["told_at_most"]) == (0, pytest.approx(0.0362, abs=1e-4))
    found = summary("turned", [True, True, False], [7.0, 9.0])
    assert (found["scenes"], found["told"], found["median_s"], found["slowest_s"]) == (3, 2, 8.0, 9.0)


def test_a_drawn_procedure_is_seen_rightly() -> None:
    """Most of what is located lies within tissue's shift of a spot of the map; turned, hardly any does."""
    away_mm, turned_mm = [], []
    for number in range(60):
        found, prior = drawn_procedure(number)
        spots_mm = np.array([each.centre_mm for each in prior.sources])
        for each in found:
            away_mm.append(np.linalg.norm(spots_mm - each.position_mm, axis=1).min())
            turned_mm.append(np.linalg.norm(spots_mm - each.position_mm * HALF_TURN, axis=1).min())
    assert np.median(away_mm) < 20.0
    assert np.median(turned_mm) > 60.0
    told = [turned_lead(*drawn_procedure(number)) > LEAST_LEAD for number in range(60)]
    assert sum(told) == 0


def test_one_scene_with_either_registration() -> None:
    """Two nodes 131 mm from the axis: a right registration is not accused, a turned one is, in half a minute."""
    number = len(FAMILIES) + list(FAMILIES).index("pair-20mm")
    line = scene_line(number, probes=[calibrated(0), calibrated(1)])
    assert line["away_mm"] == 131
    assert line["right_told_s"] is None
    assert 0 < line["turned_told_s"] < 30

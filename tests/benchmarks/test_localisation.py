from typing import Any

import pytest

from benchmarks.localisation import quantile_mm, regions, summary, updates


def target(
    error_mm: float | None, *, is_found: bool = True, is_shown: bool = True, is_in: bool = True
) -> dict[str, Any]:
    errors = {"20": error_mm, "60": error_mm}
    if not is_found:
        return {"name": "node", "found": False, "error_mm": errors}
    return {"name": "node", "found": True, "localisable": is_shown, "error_mm": errors, "in_region": is_in}


def scene(*targets: dict[str, Any]) -> dict[str, Any]:
    return {"targets": list(targets), "false_targets": 0, "false_presence": [], "ms_p99": 1.0}


@pytest.mark.parametrize("batch", [1, 10, 30, 7, 1000])
def test_updates_end_where_an_error_is_stated(batch: int) -> None:
    """Every reading is in one update, none is longer than asked, and one ends at each stated time."""
    parts = updates(620, batch)
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]
    assert (parts[0][0], parts[-1][1]) == (0, 620)
    assert all(0 < end - start <= batch for start, end in parts)
    assert {50, 100, 200, 300, 600} <= {end for _, end in parts}


def test_a_short_scene_ends_where_it_ends() -> None:
    """Times after its end are not waited for."""
    assert updates(45, 30) == [(0, 30), (30, 45)]


def test_regions_are_those_that_were_stated() -> None:
    """A target that was missed, or that is not localisable, has none."""
    lines = [scene(target(1.0), target(9.0, is_in=False)), scene(target(None, is_found=False))]
    assert regions([*lines, scene(target(2.0, is_shown=False))]) == (1, 2)


def test_quantiles_are_over_what_was_found() -> None:
    """A missed target has no error; one that was not seen yet is left out of that time."""
    lines = [scene(target(1.0)), scene(target(3.0)), scene(target(None)), scene(target(99.0, is_found=False))]
    assert quantile_mm(lines, 20, 0.5) == pytest.approx(2.0)
    assert quantile_mm(lines, 5, 0.5) is None
    line = summary("x", lines)
    assert (line["median_mm_20"], line["p90_mm_20"], line["found"]) == (2.0, 2.8, 0.75)

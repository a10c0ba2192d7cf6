import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import COLUMNS, covered, read_series, table


def line(
    family: str,
    seed: int,
    error_mm: float | None,
    *,
    is_in: bool = True,
    probe: str = "A",
    response: str | None = None,
) -> dict[str, Any]:
    """Make a scene's line as the benchmarks print it; without an error its target is missed."""
    target: dict[str, Any] = {
        "name": "node",
        "found": error_mm is not None,
        "error_mm": {"20": error_mm, "60": error_mm},
    }
    if error_mm is not None:
        target |= {"localisable": True, "in_region": is_in}
    made: dict[str, Any] = {"probe": probe, "scene": f"{family}-{seed}", "family": family, "targets": [target]}
    made |= {"false_targets": 0, "false_presence": [], "ms_p99": 1.0}
    return made if response is None else made | {"response": response}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    file = folder / f"{len(list(folder.iterdir()))}.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return file


def cells(text: str, title: str) -> list[str]:
    row = next(each for each in text.splitlines() if each.startswith(f"| {title} |"))
    return [each.strip() for each in row.strip("|").split("|")]


def test_what_misses_its_goal_is_bold(tmp_path: Path) -> None:
    """0.1 MBq at 20 mm: 1.0 mm meets both medians, 1.2 mm misses the later one (goal 1.1), 3.0 mm both."""
    for error, wanted in ((1.0, "1.0 / 1.0"), (1.2, "1.2 / **1.2**"), (3.0, "**3.0** / **3.0**")):
        (series,) = read_series([written(tmp_path, *(line("isolated-20mm", seed, error) for seed in range(4)))])
        row = dict(zip(COLUMNS, cells(table(series), "0.1 MBq, 20 mm deep"), strict=True))
        assert row["median, mm"] == wanted
        assert (row["bound, mm"], row["goal, mm"], row["found"]) == ("2.0 / 0.9", "2.4 / 1.1", "4 of 4")


def test_a_phantom_is_absent_or_not(tmp_path: Path) -> None:
    """A target of the map that is not there has no error: it is absent below a probability of one half."""
    lines = [line("phantom-hotspot", seed, 1.0) | {"targets": []} for seed in range(3)]
    lines[0] |= {"false_presence": [0.7], "false_targets": 1}
    lines[1] |= {"false_presence": [0.1]}
    (series,) = read_series([written(tmp_path, *lines)])
    row = dict(zip(COLUMNS, cells(table(series), "on the map only"), strict=True))
    assert (row["found"], row["false"], row["median, mm"]) == ("absent in 2 of 3", "1", "")


def test_series_are_kept_apart(tmp_path: Path) -> None:
    """Recordings of each probe, drawn scenes, and drawn scenes of a wrong probe each have a table of their own."""
    one = written(tmp_path, line("unmapped", 0, 1.0), line("unmapped", 0, 1.0, probe="B"), {"family": "unmapped"})
    two = written(tmp_path, *(line("unmapped", 0, 1.0, response=each) for each in ("calibrated", "wrong")))
    assert [each.title for each in read_series([one, two])] == [
        "recordings, probe A",
        "recordings, probe B",
        "drawn scenes, the calibrated probe",
        "drawn scenes, a probe gone wrong",
    ]


def test_a_scene_counts_once(tmp_path: Path) -> None:
    """A second run of a scene replaces the first; families come in the table's order."""
    file = written(tmp_path, line("unmapped", 0, 1.0), line("deep-50mm", 0, 2.0), line("unmapped", 0, 3.0))
    (series,) = read_series([file])
    assert list(series.families) == ["deep-50mm", "unmapped"]
    assert [each["targets"][0]["error_mm"]["60"] for each in series.families["unmapped"]] == [3.0]


def test_coverage_misses_only_beyond_chance(tmp_path: Path) -> None:
    """Half of ten regions is too few even by chance and bold; nine of ten may be chance; none is a dash."""
    for inside, wanted in ((5, "**50% (5 of 10)**"), (9, "90% (9 of 10)")):
        lines = [line("unmapped", seed, 1.0, is_in=seed < inside) for seed in range(10)]
        (series,) = read_series([written(tmp_path, *lines)])
        assert cells(table(series), "not on the map")[COLUMNS.index("in the region")] == wanted
    (series,) = read_series([written(tmp_path, line("unmapped", 0, None))])
    assert cells(table(series), "not on the map")[COLUMNS.index("in the region")] == "-"
    assert covered(series.all_lines()) is None


def test_other_output_is_refused(tmp_path: Path) -> None:
    """A line that is no JSON is named by file and number; a file without a scene is said to hold none."""
    (tmp_path / "log").write_text('{"family": "unmapped"}\nreal 1m\n')
    with pytest.raises(ValueError, match="log, line 2: no JSON"):
        read_series([tmp_path / "log"])
    with pytest.raises(ValueError, match="no scene in"):
        read_series([written(tmp_path, {"family": "unmapped"})])

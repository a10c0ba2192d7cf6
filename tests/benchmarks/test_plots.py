import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.figures import read_series
from benchmarks.plots import BEGIN, DOCS, END, draw_coverage, draw_errors, main


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Three series of two families and a phantom."""
    file = tmp_path / "lines.jsonl"
    scenes = []
    for extra in ({}, {"response": "calibrated"}, {"response": "wrong"}):
        for family in ("isolated-20mm", "unmapped", "phantom-hotspot"):
            for seed in range(3):
                errors = {str(time): 40.0 / time + seed for time in (5, 10, 20, 30, 60)}
                target = {"found": True, "localisable": True, "in_region": seed > 0, "error_mm": errors}
                scenes.append(
                    {"probe": "A", "scene": f"{family}-{seed}", "family": family, "ms_p99": 1.0}
                    | {"targets": [] if family == "phantom-hotspot" else [target]}
                    | {"false_targets": 0, "false_presence": []}
                    | extra
                )
    file.write_text("\n".join(map(json.dumps, scenes)))
    return file


def texts(file: Path) -> set[str]:
    return {each.text or "" for each in ET.parse(file).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314 - ours


def test_drawings_are_small_and_the_same_each_time(lines: Path, tmp_path: Path) -> None:
    """The same lines give the same bytes, without a date; each drawing is below 150 kB."""
    series = read_series([lines])
    for name, draw in (("error", draw_errors), ("coverage", draw_coverage)):
        first, second = tmp_path / f"{name}-1.svg", tmp_path / f"{name}-2.svg"
        draw(series, first)
        draw(series, second)
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size < 150_000
        assert b"dc:date" not in first.read_bytes()


def test_drawings_name_what_they_show(lines: Path, tmp_path: Path) -> None:
    """Families, series and the bound stand in words; a family with nothing to find has no panel."""
    series = read_series([lines])
    draw_errors(series, tmp_path / "error.svg")
    draw_coverage(series, tmp_path / "coverage.svg")
    error, coverage = texts(tmp_path / "error.svg"), texts(tmp_path / "coverage.svg")
    assert {"0.1 MBq, 20 mm deep", "not on the map", "recordings, probe A", "median"} <= error
    assert {"0.1 MBq, 20 mm deep", "all", "drawn scenes, a probe gone wrong", "goal"} <= coverage
    assert "on the map only" not in error | coverage


def run(monkeypatch: pytest.MonkeyPatch, what: str, lines: Path, docs: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["plots", what, str(lines), "--docs", str(docs)])
    main()


def test_the_command_draws_and_tabulates(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``draw`` writes two files where it is told, ``table`` prints one table a series."""
    run(monkeypatch, "draw", lines, tmp_path)
    assert {each.name for each in (tmp_path / "images").iterdir()} == {
        "accuracy-error.svg",
        "accuracy-coverage.svg",
    }
    run(monkeypatch, "table", lines, tmp_path)
    printed = capsys.readouterr().out
    assert printed.count("### ") == 3
    assert printed.count("| --- |") == 3
    assert "### Recordings, probe A" in printed


def test_the_page_is_filled_between_its_marks(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stood between the marks is replaced, what stands around them stays; twice is as once."""
    page = tmp_path / "accuracy.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    run(monkeypatch, "page", lines, tmp_path)
    once = page.read_text()
    assert once.startswith(f"before\n{BEGIN}\n\n### Recordings, probe A\n")
    assert once.endswith(f" |\n\n{END}\nafter\n")
    assert "old" not in once
    run(monkeypatch, "page", lines, tmp_path)
    assert page.read_text() == once


def test_a_page_without_marks_is_left_alone(lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused by name, and nothing is written."""
    page = tmp_path / "accuracy.md"
    page.write_text(f"{BEGIN}\n")
    with pytest.raises(ValueError, match=r"accuracy\.md: wants the marks"):
        run(monkeypatch, "page", lines, tmp_path)
    assert page.read_text() == f"{BEGIN}\n"


def test_the_shipped_page_has_its_marks() -> None:
    """The page that the command fills by default can be filled."""
    text = (DOCS / "accuracy.md").read_text()
    assert text.count(BEGIN) == text.count(END) == 1

"""Draws and tabulates what the accuracy benchmarks printed.

``python -m benchmarks.plots table FILE...`` prints Markdown; ``page`` writes it between the marks of
``docs/accuracy.md``; ``draw`` writes ``accuracy-error.svg`` and ``accuracy-coverage.svg`` into its ``images``.
FILES hold the JSON lines of ``benchmarks.localisation`` and ``benchmarks.coverage``; the same lines give the same
bytes.
"""

import argparse
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from acquisition.paper.drawing import COLOURS, STYLE
from benchmarks.figures import COVERED, GOALS, Goal, Series, covered, read_series, table
from benchmarks.localisation import TIMES_S, quantile_mm

DOCS = Path("docs")
BEGIN, END = "<!-- tables: written by benchmarks.plots -->", "<!-- end of tables -->"
"""Marks of the page between which tables stand."""

BOUND_COLOUR = "#111111"
SHARES: tuple[tuple[float, Literal["-", "--"], str], ...] = ((0.5, "-", "median"), (0.9, "--", "90th percentile"))
"""Quantiles of the error, and how each is drawn."""

_PANELS_A_ROW = 4


def draw_errors(series: Sequence[Series], file: Path) -> None:
    """Draw error against time, a panel a family: median solid, 90th percentile dashed, the bound as crosses."""
    families = [family for family in GOALS if any(_has_targets(each, family) for each in series)]
    rows = -(-len(families) // _PANELS_A_ROW)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 2.3 * rows + 0.7), layout="constrained")
        grid = figure.subplots(rows, _PANELS_A_ROW, sharex=True, sharey=True, squeeze=False)
        panels: list[Axes] = list(grid.ravel())
        for panel, family in zip(panels, families, strict=False):
            _draw_panel(panel, family, series)
        for panel in panels[len(families) :]:
            panel.set_visible(False)
        for panel in panels[::_PANELS_A_ROW]:
            panel.set_ylabel("error, mm")
        for panel in panels[max(len(families) - _PANELS_A_ROW, 0) : len(families)]:
            panel.set_xlabel("time of counting, s")
            panel.tick_params(labelbottom=True)
        known: list[Artist] = list(panels[0].get_legend_handles_labels()[0])
        lines = [Line2D([], [], color="#555555", linestyle=style, label=name) for _, style, name in SHARES]
        figure.legend(handles=[*known, *lines], loc="outside upper center", ncols=3, frameon=False)
        _save(figure, file)


def _has_targets(series: Series, family: str) -> bool:
    return any(line["targets"] for line in series.families.get(family, ()))


def _draw_panel(panel: Axes, family: str, series: Sequence[Series]) -> None:
    for colour, each in zip(cycle(COLOURS), series, strict=False):
        lines = list(each.families.get(family, ()))
        for share, style, name in SHARES:
            known = [(time, quantile_mm(lines, time, share)) for time in TIMES_S]
            drawn = [(time, error) for time, error in known if error is not None]
            panel.plot(
                [time for time, _ in drawn],
                [error for _, error in drawn],
                style,
                color=colour,
                linewidth=1.4,
                marker="o",
                markersize=2.5,
                label=each.title if name == "median" else None,
            )
    goal = GOALS.get(family, Goal(title=family))
    if goal.bound_mm is not None:
        panel.plot((20, 60), goal.bound_mm, "x", color=BOUND_COLOUR, label="bound (Cramér-Rao, recordings)")
    panel.set_title(goal.title, fontsize=9)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(TIMES_S, [str(time) for time in TIMES_S])
    panel.set_yticks((0.5, 1, 2, 5, 10, 20), ("0.5", "1", "2", "5", "10", "20"))
    panel.set_ylim(0.3, 30)
    panel.minorticks_off()


def draw_coverage(series: Sequence[Series], file: Path) -> None:
    """Draw the share of 95 % regions that hold the truth, with its 95 % interval, over the goal's band."""
    families = [family for family in GOALS if any(_has_targets(each, family) for each in series)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.0, 0.42 * (len(families) + 1) + 1.2), layout="constrained")
        panel = figure.subplots()
        panel.axvspan(*COVERED, color="#cfe3cf", linewidth=0, label="goal")
        panel.axvline(0.95, color="#3f7d3a", linewidth=0.8)
        for number, (colour, each) in enumerate(zip(cycle(COLOURS), series, strict=False)):
            rows = [(row, covered(each.families.get(family, ()))) for row, family in enumerate(families)]
            rows.append((len(families), covered(each.all_lines())))
            known = [(row, share) for row, share in rows if share is not None]
            panel.errorbar(
                [share for _, (share, _, _) in known],
                [row + 0.2 * (number - (len(series) - 1) / 2) for row, _ in known],
                # rounding may put a share of one past its interval's end
                xerr=[
                    [max(share - low, 0.0) for _, (share, low, _) in known],
                    [max(high - share, 0.0) for _, (share, _, high) in known],
                ],
                fmt="o",
                color=colour,
                markersize=4,
                linewidth=1.2,
                label=each.title,
            )
        panel.set_yticks(range(len(families) + 1), [*(GOALS[family].title for family in families), "all"])
        panel.invert_yaxis()
        panel.set_xlim(0, 1.02)
        panel.set_xlabel("share of 95 % regions that hold the truth, with its 95 % interval")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None})


def tables(series: Sequence[Series]) -> str:
    """Return a headed table for each series."""
    return "\n\n".join(f"### {each.title[0].upper()}{each.title[1:]}\n\n{table(each)}" for each in series)


def write_page(page: Path, series: Sequence[Series]) -> None:
    """Put the tables between the marks of a page.

    Raises
    ------
    ValueError
        Where a mark is missing or comes twice.

    """
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page}: wants the marks {BEGIN!r} and {END!r} once each")
    before, rest = text.split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{tables(series)}\n\n{END}{rest.split(END)[1]}")


def main() -> None:
    """Read the arguments, read the lines, print, write or draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("table", "page", "draw"))
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page and its images")
    chosen = parser.parse_args()
    series = read_series(chosen.files)
    if chosen.what == "table":
        print(tables(series))
    elif chosen.what == "page":
        write_page(chosen.docs / "accuracy.md", series)
    else:
        draw_errors(series, chosen.docs / "images" / "accuracy-error.svg")
        draw_coverage(series, chosen.docs / "images" / "accuracy-coverage.svg")


if __name__ == "__main__":
    main()

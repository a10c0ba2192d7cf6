"""What the page of accuracy states, from the lines of ``benchmarks.localisation`` and ``benchmarks.coverage``.

Only the lines of single scenes are read; every figure is worked out of them, so that files may be joined.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from benchmarks.localisation import quantile_mm, regions

Line = dict[str, Any]

OF_BOUND_MEDIAN, OF_BOUND_P90 = 1.2, 2.2
"""Goals of the median error and of its 90th percentile, over the bound."""

COVERED = (0.93, 0.97)
"""Goal of the share of 95 % regions that hold the truth."""

BELIEVED_AT = 0.5
"""Probability below which a target of the map is declared absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a family is measured by.

    Attributes
    ----------
    title
        As a reader knows it.
    bound_mm
        Cramér-Rao bound after 20 and 60 s (root mean square in space, perfect knowledge of the probe), as the
        README of the recordings gives it; None where there is nothing to find.
    median_mm
        Goal of the median error after 60 s.

    """

    title: str
    bound_mm: tuple[float, float] | None = None
    median_mm: float | None = None


GOALS: Mapping[str, Goal] = {
    "isolated-20mm": Goal(title="0.1 MBq, 20 mm deep", bound_mm=(1.97, 0.88), median_mm=1.1),
    "isolated-30mm": Goal(title="0.1 MBq, 30 mm deep", bound_mm=(2.44, 1.29), median_mm=1.6),
    "deep-50mm": Goal(title="0.1 MBq, 50 mm deep", bound_mm=(6.17, 3.99), median_mm=4.8),
    "faint-25mm": Goal(title="13 kBq, 25 mm deep", bound_mm=(6.40, 3.72), median_mm=4.5),
    "shine-40mm": Goal(title="40 mm beside 100 MBq", bound_mm=(7.72, 3.99), median_mm=4.8),
    "shine-30mm": Goal(title="30 mm beside 100 MBq", bound_mm=(8.97, 5.18), median_mm=6.2),
    "shine-20mm": Goal(title="20 mm beside 100 MBq", bound_mm=(10.13, 7.42), median_mm=9.0),
    "pair-11mm": Goal(title="two, 11 mm apart", bound_mm=(2.94, 1.49), median_mm=1.8),
    "pair-20mm": Goal(title="two, 20 mm apart, 1 : 0.3", bound_mm=(3.01, 1.35), median_mm=1.7),
    "shift-20mm": Goal(title="map 20 mm wrong", bound_mm=(3.18, 1.24), median_mm=1.5),
    "unmapped": Goal(title="not on the map", bound_mm=(2.01, 0.98), median_mm=1.2),
    "phantom-hotspot": Goal(title="on the map only"),
    "phantom-beside-injection": Goal(title="on the map only, beside 100 MBq"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All scenes of one kind, by family: recordings of one probe, or drawn scenes.

    Attributes
    ----------
    title
        Names the probe or how the scenes were drawn.
    families
        Lines of scenes, families in the order of ``GOALS``, others after them.

    """

    title: str
    families: Mapping[str, Sequence[Line]]

    def all_lines(self) -> list[Line]:
        """Lines of all families."""
        return [line for lines in self.families.values() for line in lines]


def read_series(files: Iterable[Path]) -> list[Series]:
    """Read the scenes' lines of files of JSON lines; a scene that comes twice counts once, the later one.

    Raises
    ------
    ValueError
        Where a line is no JSON, or no file holds a scene.

    """
    files = list(files)
    by_title: dict[str, dict[str, Line]] = defaultdict(dict)
    for file in files:
        for number, text in enumerate(file.read_text().splitlines(), start=1):
            try:
                line = json.loads(text)
            except json.JSONDecodeError as exc:
                raise ValueError(f"{file}, line {number}: no JSON; give the benchmark's output alone") from exc
            if "scene" in line and "targets" in line:
                by_title[_title(line)][line["scene"]] = line
    if not by_title:
        raise ValueError(f"no scene in {', '.join(str(file) for file in files)}; run the benchmark first")
    return [_series(title, list(lines.values())) for title, lines in by_title.items()]


def _title(line: Line) -> str:
    drawn = {"calibrated": "drawn scenes, the calibrated probe", "wrong": "drawn scenes, a probe gone wrong"}
    return drawn[line["response"]] if "response" in line else f"recordings, probe {line['probe']}"


def _series(title: str, lines: Sequence[Line]) -> Series:
    families: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        families[line["family"]].append(line)
    known = [family for family in GOALS if family in families]
    order = [*known, *sorted(set(families) - set(known))]
    return Series(title=title, families={family: families[family] for family in order})


def covered(lines: Sequence[Line]) -> tuple[float, float, float] | None:
    """Share of the stated regions that hold the truth, with its 95 % interval (Wilson, 1927); None without any."""
    within, stated = regions(list(lines))
    if not stated:
        return None
    interval = binomtest(within, stated).proportion_ci(method="wilson")
    return within / stated, float(interval.low), float(interval.high)


COLUMNS = (
    "family",
    "scenes",
    "bound, mm",
    "goal, mm",
    "median, mm",
    "90th percentile, mm",
    "found",
    "not localisable",
    "in the region",
    "false",
)


def table(series: Series) -> str:
    """Return a Markdown table of one series, a family a row; what misses its goal is bold."""
    rows = [COLUMNS, ("---",) + ("---:",) * (len(COLUMNS) - 1)]
    rows += [_row(family, list(lines)) for family, lines in series.families.items()]
    everything = series.all_lines()
    rows.append(("all", str(len(everything)), *[""] * 6, _within(everything), str(_false(everything))))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _false(lines: Sequence[Line]) -> int:
    return sum(line["false_targets"] for line in lines)


def _within(lines: Sequence[Line]) -> str:
    within, stated = regions(list(lines))
    if (interval := covered(lines)) is None:
        return "-"
    share, low, high = interval
    text = f"{share:.0%} ({within} of {stated})"
    # missed only where chance does not explain it
    return f"**{text}**" if low > COVERED[1] or high < COVERED[0] else text


def _row(family: str, lines: list[Line]) -> tuple[str, ...]:
    goal = GOALS.get(family, Goal(title=family))
    targets = [each for line in lines for each in line["targets"]]
    if not targets:
        absent = sum(all(each < BELIEVED_AT for each in line["false_presence"]) for line in lines)
        return (
            *(goal.title, str(len(lines)), "", "absent", "", ""),
            f"absent in {absent} of {len(lines)}",
            *("", "", str(_false(lines))),
        )
    found = [each for each in targets if each["found"]]
    bound = goal.bound_mm
    stated = (None, None) if bound is None else bound

    def figures(share: float, goals: tuple[float | None, float | None]) -> str:
        return " / ".join(_figure(quantile_mm(lines, s, share), g) for s, g in zip((20, 60), goals, strict=True))

    late = goal.median_mm
    return (
        goal.title,
        str(len(lines)),
        "" if bound is None else f"{bound[0]:.1f} / {bound[1]:.1f}",
        "" if bound is None or late is None else f"{OF_BOUND_MEDIAN * bound[0]:.1f} / {late:.1f}",
        figures(0.5, (_times(stated[0], OF_BOUND_MEDIAN), late)),
        figures(0.9, (_times(stated[0], OF_BOUND_P90), _times(stated[1], OF_BOUND_P90))),
        f"{len(found)} of {len(targets)}",
        str(sum(not each["localisable"] for each in found) + len(targets) - len(found)),
        _within(lines),
        str(_false(lines)),
    )


def _times(bound_mm: float | None, factor: float) -> float | None:
    return None if bound_mm is None else bound_mm * factor


def _figure(value_mm: float | None, goal_mm: float | None) -> str:
    if value_mm is None:
        return "-"
    text = f"{value_mm:.1f}"
    return f"**{text}**" if goal_mm is not None and round(value_mm, 1) > round(goal_mm, 1) else text

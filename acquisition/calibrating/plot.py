"""A calibration drawn: counts beside the response, and what is left between them."""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acquisition.paper.drawing import COLOURS, STYLE
from navigation.probe.bench import PointSourceCount, bench_of, expected_counts
from navigation.probe.prediction import angular_table, predict
from navigation.probe.response import Response

AIR_DISTANCE_MM = 30.0


def draw_calibration(
    response: Response, counts: Sequence[PointSourceCount], *, is_simulated: bool, kind: str = "svg"
) -> bytes:
    """Draw distance, angle, offset and residuals; the same calibration gives the same bytes.

    Parameters
    ----------
    response
        What was fitted.
    counts
        To what.
    is_simulated
        Said in the title.
    kind
        ``"svg"`` or ``"png"``.

    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 7.0), layout="constrained")
        (distance, angle), (offset, left) = figure.subplots(2, 2)
        low_kev, high_kev = response.window_kev
        figure.suptitle(
            "SIMULATED: " * is_simulated
            + f"{response.probe}, {response.nuclide} in {low_kev:g}-{high_kev:g} keV, {response.calibrated_at}"
        )
        _draw_distances(distance, response, counts)
        _draw_angles(angle, response, counts)
        _draw_offsets(offset, response, counts)
        _draw_left(left, response, counts)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return drawn.getvalue()


def _net_cps(response: Response, counts: Sequence[PointSourceCount]) -> tuple[list[float], list[float]]:
    """Rates of 1 MBq above background, dead time undone, with their errors."""
    rates, errors = [], []
    for each in counts:
        counted = each.counts / each.live_time_s
        alive = max(1 - counted * response.dead_time_s, 1e-3)
        rates.append((counted / alive - response.background_cps) / each.activity_mbq)
        errors.append(max(each.counts, 1.0) ** 0.5 / each.live_time_s / alive**2 / each.activity_mbq)
    return rates, errors


def _expected_cps(response: Response, places: Sequence[PointSourceCount]) -> list[float]:
    return [float(each) for each in bench_of(places).true_rate_cps(response)]


def _place(medium: str, distance_mm: float, lateral_mm: float = 0.0, angle_deg: float = 0.0) -> PointSourceCount:
    return PointSourceCount(
        medium=medium,
        distance_mm=distance_mm,
        lateral_mm=lateral_mm,
        angle_deg=angle_deg,
        activity_mbq=1.0,
        live_time_s=1.0,
        counts=0.0,
    )


def _draw(panel: Axes, at: Sequence[float], measured: tuple[list[float], list[float]], **look: Any) -> None:
    panel.errorbar(at, measured[0], yerr=measured[1], fmt="o", markersize=3.5, linewidth=0.8, **look)


def _draw_distances(panel: Axes, response: Response, counts: Sequence[PointSourceCount]) -> None:
    for colour, medium in zip(COLOURS, ("air", "water"), strict=False):
        seen = [
            each for each in counts if each.medium == medium and each.lateral_mm == 0 and each.angle_deg < 1e-6
        ]
        if seen:
            at = [each.distance_mm for each in seen]
            fine = np.geomspace(min(at), max(at), 80).tolist()
            _draw(panel, at, _net_cps(response, seen), color=colour, label=medium)
            panel.plot(fine, _expected_cps(response, [_place(medium, each) for each in fine]), color=colour)
    panel.set(xscale="log", yscale="log", xlabel="on axis, mm from the tip", ylabel="cps/MBq")
    panel.legend(frameon=False)


def _draw_angles(panel: Axes, response: Response, counts: Sequence[PointSourceCount]) -> None:
    seen = [
        each
        for each in counts
        if each.medium == "air" and each.lateral_mm == 0 and abs(each.distance_mm - AIR_DISTANCE_MM) < 0.5
    ]
    table = angular_table(response, np.linspace(0.0, 90.0, 181), AIR_DISTANCE_MM)
    ahead = _expected_cps(response, [_place("air", AIR_DISTANCE_MM)])[0]
    rates, errors = _net_cps(response, seen)
    measured = ([rate / ahead for rate in rates], [error / ahead for error in errors])
    _draw(panel, [each.angle_deg for each in seen], measured, color=COLOURS[0])
    panel.plot(table.angle_deg, table.relative, color=COLOURS[0])
    low = np.maximum(table.relative - 2 * table.sigma, 1e-6)
    panel.fill_between(table.angle_deg, low, table.relative + 2 * table.sigma, color=COLOURS[0], alpha=0.2)
    panel.set(yscale="log", ylim=(1e-4, 1.5), xlabel=f"angle at {AIR_DISTANCE_MM:g} mm in air, deg")
    panel.set_ylabel("over the rate on axis")


def _draw_offsets(panel: Axes, response: Response, counts: Sequence[PointSourceCount]) -> None:
    aside = [each for each in counts if each.medium == "water" and each.lateral_mm > 0]
    depths = sorted({each.distance_mm for each in aside})
    for colour, depth_mm in zip(cycle(COLOURS), depths, strict=False):
        seen = [each for each in counts if each.medium == "water" and each.distance_mm == depth_mm]
        fine = np.linspace(0.0, max(each.lateral_mm for each in seen), 80).tolist()
        label = f"{depth_mm:g} mm deep"
        _draw(panel, [each.lateral_mm for each in seen], _net_cps(response, seen), color=colour, label=label)
        panel.plot(fine, _expected_cps(response, [_place("water", depth_mm, each) for each in fine]), color=colour)
    panel.set(yscale="log", xlabel="aside of the axis in water, mm", ylabel="cps/MBq")
    if depths:
        panel.legend(frameon=False)


def _draw_left(panel: Axes, response: Response, counts: Sequence[PointSourceCount]) -> None:
    bench = bench_of(counts)
    foretold = predict(response, counts)
    off = (bench.counts - expected_counts(response, bench)) / foretold.sigma
    for colour, medium in zip(COLOURS, ("air", "water"), strict=False):
        chosen = bench.is_in_air if medium == "air" else ~bench.is_in_air
        panel.plot(bench.angle_deg[chosen], off[chosen], "o", markersize=3.5, color=colour, label=medium)
    for line in (-2, 0, 2):
        panel.axhline(line, color="#555555", linewidth=0.8, linestyle="-" if line == 0 else "--")
    panel.set(xlabel="angle at the tip, deg", ylabel="left over, in stated errors")
    panel.legend(frameon=False)

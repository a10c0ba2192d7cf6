"""Curves and trends drawn as SVG for a report, the same bytes each time."""

from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from acquisition.paper import drawing
from acquisition.quality.curves import Curve
from acquisition.quality.trend import Trend
from navigation.statistics.control import ACTION, WARNING

STYLE: Final = {**drawing.STYLE, "axes.unicode_minus": False}

MEASURED: Final = "#0b6fa4"
EXPLAINED: Final = "#c2570c"
OUT: Final = "#b00020"
BASE: Final = "#f0f0f0"

MEASURED_WITH: Final = "DejaVu Sans"
"""The font that matplotlib brings along and reckons widths by."""

SET_IN: Final = "Libertinus Serif"
"""The font that the report's typesetter brings along."""


def draw_curve(curve: Curve) -> bytes:
    """Draw measured points with their errors, and the line that explains them."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.9), layout="constrained")
        axes = figure.subplots()
        if curve.line:
            x, y = np.array(curve.line).T
            axes.plot(x, y, color=EXPLAINED, linewidth=1.2, label="fitted")
        if curve.level is not None:
            axes.axhline(curve.level, color=EXPLAINED, linewidth=1.0)
        shown = [point for point in curve.points if point[1] > 0 or not curve.is_log]
        if shown:
            x, y, sigma = np.array(shown).T
            # an error bar down to nothing has no place on a logarithmic axis
            low = np.minimum(sigma, 0.99 * y) if curve.is_log else sigma
            axes.errorbar(x, y, yerr=[low, sigma], fmt="o", markersize=3.5, color=MEASURED, label="counted")
        if curve.is_log and shown:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        if curve.line:
            axes.legend(frameon=False)
        axes.set_xlabel(curve.x)
        axes.set_ylabel(curve.y)
        return _svg(figure)


def draw_trend(trend: Trend) -> bytes:
    """Draw a figure's values between Shewhart's lines, and below their moving average between its own."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        values, averages = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        days = np.array([date2num(each.at) for each in trend.measured])
        measured = np.array([each.value for each in trend.measured])
        sigma = np.array([each.sigma for each in trend.measured])
        base = len(measured) - len(trend.points)
        values.errorbar(days, measured, yerr=sigma, fmt="o", markersize=3, color=MEASURED, linewidth=0.8)
        values.set_ylabel(f"{trend.followed.name}, {trend.followed.unit}")
        if trend.process is not None:
            _lines(values, trend.process.centre, trend.process.sigma)
            out = [number for number, point in enumerate(trend.points, start=base) if point.signal.is_out]
            values.plot(days[out], measured[out], "o", markersize=7, markerfacecolor="none", color=OUT)
            if base:
                values.axvspan(days[0], days[base - 1], color=BASE, zorder=0)
            _average(averages, trend, days[base:])
        averages.set_ylabel("moving average")
        locator = AutoDateLocator(maxticks=7)
        averages.xaxis.set_major_locator(locator)
        averages.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        return _svg(figure)


def _lines(axes: Axes, centre: float, sigma: float) -> None:
    axes.axhline(centre, color=EXPLAINED, linewidth=1.0)
    for sign in (-1, 1):
        axes.axhline(centre + sign * WARNING * sigma, color=EXPLAINED, linewidth=0.8, linestyle="--")
        axes.axhline(centre + sign * ACTION * sigma, color=OUT, linewidth=0.8)


def _average(axes: Axes, trend: Trend, days: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    centre = trend.process.centre if trend.process else 0.0
    average = np.array([point.average for point in trend.points])
    line = np.array([point.average_line for point in trend.points])
    axes.plot(days, average, "o-", markersize=3, linewidth=0.8, color=MEASURED)
    axes.axhline(centre, color=EXPLAINED, linewidth=1.0)
    for sign in (-1, 1):
        axes.step(days, centre + sign * line, where="mid", color=OUT, linewidth=0.8)


def _svg(figure: Figure) -> bytes:
    written = BytesIO()
    figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue().replace(MEASURED_WITH.encode(), SET_IN.encode())

"""What a record draws: measured points with their errors beside the line that explains them, as plain numbers.

A record's ``told["curves"]`` holds ``Curve.to_dict`` of each, so that a report can be drawn years later without
the model that the line came from.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from acquisition.quality.angular import AngularResponse
from acquisition.quality.chi_square import CHI_SQUARE
from acquisition.quality.morning import Morning
from acquisition.quality.sensitivity import Sensitivity, per_mbq
from acquisition.quality.settings import MorningSettings
from navigation.errors import NavigationError
from navigation.probe.response import Response
from navigation.tissue import NoTissue

LINE_POINTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A plot.

    Attributes
    ----------
    title
        What it shows.
    x, y
        Labels of the axes, with units.
    is_log
        Whether y is drawn by its logarithm.
    points
        x, y and the standard error of y of each measured point.
    line
        x and y along what explains them; empty where nothing does.
    level
        y of a horizontal line, as 0 for residuals; None: none.

    """

    title: str
    x: str
    y: str
    is_log: bool = False
    points: tuple[tuple[float, float, float], ...] = ()
    line: tuple[tuple[float, float], ...] = ()
    level: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Any) -> Self | None:
        """Read one back; None where it is no curve."""
        try:
            points = tuple((float(x), float(y), float(sigma)) for x, y, sigma in told["points"])
            line = tuple((float(x), float(y)) for x, y in told["line"])
            return cls(**{**told, "points": points, "line": line})
        except (KeyError, TypeError, ValueError):
            return None


def curves_in(told: Any) -> tuple[Curve, ...]:
    """Read the curves that a record tells; what is none is left out."""
    return tuple(curve for each in told.get("curves", ()) if (curve := Curve.from_dict(each)) is not None)


def curves_of(settings: MorningSettings, morning: Morning, response: Response | None) -> tuple[Curve, ...]:
    """Draw what a morning counted, as far as it came, beside the response where one was fitted."""
    curves: list[Curve] = []
    nuclide = settings.point_source.nuclide
    sensitivity = Sensitivity(limits=settings.sensitivity, source=settings.point_source)
    distances_mm = settings.sensitivity.distances_mm
    if points := net_per_mbq(morning, nuclide, sensitivity.name, distances_mm):
        along_mm = np.geomspace(distances_mm[0], distances_mm[-1], LINE_POINTS)
        curves.append(
            Curve(
                title="Rate on the axis against distance, in air",
                x="distance from the tip, mm",
                y="cps/MBq",
                is_log=True,
                points=points,
                line=_line(response, along_mm, np.stack([0 * along_mm, 0 * along_mm, along_mm], axis=1)),
            )
        )
    angular = AngularResponse(limits=settings.angular, source=settings.point_source)
    angles_deg, distance_mm = settings.angular.angles_deg, settings.angular.distance_mm
    if points := net_per_mbq(morning, nuclide, angular.name, angles_deg):
        along_deg = np.linspace(angles_deg[0], angles_deg[-1], LINE_POINTS)
        sine, cosine = np.sin(np.radians(along_deg)), np.cos(np.radians(along_deg))
        curves.append(
            Curve(
                title=f"Rate against angle, {distance_mm:g} mm from the tip",
                x="angle to the axis, degrees",
                y="cps/MBq",
                is_log=True,
                points=points,
                line=_line(response, along_deg, distance_mm * np.stack([sine, 0 * sine, cosine], axis=1)),
            )
        )
    if response is not None and len(response.residuals):
        curves.append(
            Curve(
                title="What the response leaves, in standard errors of the counts",
                x="count of the point source, in order",
                y="(counted - expected) / error",
                points=tuple(
                    (number, float(row[2] / row[3]), 1.0) for number, row in enumerate(response.residuals, 1)
                ),
                level=0.0,
            )
        )
    if equal := morning.counts.get(CHI_SQUARE):
        mean_cps = sum(count.counts for count in equal) / sum(count.live_time_s for count in equal)
        curves.append(
            Curve(
                title="Equal counts of the check source",
                x="count, in order",
                y="cps",
                points=tuple(
                    (number, count.rate.rate_cps, count.rate.sigma_cps)
                    for number, count in enumerate(equal, start=1)
                ),
                level=mean_cps,
            )
        )
    return tuple(curves)


def net_per_mbq(
    morning: Morning, nuclide: str, step: str, at: Sequence[float]
) -> tuple[tuple[float, float, float], ...]:
    """Give the net rates of a step in cps/MBq with their errors, each with its x of ``at``.

    None where it was not counted, or cannot be told.
    """
    points = []
    known = morning.known
    for x, count in zip(at, morning.counts.get(step, ()), strict=False):
        try:
            activity_mbq = known.activity_mbq(nuclide, count.middle_at)
            rate = per_mbq(known.net(count), activity_mbq)
        except (NavigationError, ValueError):
            return ()
        points.append((x, rate.rate_cps, rate.sigma_cps))
    return tuple(points)


def _line(
    response: Response | None, along: np.ndarray[Any, np.dtype[np.float64]], sources_mm: Any
) -> tuple[tuple[float, float], ...]:
    if response is None:
        return ()
    tip, axis = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    expected = response.expected_rate_cps(sources_mm, tip, axis, NoTissue())[0]
    return tuple(zip(along.tolist(), expected.tolist(), strict=True))

"""A point source counted on the bench: where it stood, and what a response expects there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.probe.response import Response
from navigation.tissue import Skin

Array = NDArray[np.float64]

STRAY_BELOW = 0.02
"""A count lies outside the field of view where its rate is below this share of that on axis, so far away."""

TIP_ABOVE_WATER_MM = 0.4
"""Height of the tip above the surface in a count in water, unless the bench says another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSourceCount:
    """One count of a point source on the bench.

    The source lies at ``distance_mm`` from the tip in the direction ``angle_deg`` off the axis (about the tip's
    centre), then ``lateral_mm`` aside. In water the distance is the depth below a flat surface that the tip, on
    the surface's normal, all but touches.

    Attributes
    ----------
    medium
        ``"air"`` or ``"water"``.
    distance_mm, lateral_mm, angle_deg
        As above.
    activity_mbq
        At the time of the count.
    live_time_s
        Time in which the instrument could count.
    counts
        Events in the window, as counted: background in, dead time not corrected.

    """

    medium: str
    distance_mm: float
    lateral_mm: float
    angle_deg: float
    activity_mbq: float
    live_time_s: float
    counts: float

    def __post_init__(self) -> None:
        if self.medium not in ("air", "water"):
            raise NavigationError(f"a source is counted in air or water, not in {self.medium!r}")
        if not (self.live_time_s > 0 and self.activity_mbq > 0 and self.counts >= 0):
            raise NavigationError("a count of a source needs a positive time and activity, and no negative counts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """R counts in arrays; the tip is the origin, and the probe looks along +z.

    Attributes
    ----------
    points_mm
        Of the source, shape (R, 3).
    skin
        The water's surface under the tip, infinitely far in air.
    counts, live_time_s, activity_mbq
        As in ``PointSourceCount``, shape (R,).

    """

    points_mm: Array
    skin: Skin
    counts: Array
    live_time_s: Array
    activity_mbq: Array

    @property
    def distance_mm(self) -> Array:
        """Of the source from the tip's centre."""
        return np.asarray(np.linalg.norm(self.points_mm, axis=1))

    @property
    def angle_deg(self) -> Array:
        """Of the source off the axis, about the tip's centre."""
        x, _, z = self.points_mm.T
        return np.asarray(np.degrees(np.arctan2(np.abs(x), z)))

    @property
    def is_in_air(self) -> NDArray[np.bool_]:
        """Whether there was no water."""
        return np.asarray(np.isinf(self.skin.height_mm))

    def is_stray(self, net_cps_per_mbq: Array) -> NDArray[np.bool_]:
        """Whether a net rate tells that the source lay outside the field of view."""
        by_square = net_cps_per_mbq * np.square(self.points_mm).sum(axis=1)
        return np.asarray(by_square < STRAY_BELOW * by_square.max())

    def true_rate_cps(self, response: Response) -> Array:
        """Rate of the sources alone, before dead time."""
        size = len(self.counts)
        ahead = np.tile([0.0, 0.0, 1.0], (size, 1))
        seen, _ = response.rate_and_gradient(self.points_mm[:, None], np.zeros((size, 3)), ahead, self.skin)
        return np.asarray(seen[:, 0] * self.activity_mbq)


def bench_of(counts: Sequence[PointSourceCount], *, tip_above_water_mm: float = TIP_ABOVE_WATER_MM) -> Bench:
    """Lay counts out in arrays."""
    points, heights = [], []
    for each in counts:
        angle = np.radians(each.angle_deg)
        above = tip_above_water_mm if each.medium == "water" else 0.0
        side = each.distance_mm * np.sin(angle) + each.lateral_mm
        points.append((side, 0.0, each.distance_mm * np.cos(angle) + above))
        heights.append(above if each.medium == "water" else np.inf)
    return Bench(
        points_mm=np.array(points),
        skin=Skin(height_mm=np.array(heights), normal=np.tile([0.0, 0.0, -1.0], (len(points), 1))),
        counts=np.array([each.counts for each in counts], dtype=np.float64),
        live_time_s=np.array([each.live_time_s for each in counts]),
        activity_mbq=np.array([each.activity_mbq for each in counts]),
    )


def expected_counts(response: Response, bench: Bench) -> Array:
    """Expect counts of a response, background in and dead time off, shape (R,)."""
    true_rate = bench.true_rate_cps(response) + response.background_cps
    return np.asarray(true_rate / (1 + true_rate * response.dead_time_s) * bench.live_time_s)

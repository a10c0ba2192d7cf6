"""A bench and a patient whose physics is written out here, apart from the code under test.

The formula is that of a collimated probe with a Gaussian field of view (inverse square about a crystal behind the
tip, exponential attenuation, a leak), which the fitted response can follow, but does not contain.
"""

import numpy as np
from numpy.typing import NDArray

from navigation.observations import Observations
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import Response
from navigation.probe.response_fit import FitQuality, fit_response
from navigation.tissue import HalfSpace

Array = NDArray[np.float64]

SENSITIVITY_CPS_PER_MBQ = 2040.0
CRYSTAL_MM = 8.0
SIGMA_DEG = 17.0
LEAK = 3e-4
MU_PER_MM = 0.01536
BACKGROUND_CPS = 4.0
DEAD_TIME_S = 4e-6
SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))


def plain_rate_cps(points_mm: Array, tip_mm: Array, axis: Array, path_mm: Array) -> Array:
    """Rate of 1 MBq, by formula: (N, 3) points, one for each pose."""
    offset = points_mm - tip_mm
    distance = np.linalg.norm(offset, axis=1)
    angle = np.degrees(np.arccos(np.clip((offset * axis).sum(axis=1) / distance, -1, 1)))
    field = (1 - LEAK) * np.exp(-0.5 * (angle / SIGMA_DEG) ** 2) + LEAK
    near = ((30 + CRYSTAL_MM) / (distance + CRYSTAL_MM)) ** 2
    return np.asarray(SENSITIVITY_CPS_PER_MBQ * near * field * np.exp(-MU_PER_MM * path_mm))


def counted(rate_cps: Array, live_time_s: Array | float, rng: np.random.Generator) -> Array:
    """Poisson counts after a non-paralysable dead time."""
    return np.asarray(rng.poisson(rate_cps / (1 + rate_cps * DEAD_TIME_S) * live_time_s), dtype=np.float64)


def bench_counts(rng: np.random.Generator, *, is_short: bool = False) -> list[PointSourceCount]:
    """Count on the bench, as ``acquire`` does: distances and angles in air, and depths in water unless short."""
    places = [("air", distance, 0.0) for distance in (10.0, 30.0, 50.0, 100.0)]
    places += [("air", 30.0, angle) for angle in (5.0, 10, 15, 20, 25, 30, 40, 50, 60, 75, 90)]
    if not is_short:
        places += [("water", depth, 0.0) for depth in (10.0, 20.0, 30.0, 50.0)]
    counts = []
    for medium, distance, angle_deg in places:
        angle = np.radians(angle_deg)
        above = 0.4 if medium == "water" else 0.0
        point = np.array([[distance * np.sin(angle), 0.0, distance * np.cos(angle) + above]])
        path = np.array([distance if medium == "water" else 0.0])
        rate = plain_rate_cps(point, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), path)
        counts.append(
            PointSourceCount(
                medium=medium,
                distance_mm=distance,
                lateral_mm=0.0,
                angle_deg=angle_deg,
                activity_mbq=1.0,
                live_time_s=20.0,
                counts=float(counted(rate + BACKGROUND_CPS, 20.0, rng)[0]),
            )
        )
    return counts


def calibrated(rng: np.random.Generator, *, is_short: bool = False) -> tuple[Response, FitQuality]:
    """Fit the bench's counts."""
    return fit_response(
        bench_counts(rng, is_short=is_short),
        float(rng.poisson(BACKGROUND_CPS * 300)),
        300.0,
        DEAD_TIME_S,
        probe="plain",
        nuclide="Tc-99m",
        window_kev=(120.0, 160.0),
        calibrated_at="2026-11-22T07:30:00+00:00",
    )


def sweep(
    sources_mm: Array,
    activity_mbq: Array,
    rng: np.random.Generator,
    *,
    seconds: float = 30.0,
    width_mm: float = 50.0,
) -> Observations:
    """Hold the probe over the skin in a raster with tilts, at ten readings a second; sources (K, 3) in tissue."""
    size = round(seconds * 10)
    turn = np.linspace(0, 1, size)
    tip = np.column_stack(
        (
            width_mm / 2 * np.sin(2 * np.pi * 5.3 * turn),
            width_mm * (turn - 0.5),
            0.5 + 0.5 * np.abs(np.sin(40 * turn)),
        )
    )
    axis = np.column_stack(
        (0.35 * np.sin(2 * np.pi * 9.1 * turn), 0.35 * np.cos(2 * np.pi * 7.7 * turn), -np.ones(size))
    )
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    rate = np.full(size, BACKGROUND_CPS)
    for source, activity in zip(sources_mm, activity_mbq, strict=True):
        places = np.tile(source, (size, 1))
        depth = -source[2]
        path = np.linalg.norm(places - tip, axis=1) * depth / (depth + tip[:, 2])
        rate += activity * plain_rate_cps(places, tip, axis, path)
    return Observations(
        counts=counted(rate, 0.1, rng),
        live_time_s=np.full(size, 0.1),
        tip_mm=tip,
        axis=axis,
        taken_at_s=np.linspace(0.0, seconds, size),
    )

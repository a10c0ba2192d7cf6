"""What a calibration foretells of counts that it has not seen, and how far it may be off.

The errors of all parameters, with their covariance, are carried to first order; what the formula itself gets
wrong, as navigation grants it (``navigation.probe.correction``), comes on top, and the chance in the count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.probe.bench import (
    STRAY_BELOW,
    TIP_ABOVE_WATER_MM,
    Bench,
    PointSourceCount,
    bench_of,
    expected_counts,
)
from navigation.probe.correction import Correction
from navigation.probe.response import FITTED, Response
from navigation.tissue import NoTissue

Array = NDArray[np.float64]

STEP = 1e-4
"""Of a logarithm, over which slopes are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Foretold counts of R places.

    Attributes
    ----------
    counts
        Expected, background in and dead time off, shape (R,).
    net
        The part of them that the source gives.
    sigma
        Standard error of the difference to what is counted there: parameters, formula and chance.

    """

    counts: Array
    net: Array
    sigma: Array

    def off_by(self, counted: ArrayLike, *, granted: float = 0.0) -> Array:
        """How many standard errors counts lie off, beyond a ``granted`` share of the source's own; shape (R,)."""
        off = np.abs(np.asarray(counted, dtype=np.float64) - self.counts)
        return np.asarray(np.maximum(off - granted * self.net, 0.0) / self.sigma)


@dataclass(frozen=True, slots=True, kw_only=True)
class AngularTable:
    """Rate in air over that on axis at the same distance from the tip.

    Attributes
    ----------
    distance_mm
        From the tip's centre.
    angle_deg
        Off the axis, shape (N,).
    relative, sigma
        The rate and its standard error by the parameters' covariance, shape (N,).

    """

    distance_mm: float
    angle_deg: Array
    relative: Array
    sigma: Array


def predict(
    response: Response,
    places: Sequence[PointSourceCount],
    *,
    tip_above_water_mm: float = TIP_ABOVE_WATER_MM,
) -> Prediction:
    """Foretell counts; those in ``places`` are not looked at."""
    bench = bench_of(places, tip_above_water_mm=tip_above_water_mm)
    counts = expected_counts(response, bench)
    source = bench.true_rate_cps(response)
    alive = 1 / (1 + (source + response.background_cps) * response.dead_time_s)
    net = source * alive * bench.live_time_s
    slopes = np.column_stack(
        [_slope(response, name, lambda changed: expected_counts(changed, bench)) for name in FITTED]
    )
    by_parameters = np.einsum("ri,ij,rj->r", slopes, response.covariance, slopes)
    if response.counting_covariance is not None:
        # d/dtau of n T / (1 + n tau), and d/dn of it
        by_counting = np.column_stack((-(counts**2) / bench.live_time_s, alive**2 * bench.live_time_s))
        own = response.counting_covariance[:, len(FITTED) :]
        cross = response.counting_covariance[:, : len(FITTED)]
        by_parameters += np.einsum("ri,ij,rj->r", by_counting, own, by_counting)
        by_parameters += 2 * np.einsum("ri,ij,rj->r", by_counting, cross, slopes)
    ahead, tip = np.array([[0.0, 0.0, 1.0]]), np.zeros((1, 3))
    in_field = Correction(response).error_at(bench.points_mm, tip, ahead)[0]
    by_formula = np.where(_is_stray(response, bench), response.stray_error, in_field) * net
    variance = np.maximum(by_parameters, 0.0) + by_formula**2 + np.maximum(counts, 1.0)
    return Prediction(counts=counts, net=net, sigma=np.sqrt(variance))


def hold_back(
    counts: Sequence[PointSourceCount],
    held: Sequence[int],
    fit: Callable[[Sequence[PointSourceCount]], Response],
    *,
    tip_above_water_mm: float = TIP_ABOVE_WATER_MM,
) -> Prediction:
    """Fit without the counts of some numbers, and foretell them.

    Raises
    ------
    NavigationError
        Where the rest are too few for a fit.

    """
    hidden = set(held)
    response = fit([each for number, each in enumerate(counts) if number not in hidden])
    return predict(response, [counts[number] for number in held], tip_above_water_mm=tip_above_water_mm)


def angular_table(response: Response, angle_deg: ArrayLike, distance_mm: float) -> AngularTable:
    """Tabulate the angular response with its error."""
    angles = np.atleast_1d(np.asarray(angle_deg, dtype=np.float64))
    slopes = np.column_stack(
        [_slope(response, name, lambda changed: changed.angular_response(angles, distance_mm)) for name in FITTED]
    )
    variance = np.einsum("ri,ij,rj->r", slopes, response.covariance, slopes)
    return AngularTable(
        distance_mm=distance_mm,
        angle_deg=angles,
        relative=response.angular_response(angles, distance_mm),
        sigma=np.sqrt(np.maximum(variance, 0.0)),
    )


def _slope(response: Response, name: str, of: Callable[[Response], Array]) -> Array:
    return (of(response.scaled({name: STEP})) - of(response.scaled({name: -STEP}))) / (2 * STEP)


def _is_stray(response: Response, bench: Bench) -> NDArray[np.bool_]:
    """Whether each place lies outside the field of view, as the fit has it."""
    far_mm = response.greatest_distance_mm
    ahead = response.expected_rate_cps(
        [[0.0, 0.0, far_mm]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]], NoTissue()
    ).item()
    rate = bench.true_rate_cps(response) / bench.activity_mbq
    return np.asarray(rate * bench.distance_mm**2 < STRAY_BELOW * ahead * far_mm**2)

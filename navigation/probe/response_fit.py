"""Fit a probe's response to counts of a point source on the bench.

All counts are fitted at once by Poisson likelihood, widened by the relative error of the model that the counts
themselves show. What the bench did not determine keeps its prior, and the covariance says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from navigation.errors import NavigationError
from navigation.probe.response import FITTED, PointSourceCount, Response
from navigation.tissue import Skin

Array = NDArray[np.float64]

SHAPE_PRIOR: Mapping[str, tuple[float, float]] = {
    "recess_mm": (8.0, 0.7),
    "crystal_thickness_mm": (6.0, 0.4),
    "crystal_radius_mm": (4.0, 0.7),
    "aperture_radius_mm": (4.0, 0.7),
    "penumbra": (0.01, 2.0),
    "penumbra_deg": (17.0, 0.35),
    "leak": (3e-4, 2.5),
    "buildup": (0.2, 0.5),
    "halo": (0.5, 0.7),
    "halo_angle_deg": (8.2, 0.25),
    "halo_core_deg": (47.0, 0.15),
}
"""Median and logarithmic standard deviation of what a bench may leave open.

Lengths span the collimated hand-held probes on the market (openings of 5 to 16 mm). Scatter is that of a window
of +-15 % at 140 keV in water, by photon transport; a bench in water replaces it.
"""

LEAST_MODEL_ERROR = 0.005
"""Relative error that a bench has at least: source volume, placement, activity ratio."""

STRAY_ERROR = 0.15
"""Relative error of what comes from outside the field of view, where the bench did not count enough of it."""

STRAY_BELOW = 0.02
"""A count lies outside the field of view where its rate is below this share of that on axis, so far away."""

STRAY_FOLLOWS = 0.3
"""Relative error granted to those counts in the fit: scatter and leak follow a formula no better.

Granted less, a few of them in the shadow's edge would pull at the field of view, and all else would have to give.
"""

TIP_ABOVE_WATER_MM = 0.4
"""Height of the tip above the surface in a count in water, unless the bench says another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitQuality:
    """How well a response explains the counts that it was fitted to.

    Attributes
    ----------
    chi2, degrees
        Pearson's chi-square with the Poisson variances of count and background, and its degrees of freedom.
    model_error
        Relative standard deviation that counts in the field of view need on top to agree with the response.
    stray_error
        The same for counts from outside the field of view, ``STRAY_ERROR`` where they are too few to tell.
    greatest_residual
        Greatest relative deviation among counts above 1,000.
    relative_residuals
        Count over expectation, less one, in the order given; read-only.

    """

    chi2: float
    degrees: int
    model_error: float
    stray_error: float
    greatest_residual: float
    relative_residuals: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    points_mm: Array
    skin: Skin
    counts: Array
    live_time_s: Array
    activity_mbq: Array
    background_variance: Array
    is_stray: NDArray[np.bool_]


def _bench(
    counts: Sequence[PointSourceCount],
    tip_above_water_mm: float,
    background_cps: float,
    background_sigma_cps: float,
) -> _Bench:
    points, heights = [], []
    for each in counts:
        angle = np.radians(each.angle_deg)
        above = tip_above_water_mm if each.medium == "water" else 0.0
        side = each.distance_mm * np.sin(angle) + each.lateral_mm
        points.append((side, 0.0, each.distance_mm * np.cos(angle) + above))
        heights.append(above if each.medium == "water" else np.inf)
    net_cps = np.array([(each.counts / each.live_time_s - background_cps) / each.activity_mbq for each in counts])
    by_square = net_cps * np.square(points).sum(axis=1)
    return _Bench(
        points_mm=np.array(points),
        skin=Skin(height_mm=np.array(heights), normal=np.tile([0.0, 0.0, -1.0], (len(points), 1))),
        counts=np.array([each.counts for each in counts], dtype=np.float64),
        live_time_s=np.array([each.live_time_s for each in counts]),
        activity_mbq=np.array([each.activity_mbq for each in counts]),
        background_variance=np.array([(background_sigma_cps * each.live_time_s) ** 2 for each in counts]),
        is_stray=by_square < STRAY_BELOW * by_square.max(),
    )


def _expected(response: Response, bench: _Bench) -> Array:
    size = len(bench.counts)
    ahead = np.tile([0.0, 0.0, 1.0], (size, 1))
    rate = response.rate_and_gradient(bench.points_mm[:, None], np.zeros((size, 3)), ahead, bench.skin)[0][:, 0]
    true_rate = rate * bench.activity_mbq + response.background_cps
    return np.asarray(true_rate / (1 + true_rate * response.dead_time_s) * bench.live_time_s)


def _excess(counts: Array, expected: Array, variance: Array, degrees: float) -> float:
    """Relative standard deviation that brings chi-square down to its degrees of freedom, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        widened = ((counts - expected) ** 2 / (variance + (middle * expected) ** 2)).sum()
        low, high = (middle, high) if widened > degrees else (low, middle)
    return high


def _residuals(bench: _Bench, expected: Array, background: Array) -> Array:
    """Rows of ``Response.residuals``; a count that is hardly above the background keeps its wide error."""
    net = np.maximum(expected - background, 1e-9)
    sigma = np.sqrt(np.maximum(expected, 1.0) + bench.background_variance) / net
    log_ratio = np.log(np.clip(1 + (bench.counts - expected) / net, 0.3, 3.0))
    x, _, z = bench.points_mm.T
    return np.stack(
        (
            np.degrees(np.arctan2(np.abs(x), z)),
            np.linalg.norm(bench.points_mm, axis=1),
            log_ratio,
            np.hypot(sigma, LEAST_MODEL_ERROR),
            np.isinf(bench.skin.height_mm),
        ),
        axis=-1,
    )


def _quality(bench: _Bench, expected: Array, background: Array, free: int) -> FitQuality:
    variance = np.maximum(expected, 1.0) + bench.background_variance
    chi2 = ((bench.counts - expected) ** 2 / variance).sum()
    degrees = max(len(bench.counts) - free, 1)
    relative = bench.counts / np.maximum(expected, 1e-9) - 1
    relative.flags.writeable = False
    strong = np.abs(relative[expected > 1000])
    # outside the field of view: little, but still well above the background's own noise
    is_told = bench.is_stray & (expected - background > 3 * np.sqrt(expected))
    stray = STRAY_ERROR
    if is_told.sum() >= 5:
        stray = _excess(bench.counts[is_told], expected[is_told], variance[is_told], float(is_told.sum()))
    inside = ~bench.is_stray
    model_error = _excess(
        bench.counts[inside], expected[inside], variance[inside], max(float(inside.sum()) - free, 1.0)
    )
    return FitQuality(
        chi2=float(chi2),
        degrees=degrees,
        model_error=max(model_error, LEAST_MODEL_ERROR),
        stray_error=stray,
        greatest_residual=float(strong.max()) if strong.size else 0.0,
        relative_residuals=relative,
    )


def fit_response(
    counts: Sequence[PointSourceCount],
    background_counts: float,
    background_live_s: float,
    dead_time_s: float,
    *,
    probe: str,
    nuclide: str,
    window_kev: tuple[float, float],
    calibrated_at: str,
    attenuation_per_mm: float = 0.01536,
    attenuation_sigma: float = 0.1,
    reference_distance_mm: float = 30.0,
    tip_above_water_mm: float = TIP_ABOVE_WATER_MM,
) -> tuple[Response, FitQuality]:
    """Find the response that explains the counts.

    Parameters
    ----------
    counts
        At least four, at least three of them on axis at different distances in air.
    background_counts, background_live_s
        Counted without a source.
    dead_time_s
        Non-paralysable, as from two sources.
    probe, nuclide, window_kev, calibrated_at
        As in ``Response``.
    attenuation_per_mm, attenuation_sigma
        Of the nuclide's photons in water, from tables (NIST XCOM: 0.01536 per mm at 140.5 keV), and its
        relative standard deviation; counts in water sharpen it.
    reference_distance_mm
        Where the sensitivity is stated.
    tip_above_water_mm
        Height of the tip above the water.

    Raises
    ------
    NavigationError
        Where the counts are too few to determine sensitivity and depth, or no response fits them.

    """
    on_axis = {
        each.distance_mm for each in counts if each.medium == "air" and not (each.lateral_mm or each.angle_deg)
    }
    if len(on_axis) < 3 or len(counts) < 4:
        raise NavigationError("calibration: wants counts on axis in air at three distances at least")
    if background_live_s <= 0:
        raise NavigationError("calibration: wants a background counted for a positive time")
    # no counts at all still leave a background of about one
    background_sigma_cps = max(background_counts, 1.0) ** 0.5 / background_live_s
    background_cps = background_counts / background_live_s
    bench = _bench(counts, tip_above_water_mm, background_cps, background_sigma_cps)
    distance_mm = np.linalg.norm(bench.points_mm, axis=1)
    angle_deg = np.degrees(np.arctan2(bench.points_mm[:, 0], bench.points_mm[:, 2]))
    priors = dict(SHAPE_PRIOR) | {"attenuation_per_mm": (attenuation_per_mm, attenuation_sigma)}
    stated: dict[str, Any] = {
        "probe": probe,
        "nuclide": nuclide,
        "window_kev": window_kev,
        "calibrated_at": calibrated_at,
        "reference_distance_mm": reference_distance_mm,
        "dead_time_s": dead_time_s,
        "background_cps": background_cps,
        "model_error": 0.0,
        "stray_error": 0.0,
        "covariance": np.eye(len(FITTED)),
        "residuals": np.zeros((0, 5)),
        "greatest_distance_mm": float(distance_mm.max()),
        "greatest_angle_deg": float(angle_deg.max()),
    }
    nearest = min((each for each in counts if each.medium == "air"), key=lambda each: abs(each.distance_mm - 30.0))
    net_cps = max(nearest.counts / nearest.live_time_s - background_cps, 1e-3) / nearest.activity_mbq
    priors["sensitivity_cps_per_mbq"] = (
        net_cps * ((nearest.distance_mm + 11) / (reference_distance_mm + 11)) ** 2,
        3.0,
    )
    centre = np.log([priors[name][0] for name in FITTED])
    sigma = np.array([priors[name][1] for name in FITTED])

    def response_at(logs: Array) -> Response:
        return Response(**stated, **dict(zip(FITTED, np.exp(logs).tolist(), strict=True)))

    def residuals(logs: Array, model_error: float) -> Array:
        expected = _expected(response_at(logs), bench)
        poisson = np.maximum(expected, 1.0) + bench.background_variance
        error = np.where(bench.is_stray, max(STRAY_FOLLOWS, model_error), model_error)
        spread = np.sqrt(poisson + (error * expected) ** 2)
        return np.concatenate(((bench.counts - expected) / spread, (logs - centre) / sigma))

    def climb(start: Array, model_error: float) -> Any:
        bounds = (centre - reach, centre + reach)
        return least_squares(residuals, start, args=(model_error,), bounds=bounds, x_scale=sigma, max_nfev=300)

    reach = np.maximum(4 * sigma, 0.5)
    # a hard-edged collimator and a soft one lie in different valleys: both are tried
    soft = centre + np.array([6.0 if name == "penumbra" else 0.0 for name in FITTED])
    tried = [climb(start, 0.05) for start in (centre, soft)]
    logs = min(tried, key=lambda each: each.cost).x
    model_error = 0.05
    for _ in range(3):
        found = climb(logs, model_error)
        logs = np.asarray(found.x, dtype=np.float64)
        jacobian = np.asarray(found.jac, dtype=np.float64)
        covariance = np.linalg.inv(jacobian.T @ jacobian)
        # a parameter that its prior holds spends no degree of freedom
        spent = len(FITTED) - float((np.diag(covariance) / sigma**2).sum())
        expected = _expected(response_at(logs), bench)
        quality = _quality(bench, expected, background_cps * bench.live_time_s, round(spent))
        model_error = quality.model_error
    if not np.isfinite(found.cost) or quality.model_error > 0.5:
        raise NavigationError(
            f"calibration of {probe}: no response fits, counts are off by {quality.greatest_residual:.0%}; "
            "check activity, distances and window, then count again"
        )
    stated |= {
        "model_error": quality.model_error,
        "stray_error": max(quality.stray_error, quality.model_error),
        "covariance": (covariance + covariance.T) / 2,
        "residuals": _residuals(bench, expected, background_cps * bench.live_time_s),
    }
    return response_at(logs), quality

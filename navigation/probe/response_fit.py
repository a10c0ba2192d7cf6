"""Fit a probe's response to counts of a point source on the bench.

All counts are fitted at once by Poisson likelihood, widened by the relative error of the model that the counts
themselves show. What the bench did not determine keeps its prior, and the covariance says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from navigation.errors import NavigationError
from navigation.probe.bench import TIP_ABOVE_WATER_MM, Bench, PointSourceCount, bench_of, expected_counts
from navigation.probe.response import COUNTED, FITTED, Response

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

STRAY_FOLLOWS = 0.3
"""Relative error granted to those counts in the fit: scatter and leak follow a formula no better.

Granted less, a few of them in the shadow's edge would pull at the field of view, and all else would have to give.
"""


LEAST_DEAD_TIME_SIGMA_S = 1e-8
"""Error that a dead time has at least: sources that were touched, an electronics that is not quite of one kind."""


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


def _excess(counts: Array, expected: Array, variance: Array, degrees: float) -> float:
    """Relative standard deviation that brings chi-square down to its degrees of freedom, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        widened = ((counts - expected) ** 2 / (variance + (middle * expected) ** 2)).sum()
        low, high = (middle, high) if widened > degrees else (low, middle)
    return high


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The counts on the bench, and what they were held against."""

    bench: Bench
    background_variance: Array
    is_stray: NDArray[np.bool_]

    def residuals(self, expected: Array, background: Array) -> Array:
        """Rows of ``Response.residuals``; a count that is hardly above the background keeps its wide error."""
        bench = self.bench
        net = np.maximum(expected - background, 1e-9)
        sigma = np.sqrt(np.maximum(expected, 1.0) + self.background_variance) / net
        log_ratio = np.log(np.clip(1 + (bench.counts - expected) / net, 0.3, 3.0))
        return np.stack(
            (
                bench.angle_deg,
                bench.distance_mm,
                log_ratio,
                np.hypot(sigma, LEAST_MODEL_ERROR),
                bench.is_in_air,
            ),
            axis=-1,
        )

    def quality(self, expected: Array, background: Array, free: int) -> FitQuality:
        """Judge what a response with so many free parameters expects."""
        counts = self.bench.counts
        variance = np.maximum(expected, 1.0) + self.background_variance
        chi2 = ((counts - expected) ** 2 / variance).sum()
        degrees = max(len(counts) - free, 1)
        relative = counts / np.maximum(expected, 1e-9) - 1
        relative.flags.writeable = False
        strong = np.abs(relative[expected > 1000])
        # outside the field of view: little, but still well above the background's own noise
        is_told = self.is_stray & (expected - background > 3 * np.sqrt(expected))
        stray = STRAY_ERROR
        if is_told.sum() >= 5:
            stray = _excess(counts[is_told], expected[is_told], variance[is_told], float(is_told.sum()))
        inside = ~self.is_stray
        model_error = _excess(
            counts[inside], expected[inside], variance[inside], max(float(inside.sum()) - free, 1.0)
        )
        return FitQuality(
            chi2=float(chi2),
            degrees=degrees,
            model_error=max(model_error, LEAST_MODEL_ERROR),
            stray_error=stray,
            greatest_residual=float(strong.max()) if strong.size else 0.0,
            relative_residuals=relative,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What is searched: logarithms of ``FITTED``, then ``COUNTED``, where fitted, in units of their own errors.

    Prior means and standard deviations, bounds, and the counts that decide.
    """

    stated: Mapping[str, Any]
    judged: _Judged
    centre: Array
    sigma: Array
    counted_sigma: Array

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Of the search: wide, and nothing counted below zero."""
        reach = np.maximum(4 * self.sigma, 0.5)
        size = len(FITTED)
        low = np.append(self.centre[:size] - reach[:size], np.zeros(len(self.counted_sigma)))
        high = np.append(self.centre[:size] + reach[:size], self.centre[size:] + 10.0)
        return low, high

    def response_at(self, found: Array) -> Response:
        """Give the response of some values."""
        named = dict(zip(FITTED, np.exp(found[: len(FITTED)]).tolist(), strict=True))
        if len(self.counted_sigma):
            named |= dict(zip(COUNTED, (found[len(FITTED) :] * self.counted_sigma).tolist(), strict=True))
        return Response(**{**self.stated, **named})

    def climb(self, start: Array, model_error: float) -> Any:
        """Find the likeliest values near some, with so much error of the model granted."""
        judged = self.judged
        error = np.where(judged.is_stray, max(STRAY_FOLLOWS, model_error), model_error)

        def residuals(at: Array) -> Array:
            expected = expected_counts(self.response_at(at), judged.bench)
            poisson = np.maximum(expected, 1.0) + judged.background_variance
            spread = np.sqrt(poisson + (error * expected) ** 2)
            return np.concatenate(((judged.bench.counts - expected) / spread, (at - self.centre) / self.sigma))

        return least_squares(residuals, start, bounds=self.bounds, x_scale=self.sigma, max_nfev=300)

    def best(self) -> Array:
        """Search both valleys: a hard-edged collimator and a soft one lie in different ones."""
        soft = self.centre.copy()
        soft[FITTED.index("penumbra")] += 6.0
        return np.asarray(min((self.climb(at, 0.05) for at in (self.centre, soft)), key=lambda each: each.cost).x)


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
    dead_time_sigma_s: float | None = None,
) -> tuple[Response, FitQuality]:
    """Find the response that explains the counts.

    Parameters
    ----------
    counts
        At least four, at least three of them on axis at different distances in air.
    background_counts, background_live_s
        Counted without a source.
    dead_time_s
        Non-paralysable, as from two sources; slightly negative where chance made it so.
    probe, nuclide, window_kev, calibrated_at
        As in ``Response``.
    attenuation_per_mm, attenuation_sigma
        Of the nuclide's photons in water, from tables (NIST XCOM: 0.01536 per mm at 140.5 keV), and its
        relative standard deviation; counts in water sharpen it.
    reference_distance_mm
        Where the sensitivity is stated.
    tip_above_water_mm
        Height of the tip above the water.
    dead_time_sigma_s
        Standard error of ``dead_time_s``. With it dead time and background are fitted along with the rest, from
        their own measurements and from all counts, and ``Response.counting_covariance`` holds their errors;
        without it both are taken as given.

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
    is_joint = dead_time_sigma_s is not None
    bench = bench_of(counts, tip_above_water_mm=tip_above_water_mm)
    net_cps_per_mbq = (bench.counts / bench.live_time_s - background_cps) / bench.activity_mbq
    judged = _Judged(
        bench=bench,
        # a background that is fitted has its error in the parameters, else it is one more error of each count
        background_variance=np.zeros(len(counts)) if is_joint else (background_sigma_cps * bench.live_time_s) ** 2,
        is_stray=bench.is_stray(net_cps_per_mbq),
    )
    priors = dict(SHAPE_PRIOR) | {"attenuation_per_mm": (attenuation_per_mm, attenuation_sigma)}
    stated: dict[str, Any] = {
        "probe": probe,
        "nuclide": nuclide,
        "window_kev": window_kev,
        "calibrated_at": calibrated_at,
        "reference_distance_mm": reference_distance_mm,
        "dead_time_s": max(dead_time_s, 0.0) if is_joint else dead_time_s,
        "background_cps": background_cps,
        "model_error": 0.0,
        "stray_error": 0.0,
        "covariance": np.eye(len(FITTED)),
        "residuals": np.zeros((0, 5)),
        "greatest_distance_mm": float(bench.distance_mm.max()),
        "greatest_angle_deg": float(bench.angle_deg.max()),
    }
    nearest = min((each for each in counts if each.medium == "air"), key=lambda each: abs(each.distance_mm - 30.0))
    net_cps = max(nearest.counts / nearest.live_time_s - background_cps, 1e-3) / nearest.activity_mbq
    priors["sensitivity_cps_per_mbq"] = (
        net_cps * ((nearest.distance_mm + 11) / (reference_distance_mm + 11)) ** 2,
        3.0,
    )
    counted_sigma = np.zeros(0)
    if dead_time_sigma_s is not None:
        counted_sigma = np.array([max(dead_time_sigma_s, LEAST_DEAD_TIME_SIGMA_S), background_sigma_cps])
    counted = [stated[name] for name in COUNTED[: len(counted_sigma)]]
    search = _Search(
        stated=stated,
        judged=judged,
        centre=np.append(np.log([priors[name][0] for name in FITTED]), counted / counted_sigma),
        sigma=np.append([priors[name][1] for name in FITTED], np.ones(len(counted_sigma))),
        counted_sigma=counted_sigma,
    )
    fitted, model_error = search.best(), 0.05
    for _ in range(3):
        found = search.climb(fitted, model_error)
        fitted = np.asarray(found.x, dtype=np.float64)
        jacobian = np.asarray(found.jac, dtype=np.float64)
        covariance = np.linalg.inv(jacobian.T @ jacobian)
        # a parameter that its prior holds spends no degree of freedom
        spent = len(fitted) - float((np.diag(covariance) / search.sigma**2).sum())
        response = search.response_at(fitted)
        expected, background = expected_counts(response, bench), response.background_cps * bench.live_time_s
        quality = judged.quality(expected, background, round(spent))
        model_error = quality.model_error
    if not np.isfinite(found.cost) or quality.model_error > 0.5:
        raise NavigationError(
            f"calibration of {probe}: no response fits, counts are off by {quality.greatest_residual:.0%}; "
            "check activity, distances and window, then count again"
        )
    covariance = (covariance + covariance.T) / 2
    units = np.append(np.ones(len(FITTED)), counted_sigma)
    counting = (covariance * np.outer(units, units))[len(FITTED) :]
    return replace(
        response,
        model_error=quality.model_error,
        stray_error=max(quality.stray_error, quality.model_error),
        covariance=covariance[: len(FITTED), : len(FITTED)],
        residuals=judged.residuals(expected, background),
        counting_covariance=counting if len(counting) else None,
    ), quality

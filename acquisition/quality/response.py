"""The morning's outcome for navigation: one response fitted to all counts of the point source."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import sqrt

import numpy as np

from acquisition.quality.angular import AngularResponse
from acquisition.quality.counts import Count
from acquisition.quality.detectable import SHOWN_S, detectable, detects_in_shown_cps
from acquisition.quality.morning import Morning
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.sensitivity import Sensitivity
from acquisition.quality.settings import MorningSettings
from acquisition.quality.steps import Known
from navigation.errors import NavigationError
from navigation.probe.bench import PointSourceCount
from navigation.probe.prediction import predict
from navigation.probe.response import COUNTED, FITTED, Response
from navigation.probe.response_fit import fit_response
from navigation.statistics.counting import chance_of

NAME = "response"
SHAPE = "shape"
ATTENUATION_SIGMA = 0.1
"""Relative error of narrow-beam attenuation for what a window sees in tissue, as no count here is in water."""

LEAST_CHANCE = 0.001
"""Below this probability, scatter is not put down to chance; weak counts alone can widen the model's error."""


def fit_morning(
    *, probe: str, settings: MorningSettings, morning: Morning, calibrated_at: datetime
) -> tuple[StepResult, Response | None]:
    """Fit the response, and judge how well it explains the counts.

    Parameters
    ----------
    probe
        Its name in the site file.
    settings, morning
        What was asked and what was counted; a morning that did not pass is not fitted.
    calibrated_at
        Stated in the response.

    """
    limit = f"model error at most {settings.response.greatest_model_error:.0%}"
    if failed := [result.name for result in morning.results if not result.passed]:
        return failure(NAME, limit, f"not fitted, since {', '.join(failed)} did not pass"), None
    source, known = settings.point_source, morning.known
    line = known.nuclides[source.nuclide].main_line
    try:
        background = known.counted_background
        response, quality = fit_response(
            _points(settings, morning.counts, known),
            background.counts,
            background.live_time_s,
            background.dead_time_s,
            probe=probe,
            nuclide=source.nuclide,
            window_kev=source.window_kev,
            calibrated_at=calibrated_at.isoformat(),
            attenuation_per_mm=line.water_attenuation_per_mm,
            attenuation_sigma=ATTENUATION_SIGMA,
            reference_distance_mm=settings.sensitivity.reference_distance_mm,
        )
    except NavigationError as exc:
        return failure(NAME, limit, str(exc)), None
    sigma = _relative_error(response, "sensitivity_cps_per_mbq") * response.sensitivity_cps_per_mbq
    figures = (
        Figure(name="sensitivity", value=response.sensitivity_cps_per_mbq, unit="cps/MBq", sigma=sigma),
        Figure(name="model error", value=100 * quality.model_error, unit="%"),
        Figure(name="chi2 per degree", value=quality.chi2 / quality.degrees, unit=""),
        detects(response),
    )
    is_chance = chance_of(quality.chi2, quality.degrees) > LEAST_CHANCE
    if quality.model_error > settings.response.greatest_model_error and not is_chance:
        reason = (
            f"no response explains the counts better than {quality.model_error:.0%}: a source stood elsewhere, or "
            "the activity is wrong"
        )
        return failure(NAME, limit, reason, *figures), None
    reason = f"explains all counts, with a model error of {quality.model_error:.1%}"
    return StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason=reason), response


def detects(response: Response) -> Figure:
    """Tell what activity a calibrated probe finds over its background."""
    limit_cps = detects_in_shown_cps(response.background_cps)
    return detectable(response, limit_cps, during=f"{SHOWN_S:g} s")


def renew(full: Response, today: Response, background: Count) -> Response:
    """Bring a full calibration up to date: its shape and attenuation stay, which no morning measures as well.

    Sensitivity, background, dead time and date become today's, with today's errors of sensitivity and background,
    which no error of the full calibration's goes along with any more. The dead time, given today, keeps its error.
    """
    at, size = FITTED.index("sensitivity_cps_per_mbq"), len(FITTED)
    covariance = full.covariance.copy()
    covariance[at, :] = covariance[:, at] = 0.0
    covariance[at, at] = today.covariance[at, at]
    counting = None
    if full.counting_covariance is not None:
        counting = np.zeros_like(full.counting_covariance)
        dead_time, rate = COUNTED.index("dead_time_s"), COUNTED.index("background_cps")
        counting[dead_time, size + dead_time] = full.counting_covariance[dead_time, size + dead_time]
        # no counts at all still leave a background of about one
        counting[rate, size + rate] = max(background.counts, 1) / background.live_time_s**2
    return replace(
        full,
        sensitivity_cps_per_mbq=today.sensitivity_cps_per_mbq,
        background_cps=today.background_cps,
        dead_time_s=today.dead_time_s,
        calibrated_at=today.calibrated_at,
        covariance=covariance,
        counting_covariance=counting,
    )


def judge_shape(renewed: Response, settings: MorningSettings, morning: Morning) -> StepResult:
    """Judge whether a renewed calibration foretells the morning's own counts of the point source.

    It does not where the collimator is another, or has come loose, since the full calibration.
    """
    limits = settings.response
    limit = f"within {limits.shape_sigmas:g} of their errors, {limits.shape_granted:.0%} granted beyond"
    points = _points(settings, morning.counts, morning.known)
    foretold = predict(renewed, points)
    off = foretold.off_by([each.counts for each in points], granted=limits.shape_granted)
    worst = int(off.argmax())
    figures = (Figure(name="farthest off", value=float(off[worst]), unit="errors"),)
    at = points[worst]
    told = f"{at.counts:.0f} counts at {at.distance_mm:g} mm, {at.angle_deg:g}° where it foretells"
    told += f" {foretold.counts[worst]:.0f}"
    if off[worst] > limits.shape_sigmas:
        reason = f"its shape is not that of the full calibration ({told}): calibrate anew"
        return failure(SHAPE, limit, reason, *figures)
    reason = f"the full calibration's still, within {off[worst]:.1f} errors ({told})"
    return StepResult(name=SHAPE, passed=True, figures=figures, limit=limit, reason=reason)


def _relative_error(response: Response, name: str) -> float:
    index = FITTED.index(name)
    return sqrt(response.covariance[index, index])


def _points(
    settings: MorningSettings, counts: Mapping[str, Sequence[Count]], known: Known
) -> list[PointSourceCount]:
    nuclide = settings.point_source.nuclide
    sensitivity = Sensitivity(limits=settings.sensitivity, source=settings.point_source)
    angular = AngularResponse(limits=settings.angular, source=settings.point_source)
    places = {
        sensitivity.name: [(distance_mm, 0.0) for distance_mm in settings.sensitivity.distances_mm],
        angular.name: [(settings.angular.distance_mm, angle_deg) for angle_deg in settings.angular.angles_deg],
    }
    points = []
    for name, at in places.items():
        points += [
            PointSourceCount(
                medium="air",
                distance_mm=distance_mm,
                lateral_mm=0.0,
                angle_deg=angle_deg,
                activity_mbq=known.activity_mbq(nuclide, count.middle_at),
                live_time_s=count.live_time_s,
                counts=count.counts,
            )
            for (distance_mm, angle_deg), count in zip(at, counts[name], strict=True)
        ]
    return points

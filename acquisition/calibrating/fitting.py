"""The response that a full calibration gives, and whether it foretells counts that were held back from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from math import sqrt

import numpy as np

from acquisition.calibrating.plan import CalibrationPlan
from acquisition.calibrating.settings import CalibrationSettings, HeldBackLimits
from acquisition.quality.morning import Morning
from acquisition.quality.response import ATTENUATION_SIGMA, LEAST_CHANCE, NAME, detects
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import MorningSettings
from navigation.errors import NavigationError
from navigation.probe.bench import PointSourceCount
from navigation.probe.prediction import hold_back
from navigation.probe.response import COUNTED, FITTED, Response
from navigation.probe.response_fit import FitQuality, fit_response
from navigation.statistics.counting import chance_of

HELD_BACK = "held-back counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Verdicts of the fit; response and the counts it was fitted to, where it passed."""

    results: tuple[StepResult, ...]
    response: Response | None = None
    counts: tuple[PointSourceCount, ...] = ()


def fit_calibration(
    *,
    probe: str,
    morning: MorningSettings,
    settings: CalibrationSettings,
    plan: CalibrationPlan,
    measured: Morning,
    calibrated_at: datetime,
) -> Fitted:
    """Fit all counts of the point source at once, then each part of them by the rest.

    Parameters
    ----------
    probe
        Its name in the site file.
    morning, settings, plan
        What was asked.
    measured
        What was counted; what did not pass is not fitted.
    calibrated_at
        Stated in the response.

    """
    limit = f"model error at most {morning.response.greatest_model_error:.0%}"
    if failed := [result.name for result in measured.results if not result.passed]:
        return Fitted(results=(failure(NAME, limit, f"not fitted, since {', '.join(failed)} did not pass"),))
    source, known = morning.point_source, measured.known
    line = known.nuclides[source.nuclide].main_line
    try:
        dead_time = plan.dead_time.measure(measured.counts[plan.dead_time.name], known)
        background = known.counted_background
        counts = plan.points(measured.counts, known, source.nuclide)
        fit = partial(
            fit_response,
            background_counts=background.counts,
            background_live_s=background.live_time_s,
            dead_time_s=dead_time.dead_time_s,
            dead_time_sigma_s=dead_time.sigma_s,
            probe=probe,
            nuclide=source.nuclide,
            window_kev=source.window_kev,
            calibrated_at=calibrated_at.isoformat(),
            attenuation_per_mm=line.water_attenuation_per_mm,
            attenuation_sigma=ATTENUATION_SIGMA,
            reference_distance_mm=morning.sensitivity.reference_distance_mm,
        )
        response, quality = fit(counts)
        result = _judge_fit(response, quality, limit, morning.response.greatest_model_error)
        if not result.passed:
            return Fitted(results=(result,))
        held = judge_held_back(counts, lambda kept: fit(kept)[0], settings.held_back)
    except NavigationError as exc:
        return Fitted(results=(failure(NAME, limit, str(exc)),))
    if not held.passed:
        return Fitted(results=(result, held))
    return Fitted(results=(result, held), response=response, counts=tuple(counts))


def _judge_fit(response: Response, quality: FitQuality, limit: str, greatest: float) -> StepResult:
    errors = dict(zip(FITTED, np.sqrt(np.diag(response.covariance)).tolist(), strict=True))
    if response.counting_covariance is not None:
        own = response.counting_covariance[:, len(FITTED) :]
        errors |= dict(zip(COUNTED, np.sqrt(np.diag(own)).tolist(), strict=True))
    depth_sigma = _depth_sigma(response)
    figures = (
        _figure("sensitivity", response.sensitivity_cps_per_mbq, errors["sensitivity_cps_per_mbq"], "cps/MBq"),
        Figure(name="crystal depth", value=response.crystal_depth_mm, unit="mm", sigma=depth_sigma),
        _figure("attenuation", response.attenuation_per_mm, errors["attenuation_per_mm"], "/mm"),
        _figure("leak", 100 * response.leak, errors["leak"], "%"),
        Figure(name="dead time", value=response.dead_time_s * 1e6, unit="µs", sigma=errors["dead_time_s"] * 1e6),
        Figure(name="background", value=response.background_cps, unit="cps", sigma=errors["background_cps"]),
        Figure(name="model error", value=100 * quality.model_error, unit="%"),
        Figure(name="chi2 per degree", value=quality.chi2 / quality.degrees, unit=""),
        detects(response),
    )
    if quality.model_error > greatest and chance_of(quality.chi2, quality.degrees) < LEAST_CHANCE:
        reason = (
            f"no response explains the counts better than {quality.model_error:.0%}: a source stood elsewhere, or "
            "the activity is wrong"
        )
        return failure(NAME, limit, reason, *figures)
    reason = f"explains all counts, with a model error of {quality.model_error:.1%}"
    return StepResult(name=NAME, passed=True, figures=figures, limit=limit, reason=reason)


def _figure(name: str, value: float, log_sigma: float, unit: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, sigma=value * log_sigma)


def _depth_sigma(response: Response) -> float:
    slopes = np.zeros(len(FITTED))
    slopes[FITTED.index("recess_mm")] = response.recess_mm
    slopes[FITTED.index("crystal_thickness_mm")] = response.crystal_thickness_mm / 2
    return sqrt(float(slopes @ response.covariance @ slopes))


def judge_held_back(
    counts: Sequence[PointSourceCount],
    fit: Callable[[Sequence[PointSourceCount]], Response],
    limits: HeldBackLimits,
) -> StepResult:
    """Hold back every n-th count in turn, and judge what the rest foretells of them.

    Raises
    ------
    NavigationError
        Where a part leaves too few counts for a fit.

    """
    limit = f"within {limits.greatest_sigmas:g} of their errors, {limits.granted:.0%} granted beyond"
    worst, worst_off, missed = 0, 0.0, 0
    for part in range(limits.parts):
        held = list(range(part, len(counts), limits.parts))
        foretold = hold_back(counts, held, fit)
        off = foretold.off_by([counts[number].counts for number in held], granted=limits.granted)
        missed += int((off > 2).sum())
        if off.max() > worst_off:
            worst, worst_off = held[int(off.argmax())], float(off.max())
    figures = (
        Figure(name="farthest off", value=worst_off, unit="errors"),
        Figure(name="within two errors", value=100 * (1 - missed / len(counts)), unit="%"),
    )
    at = counts[worst]
    place = f"{at.distance_mm:g} mm, {at.angle_deg:g}°, {at.lateral_mm:g} mm aside in {at.medium}"
    if worst_off > limits.greatest_sigmas:
        reason = f"the count at {place} is not what the others say: the source stood elsewhere; repeat that step"
        return failure(HELD_BACK, limit, reason, *figures)
    reason = f"every count is what the others say, within {worst_off:.1f} errors at {place}"
    return StepResult(name=HELD_BACK, passed=True, figures=figures, limit=limit, reason=reason)

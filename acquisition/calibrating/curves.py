"""What the report of a full calibration draws: counts beside the response, in air, in water, and as they decay."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from acquisition.calibrating.count_rate import CountRateCapability
from acquisition.calibrating.plan import CalibrationPlan
from acquisition.calibrating.water import SensitivityInScatter, SpatialResolution
from acquisition.quality.angular import AngularResponse
from acquisition.quality.curves import LINE_POINTS, Curve, curves_of, net_per_mbq
from acquisition.quality.morning import Morning
from acquisition.quality.sensitivity import Sensitivity
from acquisition.quality.settings import MorningSettings
from acquisition.quality.steps import MissingStep
from navigation.decay import decay_factor
from navigation.errors import NavigationError
from navigation.probe.bench import PointSourceCount, bench_of
from navigation.probe.response import Response

SECONDS_IN_HOUR = 3600.0


def curves_of_calibration(
    settings: MorningSettings, plan: CalibrationPlan, measured: Morning, response: Response | None
) -> tuple[Curve, ...]:
    """Draw what a calibration counted, as far as it came, beside the response where one was fitted.

    Parameters
    ----------
    settings
        Of the morning: sources, and what the plan does not change.
    plan, measured
        What was asked and what was counted.
    response
        What was fitted; None: points are drawn without a line.

    """
    nuclide = settings.point_source.nuclide
    curves: list[Curve] = []
    for step in plan.steps:
        if isinstance(step, Sensitivity):
            settings = settings.model_copy(update={"sensitivity": step.limits})
        elif isinstance(step, AngularResponse):
            settings = settings.model_copy(update={"angular": step.limits})
        elif isinstance(step, SensitivityInScatter):
            depths_mm = step.limits.depths_mm
            points = net_per_mbq(measured, nuclide, step.name, depths_mm)
            line = _in_water(response, depths_mm)
            curves.append(
                _curve("Rate on the axis against depth, in water", "depth under the tip, mm", points, line)
            )
        elif isinstance(step, SpatialResolution):
            points = net_per_mbq(measured, nuclide, step.name, step.offsets_mm)
            line = _in_water(response, step.offsets_mm, aside_at_mm=step.depth_mm)
            title = f"Rate aside of the axis, {step.depth_mm:g} mm deep in water"
            curves.append(_curve(title, "offset from the axis, mm", points, line))
        elif isinstance(step, CountRateCapability):
            curves.append(_decay(measured, step, nuclide))
    drawn = (*curves_of(settings, measured, response), *curves)
    return tuple(curve for curve in drawn if curve.points)


def _curve(
    title: str, x: str, points: tuple[tuple[float, float, float], ...], line: tuple[tuple[float, float], ...]
) -> Curve:
    return Curve(title=title, x=x, y="cps/MBq", is_log=True, points=points, line=line)


def _in_water(
    response: Response | None, at_mm: Sequence[float], *, aside_at_mm: float | None = None
) -> tuple[tuple[float, float], ...]:
    """Give what the response expects of 1 MBq in water, before dead time, between the ends of ``at_mm``.

    Those are depths on the axis, or, at the depth ``aside_at_mm``, offsets from it.
    """
    if response is None:
        return ()
    along_mm = np.linspace(min(at_mm), max(at_mm), LINE_POINTS).tolist()
    places = [
        PointSourceCount(
            medium="water",
            distance_mm=each if aside_at_mm is None else aside_at_mm,
            lateral_mm=0.0 if aside_at_mm is None else each,
            angle_deg=0.0,
            activity_mbq=1.0,
            live_time_s=1.0,
            counts=0.0,
        )
        for each in along_mm
    ]
    return tuple(zip(along_mm, bench_of(places).true_rate_cps(response).tolist(), strict=True))


def _decay(measured: Morning, step: CountRateCapability, nuclide: str) -> Curve:
    """Draw the strong source's counts of real time as it decays, beside what the fitted dead time leaves of it."""
    counts, known = measured.counts.get(step.name, ()), measured.known
    elapsed_s = [(count.middle_at - counts[0].started_at).total_seconds() for count in counts]
    points = tuple(
        (
            after_s / SECONDS_IN_HOUR,
            count.counts / count.real_time_s,
            max(count.counts, 1) ** 0.5 / count.real_time_s,
        )
        for after_s, count in zip(elapsed_s, counts, strict=True)
    )
    line: tuple[tuple[float, float], ...] = ()
    with suppress(NavigationError, MissingStep, IndexError):
        found, background_cps = step.measure(counts, known), known.counted_background.rate.rate_cps
        half_life_s = known.nuclides[nuclide].half_life_s
        line = tuple(
            (
                after_s / SECONDS_IN_HOUR,
                found.model.counted_cps(
                    found.start_cps * decay_factor(half_life_s=half_life_s, elapsed_s=after_s) + background_cps
                ),
            )
            for after_s in np.linspace(elapsed_s[0], elapsed_s[-1], LINE_POINTS).tolist()
        )
    return Curve(
        title="Rate of a source that decays, and what the fitted dead time leaves of it",
        x="time, hours",
        y="cps counted",
        is_log=True,
        points=points,
        line=line,
    )

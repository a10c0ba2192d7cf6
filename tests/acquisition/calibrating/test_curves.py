"""What the report of a calibration draws: counts where they were taken, the response as a line."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from acquisition.calibrating.curves import curves_of_calibration
from acquisition.calibrating.plan import CalibrationPlan, plan_of, point_of
from acquisition.calibrating.settings import CalibrationSettings
from acquisition.quality.counts import Count
from acquisition.quality.curves import Curve, curves_in
from acquisition.quality.morning import Morning
from acquisition.quality.plot import draw_curve
from acquisition.quality.settings import CheckSource, MorningSettings, SensitivityLimits
from acquisition.quality.steps import Assay, Known
from config.nuclides import load_nuclides
from navigation.probe.bench import bench_of
from navigation.probe.response import Response
from tests.navigation.probe.test_prediction import transported

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = MorningSettings(
    check_source=CheckSource(reference_at=NOON, reference_cps=1000.0),
    sensitivity=SensitivityLimits(reference_cps_per_mbq=2000.0),
)
PLAN = plan_of(SETTINGS, CalibrationSettings(), None, with_decay=True)
LIVE_S = 60.0
BACKGROUND_CPS = 5.0
DEAD_TIME_S = 6e-6
START_CPS = 40e3

DISTANCE = "Rate on the axis against distance, in air"
ANGLE = "Rate against angle, 30 mm from the tip"
LEFT = "What the response leaves, in standard errors of the counts"
DEPTH = "Rate on the axis against depth, in water"
ASIDE = "Rate aside of the axis, 30 mm deep in water"
NEAR = "Rate aside of the axis, 15 mm deep in water"
DECAY = "Rate of a source that decays, and what the fitted dead time leaves of it"


def count(rate_cps: float, after_s: float = 0.0) -> Count:
    """Count a rate for a minute."""
    return Count(
        counts=round(rate_cps * LIVE_S),
        live_time_s=LIVE_S,
        real_time_s=LIVE_S,
        dead_time_s=0.0,
        started_at=NOON + timedelta(seconds=after_s - LIVE_S / 2),
    )


def counted(plan: CalibrationPlan, response: Response) -> Morning:
    """Count 1 MBq at each place as a response has it, and a night of a strong source."""
    counts: dict[str, tuple[Count, ...]] = {}
    for step in plan.fitted:
        placements = chain.from_iterable([exposure.placement] * exposure.times for exposure in step.exposures)
        places = [point_of(placement, count(1.0), 1.0) for placement in placements]
        rates = bench_of(places).true_rate_cps(response)
        counts[step.name] = tuple(count(BACKGROUND_CPS + float(rate)) for rate in rates)
    half_life_s = load_nuclides()["Tc-99m"].half_life_s
    hours = np.linspace(0.0, 18.0, 10)
    true = [START_CPS * 2 ** -(3600 * float(hour) / half_life_s) + BACKGROUND_CPS for hour in hours]
    counts["count rate"] = tuple(
        count(rate / (1 + rate * DEAD_TIME_S), 3600 * float(hour)) for hour, rate in zip(hours, true, strict=True)
    )
    return Morning(
        identity="gamma 1",
        results=(),
        counts=counts,
        known=Known(
            nuclides=load_nuclides(),
            background=count(BACKGROUND_CPS),
            assay=Assay(activity_mbq=1.0, measured_at=NOON),
        ),
    )


@pytest.fixture
def response(samples: Path) -> Response:
    """Fit what photon transport gives on the bench."""
    counts, fit = transported(samples)
    return fit(counts)


def by_title(curves: tuple[Curve, ...]) -> dict[str, Curve]:
    """Find curves by what they show."""
    return {curve.title: curve for curve in curves}


def test_each_curve_lies_on_the_counts_that_it_explains(response: Response) -> None:
    """In air, in water, aside and as a source decays: the line passes each point within its error and 2 %."""
    curves = by_title(curves_of_calibration(SETTINGS, PLAN, counted(PLAN, response), response))
    assert list(curves) == [DISTANCE, ANGLE, LEFT, DEPTH, ASIDE, NEAR, DECAY]
    wanted = {DISTANCE: 7, ANGLE: 14, DEPTH: 5, ASIDE: 7, NEAR: 7, DECAY: 10}
    for title, points in wanted.items():
        curve = curves[title]
        assert len(curve.points) == points, title
        x, y, sigma = np.array(curve.points).T
        along, line = np.array(curve.line).T
        at = np.exp(np.interp(x, along, np.log(line)))
        assert np.all(np.abs(y - at) < 2 * sigma + 0.02 * at), title
        assert along[0] == pytest.approx(x[0], abs=1e-6)
        assert along[-1] == pytest.approx(x[-1])
    assert [point[0] for point in curves[DEPTH].points] == [8.0, 15.0, 20.0, 30.0, 50.0]
    assert curves[LEFT].level == 0
    assert len(curves[LEFT].points) == len(response.residuals)


def test_counts_are_drawn_without_a_line_where_nothing_was_fitted(response: Response) -> None:
    """A calibration that failed shows what was counted; the decay is fitted by itself."""
    curves = by_title(curves_of_calibration(SETTINGS, PLAN, counted(PLAN, response), None))
    assert list(curves) == [DISTANCE, ANGLE, DEPTH, ASIDE, NEAR, DECAY]
    assert all(curve.points and not curve.line for title, curve in curves.items() if title != DECAY)
    assert curves[DECAY].line


def test_what_was_not_counted_is_not_drawn(response: Response) -> None:
    """One that ended early draws what it had: nothing, or the night without the fit that it lacks counts for."""
    whole = counted(PLAN, response)
    nothing = Morning(identity="", results=(), counts={}, known=Known(nuclides=load_nuclides()))
    assert curves_of_calibration(SETTINGS, PLAN, nothing, None) == ()
    short = Morning(
        identity="", results=(), counts={"count rate": whole.counts["count rate"][:3]}, known=whole.known
    )
    (decay,) = curves_of_calibration(SETTINGS, PLAN, short, None)
    assert (len(decay.points), decay.line) == (3, ())


def test_a_record_keeps_what_is_drawn(response: Response) -> None:
    """Told as plain JSON and read back, each is the same, and each can be drawn."""
    curves = curves_of_calibration(SETTINGS, PLAN, counted(PLAN, response), response)
    again = curves_in({"curves": [curve.to_dict() for curve in curves]})
    assert again == curves
    for curve in again:
        assert curve.x in draw_curve(curve).decode()

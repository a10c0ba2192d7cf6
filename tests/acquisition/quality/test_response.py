"""The fit at the end of a morning: it explains good counts and refuses those that no probe makes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from acquisition.quality.counts import Count
from acquisition.quality.morning import Morning
from acquisition.quality.response import fit_morning, judge_shape, renew
from acquisition.quality.results import StepResult, failure
from acquisition.quality.settings import CheckSource, MorningSettings, SensitivityLimits
from acquisition.quality.steps import Assay, Known
from config.nuclides import load_nuclides
from navigation.probe.response import Response
from simulators.probe_physics import ProbePhysics

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTINGS = MorningSettings(
    check_source=CheckSource(reference_at=NOON, reference_cps=1000.0),
    sensitivity=SensitivityLimits(reference_cps_per_mbq=2000.0),
)


def ahead(distance_mm: float, angle_deg: float) -> float:
    """Give 1 MBq's rate before a collimated crystal, 2,000 cps at 30 mm."""
    angle_rad = np.deg2rad(angle_deg)
    position_mm = distance_mm * np.array([[np.sin(angle_rad), 0.0, np.cos(angle_rad)]])
    return ProbePhysics(background_cps=0.0).rate_cps(position_mm, np.ones(1), np.zeros(1))


def jumping(distance_mm: float, angle_deg: float) -> float:
    """Give a rate that no collimator makes: up and down with the angle."""
    return ahead(distance_mm, 0.0) * (1.0 if angle_deg % 20 == 0 else 0.2)


def morning(rate_cps: Callable[[float, float], float] = ahead) -> Morning:
    """Count every place of the bench for 20 s over 5 cps."""
    rng = np.random.default_rng(7)

    def count(distance_mm: float, angle_deg: float) -> Count:
        counts = int(rng.poisson(20 * (5 + rate_cps(distance_mm, angle_deg))))
        return Count(counts=counts, live_time_s=20, real_time_s=20, dead_time_s=0, started_at=NOON)

    return Morning(
        identity="",
        results=(StepResult(name="background", passed=True, figures=(), limit="", reason=""),),
        counts={
            "sensitivity": tuple(count(distance_mm, 0.0) for distance_mm in (10.0, 30.0, 50.0, 100.0)),
            "angular response": tuple(count(30.0, float(angle_deg)) for angle_deg in range(0, 61, 10)),
        },
        known=Known(
            nuclides=load_nuclides(),
            background=Count(counts=300, live_time_s=60, real_time_s=60, dead_time_s=0, started_at=NOON),
            assay=Assay(activity_mbq=1.0, measured_at=NOON),
        ),
    )


def fit(counted: Morning) -> tuple[StepResult, Response | None]:
    """Fit it."""
    return fit_morning(probe="gamma", settings=SETTINGS, morning=counted, calibrated_at=NOON)


def test_good_counts_give_a_response() -> None:
    """Sensitivity, background and date are what was measured."""
    result, response = fit(morning())
    assert response is not None, result.reason
    assert result.passed
    assert abs(response.sensitivity_cps_per_mbq - 2000) < 100
    assert response.background_cps == 5.0
    assert response.calibrated_at == NOON.isoformat()
    assert response.window_kev == SETTINGS.point_source.window_kev


def of_aperture(radius_mm: float) -> Callable[[float, float], float]:
    """Give the rate behind a collimator whose opening has a radius."""
    physics = ProbePhysics(background_cps=0.0, aperture_radius_mm=radius_mm)

    def rate_cps(distance_mm: float, angle_deg: float) -> float:
        angle_rad = np.deg2rad(angle_deg)
        position_mm = distance_mm * np.array([[np.sin(angle_rad), 0.0, np.cos(angle_rad)]])
        return physics.rate_cps(position_mm, np.ones(1), np.zeros(1))

    return rate_cps


def test_another_collimator_than_the_full_calibrations_is_found() -> None:
    """Its full width of 33 degrees passes every step beside the full one's 42; its shape does not."""
    _, full = fit(morning())
    assert full is not None
    for counted, is_same in (
        (morning(), True),
        (morning(of_aperture(4.2)), False),
        (morning(of_aperture(6.2)), False),
    ):
        result, today = fit(counted)
        assert result.passed
        assert today is not None
        shape = judge_shape(renew(full, today, counted.known.counted_background), SETTINGS, counted)
        assert shape.passed == is_same, shape.reason
        assert ("calibrate anew" in shape.reason) != is_same


def test_counts_that_no_probe_makes_are_refused() -> None:
    """A rate that jumps up and down with the angle fits no response."""
    result, response = fit(morning(jumping))
    assert response is None
    assert not result.passed


def test_a_morning_that_did_not_pass_is_not_fitted() -> None:
    """The step that failed is named."""
    counted = replace(morning(), results=(failure("chi-square", "", ""),))
    result, response = fit(counted)
    assert response is None
    assert "chi-square did not pass" in result.reason

"""Each step of the full calibration on good counts and on bad ones, without a probe."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp

import numpy as np
import pytest
from pydantic import ValidationError

from acquisition.calibrating.count_rate import CountRateCapability
from acquisition.calibrating.plan import plan_of, point_of
from acquisition.calibrating.settings import (
    CalibrationSettings,
    CountRateLimits,
    ResolutionLimits,
    ScatterLimits,
    ShieldLimits,
)
from acquisition.calibrating.water import SensitivityInScatter, SpatialResolution, in_water
from acquisition.quality.counts import Count
from acquisition.quality.placements import Medium, Source, around_tip
from acquisition.quality.results import StepResult
from acquisition.quality.settings import CheckSource, MorningSettings, PointSource, SensitivityLimits
from acquisition.quality.steps import Assay, Known, Step, judge
from config.nuclides import load_nuclides
from devices.probes.extending import take_off
from devices.readings import CountReading

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCE = PointSource()
NUCLIDES = load_nuclides()
MORNING = MorningSettings(
    check_source=CheckSource(reference_at=NOON, reference_cps=1000.0),
    sensitivity=SensitivityLimits(reference_cps_per_mbq=2000.0),
)
TABLE_PER_MM = 0.0154


def count(rate_cps: float, *, live_s: float = 60.0, after_s: float = 0.0, dead_time_s: float = 0.0) -> Count:
    """Build the count that an average instrument would make of a rate."""
    return Count(
        counts=round(rate_cps * live_s),
        live_time_s=live_s,
        real_time_s=live_s,
        dead_time_s=dead_time_s,
        started_at=NOON + timedelta(seconds=after_s),
    )


def verdict(step: Step, rates_cps: Sequence[float], *, live_s: float = 60.0) -> StepResult:
    """Judge net rates of 1 MBq over 5 cps."""
    known = Known(
        nuclides=NUCLIDES,
        background=count(5.0, live_s=300.0),
        assay=Assay(activity_mbq=1.0, measured_at=NOON),
    )
    return judge(step, [count(5.0 + rate, live_s=live_s) for rate in rates_cps], known)


SCATTER = SensitivityInScatter(limits=ScatterLimits(), source=SOURCE, counts=20_000, longest_s=60.0)


def through_water(per_mm: float) -> list[float]:
    """Give the rates at the depths, and at the last one in air."""
    depths = np.array(ScatterLimits().depths_mm)
    air = 2000 * (50 / (depths + 20)) ** 2
    return [*(air * np.exp(-per_mm * depths)).tolist(), float(air[-1])]


def test_sensitivity_in_scatter_tells_the_effective_attenuation() -> None:
    """What 50 mm of water take is found in rate and per mm, beside the table's narrow beam."""
    result = verdict(SCATTER, through_water(0.012))
    assert result.passed, result.reason
    figures = {figure.name: figure for figure in result.figures}
    assert figures["attenuation"].value == pytest.approx(0.012, rel=0.02)
    assert figures["of narrow beam"].value == pytest.approx(100 * 0.012 / TABLE_PER_MM, rel=0.03)
    assert f"leave {exp(-0.6):.0%}" in result.reason


@pytest.mark.parametrize(
    ("rates_cps", "words"),
    [
        (through_water(0.0), "tank is not full"),
        (through_water(0.03), "deeper or aside"),
        ([0.0] * 6, "source is missing"),
    ],
)
def test_sensitivity_in_scatter_names_what_is_wrong(rates_cps: list[float], words: str) -> None:
    """No water, a source that lies deeper, none at all: each fails for its own reason."""
    result = verdict(SCATTER, rates_cps)
    assert not result.passed
    assert words in result.reason


def test_an_empty_tank_does_not_pass_by_chance_however_short_the_counts() -> None:
    """Counts that are too few to tell it are said to be that, of a full tank too, and enough of them pass."""
    rng = np.random.default_rng(1)
    for live_s in (0.5, 1.0, 2.0, 5.0):
        for _ in range(200):
            drawn = [float(rng.poisson(live_s * rate)) / live_s for rate in through_water(0.0)]
            assert not verdict(SCATTER, drawn, live_s=live_s).passed
    full = through_water(0.0153)
    assert "too few counts to tell a full tank from an empty one" in verdict(SCATTER, full, live_s=2.0).reason
    assert verdict(SCATTER, full, live_s=10.0).passed


RESOLUTION = SpatialResolution(
    limits=ResolutionLimits(), source=SOURCE, depth_mm=30.0, counts=20_000, longest_s=60.0
)


def aside(fwhm_mm: float, floor: float = 1e-3) -> list[float]:
    """Give the rates of a Gaussian profile at the offsets."""
    return [1000 * max(2 ** -((2 * offset / fwhm_mm) ** 2), floor) for offset in RESOLUTION.offsets_mm]


def test_spatial_resolution_is_told_at_a_half_and_a_tenth() -> None:
    """A Gaussian of 24 mm has 43.7 mm at a tenth: FWTM is 1.82 FWHM."""
    result = verdict(RESOLUTION, aside(24.0))
    assert result.passed, result.reason
    half, tenth = result.figures
    assert half.value == pytest.approx(24.0, rel=0.06)
    assert tenth.value == pytest.approx(24.0 * (np.log(10) / np.log(2)) ** 0.5, rel=0.08)


@pytest.mark.parametrize(
    ("rates_cps", "words"),
    [
        (aside(50.0), "another one"),
        (aside(3.0), "another one"),
        (aside(24.0, floor=0.15), "scatter in the window"),
        ([1000.0] * 7, "another one"),
        ([0.0] * 7, "source is missing"),
    ],
)
def test_spatial_resolution_names_what_is_wrong(rates_cps: list[float], words: str) -> None:
    """Too wide, too narrow, a floor of scatter, no fall at all, no source: each fails in words."""
    result = verdict(RESOLUTION, rates_cps)
    assert not result.passed
    assert words in result.reason


def test_a_width_of_too_few_counts_does_not_pass() -> None:
    """Of some ten counts on the axis the width is anything; enough of them tell it, with its error."""
    result = verdict(RESOLUTION, aside(24.0), live_s=0.012)
    assert not result.passed
    assert "too few counts to tell" in result.reason
    half, _ = verdict(RESOLUTION, aside(24.0)).figures
    assert half.sigma is not None
    assert 0 < half.sigma < 0.5


def night(
    dead_time_s: float,
    *,
    start_cps: float = 40e3,
    half_life_s: float = 6.015 * 3600,
    is_extending: bool = False,
    stated_s: float | None = None,
    stated_extending_s: float = 0.0,
) -> tuple[StepResult, CountRateCapability]:
    """Count a decaying source ten times in eighteen hours, with a dead time that the site file states too."""
    stated_s = dead_time_s if stated_s is None else stated_s
    step = CountRateCapability(limits=CountRateLimits(), source=SOURCE)
    rng, counts = np.random.default_rng(4), []
    for elapsed_s in np.linspace(0, 18 * 3600, 10):
        true_cps = start_cps * 2 ** -((elapsed_s + 15) / half_life_s) + 5
        lost = true_cps * dead_time_s
        counted = rng.poisson(30 * true_cps * (exp(-lost) if is_extending else 1 / (1 + lost)))
        made = count(counted / 30, live_s=30.0, after_s=float(elapsed_s), dead_time_s=stated_s)
        reading = CountReading(
            device="gamma", taken_at_s=0.0, real_time_s=30.0, live_time_s=30.0, counts=made.counts
        )
        counts.append(replace(made, live_time_s=take_off(reading, stated_extending_s).live_time_s))
    known = Known(nuclides=NUCLIDES, background=count(5.0, live_s=300.0))
    return judge(step, counts, known), step


def test_the_count_rate_is_told_by_decay() -> None:
    """5 us lose a fifth at 40,000 cps counted; the counts are asked for two hours apart."""
    result, step = night(5e-6)
    assert result.passed, result.reason
    figures = {figure.name: figure.value for figure in result.figures}
    assert figures["dead time"] == pytest.approx(5.0, rel=0.05)
    assert figures["20% lost"] == pytest.approx(40_000, rel=0.05)
    assert step.exposures[0].wait_s == 0
    assert step.exposures[1].wait_s == pytest.approx(7170)
    assert step.exposures[1].placement == step.exposures[0].placement


@pytest.mark.parametrize(
    ("dead_time_s", "start_cps", "half_life_s", "words"),
    [
        (80e-6, 40e3, 21654.0, "too slow"),
        (5e-6, 5e3, 21654.0, "too weak a source"),
        (5e-6, 40e3, 60_000.0, "another nuclide"),
        (5e-6, 40e3, 1e9, "value is stuck"),
    ],
)
def test_the_count_rate_names_what_is_wrong(
    dead_time_s: float, start_cps: float, half_life_s: float, words: str
) -> None:
    """Slow electronics, a weak source, another half-life, and none at all: each fails for its own reason."""
    result, _ = night(dead_time_s, start_cps=start_cps, half_life_s=half_life_s)
    assert not result.passed
    assert words in result.reason


def test_a_rate_that_is_corrected_for_the_other_kind_is_told_what_to_set() -> None:
    """Extending losses corrected as non-extending, or not at all, fail with key and value; rightly, they pass."""
    for stated_s, off in ((0.0, "-39%"), (10e-6, "-13%")):
        result, _ = night(10e-6, start_cps=50e3, is_extending=True, stated_s=stated_s)
        assert not result.passed
        assert f"leaves the rate {off} off" in result.reason
        assert "set extending_dead_time_s = 1e-05 in the site file" in result.reason
    result, _ = night(10e-6, start_cps=50e3, is_extending=True, stated_s=0.0, stated_extending_s=10e-6)
    assert result.passed, result.reason
    result, _ = night(10e-6, stated_s=0.0)
    assert "set dead_time_s = 9.9e-06 in the site file" in result.reason


def test_each_place_is_told_to_the_fit_as_it_was_asked() -> None:
    """Angle and distance in air, depth and offset in water come from the same placement as the words."""
    air = point_of(around_tip(Source.POINT, "it", 30.0, 60.0), count(10.0), 1.0)
    assert (air.medium, air.lateral_mm) == ("air", 0.0)
    assert air.distance_mm == pytest.approx(30.0)
    assert air.angle_deg == pytest.approx(60.0)
    placement = in_water(SOURCE, 20.0, 15.0)
    assert placement.medium is Medium.WATER
    assert placement.instruction.endswith("20 mm deep in water, 15 mm aside of the axis")
    water = point_of(placement, count(10.0), 2.0)
    assert (water.medium, water.angle_deg, water.activity_mbq) == ("water", 0.0, 2.0)
    assert water.distance_mm == pytest.approx(20.0)
    assert water.lateral_mm == 15.0


def test_the_plan_holds_every_test_and_fits_all_counts_of_the_point_source() -> None:
    """Fourteen steps, the night last and only where it is wanted; five of them make the response."""
    plan = plan_of(MORNING, CalibrationSettings(), None, with_decay=True)
    assert [step.name for step in plan.steps] == [
        "battery",
        "background",
        "light",
        "constancy",
        "chi-square",
        "peak",
        "sensitivity",
        "angular response",
        "shield",
        "sensitivity in scatter",
        "spatial resolution",
        "offsets at 15 mm",
        "dead time",
        "count rate",
    ]
    known = Known(nuclides=NUCLIDES, assay=Assay(activity_mbq=1.0, measured_at=NOON))
    counts = {step.name: [count(10.0)] * sum(exposure.times for exposure in step.exposures) for step in plan.steps}
    assert len(plan.points(counts, known, "Tc-99m")) == 7 + 14 + 6 + 7 + 7
    assert len(plan_of(MORNING, CalibrationSettings(), None, with_decay=False).steps) == 13


@pytest.mark.parametrize(
    ("section", "change"),
    [
        (ScatterLimits, {"depths_mm": (30.0, 10.0, 50.0)}),
        (ScatterLimits, {"least_share": 0.9, "greatest_share": 0.5}),
        (ResolutionLimits, {"offsets_mm": (10.0, 5.0, 20.0)}),
        (ResolutionLimits, {"least_width_mm": 40.0}),
        (CountRateLimits, {"counts": 2}),
        (ShieldLimits, {"greatest_leek": 0.1}),
    ],
)
def test_limits_refuse_what_makes_no_sense(section: type, change: dict[str, object]) -> None:
    """Places out of order, limits the wrong way round, too few counts, a typo: all refused."""
    with pytest.raises(ValidationError):
        section(**change)

"""Each step of the morning on good counts and on bad ones, without a probe."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import sqrt

import numpy as np
import pytest
from pydantic import ValidationError

from acquisition.quality.angular import AngularResponse
from acquisition.quality.background import Background
from acquisition.quality.chi_square import Scatter
from acquisition.quality.constancy import CheckConstancy
from acquisition.quality.counts import Count
from acquisition.quality.dead_time import TwoSources
from acquisition.quality.morning import steps_of
from acquisition.quality.placements import Placement, Source
from acquisition.quality.results import StepResult
from acquisition.quality.sensitivity import Sensitivity
from acquisition.quality.settings import (
    AngularLimits,
    BackgroundLimits,
    CheckSource,
    ChiSquareLimits,
    ConstancyLimits,
    DeadTimeLimits,
    MorningSettings,
    PointSource,
    SensitivityLimits,
)
from acquisition.quality.steps import Assay, Known, Step, judge
from config.nuclides import load_nuclides
from navigation.statistics.counting import counted_rate_cps

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHECK = CheckSource(reference_at=NOON - timedelta(days=271.74), reference_cps=1000.0)
SENSITIVITY = Sensitivity(
    limits=SensitivityLimits(reference_cps_per_mbq=2000.0, reference_distance_mm=30.0), source=PointSource()
)
ANGULAR = AngularResponse(limits=AngularLimits(), source=PointSource())
DEAD_TIME = TwoSources(limits=DeadTimeLimits())


def count(rate_cps: float, *, live_s: float = 20.0, dead_time_s: float = 0.0, at: datetime = NOON) -> Count:
    """Build the count that an average instrument would make of a rate."""
    return Count(
        counts=round(rate_cps * live_s),
        live_time_s=live_s,
        real_time_s=live_s,
        dead_time_s=dead_time_s,
        started_at=at,
    )


def known(*, activity_mbq: float = 1.0, background_cps: float = 5.0) -> Known:
    """Build what the morning knows after its first step and the dose calibrator."""
    return Known(
        nuclides=load_nuclides(),
        background=count(background_cps, live_s=60.0),
        assay=Assay(activity_mbq=activity_mbq, measured_at=NOON),
    )


def verdict(
    step: Step, rates_cps: Sequence[float], *, live_s: float = 20.0, dead_time_s: float = 0.0
) -> StepResult:
    """Judge rates, background included, as a step does."""
    return judge(step, [count(rate, live_s=live_s, dead_time_s=dead_time_s) for rate in rates_cps], known())


def test_background_of_an_empty_bench_passes() -> None:
    """Five counts a second pass a limit of ten; 10 s of them detect a little less than Currie's normal formula."""
    result = judge(Background(limits=BackgroundLimits()), [count(5.0, live_s=60.0)], Known(nuclides={}))
    assert result.passed
    # Currie 1968, eq. 13: 2.71 + 4.65 sqrt(B), whose figures are k**2 and 2 sqrt(2) k of k = 1.645
    normal_cps = (2.71 + 4.65 * sqrt(50)) / 10
    assert normal_cps < result.figures[1].value < 1.15 * normal_cps


def test_contamination_fails_the_background() -> None:
    """Thirty counts a second with nothing there are contamination."""
    result = judge(Background(limits=BackgroundLimits()), [count(30.0)], Known(nuclides={}))
    assert not result.passed
    assert "contaminated" in result.reason


def test_background_just_above_its_limit_by_chance_passes() -> None:
    """A rate whose interval still holds the limit is no proof of contamination."""
    step = Background(limits=BackgroundLimits(greatest_cps=10.0))
    assert judge(step, [count(10.5, live_s=10.0)], Known(nuclides={})).passed
    assert not judge(step, [count(10.5, live_s=10_000.0)], Known(nuclides={})).passed


def test_silent_background_does_not_claim_a_working_probe() -> None:
    """No counts pass as background, but the reason leaves open whether the probe counts."""
    result = judge(Background(limits=BackgroundLimits()), [count(0.0)], Known(nuclides={}))
    assert "check source tells" in result.reason


@pytest.mark.parametrize(
    ("rate_cps", "passed", "words"),
    [
        (505.0, True, "+0.0%"),
        (470.0, True, "warning"),
        (440.0, False, "another source"),
        (1005.0, False, "another source"),
        (5.0, False, "no more than background"),
        (0.0, False, "dead"),
    ],
)
def test_constancy(rate_cps: float, passed: bool, words: str) -> None:  # noqa: FBT001 - a column of the table
    """One half-life after 1,000 cps the source must give 500 over background, within 10 %."""
    step = CheckConstancy(limits=ConstancyLimits(), source=CHECK)
    result = verdict(step, [rate_cps])
    assert result.passed is passed
    assert words in result.reason


def test_constancy_of_too_few_counts_does_not_pass() -> None:
    """Fifty net counts agree with the reference but cannot tell 10 %."""
    step = CheckConstancy(limits=ConstancyLimits(), source=CHECK)
    result = verdict(step, [505.0], live_s=0.1)
    assert not result.passed
    assert "too few counts" in result.reason


def scatter_of(counts: Sequence[int]) -> StepResult:
    """Judge counts of five seconds by chi-square."""
    step = Scatter(limits=ChiSquareLimits(), placement=Placement(instruction="Leave it"))
    return judge(step, [count(number / 5.0, live_s=5.0) for number in counts], known())


def test_chi_square_passes_poisson_counts_nine_times_in_ten() -> None:
    """Of many sets of true counts a tenth falls outside, as the limits say."""
    rng = np.random.default_rng(4)
    passed = [scatter_of(rng.poisson(1500, 10).tolist()).passed for _ in range(300)]
    assert 0.85 < np.mean(passed) < 0.95


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1500] * 10, "stuck, or smoothed"),
        ([1500, 1505, 1498, 1503, 1499, 1501, 1502, 1497, 1500, 1496], "stuck, or smoothed"),
        ([1500, 1200, 1700, 1450, 1600, 1300, 1500, 1550, 1900, 1400], "too much scatter"),
        ([0] * 10, "dead"),
    ],
)
def test_chi_square_names_what_is_wrong(counts: list[int], words: str) -> None:
    """A stuck value, a smoothed one, a loose cable and a dead crystal each fail for their own reason."""
    result = scatter_of(counts)
    assert not result.passed
    assert words in result.reason


def at_distances(scale: float = 1.0) -> list[float]:
    """Give the rates of 1 MBq before a crystal 20 mm behind the tip, 2,000 cps at 30 mm, over 5 cps."""
    return [5.0 + scale * 2000 * (50 / (distance_mm + 20)) ** 2 for distance_mm in (10, 30, 50, 100)]


def test_sensitivity_at_acceptance_passes() -> None:
    """The acceptance rate at 30 mm and the inverse square beyond it pass."""
    result = verdict(SENSITIVITY, at_distances())
    assert result.passed
    assert result.figures[1].value == pytest.approx(2000, rel=1e-3)


@pytest.mark.parametrize("scale", [0.8, 1.25, 0.4])
def test_a_source_of_another_activity_fails(scale: float) -> None:
    """More or less than 10 % off acceptance is another source, or another probe."""
    result = verdict(SENSITIVITY, at_distances(scale))
    assert not result.passed
    assert "another activity" in result.reason


def test_sensitivity_follows_decay() -> None:
    """Half the counts one half-life after the dose calibrator is the same sensitivity."""
    later = [
        count((rate - 5) / 2 + 5, at=NOON + timedelta(hours=6.015) - timedelta(seconds=10))
        for rate in at_distances()
    ]
    result = judge(SENSITIVITY, later, known())
    assert result.passed
    assert result.figures[1].value == pytest.approx(2000, rel=2e-3)


def test_a_source_at_a_wrong_distance_is_named() -> None:
    """A source at 80 instead of 100 mm is found out by the other three."""
    rates_cps = at_distances()
    rates_cps[3] = 5.0 + 2000 * (50 / 100) ** 2
    result = verdict(SENSITIVITY, rates_cps)
    assert not result.passed
    assert "stood elsewhere" in result.reason


def test_a_missing_source_fails_the_sensitivity() -> None:
    """Background at each distance is no source."""
    result = verdict(SENSITIVITY, [5.0] * 4)
    assert not result.passed
    assert "missing" in result.reason


def test_a_sensitivity_of_too_few_counts_does_not_pass() -> None:
    """A hundred counts that agree with acceptance cannot tell 10 %: their error alone may be a third of it."""
    result = verdict(SENSITIVITY, at_distances(), live_s=0.05)
    assert not result.passed
    assert "too few counts to tell: the error alone is 10%" in result.reason


def at_angles(width_deg: float, leak: float = 5e-4) -> list[float]:
    """Give the rates of a Gaussian lobe with a leak, 2,000 cps ahead, over 5 cps."""
    angles_deg = np.arange(0, 61, 10)
    return [5.0 + 2000 * max(leak, 2 ** -((2 * angle / width_deg) ** 2)) for angle in angles_deg]


def test_angular_response_passes() -> None:
    """A lobe of 40 degrees and half a per mille of leak pass; its widths at a half and at a tenth are found."""
    result = verdict(ANGULAR, at_angles(40.0), live_s=60.0)
    assert result.passed
    assert result.figures[0].value == pytest.approx(40.0, abs=1.0)
    # of a Gaussian FWTM is sqrt(log2(10)) FWHM
    assert result.figures[1].name == "FWTM"
    assert result.figures[1].value == pytest.approx(40.0 * 1.823, abs=3.0)


@pytest.mark.parametrize(
    ("rates_cps", "words"),
    [
        (at_angles(60.0), "collimator is loose"),
        (at_angles(14.0), "collimator is loose"),
        (at_angles(40.0, leak=0.02), "shield leaks"),
        ([2005.0] * 7, "collimator is missing"),
        ([5.0] * 7, "source is missing"),
    ],
)
def test_angular_response_names_what_is_wrong(rates_cps: list[float], words: str) -> None:
    """Too wide, too narrow, leaking, no collimator, no source: each fails for its own reason."""
    result = verdict(ANGULAR, rates_cps, live_s=60.0)
    assert not result.passed
    assert words in result.reason


def test_a_leak_that_cannot_be_told_does_not_pass() -> None:
    """A weak source whose counts at 60 degrees say nothing fails."""
    result = verdict(ANGULAR, [5.0 + (rate - 5.0) / 100 for rate in at_angles(40.0)], live_s=10.0)
    assert not result.passed
    assert "too few counts" in result.reason


def two_sources(dead_time_s: float, *, strength: float = 1.0) -> list[float]:
    """Give what a counter with a dead time makes of two sources, first, both, second, over 5 cps."""
    return [counted_rate_cps(5.0 + strength * true, dead_time_s) for true in (20e3, 35e3, 15e3)]


@pytest.mark.parametrize(("dead_time_s", "stated_s"), [(5e-6, 5e-6), (1e-9, 0.0)])
def test_dead_time_as_stated_passes(dead_time_s: float, stated_s: float) -> None:
    """What is measured agrees with what is corrected for: 5 us, or none where live time is measured."""
    result = verdict(DEAD_TIME, two_sources(dead_time_s), dead_time_s=stated_s)
    assert result.passed
    assert result.figures[0].value == pytest.approx(dead_time_s * 1e6, abs=0.3)


@pytest.mark.parametrize(
    ("rates_cps", "stated_s", "words"),
    [
        (two_sources(50e-6), 50e-6, "lose too many"),
        (two_sources(5e-6), 0.0, "set dead_time_s"),
        (two_sources(5e-6, strength=0.01), 5e-6, "stronger sources"),
        ([20e3, 38e3, 15e3], 0.0, "was moved"),
        ([20e3, 18e3, 15e3], 0.0, "paralysed"),
        ([5.0, 5.0, 5.0], 0.0, "not two sources"),
    ],
)
def test_dead_time_names_what_is_wrong(rates_cps: list[float], stated_s: float, words: str) -> None:
    """Too long, not corrected for, sources too weak or moved, paralysed, absent: each has its reason."""
    result = verdict(DEAD_TIME, rates_cps, dead_time_s=stated_s)
    assert not result.passed
    assert words in result.reason


def test_a_dead_time_that_weak_sources_cannot_tell_does_not_pass() -> None:
    """Some thousand counts agree with 5 us as with 60: their error alone is more than the limit."""
    result = verdict(DEAD_TIME, two_sources(5e-6, strength=0.05), dead_time_s=5e-6, live_s=1.0)
    assert not result.passed
    assert "too few counts to tell" in result.reason


def test_an_overloaded_count_fails_every_step() -> None:
    """A count that the instrument itself calls too low is not judged further."""
    low = Count(counts=40_000, live_time_s=20, real_time_s=20, dead_time_s=0, started_at=NOON, is_overloaded=True)
    result = judge(SENSITIVITY, [low] * 4, known())
    assert not result.passed
    assert "weaker sources" in result.reason


def test_a_net_rate_is_without_dead_time() -> None:
    """40,000 cps counted with 5 us are 50,000 (Knoll, 4.VII), the background taken off behind that."""
    net = known().net(count(40_000.0, dead_time_s=5e-6))
    assert net.rate_cps == pytest.approx(50_000.0 - 5.0)


def test_a_step_without_background_or_assay_fails_in_words() -> None:
    """What an earlier step did not give is named."""
    counts = [count(rate) for rate in at_distances()]
    assert "background was not counted" in judge(SENSITIVITY, counts, Known(nuclides=load_nuclides())).reason
    bare = Known(nuclides=load_nuclides(), background=count(5.0))
    assert "point source was not measured" in judge(SENSITIVITY, counts, bare).reason


def test_instructions_say_what_to_place_where() -> None:
    """A person reads source, angle and distance; the position agrees with the words."""
    placement = ANGULAR.exposures[3].placement
    assert placement.instruction == "Place the Tc-99m point source 30° off the axis, 30 mm from the tip"
    (placed,) = placement.sources
    assert placed.source is Source.POINT
    assert placed.position_mm == pytest.approx((15.0, 0.0, 30 * sqrt(3) / 2))


def test_the_check_source_is_placed_once_for_two_steps() -> None:
    """Chi-square counts the source that constancy left in the fixture."""
    steps = steps_of(MorningSettings(check_source=CHECK, sensitivity=SENSITIVITY.limits))
    assert [step.name for step in steps] == [
        "battery",
        "background",
        "light",
        "constancy",
        "chi-square",
        "peak",
        "sensitivity",
        "angular response",
        "dead time",
    ]
    assert steps[3].exposures[0].placement == steps[4].exposures[0].placement


@pytest.mark.parametrize(
    "change",
    [
        {"distances_mm": (30.0, 10.0, 50.0)},
        {"distances_mm": (10.0, 20.0, 50.0)},
        {"distances_mm": (10.0, 30.0)},
        {"tolerance": 1.5},
        {"reference_cps_per_mbq": 0.0},
        {"tollerance": 0.1},
    ],
)
def test_settings_refuse_what_makes_no_sense(change: dict[str, object]) -> None:
    """Distances out of order or without the reference, a tolerance above one, a typo: all refused."""
    with pytest.raises(ValidationError):
        SensitivityLimits.model_validate({"reference_cps_per_mbq": 2000.0} | change)


def test_settings_want_dates_with_a_zone() -> None:
    """A reference date without a time zone could be hours off, and is refused."""
    with pytest.raises(ValidationError, match="timezone"):
        CheckSource(reference_at=datetime(2026, 6, 1), reference_cps=1000.0)  # noqa: DTZ001 - what is refused


def test_chi_square_tells_both_limit_sets() -> None:
    """Between the limits of 95 % (Capintec) and of 90 % (Biodex) it passes, and says that it is watched."""
    # two values, half of them each: chi-square 10 d**2 / 1500 for a distance d from the mean
    for distance, passed, words in ((40, True, "within 4.17 to 14.68 too"), (48, True, "outside 4.17 to 14.68")):
        result = scatter_of([1500 + distance, 1500 - distance] * 5)
        assert result.passed is passed
        assert words in result.reason
    assert not scatter_of([1550, 1450] * 5 + [1580]).passed


def test_a_probe_that_warms_up_fails_for_its_drift() -> None:
    """Counts that rise by a tenth from the first to the last are no scatter; a rise that chance makes is none."""
    rising = scatter_of([2850 + 30 * number for number in range(10)])
    assert not rising.passed
    assert "from the first count to the last: it warms up" in rising.reason
    drift = next(figure for figure in rising.figures if figure.name == "drift")
    assert drift.value == pytest.approx(100 * 270 / 2985, rel=1e-3)
    assert drift.sigma == pytest.approx(100 * 9 / sqrt(82.5 * 2985), rel=1e-2)
    rng = np.random.default_rng(8)
    fails = [scatter_of(rng.poisson(1500, 10).tolist()).reason for _ in range(300)]
    assert sum("warms up" in reason for reason in fails) < 6


def test_constancy_holds_for_caesium_too() -> None:
    """Cs-137 of a rate a year ago has lost 2.27 %, by its half-life of 30.17 years."""
    source = CheckSource(nuclide="Cs-137", reference_at=NOON - timedelta(days=365.25), reference_cps=1000.0)
    result = verdict(CheckConstancy(limits=ConstancyLimits(), source=source), [977.3 + 5.0])
    expected = next(figure for figure in result.figures if figure.name == "expected")
    assert expected.value == pytest.approx(977.3, abs=0.1)
    assert result.passed

"""Today's figures among those of former mornings."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from acquisition.logbook.records import Kept, Kind, Record
from acquisition.quality.chi_square import DEVIATE
from acquisition.quality.results import Figure, StepResult
from acquisition.quality.settings import CheckSource, MorningSettings, SensitivityLimits, TrendLimits
from acquisition.quality.trend import Follower, trends_of

BEGUN = datetime(2026, 9, 1, 7, tzinfo=UTC)
NAMES = {
    "background": ("rate", "cps"),
    "constancy": ("deviation", "%"),
    "chi-square": (DEVIATE, "SD"),
    "sensitivity": ("30 mm", "cps/MBq"),
    "angular response": ("FWHM", "°"),
}


def settings(**trend: object) -> MorningSettings:
    """The shipped limits."""
    return MorningSettings(
        check_source=CheckSource(reference_at=BEGUN, reference_cps=900.0),
        sensitivity=SensitivityLimits(reference_cps_per_mbq=2000.0),
        trend=TrendLimits.model_validate(trend),
    )


def step(name: str, value: float, *, passed: bool = True) -> StepResult:
    """A step's result with the figure that is followed."""
    figure, unit = NAMES[name]
    figures = (Figure(name="other", value=0.0, unit=""), Figure(name=figure, value=value, unit=unit, sigma=0.5))
    return StepResult(name=name, passed=passed, figures=figures, limit="", reason="")


def morning(day: int, *steps: StepResult, doubt: str = "", identity: str = "DP5 1") -> Kept:
    """A morning's record."""
    record = Record(
        kind=Kind.MORNING,
        at=BEGUN + timedelta(days=day),
        probe="gamma",
        identity=identity,
        person="A. Berg",
        is_simulated=False,
        passed=True,
        told={"steps": [each.to_dict() for each in steps]},
    )
    return Kept(number=day + 1, key_id="k", record=record, seal="", doubt=doubt)


def judged(records: Sequence[Kept], today: StepResult, **trend: object) -> StepResult:
    """What is said of today."""
    (result,) = Follower(settings(**trend), records).judge("DP5 1", today, BEGUN + timedelta(days=200))
    return result


def days(name: str, values: Sequence[float]) -> list[Kept]:
    """Mornings with these values."""
    return [morning(day, step(name, value)) for day, value in enumerate(values)]


NOISE = np.random.default_rng(2).standard_normal(15).tolist()


@pytest.mark.parametrize("name", ["background", "constancy", "sensitivity"])
def test_a_figure_as_ever_is_in_order_and_one_far_off_is_not(name: str) -> None:
    """The base of fifteen mornings gives the lines; five standard deviations off is beyond the action line."""
    records = days(name, [100 + each for each in NOISE])
    fine, off = judged(records, step(name, 100.3)), judged(records, step(name, 106.0))
    assert fine.passed
    assert fine.name == f"trend of {name}"
    assert "in order" in fine.reason
    assert not off.passed
    assert "beyond an action line" in off.reason
    assert [figure.name for figure in off.figures] == ["today", "base", "moving average"]


def test_a_collimator_a_tenth_wider_is_found() -> None:
    """42 degrees scatter by 0.5 from morning to morning; 46 pass the limits of the day, and not the trend."""
    records = days("angular response", [42 + 0.5 * each for each in NOISE])
    assert judged(records, step("angular response", 42.3)).passed
    wider = judged(records, step("angular response", 46.2))
    assert not wider.passed
    assert wider.name == "trend of angular width"


def test_former_mornings_are_read_once() -> None:
    """Ten years of them stand behind every step: what is followed is taken out of them at the start."""
    follower = Follower(settings(), iter(days("background", [100 + each for each in NOISE])))
    for _ in range(2):
        (result,) = follower.judge("DP5 1", step("background", 106.0), BEGUN + timedelta(days=200))
        assert not result.passed


def test_a_slow_drift_is_called_by_its_moving_average() -> None:
    """Nine mornings at 1.4 standard deviations, none of which alone is even past a warning line."""
    records = days("constancy", [*NOISE, *[1.4] * 8])
    assert judged(records[:18], step("constancy", 1.4)).passed
    result = judged(records, step("constancy", 1.4))
    assert not result.passed
    assert "moving average is beyond its line" in result.reason


def test_before_the_base_is_whole_there_are_no_lines() -> None:
    """Nothing is judged by fifteen mornings or fewer, whatever they say."""
    result = judged(days("background", NOISE[:-1]), step("background", 90.0))
    assert result.passed
    assert result.reason == "15 of 16 mornings that it takes: no lines yet"


def test_chi_square_is_judged_from_the_first_morning() -> None:
    """Where its values come from is known: no base is wanted."""
    assert judged([], step("chi-square", 1.0)).passed
    assert not judged([], step("chi-square", -3.2)).passed
    assert not judged(days("chi-square", [2.2, 0.0]), step("chi-square", 2.1)).passed


def test_what_does_not_count_is_left_out() -> None:
    """Records that were changed, of another instrument, from before the repair, and steps that had failed."""
    base = days("background", [100 + each for each in NOISE])
    records = [
        *[morning(day, step("background", 500.0), doubt="it was changed") for day in range(9)],
        *[morning(day, step("background", 500.0), identity="DP5 2") for day in range(9)],
        *[morning(day, step("background", 500.0, passed=False)) for day in range(9)],
        *base,
    ]
    assert judged(records, step("background", 100.0)).passed
    late = judged(base, step("background", 500.0), since=BEGUN + timedelta(days=3))
    assert late.reason == "13 of 16 mornings that it takes: no lines yet"


def test_a_failed_step_has_no_trend() -> None:
    """Its own name says that it failed; and a step that nobody follows has none."""
    follower = Follower(settings(), days("background", NOISE))
    assert follower.judge("DP5 1", step("background", 0.0, passed=False), BEGUN) == ()
    assert follower.judge("DP5 1", StepResult(name="x", passed=True, figures=(), limit="", reason=""), BEGUN) == ()


def test_the_site_may_let_it_pass() -> None:
    """With ``fails`` off it is said and passes."""
    result = judged(days("background", NOISE), step("background", 90.0), fails=False)
    assert result.passed
    assert "lets it pass" in result.reason


def test_a_base_without_scatter_has_the_width_of_its_counts() -> None:
    """Values that happen to be alike do not make lines of no width."""
    records = days("background", [5.0] * 15)
    assert judged(records, step("background", 5.9)).passed
    assert not judged(records, step("background", 7.0)).passed


def test_trends_are_told_as_json() -> None:
    """Every value with its time, lines, averages after the base, and the newest signal."""
    (trend,) = trends_of(settings(), days("background", [*NOISE, 0.1, 9.0]))
    told = trend.to_dict()
    assert (len(told["values"]), len(told["averages"])) == (17, 2)
    assert told["signal"] == "beyond an action line"
    assert told["centre"] == pytest.approx(np.mean(NOISE))


def test_a_record_of_another_version_costs_its_steps_alone() -> None:
    """Steps that cannot be read are left out."""
    records = days("background", NOISE)
    odd = Kept(number=99, key_id="k", record=records[0].record, seal="")
    object.__setattr__(odd.record, "told", {"steps": [{"name": "background"}, 7]})
    assert judged([odd, *records[1:]], step("background", 0.0)).reason.startswith("15 of 16")

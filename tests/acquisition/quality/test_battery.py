"""The battery step: judged by what the instrument tells, told where it is not judged, never made up."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from acquisition.quality.background import Background
from acquisition.quality.battery import Battery
from acquisition.quality.counts import Count, open_counter
from acquisition.quality.results import StepResult
from acquisition.quality.settings import BackgroundLimits, BatteryLimits
from acquisition.quality.steps import Known, judge
from devices.clock import monotonic, wall_time
from devices.probes.radpro import Settings as RadProSettings
from devices.traffic import Condition
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.radpro import SimulatedRadPro

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COUNT = Count(counts=25, live_time_s=5, real_time_s=5, dead_time_s=0, started_at=NOON)
LIMITS = {
    "least_battery_v": 1.1,
    "bias_v": (450.0, 550.0),
    "board_degc": (0.0, 50.0),
    "detector_degc": (-30.0, -10.0),
}
GOOD: dict[str, Any] = {
    "battery_v": 1.42,
    "is_battery_low": False,
    "board_degc": 31.0,
    "detector_degc": -20.0,
    "high_voltage_v": 500.0,
}
SECONDS = 30.0


def step_of(**limits: Any) -> Battery:
    """Make the step with the site file's limits."""
    return Battery(limits=BatteryLimits(**limits), background=Background(limits=BackgroundLimits()))


def told(condition: Condition | None, **limits: Any) -> StepResult:
    """Judge what an instrument said during the count."""
    return judge(step_of(**limits), [replace(COUNT, condition=condition)], Known(nuclides={}))


def said(**values: Any) -> Condition:
    """Say that of oneself."""
    return Condition(told_at_s=1.0, **values)


def test_a_good_battery_passes_with_all_that_is_told() -> None:
    """Voltage, bias and temperatures are figures with units, and the limits are named."""
    result = told(said(**GOOD), **LIMITS)
    assert result.passed
    assert [str(figure) for figure in result.figures] == [
        "battery 1.42 V",
        "bias 500 V",
        "board 31 °C",
        "detector -20 °C",
    ]
    assert "at least 1.1 V, bias 450 to 550 V, board 0 to 50 °C" in result.limit


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"battery_v": 1.09}, "battery has 1.09 V, less than 1.1 V: charge"),
        ({"is_battery_low": True}, "asks for another battery"),
        ({"high_voltage_v": 340.0}, "bias 340 V, less than 450 V: the battery or the supply"),
        ({"high_voltage_v": -340.0}, "bias 340 V, less than 450 V"),
        ({"high_voltage_v": 0.0}, "bias 0 V, less than 450 V"),
        ({"high_voltage_v": 600.0}, "bias 600 V, more than 550 V: the supply is wrong"),
        ({"board_degc": 61.0}, "board 61 °C, more than 50 °C: its electronics are too hot"),
        ({"board_degc": -5.0}, "less than 0 °C: it is colder"),
        ({"detector_degc": 5.0}, "detector 5 °C, more than -10 °C: its cooling fails"),
    ],
)
def test_what_is_out_of_its_limits_fails_for_its_reason(change: dict[str, Any], words: str) -> None:
    """Each value fails alone, with its number, its limit and what to do."""
    result = told(said(**GOOD | change), **LIMITS)
    assert not result.passed
    assert words in result.reason


def test_a_bias_of_either_sign_is_judged_by_its_size() -> None:
    """A detector that is driven at -500 V is as good as one at 500 V."""
    assert told(said(**GOOD | {"high_voltage_v": -500.0}), **LIMITS).passed


def test_a_low_battery_that_is_told_needs_no_limit() -> None:
    """A RadEye says only whether its battery is low: that fails without a word in the site file."""
    assert told(said(is_battery_low=False)).passed
    assert "not told to be low" in told(said(is_battery_low=False)).reason
    assert not told(said(is_battery_low=True)).passed


@pytest.mark.parametrize("condition", [None, said()])
def test_an_instrument_that_tells_nothing_is_not_judged(condition: Condition | None) -> None:
    """It passes as not measured, with no figure that nobody told, whatever the limits."""
    result = told(condition, **LIMITS)
    assert result.passed
    assert result.figures == ()
    assert "not measured: this instrument tells neither battery nor bias" in result.reason


def test_a_limit_of_what_is_not_told_is_said_not_to_have_been_checked() -> None:
    """A Rad Pro has no bias to tell; its battery is judged all the same."""
    result = told(said(battery_v=1.4), least_battery_v=1.1, bias_v=(450.0, 550.0))
    assert result.passed
    assert "of bias it tells nothing, so that its limit was not checked" in result.reason
    assert not told(said(battery_v=1.0), least_battery_v=1.1, bias_v=(450.0, 550.0)).passed


@pytest.mark.parametrize(
    "change", [{"bias_v": (550.0, 450.0)}, {"least_battery_v": 0.0}, {"board_degc": (0.0, float("nan"))}]
)
def test_limits_that_nothing_could_keep_are_refused(change: dict[str, object]) -> None:
    """Limits the wrong way round, and numbers that are none, are no limits."""
    with pytest.raises(ValidationError):
        BatteryLimits.model_validate(change)


def test_it_asks_for_nothing_that_the_background_does_not() -> None:
    """Who has put the sources away for it is not asked again for the background."""
    step = step_of()
    assert step.exposures[0].placement == step.background.exposures[0].placement


async def test_an_instrument_tells_its_battery_while_it_counts(tmp_path: Path) -> None:
    """A Rad Pro, asked over a real port, gives the voltage that the step fails for."""
    instrument = SimulatedRadPro(
        Counter(events=lambda *_: 1, powered_at_s=monotonic(), rng=np.random.default_rng(1))
    )
    instrument.battery_v = 1.043
    step = step_of(least_battery_v=1.1, count_s=1.0)
    async with asyncio.timeout(SECONDS), open_pty_port(instrument, tmp_path / "probe") as port:
        settings = RadProSettings(driver="radpro", port=port.url)
        async with (
            settings.connect("gamma", clock=monotonic) as connection,
            open_counter(
                "gamma", connection, streams=True, silence_s=SECONDS, clock=monotonic, wall_time=wall_time
            ) as counter,
        ):
            (exposure,) = step.exposures
            count = await counter.count(exposure, settle_s=0.0, on_progress=lambda _: None)
    result = judge(step, [count], Known(nuclides={}))
    assert not result.passed
    assert "its battery has 1.04 V, less than 1.1 V" in result.reason
    assert [figure.value for figure in result.figures] == [1.043]

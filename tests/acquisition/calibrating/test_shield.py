"""Leak through the shield: what is called one, and what is said where the counts cannot tell."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pytest

from acquisition.calibrating.settings import CalibrationSettings
from acquisition.calibrating.shield import ShieldLeak
from acquisition.quality.results import StepResult
from acquisition.quality.steps import Assay, Known, judge
from tests.acquisition.calibrating.test_steps import NOON, NUCLIDES, SOURCE, count

SHIPPED = CalibrationSettings()
SHIELD = ShieldLeak(limits=SHIPPED.shield, source=SOURCE, counts=20_000)
BACKGROUND_CPS = 5.0
AHEAD_CPS = 2000.0
"""Of 1 MBq."""
BEHIND = (150 - 20) ** 2 / (30 + 20) ** 2
"""How much less the inverse square leaves behind than ahead."""


def leaking(share: float, behind: float | None = None) -> list[float]:
    """Give rates ahead, on four sides and behind of a shield that lets a share through, or another one behind."""
    squares = [x**2 + y**2 + (z + 20) ** 2 for x, y, z in SHIELD.places_mm]
    shares = [1.0, *[share] * 4, share if behind is None else behind]
    return [AHEAD_CPS * each * squares[0] / square for each, square in zip(shares, squares, strict=True)]


def verdict(
    rates_cps: Sequence[float],
    *,
    activity_mbq: float = 1.0,
    hurry: float = 1.0,
    rng: np.random.Generator | None = None,
) -> StepResult:
    """Judge net rates of 1 MBq, counted as long as is shipped, or in a hurry; by the average or by chance."""

    def counted(rate_cps: float, live_s: float) -> float:
        return rate_cps if rng is None else float(rng.poisson(rate_cps * live_s)) / live_s

    lives_s = [exposure.longest_s / hurry for exposure in SHIELD.exposures]
    empty_s = SHIPPED.background_s / hurry
    known = Known(
        nuclides=NUCLIDES,
        background=count(counted(BACKGROUND_CPS, empty_s), live_s=empty_s),
        assay=Assay(activity_mbq=activity_mbq, measured_at=NOON),
    )
    gross_cps = [BACKGROUND_CPS + rate * activity_mbq for rate in rates_cps]
    counts = [count(counted(cps, live_s), live_s=live_s) for cps, live_s in zip(gross_cps, lives_s, strict=True)]
    return judge(SHIELD, counts, known)


def test_a_tight_shield_passes_and_its_leak_is_told() -> None:
    """Half a per mille from all sides passes a limit of one, brought to one distance; behind it errs the most."""
    result = verdict(leaking(5e-4))
    assert result.passed, result.reason
    assert [figure.name for figure in result.figures] == [
        "left of",
        "right of",
        "above",
        "below",
        "behind",
        "at most",
    ]
    assert [figure.value for figure in result.figures[:5]] == pytest.approx([0.05] * 5, rel=0.05)
    error = sqrt(2 * BACKGROUND_CPS + 5e-4 * AHEAD_CPS / BEHIND) / sqrt(600) * BEHIND / AHEAD_CPS
    assert result.figures[-1].value == pytest.approx(0.05 + 2 * 100 * error, rel=0.02)


@pytest.mark.parametrize(
    ("rates_cps", "hurry", "words"),
    [
        (leaking(1e-2), 1.0, "left of the shaft: the shield leaks"),
        (leaking(1e-4, behind=1e-2), 1.0, "behind the shaft: the shield leaks"),
        (leaking(5e-4), 10.0, "too few counts to tell: the error is 0.14%"),
        (leaking(5e-4), 300.0, "too few counts to tell"),
        ([0.0] * 6, 1.0, "source is missing"),
    ],
)
def test_the_shield_names_what_is_wrong(rates_cps: list[float], hurry: float, words: str) -> None:
    """A leak on the side, one at the back, counts too few to tell, no source: each fails for its reason."""
    result = verdict(rates_cps, hurry=hurry)
    assert not result.passed
    assert words in result.reason


@pytest.mark.parametrize("activity_mbq", [1.0, 3.0])
def test_a_good_shield_does_not_fail_by_chance(activity_mbq: float) -> None:
    """Nor is it left in doubt by 3 MBq, as by 1, whose count behind is hardly more than background."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(1000):
        result = verdict(leaking(5e-4), activity_mbq=activity_mbq, rng=rng)
        assert result.passed, result.reason
        held += "the shield holds" in result.reason
    assert held < 300 if activity_mbq == 1 else held > 850


@pytest.mark.parametrize("share", [0.0015, 0.002, 0.003, 0.004, 0.006])
@pytest.mark.parametrize("hurry", [1.0, 4.0, 10.0])
def test_nobody_is_told_that_a_leaking_shield_holds(share: float, hurry: float) -> None:
    """A leak behind that the counts do not tell is not called one, nor is it called less than it may be."""
    rng, limits = np.random.default_rng(3), []
    for _ in range(300):
        result = verdict(leaking(1e-4, behind=share), hurry=hurry, rng=rng)
        assert "the shield holds" not in result.reason
        if result.passed:
            assert "behind the shaft, which cannot be told from the limit" in result.reason
            limits.append(result.figures[-1].value)
    if share < 0.0025 and hurry == 1:
        assert len(limits) > 250
        assert np.mean(np.array(limits) > 100 * share) > 0.95

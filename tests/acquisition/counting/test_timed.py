"""What a timed count says, by numbers that can be worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from math import exp, log, sqrt
from pathlib import Path

import pytest

from acquisition.calibration import read_calibration
from acquisition.counting.bench import background_in, counts_for, told_count
from acquisition.counting.timed import tell
from acquisition.logbook.records import Kept, Kind, Record
from acquisition.quality.counts import Count
from navigation.errors import NavigationError

SHIPPED = Path(__file__).parents[3] / "config" / "instruments" / "simulated-gamma.json"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TC99M_S = 6.015 * 3600
GA68_S = 67.71 * 60


def count(counts: int, live_time_s: float, *, dead_time_s: float = 0.0, is_overloaded: bool = False) -> Count:
    """A count that began at noon."""
    return Count(
        counts=counts,
        live_time_s=live_time_s,
        real_time_s=live_time_s,
        dead_time_s=dead_time_s,
        started_at=NOON,
        is_overloaded=is_overloaded,
    )


def figures(
    of: Count, background: Count | None, half_life_s: float = TC99M_S
) -> dict[str, tuple[float, float | None]]:
    """What is told, by name."""
    _, told = tell(of, background, half_life_s=half_life_s)
    return {each.name: (each.value, each.sigma) for each in told}


def test_the_rate_has_exact_limits() -> None:
    """Garwood's for four counts in 10 s: 1.09 to 10.24 counts at 95 %; none at all still leaves 3.69."""
    told = figures(count(4, 10.0), None)
    assert told["rate"] == pytest.approx((0.4, 0.2))
    assert told["at least (95 %)"][0] == pytest.approx(0.1090, abs=1e-4)
    assert told["at most (95 %)"][0] == pytest.approx(1.0242, abs=1e-4)
    assert figures(count(0, 10.0), None)["at most (95 %)"][0] == pytest.approx(0.3689, abs=1e-4)


def test_dead_time_and_background_are_taken_off() -> None:
    """By m / (1 - m tau) 10,000 cps and 10 us are 11,111 cps; errors of both counts add in quadrature."""
    told = figures(count(100_000, 10.0, dead_time_s=10e-6), count(300, 60.0))
    assert told["without dead time"][0] == pytest.approx(10_000 / 0.9)
    net, sigma = told["net rate"]
    assert net == pytest.approx(10_000 / 0.9 - 5.0)
    assert sigma == pytest.approx(sqrt((sqrt(100_000) / 10 / 0.81) ** 2 + 300 / 3600), rel=1e-6)


def test_decay_within_the_count_is_taken_off() -> None:
    """Ten minutes of Ga-68: the mean of the count is 95 % of what it was when it began."""
    told = figures(count(600_000, 600.0), count(0, 60.0), GA68_S)
    x = log(2) * 600 / GA68_S
    assert told["net rate when it began"][0] == pytest.approx(1000.0 * x / (1 - exp(-x)), rel=1e-6)


def test_it_says_whether_anything_is_there() -> None:
    """Of a background of 60 in 60 s up to 16 in 10 s happen by chance in 95 %: 17 are something, 16 are not."""
    background = count(60, 60.0)
    something, _ = tell(count(17, 10.0), background, half_life_s=TC99M_S)
    nothing, told = tell(count(16, 10.0), background, half_life_s=TC99M_S)
    assert "above the background" in something
    assert nothing.startswith("no more than background: 16 counts, of which up to 16 happen without a source")
    by_name = {each.name: each.value for each in told}
    assert by_name["critical counts (5 %)"] == 16
    # Currie's normal formula: (2.71 + 3.29 sqrt(B (1 + r))) / t of B = 10 expected counts, r = 1/6
    assert by_name["detects in this time"] == pytest.approx((2.71 + 3.29 * sqrt(10 * 7 / 6)) / 10, rel=0.08)


def test_many_background_counts_are_told_by_the_normal_formulas() -> None:
    """A hundred thousand background counts do not make it slow, and mean Currie's own numbers."""
    told = figures(count(100_500, 60.0), count(100_000, 60.0))
    assert told["critical counts (5 %)"][0] == pytest.approx(100_000 + 2.326 * sqrt(100_000), abs=1)
    assert told["detects in this time"][0] == pytest.approx((2.71 + 4.65 * sqrt(100_000)) / 60, rel=1e-3)


def test_what_activity_is_detected_follows_from_the_sensitivity() -> None:
    """L_D / (S t): 1,473 counts in 60 s by 1,987 cps/MBq at 30 mm are 0.01235 MBq; without it, nothing."""
    response = read_calibration(SHIPPED).response
    _, told = tell(count(100_500, 60.0), count(100_000, 60.0), half_life_s=TC99M_S, response=response)
    least = next(each for each in told if each.name == "detects at 30 mm in this time")
    expected = (2.71 + 4.65 * sqrt(100_000)) / 60 / response.sensitivity_cps_per_mbq
    assert least.unit == "MBq"
    assert least.value == pytest.approx(expected, rel=1e-3)
    assert least.value == pytest.approx(0.01235, rel=2e-3)
    assert least.sigma is not None
    assert 0 < least.sigma < 0.1 * least.value
    assert not any("MBq" in str(each) for each in tell(count(9, 1.0), count(9, 1.0), half_life_s=TC99M_S)[1])


def test_what_cannot_be_told_is_not() -> None:
    """No background of today, an overload, a rate that the dead time forbids: in words, and no net rate."""
    for bad, background, words in (
        (count(100, 10.0), None, "acquire background"),
        (count(100, 10.0, is_overloaded=True), count(50, 60.0), "counts too few"),
        (count(1_000_000, 1.0, dead_time_s=2e-6), count(50, 60.0), "cannot be counted"),
    ):
        said, told = tell(bad, background, half_life_s=TC99M_S)
        assert words in said
        assert "net rate" not in {each.name for each in told}


@pytest.mark.parametrize(("error", "counts"), [(0.01, 10_000), (0.02, 2500), (0.03, 1112), (0.5, 4)])
def test_a_relative_error_wants_so_many_counts(error: float, counts: int) -> None:
    """1 / sqrt(N), rounded up."""
    assert counts_for(error) == counts


@pytest.mark.parametrize("error", [0.0, -0.1, 0.6, float("nan")])
def test_an_error_that_is_none_is_refused(error: float) -> None:
    """Nothing, less than nothing, more than a half, no number."""
    with pytest.raises(NavigationError, match="relative error"):
        counts_for(error)


@pytest.mark.parametrize(
    ("kind", "passed", "steps", "is_read"),
    [
        (Kind.BACKGROUND, True, [], True),
        (Kind.BACKGROUND, False, [], False),
        (Kind.BACKGROUND, None, [], False),
        (Kind.MORNING, False, [{"name": "background", "passed": True}, {"name": "peak", "passed": False}], True),
        (Kind.MORNING, True, [{"name": "background", "passed": False}, {"name": "peak", "passed": True}], False),
        (Kind.MORNING, True, [], False),
        (Kind.MORNING, True, None, False),
    ],
)
def test_a_background_that_did_not_pass_is_taken_off_nothing(
    kind: Kind, *, passed: bool | None, steps: object, is_read: bool
) -> None:
    """One of a contaminated bench would hide a node; a morning's counts where its own step passed."""
    record = Record(
        kind=kind,
        at=NOON,
        probe="gamma",
        identity="",
        person="A. Berg",
        is_simulated=False,
        passed=passed,
        told={"background": told_count(count(300, 60.0)), "steps": steps, "window": ""},
    )
    assert (background_in(Kept(number=1, key_id="", record=record, seal=""), "") is not None) == is_read


def test_a_background_is_read_back_unless_it_is_not_to_be_trusted() -> None:
    """Through a record and back; of an overloaded one, another window, or one that somebody wrote, nothing."""
    found, window = count(300, 60.0, dead_time_s=5e-6), "126 to 154 keV"

    def kept(background: object, **told: str) -> Kept:
        record = Record(
            kind=Kind.BACKGROUND,
            at=NOON,
            probe="gamma",
            identity="",
            person="A. Berg",
            is_simulated=False,
            passed=True,
            told={"background": background, **told},
        )
        return Kept(number=1, key_id="", record=record, seal="")

    assert background_in(kept(told_count(found), window=window), window) == found
    for bad in (None, {}, told_count(replace(found, is_overloaded=True)), told_count(found) | {"counts": "x"}):
        assert background_in(kept(bad, window=window), window) is None
    for other in ({}, {"window": ""}, {"window": "100 to 180 keV"}):
        assert background_in(kept(told_count(found), **other), window) is None
    assert background_in(kept(told_count(found)), "") is None, "of a record that does not say, nobody knows"

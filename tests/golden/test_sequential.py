"""The sequential test against Wald's closed form, against simulation, and against the test of fixed time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from navigation.errors import NavigationError
from navigation.statistics.sequential import Decision, SequentialTest, fixed_test


def planned(false_alarm: float = 0.01, miss: float = 0.01) -> SequentialTest:
    return SequentialTest.planned(background_cps=20.0, signal_cps=10.0, false_alarm=false_alarm, miss=miss)


def test_bounds_are_walds() -> None:
    """For alpha = 0.01 and beta = 0.05: ln 95 = 4.554 and ln(0.05 / 0.99) = -2.986."""
    test = planned(0.01, 0.05)
    assert (test.upper, test.lower) == pytest.approx((4.5539, -2.9857), abs=1e-4)


@pytest.mark.parametrize("errors", [(0.05, 0.05), (0.01, 0.05), (0.001, 0.01)])
def test_walds_form_gives_back_what_was_asked_for(errors: tuple[float, float]) -> None:
    """At the two rates Wald's characteristic is alpha and 1 - beta, and his mean times are the textbook's."""
    test = planned(*errors)
    alpha, beta = errors
    without, with_signal = test.wald_characteristic(20.0), test.wald_characteristic(30.0)
    assert without.signal_probability == pytest.approx(alpha)
    assert with_signal.signal_probability == pytest.approx(1 - beta)
    gained_per_s = (20 * np.log(1.5) - 10, 30 * np.log(1.5) - 10)
    assert without.mean_time_s == pytest.approx(((1 - alpha) * test.lower + alpha * test.upper) / gained_per_s[0])
    assert with_signal.mean_time_s == pytest.approx(
        (beta * test.lower + (1 - beta) * test.upper) / gained_per_s[1]
    )


def test_walds_form_has_no_gap_at_the_rate_without_drift() -> None:
    """At s / ln(1 + s / b), where the drift is nothing, both formulas meet."""
    test = planned()
    neutral_cps = 10 / np.log(1.5)
    at, beside = test.wald_characteristic(neutral_cps), test.wald_characteristic(neutral_cps * (1 + 1e-4))
    assert at.mean_time_s == pytest.approx(beside.mean_time_s, rel=1e-3)
    assert at.signal_probability == pytest.approx(beside.signal_probability, abs=1e-2)


@pytest.mark.parametrize("rate_cps", [1000.0, 1004.0, 1010.0])
def test_exact_characteristic_comes_to_walds(rate_cps: float) -> None:
    """Where a count hardly moves the ratio and the cut-off is far, exact and closed form agree to 5 %."""
    test = SequentialTest(background_cps=1000.0, signal_cps=10.0, false_alarm=0.05, miss=0.05, longest_s=600.0)
    exact, wald = test.characteristic(rate_cps, 0.05), test.wald_characteristic(rate_cps)
    assert exact.mean_time_s == pytest.approx(wald.mean_time_s, rel=0.05)
    assert exact.signal_probability == pytest.approx(wald.signal_probability, abs=0.01)
    assert exact.cut_off_probability < 1e-3


@pytest.mark.parametrize("rate_cps", [20.0, 25.0, 30.0])
def test_exact_characteristic_is_what_chance_does(rate_cps: float) -> None:
    """Of 2,000 simulated counts as many find a signal, and in as much time, as was worked out."""
    test = planned(0.05, 0.05)
    rng = np.random.default_rng(11)
    states = []
    for _ in range(2000):
        state = test.start()
        while state.decision is Decision.OPEN:
            state = state.after(float(rng.poisson(rate_cps * 0.1)), 0.1)
        states.append(state)
    found = np.mean([each.decision is Decision.SIGNAL for each in states])
    times_s = np.array([each.live_time_s for each in states])
    exact = test.characteristic(rate_cps, 0.1)
    assert found == pytest.approx(exact.signal_probability, abs=4 * np.sqrt(0.25 / 2000))
    assert times_s.mean() == pytest.approx(exact.mean_time_s, abs=4 * times_s.std() / np.sqrt(2000))


@pytest.mark.parametrize(("background_cps", "signal_cps"), [(5.0, 2.0), (5.0, 5.0), (20.0, 10.0), (100.0, 10.0)])
@pytest.mark.parametrize("error", [0.01, 0.001])
def test_errors_are_kept_in_less_than_half_the_time(
    background_cps: float, signal_cps: float, error: float
) -> None:
    """With 1 % errors and better, the cut-off test errs no more than asked for, in at most half the fixed time."""
    asked = {"background_cps": background_cps, "signal_cps": signal_cps, "false_alarm": error, "miss": error}
    fixed, test = fixed_test(**asked), SequentialTest.planned(**asked)
    without, with_signal = (
        test.characteristic(each, 0.1) for each in (background_cps, background_cps + signal_cps)
    )
    assert without.signal_probability <= error
    assert 1 - with_signal.signal_probability <= error
    assert with_signal.mean_time_s <= 0.5 * fixed.time_s
    assert without.mean_time_s <= 0.5 * fixed.time_s


def test_fixed_test_is_the_shortest() -> None:
    """It errs as was allowed, and no threshold does so in a time a percent shorter."""
    fixed = fixed_test(background_cps=20.0, signal_cps=10.0, false_alarm=0.01, miss=0.05)
    assert poisson.sf(fixed.least_counts - 1, 20 * fixed.time_s) == pytest.approx(fixed.false_alarm)
    assert poisson.cdf(fixed.least_counts - 1, 30 * fixed.time_s) == pytest.approx(fixed.miss)
    assert fixed.false_alarm <= 0.01
    assert fixed.miss <= 0.05 + 1e-9
    shorter_s, thresholds = 0.99 * fixed.time_s, np.arange(300)
    is_kept = (poisson.sf(thresholds - 1, 20 * shorter_s) <= 0.01) & (
        poisson.cdf(thresholds - 1, 30 * shorter_s) <= 0.05
    )
    assert not is_kept.any()


def test_it_decides_at_the_cut_off() -> None:
    """A rate between the two ends at the latest at the longest time, on the side of the larger likelihood."""
    test = SequentialTest(background_cps=20.0, signal_cps=10.0, longest_s=4.0)
    assert test.decide(98, 3.9) is Decision.OPEN
    assert test.decide(98, 4.0) is Decision.BACKGROUND
    assert test.decide(99, 4.0) is Decision.SIGNAL


def test_a_verdict_stays() -> None:
    """Counts after the verdict change nothing, and nothing is left to wait for."""
    state = planned().start().after(40, 0.5)
    assert state.decision is Decision.SIGNAL
    assert state.after(0, 100.0) == state
    assert state.remaining_s == 0


@given(st.integers(0, 60), st.floats(0.1, 3.0))
def test_what_remains_ends_at_the_cut_off(counts: int, time_s: float) -> None:
    """The time still expected is never negative and never beyond the longest."""
    test = planned()
    state = test.start().after(counts, time_s)
    assert 0 <= state.remaining_s <= test.longest_s


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0.1, 10.0))
def test_more_counts_never_speak_for_background(counts: int, more: int, time_s: float) -> None:
    """Once so many counts mean a signal, more of them in the same time do too."""
    test = planned()
    order = [Decision.BACKGROUND, Decision.OPEN, Decision.SIGNAL]
    assert order.index(test.decide(counts + more, time_s)) >= order.index(test.decide(counts, time_s))


@pytest.mark.parametrize(
    "changes",
    [
        {"background_cps": 0.0},
        {"signal_cps": -1.0},
        {"signal_cps": float("nan")},
        {"false_alarm": 0.0},
        {"miss": 0.5},
    ],
)
def test_a_test_of_nothing_is_refused(changes: dict[str, float]) -> None:
    """No background, no signal, or errors that are none, are refused with what is wanted instead."""
    with pytest.raises(NavigationError, match="wants"):
        SequentialTest(**({"background_cps": 20.0, "signal_cps": 10.0, "longest_s": 9.0} | changes))


def test_a_signal_that_is_nothing_is_refused() -> None:
    """A thousandth of a count over a thousand a second would take years."""
    with pytest.raises(NavigationError, match="too few"):
        SequentialTest.planned(background_cps=1000.0, signal_cps=1e-3)


@pytest.mark.parametrize(("counts", "time_s"), [(-1.0, 0.1), (float("nan"), 0.1), (1.0, 0.0)])
def test_a_count_that_is_none_is_refused(counts: float, time_s: float) -> None:
    """Negative or unreal counts, or no time, do not enter the test."""
    with pytest.raises(NavigationError, match="wants"):
        planned().start().after(counts, time_s)


@pytest.mark.parametrize(("counts", "time_s"), [(0, 1.0), (17, 0.8), (400, 15.0)])
def test_the_log_ratio_is_that_of_two_poisson_probabilities(counts: int, time_s: float) -> None:
    """N ln(1 + s / b) - s t is the log of how much likelier the counts are with the signal than without."""
    exact = poisson.logpmf(counts, 30.0 * time_s) - poisson.logpmf(counts, 20.0 * time_s)
    assert planned().log_ratio(counts, time_s) == pytest.approx(exact, rel=1e-9)

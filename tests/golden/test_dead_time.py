"""Dead time of three kinds against published figures and against simulated pulses."""

from math import e, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.statistics.counting import Rate, counted_rate_cps, true_rate
from navigation.statistics.dead_time import DeadTimeModel


def exactly(rate_cps: float) -> Rate:
    """A rate without an error."""
    return Rate(rate_cps=rate_cps, sigma_cps=0.0)


@pytest.mark.parametrize(
    ("dead_time_us", "non_extending_cps", "extending_cps", "greatest_cps"),
    [
        (1, 250_000, 223_144, 367_879),
        (5, 50_000, 44_629, 73_576),
        (10, 25_000, 22_314, 36_788),
        (20, 12_500, 11_157, 18_394),
    ],
)
def test_twenty_percent_loss(
    dead_time_us: float, non_extending_cps: float, extending_cps: float, greatest_cps: float
) -> None:
    """20 % are lost at 0.25 / tau and at 0.2231 / tau; the most counted is 1 / (e tau) (Knoll, 4.VII)."""
    dead_time_s = dead_time_us * 1e-6
    fixed, extended = DeadTimeModel(non_extending_s=dead_time_s), DeadTimeModel(extending_s=dead_time_s)
    assert fixed.counted_cps(non_extending_cps) == pytest.approx(0.8 * non_extending_cps)
    assert extended.counted_cps(extending_cps) == pytest.approx(0.8 * extending_cps, rel=1e-4)
    assert extended.greatest_cps == pytest.approx(greatest_cps, rel=1e-5)
    assert extended.turn_cps == pytest.approx(1 / dead_time_s)
    assert extended.greatest_cps == pytest.approx(1 / (e * dead_time_s))
    found = extended.true_rate(exactly(0.8 * extending_cps))
    assert found.rate.rate_cps == pytest.approx(extending_cps, rel=1e-4)


def first_after(times_s: NDArray[np.float64], dead_time_s: float) -> NDArray[np.float64]:
    """Pulses that do not fall into the non-extending dead time after the one before that did not."""
    kept, free_s = [], -inf
    for time_s in times_s:
        if time_s >= free_s:
            kept.append(time_s)
            free_s = time_s + dead_time_s
    return np.array(kept)


@pytest.mark.parametrize("true_cps", [2e3, 2e4, 8e4, 2e5])
@pytest.mark.parametrize(("non_extending_s", "extending_s"), [(5e-6, 0.0), (0.0, 5e-6), (3e-6, 2e-6)])
def test_simulated_pulses_are_lost_as_the_formula_says(
    true_cps: float, non_extending_s: float, extending_s: float
) -> None:
    """Poisson pulses one by one, all three kinds, below the turn and beyond it: as many are counted."""
    rng = np.random.default_rng(4)
    times_s = np.cumsum(rng.exponential(1 / true_cps, 200_000))
    seen_s = first_after(times_s, non_extending_s)
    gaps_s = np.diff(seen_s, prepend=-1.0)
    counted = int((gaps_s > non_extending_s + extending_s).sum())
    model = DeadTimeModel(non_extending_s=non_extending_s, extending_s=extending_s)
    assert counted / times_s[-1] == pytest.approx(model.counted_cps(true_cps), rel=0.012)


@given(
    non_extending_s=st.floats(0, 1e-4),
    extending_s=st.floats(1e-7, 1e-4),
    share=st.floats(0.001, 0.99),
)
def test_the_lower_branch_is_inverted(non_extending_s: float, extending_s: float, share: float) -> None:
    """Every rate below the turn comes back, and never one beyond it."""
    model = DeadTimeModel(non_extending_s=non_extending_s, extending_s=extending_s)
    true_cps = share * model.turn_cps
    found = model.true_rate(exactly(model.counted_cps(true_cps)))
    # near the turn a rounding error of the count moves the rate by its root
    assert found.rate.rate_cps == pytest.approx(true_cps, rel=1e-6)
    assert found.rate.rate_cps < model.turn_cps


@pytest.mark.parametrize("dead_time_s", [0.0, 5e-6, 2e-4])
def test_without_an_extending_part_it_is_the_simple_formula(dead_time_s: float) -> None:
    """The rates and errors that the rest of the room uses."""
    model = DeadTimeModel(non_extending_s=dead_time_s)
    counted = Rate(rate_cps=counted_rate_cps(3000.0, dead_time_s), sigma_cps=50.0)
    found, simple = model.true_rate(counted), true_rate(counted, dead_time_s)
    assert found.rate.rate_cps == pytest.approx(simple.rate_cps)
    assert found.rate.sigma_cps == pytest.approx(simple.sigma_cps)
    assert not found.is_near_turn
    assert model.turn_cps == inf


def test_the_turn_is_told_before_it_is_reached() -> None:
    """Far below it nothing is said; near it, or where the error reaches there, it is."""
    model = DeadTimeModel(extending_s=1e-5)
    assert not model.true_rate(exactly(0.5 * model.greatest_cps)).is_near_turn
    assert model.true_rate(exactly(0.95 * model.greatest_cps)).is_near_turn
    wide = Rate(rate_cps=0.8 * model.greatest_cps, sigma_cps=0.06 * model.greatest_cps)
    assert model.true_rate(wide).is_near_turn


def test_the_error_is_the_scatter() -> None:
    """Counts of many intervals, corrected one by one, scatter by the error that is given."""
    rng = np.random.default_rng(6)
    model = DeadTimeModel(extending_s=5e-6)
    counted_cps = model.counted_cps(50_000.0)
    given_sigma_cps = 300.0
    found = [
        model.true_rate(Rate(rate_cps=rate_cps, sigma_cps=given_sigma_cps)).rate
        for rate_cps in rng.normal(counted_cps, given_sigma_cps, 2000)
    ]
    scatter = np.std([rate.rate_cps for rate in found])
    assert scatter == pytest.approx(np.mean([rate.sigma_cps for rate in found]), rel=0.08)


def test_what_cannot_be_counted_is_refused() -> None:
    """At the greatest rate and above there is no true rate, and no number is made up."""
    model = DeadTimeModel(extending_s=1e-5)
    with pytest.raises(NavigationError, match="36788 cps is the most"):
        model.true_rate(exactly(40_000.0))
    with pytest.raises(NavigationError, match="a dead time of -1e-06 s"):
        DeadTimeModel(extending_s=-1e-6)
    with pytest.raises(NavigationError, match="a true rate of nan"):
        model.counted_cps(float("nan"))

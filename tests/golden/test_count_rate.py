"""Dead time by a decaying source, against counts drawn from the two textbook formulas."""

from math import e, exp

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.statistics.count_rate import CountRate, DecayingCount, fit_decaying_source

HALF_LIFE_S = 6.015 * 3600


def decaying(dead_time_s: float, *, is_extending: bool, seed: int, start_cps: float = 60e3) -> CountRate:
    """Fit twelve counts of 30 s over three half-lives, background 5 cps in."""
    rng = np.random.default_rng(seed)
    counts = []
    for elapsed_s in np.linspace(0, 3 * HALF_LIFE_S, 12):
        true_cps = start_cps * 2 ** -((elapsed_s + 15) / HALF_LIFE_S) + 5.0
        lost = true_cps * dead_time_s
        counted_cps = true_cps * exp(-lost) if is_extending else true_cps / (1 + lost)
        counts.append(DecayingCount(elapsed_s=elapsed_s, time_s=30.0, counts=int(rng.poisson(counted_cps * 30))))
    return fit_decaying_source(counts, half_life_s=HALF_LIFE_S, background_cps=5.0)


@pytest.mark.parametrize("is_extending", [False, True])
@pytest.mark.parametrize("dead_time_s", [2e-6, 8e-6])
def test_dead_time_and_its_kind_come_back(dead_time_s: float, *, is_extending: bool) -> None:
    """Value, error and kind of both textbook models are found, and no misfit is left."""
    found = [decaying(dead_time_s, is_extending=is_extending, seed=seed) for seed in range(10)]
    pulls = np.array([(each.dead_time_s - dead_time_s) / each.sigma_s for each in found])
    assert np.abs(pulls).max() < 3.5
    assert np.median([each.sigma_s for each in found]) < 0.1 * dead_time_s
    assert all(each.is_extending == is_extending for each in found if each.is_told)
    assert dead_time_s < 5e-6 or all(each.is_told for each in found)
    assert np.mean([each.chi2 / each.degrees for each in found]) == pytest.approx(1.0, abs=0.4)
    assert found[0].start_cps == pytest.approx(60e3, rel=0.01)


def test_the_rate_of_a_fifth_lost_is_that_of_the_table() -> None:
    """5 us: 50,000 cps true are counted as 40,000 without extension, 44,600 as 35,700 with it."""
    plain, extending = (decaying(5e-6, is_extending=kind, seed=1) for kind in (False, True))
    assert plain.loss_counted_cps == pytest.approx(40_000, rel=0.02)
    assert extending.loss_counted_cps == pytest.approx(0.8 * 44_629, rel=0.02)
    assert extending.model.greatest_cps == pytest.approx(1 / (e * 5e-6), rel=0.02)


def test_a_counter_without_dead_time_loses_nothing() -> None:
    """No dead time is found as none, within its error, and its kind is not told."""
    found = decaying(0.0, is_extending=False, seed=3)
    assert found.dead_time_s < 3 * found.sigma_s + 1e-8
    assert not found.is_told


def test_too_short_a_decay_is_refused() -> None:
    """Counts of one hour do not tell the source's rate from the dead time."""
    counts = [DecayingCount(elapsed_s=900.0 * number, time_s=30.0, counts=1_000_000) for number in range(5)]
    with pytest.raises(NavigationError, match="half-life"):
        fit_decaying_source(counts, half_life_s=HALF_LIFE_S, background_cps=5.0)

"""Detection with few counts, against published figures and against chance itself."""

import numpy as np
import pytest
from scipy.stats import binomtest

from navigation.errors import NavigationError
from navigation.statistics.counting import critical_level, detection_limit, poisson_interval
from navigation.statistics.detection import critical_over_counted, least_detected, over_counted, over_known


@pytest.mark.parametrize(
    ("background", "critical", "limit"),
    [
        # no background at all: any count is a source, and 3.00 of them are missed in 5 % (Currie 2008: ln 20)
        (0.0, 0, 2.996),
        # upper limits of 3 and of 15 counts (Garwood 1936, one-sided 95 %): 7.754, 23.097
        (1.0, 3, 7.754 - 1.0),
        (9.0, 14, 21.886 - 9.0),
        (10.0, 15, 23.097 - 10.0),
    ],
)
def test_a_known_background(background: float, critical: int, limit: float) -> None:
    """Critical count and limit by the Poisson distribution alone."""
    found = over_known(background)
    assert found.critical_counts == critical
    assert found.limit_counts == pytest.approx(limit, abs=0.001)
    assert poisson_interval(critical, confidence=0.90)[1] == pytest.approx(limit + background, abs=0.001)


@pytest.mark.parametrize(
    ("background", "critical"),
    [
        # of n in all, all in the gross count: 0.5^n <= 0.05 from n = 5 on
        (0, 4),
        # binomial test of Przyborowski and Wilenski: 8 of 9 happen in 10 / 512 = 0.0195, 7 of 8 in 9 / 256 = 0.035
        (1, 6),
        # 10 of 12: 79 / 4096 = 0.019; 9 of 11: 67 / 2048 = 0.033; 8 of 10: 56 / 1024 = 0.055
        (2, 8),
    ],
)
def test_a_counted_background(background: int, critical: int) -> None:
    """Critical gross counts by sums of binomial coefficients made by hand."""
    assert critical_over_counted(background) == critical


@pytest.mark.parametrize(("background", "time_ratio"), [(0, 1e-3), (3, 0.1), (300, 60.0), (900, 1440.0)])
def test_the_critical_count_is_the_least_that_keeps_its_promise(background: int, time_ratio: float) -> None:
    """By scipy's binomial test, of seconds over a minute and of a day over one: one less would not keep it."""
    critical, share = critical_over_counted(background, time_ratio=time_ratio), time_ratio / (1 + time_ratio)

    def chance(more_than: int) -> float:
        gross = more_than + 1
        return float(binomtest(gross, gross + background, share, alternative="greater").pvalue)

    assert chance(critical) <= 0.05
    assert critical == 0 or chance(critical - 1) > 0.05


def test_a_day_over_a_minute_of_background_is_told_at_once() -> None:
    """Half a million counts happen by the background alone: their sums take no minutes, and no count is lost."""
    rng, background, time_ratio = np.random.default_rng(7), 300, 1440.0
    limit = over_counted(background, time_ratio=time_ratio).limit_counts
    blanks = rng.poisson(background, 2000)
    bounds = np.array([critical_over_counted(int(one), time_ratio=time_ratio) for one in blanks])
    assert (rng.poisson(background * time_ratio, 2000) > bounds).mean() <= 0.065
    assert (rng.poisson(background * time_ratio + limit, 2000) <= bounds).mean() == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("background", [0.3, 1.0, 4.0, 12.0])
@pytest.mark.parametrize("time_ratio", [0.25, 1.0])
def test_errors_are_kept_where_the_normal_formulas_break_them(background: float, time_ratio: float) -> None:
    """Counted again and again: no more false alarms than 5 %, and at the limit just 5 % missed."""
    rng = np.random.default_rng(3)
    limit = over_counted(background, time_ratio=time_ratio).limit_counts
    blanks = rng.poisson(background, 20_000)
    criticals = {int(one): critical_over_counted(int(one), time_ratio=time_ratio) for one in np.unique(blanks)}
    bounds = np.array([criticals[int(one)] for one in blanks])
    alarms = (rng.poisson(background * time_ratio, 20_000) > bounds).mean()
    missed = (rng.poisson(background * time_ratio + limit, 20_000) <= bounds).mean()
    assert alarms <= 0.052
    assert missed == pytest.approx(0.05, abs=0.006)


def test_the_normal_formula_breaks_its_promise_with_few_counts() -> None:
    """The reason for all this: over 0.3 counts Currie's paired level alarms falsely in far more than 5 %."""
    rng = np.random.default_rng(3)
    blanks, gross = rng.poisson(0.3, 20_000), rng.poisson(0.3, 20_000)
    levels = np.array([critical_level(float(one)) for one in range(int(blanks.max()) + 1)])
    assert (gross - blanks > levels[blanks]).mean() > 0.15


def test_many_counts_agree_with_the_normal_formulas() -> None:
    """With hundreds of counts exact and normal say the same within what whole counts make of it."""
    found = over_counted(400.0)
    assert found.critical_counts - 400 == pytest.approx(critical_level(400.0), abs=2.0)
    assert found.limit_counts == pytest.approx(detection_limit(400.0), rel=0.05)
    assert least_detected(400.0) == found.limit_counts
    assert least_detected(1e6, time_ratio=0.5) == detection_limit(1e6, time_ratio=0.5)


@pytest.mark.parametrize(
    ("background", "false_alarm"), [(-1.0, 0.05), (float("nan"), 0.05), (1.0, 0.5), (1e6, 0.05)]
)
def test_what_makes_no_test_is_refused(background: float, false_alarm: float) -> None:
    """A background that is none, errors that are none, and sums that would be endless."""
    with pytest.raises(NavigationError):
        over_counted(background, false_alarm=false_alarm)

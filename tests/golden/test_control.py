"""Control charts against Montgomery's example, published run lengths, and what must be said of a figure."""

from math import inf, nan

import numpy as np
import pytest
from scipy.stats import chi2, norm

from navigation.errors import NavigationError
from navigation.statistics.control import (
    STANDARD,
    Process,
    Signal,
    chart,
    chi_square_deviate,
    process_of,
)

MONTGOMERY = [
    9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34, 9.03, 11.47, 10.51, 9.40, 10.08,
    9.37, 10.62, 10.31, 8.52, 10.84, 10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52,
]  # fmt: skip
"""Introduction to Statistical Quality Control, 6th ed., table 9.1: mean 10, sigma 1, from the 21st on mean 11."""

AVERAGES = [
    9.945, 9.7495, 9.70355, 9.8992, 10.1253, 10.1307, 9.92167, 10.0755, 9.98796, 10.0232,
    9.92384, 10.0785, 10.1216, 10.0495, 10.0525, 9.98426, 10.0478, 10.074, 9.91864, 10.0108,
    10.0997, 10.0227, 10.2495, 10.3745, 10.3971, 10.4654, 10.4568, 10.5731, 10.6468, 10.6341,
]  # fmt: skip
"""The same, table 9.10: moving averages with lambda 0.10."""


def test_the_moving_average_is_montgomerys() -> None:
    """Example 9.2: every average, the lines of the first two, the steady ones, and where it calls."""
    points = chart(MONTGOMERY, Process(centre=10.0, sigma=1.0), weight=0.10, limit=2.7)
    assert [point.average for point in points] == pytest.approx(AVERAGES, abs=6e-5)
    assert [round(10 + point.average_line, 2) for point in (*points[:2], points[-1])] == [10.27, 10.36, 10.62]
    shifts = [number for number, point in enumerate(points, start=1) if point.signal is Signal.SHIFT]
    assert shifts == [29, 30]
    assert not any(point.signal is Signal.ACTION for point in points)


def run_lengths(shift: float, runs: int) -> tuple[float, float]:
    """Mean number of values until the moving average calls, and the standard error of that."""
    rng = np.random.default_rng(1990)
    found = []
    for _ in range(runs):
        average, count = 0.0, 0
        line = 2.962 * np.sqrt(0.2 / 1.8)
        while abs(average) <= line:
            average = 0.2 * (shift + rng.standard_normal()) + 0.8 * average
            count += 1
        found.append(count)
    return float(np.mean(found)), float(np.std(found) / np.sqrt(runs))


@pytest.mark.parametrize(("shift", "published"), [(0.0, 500.0), (0.5, 41.8), (1.0, 10.5), (2.0, 3.7)])
def test_the_lines_are_those_of_the_published_run_lengths(shift: float, published: float) -> None:
    """Lucas and Saccucci's lambda 0.2 with L 2.962: 500 values without a shift, and so many with one."""
    mean, error = run_lengths(shift, 400)
    assert mean == pytest.approx(published, abs=4 * error + 0.1)


def test_our_chart_calls_where_the_run_lengths_were_taken() -> None:
    """A shift of one sigma is called by the moving average within the run lengths' own scatter."""
    rng = np.random.default_rng(7)
    first = []
    for _ in range(300):
        points = chart((1.0 + rng.standard_normal(60)).tolist(), STANDARD)
        first.append(
            next(number for number, point in enumerate(points, 1) if abs(point.average) > point.average_line)
        )
    # the lines of the first values are nearer, so that it calls a little earlier than 10.5
    assert 7.0 < np.mean(first) < 11.0


@pytest.mark.parametrize(
    ("values", "signal"),
    [
        ([0.0, 0.0, 1.9], Signal.IN_ORDER),
        ([0.0, 0.0, 2.1], Signal.WARNING),
        ([0.0, 0.0, -3.1], Signal.ACTION),
        ([2.1, 0.0, 2.1], Signal.TWO_OF_THREE),
        ([2.1, 0.0, -2.1], Signal.WARNING),
        ([2.1, 0.0, 0.0, -0.1, 2.1], Signal.WARNING),
        ([-2.1, -2.1], Signal.TWO_OF_THREE),
        ([1.2] * 12, Signal.SHIFT),
    ],
)
def test_each_rule_calls_by_its_name(values: list[float], signal: Signal) -> None:
    """One beyond three sigmas, two of three beyond two on one side, a slow shift; and nothing else."""
    assert chart(values, STANDARD)[-1].signal is signal
    assert signal.is_out is (signal not in {Signal.IN_ORDER, Signal.WARNING})


def test_a_good_figure_is_left_alone() -> None:
    """Of many days in order hardly more than a hundredth is out: 0.27 % and 0.2 % by the lines, and the pairs."""
    points = chart(np.random.default_rng(3).standard_normal(20_000).tolist(), STANDARD)
    assert np.mean([point.signal.is_out for point in points]) < 0.012


@pytest.mark.parametrize(
    ("base", "counting_sigma", "least", "greatest"),
    [(15, 0.0, 0.03, 0.07), (15, 1.0, 0.009, 0.02), (60, 0.0, 0.009, 0.02)],
)
def test_lines_are_as_good_as_their_base(base: int, counting_sigma: float, least: float, greatest: float) -> None:
    """In order, one in twenty is out of lines learnt from 15 values, one in seventy from 60, or by counting."""
    rng, out = np.random.default_rng(1), list[bool]()
    for _ in range(150):
        values = rng.standard_normal(base + 60).tolist()
        points = chart(values[base:], process_of(values[:base], counting_sigma=counting_sigma))
        out += [point.signal.is_out for point in points]
    assert least < np.mean(out) < greatest


def test_the_base_is_learnt_from_neighbours() -> None:
    """Montgomery 6.4: sigma is the mean moving range over 1.128; a drift within the base does not widen it."""
    assert process_of([10.0, 11.0, 10.0, 12.0]).sigma == pytest.approx((1 + 1 + 2) / 3 / 1.128)
    noise = np.random.default_rng(5).standard_normal(400)
    assert process_of((noise + np.linspace(0, 20, 400)).tolist()).sigma == pytest.approx(1.0, abs=0.1)
    assert process_of([4.0, 4.0], counting_sigma=0.3) == Process(centre=4.0, sigma=0.3)


def test_chi_square_stands_on_a_chart_of_its_own_rarity() -> None:
    """The limits of 95 % and of 90 % are as rare as 1.645 and 1.282 sigmas; chance makes it standard normal."""
    assert chi_square_deviate(16.919, 9) == pytest.approx(1.645, abs=1e-3)
    assert chi_square_deviate(3.325, 9) == pytest.approx(-1.645, abs=1e-3)
    assert chi_square_deviate(14.684, 9) == pytest.approx(1.2816, abs=1e-3)
    assert chi_square_deviate(0.0, 9) == -8.2
    assert chi_square_deviate(1e6, 9) == 8.2
    drawn = chi2.rvs(9, size=4000, random_state=np.random.default_rng(6))
    deviates = np.sort([chi_square_deviate(value, 9) for value in drawn])
    assert deviates == pytest.approx(norm.ppf((np.arange(4000) + 0.5) / 4000), abs=0.35)


def test_what_is_no_chart_is_refused() -> None:
    """No base, one value, a value that is no number, no spread at all."""
    for bad in ([], [1.0], [1.0, nan], [2.0, 2.0]):
        with pytest.raises(NavigationError, match="control chart"):
            process_of(bad)
    with pytest.raises(NavigationError, match="no number"):
        chart([inf], STANDARD)
    with pytest.raises(NavigationError, match="weight"):
        chart([1.0], STANDARD, weight=0.0)
    with pytest.raises(NavigationError, match="chi-square"):
        chi_square_deviate(-1.0, 9)

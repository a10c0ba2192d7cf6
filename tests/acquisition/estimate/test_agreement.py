"""What was counted, against what the estimate expects: chance and calibration excuse, nothing else does."""

import numpy as np
import pytest

from acquisition.estimate.agreement import OVER_S, Agreement, Comparison
from navigation.estimation.posterior import Estimator
from navigation.observations import Observations
from tests.acquisition.estimate.test_localising import premises


def readings(counts: float, *, first: int, many: int) -> Observations:
    """A probe before the node, counting so much in each tenth of a second."""
    return Observations(
        counts=np.full(many, counts),
        live_time_s=np.full(many, 0.1),
        tip_mm=np.tile([0.0, -32.0, 0.0], (many, 1)),
        axis=np.tile([0.0, 1.0, 0.0], (many, 1)),
        taken_at_s=0.1 * np.arange(first, first + many, dtype=np.float64),
    )


def estimator() -> Estimator:
    begun = premises()
    return Estimator(begun.response, begun.prior, begun.tissue)


def agreement(low: float, high: float) -> Agreement:
    return Agreement(counts=100, expected=100.0, live_time_s=1.0, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.8, 1.2, "agrees"), (1.1, 1.3, "agrees"), (1.2, 1.4, "more"), (0.7, 0.8, "fewer"), (0.7, 0.9, "agrees")],
)
def test_the_calibration_excuses_what_it_can_be_wrong_by(low: float, high: float, verdict: str) -> None:
    """An interval that comes within the calibration's error of the prediction agrees with it."""
    assert agreement(low, high).verdict == verdict


def test_the_newest_readings_are_compared() -> None:
    """Counted and expected are of the same last two seconds, and a well explained rate agrees."""
    held, comparison = estimator(), Comparison()
    assert comparison.compare(held, Observations.empty()) is None
    seen = None
    for first in range(0, 60, 5):
        seen = readings(40.0, first=first, many=5)
        held.add(seen)
        told = comparison.compare(held, seen)
    assert told is not None
    assert told.live_time_s == pytest.approx(OVER_S)
    assert told.counts == 800
    fit = held.fit
    assert fit is not None
    assert told.expected == pytest.approx(fit.expected[-20:].sum())
    assert (told.low * told.expected, told.high * told.expected) == pytest.approx(
        (718.66, 887.60), abs=0.01
    )  # chi-square
    assert told.verdict == "agrees"


def test_a_rate_that_nothing_explains_is_told() -> None:
    """A probe that suddenly counts three times what the estimate learnt is not called predicted."""
    held, comparison = estimator(), Comparison()
    for first in range(0, 100, 5):
        seen = readings(40.0, first=first, many=5)
        held.add(seen)
        comparison.compare(held, seen)
    seen = readings(120.0, first=100, many=20)
    held.add(seen)
    told = comparison.compare(held, seen)
    assert told is not None
    assert told.counts == 2400
    assert told.verdict == "more"

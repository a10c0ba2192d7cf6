"""What the estimate rests on: unknown is null, a shift has its interval, and every reason is counted."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from acquisition.estimate.agreement import Agreement
from display.states.estimate import show_posterior, show_rejections
from navigation.estimation.shift import MapShift
from navigation.screening.sieve import Reason, Rejections
from tests.acquisition.estimate.test_localising import response
from tests.display.test_composer import believed, estimate

BELIEVED = believed(estimate(), until_s=9.9)


def test_without_a_belief_there_is_nothing_to_show() -> None:
    """No estimate, or no calibration that it could rest on: null."""
    assert show_posterior(None, response(), now_s=10.0) is None
    assert show_posterior(BELIEVED, None, now_s=10.0) is None


def test_what_is_not_known_is_null() -> None:
    """Before the map's shift and an expected rate are known, neither is a number."""
    state = show_posterior(BELIEVED, response(), now_s=10.0)
    assert state is not None
    assert (state.map_shift, state.agreement) == (None, None)
    assert state.age_s == pytest.approx(0.1)


def test_the_map_s_shift_has_its_length_and_interval() -> None:
    """Moved by 12 and 5 mm it moved by 13 mm; the interval is the covariance along that way."""
    shift = MapShift(mean_mm=np.array([12.0, 0.0, 5.0]), covariance_mm2=np.diag([4.0, 100.0, 4.0]))
    state = show_posterior(
        replace(BELIEVED, posterior=replace(BELIEVED.posterior, map_shift=shift)), response(), now_s=10.0
    )
    assert state is not None
    assert state.map_shift is not None
    assert state.map_shift.shift_mm == (12.0, 0.0, 5.0)
    assert (state.map_shift.distance_mm, state.map_shift.half_width_mm) == pytest.approx((13.0, 1.96 * 2.0))


def test_a_map_that_did_not_move_is_as_unsure_as_its_longest_axis() -> None:
    """A shift of nothing has no direction: the interval is the widest."""
    shift = MapShift(mean_mm=np.zeros(3), covariance_mm2=np.diag([4.0, 9.0, 1.0]))
    state = show_posterior(
        replace(BELIEVED, posterior=replace(BELIEVED.posterior, map_shift=shift)), response(), now_s=10.0
    )
    assert state is not None
    assert state.map_shift is not None
    assert (state.map_shift.distance_mm, state.map_shift.half_width_mm) == pytest.approx((0.0, 1.96 * 3.0))


def test_counted_and_expected_are_rates_of_the_same_time() -> None:
    """300 counts of 2 s where 200 were expected: 150 against 100 a second, and more than predicted."""
    agreement = Agreement(counts=300, expected=200.0, live_time_s=2.0, low=1.25, high=1.8)
    state = show_posterior(replace(BELIEVED, agreement=agreement), response(), now_s=10.0)
    assert state is not None
    assert state.agreement is not None
    assert (state.agreement.measured_cps, state.agreement.expected_cps) == (150.0, 100.0)
    assert (state.agreement.low, state.agreement.high, state.agreement.verdict) == (1.25, 1.8, "more")


def test_doubts_are_told() -> None:
    """A contradiction, a view outside the calibration and fresh starts each stand in the frame."""
    doubted = replace(BELIEVED.posterior, is_consistent=False, is_within_calibration=False, restarts=2)
    state = show_posterior(replace(BELIEVED, posterior=doubted), response(), now_s=10.0)
    assert state is not None
    assert (state.consistent, state.within_calibration, state.restarts) == (False, False, 2)


def test_rejected_readings_are_told_by_reason() -> None:
    """The commonest reason first, in words; none where all were taken."""
    counted = MappingProxyType({Reason.REPEATED: 2, Reason.WILD: 9, Reason.COUNTS: 2})
    told = [(each.reason, each.readings) for each in show_rejections(Rejections(by_reason=counted))]
    assert told == [
        ("its pose is off the hand's way", 9),
        ("counted twice", 2),
        ("more counts than the instrument can count", 2),
    ]
    assert show_rejections(Rejections()) == ()

"""Advice is young, of this estimate and of a target that is still sought, or it is none."""

from dataclasses import replace

import numpy as np
import pytest

from acquisition.estimate.advising import EVERY_S, LATE_S, STALE_AFTER_S, Advised, Cadence
from acquisition.synchronise import TrackedCount, TrackStatus
from navigation.estimation.estimate import Posterior, TargetEstimate, region_of
from navigation.frames import Frame
from navigation.steering.advice import Advice
from navigation.transforms import RigidTransform


def target(name: str = "node", presence: float = 0.9) -> TargetEstimate:
    semi_axes_mm, axes = region_of(np.eye(3))
    return TargetEstimate(
        name=name,
        kind="target",
        presence=presence,
        centre_mm=np.zeros(3),
        covariance_mm2=np.eye(3),
        log_activity_mean=0.0,
        log_activity_sigma=0.1,
        is_localisable=True,
        reason="",
        region_semi_axes_mm=semi_axes_mm,
        region_axes=axes,
        mapped_mm=None,
    )


POSTERIOR = Posterior(
    targets=(target(),),
    background_cps=5.0,
    readings=100,
    expected_rate_cps=40.0,
    is_consistent=True,
    misfit=0.0,
    recent_misfit=0.0,
    restarts=0,
    map_shift=None,
    is_within_calibration=True,
)

ADVICE = Advice(
    target="node",
    patient_from_tip=RigidTransform.identity(Frame.PATIENT, Frame.TIP),
    dwell_s=1.0,
    semi_axis_now_mm=8.0,
    semi_axis_after_mm=5.0,
    information_bit=None,
    reason="Expected to shrink it",
)

ADVISED = Advised(advice=ADVICE, counted_until_s=10.0, took_ms=80.0, restarts=0)


def test_advice_holds_as_long_as_it_is_young() -> None:
    """It is as old as the newest count that it rests on, not as its answer."""
    assert ADVISED.holds(POSTERIOR, now_s=10.0 + STALE_AFTER_S)
    assert not ADVISED.holds(POSTERIOR, now_s=10.01 + STALE_AFTER_S)


@pytest.mark.parametrize(
    "posterior",
    [
        replace(POSTERIOR, restarts=1),
        replace(POSTERIOR, is_consistent=False),
        replace(POSTERIOR, targets=(target("another"),)),
        replace(POSTERIOR, targets=(target(presence=0.01),)),
    ],
    ids=["began anew", "contradicted", "target gone", "target absent"],
)
def test_advice_ends_with_what_it_was_given_on(posterior: Posterior) -> None:
    """An estimate that began anew or fits nothing, and a target that is given up, take the advice with them."""
    assert not ADVISED.holds(posterior, now_s=10.1)


def test_advice_on_what_is_on_no_map_holds_without_a_target() -> None:
    """A search for an unmapped target needs none to be named, but counts that fit."""
    search = replace(ADVISED, advice=replace(ADVICE, target=None))
    assert search.holds(replace(POSTERIOR, targets=()), now_s=10.1)
    assert not search.holds(replace(POSTERIOR, targets=(), is_consistent=False), now_s=10.1)


def test_a_question_is_due_once_a_second() -> None:
    """At once the first time, then a second after the last one was asked."""
    cadence = Cadence()
    assert cadence.is_due(oldest_waiting_s=None, now_s=5.0)
    cadence.asked(at_s=5.0, until_s=5.1)
    assert not cadence.is_due(oldest_waiting_s=None, now_s=5.0 + EVERY_S - 0.01)
    assert cadence.is_due(oldest_waiting_s=None, now_s=5.0 + EVERY_S)


def test_a_late_count_comes_before_a_question() -> None:
    """A count that waits too long is believed first; one that has just come may wait."""
    cadence = Cadence()
    assert not cadence.is_due(oldest_waiting_s=5.0, now_s=5.01 + LATE_S)
    assert cadence.is_due(oldest_waiting_s=5.0, now_s=4.99 + LATE_S)


def test_a_slow_host_spends_no_more_than_half_of_itself_on_questions() -> None:
    """After a question of two seconds two more are the counts'."""
    cadence = Cadence()
    cadence.asked(at_s=5.0, until_s=7.0)
    assert not cadence.is_due(oldest_waiting_s=None, now_s=8.9)
    assert cadence.is_due(oldest_waiting_s=None, now_s=9.0)


def test_the_hand_goes_on_from_where_it_counted() -> None:
    """The pose of a count is found by its time; of one that was never noted none is made up."""
    cadence = Cadence()
    pose = RigidTransform.identity(Frame.PATIENT, Frame.TIP)
    cadence.note(
        TrackedCount(
            device="gamma",
            middle_s=5.05,
            counts=1,
            live_time_s=0.1,
            patient_from_tip=pose,
            age_s=0.1,
            status=TrackStatus.OK,
        )
    )
    assert cadence.pose_at(5.05) is pose
    assert cadence.pose_at(5.15) is None

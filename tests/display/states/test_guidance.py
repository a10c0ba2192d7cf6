"""What to do next: one sentence at a time, in the patient's directions, and the next pose seen from the probe."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition.estimate.advising import STALE_AFTER_S, Advised
from display.messages.feed import AdviceState, GuidanceState
from display.states.guidance import show_advice, show_guidance
from navigation.estimation.estimate import Posterior
from navigation.frames import Frame
from navigation.steering.advice import Advice
from navigation.steering.guidance import guide
from navigation.transforms import RigidTransform
from tests.acquisition.estimate.test_localising import LOOKING_BACK
from tests.display.test_composer import believed, estimate
from tests.display.test_sentences import is_well_written

Array = NDArray[np.float64]

TIP_MM = np.array([0.0, -40.0, 0.0])
HERE = RigidTransform(to=Frame.PATIENT, from_=Frame.TIP, rotation=LOOKING_BACK, translation_mm=TIP_MM)
"""Before the patient, looking at her back, up to her head: her left is to the probe's right."""

LOCATED = believed(estimate(), until_s=9.9).posterior
UNLOCATED = believed(estimate(is_localisable=False), until_s=9.9).posterior


def rotated(*, right_deg: float = 0.0, up_deg: float = 0.0) -> Array:
    """The probe's axes after it was turned to its right, then up, about its own axes."""
    right, up = np.radians(right_deg), np.radians(up_deg)
    about_up = np.array([[np.cos(right), 0, -np.sin(right)], [0, 1, 0], [np.sin(right), 0, np.cos(right)]])
    about_left = np.array([[1, 0, 0], [0, np.cos(up), np.sin(up)], [0, -np.sin(up), np.cos(up)]])
    return np.asarray(LOOKING_BACK @ about_up @ about_left)


def advised(
    *way_mm: float,
    right_deg: float = 0.0,
    up_deg: float = 0.0,
    target: str | None = "target 1",
    semi_axis_mm: float | None = 8.0,
) -> Advised:
    """Advice to hold the probe so far from here, turned by so much."""
    pose = replace(
        HERE,
        rotation=rotated(right_deg=right_deg, up_deg=up_deg),
        translation_mm=TIP_MM + (np.array(way_mm) if way_mm else np.zeros(3)),
    )
    advice = Advice(
        target=target,
        patient_from_tip=pose,
        dwell_s=1.5,
        semi_axis_now_mm=semi_axis_mm,
        semi_axis_after_mm=None if semi_axis_mm is None else semi_axis_mm / 2,
        information_bit=1.0 if semi_axis_mm is None else None,
        reason="Tells most",
    )
    return Advised(advice=advice, counted_until_s=10.0, took_ms=50.0, restarts=0)


def shown(given: Advised | None, posterior: Posterior = LOCATED, *, now_s: float = 10.5) -> GuidanceState:
    return show_guidance(guide(posterior, HERE), given, posterior, HERE, now_s=now_s)


def seen(given: Advised) -> AdviceState:
    state = show_advice(given, HERE, now_s=10.5)
    assert state is not None
    return state


def test_the_next_pose_is_seen_from_the_probe() -> None:
    """The patient's left is to the right of a probe that looks at her from the front; the head is up."""
    state = seen(advised(18.0, 0.0, 6.0))
    assert (state.right_mm, state.up_mm, state.ahead_mm) == pytest.approx((18.0, 6.0, 0.0))
    assert state.way_mm == pytest.approx((18.0, 0.0, 6.0))
    assert state.tip_mm == pytest.approx((18.0, -40.0, 6.0))
    assert (state.tilt_right_deg, state.tilt_up_deg) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert state.age_s == pytest.approx(0.5)
    assert state.stale_after_s == STALE_AFTER_S
    assert state.dwell_s == 1.5


@pytest.mark.parametrize(("right_deg", "up_deg"), [(20.0, 0.0), (-35.0, 0.0), (0.0, 25.0), (0.0, -80.0)])
def test_a_tilt_is_as_the_hand_turns(right_deg: float, up_deg: float) -> None:
    """Turned to its right by 20 degrees the probe looks 20 degrees to the right, and so on."""
    state = seen(advised(right_deg=right_deg, up_deg=up_deg))
    assert (state.tilt_right_deg, state.tilt_up_deg) == pytest.approx((right_deg, up_deg))
    assert np.linalg.norm(state.axis) == pytest.approx(1.0)


def test_a_tilt_to_the_probe_s_right_looks_to_the_patient_s_left() -> None:
    """The same in the patient's axes, worked out by hand: from her front, looking 30 degrees to her left."""
    assert seen(advised(right_deg=30.0)).axis == pytest.approx((0.5, np.sqrt(0.75), 0.0))


SENTENCES = {
    "left": (advised(18.0, 0.0, 2.0, up_deg=20.0), "18 mm to the patient's left, tilt up 20°"),
    "right and head": (
        advised(-20.0, 3.0, 12.0, right_deg=-12.0, up_deg=2.0),
        "20 mm to the patient's right and 12 mm to the head, tilt left 12°",
    ),
    "feet": (advised(1.0, 0.0, -9.0), "9 mm to the feet"),
    "front": (advised(0.0, -11.0, 0.0), "11 mm to the front"),
    "back": (advised(0.0, 11.0, 0.0), "11 mm to the back"),
    "tilt alone": (advised(right_deg=21.0, up_deg=0.0), "tilt right 21°"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_the_sentence_says_where_to_hold_next(case: str) -> None:
    """The greatest one or two parts of the way and the turn, in the patient's and the probe's own directions."""
    given, words = SENTENCES[case]
    assert shown(given).sentence == f"Hold next: {words}"
    search = replace(given, advice=replace(given.advice, semi_axis_now_mm=None))
    assert shown(search, UNLOCATED).sentence == f"Cannot tell yet: hold {words}"
    assert is_well_written(shown(given).sentence.rstrip("°"))


def test_there_the_hand_holds_still() -> None:
    """Within 4 mm and 6 degrees the probe is held where it was advised."""
    there = advised(2.0, 0.0, 3.0, up_deg=5.0)
    assert seen(there).reached
    assert shown(there).sentence == "Hold still here"
    assert shown(there, UNLOCATED).sentence == "Cannot tell yet: hold still here"
    assert not seen(advised(3.0, 0.0, 3.0)).reached
    assert not seen(advised(up_deg=7.0)).reached


def test_what_is_not_located_keeps_its_advice_and_has_no_place() -> None:
    """That is the point of it: no bearing, no depth, no probability, but where to hold the probe."""
    state = shown(advised(18.0, 0.0, 0.0, semi_axis_mm=None), UNLOCATED)
    assert state.advice is not None
    assert state.advice.information_bit == 1.0
    assert (state.motion, state.depth_mm, state.depth_half_width_mm, state.probability_near) == (None,) * 4


def test_a_target_on_no_map_is_searched_for_without_a_name() -> None:
    """Where nothing is believed yet the sentence says so, and where to hold the probe."""
    nothing = replace(LOCATED, targets=())
    state = shown(advised(18.0, 0.0, 0.0, target=None, semi_axis_mm=None), nothing)
    assert state.sentence == "No target yet: hold 18 mm to the patient's left"
    assert state.target is None


def test_a_target_that_is_well_located_is_gone_to() -> None:
    """With its region within 5 mm the sentence leads to the target, and nothing else is to be held."""
    state = shown(advised(18.0, 0.0, 0.0, semi_axis_mm=4.9))
    assert state.advice is None
    assert state.sentence.startswith("Target 1: ")
    assert shown(advised(18.0, 0.0, 0.0, semi_axis_mm=5.1)).sentence.startswith("Hold next: ")


def test_a_search_is_over_once_the_target_is_located() -> None:
    """Advice that was given to find it is no advice to sharpen it."""
    assert shown(advised(18.0, 0.0, 0.0, semi_axis_mm=None)).advice is None


@pytest.mark.parametrize(
    ("posterior", "now_s"),
    [
        (LOCATED, 10.01 + STALE_AFTER_S),
        (replace(LOCATED, restarts=1), 10.5),
        (replace(LOCATED, is_consistent=False), 10.5),
        (replace(LOCATED, targets=(replace(estimate(), name="another"),)), 10.5),
        (replace(UNLOCATED, targets=(replace(estimate(is_localisable=False), presence=0.01),)), 10.5),
    ],
    ids=["stale", "began anew", "contradicted", "another target", "absent"],
)
def test_advice_that_no_longer_holds_is_not_shown(posterior: Posterior, now_s: float) -> None:
    """Old, of another belief or about another target: the sentence is the estimate's own again."""
    state = shown(advised(18.0, 0.0, 0.0), posterior, now_s=now_s)
    assert state.advice is None
    assert "old " not in state.sentence
    assert state.sentence == guide(posterior, HERE).sentence


def test_where_no_pose_would_help_nothing_is_shown() -> None:
    """An advice without a pose, or none at all, leaves the estimate's own sentence."""
    nowhere = replace(advised(), advice=replace(advised().advice, patient_from_tip=None))
    for given in (nowhere, None):
        state = shown(given, UNLOCATED)
        assert state.advice is None
        assert state.sentence.startswith("Cannot tell yet where target 1 is")

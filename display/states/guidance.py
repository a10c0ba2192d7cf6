"""What to do next as a display shows it: one sentence, and where to hold the probe until the target is located.

As long as a located target's region is large, and where a target is not located at all, the sentence says where to
hold the probe next; then it leads to the target. It changes its mind only with the advice, about once a second.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acquisition.estimate.advising import STALE_AFTER_S, Advised
from display.messages.feed import AdviceState, GuidanceState
from display.states.target import point
from navigation.estimation.estimate import Posterior
from navigation.steering.guidance import NEAR_MM, Guidance
from navigation.transforms import RigidTransform

THERE_MM, THERE_DEG = 4.0, 6.0
"""Distance and angle below which a probe is held where it was advised: a hand does no better."""

NAMED_ABOVE = 0.4
"""Share of the greatest part of a way or a turn above which another part of it is named too."""

SIDES = (
    ("to the patient's left", "to the patient's right"),
    ("to the back", "to the front"),
    ("to the head", "to the feet"),
)
"""The way along each of DICOM's patient axes, and against it."""

TURNS = (("right", "left"), ("up", "down"))
"""Seen along the probe, its up mark up."""


def show_guidance(
    guidance: Guidance,
    advised: Advised | None,
    posterior: Posterior,
    patient_from_tip: RigidTransform,
    *,
    now_s: float,
) -> GuidanceState:
    """Show what to do next, seen from where the probe is now."""
    advice = None
    if advised is not None and advised.holds(posterior, now_s=now_s) and not _is_settled(guidance, advised):
        advice = show_advice(advised, patient_from_tip, now_s=now_s)
    return GuidanceState(
        target=guidance.target,
        sentence=guidance.sentence if advice is None else _sentence(advice, guidance),
        expected_rate_cps=guidance.expected_rate_cps,
        motion=guidance.motion,
        depth_mm=guidance.depth_mm,
        depth_half_width_mm=guidance.depth_half_width_mm,
        probability_near=guidance.probability_near,
        advice=advice,
    )


def show_nothing(sentence: str) -> GuidanceState:
    """Show why nothing is guided to."""
    return GuidanceState(
        target=None,
        sentence=sentence,
        expected_rate_cps=None,
        motion=None,
        depth_mm=None,
        depth_half_width_mm=None,
        probability_near=None,
        advice=None,
    )


def _is_settled(guidance: Guidance, advised: Advised) -> bool:
    """Whether the advice is of no more use: about another target, or one that is located well enough to go to."""
    if advised.advice.target != guidance.target:
        return True
    now_mm = advised.advice.semi_axis_now_mm
    return guidance.bearing is not None and (now_mm is None or now_mm <= NEAR_MM)


def show_advice(advised: Advised, patient_from_tip: RigidTransform, *, now_s: float) -> AdviceState | None:
    """Show where to hold the probe next, seen from where it is now; None where no place would help."""
    advice, pose = advised.advice, advised.advice.patient_from_tip
    if pose is None:
        return None
    way_mm = pose.translation_mm - patient_from_tip.translation_mm
    left_mm, up_mm, ahead_mm = (float(each) for each in patient_from_tip.rotation.T @ way_mm)
    right_deg, up_deg = _tilt_deg(patient_from_tip.rotation.T @ pose.rotation[:, 2])
    return AdviceState(
        target=advice.target,
        tip_mm=point(pose.translation_mm),
        axis=point(pose.rotation[:, 2]),
        way_mm=point(way_mm),
        right_mm=-left_mm,
        up_mm=up_mm,
        ahead_mm=ahead_mm,
        tilt_right_deg=right_deg,
        tilt_up_deg=up_deg,
        reached=bool(np.linalg.norm(way_mm) <= THERE_MM and np.hypot(right_deg, up_deg) <= THERE_DEG),
        dwell_s=advice.dwell_s,
        semi_axis_now_mm=advice.semi_axis_now_mm,
        semi_axis_after_mm=advice.semi_axis_after_mm,
        information_bit=advice.information_bit,
        reason=advice.reason,
        age_s=max(0.0, now_s - advised.counted_until_s),
        stale_after_s=STALE_AFTER_S,
    )


def _tilt_deg(axis: NDArray[np.float64]) -> tuple[float, float]:
    """Turn a probe by so much to the right and up, to look along a unit vector of its tip's frame (x is left)."""
    aside = float(np.hypot(axis[0], axis[1]))
    angle_deg = float(np.degrees(np.arctan2(aside, axis[2])))
    if aside < 1e-9:
        return 0.0, angle_deg
    return -float(axis[0]) / aside * angle_deg, float(axis[1]) / aside * angle_deg


def _sentence(advice: AdviceState, guidance: Guidance) -> str:
    if guidance.bearing is not None:
        lead = ""
    elif guidance.target is None:
        lead = "No target yet: "
    else:
        lead = "Cannot tell yet: "
    if advice.reached:
        sentence = f"{lead}hold still here"
    else:
        move = _parts(advice.way_mm, SIDES, least=THERE_MM / 2, unit="mm")
        turn = _parts((advice.tilt_right_deg, advice.tilt_up_deg), TURNS, least=THERE_DEG / 2, unit="°")
        tilt = f"tilt {turn}" if turn else ""
        sentence = f"{lead or 'Hold next: '}{'hold ' if lead else ''}{', '.join(filter(None, (move, tilt)))}"
    return sentence[:1].upper() + sentence[1:]


def _parts(
    amounts: tuple[float, ...], words: tuple[tuple[str, str], ...], *, least: float, unit: Literal["mm", "°"]
) -> str:
    """Name the one or two greatest parts of a way or a turn."""
    greatest = max(abs(each) for each in amounts)
    named = sorted(zip(amounts, words, strict=True), key=lambda part: -abs(part[0]))[:2]
    told = [
        (abs(amount), along if amount > 0 else against)
        for amount, (along, against) in named
        if abs(amount) >= max(least, NAMED_ABOVE * greatest)
    ]
    if unit == "mm":
        return " and ".join(f"{amount:.0f} mm {way}" for amount, way in told)
    return " and ".join(f"{way} {amount:.0f}°" for amount, way in told)

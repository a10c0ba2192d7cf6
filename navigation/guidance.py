"""Where the target lies seen from the probe, and what to do, in one sentence.

The tip's frame has +z ahead (the way the probe looks) and +y up (its up mark). In a right-handed frame +x is
then y x z, to the *left* of someone who looks ahead, so to the right is -x: ``right_mm = -x``. This is
stated here once, and held by a test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import FrameMismatch
from navigation.estimate import Posterior, TargetEstimate
from navigation.frames import Frame
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

POINTED_DEG = 8.0
"""Off-axis angle below which the probe is said to point at the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """One target seen from the tip.

    Attributes
    ----------
    right_mm, up_mm, ahead_mm
        Of the target's centre in the tip's frame.
    distance_mm, distance_half_width_mm
        From the tip to the centre, and half its 95 % interval.
    off_axis_deg
        Between the way the probe looks and the direction to the centre, 0 to 180.

    """

    right_mm: float
    up_mm: float
    ahead_mm: float
    distance_mm: float
    distance_half_width_mm: float
    off_axis_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What to do next.

    Attributes
    ----------
    target
        Name of the target that it is about; None where there is none to go to.
    bearing
        Where it lies; None where it is not localisable.
    sentence
        One sentence for the surgeon: begins with a capital, ends without a full stop.
    expected_rate_cps
        Rate that the posterior predicts where the probe last counted; None before the first reading.

    """

    target: str | None
    bearing: Bearing | None
    sentence: str
    expected_rate_cps: float | None


def bearing_of(estimate: TargetEstimate, patient_from_tip: RigidTransform) -> Bearing:
    """Target's centre in the tip's frame; the distance's interval is the covariance along the line of sight.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    if (patient_from_tip.to, patient_from_tip.from_) != (Frame.PATIENT, Frame.TIP):
        raise FrameMismatch("patient_from_tip", f"{patient_from_tip.to}_from_{patient_from_tip.from_}")
    offset_mm = estimate.centre_mm - patient_from_tip.translation_mm
    x_mm, up_mm, ahead_mm = (float(each) for each in patient_from_tip.rotation.T @ offset_mm)
    distance_mm = float(np.linalg.norm(offset_mm))
    sight = offset_mm / distance_mm if distance_mm > 0 else patient_from_tip.rotation[:, 2]
    variance = float(sight @ estimate.covariance_mm2 @ sight)
    return Bearing(
        right_mm=-x_mm,
        up_mm=up_mm,
        ahead_mm=ahead_mm,
        distance_mm=distance_mm,
        distance_half_width_mm=1.96 * float(np.sqrt(variance)),
        off_axis_deg=float(np.degrees(np.arctan2(np.hypot(x_mm, up_mm), ahead_mm))),
    )


def _chosen(posterior: Posterior, wanted: str | None, tip_mm: Array) -> TargetEstimate | None:
    targets = [each for each in posterior.targets if each.kind == "target"]
    named = [each for each in targets if each.name == wanted]
    if named:
        return named[0]
    localisable = [each for each in targets if each.is_localisable]
    if localisable:
        return min(localisable, key=lambda each: float(np.linalg.norm(each.centre_mm - tip_mm)))
    return max(targets, key=lambda each: each.presence, default=None)


def _turn(bearing: Bearing) -> str:
    parts = []
    for amount, positive, negative in (
        (np.degrees(np.arctan2(bearing.right_mm, abs(bearing.ahead_mm))), "right", "left"),
        (np.degrees(np.arctan2(bearing.up_mm, abs(bearing.ahead_mm))), "up", "down"),
    ):
        if abs(amount) >= POINTED_DEG / 2:
            parts.append(f"{positive if amount > 0 else negative} {abs(amount):.0f}°")
    return " and ".join(parts)


def _sentence(estimate: TargetEstimate, bearing: Bearing) -> str:
    how_far = f"{estimate.name}: {bearing.distance_mm:.0f} mm ± {bearing.distance_half_width_mm:.0f}"
    if bearing.ahead_mm <= 0:
        return f"{how_far}, behind the tip: turn the probe round"
    turn = _turn(bearing)
    if bearing.off_axis_deg < POINTED_DEG or not turn:
        return f"{how_far}, straight ahead"
    return f"{how_far}, tilt {turn}, {bearing.ahead_mm:.0f} mm deeper ahead"


def guide(posterior: Posterior, patient_from_tip: RigidTransform | None, *, target: str | None = None) -> Guidance:
    """Say where to go.

    Parameters
    ----------
    posterior
        What is believed now.
    patient_from_tip
        Where the probe is now; None while it is not tracked.
    target
        Name of the target that was chosen; else the nearest that can be located.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    tip_mm = np.zeros(3) if patient_from_tip is None else patient_from_tip.translation_mm
    chosen = _chosen(posterior, target, tip_mm)
    bearing = None
    if posterior.readings == 0:
        sentence = "Nothing counted yet: hold the probe to the skin and sweep slowly"
    elif not posterior.is_consistent:
        sentence = (
            "The counts do not fit any position: check probe, tracker and patient's marker, then sweep again"
        )
    elif chosen is None:
        sentence = "No target yet: sweep slowly over the whole area"
    elif chosen.presence < 0.05:
        sentence = f"{chosen.name}: the counts speak against it"
    elif not chosen.is_localisable:
        sentence = f"Cannot tell yet where {chosen.name} is: {chosen.reason}; sweep slowly around it"
    elif patient_from_tip is None:
        sentence = f"{chosen.name} is located, but the probe is not tracked: show its marker to the tracker"
    else:
        bearing = bearing_of(chosen, patient_from_tip)
        sentence = _sentence(chosen, bearing)
    return Guidance(
        target=None if chosen is None else chosen.name,
        bearing=bearing,
        sentence=sentence[:1].upper() + sentence[1:],  # a target's name may begin it
        expected_rate_cps=posterior.expected_rate_cps,
    )

"""Where the target lies seen from the probe, how sure that is, and what to do, in one sentence.

The tip's frame has +z ahead (the way the probe looks) and +y up (its up mark). In a right-handed frame +x is
then y x z, to the *left* of someone who looks ahead, so to the right is -x: ``right_mm = -x``. This is
stated here once, and held by a test.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from navigation.errors import FrameMismatch, NavigationError
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.frames import Frame
from navigation.statistics.radius import probability_within
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

POINTED_DEG = 8.0
"""Off-axis angle below which the probe is said to point at the target."""

ABSENT_BELOW = 0.05
"""Probability below which the counts are said to speak against a target."""

NEAR_MM = 5.0
"""Distance from the stated centre within which a surgeon finds a node at once."""

MOTION_S = 1.0
"""Time over which the probe's motion is judged."""

LEAST_MOTION_S = 0.3
"""A track shorter than this says nothing of motion."""

DEAD_BAND_MM_PER_S = 4.0
"""Slower changes of distance are a hand at rest: four times the slope that 0.3 mm of noise on 10 poses leaves."""

Motion = Literal["toward", "away", "still"]
"""Whether the tip closes on the target, leaves it, or does neither."""


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """Where the tip was of late.

    Attributes
    ----------
    taken_at_s
        Host monotonic clock, shape (N,), rising.
    tip_mm
        Shape (N, 3), patient frame.

    Raises
    ------
    NavigationError
        Where shapes do not fit, a number is not finite or time does not rise.

    """

    taken_at_s: Array
    tip_mm: Array

    def __post_init__(self) -> None:
        times, tips = np.array(self.taken_at_s, np.float64), np.array(self.tip_mm, np.float64)
        if times.ndim != 1 or tips.shape != (len(times), 3):
            raise NavigationError(f"track: {times.shape} times do not go with {tips.shape} tips")
        if not (np.isfinite(times).all() and np.isfinite(tips).all() and (np.diff(times) > 0).all()):
            raise NavigationError("track: wants finite numbers, the oldest first")
        for name, array in (("taken_at_s", times), ("tip_mm", tips)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)


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
    motion
        What the probe's last second did to the distance; None without a bearing or a track.
    depth_mm, depth_half_width_mm
        Of the target's centre below the skin, and half its 95 % interval; None where it is not localisable or no
        skin is known.
    probability_near
        That the target lies within ``NEAR_MM`` of its stated centre, presence included; None where it is not
        localisable.

    """

    target: str | None
    bearing: Bearing | None
    sentence: str
    expected_rate_cps: float | None
    motion: Motion | None
    depth_mm: float | None
    depth_half_width_mm: float | None
    probability_near: float | None


def motion_of(track: Track, centre_mm: Array) -> Motion | None:
    """Judge whether the tip closes on a place: the distance's least-squares slope over the last second.

    None where the track is too short to tell.
    """
    if len(track.taken_at_s) < 3:
        return None
    is_late = track.taken_at_s > track.taken_at_s[-1] - MOTION_S
    times_s = track.taken_at_s[is_late] - track.taken_at_s[is_late].mean()
    if len(times_s) < 3 or times_s[-1] - times_s[0] < LEAST_MOTION_S:
        return None
    distance_mm = np.linalg.norm(track.tip_mm[is_late] - centre_mm, axis=1)
    slope_mm_per_s = float(times_s @ distance_mm / (times_s @ times_s))
    if abs(slope_mm_per_s) < DEAD_BAND_MM_PER_S:
        return "still"
    return "toward" if slope_mm_per_s < 0 else "away"


def depth_of(estimate: TargetEstimate, tissue: Tissue) -> tuple[float, float] | None:
    """Depth of a target's centre below the skin and half its 95 % interval, mm; None where no skin is known."""
    skin = tissue.skin_at(estimate.centre_mm[None])
    if not np.isfinite(skin.height_mm[0]):
        return None
    variance = float(skin.normal[0] @ estimate.covariance_mm2 @ skin.normal[0])
    return -float(skin.height_mm[0]), 1.96 * float(np.sqrt(variance))


def require_patient_from_tip(pose: RigidTransform) -> None:
    """Refuse a pose of other frames.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    if (pose.to, pose.from_) != (Frame.PATIENT, Frame.TIP):
        raise FrameMismatch("patient_from_tip", f"{pose.to}_from_{pose.from_}")


def bearing_of(estimate: TargetEstimate, patient_from_tip: RigidTransform) -> Bearing:
    """Target's centre in the tip's frame; the distance's interval is the covariance along the line of sight.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    require_patient_from_tip(patient_from_tip)
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


def choose(posterior: Posterior, wanted: str | None, tip_mm: Array) -> TargetEstimate | None:
    """Choose the target to go to: the wanted, else the nearest localisable, else the likeliest, if any."""
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


def guide(
    posterior: Posterior,
    patient_from_tip: RigidTransform | None,
    *,
    target: str | None = None,
    tissue: Tissue | None = None,
    track: Track | None = None,
) -> Guidance:
    """Say where to go.

    Parameters
    ----------
    posterior
        What is believed now.
    patient_from_tip
        Where the probe is now; None while it is not tracked.
    target
        Name of the target that was chosen; else the nearest that can be located.
    tissue
        Where the skin is; None where nobody knows.
    track
        Where the tip was until now; None where that was not kept.

    Raises
    ------
    FrameMismatch
        Where the pose does not map the tip's frame into the patient's.

    """
    tip_mm = np.zeros(3) if patient_from_tip is None else patient_from_tip.translation_mm
    chosen = choose(posterior, target, tip_mm)
    bearing = None
    if posterior.readings == 0:
        sentence = "Nothing counted yet: hold the probe to the skin and sweep slowly"
    elif not posterior.is_consistent:
        sentence = (
            "The counts do not fit any position: check probe, tracker and patient's marker, then sweep again"
        )
    elif chosen is None:
        sentence = "No target yet: sweep slowly over the whole area"
    elif chosen.presence < ABSENT_BELOW:
        sentence = f"{chosen.name}: the counts speak against it"
    elif not chosen.is_localisable:
        sentence = f"Cannot tell yet where {chosen.name} is: {chosen.reason}; sweep slowly around it"
    elif patient_from_tip is None:
        sentence = f"{chosen.name} is located, but the probe is not tracked: show its marker to the tracker"
    else:
        bearing = bearing_of(chosen, patient_from_tip)
        sentence = _sentence(chosen, bearing)
    located = chosen if posterior.is_consistent and chosen is not None and chosen.is_localisable else None
    depth = None if located is None or tissue is None else depth_of(located, tissue)
    near = None if located is None else located.presence * probability_within(located.covariance_mm2, NEAR_MM)
    return Guidance(
        target=None if chosen is None else chosen.name,
        bearing=bearing,
        sentence=sentence[:1].upper() + sentence[1:],  # a target's name may begin it
        expected_rate_cps=posterior.expected_rate_cps,
        motion=None
        if bearing is None or located is None or track is None
        else motion_of(track, located.centre_mm),
        depth_mm=None if depth is None else depth[0],
        depth_half_width_mm=None if depth is None else depth[1],
        probability_near=near,
    )

"""What disturbs an operating room, done to recordings with known truth, and what the service does about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Scene
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.screening.sieve import Sieve
from navigation.statistics.ratemeter import RateMeter
from navigation.tissue import HalfSpace

Array = NDArray[np.float64]

LATE_S = 0.05
"""By how much every pose is older than its count says."""

WILD_SHARE, WILD_MM, WILD_DEG = 0.02, (20.0, 200.0), (10.0, 60.0)
"""Share of readings with a wild pose, and how far off its tip and its axis are."""

LIFTED_S, LIFTED_MM, TURNING_S = 20.0, 200.0, 1.0
"""How long and how high the probe is lifted, and how long the tracker loses it as it is turned away and back."""

DOUBLED_FROM_S = 30.0
"""From when on contamination doubles the background."""

DOWNSCATTER_SHARE = 0.2
"""Rate that a second nuclide adds everywhere, over the scene's median rate."""

REPEATED_SHARE = 0.02
"""Share of readings that come twice."""

TIME_CONSTANT_S = 1.0
"""Of the rate meter that smooths what was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A recording, what made it, and the probe that did.

    Attributes
    ----------
    scene
        The recording.
    truth
        Its sources: name, kind, place in mm, activity in MBq.
    response
        Fitted to the probe's calibration.
    leak_cps_per_mbq
        Net rate on the bench at the widest angle, 30 mm off: what the shield lets through.

    """

    scene: Scene
    truth: list[dict[str, Any]]
    response: Response
    leak_cps_per_mbq: float

    @property
    def background_cps(self) -> float:
        """Rate without a source, as the header counted it."""
        background = self.scene.header["background"]
        return float(background["counts"]) / float(background["live_s"])


def _posed_at(observations: Observations, at_s: Array) -> tuple[Array, Array]:
    """Tips and axes at other times, straight between the recorded ones and held beyond them."""

    def at(columns: Array) -> Array:
        return np.stack([np.interp(at_s, observations.taken_at_s, each) for each in columns.T], axis=-1)

    axis = at(observations.axis)
    return at(observations.tip_mm), axis / np.linalg.norm(axis, axis=1)[:, None]


def late(patient: Patient, rng: np.random.Generator) -> Observations:
    """Give every count the pose of 50 ms before: the tracker's clock, or its delay, is not known."""
    del rng
    observations = patient.scene.observations
    tip_mm, axis = _posed_at(observations, observations.taken_at_s - LATE_S)
    return replace(observations, tip_mm=tip_mm, axis=axis)


def wild(patient: Patient, rng: np.random.Generator) -> Observations:
    """Give some counts a pose that is far off in any direction, and leans."""
    observations = patient.scene.observations
    chosen = np.flatnonzero(rng.random(len(observations)) < WILD_SHARE)
    aside, across = rng.normal(size=(2, len(chosen), 3))
    aside *= (rng.uniform(*WILD_MM, len(chosen)) / np.linalg.norm(aside, axis=1))[:, None]
    across -= (across * observations.axis[chosen]).sum(axis=1, keepdims=True) * observations.axis[chosen]
    across /= np.linalg.norm(across, axis=1)[:, None]
    lean = np.radians(rng.uniform(*WILD_DEG, len(chosen)))[:, None]
    tip_mm, axis = observations.tip_mm.copy(), observations.axis.copy()
    tip_mm[chosen] += aside
    axis[chosen] = np.cos(lean) * axis[chosen] + np.sin(lean) * across
    return replace(observations, tip_mm=tip_mm, axis=axis)


def lifted(patient: Patient, rng: np.random.Generator) -> Observations:
    """Lift the probe off half way, look up, and come back: it counts background and what its shield lets through.

    The tracker does not see it while it is turned. The rest of the recording comes later by that time.
    """
    observations = patient.scene.observations
    size = len(observations)
    half, step_s = size // 2, float(np.median(np.diff(observations.taken_at_s)))
    aloft = round((LIFTED_S - 2 * TURNING_S) / step_s)
    before, after = observations.take(np.arange(half)), observations.take(np.arange(half, size))
    tip_mm = before.tip_mm[-1] + np.array([0.0, 0.0, LIFTED_MM]) + rng.normal(0, 0.3, (aloft, 3))
    axis = np.array([0.0, 0.0, 1.0]) + np.radians(0.3) * rng.normal(size=(aloft, 3))
    rate_cps = np.full(aloft, patient.background_cps)
    for source in patient.truth:
        distance_mm = np.linalg.norm(tip_mm - np.array(source["position_mm"]), axis=1)
        rate_cps += source["activity_mbq"] * patient.leak_cps_per_mbq * (30.0 / distance_mm) ** 2
    live_time_s = np.full(aloft, float(np.median(observations.live_time_s)))
    above = Observations(
        counts=rng.poisson(rate_cps * live_time_s).astype(np.float64),
        live_time_s=live_time_s,
        tip_mm=tip_mm,
        axis=axis / np.linalg.norm(axis, axis=1)[:, None],
        taken_at_s=before.taken_at_s[-1] + TURNING_S + step_s * np.arange(1, aloft + 1),
    )
    return before + above + replace(after, taken_at_s=after.taken_at_s + LIFTED_S)


def _added(observations: Observations, rate_cps: Array | float, rng: np.random.Generator) -> Observations:
    more = rng.poisson(rate_cps * observations.live_time_s)
    return replace(observations, counts=observations.counts + more)


def contaminated(patient: Patient, rng: np.random.Generator) -> Observations:
    """Double the background from half a minute on, as a drop of tracer on the probe does."""
    observations = patient.scene.observations
    added_cps = np.where(observations.taken_at_s >= DOUBLED_FROM_S, patient.background_cps, 0.0)
    return _added(observations, added_cps, rng)


def scattered_into(patient: Patient, rng: np.random.Generator) -> Observations:
    """Add a rate that knows no direction: the downscatter of another nuclide all over the patient."""
    observations = patient.scene.observations
    rate_cps = float(np.median(observations.counts / observations.live_time_s))
    floor_cps = patient.background_cps  # at ten readings a second the median of few counts is zero
    return _added(observations, DOWNSCATTER_SHARE * max(rate_cps, floor_cps), rng)


def repeated(patient: Patient, rng: np.random.Generator) -> Observations:
    """Hand some readings on twice."""
    observations = patient.scene.observations
    times = np.where(rng.random(len(observations)) < REPEATED_SHARE, 2, 1)
    return observations.take(np.repeat(np.arange(len(observations)), times))


def smoothed(patient: Patient, rng: np.random.Generator) -> Observations:
    """Show an exponential mean of the rate, and take it for counts of the interval."""
    observations = patient.scene.observations
    shown_cps, rate_cps = np.zeros(len(observations)), patient.background_cps
    for row, (counts, live_s) in enumerate(zip(observations.counts, observations.live_time_s, strict=True)):
        age_s = rng.uniform(0.0, live_s, int(counts))
        rate_cps *= np.exp(-live_s / TIME_CONSTANT_S)
        rate_cps += float(np.exp(-age_s / TIME_CONSTANT_S).sum()) / TIME_CONSTANT_S
        shown_cps[row] = rate_cps
    return replace(observations, counts=shown_cps * observations.live_time_s)


def sieved(disturbed: Observations, patient: Patient) -> tuple[Observations, Mapping[str, int]]:
    """Let through what the service lets through; return it, and what it does not by reason."""
    surface = patient.scene.header["surface"]
    skin = HalfSpace(point_mm=np.array(surface["point_mm"], float), normal=np.array(surface["normal"], float))
    screening = Sieve(dead_time_s=patient.response.dead_time_s, tissue=skin).screen(disturbed)
    return screening.accepted, {each.name.lower(): count for each, count in screening.rejections.by_reason.items()}


def unsmoothed(disturbed: Observations, patient: Patient) -> tuple[Observations, Mapping[str, int]]:
    """Undo the rate meter; the poses are those at the mean times of the counts."""
    del patient
    meter = RateMeter(time_constant_s=TIME_CONSTANT_S)
    shown_at_s = disturbed.taken_at_s + disturbed.live_time_s / 2
    values = zip(shown_at_s, disturbed.counts / disturbed.live_time_s, strict=True)
    counts = [
        count for at_s, rate_cps in values if (count := meter.take(float(at_s), float(rate_cps))) is not None
    ]
    middle_s = np.array([each.middle_s for each in counts])
    tip_mm, axis = _posed_at(disturbed, middle_s)
    return Observations(
        counts=np.array([each.counts for each in counts]),
        live_time_s=np.array([each.live_time_s for each in counts]),
        tip_mm=tip_mm,
        axis=axis,
        taken_at_s=middle_s,
    ), {}


Disturb = Callable[[Patient, np.random.Generator], Observations]
Remedy = Callable[[Observations, Patient], tuple[Observations, Mapping[str, int]]]

DISTURBANCES: dict[str, tuple[Disturb, Remedy]] = {
    "pose 50 ms late": (late, sieved),
    "2 % wild poses": (wild, sieved),
    "lifted for 20 s": (lifted, sieved),
    "background doubled": (contaminated, sieved),
    "downscatter": (scattered_into, sieved),
    "2 % counted twice": (repeated, sieved),
    "rate smoothed over 1 s": (smoothed, unsmoothed),
}

"""How soon a node is found: the probe held where the advice says, against a raster scan over the same patient.

``python -m benchmarks.closed_loop`` prints a JSON line a family. Counts and bench calibration come from the
simulators' probe, which is another derivation than the response that is fitted to it. Both hands start at the same
pose with the same map, read ten times a second, and know nothing of the truth. The raster is that of the
recordings: 60 by 60 mm in lines at about 27 mm/s, leaning up to 25 degrees every way. The advised hand asks once a
second and moves at most 50 mm and 90 degrees a second. The time to 3 mm is the first from which the error
stays at or below 3 mm for ten seconds; a run without it counts as long as it lasted. ``s_said`` is the first time
at which the estimator's own covariance says 3 mm (root of its trace).
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.recordings import Spot
from navigation.estimation.estimate import Posterior
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.probe.bench import PointSourceCount
from navigation.probe.response import Response
from navigation.probe.response_fit import fit_response
from navigation.steering.advice import HAND_DEG_PER_S, HAND_MM_PER_S, Advice, advise
from navigation.tissue import HalfSpace
from navigation.transforms import RigidTransform, interpolate
from simulators.probe_physics import ProbePhysics

Array = NDArray[np.float64]

PROBE = ProbePhysics()
SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))

READING_S = 0.1
READINGS_A_SECOND = 10
TIP_SIGMA_MM, AXIS_SIGMA_RAD = 0.3, np.radians(0.3)
NEAR_MM, HELD_S = 3.0, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of patient.

    Attributes
    ----------
    depth_mm, activity_mbq
        Of the node.
    injection_mm
        How far beside it an injection site of 100 MBq lies, 15 mm deep; None without one.
    longest_s
        After which a run ends.

    """

    depth_mm: float
    activity_mbq: float = 0.1
    injection_mm: float | None = None
    longest_s: int = 60


FAMILIES = {
    "isolated-20mm": Family(depth_mm=20.0),
    "isolated-30mm": Family(depth_mm=30.0),
    "shine-40mm": Family(depth_mm=25.0, injection_mm=40.0, longest_s=90),
    "shine-30mm": Family(depth_mm=25.0, injection_mm=30.0, longest_s=90),
}


def calibrated(rng: np.random.Generator) -> Response:
    """Fit the response to a morning's bench with a source of 1 MBq: distances, angles, offsets; air and water."""
    places = [("air", distance, 0.0, 0.0) for distance in (5.0, 10.0, 20.0, 30.0, 50.0, 100.0)]
    places += [("air", 30.0, 0.0, angle) for angle in (*range(5, 50, 5), 60.0, 75.0, 90.0)]
    places += [("water", depth, 0.0, 0.0) for depth in (10.0, 20.0, 30.0, 50.0)]
    places += [("water", 20.0, aside, 0.0) for aside in (10.0, 20.0, 40.0)]
    counts, live_time_s, above_mm = [], 30.0, 0.4
    for medium, distance, aside, angle_deg in places:
        angle, lift = np.radians(angle_deg), above_mm if medium == "water" else 0.0
        point = np.array([[distance * np.sin(angle) + aside, 0.0, distance * np.cos(angle) + lift]])
        whole = float(np.linalg.norm(point))
        path = np.array([whole * (1 - lift / point[0, 2]) if medium == "water" else 0.0])
        counts.append(
            PointSourceCount(
                medium=medium,
                distance_mm=distance,
                lateral_mm=aside,
                angle_deg=angle_deg,
                activity_mbq=1.0,
                live_time_s=live_time_s,
                counts=counted(PROBE.rate_cps(point, np.ones(1), path), live_time_s, rng),
            )
        )
    return fit_response(
        counts,
        float(rng.poisson(PROBE.background_cps * 300)),
        300.0,
        PROBE.dead_time_s,
        probe="simulated",
        nuclide="Tc-99m",
        window_kev=(126.0, 154.0),
        calibrated_at="2026-11-22T07:30:00+00:00",
        tip_above_water_mm=above_mm,
    )[0]


def counted(rate_cps: float, live_time_s: float, rng: np.random.Generator) -> float:
    """Poisson count after the instrument's dead time."""
    return float(rng.poisson(rate_cps / (1 + rate_cps * PROBE.dead_time_s) * live_time_s))


def posed(tip_mm: Array, axis: Array) -> RigidTransform:
    """Pose of a probe whose up mark is towards the patient's feet."""
    ahead = axis / np.linalg.norm(axis)
    up = np.array([0.0, -1.0, 0.0]) + ahead[1] * ahead
    up /= np.linalg.norm(up)
    rotation = np.column_stack((np.cross(up, ahead), up, ahead))
    return RigidTransform(to=Frame.PATIENT, from_=Frame.TIP, rotation=rotation, translation_mm=tip_mm)


def raster(now_s: float, phase: Array) -> RigidTransform:
    """Pose of the scan: lines across, a whole area in 20 s, leaning; ``phase`` (4,) in turns."""
    across = 30.0 * np.sin(2 * np.pi * (now_s / 4.4 + phase[0]))
    along = 60.0 * np.abs((now_s / 40.0 + phase[1]) % 1.0 * 2 - 1) - 30.0
    lean = np.tan(np.radians(25.0)) * np.sqrt(0.5)
    axis = np.array(
        [
            lean * np.sin(2 * np.pi * (now_s / 3.1 + phase[2])),
            lean * np.sin(2 * np.pi * (now_s / 4.7 + phase[3])),
            -1.0,
        ]
    )
    return posed(np.array([across, along, 1.2 + np.sin(2 * np.pi * now_s / 2.3)]), axis)


def _mapped(name: str, place: Array, activity_mbq: float, rng: np.random.Generator) -> Spot:
    """Show a source on a map that is off as the recordings' maps are."""
    is_injection = name == "injection"
    sigma_mm, factor = (2.0, 1.2) if is_injection else (8.0, 2.0)
    return Spot(
        name=name,
        kind="injection" if is_injection else "target",
        centre_mm=place + rng.normal(0.0, sigma_mm, 3),
        covariance_mm2=sigma_mm**2 * np.eye(3),
        activity_mbq=activity_mbq * float(np.exp(rng.normal(0.0, np.log(factor)))),
        activity_factor=factor,
    )


class Patient:
    """What is hot, where; counts what a probe at a pose sees."""

    def __init__(self, family: Family, rng: np.random.Generator) -> None:
        self.rng = rng
        place = np.append(rng.uniform(-5.0, 5.0, 2), -family.depth_mm)
        self.node_mm = place
        self.places_mm, self.activity_mbq = place[None], np.array([family.activity_mbq])
        spots = [_mapped("node", place, family.activity_mbq, rng)]
        if family.injection_mm is not None:
            turn = rng.uniform(0, 2 * np.pi)
            beside = place[:2] + family.injection_mm * np.array([np.cos(turn), np.sin(turn)])
            injection = np.append(beside, -15.0)
            self.places_mm = np.stack((place, injection))
            self.activity_mbq = np.append(self.activity_mbq, 100.0)
            spots.append(_mapped("injection", injection, 100.0, rng))
        self.prior = Prior.from_hotspots(spots, shift_sigma_mm=0.0)  # a spot's sigma holds the shift

    def readings(self, poses: list[RigidTransform], end_s: float) -> Observations:
        """Count at each pose, and see each pose with the tracker's noise."""
        counts = []
        for pose in poses:
            tip = pose.translation_mm
            way = np.linalg.norm(self.places_mm - tip, axis=1)
            path = way * self.places_mm[:, 2] / (self.places_mm[:, 2] - max(float(tip[2]), 0.0))
            rate = PROBE.rate_cps(pose.inverse.points_mm(self.places_mm), self.activity_mbq, path)
            counts.append(counted(rate, READING_S, self.rng))
        size = len(poses)
        axis = np.array([pose.rotation[:, 2] for pose in poses]) + self.rng.normal(0, AXIS_SIGMA_RAD, (size, 3))
        tips = np.array([pose.translation_mm for pose in poses])
        return Observations(
            counts=np.array(counts),
            live_time_s=np.full(size, READING_S),
            tip_mm=tips + self.rng.normal(0, TIP_SIGMA_MM, (size, 3)),
            axis=axis / np.linalg.norm(axis, axis=1)[:, None],
            taken_at_s=np.linspace(end_s - (size - 0.5) * READING_S, end_s - READING_S / 2, size),
        )


def moved(here: RigidTransform, goal: RigidTransform) -> RigidTransform:
    """Pose a reading later of a hand on its way."""
    way_mm = float(np.linalg.norm(goal.translation_mm - here.translation_mm))
    turn_deg = np.degrees(np.arccos(np.clip((np.trace(here.rotation.T @ goal.rotation) - 1) / 2, -1, 1)))
    steps = max(way_mm / (HAND_MM_PER_S * READING_S), turn_deg / (HAND_DEG_PER_S * READING_S), 1.0)
    return interpolate(here, goal, 1.0 / steps)


class Advised:
    """A hand that goes where the advice says, and scans until there is one."""

    def __init__(self, estimator: Estimator, phase: Array) -> None:
        self._estimator = estimator
        self._phase = phase
        self._pose = raster(READING_S / 2, phase)
        self.took_ms: list[float] = []

    def poses(self, second: int, posterior: Posterior) -> list[RigidTransform]:
        """Poses of the next second's readings."""
        advice = self._ask(posterior)
        passed = []
        for number in range(READINGS_A_SECOND):
            scan = raster(second + (number + 0.5) * READING_S, self._phase)
            goal = scan if advice.patient_from_tip is None else advice.patient_from_tip
            self._pose = moved(self._pose, goal)
            passed.append(self._pose)
        return passed

    def _ask(self, posterior: Posterior) -> Advice:
        began = perf_counter()
        advice = advise(self._estimator, posterior, SKIN, self._pose)
        self.took_ms.append((perf_counter() - began) * 1e3)
        return advice


def scanned(phase: Array) -> Callable[[int, Posterior], list[RigidTransform]]:
    """Scan, whatever is believed."""
    return lambda second, _: [
        raster(second + (number + 0.5) * READING_S, phase) for number in range(READINGS_A_SECOND)
    ]


def run(
    patient: Patient,
    estimator: Estimator,
    poses: Callable[[int, Posterior], list[RigidTransform]],
    longest_s: int,
) -> dict[str, float]:
    """Count until the node is found, and say when it was, by its error and by the estimator's own word."""
    posterior = estimator.add(Observations.empty())
    near_since: int | None = None
    said_at = longest_s
    error_mm = np.inf
    for second in range(longest_s):
        posterior = estimator.add(patient.readings(poses(second, posterior), second + 1.0))
        target = posterior.targets[0]
        error_mm = float(np.linalg.norm(target.centre_mm - patient.node_mm))
        if not (target.is_localisable and error_mm <= NEAR_MM):
            near_since = None
        elif near_since is None:
            near_since = second + 1
        if target.is_localisable and np.trace(target.covariance_mm2) <= NEAR_MM**2:
            said_at = min(said_at, second + 1)
        if near_since is not None and second + 1 >= max(near_since + HELD_S, said_at):
            break
    return {
        "s_to_3_mm": longest_s if near_since is None else near_since,
        "s_said": said_at,
        "error_mm": round(error_mm, 2),
    }


def compared(name: str, seeds: int, response: Response) -> dict[str, Any]:
    """Run both hands over one family; return its JSON line."""
    family = FAMILIES[name]
    runs: dict[str, list[dict[str, float]]] = {"raster": [], "advised": []}
    took_ms: list[float] = []
    for seed in range(seeds):
        phase = np.random.default_rng([seed, 1]).uniform(0, 1, 4)
        for hand, found in runs.items():
            patient = Patient(family, np.random.default_rng([seed, 2]))
            estimator = Estimator(response, patient.prior, SKIN)
            if hand == "advised":
                advised = Advised(estimator, phase)
                found.append(run(patient, estimator, advised.poses, family.longest_s))
                took_ms += advised.took_ms
            else:
                found.append(run(patient, estimator, scanned(phase), family.longest_s))

    def median(hand: str, key: str) -> float:
        return float(np.median([each[key] for each in runs[hand]]))

    return {
        "family": name,
        "seeds": seeds,
        "longest_s": family.longest_s,
        **{
            f"{hand}_{key}": [each[key] for each in runs[hand]]
            for hand in runs
            for key in ("s_to_3_mm", "s_said", "error_mm")
        },
        "raster_median_s": median("raster", "s_to_3_mm"),
        "advised_median_s": median("advised", "s_to_3_mm"),
        "ratio": round(median("advised", "s_to_3_mm") / median("raster", "s_to_3_mm"), 2),
        "ratio_said": round(median("advised", "s_said") / median("raster", "s_said"), 2),
        "advice_ms_median": round(float(np.median(took_ms)), 1),
        "advice_ms_p99": round(float(np.percentile(took_ms, 99)), 1),
    }


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=FAMILIES, help="one family")
    parser.add_argument("--seeds", type=int, default=8)
    chosen = parser.parse_args()
    response = calibrated(np.random.default_rng(0))
    for name in FAMILIES if chosen.only is None else (chosen.only,):
        print(json.dumps(compared(name, chosen.seeds, response)), flush=True)


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()

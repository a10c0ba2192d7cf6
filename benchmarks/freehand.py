"""The live image: time of an update as readings grow, and where its hottest place lies beside the peer's.

``python -m benchmarks.freehand`` prints a JSON line when as many readings are in as ``--readings`` says. A drawn
probe (``benchmarks.patients``) is held over a patient with one node of 0.1 MBq, ten readings a second, and the
image is renewed each second where time is taken, every ten seconds between; each minute the hand scans the next of
three places, 40 mm apart. Time is taken by the clock and, for a machine that does other work meanwhile, of the
processor. The last lines are of the first minute: image and peer (``benchmarks.peers.expectation``) on the same
readings.
"""

import argparse
import json
import os
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.patients import bench_counts, counted, drawn_probe, drawn_scene, hand_path
from benchmarks.peers.expectation import SmoothedExpectation
from benchmarks.recordings import Known, Scene, response_of
from benchmarks.scattering import ScatteringProbe
from navigation.image.freehand import Freehand, FreehandImage
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.tissue import HalfSpace

Array = NDArray[np.float64]

GOAL_MS = 300.0
"""99 updates of a hundred, on two cores."""

READING_S, BATCH, LONGER_BATCH = 0.1, 10, 100
"""Of a reading; readings an update, one each second, where time is taken and elsewhere."""

MOVED_AFTER, MOVED_MM, PLACES = 600, 40.0, 3
"""Readings after which the hand goes on to the next place, how far, and how many places there are."""

NODE_MM, NODE_MBQ = np.array([[4.0, -6.0, -22.0]]), 0.1
SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
FAMILIES = ("isolated-20mm", "isolated-30mm")
TIMES_S = (20, 60)


def session(probe: ScatteringProbe, size: int, rng: np.random.Generator) -> Observations:
    """Count through a long scan of several places."""
    tip_mm, axis = hand_path(rng, size)
    tip_mm[:, 0] += MOVED_MM * (np.arange(size) // MOVED_AFTER % PLACES)
    physics = probe.physics
    rate_cps = np.full(size, physics.background_cps)
    for start in range(0, size, 200):
        some = slice(start, start + 200)
        rate_cps[some] += probe.rate_cps(NODE_MM, np.array([NODE_MBQ]), tip_mm[some], axis[some])
    return Observations(
        counts=counted(rate_cps, READING_S, physics.dead_time_s, rng),
        live_time_s=np.full(size, READING_S),
        tip_mm=tip_mm,
        axis=axis,
        taken_at_s=np.arange(0.5, size) * READING_S,
    )


def measure(probe: ScatteringProbe, response: Response, marks: list[int], last: int) -> None:
    """Feed one image past all marks; time the ``last`` updates before each."""
    seen = session(probe, max(marks), np.random.default_rng(2))
    scanner = Freehand(response, SKIN, frame_of_reference_uid="1.2.3")
    row = 0
    for mark in sorted(marks):
        while row < mark - last * BATCH:
            until = min(row + LONGER_BATCH, mark - last * BATCH)
            scanner.update(seen.take(np.arange(row, until)))
            row = until
        took_ms, worked_ms = [], []
        image = None
        while row < mark:
            part = seen.take(np.arange(row, min(row + BATCH, mark)))
            row += len(part)
            began, began_work = perf_counter(), process_time()
            image = scanner.update(part)
            took_ms.append((perf_counter() - began) * 1e3)
            worked_ms.append((process_time() - began_work) * 1e3)
        if image is None:
            raise ValueError(f"freehand: {mark} readings make no image")
        print(
            json.dumps(
                {
                    "benchmark": "freehand update",
                    "readings": image.readings,
                    "voxels": int((~np.isnan(image.sensitivity.values)).sum()),
                    "known_ml": round(image.known_ml, 1),
                    "updates": len(took_ms),
                    "cpus": os.cpu_count(),
                    "ms_median": round(float(np.median(took_ms)), 1),
                    "ms_p99": round(float(np.percentile(took_ms, 99)), 1),
                    "ms_worst": round(max(took_ms), 1),
                    "processor_ms_median": round(float(np.median(worked_ms)), 1),
                    "processor_ms_p99": round(float(np.percentile(worked_ms, 99)), 1),
                    "ms_goal": GOAL_MS,
                }
            ),
            flush=True,
        )


def hottest_mm(image: FreehandImage) -> Array | None:
    """Centre of mass of the voxels at most one aside of the hottest; None where nothing is known."""
    values = np.pad(np.nan_to_num(image.activity.values).astype(np.float64), 1)
    if not values.any():
        return None
    around = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    places = np.array(np.unravel_index(values.argmax(), values.shape)) + around
    mass = values[tuple(places.T)]
    return image.activity.geometry.positions_mm(mass @ (places - 1) / mass.sum())


def compare(scene: Scene, response: Response, truth_mm: Array) -> dict[str, dict[int, float | None]]:
    """Errors of the image, renewed each second, and of the peer on one scene, mm, by seconds; None without any."""
    known = Known.of(scene.header, response)
    scanner = Freehand(known.response, known.tissue, frame_of_reference_uid="1.2.3")
    peer = SmoothedExpectation(known, np.random.default_rng(1))
    errors: dict[str, dict[int, float | None]] = {"image": {}, peer.name: {}}
    last = 0
    for seconds in TIMES_S:
        until = round(seconds / READING_S)
        image = None
        for start in range(last, until, BATCH):
            image = scanner.update(scene.observations.take(np.arange(start, start + BATCH)))
        peer.add(scene.observations.take(np.arange(last, until)))
        last = until
        places = {
            "image": None if image is None else hottest_mm(image),
            peer.name: next((each.position_mm for each in peer.answers()), None),
        }
        for name, place in places.items():
            errors[name][seconds] = None if place is None else float(np.linalg.norm(place - truth_mm))
    return errors


def main() -> None:
    """Read the arguments, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, nargs="+", default=[600, 2000, 6000, 20_000])
    parser.add_argument("--last", type=int, default=60, help="updates that the figures are over")
    parser.add_argument("--scenes", type=int, default=3, help="a family, for the comparison")
    chosen = parser.parse_args()
    rng = np.random.default_rng(1)
    probe = drawn_probe(rng)
    response = response_of(bench_counts(probe, "drawn", rng))
    measure(probe, response, chosen.readings, chosen.last)
    for family in FAMILIES:
        lines = []
        for number in range(chosen.scenes):
            scene, truth = drawn_scene(family, number, probe, np.random.default_rng((3, number)))
            lines.append(compare(scene, response, np.array(truth[0]["position_mm"])))
        for name in lines[0]:
            line: dict[str, Any] = {"family": family, "of": name, "scenes": len(lines)}
            for seconds in TIMES_S:
                known_mm = [each[name][seconds] for each in lines]
                shown_mm = [each for each in known_mm if each is not None]
                line[f"shown_{seconds}"] = len(shown_mm)
                line[f"median_mm_{seconds}"] = round(float(np.median(shown_mm)), 1) if shown_mm else None
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()

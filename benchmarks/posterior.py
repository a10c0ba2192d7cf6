"""Time of one update of the posterior as readings grow; prints a JSON line for each case.

``python -m benchmarks.posterior --readings 600 2000 20000 --sources 1 4``: readings come singly where time is
taken, as at ten a second, from a raster over a patient. One source is a node on the map; four are two nodes on the
map, one that is on no map, and an injection site of 20 MBq. The counts are Poisson about the response itself: only
time is measured, by the clock and, for a machine that does other work meanwhile, of the processor.
"""

import argparse
import json
import os
from time import perf_counter, process_time

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.recordings import Spot
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.observations import Observations
from navigation.probe.response import FITTED, Response
from navigation.tissue import HalfSpace

GOAL_MS = 50.0
"""99 updates of a hundred, at ten a second."""

BATCH = 200
"""Readings to an update between the stretches that are timed."""

PLACES_MM = np.array([[0.0, 0.0, -22.0], [18.0, 10.0, -28.0], [-16.0, -20.0, -18.0], [45.0, 30.0, -12.0]])
ACTIVITY_MBQ = np.array([0.1, 0.1, 0.1, 20.0])
IS_MAPPED = (True, True, False, True)
IS_INJECTION = (False, False, False, True)

RESPONSE = Response(
    probe="benchmark",
    nuclide="Tc-99m",
    window_kev=(120.0, 160.0),
    calibrated_at="2026-11-22T00:00:00+00:00",
    sensitivity_cps_per_mbq=2040.0,
    reference_distance_mm=30.0,
    recess_mm=8.0,
    crystal_thickness_mm=5.0,
    crystal_radius_mm=4.0,
    aperture_radius_mm=4.5,
    penumbra=0.05,
    penumbra_deg=15.0,
    leak=3e-4,
    attenuation_per_mm=0.01536,
    buildup=0.2,
    halo=0.5,
    halo_angle_deg=8.0,
    halo_core_deg=45.0,
    dead_time_s=4e-6,
    background_cps=4.0,
    model_error=0.03,
    stray_error=0.1,
    covariance=np.eye(len(FITTED)) * 1e-3,
    residuals=np.zeros((0, 5)),
    greatest_distance_mm=100.0,
    greatest_angle_deg=90.0,
)


def raster(size: int, sources: int, tissue: HalfSpace, rng: np.random.Generator) -> Observations:
    """Sweep 60 x 60 mm with tilts, 0.1 s a reading, over the first sources."""
    turn = np.arange(size) / 600
    tip = np.column_stack((30 * np.sin(40 * turn), 60 * (turn % 1 - 0.5), np.ones(size)))
    axis = np.column_stack((0.3 * np.sin(57 * turn), 0.3 * np.cos(48 * turn), -np.ones(size)))
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    by_source = RESPONSE.expected_rate_cps(PLACES_MM[:sources], tip, axis, tissue)
    rate = RESPONSE.background_cps + by_source @ ACTIVITY_MBQ[:sources]
    live_time_s = np.full(size, 0.1)
    counts = rng.poisson(rate / (1 + rate * RESPONSE.dead_time_s) * live_time_s).astype(np.float64)
    return Observations(
        counts=counts, live_time_s=live_time_s, tip_mm=tip, axis=axis, taken_at_s=np.arange(size) / 10
    )


def mapped(sources: int, rng: np.random.Generator) -> Prior:
    """Put those of the first sources on a map that are on it, 5 mm wrong."""
    return Prior.from_hotspots(
        [
            Spot(
                name=f"source {number + 1}",
                kind="injection" if IS_INJECTION[number] else "target",
                centre_mm=PLACES_MM[number] + rng.normal(0, 5, 3),
                covariance_mm2=4 * np.eye(3),
                activity_mbq=float(ACTIVITY_MBQ[number]),
                activity_factor=2.0,
            )
            for number in range(sources)
            if IS_MAPPED[number]
        ]
    )


def measure(sources: int, marks: list[int], last: int) -> None:
    """Feed one estimator past all marks; time the ``last`` updates before each."""
    rng = np.random.default_rng(1)
    tissue = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
    observations = raster(max(marks), sources, tissue, rng)
    estimator = Estimator(RESPONSE, mapped(sources, rng), tissue)
    row = 0
    for mark in sorted(marks):
        while row < mark - last:
            until = min(row + BATCH, mark - last)
            estimator.add(observations.take(np.arange(row, until)))
            row = until
        took_ms, worked_ms = [], []
        for each in range(row, mark):
            reading = observations.take(np.array([each]))
            began, began_work = perf_counter(), process_time()
            estimator.add(reading)
            took_ms.append((perf_counter() - began) * 1e3)
            worked_ms.append((process_time() - began_work) * 1e3)
        row = mark
        print(
            json.dumps(
                {
                    "benchmark": "posterior update",
                    "readings": mark,
                    "sources": sources,
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


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, nargs="+", default=[600, 2000, 20000])
    parser.add_argument("--sources", type=int, nargs="+", default=[1, 4], choices=range(1, len(PLACES_MM) + 1))
    parser.add_argument("--last", type=int, default=100, help="updates that the figures are over")
    chosen = parser.parse_args()
    for sources in chosen.sources:
        measure(sources, chosen.readings, chosen.last)


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()

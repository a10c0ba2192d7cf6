"""Time of one update of the posterior at a given number of readings; prints one JSON line.

``python -m benchmarks.posterior --readings 600 --sources 2``: readings come singly, as at ten a second, from a
raster over a patient with so many nodes. The counts are Poisson about the response itself: only time is measured.
"""

import argparse
import json
import os
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.recordings import Spot
from navigation.observations import Observations
from navigation.posterior import Estimator
from navigation.prior import Prior
from navigation.response import FITTED, Response
from navigation.tissue import HalfSpace

GOAL_MS = 100.0
"""Ten updates a second."""

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


def raster(size: int, places_mm: np.ndarray, tissue: HalfSpace, rng: np.random.Generator) -> Observations:
    """Sweep 60 x 60 mm with tilts, 0.1 s a reading."""
    turn = np.linspace(0, size / 600, size)
    tip = np.column_stack((30 * np.sin(40 * turn), 60 * (turn % 1 - 0.5), np.ones(size)))
    axis = np.column_stack((0.3 * np.sin(57 * turn), 0.3 * np.cos(48 * turn), -np.ones(size)))
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    rate = RESPONSE.background_cps + 0.1 * RESPONSE.expected_rate_cps(places_mm, tip, axis, tissue).sum(axis=1)
    live_time_s = np.full(size, 0.1)
    counts = rng.poisson(rate * live_time_s).astype(np.float64)
    return Observations(
        counts=counts, live_time_s=live_time_s, tip_mm=tip, axis=axis, taken_at_s=np.linspace(0, size / 10, size)
    )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=600)
    parser.add_argument("--sources", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--last", type=int, default=100, help="updates that the figures are over")
    chosen = parser.parse_args()
    places_mm = np.array([[0.0, 0.0, -22.0], [18.0, 10.0, -28.0], [-16.0, -20.0, -18.0]])[: chosen.sources]
    rng = np.random.default_rng(1)
    tissue = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
    observations = raster(chosen.readings, places_mm, tissue, rng)
    spots = [
        Spot(
            name=f"node {number + 1}",
            kind="target",
            centre_mm=place + rng.normal(0, 5, 3),
            covariance_mm2=4 * np.eye(3),
            activity_mbq=0.1,
            activity_factor=2.0,
        )
        for number, place in enumerate(places_mm)
    ]
    estimator = Estimator(RESPONSE, Prior.from_hotspots(spots), tissue)
    first = max(chosen.readings - chosen.last, 0)
    for start in range(0, first, 10):
        estimator.add(observations.take(np.arange(start, min(start + 10, first))))
    took_ms = []
    for row in range(first, chosen.readings):
        reading = observations.take(np.array([row]))
        began = perf_counter()
        estimator.add(reading)
        took_ms.append((perf_counter() - began) * 1e3)
    print(
        json.dumps(
            {
                "benchmark": "posterior update",
                "readings": chosen.readings,
                "sources": chosen.sources,
                "cpus": os.cpu_count(),
                "ms_median": round(float(np.median(took_ms)), 1),
                "ms_p99": round(float(np.percentile(took_ms, 99)), 1),
                "ms_goal": GOAL_MS,
            }
        )
    )


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()

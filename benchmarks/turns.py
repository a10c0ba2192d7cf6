"""How often the counts tell that the registration is turned by half: where it is, and where it is not.

``python -m benchmarks.turns --seeds 130`` replays scenes of ``benchmarks.patients`` as in theatre, each seen by a
right registration and by one that is turned, and prints a JSON line a scene, then one for each registration. The
scene lies up to 150 mm from the axis of the turn: half a turn lays its skin on itself, so that no skin tells it.

``python -m benchmarks.turns --draws 40000`` draws procedures and lets what is there be located rightly, as the
registration is: what is told of such is a false alarm. Bodies, origins of the coordinates, shifts of the
tissue, nodes on both sides, absent ones and ones on no map are drawn so that half a turn fits as often as it may.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks.coverage import PROBES, calibrated
from benchmarks.patients import FAMILIES, drawn_scene
from benchmarks.recordings import Known, Scene, Spot
from benchmarks.scattering import ScatteringProbe
from navigation.estimation.prior import Prior
from navigation.estimation.turn import EVERY, HALF_TURN, LEAST_LEAD, Located, TurnWatch, turned_lead
from navigation.observations import Observations
from navigation.probe.response import Response

Array = NDArray[np.float64]

FARTHEST_MM = 150.0
"""Of a scene from the axis of the turn; at the axis itself what is turned lies where it was."""

_SCENE, _PLACE, _DRAW = 1, 8, 9
"""First word of each kind of seed."""


def moved(scene: Scene, aside_mm: Array) -> Scene:
    """Lay a scene elsewhere on its skin, which is the plane z = 0."""
    spots = [
        spot | {"position_mm": (np.array(spot["position_mm"]) + aside_mm).tolist()} for spot in scene.header["map"]
    ]
    tip_mm = scene.observations.tip_mm + aside_mm
    return replace(
        scene, header=scene.header | {"map": spots}, observations=replace(scene.observations, tip_mm=tip_mm)
    )


def told_at_s(scene: Scene, response: Response, observations: Observations) -> float | None:
    """Take in readings, a second's at a time; say when a turn was told, None where it never was."""
    estimator = scene.estimator(response)
    watch = TurnWatch(estimator.prior)
    for start in range(0, len(observations), EVERY):
        part = observations.take(np.arange(start, min(start + EVERY, len(observations))))
        estimator.add(part)
        if watch.look(len(part), estimator.fit) is not None:
            return float(part.taken_at_s[-1])
    return None


def scene_line(number: int, *, probes: Sequence[tuple[ScatteringProbe, Response]]) -> dict[str, Any]:
    """Draw scene ``number`` and replay it with either registration."""
    row, column = divmod(number, len(FAMILIES))
    family = list(FAMILIES)[column]
    probe, response = probes[row % len(probes)]
    drawn, _ = drawn_scene(family, row, probe, np.random.default_rng([_SCENE, column, row]))
    rng = np.random.default_rng([_PLACE, number])
    away_mm, turn = rng.uniform(0.0, FARTHEST_MM), rng.uniform(0.0, 2 * np.pi)
    scene = moved(drawn, away_mm * np.array((np.cos(turn), np.sin(turn), 0.0)))
    known = Known.of(scene.header, response)
    seen = scene.observations
    turned = replace(seen, tip_mm=seen.tip_mm * HALF_TURN, axis=seen.axis * HALF_TURN)
    return {
        "scene": scene.name,
        "family": family,
        "away_mm": round(away_mm),
        "spots": len(known.spots),
        "right_told_s": told_at_s(scene, response, seen),
        "turned_told_s": told_at_s(scene, response, turned),
    }


def drawn_procedure(number: int) -> tuple[list[Located], Prior]:
    """Draw what a right registration has located, and its map."""
    rng = np.random.default_rng([_DRAW, number])
    # trunk, head, neck or limb: half width and half depth
    width_mm, depth_mm = ((160.0, 105.0), (75.0, 95.0), (60.0, 55.0))[rng.integers(3)]
    middle_mm = np.array((rng.normal(0.0, 15.0), rng.normal(0.0, 60.0), 0.0))

    def place_mm() -> Array:
        angle, below_mm = rng.uniform(0.0, np.pi), rng.uniform(8.0, 0.7 * depth_mm)
        along = np.array((np.cos(angle) * (width_mm - below_mm), -np.sin(angle) * (depth_mm - below_mm), 0.0))
        return np.asarray(along + middle_mm + (0.0, 0.0, rng.uniform(-60.0, 60.0)))

    def opposite_mm(place: Array) -> Array:
        off_mm = place - middle_mm
        return np.asarray(middle_mm + off_mm * (-1.0, 1.0, 1.0) + rng.normal(0.0, 10.0, 3))

    nodes = [place_mm() for _ in range(rng.integers(1, 4))]
    nodes += [opposite_mm(each) for each in nodes if rng.uniform() < 0.3]
    true_mm = [(each, 0.1 * rng.lognormal(0.0, 0.8), True) for each in nodes if rng.uniform() < 0.85]
    site = place_mm()
    true_mm += [(site, 20.0 * rng.lognormal(0.0, 0.5), True)] if rng.uniform() < 0.5 else []
    for _ in range(rng.poisson(0.5)):
        strange = opposite_mm(nodes[0]) if rng.uniform() < 0.5 else place_mm()
        true_mm.append((strange, 0.05 * rng.lognormal(0.0, 1.2), False))
    common_mm = rng.normal(0.0, 8.0, 3) if rng.uniform() < 0.9 else rng.normal(0.0, 20.0, 3)
    spots = [
        Spot(
            name=f"{kind} {place}",
            kind=kind,
            centre_mm=centre_mm + common_mm + rng.normal(0.0, 4.0, 3),
            covariance_mm2=9.0 * np.eye(3),
            activity_mbq=activity_mbq * rng.lognormal(0.0, 0.6),
            activity_factor=2.0,
        )
        for place, (kind, centre_mm, activity_mbq) in enumerate(
            [*(("target", each, 0.1) for each in nodes), ("injection", site, 20.0)]
        )
    ]
    found = [
        Located(
            position_mm=centre_mm + rng.normal(0.0, 2.0, 3),
            covariance_mm2=4.0 * np.eye(3),
            log_activity=float(np.log(activity_mbq) + rng.normal(0.0, 0.2)),
            log_activity_sigma=0.2,
        )
        for centre_mm, activity_mbq, is_mapped in true_mm
        if rng.uniform() < (0.8 if is_mapped else 1.0)
    ]
    return found, Prior.from_hotspots(spots)


def summary(name: str, told: Sequence[bool], after_s: Sequence[float] = ()) -> dict[str, Any]:
    """One registration's JSON line: how many were told, with a 95 % bound, and how soon."""
    interval = binomtest(sum(told), len(told)).proportion_ci()
    return {
        "registration": name,
        "scenes": len(told),
        "told": sum(told),
        "told_at_least": round(float(interval.low), 5),
        "told_at_most": round(float(interval.high), 5),
        "median_s": float(np.median(after_s)) if len(after_s) else None,
        "slowest_s": max(after_s, default=None),
    }


def main() -> None:
    """Read the arguments, draw, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, help="scenes, over all families")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene: other numbers, others")
    parser.add_argument("--draws", type=int, default=0, help="procedures whose sources are located rightly")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    if chosen.draws:
        told = [turned_lead(*drawn_procedure(number)) > LEAST_LEAD for number in range(chosen.draws)]
        print(json.dumps(summary("right, all located", told)), flush=True)
    if not chosen.seeds:
        return
    lines: list[dict[str, Any]] = []
    with ProcessPoolExecutor(chosen.workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        numbers = range(chosen.first, chosen.first + chosen.seeds)
        probes = list(pool.map(calibrated, range(min(PROBES, -(-numbers.stop // len(FAMILIES))))))
        for line in pool.map(partial(scene_line, probes=probes), numbers):
            lines.append(line)
            print(json.dumps(line), flush=True)
    for name in ("right", "turned"):
        found = [line[f"{name}_told_s"] for line in lines if line["spots"]]
        print(json.dumps(summary(name, [s is not None for s in found], [s for s in found if s is not None])))


if __name__ == "__main__":
    main()

"""How near, how soon, how sure: replays recordings with known truth, reading by reading.

``python -m benchmarks.localisation --data DIR`` prints a JSON line a scene, then one a family. DIR holds a folder
a probe, or is one. Nothing but a scene's header is known to the estimator before its first reading.
"""

import argparse
import json
from collections import defaultdict
from itertools import pairwise, product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from benchmarks.peers.comparison import PEERS, Comparison
from benchmarks.recordings import Scene, read_response, read_scene, scene_files
from navigation.estimation.estimate import CHI2_95, Posterior, TargetEstimate
from navigation.probe.response import Response

TIMES_S = (5, 10, 20, 30, 60)
"""Seconds of counting after which the error is stated."""

READINGS_A_SECOND = 10
"""Of the recordings."""

BELIEVED_AT = 0.5
"""Probability from which a target counts as found."""

FARTHEST_MM = 30.0
"""A target farther than this from every true one is false, not inaccurate."""


def matched(posterior: Posterior, truth: list[dict[str, Any]]) -> list[TargetEstimate | None]:
    """Believed target of each true one: the pairing of least total distance; None where none is near."""
    targets = [each for each in posterior.targets if each.kind == "target" and each.presence > BELIEVED_AT]
    if not truth or not targets:
        return [None] * len(truth)
    cost = np.array(
        [[np.linalg.norm(each.centre_mm - np.array(true["position_mm"])) for each in targets] for true in truth]
    )
    pairs = dict(zip(*(index.tolist() for index in linear_sum_assignment(cost)), strict=True))
    return [
        targets[pairs[row]] if row in pairs and cost[row, pairs[row]] <= FARTHEST_MM else None
        for row in range(len(truth))
    ]


def updates(size: int, batch: int) -> list[tuple[int, int]]:
    """First reading of each update and the one after its last; none passes a time at which an error is stated."""
    stated = {seconds * READINGS_A_SECOND for seconds in TIMES_S}
    ends = sorted({*range(batch, size, batch), *(each for each in stated if each < size), size} - {0})
    return list(pairwise([0, *ends]))


def replayed(scene: Scene, response: Response, sources: list[dict[str, Any]], batch: int) -> dict[str, Any]:
    """Replay one scene; return its JSON line."""
    truth = [each for each in sources if each["kind"] != "injection"]
    estimator = scene.estimator(response)
    size = len(scene.observations)
    took_ms: list[float] = []
    errors: list[dict[str, float | None]] = [{} for _ in truth]
    posterior = None
    for start, end in updates(size, batch):
        chosen = scene.observations.take(np.arange(start, end))
        began = perf_counter()
        posterior = estimator.add(chosen)
        took_ms.append((perf_counter() - began) * 1e3)
        for seconds, (row, target) in product(TIMES_S, enumerate(matched(posterior, truth))):
            if end == seconds * READINGS_A_SECOND:
                place = np.array(truth[row]["position_mm"])
                error = None if target is None else round(float(np.linalg.norm(target.centre_mm - place)), 2)
                errors[row][str(seconds)] = error
    if posterior is None:
        raise ValueError(f"{scene.name}: no readings")
    pairs = matched(posterior, truth)
    used = {id(each) for each in pairs if each is not None}
    false = [each for each in posterior.targets if each.kind == "target" and id(each) not in used]
    return {
        "scene": scene.name,
        "family": scene.family,
        "targets": [_line(each, target, error) for each, target, error in zip(truth, pairs, errors, strict=True)],
        "false_targets": sum(each.is_localisable for each in false),
        "false_presence": [round(each.presence, 3) for each in false],
        "misfit": round(posterior.misfit, 2),
        "ms_median": round(float(np.median(took_ms)), 1),
        "ms_p99": round(float(np.percentile(took_ms, 99)), 1),
        "ms_last": round(took_ms[-1], 1),
    }


def _line(true: dict[str, Any], target: TargetEstimate | None, errors: dict[str, float | None]) -> dict[str, Any]:
    if target is None:
        return {"name": true["name"], "found": False, "error_mm": errors}
    off = target.centre_mm - np.array(true["position_mm"])
    chi2 = float(off @ np.linalg.solve(target.covariance_mm2, off))
    return {
        "name": true["name"],
        "found": True,
        "localisable": target.is_localisable,
        "error_mm": errors,
        "region_mm": [round(float(each), 1) for each in target.region_semi_axes_mm],
        "chi2": round(chi2, 2),
        "in_region": chi2 <= CHI2_95,
        "probability": round(target.presence, 4),
    }


def regions(lines: list[dict[str, Any]]) -> tuple[int, int]:
    """Regions that hold their truth, and regions that were stated: of found targets that count as localisable."""
    shown = [each for line in lines for each in line["targets"] if each["found"] and each["localisable"]]
    return sum(each["in_region"] for each in shown), len(shown)


def quantile_mm(lines: list[dict[str, Any]], seconds: int, share: float) -> float | None:
    """Quantile of the error of all targets that were found at the end, and already so many seconds in."""
    found = [each for line in lines for each in line["targets"] if each["found"]]
    known = [each["error_mm"].get(str(seconds)) for each in found]
    numbers = [each for each in known if each is not None]
    return round(float(np.quantile(numbers, share)), 2) if numbers else None


def summary(family: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """One family's JSON line; errors are over the found targets, coverage over them too."""
    targets = [each for line in lines for each in line["targets"]]
    found = [each for each in targets if each["found"]]
    return {
        "family": family,
        "scenes": len(lines),
        "found": round(len(found) / len(targets), 3) if targets else None,
        "localisable": round(sum(each["localisable"] for each in found) / len(found), 3) if found else None,
        "median_mm_20": quantile_mm(lines, 20, 0.5),
        "p90_mm_20": quantile_mm(lines, 20, 0.9),
        "median_mm_60": quantile_mm(lines, 60, 0.5),
        "p90_mm_60": quantile_mm(lines, 60, 0.9),
        "covered": round(sum(each["in_region"] for each in found) / len(found), 3) if found else None,
        "false_targets": sum(line["false_targets"] for line in lines),
        "ms_p99": max(line["ms_p99"] for line in lines),
    }


def main() -> None:
    """Read the arguments, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a probe's folder, or the folder above it")
    parser.add_argument("--only", help="one family")
    parser.add_argument("--scenes", type=int, help="at most so many scenes a family")
    parser.add_argument("--batch", type=int, default=1, help="readings an update; 1 is as they come")
    parser.add_argument("--peers", nargs="*", choices=PEERS, metavar="PEER", help=f"{', '.join(PEERS)}; or all")
    chosen = parser.parse_args()
    folders = [chosen.data] if (chosen.data / "calibration.json").exists() else sorted(chosen.data.iterdir())
    for folder in folders:
        if not (folder / "calibration.json").exists():
            continue
        response = read_response(folder)
        truth = json.loads((folder / "truth.json").read_text())
        beside = Comparison(names=[] if chosen.peers is None else chosen.peers or list(PEERS))
        families: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for file in scene_files(folder, only=chosen.only, most=chosen.scenes):
            scene = read_scene(file)
            line = replayed(scene, response, truth[scene.name], chosen.batch)
            families[scene.family].append(line)
            beside.add(scene, response, truth[scene.name], line)
            print(json.dumps({"probe": response.probe} | line), flush=True)
        for family, lines in families.items():
            print(json.dumps({"probe": response.probe} | summary(family, lines)), flush=True)
            for each in beside.summaries(family):
                print(json.dumps({"probe": response.probe} | each), flush=True)


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # as the service runs it
        main()

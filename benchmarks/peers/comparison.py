"""Ours beside the peers, on the same scenes in the same run: one JSON line a peer and family."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.peers.answers import Answer, Peer
from benchmarks.recordings import Known, Scene
from navigation.estimation.estimate import CHI2_95
from navigation.probe.response import Response

PEERS = {
    "peak": ("benchmarks.peers.peak", "Peak"),
    "mlem": ("benchmarks.peers.expectation", "SmoothedExpectation"),
    "particles": ("benchmarks.peers.particles", "ParticleFilter"),
    "ensemble": ("benchmarks.peers.ensemble", "Ensemble"),
}
"""Module and class of each, imported when asked for: the ensemble's library is a development extra."""

TIMES_S = (20, 60)
"""When answers are due."""

FARTHEST_MM = 30.0
"""An answer farther than this from every target has not found it."""

SEED = 1


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Runs the peers and holds what they and we answered.

    Attributes
    ----------
    names
        Keys of ``PEERS``.
    lines
        By family and peer: an error for each target and time, whether it was covered, milliseconds.

    """

    names: Sequence[str]
    lines: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    ours: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, scene: Scene, response: Response, sources: list[dict[str, Any]], line: dict[str, Any]) -> None:
        """Run every peer on a scene whose true sources are known and which ours answered with ``line``."""
        truth = np.array([each["position_mm"] for each in sources if each["kind"] != "injection"]).reshape(-1, 3)
        self.ours.setdefault(scene.family, []).append(line)
        known = Known.of(scene.header, response)
        for name in self.names:
            module, kind = PEERS[name]
            peer: Peer = getattr(importlib.import_module(module), kind)(known, np.random.default_rng(SEED))
            self.lines.setdefault((scene.family, name), []).append(_answered(peer, scene, truth))

    def summaries(self, family: str) -> Iterator[dict[str, Any]]:
        """Give a family's JSON lines; a ratio below one says that ours is nearer or faster."""
        ours = self.ours.get(family, [])
        targets = [each for line in ours for each in line["targets"]]
        our_mm = {
            seconds: _median([each["error_mm"].get(str(seconds)) for each in targets]) for seconds in TIMES_S
        }
        our_ms = _median([line["ms_median"] for line in ours])
        for name in self.names:
            lines = self.lines[family, name]
            errors = {seconds: [each for line in lines for each in line["mm"][seconds]] for seconds in TIMES_S}
            covered = [each for line in lines for each in line["covered"]]
            near = [each for each in errors[TIMES_S[-1]] if each is not None]
            line: dict[str, Any] = {
                "family": family,
                "peer": lines[0]["peer"],
                "scenes": len(lines),
                "found": round(len(near) / len(errors[TIMES_S[-1]]), 3) if errors[TIMES_S[-1]] else None,
                "covered": round(sum(covered) / len(covered), 3) if covered else None,
                "ms": _median([line["ms"] for line in lines]),
            }
            for seconds in TIMES_S:
                line[f"median_mm_{seconds}"] = _median(errors[seconds])
                line[f"ours_over_theirs_mm_{seconds}"] = _ratio(our_mm[seconds], line[f"median_mm_{seconds}"])
            line["ours_over_theirs_ms"] = _ratio(our_ms, line["ms"])
            yield line


def _answered(peer: Peer, scene: Scene, truth: np.ndarray) -> dict[str, Any]:
    """Replay one scene to one peer; time is that of a reading where it goes by readings, else of an answer."""
    taken_at_s = scene.observations.taken_at_s
    took_ms: list[float] = []
    errors: dict[int, list[float | None]] = {}
    covered: list[bool] = []
    start = 0
    for seconds in TIMES_S:
        end = int(np.searchsorted(taken_at_s, taken_at_s[0] + seconds - 1e-9))
        step = peer.readings_at_once or max(end - start, 1)
        found: list[Answer] = []
        for first in range(start, end, step):
            began = perf_counter()
            peer.add(scene.observations.take(np.arange(first, min(first + step, end))))
            found = peer.answers()
            took_ms.append((perf_counter() - began) * 1e3)
        start = end
        pairs = _paired(found, truth)
        errors[seconds] = [
            None if each is None else float(np.linalg.norm(each.position_mm - place))
            for each, place in zip(pairs, truth, strict=True)
        ]
        covered = [
            _is_covered(each.covariance_mm2, each.position_mm - place)
            for each, place in zip(pairs, truth, strict=True)
            if each is not None and each.covariance_mm2 is not None
        ]
    return {"peer": peer.name, "mm": errors, "covered": covered, "ms": float(np.median(took_ms))}


def _paired(found: Sequence[Answer], truth: np.ndarray) -> list[Answer | None]:
    """Answer of each target: the pairing of least total distance, None where none is near."""
    if not len(truth) or not found:
        return [None] * len(truth)
    cost = np.linalg.norm(truth[:, None] - np.array([each.position_mm for each in found])[None], axis=-1)
    pairs = dict(zip(*(index.tolist() for index in linear_sum_assignment(cost)), strict=True))
    return [
        found[pairs[row]] if row in pairs and cost[row, pairs[row]] <= FARTHEST_MM else None
        for row in range(len(truth))
    ]


def _is_covered(covariance_mm2: np.ndarray, off_mm: np.ndarray) -> bool:
    return bool(off_mm @ np.linalg.solve(covariance_mm2, off_mm) <= CHI2_95)


def _median(numbers: Sequence[float | None]) -> float | None:
    known = [each for each in numbers if each is not None]
    return round(float(np.median(known)), 2) if known else None


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return round(ours / theirs, 3) if ours is not None and theirs else None

"""How often the stated 95 % region holds the truth, over scenes of our own that are drawn, not recorded.

``python -m benchmarks.coverage --seeds 1000`` prints a JSON line a scene, then one a family and one over all.
Scene ``n`` is of family ``n`` modulo their number, its probe one of a dozen, drawn and calibrated on a bench of
its own. The counts come from ``benchmarks.scattering``, which shares nothing with the response that is fitted.
With ``--wrong`` the probe in theatre is not the one that was calibrated: width and attenuation are 10 % off and
its leak by a factor of three.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks.localisation import regions, replayed, summary
from benchmarks.patients import FAMILIES, bench_counts, drawn_error, drawn_probe, drawn_scene
from benchmarks.recordings import response_of
from benchmarks.scattering import ScatteringProbe
from navigation.probe.response import Response

PROBES = 12
"""Drawn and calibrated; a dozen span what there is, and each takes seconds to calibrate."""

_PROBE, _SCENE, _ERROR = range(3)
"""First word of each kind of seed."""


def calibrated(number: int) -> tuple[ScatteringProbe, Response]:
    """Draw a probe, count its bench and fit its response."""
    rng = np.random.default_rng([_PROBE, number])
    probe = drawn_probe(rng)
    return probe, response_of(bench_counts(probe, f"drawn-{number}", rng))


def scene_line(
    number: int,
    *,
    probes: Sequence[tuple[ScatteringProbe, Response]],
    families: tuple[str, ...],
    is_wrong: bool,
    batch: int,
) -> dict[str, Any]:
    """Draw scene ``number`` and replay it; return its JSON line."""
    row, column = divmod(number, len(families))
    probe, response = probes[row % len(probes)]
    if is_wrong:
        probe = drawn_error(probe, np.random.default_rng([_ERROR, number]))
    family = families[column]
    scene, truth = drawn_scene(
        family, row, probe, np.random.default_rng([_SCENE, list(FAMILIES).index(family), row])
    )
    label = {"response": "wrong" if is_wrong else "calibrated", "probe": response.probe}
    return label | replayed(scene, response, truth, batch)


def family_line(family: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """One family's JSON line: ``covered`` and its 95 % interval (Wilson) are over the regions that were shown."""
    within, shown = regions(lines)
    interval = binomtest(within, shown).proportion_ci(method="wilson") if shown else None
    return summary(family, lines) | {
        "response": lines[0]["response"],
        "regions": shown,
        "covered": round(within / shown, 3) if shown else None,
        "covered_95": None if interval is None else [round(interval.low, 3), round(interval.high, 3)],
    }


def main() -> None:
    """Read the arguments, draw, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="scenes, over all families")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene: other numbers, others")
    parser.add_argument("--wrong", action="store_true", help="the probe is not the one that was calibrated")
    parser.add_argument("--only", choices=FAMILIES, help="one family")
    parser.add_argument("--batch", type=int, default=30, help="readings an update; 1 is as they come")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    families = tuple(FAMILIES) if chosen.only is None else (chosen.only,)
    by_family: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with ProcessPoolExecutor(chosen.workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        numbers = range(chosen.first, chosen.first + chosen.seeds)
        probes = list(pool.map(calibrated, range(min(PROBES, -(-numbers.stop // len(families))))))
        line_of = partial(scene_line, probes=probes, families=families, is_wrong=chosen.wrong, batch=chosen.batch)
        for line in pool.map(line_of, numbers):
            by_family[line["family"]].append(line)
            print(json.dumps(line), flush=True)
    for family, lines in by_family.items():
        print(json.dumps(family_line(family, lines)), flush=True)
    print(json.dumps(family_line("all", [line for lines in by_family.values() for line in lines])), flush=True)


if __name__ == "__main__":
    main()

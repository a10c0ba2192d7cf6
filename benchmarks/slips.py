"""How often the counts tell that the patient's reference slipped: where it did, and where it did not.

``python -m benchmarks.slips --seeds 260`` prints a JSON line a scene, then one a slip. The scenes are those of
``benchmarks.patients``, replayed as in theatre; half a minute into each the reference slips, mostly along the
skin, so that all poses are told so far beside the true ones. A slip of 0 mm is none: what is told there is a false
alarm, and so is what is told before the slip. With ``--wrong`` the probe is not the one that was calibrated.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks.coverage import PROBES, calibrated
from benchmarks.patients import FAMILIES, drawn_error, drawn_scene
from benchmarks.recordings import Known, Scene
from benchmarks.scattering import ScatteringProbe
from navigation.estimation.slip import EVERY, SlipWatch
from navigation.observations import Observations
from navigation.probe.response import Response

Array = NDArray[np.float64]

SLIPPED_AT_S = 30.0
LENGTHS_MM = (0.0, 10.0, 20.0)
ALONG_SKIN = np.array([1.0, 1.0, 0.3])
"""A marker on the skin slips along it rather than into it."""

_SCENE, _ERROR, _SLIP = 1, 2, 7
"""First word of each kind of seed."""


class Replay:
    """A scene that is replayed as in theatre; copies of it go on from where it stands.

    ``told`` is when a slip was told first, s, and how long it was said to be, mm; None while none was.
    """

    def __init__(self, scene: Scene, response: Response) -> None:
        self._estimator, known = scene.estimator(response), Known.of(scene.header, response)
        self._watch = SlipWatch(self._estimator.likelihood, self._estimator.prior, known.tissue)
        self.told: tuple[float, float] | None = None

    def count(self, observations: Observations) -> None:
        """Take in readings, a second's at a time."""
        for start in range(0, len(observations), EVERY):
            if self.told is not None:
                return
            part = observations.take(np.arange(start, min(start + EVERY, len(observations))))
            self._estimator.add(part)
            slip = self._watch.look(part, self._estimator.fit, self._estimator.log_strength)
            if slip is not None:
                self.told = float(part.taken_at_s[-1]), slip.length_mm


def scene_line(
    number: int, *, probes: Sequence[tuple[ScatteringProbe, Response]], lengths_mm: Sequence[float], is_wrong: bool
) -> list[dict[str, Any]]:
    """Draw scene ``number``, let its reference slip by each length, and say what was told."""
    row, column = divmod(number, len(FAMILIES))
    family = list(FAMILIES)[column]
    probe, response = probes[row % len(probes)]
    if is_wrong:
        probe = drawn_error(probe, np.random.default_rng([_ERROR, number]))
    scene, _ = drawn_scene(family, row, probe, np.random.default_rng([_SCENE, column, row]))
    way = np.random.default_rng([_SLIP, number]).normal(size=3) * ALONG_SKIN
    is_before = scene.observations.taken_at_s < SLIPPED_AT_S
    before, after = scene.observations.take(is_before), scene.observations.take(~is_before)
    until_then = Replay(scene, response)
    until_then.count(before)
    lines = []
    for length_mm in lengths_mm:
        replay = deepcopy(until_then)
        replay.count(replace(after, tip_mm=after.tip_mm + length_mm * way / np.linalg.norm(way)))
        told = replay.told
        is_false = told is not None and (length_mm == 0 or told[0] < SLIPPED_AT_S)
        lines.append(
            {
                "scene": scene.name,
                "family": family,
                "slip_mm": length_mm,
                "told": told is not None and not is_false,
                "false": is_false,
                "after_s": None if told is None or is_false else round(told[0] - SLIPPED_AT_S, 1),
                "told_mm": None if told is None else round(told[1], 1),
            }
        )
    return lines


def summary(length_mm: float, lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One slip's JSON line: how many were told, how soon, and how many alarms were false, with 95 % bounds."""
    found = [line for line in lines if line["slip_mm"] == length_mm]
    told, false = sum(line["told"] for line in found), sum(line["false"] for line in found)
    after_s = sorted(line["after_s"] for line in found if line["told"])
    return {
        "slip_mm": length_mm,
        "scenes": len(found),
        "told": told,
        "median_s": after_s[len(after_s) // 2] if after_s else None,
        "false": false,
        "false_at_most": round(float(binomtest(false, len(found)).proportion_ci().high), 4),
    }


def main() -> None:
    """Read the arguments, draw, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=260, help="scenes, over all families")
    parser.add_argument("--first", type=int, default=0, help="number of the first scene: other numbers, others")
    parser.add_argument("--slips", type=float, nargs="+", default=LENGTHS_MM, help="lengths, mm")
    parser.add_argument("--wrong", action="store_true", help="the probe is not the one that was calibrated")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    lines: list[dict[str, Any]] = []
    with ProcessPoolExecutor(chosen.workers, get_context("spawn"), threadpool_limits, (1,)) as pool:
        numbers = range(chosen.first, chosen.first + chosen.seeds)
        probes = list(pool.map(calibrated, range(min(PROBES, -(-numbers.stop // len(FAMILIES))))))
        line_of = partial(scene_line, probes=probes, lengths_mm=chosen.slips, is_wrong=chosen.wrong)
        for several in pool.map(line_of, numbers):
            lines += several
            for line in several:
                print(json.dumps(line), flush=True)
    for length_mm in chosen.slips:
        print(json.dumps(summary(length_mm, lines)), flush=True)


if __name__ == "__main__":
    main()

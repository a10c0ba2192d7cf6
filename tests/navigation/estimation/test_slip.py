"""Whether the reference slipped, by the counts: told where all moved alike, and never for another change."""

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Self

import numpy as np
import pytest

from benchmarks.recordings import Spot
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.estimation.slip import EVERY, Slip, SlipWatch
from navigation.observations import Observations
from navigation.probe.response import Response
from tests.navigation.bench import SKIN, calibrated, sweep

NODES_MM = np.array([[-12.0, 4.0, -20.0], [14.0, -6.0, -24.0]])
ACTIVITY_MBQ = np.array([0.1, 0.08])


@cache
def response() -> Response:
    return calibrated(np.random.default_rng(4))[0]


def mapped(nodes: int = len(NODES_MM)) -> Prior:
    """Give the map of the first nodes."""
    return Prior.from_hotspots(
        [
            Spot(
                name=f"node {number}",
                kind="target",
                centre_mm=centre,
                covariance_mm2=9.0 * np.eye(3),
                activity_mbq=0.1,
                activity_factor=2.0,
            )
            for number, centre in enumerate(NODES_MM[:nodes], 1)
        ]
    )


class Theatre:
    """An estimate of the first nodes, and what is told of slips as it is counted on."""

    def __init__(self, nodes: int = len(NODES_MM)) -> None:
        self._estimator = Estimator(response(), mapped(nodes), SKIN)
        self._watch = SlipWatch(self._estimator.likelihood, self._estimator.prior, SKIN)
        self._now_s = 0.0
        self.told: Slip | None = None

    def count(self, part: Observations) -> Self:
        """Count until a slip is told."""
        counted = replace(part, taken_at_s=part.taken_at_s + self._now_s)
        self._now_s = float(counted.taken_at_s[-1]) + 0.1
        for start in range(0, len(counted), EVERY):
            if self.told is None:
                newest = counted.take(np.arange(start, min(start + EVERY, len(counted))))
                self._estimator.add(newest)
                self.told = self._watch.look(newest, self._estimator.fit, self._estimator.log_strength)
        return self


def swept(nodes_mm: np.ndarray, activity_mbq: np.ndarray, seed: int, *, seconds: float = 16.0) -> Observations:
    return sweep(nodes_mm, activity_mbq, np.random.default_rng(seed), seconds=seconds)


@cache
def located() -> Theatre:
    return Theatre().count(swept(NODES_MM, ACTIVITY_MBQ, 1, seconds=24.0))


def told(after: Observations) -> Slip | None:
    """Count on from where both nodes are located, and give the first slip that is told."""
    theatre = deepcopy(located())
    assert theatre.told is None
    return theatre.count(after).told


def test_a_slip_is_told_with_its_length() -> None:
    """Both nodes lie 15 mm elsewhere once they are located, as do all poses where a marker was pushed."""
    by_mm = np.array((-8.0, 12.0, 3.0))
    after = swept(NODES_MM, ACTIVITY_MBQ, 2)
    slip = told(replace(after, tip_mm=after.tip_mm + by_mm))
    assert slip is not None
    assert slip.length_mm == pytest.approx(float(np.linalg.norm(by_mm)), abs=7.0)
    assert slip.mean_mm @ by_mm > 0
    assert slip.log_evidence > 8


def test_a_slip_is_told_once() -> None:
    """What was believed before it foretells nothing any more; by what was believed since nothing slipped."""
    by_mm = np.array((-8.0, 12.0, 3.0))
    after = swept(NODES_MM, ACTIVITY_MBQ, 2, seconds=40.0)
    theatre = deepcopy(located()).count(replace(after, tip_mm=after.tip_mm + by_mm))
    assert theatre.told is not None
    theatre.told = None
    again = swept(NODES_MM, ACTIVITY_MBQ, 3, seconds=24.0)
    assert theatre.count(replace(again, tip_mm=again.tip_mm + by_mm)).told is None


def test_what_is_no_slip_is_not_told_as_one() -> None:
    """Nothing at all, a node that was cut out, and one that comes into view beside those known."""
    assert told(swept(NODES_MM, ACTIVITY_MBQ, 2)) is None
    assert told(swept(NODES_MM[1:], ACTIVITY_MBQ[1:], 3)) is None
    third = np.concatenate((NODES_MM, [[0.0, 20.0, -18.0]]))
    assert told(swept(third, np.append(ACTIVITY_MBQ, 0.15), 4)) is None


@cache
def located_alone() -> Theatre:
    return Theatre(nodes=1).count(swept(NODES_MM[:1], ACTIVITY_MBQ[:1], 1, seconds=24.0))


def beside(aside_mm: np.ndarray, part: Observations) -> Observations:
    """Move a sweep over the skin."""
    return replace(part, tip_mm=part.tip_mm + aside_mm)


def test_where_only_another_place_is_looked_at_a_node_there_is_no_slip() -> None:
    """That the one known moved there would explain the counts as well; one more is the likelier story."""
    aside_mm = np.array((20.0, 10.0, 0.0))
    both_mm = np.vstack((NODES_MM[:1], [[20.0, 10.0, -22.0]])) - aside_mm
    part = sweep(both_mm, np.array((0.1, 0.1)), np.random.default_rng(5), seconds=16.0, width_mm=24.0)
    assert deepcopy(located_alone()).count(beside(aside_mm, part)).told is None


def test_a_node_of_which_little_is_left_did_not_sink() -> None:
    """Most of it was cut out: that it lies deeper explains the counts nearly as well, and at one look better."""
    aside_mm = NODES_MM[0] * (1, 1, 0)
    left_mbq = 0.15 * ACTIVITY_MBQ[:1]
    part = sweep(NODES_MM[:1] - aside_mm, left_mbq, np.random.default_rng(3), seconds=10.0, width_mm=20.0)
    assert deepcopy(located_alone()).count(beside(aside_mm, part)).told is None


def test_nothing_is_told_before_anything_is_believed() -> None:
    """A map that lies 20 mm beside the nodes from the beginning is no slip: nothing was located before."""
    beside = swept(NODES_MM + np.array([20.0, 0.0, 0.0]), ACTIVITY_MBQ, 5, seconds=24.0)
    assert Theatre().count(beside).told is None

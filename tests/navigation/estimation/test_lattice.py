from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp

from benchmarks.recordings import Spot
from navigation.estimation import lattice as lattices
from navigation.estimation.lattice import FAINTEST_CPS, SPACING_MM, Lattice, Scan
from navigation.estimation.prior import Prior, SourcePrior
from navigation.estimation.tally import KEPT_ROWS, Tally
from navigation.observations import Observations
from navigation.probe.response import Response
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, sweep

Array = NDArray[np.float64]

NODE = np.array([[4.0, -3.0, -22.0]])
NOTHING = np.zeros((0, 3))
_NODE_ON_THE_MAP = Spot(
    name="node",
    kind="target",
    centre_mm=np.array([8.0, 2.0, -25.0]),
    covariance_mm2=6.0 * np.eye(3),
    activity_mbq=0.05,
    activity_factor=2.0,
)
PRIOR = Prior.from_hotspots([_NODE_ON_THE_MAP])
MAPPED, UNMAPPED = PRIOR.sources[0], PRIOR.unmapped


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _searched(response: Response, seen: Observations, batch: int = 25) -> tuple[Lattice, Tally]:
    lattice, tally = Lattice(response), Tally(SKIN)
    for start in range(0, len(seen), batch):
        part = seen.take(np.arange(start, min(start + batch, len(seen))))
        tally.append(part)
        lattice.extend(tally, len(part))
        if merged := tally.merge():
            lattice.merge(*merged)
    return lattice, tally


def _summed(
    searched: tuple[Lattice, Tally], response: Response, prior: SourcePrior, others_cps: Array, weight: Array
) -> tuple[Array, Array, float]:
    """Work out the same densely: double precision, every row, activities from far below to far above."""
    lattice, tally = searched
    rates = response.rate_cps(lattice.points_mm, tally.tip_mm, tally.axis, tally.skin)
    relative = rates / others_cps[:, None]
    exposure = (weight * tally.live_time_s / (1 + others_cps * response.dead_time_s)) @ rates
    off = np.linspace(-7.0, 5.0, 481)
    gains = np.empty((len(off), len(lattice.points_mm)))
    for number, each in enumerate(off):
        activity = np.exp(prior.log_activity_mean + each * prior.log_activity_sigma)
        gains[number] = (weight * tally.counts) @ np.log1p(relative * activity) - activity * exposure
    gains -= 0.5 * off[:, None] ** 2
    log_mass = prior.log_density(lattice.points_mm, lattice.volume_mm3)[0] + np.log(SPACING_MM**3)
    log_weight = log_mass + logsumexp(gains, axis=0) + np.log((off[1] - off[0]) / np.sqrt(2 * np.pi))
    unseen = max(1 - float(np.exp(log_mass).sum()), 1e-300)
    evidence = float(np.logaddexp(logsumexp(log_weight), np.log(unseen)))
    return prior.log_activity_mean + prior.log_activity_sigma * off[gains.argmax(axis=0)], log_weight, evidence


def _mean_mm(lattice: Lattice, log_weight: Array) -> Array:
    share = np.exp(log_weight - logsumexp(log_weight))
    return np.asarray(share @ lattice.points_mm)


def _scene(name: str, rng: np.random.Generator) -> tuple[Observations, float]:
    """Return readings, and how strong everything else is, over the background."""
    if name == "a node":
        return sweep(NODE, np.array([0.1]), rng), 0.0
    if name == "a faint node":
        return sweep(NODE, np.array([0.01]), rng), 0.0
    if name == "a few readings":
        return sweep(NODE, np.array([0.1]), rng, seconds=3.0), 0.0
    if name == "nothing":
        return sweep(NOTHING, np.zeros(0), rng), 0.0
    injection = np.array([[38.0, 20.0, -15.0]])
    return sweep(np.concatenate((NODE, injection)), np.array([0.1, 100.0]), rng), 100.0


@pytest.mark.parametrize("name", ["a node", "a faint node", "a few readings", "nothing", "beside an injection"])
@pytest.mark.parametrize("prior", [MAPPED, UNMAPPED], ids=["mapped", "unmapped"])
def test_evidence_is_the_integral(response: Response, name: str, prior: SourcePrior) -> None:
    """Evidence, place and activity are those of the dense sum over every row, point and activity."""
    seen, neighbour_mbq = _scene(name, np.random.default_rng(21))
    lattice, tally = _searched(response, seen)
    others = np.full(len(tally), BACKGROUND_CPS)
    if neighbour_mbq:
        place = np.array([[38.0, 20.0, -15.0]])
        others += neighbour_mbq * response.rate_cps(place, tally.tip_mm, tally.axis, tally.skin)[:, 0]
    weight = np.random.default_rng(22).uniform(0.5, 1.0, len(tally))
    scan = lattice.scan(prior, tally, others, weight)
    log_activity, log_weight, evidence = _summed((lattice, tally), response, prior, others, weight)
    assert scan.log_evidence == pytest.approx(evidence, abs=0.1)
    best = int(scan.log_weight.argmax())
    assert log_weight[best] > log_weight.max() - 0.15
    assert scan.log_activity[best] == pytest.approx(log_activity[best], abs=0.06)
    assert np.linalg.norm(_mean_mm(lattice, scan.log_weight) - _mean_mm(lattice, log_weight)) < 2.5
    far = log_weight < log_weight.max() - 20
    assert (scan.log_weight[far] < scan.log_weight.max() - 12).all()


def test_a_node_stands_at_the_nearest_points(response: Response) -> None:
    """After half a minute over a node, the best point is beside the truth, and the evidence beyond doubt."""
    lattice, tally = _searched(response, sweep(NODE, np.array([0.1]), np.random.default_rng(23)))
    scan = lattice.scan(UNMAPPED, tally, np.full(len(tally), BACKGROUND_CPS), np.ones(len(tally)))
    assert np.linalg.norm(lattice.points_mm[scan.log_weight.argmax()] - NODE[0]) < SPACING_MM
    assert scan.log_evidence > 50


def test_background_alone_speaks_against_a_node(response: Response) -> None:
    """With nothing but background, evidence for a node of the usual activity is below one."""
    nothing = sweep(NOTHING, np.zeros(0), np.random.default_rng(24))
    lattice, tally = _searched(response, nothing)
    others = np.full(len(tally), BACKGROUND_CPS)
    assert lattice.scan(MAPPED, tally, others, np.ones(len(tally))).log_evidence < -1


def test_rates_are_those_of_the_response(response: Response) -> None:
    """However the rows came in, every point's rate at every row is the response's."""
    seen = sweep(NODE, np.array([0.1]), np.random.default_rng(25), seconds=20.0)
    for batch in (1, 7, 200):
        lattice, tally = _searched(response, seen, batch)
        expected = response.rate_cps(lattice.points_mm, tally.tip_mm, tally.axis, tally.skin)
        assert np.allclose(lattice.rates, expected, rtol=1e-6, atol=0)


def test_merged_rows_keep_what_each_point_would_have_counted(response: Response) -> None:
    """Merging changes no point's exposure: the sum of live time times rate."""
    seen = sweep(NODE, np.array([0.1]), np.random.default_rng(26), seconds=60.0)
    lattice, tally = Lattice(response), Tally(SKIN)
    tally.append(seen)
    lattice.extend(tally, len(seen))
    before = tally.live_time_s @ lattice.rates
    merged = tally.merge()
    assert merged is not None
    lattice.merge(*merged)
    assert lattice.rates.shape == (len(tally), len(lattice.points_mm))
    assert np.allclose(tally.live_time_s @ lattice.rates, before, rtol=1e-5, atol=0)


def test_new_points_enter_a_few_at_a_time(response: Response) -> None:
    """A new view late in a session makes no update wait for all its points, and loses none of them."""
    old = sweep(NODE, np.array([0.1]), np.random.default_rng(27), seconds=40.0)
    lattice, tally = _searched(response, old)
    aside = replace(old, tip_mm=old.tip_mm + np.array([60.0, 0.0, 0.0]))
    sizes = [len(lattice.points_mm)]
    for row in range(60):
        tally.append(aside.take(np.array([row])))
        lattice.extend(tally, 1)
        sizes.append(len(lattice.points_mm))
    assert np.diff(sizes).max() <= lattices.RATES_A_READING // 400 + 1
    assert sizes[-1] > sizes[0] + 200
    at_once = _searched(response, old + aside.take(np.arange(60)), batch=len(old) + 60)[0]
    assert {*map(tuple, lattice.points_mm.tolist())} <= {*map(tuple, at_once.points_mm.tolist())}
    for _ in range(200):
        tally.append(aside.take(np.array([59])))
        lattice.extend(tally, 1)
        if merged := tally.merge():
            lattice.merge(*merged)
    assert {*map(tuple, lattice.points_mm.tolist())} == {*map(tuple, at_once.points_mm.tolist())}


def test_memory_is_bounded_by_the_place_searched(response: Response) -> None:
    """Five minutes over the same field hold no more points or rows than one, but for the field's edge."""
    rng = np.random.default_rng(28)
    seen = sweep(NODE, np.array([0.1]), rng, seconds=60.0)
    lattice, tally = _searched(response, seen, batch=60)
    points = len(lattice.points_mm)
    for _ in range(4):
        for start in range(0, len(seen), 60):
            tally.append(seen.take(np.arange(start, start + 60)))
            lattice.extend(tally, 60)
            if merged := tally.merge():
                lattice.merge(*merged)
    assert tally.readings == 3000
    assert len(lattice.points_mm) <= 1.05 * points
    assert lattice._room.shape[0] <= 2 * (KEPT_ROWS + 60)
    assert lattice._room.shape[1] <= 2 * len(lattice.points_mm)


def test_the_same_scan_twice_is_the_same(response: Response) -> None:
    """What the working memory holds from another scan changes nothing."""
    lattice, tally = _searched(response, sweep(NODE, np.array([0.1]), np.random.default_rng(29)))
    others, weight = np.full(len(tally), BACKGROUND_CPS), np.ones(len(tally))

    def scan() -> Scan:
        return lattice.scan(UNMAPPED, tally, others, weight)

    first = scan()
    lattice.scan(MAPPED, tally, 3 * others, 0.5 * weight)
    assert scan().log_weight.tolist() == first.log_weight.tolist()


def test_merged_rows_are_compared_with_their_mean_pose(response: Response) -> None:
    """At a lattice point the ratio is that of the mean rate; single rows, and places not seen, have none."""
    lattice, tally = Lattice(response), Tally(SKIN)
    seen = sweep(NODE, np.array([0.1]), np.random.default_rng(21), seconds=60.0)
    tally.append(seen)
    lattice.extend(tally, len(seen))
    merged = tally.merge()
    assert merged is not None
    lattice.merge(*merged)
    near = lattice.points_mm[np.linalg.norm(lattice.points_mm - NODE[0], axis=1).argmin()]
    far = np.array([0.0, 0.0, 900.0])
    log_mean = lattice.log_mean_over_middle(np.stack((near, far)), tally)
    by_reading = response.rate_cps(near[None], seen.tip_mm, seen.axis, SKIN.skin_at(seen.tip_mm))[:, 0]
    group, live_time_s = merged
    mean = np.bincount(group, live_time_s * by_reading) / np.bincount(group, live_time_s)
    at_middle = response.rate_cps(near[None], tally.tip_mm, tally.axis, tally.skin)[:, 0]
    expected = np.log((mean + FAINTEST_CPS) / (at_middle + FAINTEST_CPS))
    assert log_mean[:, 0] == pytest.approx(expected, abs=2e-3)
    assert np.abs(log_mean[tally.is_merged, 0]).max() > 0.05
    assert (log_mean[~tally.is_merged] == 0).all()
    assert (log_mean[:, 1] == 0).all()

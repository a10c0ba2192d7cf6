from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from navigation.estimation.judgement import LEAST_LOG_EVIDENCE
from navigation.estimation.lattice import SPACING_MM
from navigation.estimation.posterior import Estimator, Posterior
from navigation.estimation.prior import NODE_ACTIVITY_FACTOR, NODE_ACTIVITY_MBQ, PRESENCE, Prior
from navigation.observations import Observations
from navigation.probe.response import Response
from tests.navigation.bench import SKIN, calibrated, sweep

Array = NDArray[np.float64]

NOTHING = np.zeros((0, 3))


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A hotspot as the map shows it."""

    name: str
    kind: str
    centre_mm: Array
    covariance_mm2: Array
    activity_mbq: float | None
    activity_factor: float


def _spot(name: str, place: tuple[float, float, float], activity_mbq: float | None = 0.1) -> Spot:
    is_injection = name == "injection"
    return Spot(
        name=name,
        kind="injection" if is_injection else "target",
        centre_mm=np.array(place),
        covariance_mm2=4.0 * np.eye(3),
        activity_mbq=activity_mbq,
        activity_factor=1.2 if is_injection else 2.0,
    )


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _all(estimator: Estimator, observations: Observations, *, batch: int = 60) -> Iterator[Posterior]:
    for start in range(0, len(observations), batch):
        yield estimator.add(observations.take(np.arange(start, min(start + batch, len(observations)))))


def _last(estimator: Estimator, observations: Observations, *, batch: int = 60) -> Posterior:
    return list(_all(estimator, observations, batch=batch))[-1]


def _seen(
    places: list[tuple[float, float, float]], activity_mbq: list[float], seed: int, **how: float
) -> Observations:
    sources = np.array(places) if places else NOTHING
    return sweep(sources, np.array(activity_mbq), np.random.default_rng(seed), **how)


@pytest.mark.parametrize("seed", range(2))
def test_a_hotspot_without_counts_is_declared_absent(response: Response, seed: int) -> None:
    """Half a minute of background over the map's node makes it improbable, shows nothing and makes nothing up."""
    prior = Prior.from_hotspots([_spot("node", (2.0, 3.0, -22.0))])
    posterior = _last(Estimator(response, prior, SKIN), _seen([], [], 200 + seed))
    assert [each.name for each in posterior.targets] == ["node"]
    assert posterior.targets[0].presence < 0.2
    assert posterior.targets[0].reason.startswith("the counts do not show it")
    assert posterior.is_consistent


def test_a_phantom_beside_a_real_node_is_declared_absent(response: Response) -> None:
    """Of two hotspots 34 mm apart only the one that counts is shown, and the other does not borrow its counts."""
    prior = Prior.from_hotspots(
        [_spot("phantom", (15.0, 15.0, -22.0)), _spot("node", (-8.0, -10.0, -22.0))], shift_sigma_mm=4.0
    )
    posterior = _last(Estimator(response, prior, SKIN), _seen([(-8.0, -9.0, -23.0)], [0.1], 210))
    phantom, node = posterior.targets
    assert node.is_localisable
    assert np.linalg.norm(node.centre_mm - [-8.0, -9.0, -23.0]) < 3.0
    assert phantom.presence < 0.2
    assert not phantom.is_localisable


@pytest.mark.parametrize("seed", range(2))
def test_one_node_is_not_two(response: Response, seed: int) -> None:
    """Where the map shows two hotspots 11 mm apart and one node lies between, one is shown at most."""
    prior = Prior.from_hotspots([_spot("first", (-4.0, 0.0, -22.0)), _spot("second", (7.0, 0.0, -22.0))])
    posterior = _last(Estimator(response, prior, SKIN), _seen([(3.0, 1.0, -22.0)], [0.1], 220 + seed))
    shown = [each for each in posterior.targets if each.is_localisable]
    assert len(shown) == 1
    assert np.linalg.norm(shown[0].centre_mm - [3.0, 1.0, -22.0]) < 3.0


def _integrated(response: Response, estimator: Estimator, prior: Prior, seen: Observations) -> float:
    """Log of the evidence with the map's node over that without: place, activity and background summed up.

    Positions on a grid of half the lattice's spacing that fills the same cells; what is not searched counts as is.
    """
    half = SPACING_MM / 4 * np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(-1, 3)
    points = (estimator._lattice.points_mm[:, None] + half).reshape(-1, 3)
    node = prior.sources[0]
    assert node.centre_mm is not None
    assert node.covariance_mm2 is not None
    off = points - node.centre_mm
    square = np.einsum("mi,ij,mj->m", off, np.linalg.inv(node.covariance_mm2), off)
    gauss = np.exp(-0.5 * square) / np.sqrt(np.linalg.det(2 * np.pi * node.covariance_mm2))
    cell = SPACING_MM**3 / 8
    mass = cell * ((1 - node.uniform_share) * gauss + node.uniform_share / (cell * len(points)))
    # a point that holds no mass to speak of needs no sum
    points, mass = points[mass > 1e-6], mass[mass > 1e-6]
    rates = response.rate_cps(points, seen.tip_mm, seen.axis, SKIN.skin_at(seen.tip_mm))
    off_activity = np.linspace(-2.7, 2.7, 19)
    log_share = -0.5 * off_activity**2 + np.log((off_activity[1] - off_activity[0]) / np.sqrt(2 * np.pi))

    def log_poisson(rate: Array) -> Array:
        expected = rate / (1 + rate * response.dead_time_s) * seen.live_time_s[:, None]
        terms = seen.counts[:, None] * np.log(expected) - expected - gammaln(seen.counts + 1)[:, None]
        return np.asarray(terms.sum(axis=0))

    def log_prior(place: float) -> float:
        return -0.5 * place**2

    with_it, without = [], []
    # without the node the background has to make up for it, with it not
    for place in np.linspace(-3.0, 6.0, 91):
        background = response.background_cps * np.exp(0.3 * place)
        without.append(np.log(0.1) + log_prior(place) + log_poisson(np.full((len(seen), 1), background))[0])
    for place in np.linspace(-2.4, 2.4, 9):
        background = response.background_cps * np.exp(0.3 * place)
        for each, log_part in zip(off_activity, log_share, strict=True):
            activity = np.exp(node.log_activity_mean + each * node.log_activity_sigma)
            log_each = log_poisson(background + activity * rates) + np.log(mass)
            with_it.append(np.log(0.6) + log_prior(place) + log_part + logsumexp(log_each))
    ratio = float(logsumexp(with_it) - logsumexp(without))
    return float(np.logaddexp(ratio, np.log(max(1 - mass.sum(), 1e-300))))


@pytest.mark.parametrize(("activity_mbq", "seed"), [(0.0, 230), (0.006, 232), (0.012, 233), (0.02, 234)])
def test_presence_is_the_direct_sum(response: Response, activity_mbq: float, seed: int) -> None:
    """Evidence is the plain sum over place, activity and background: a little less, and never more."""
    prior = Prior.from_hotspots([_spot("node", (3.0, 2.0, -20.0), 0.02)])
    seen = _seen([(0.0, 0.0, -18.0)], [activity_mbq], seed, seconds=6.0, width_mm=30.0)
    estimator = Estimator(response, prior, SKIN)
    target = _last(estimator, seen, batch=60).targets[0]
    evidence = _integrated(response, estimator, prior, seen)
    assert evidence - 1.2 < estimator._beliefs["node"].log_evidence < evidence + 0.3
    odds = np.exp(np.array([evidence - 1.2, evidence + 0.3])) * PRESENCE / (1 - PRESENCE)
    least, most = odds / (1 + odds)
    assert least < target.presence < most


def test_without_a_word_from_the_counts_nothing_is_shown(response: Response) -> None:
    """A map sure of its node to a millimetre is not enough: counted elsewhere, no position is drawn."""
    known = replace(_spot("node", (60.0, 50.0, -25.0)), covariance_mm2=np.eye(3))
    prior = Prior.from_hotspots([known], shift_sigma_mm=1.0, presence=0.98)
    estimator = Estimator(response, prior, SKIN)
    seen = _seen([], [], 240, width_mm=20.0)
    for posterior in _all(estimator, seen):
        target = posterior.targets[0]
        assert target.presence > 0.8
        assert estimator._beliefs["node"].log_evidence < LEAST_LOG_EVIDENCE
        assert not target.is_localisable
    assert target.reason == "the map says so, the counts do not yet"


@pytest.mark.parametrize("activity_mbq", [0.003, 0.01, 0.03])
def test_what_is_shown_is_borne_out(response: Response, activity_mbq: float) -> None:
    """Reading by reading, no target is a location before the counts speak for it, at least 150 to one."""
    prior = Prior.from_hotspots([_spot("node", (3.0, 2.0, -20.0), 0.02)], presence=0.95)
    estimator = Estimator(response, prior, SKIN)
    asked = 0
    for posterior in _all(estimator, _seen([(0.0, 0.0, -20.0)], [activity_mbq], 241, seconds=15.0), batch=6):
        for target in posterior.targets:
            asked += 1
            if target.is_localisable:
                assert estimator._beliefs[target.name].log_evidence >= max(LEAST_LOG_EVIDENCE, np.log(150) - 0.02)
                assert target.presence >= 0.8
                assert target.region_semi_axes_mm[0] <= 20.0
            else:
                assert target.reason
    assert asked >= 25


@pytest.mark.parametrize("seed", range(2))
def test_two_nodes_eleven_millimetres_apart_stay_two(response: Response, seed: int) -> None:
    """After 30 s two neighbours are both shown, each in its own place, and half a minute later still."""
    places = [(-5.0, 0.0, -20.0), (6.0, 0.0, -20.0)]
    prior = Prior.from_hotspots([_spot("left", (-3.0, 2.0, -22.0)), _spot("right", (8.0, 2.0, -22.0))])
    estimator = Estimator(response, prior, SKIN)
    for turn in range(2):
        posterior = _last(estimator, _seen(places, [0.1, 0.1], 250 + 2 * seed + turn), batch=60)
        assert len(posterior.targets) == 2
        for place, target in zip(places, posterior.targets, strict=True):
            assert target.is_localisable
            assert np.linalg.norm(target.centre_mm - place) < 5.0


@pytest.mark.parametrize("activity_mbq", [0.05, 1.0])
def test_a_node_on_no_map_is_born_once(response: Response, activity_mbq: float) -> None:
    """Through a minute, weak or strong, a node on no map is one target, and keeps its name once it is located."""
    estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
    names: set[str] = set()
    for turn in range(2):
        for posterior in _all(estimator, _seen([(6.0, 7.0, -20.0)], [activity_mbq], 260 + turn), batch=60):
            assert len(posterior.targets) <= 1
            names |= {each.name for each in posterior.targets if posterior.readings > 120}
    assert len(names) == 1
    assert np.linalg.norm(posterior.targets[0].centre_mm - [6.0, 7.0, -20.0]) < 2.5


def test_nothing_is_born_of_nothing(response: Response) -> None:
    """A minute of background without a map names no target at any time."""
    estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
    for turn in range(2):
        for posterior in _all(estimator, _seen([], [], 270 + turn), batch=60):
            assert posterior.targets == ()
            assert posterior.is_consistent


def test_the_order_of_the_map_does_not_matter(response: Response) -> None:
    """The map's spots listed the other way round give the same places, spreads and probabilities."""
    spots = [
        _spot("node", (9.0, 1.0, -25.0)),
        _spot("injection", (31.0, 16.0, -15.0), 20.0),
        _spot("phantom", (-15.0, -15.0, -20.0)),
    ]
    seen = _seen([(4.0, -3.0, -22.0), (30.0, 15.0, -15.0)], [0.1, 20.0], 280)
    found = []
    for order in (spots, spots[::-1]):
        posterior = _last(Estimator(response, Prior.from_hotspots(order), SKIN), seen, batch=60)
        found.append({each.name: each for each in posterior.targets})
    assert found[0].keys() == found[1].keys() == {"node", "injection", "phantom"}
    for name, first in found[0].items():
        second = found[1][name]
        spread = np.sqrt(np.diag(first.covariance_mm2))
        assert (np.abs(first.centre_mm - second.centre_mm) < 0.25 * spread).all()
        assert np.sqrt(np.diag(second.covariance_mm2)) == pytest.approx(spread, rel=0.1)
        assert first.presence == pytest.approx(second.presence, abs=0.05)
        assert first.is_localisable == second.is_localisable


def test_the_same_batches_give_the_same_numbers(response: Response) -> None:
    """Node, injection and one on no map: fed alike, two estimators agree to the last bit in all they say."""
    spots = [_spot("node", (9.0, 1.0, -25.0)), _spot("injection", (31.0, 16.0, -15.0), 20.0)]
    seen = _seen([(4.0, -3.0, -22.0), (30.0, 15.0, -15.0), (-18.0, 12.0, -18.0)], [0.1, 20.0, 0.2], 290)

    def told() -> list[object]:
        said: list[object] = []
        estimator = Estimator(response, Prior.from_hotspots(spots), SKIN)
        for posterior in _all(estimator, seen, batch=60):
            said += [posterior.background_cps, posterior.misfit, posterior.expected_rate_cps]
            for each in posterior.targets:
                said += [each.name, each.presence, each.log_activity_mean, each.log_activity_sigma, each.reason]
                said += [each.centre_mm.tolist(), each.covariance_mm2.tolist()]
        return said

    first, second = told(), told()
    assert "unmapped 1" in first
    assert first == second


def test_an_activity_unknown_to_the_map_has_the_usual_prior() -> None:
    """A hotspot without an activity is believed to be a node like any other, to a factor of five."""
    source = Prior.from_hotspots([_spot("node", (0.0, 0.0, -20.0), None)]).sources[0]
    assert np.exp(source.log_activity_mean) == pytest.approx(NODE_ACTIVITY_MBQ)
    assert np.exp(source.log_activity_sigma) == pytest.approx(NODE_ACTIVITY_FACTOR)

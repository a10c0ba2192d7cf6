from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.estimation.estimate import CHI2_95, region_of
from navigation.estimation.posterior import Estimator, Posterior
from navigation.estimation.prior import PRESENCE, Prior
from navigation.estimation.tally import KEPT_ROWS
from navigation.observations import Observations
from navigation.probe.response import Response
from tests.navigation.bench import SKIN, calibrated, sweep


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A hotspot as the map shows it."""

    name: str
    kind: str
    centre_mm: NDArray[np.float64]
    covariance_mm2: NDArray[np.float64]
    activity_mbq: float | None
    activity_factor: float


def _spot(name: str, place: tuple[float, float, float], activity_mbq: float | None, kind: str = "target") -> Spot:
    return Spot(
        name=name,
        kind=kind,
        centre_mm=np.array(place),
        covariance_mm2=4.0 * np.eye(3),
        activity_mbq=activity_mbq,
        activity_factor=1.2 if kind == "injection" else 2.0,
    )


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _after(estimator: Estimator, observations: Observations, *, batch: int = 25) -> Posterior:
    posterior = estimator.add(Observations.empty())
    for start in range(0, len(observations), batch):
        posterior = estimator.add(observations.take(np.arange(start, min(start + batch, len(observations)))))
    return posterior


def test_before_the_first_count_the_map_is_all_there_is(response: Response) -> None:
    """Nothing counted: the map's place is carried, and not shown as a location."""
    prior = Prior.from_hotspots([_spot("node", (5.0, 5.0, -25.0), 0.1)])
    posterior = Estimator(response, prior, SKIN).add(Observations.empty())
    target = posterior.targets[0]
    assert posterior.readings == 0
    assert posterior.expected_rate_cps is None
    assert not target.is_localisable
    assert target.reason == "nothing counted yet"
    assert target.mapped_mm is not None
    assert target.centre_mm.tolist() == [5.0, 5.0, -25.0]


def test_a_node_is_found_where_it_is(response: Response) -> None:
    """A node of 0.1 MBq 22 mm deep, its map 12 mm off, is placed within 3 mm in half a minute, and is certain."""
    truth = np.array([[4.0, -3.0, -22.0]])
    prior = Prior.from_hotspots([_spot("node", (12.0, 4.0, -27.0), 0.07)])
    posterior = _after(Estimator(response, prior, SKIN), sweep(truth, np.array([0.1]), np.random.default_rng(8)))
    target = posterior.targets[0]
    assert np.linalg.norm(target.centre_mm - truth[0]) < 3.0
    assert target.presence > 0.99
    assert target.is_localisable
    assert 0.06 < target.activity_mbq < 0.16
    assert posterior.is_consistent
    assert posterior.is_within_calibration
    assert len(posterior.targets) == 1


def test_a_wrong_map_is_overruled(response: Response) -> None:
    """With the map 38 mm off, the uniform share lets the counts have their way."""
    truth = np.array([[-15.0, 10.0, -20.0]])
    prior = Prior.from_hotspots([_spot("node", (14.0, -14.0, -26.0), 0.1)], shift_sigma_mm=6.0)
    posterior = _after(Estimator(response, prior, SKIN), sweep(truth, np.array([0.15]), np.random.default_rng(9)))
    shown = [each for each in posterior.targets if each.is_localisable]
    assert len(shown) == 1
    assert np.linalg.norm(shown[0].centre_mm - truth[0]) < 3.0


def test_a_node_on_no_map_is_found(response: Response) -> None:
    """Without any map a node is born from the counts, named as such, and placed within 3 mm."""
    truth = np.array([[6.0, 7.0, -20.0]])
    posterior = _after(
        Estimator(response, Prior.from_hotspots([]), SKIN),
        sweep(truth, np.array([0.12]), np.random.default_rng(10)),
    )
    assert [each.name for each in posterior.targets] == ["unmapped 1"]
    assert posterior.targets[0].mapped_mm is None
    assert posterior.targets[0].is_localisable
    assert np.linalg.norm(posterior.targets[0].centre_mm - truth[0]) < 3.0


def test_a_node_that_is_only_on_the_map_is_not_shown(response: Response) -> None:
    """Background alone speaks against the map's node: improbable, and never a location."""
    prior = Prior.from_hotspots([_spot("node", (2.0, 3.0, -22.0), 0.1)])
    nothing = sweep(np.zeros((0, 3)), np.zeros(0), np.random.default_rng(11))
    posterior = _after(Estimator(response, prior, SKIN), nothing)
    assert len(posterior.targets) == 1
    assert posterior.targets[0].presence < 0.25
    assert not posterior.targets[0].is_localisable
    assert posterior.background_cps == pytest.approx(4.0, rel=0.3)


@pytest.mark.parametrize("bench_cps", [0.0, 0.05])
def test_what_a_patient_adds_to_a_bench_without_background_is_no_source(
    response: Response, bench_cps: float
) -> None:
    """One count a second from everywhere, over a calibration that knows of next to none: it is no node."""
    quiet = replace(response, background_cps=bench_cps)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        seen = sweep(np.zeros((0, 3)), np.zeros(0), rng, seconds=40.0)
        seen = replace(seen, counts=rng.poisson(1.0 * seen.live_time_s).astype(np.float64))
        posterior = _after(Estimator(quiet, Prior.from_hotspots([]), SKIN), seen, batch=40)
        assert posterior.targets == ()
        assert posterior.background_cps == pytest.approx(1.0, rel=0.5)


def test_an_injection_site_is_never_a_target(response: Response) -> None:
    """The injection site keeps its kind, and a phantom node beside it is not shown as a location."""
    injection = np.array([[38.0, 20.0, -15.0]])
    prior = Prior.from_hotspots(
        [_spot("injection", (38.0, 20.0, -15.0), 20.0, "injection"), _spot("node", (0.0, -5.0, -25.0), 0.1)],
        shift_sigma_mm=3.0,
    )
    seen = sweep(injection, np.array([20.0]), np.random.default_rng(12))
    posterior = _after(Estimator(response, prior, SKIN), seen)
    assert posterior.targets[0].kind == "injection"
    assert not any(each.is_localisable for each in posterior.targets if each.kind == "target")


@pytest.mark.timeout(180)
def test_the_region_holds_the_truth_as_often_as_it_says(response: Response) -> None:
    """Over 16 seeds the 95 % region holds the node at least 13 times: fewer had a chance below 1 %."""
    held = 0
    for seed in range(16):
        rng = np.random.default_rng(100 + seed)
        truth = np.array([rng.uniform((-8, -8, -30), (8, 8, -15))])
        mapped = truth[0] + rng.normal(0, 8, 3)
        prior = Prior.from_hotspots([_spot("node", tuple(mapped), 0.1)])
        target = _after(
            Estimator(response, prior, SKIN), sweep(truth, np.array([0.1]), rng, seconds=15.0), batch=75
        ).targets[0]
        off = target.centre_mm - truth[0]
        held += int(off @ np.linalg.solve(target.covariance_mm2, off) < CHI2_95)
    assert held >= 13


def test_a_probe_that_looks_away_learns_nothing(response: Response) -> None:
    """Held up into the air, the probe leaves the map as it was, and nothing is shown."""
    prior = Prior.from_hotspots([_spot("node", (5.0, 5.0, -25.0), 0.1)])
    away = Observations(
        counts=np.array([0.0, 1.0]),
        live_time_s=np.array([0.1, 0.1]),
        tip_mm=np.array([[0.0, 0.0, 50.0], [0.0, 0.0, 51.0]]),
        axis=np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]),
        taken_at_s=np.array([0.0, 0.1]),
    )
    posterior = Estimator(response, prior, SKIN).add(away)
    assert posterior.readings == 2
    assert not posterior.targets[0].is_localisable
    assert posterior.targets[0].presence == PRESENCE


def test_the_same_readings_give_the_same_numbers(response: Response) -> None:
    """Two estimators fed alike agree to the last bit."""
    seen = sweep(np.array([[3.0, 3.0, -20.0]]), np.array([0.1]), np.random.default_rng(13), seconds=8.0)
    prior = Prior.from_hotspots([_spot("node", (0.0, 0.0, -22.0), None)])
    first, second = (_after(Estimator(response, prior, SKIN), seen).targets[0] for _ in range(2))
    assert first.centre_mm.tolist() == second.centre_mm.tolist()
    assert first.covariance_mm2.tolist() == second.covariance_mm2.tolist()
    assert first.presence == second.presence


@pytest.mark.timeout(180)
def test_a_long_session_stays_bounded(response: Response) -> None:
    """Two minutes of readings are merged by pose: the answer stands and the rows stay few."""
    truth = np.array([[2.0, -4.0, -20.0]])
    estimator = Estimator(response, Prior.from_hotspots([_spot("node", (5.0, 0.0, -24.0), 0.1)]), SKIN)
    rng = np.random.default_rng(14)
    for _ in range(4):
        posterior = _after(estimator, sweep(truth, np.array([0.1]), rng), batch=100)
    assert posterior.readings == 1200
    assert len(estimator._tally) <= 480
    assert np.linalg.norm(posterior.targets[0].centre_mm - truth[0]) < 2.0


@pytest.mark.parametrize("batch", [1, 20])
def test_a_source_is_taken_in_alike_by_single_readings_and_many(response: Response, batch: int) -> None:
    """A node on the map and one on none are found where they are, however many readings come at once."""
    places = np.array([[4.0, -3.0, -22.0], [-18.0, 12.0, -18.0]])
    seen = sweep(places, np.array([0.1, 0.2]), np.random.default_rng(12), seconds=20.0)
    estimator = Estimator(response, Prior.from_hotspots([_spot("node", (9.0, 1.0, -25.0), 0.1)]), SKIN)
    for start in range(0, len(seen), batch):
        posterior = estimator.add(seen.take(np.arange(start, min(start + batch, len(seen)))))
    assert [each.name for each in posterior.targets if each.is_localisable] == ["node", "unmapped 1"]
    for each, place in zip(posterior.targets, places, strict=True):
        assert np.linalg.norm(each.centre_mm - place) < 3.0
    assert posterior.is_consistent


def test_a_long_session_without_a_map_goes_on_reading_by_reading(response: Response) -> None:
    """Rows are merged also while no source is believed."""
    observations = sweep(np.zeros((0, 3)), np.zeros(0), np.random.default_rng(9), seconds=KEPT_ROWS / 10 + 1)
    estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
    estimator.add(observations.take(np.arange(KEPT_ROWS - 5)))
    for reading in range(KEPT_ROWS - 5, len(observations)):
        posterior = estimator.add(observations.take(np.array([reading])))
    assert posterior.readings == len(observations)
    assert not posterior.targets


def test_region_axes_belong_to_the_covariance() -> None:
    """Semi-axes come longest first, each with its own unit axis."""
    semi_axes, axes = region_of(np.diag([1.0, 9.0, 4.0]))
    assert semi_axes == pytest.approx(np.sqrt(7.815) * np.array([3.0, 2.0, 1.0]))
    assert np.abs(axes[0]).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("spots", "share", "sentence"),
    [
        ([_spot("node", (0, 0, -20), 0.1)], 0.01, "uniform share"),
        ([_spot("node", (0, 0, -20), 0.1), _spot("node", (0, 9, -20), 0.1)], 0.05, "share a name"),
        ([_spot("node", (0, 0, -20), 0.1, kind="liver")], 0.05, "'liver'"),
        ([_spot("node", (0, 0, -20), -0.1)], 0.05, "activity above 0"),
    ],
)
def test_a_senseless_prior_is_refused(spots: list[Spot], share: float, sentence: str) -> None:
    """A prior that could not be overruled, or whose map contradicts itself, is refused in words."""
    with pytest.raises(NavigationError, match=sentence):
        Prior.from_hotspots(spots, uniform_share=share)

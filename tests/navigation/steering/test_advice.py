from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import poisson

from benchmarks.recordings import Spot
from navigation.errors import FrameMismatch
from navigation.estimation.posterior import Estimator, Posterior
from navigation.estimation.prior import Prior
from navigation.estimation.tally import Tally
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.steering.advice import HORIZON_S, Advice, advise
from navigation.steering.information import READING_S, gains_mm2, information_nats, jacobian_and_variance
from navigation.tissue import NoTissue
from navigation.transforms import RigidTransform
from tests.navigation.bench import SKIN, calibrated, sweep

Array = NDArray[np.float64]

LOOKING_DOWN = np.diag([1.0, -1.0, -1.0])
NODE = np.array([[3.0, -2.0, -25.0]])


def _spot(name: str, place: Array, activity_mbq: float, kind: str = "target") -> Spot:
    return Spot(
        name=name,
        kind=kind,
        centre_mm=place,
        covariance_mm2=9.0 * np.eye(3),
        activity_mbq=activity_mbq,
        activity_factor=1.2 if kind == "injection" else 2.0,
    )


def _pose(tip_mm: tuple[float, float, float]) -> RigidTransform:
    return RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=LOOKING_DOWN, translation_mm=np.array(tip_mm)
    )


HERE = _pose((0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


def _counted(
    response: Response, *, injection: bool = False, seconds: float = 15.0, width_mm: float = 50.0
) -> tuple[Estimator, Posterior]:
    spots = [_spot("node", NODE[0] + (6.0, 4.0, -5.0), 0.07)]
    places, activity = NODE, np.array([0.1])
    if injection:
        places = np.concatenate((NODE, [[40.0, 5.0, -15.0]]))
        activity = np.array([0.1, 20.0])
        spots.append(_spot("injection", places[1], 20.0, "injection"))
    estimator = Estimator(response, Prior.from_hotspots(spots), SKIN)
    seen = sweep(places, activity, np.random.default_rng(5), seconds=seconds, width_mm=width_mm)
    posterior = estimator.add(Observations.empty())
    for start in range(0, len(seen), 10):
        posterior = estimator.add(seen.take(np.arange(start, min(start + 10, len(seen)))))
    return estimator, posterior


def _readings(tip_mm: Array, axis: Array) -> Tally:
    tally, size = Tally(SKIN), len(tip_mm)
    tally.append(
        Observations(
            counts=np.zeros(size),
            live_time_s=np.full(size, READING_S),
            tip_mm=tip_mm,
            axis=axis,
            taken_at_s=np.zeros(size),
        )
    )
    return tally


def test_the_update_of_rank_one_is_that_of_a_refit(response: Response) -> None:
    """Covariance after twenty readings at a pose equals the inverse of the information that the fit would have."""
    estimator, _ = _counted(response, injection=True)
    fit, likelihood = estimator.fit, estimator.likelihood
    assert fit is not None
    assert len(fit.mixture) == 2
    tilted = np.array([0.4, 0.1, -1.0]) / np.linalg.norm([0.4, 0.1, -1.0])
    row = _readings(np.array([[-8.0, 5.0, 1.0]]), tilted[None])
    slopes = likelihood.sensitivities(fit.mixture, row, slice(0, None))
    jacobian, variance = jacobian_and_variance(likelihood, fit, row, slopes)
    index = [each.name for each in fit.mixture.priors].index("node")
    rows = slice(3 * index, 3 * index + 3)
    gains, taken = gains_mm2(fit.covariance, jacobian, variance / 20, rows)

    here = likelihood.expect(fit.mixture, row, slopes)
    weight = likelihood.weights(here, row)
    with_it, prior_alone = (
        likelihood.evaluate(fit.mixture, row, each, slopes, 1.0)[2] for each in (weight, np.zeros(1))
    )
    refitted = np.linalg.inv(np.linalg.inv(fit.covariance) + 20 * (with_it - prior_alone))[rows, rows]
    before = fit.covariance[rows, rows]
    assert before - np.outer(taken[0], taken[0]) == pytest.approx(refitted, rel=1e-5, abs=1e-7)
    assert gains[0] == pytest.approx(np.trace(before - refitted), rel=1e-5)
    assert gains[0] > 0


def test_the_advice_looks_from_another_side_than_before(response: Response) -> None:
    """After a narrow look from above, another look tells little of depth: the advised pose tells far more."""
    estimator, posterior = _counted(response, width_mm=6.0)
    advice = advise(estimator, posterior, SKIN, HERE)
    pose, fit = advice.patient_from_tip, estimator.fit
    assert pose is not None
    assert fit is not None
    assert advice.semi_axis_now_mm is not None
    assert advice.semi_axis_after_mm is not None
    rows = _readings(
        np.stack((HERE.translation_mm, pose.translation_mm)), np.stack((HERE.rotation[:, 2], pose.rotation[:, 2]))
    )
    slopes = estimator.likelihood.sensitivities(fit.mixture, rows, slice(0, None))
    jacobian, variance = jacobian_and_variance(estimator.likelihood, fit, rows, slopes)
    again, advised = gains_mm2(fit.covariance, jacobian, variance / 15, slice(0, 3))[0]
    assert advised > 3 * again
    assert np.linalg.norm(pose.translation_mm - HERE.translation_mm) > 8.0
    assert advice.semi_axis_after_mm < 0.9 * advice.semi_axis_now_mm


def test_counting_there_shrinks_the_region_as_foretold(response: Response) -> None:
    """Readings at the advised pose bring the region near to what the advice expected."""
    estimator, posterior = _counted(response)
    advice = advise(estimator, posterior, SKIN, HERE)
    assert advice.patient_from_tip is not None
    assert advice.semi_axis_after_mm is not None
    tip, axis = advice.patient_from_tip.translation_mm, advice.patient_from_tip.rotation[:, 2]
    size = round(advice.dwell_s / READING_S)
    rate = 0.1 * response.expected_rate_cps(NODE, tip[None], axis[None], SKIN)[0, 0] + response.background_cps
    after = estimator.add(
        Observations(
            counts=np.random.default_rng(6).poisson(rate * READING_S, size).astype(np.float64),
            live_time_s=np.full(size, READING_S),
            tip_mm=np.tile(tip, (size, 1)),
            axis=np.tile(axis, (size, 1)),
            taken_at_s=np.linspace(20.0, 20.0 + advice.dwell_s, size),
        )
    )
    assert after.targets[0].region_semi_axes_mm[0] == pytest.approx(advice.semi_axis_after_mm, rel=0.3)
    assert advice.dwell_s <= HORIZON_S
    assert advice.reason.startswith("Expected to shrink the region of node from ")


def test_the_pose_is_on_the_skin_and_keeps_its_up_mark(response: Response) -> None:
    """What is advised is a rigid pose of the tip in the patient, its up mark turned no further than it must be."""
    estimator, posterior = _counted(response)
    pose = advise(estimator, posterior, SKIN, HERE).patient_from_tip
    assert pose is not None
    assert (pose.to, pose.from_) == (Frame.PATIENT, Frame.TIP)
    assert 0.0 <= pose.translation_mm[2] <= 3.0
    assert pose.rotation[:, 2] @ LOOKING_DOWN[:, 2] > np.cos(np.radians(31.0))
    assert pose.rotation[:, 1] @ LOOKING_DOWN[:, 1] > np.cos(np.radians(31.0))


def test_a_target_not_yet_located_is_looked_for_where_the_map_has_it(response: Response) -> None:
    """After a second of counts 45 mm beside it, the probe is sent towards the mapped node."""
    prior = Prior.from_hotspots([_spot("node", np.array([45.0, 0.0, -20.0]), 0.1)])
    estimator = Estimator(response, prior, SKIN)
    here = sweep(
        np.array([[45.0, 0.0, -20.0]]), np.array([0.1]), np.random.default_rng(7), seconds=1.0, width_mm=4
    )
    posterior = estimator.add(here)
    assert not posterior.targets[0].is_localisable
    advice = advise(estimator, posterior, SKIN, HERE)
    assert advice.patient_from_tip is not None
    assert advice.target == "node"
    assert advice.patient_from_tip.translation_mm[0] > 10.0
    assert advice.information_bit is not None
    assert advice.information_bit > 0
    assert advice.semi_axis_after_mm is None
    assert advice.reason == "Tells most about where node is"


def test_without_a_map_the_unmapped_target_is_looked_for(response: Response) -> None:
    """No map, and counts that show a little more than background: the advice is about a target without a name."""
    estimator = Estimator(response, Prior.from_hotspots([]), SKIN)
    seen = sweep(NODE, np.array([0.02]), np.random.default_rng(8), seconds=2.0)
    posterior = estimator.add(seen)
    assert posterior.targets == ()
    advice = advise(estimator, posterior, SKIN, HERE)
    assert advice.target is None
    assert "an unmapped target" in advice.reason


def _is_nowhere(advice: Advice, words: str) -> None:
    assert advice.patient_from_tip is None
    assert advice.dwell_s == 0.0
    assert advice.semi_axis_after_mm is None
    assert words in advice.reason
    assert advice.reason[0].isupper()
    assert not advice.reason.endswith(".")


def test_where_nothing_helps_nobody_is_sent(response: Response) -> None:
    """Without skin, pose, counts, fit or a target that may be there, there is no pose, and the reason is said."""
    estimator, posterior = _counted(response)
    absent = replace(posterior, targets=(replace(posterior.targets[0], presence=0.01),))
    unlocated = replace(posterior, targets=(replace(posterior.targets[0], is_localisable=False),))
    _is_nowhere(advise(estimator, posterior, NoTissue(), HERE), "no skin within reach")
    _is_nowhere(advise(estimator, unlocated, NoTissue(), HERE), "no skin within reach")
    _is_nowhere(advise(estimator, posterior, SKIN, None), "not tracked")
    _is_nowhere(advise(estimator, replace(posterior, is_consistent=False), SKIN, HERE), "do not fit")
    _is_nowhere(advise(estimator, absent, SKIN, HERE), "speak against")
    _is_nowhere(advise(estimator, posterior, SKIN, _pose((300.0, 0.0, 1.0))), "too far from here")
    fresh = Estimator(response, Prior.from_hotspots([]), SKIN)
    _is_nowhere(advise(fresh, fresh.add(Observations.empty()), SKIN, HERE), "Nothing counted")


def test_a_pose_of_other_frames_is_refused(response: Response) -> None:
    """A pose of the tool, not of the tip, is refused."""
    estimator, posterior = _counted(response, seconds=2.0)
    with pytest.raises(FrameMismatch):
        advise(estimator, posterior, SKIN, RigidTransform.identity(Frame.PATIENT, Frame.TOOL))


def _exact_nats(means: Array, share: Array) -> float:
    counts = np.arange(400)
    each = poisson.pmf(counts, means[:, None])
    mixed = share @ each
    return float(share @ rel_entr(each, mixed).sum(axis=1))


@pytest.mark.parametrize("means", [(1.0, 4.0), (20.0, 35.0, 30.0), (0.2, 0.3, 90.0)])
def test_the_information_is_a_bound_and_no_loose_one(means: tuple[float, ...]) -> None:
    """It lies below the mutual information, summed over all counts, and above a fifth of it."""
    share = np.arange(1.0, len(means) + 1)
    share /= share.sum()
    bound = information_nats(np.array([means]), share)[0]
    exact = _exact_nats(np.array(means), share)
    assert 0.2 * exact < bound <= exact + 1e-12


def test_the_information_has_its_limits() -> None:
    """Hypotheses that expect the same tell nothing; ones far apart tell all, the logarithm of their number."""
    share = np.full(4, 0.25)
    assert information_nats(np.full((1, 4), 7.0), share)[0] == pytest.approx(0.0, abs=1e-12)
    assert information_nats(np.array([[1.0, 100.0, 400.0, 900.0]]), share)[0] == pytest.approx(np.log(4))


def test_a_node_that_has_decayed_is_expected_to_tell_less(response: Response) -> None:
    """Three half-lives later the same fit promises less of the next seconds: the counts will be fewer."""
    spot = _spot("node", NODE[0] + (6.0, 4.0, -5.0), 0.07)
    seen = sweep(NODE, np.array([0.1]), np.random.default_rng(5), seconds=15.0)
    shrinks = []
    for half_life_s in (np.inf, 3600.0):
        estimator = Estimator(response, Prior.from_hotspots([spot]), SKIN, half_life_s=half_life_s)
        for start in range(0, len(seen), 10):
            estimator.add(seen.take(np.arange(start, start + 10)))
        late = seen.take(np.array([0]))
        posterior = estimator.add(replace(late, counts=np.array([0.0]), taken_at_s=np.array([3 * 3600.0])))
        advice = advise(estimator, posterior, SKIN, HERE)
        assert advice.semi_axis_after_mm is not None
        assert advice.semi_axis_now_mm is not None
        shrinks.append(advice.semi_axis_now_mm - advice.semi_axis_after_mm)
    assert shrinks[1] < 0.6 * shrinks[0]

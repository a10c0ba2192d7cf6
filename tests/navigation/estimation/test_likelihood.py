from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import CORRECTIONS, NUISANCES, Fit, Mixture
from navigation.estimation.mixture_prior import LEAST_DEPTH_MM
from navigation.estimation.prior import Prior
from navigation.estimation.tally import Tally
from navigation.probe.correction import COMPONENTS
from navigation.probe.response import FITTED, Response
from navigation.tissue import NoTissue, Tissue
from tests.navigation.bench import BACKGROUND_CPS, SKIN, calibrated, sweep

Array = NDArray[np.float64]

NODE = np.array([4.0, -3.0, -22.0])
INJECTION = np.array([30.0, 15.0, -15.0])
VOLUME_MM3 = 4e5
TIP_SIGMA_MM = 0.4
AXIS_SIGMA_RAD = 0.006


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A hotspot as the map shows it."""

    name: str
    kind: str
    centre_mm: Array
    covariance_mm2: Array
    activity_mbq: float | None
    activity_factor: float


def _map() -> Prior:
    node = Spot(
        name="node",
        kind="target",
        centre_mm=NODE + np.array([5.0, 2.0, -3.0]),
        covariance_mm2=np.diag([4.0, 6.0, 9.0]),
        activity_mbq=0.08,
        activity_factor=2.0,
    )
    injection = replace(
        node, name="injection", kind="injection", centre_mm=INJECTION + 1.0, activity_mbq=22.0, activity_factor=1.2
    )
    return Prior.from_hotspots([node, injection])


@pytest.fixture(scope="module")
def response() -> Response:
    """Response of the plain probe, as its own bench gave it."""
    return calibrated(np.random.default_rng(3))[0]


@pytest.fixture(scope="module")
def likelihood(response: Response) -> Likelihood:
    """Model of that probe over flat skin."""
    return _model(response, SKIN)


def _model(response: Response, tissue: Tissue) -> Likelihood:
    return Likelihood(
        response,
        tissue,
        background_log_sigma=0.3,
        tip_sigma_mm=TIP_SIGMA_MM,
        axis_sigma_rad=AXIS_SIGMA_RAD,
    )


def _tally(seed: int, *, seconds: float = 20.0, injection_mbq: float = 20.0) -> Tally:
    tally = Tally(SKIN)
    sources = np.stack((NODE, INJECTION))
    tally.append(sweep(sources, np.array([0.1, injection_mbq]), np.random.default_rng(seed), seconds=seconds))
    return tally


def _mixture(likelihood: Likelihood, names: tuple[str, ...]) -> Mixture:
    """Sources near where they are; one that is on no map presses against the skin."""
    prior = _map()
    mixture = likelihood.start()
    known = {each.name: each for each in prior.sources}
    for name in names:
        if name == "node":
            mixture = mixture.plus(known[name], NODE + 1.5, np.log(0.13))
        elif name == "injection":
            mixture = mixture.plus(known[name], INJECTION - 0.7, np.log(18.0))
        else:
            mixture = mixture.plus(prior.unmapped, np.array([-12.0, 9.0, -1.2]), np.log(0.01))
    return mixture


def _vector(mixture: Mixture) -> Array:
    return np.concatenate(
        (mixture.position_mm.ravel(), mixture.log_activity, [mixture.log_background], mixture.log_response)
    )


def _at(mixture: Mixture, vector: Array) -> Mixture:
    size = len(mixture)
    return replace(
        mixture,
        position_mm=vector[: 3 * size].reshape(size, 3),
        log_activity=vector[3 * size : 4 * size],
        log_background=float(vector[4 * size]),
        log_response=vector[4 * size + 1 :],
    )


SCENES = [(), ("node",), ("node", "injection"), ("injection", "unmapped", "node")]


@pytest.mark.parametrize("names", SCENES, ids=lambda names: "+".join(names) or "background")
def test_the_gradient_is_that_of_the_value(likelihood: Likelihood, names: tuple[str, ...]) -> None:
    """Central differences of the log posterior, in every parameter, skin, map and nuisances off their middle."""
    rng = np.random.default_rng(41)
    tally = _tally(42, seconds=6.0)
    start = _mixture(likelihood, names)
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = rng.uniform(0.3, 1.0, len(tally))
    here = _vector(start)
    here[4 * len(start) :] += rng.normal(0, 0.05, 1 + NUISANCES)

    def evaluated(vector: Array) -> tuple[Fit, Array, Array]:
        return likelihood.evaluate(_at(start, vector), tally, weight, slopes, VOLUME_MM3)

    gradient = evaluated(here)[1]
    assert gradient.shape == (4 * len(names) + 1 + NUISANCES,)
    for number in range(len(here)):
        step = np.zeros(len(here))
        step[number] = 1e-4
        difference = evaluated(here + step)[0].log_posterior - evaluated(here - step)[0].log_posterior
        assert gradient[number] == pytest.approx(difference / 2e-4, rel=2e-4, abs=1e-2)


@pytest.mark.parametrize("names", SCENES, ids=lambda names: "+".join(names) or "background")
def test_the_information_is_the_curvature(likelihood: Likelihood, names: tuple[str, ...]) -> None:
    """Where counts equal their expectation, differences of the gradient are Gauss and Newton's Hessian."""
    tally = _tally(43, seconds=6.0)
    start = _mixture(likelihood, names)
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = np.random.default_rng(44).uniform(0.3, 1.0, len(tally))
    here = _vector(start)
    tally.counts = likelihood.evaluate(start, tally, weight, slopes, VOLUME_MM3)[0].expected
    information = likelihood.evaluate(start, tally, weight, slopes, VOLUME_MM3)[2]
    assert information == pytest.approx(information.T, rel=1e-9)
    scale = np.sqrt(np.diag(information))
    for number in range(len(here)):
        step = np.zeros(len(here))
        step[number] = 1e-3 / scale[number]
        more, fewer = (
            likelihood.evaluate(_at(start, here + sign * step), tally, weight, slopes, VOLUME_MM3)[1]
            for sign in (1, -1)
        )
        hessian = (more - fewer) / (2 * step[number])
        # in units of each parameter's own error; positions have a floor of their own on the precision
        assert -hessian / scale / scale[number] == pytest.approx(
            information[number] / scale / scale[number], abs=2e-3
        )


def test_information_is_the_scatter_of_the_gradient(likelihood: Likelihood) -> None:
    """Over counts drawn at a point, the gradient scatters about the prior's pull with Fisher's information."""
    rng = np.random.default_rng(45)
    tally = _tally(46, seconds=4.0)
    start = _mixture(likelihood, ("node",))
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = np.ones(len(tally))
    fit, _, information = likelihood.evaluate(start, tally, weight, slopes, VOLUME_MM3)
    _, pull, held = likelihood.evaluate(start, tally, 0 * weight, slopes, VOLUME_MM3)
    gradients = []
    for _ in range(700):
        tally.counts = rng.poisson(fit.expected).astype(np.float64)
        gradients.append(likelihood.evaluate(start, tally, weight, slopes, VOLUME_MM3)[1] - pull)
    # position, activity and background, whitened
    half = np.linalg.inv(np.linalg.cholesky((information - held)[:5, :5]))
    scores = np.array(gradients)[:, :5] @ half.T
    assert scores.mean(axis=0) == pytest.approx(np.zeros(5), abs=0.15)
    assert np.cov(scores.T) == pytest.approx(np.eye(5), abs=0.2)


@pytest.mark.parametrize("seed", range(6))
def test_climbing_never_descends(likelihood: Likelihood, seed: int) -> None:
    """From wild starts, outside the body too, no step lowers the log posterior, and more steps never end lower."""
    rng = np.random.default_rng(50 + seed)
    tally = _tally(60 + seed, seconds=6.0)
    start = _mixture(likelihood, SCENES[2 + seed % 2])
    start = replace(
        start,
        position_mm=start.position_mm + rng.normal(0, 15, start.position_mm.shape),
        log_activity=start.log_activity + rng.normal(0, 2, len(start)),
    )
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = np.ones(len(tally))
    reached = [likelihood.evaluate(start, tally, weight, slopes, VOLUME_MM3)[0].log_posterior]
    for steps in range(1, 15):
        fit = likelihood.maximise(start, tally, weight, slopes, VOLUME_MM3, steps=steps)
        again = likelihood.evaluate(fit.mixture, tally, weight, slopes, VOLUME_MM3)[0].log_posterior
        assert fit.log_posterior == pytest.approx(again, abs=1e-9)
        reached.append(fit.log_posterior)
        assert np.linalg.eigvalsh(fit.covariance).min() > 0
    assert np.diff(reached).min() > -1e-6
    assert reached[-1] > reached[0]


def test_a_maximum_is_one(likelihood: Likelihood) -> None:
    """Where climbing stops, the gradient is small in units of what is still unknown."""
    tally = _tally(47)
    start = _mixture(likelihood, ("node", "injection"))
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = np.ones(len(tally))
    fit = likelihood.maximise(start, tally, weight, slopes, VOLUME_MM3, steps=60)
    gradient = likelihood.evaluate(fit.mixture, tally, weight, slopes, VOLUME_MM3)[1]
    assert gradient @ fit.covariance @ gradient < 0.02
    assert np.linalg.norm(fit.mixture.position_mm[0] - NODE) < 4.0
    assert np.linalg.norm(fit.mixture.position_mm[1] - INJECTION) < 1.0


@pytest.mark.parametrize("height_mm", [-1.0, 4.0, 12.0])
def test_without_counts_a_source_goes_back_into_the_body(likelihood: Likelihood, height_mm: float) -> None:
    """A start at the skin or above it ends below; on a bench, where no skin is, it stays."""
    unmapped = _map().unmapped
    nothing = Tally(SKIN)
    start = likelihood.start().plus(unmapped, np.array([3.0, -2.0, height_mm]), np.log(0.1))
    slopes = likelihood.sensitivities(start, nothing, slice(None))
    fit = likelihood.maximise(start, nothing, np.zeros(0), slopes, VOLUME_MM3)
    assert fit.mixture.position_mm[0] == pytest.approx([3.0, -2.0, -LEAST_DEPTH_MM], abs=0.05)
    on_bench = _model(likelihood.response, NoTissue())
    fit = on_bench.maximise(start, Tally(NoTissue()), np.zeros(0), slopes, VOLUME_MM3)
    assert fit.mixture.position_mm[0].tolist() == [3.0, -2.0, height_mm]


@pytest.mark.parametrize("depth_mm", [0.2, 1.0, 3.0])
def test_sources_stay_in_the_body(likelihood: Likelihood, depth_mm: float) -> None:
    """A drop on the skin, or a node just below it, is never placed outside, from any depth."""
    place = np.array([[3.0, -2.0, -depth_mm]])
    tally = Tally(SKIN)
    tally.append(sweep(place, np.array([0.02]), np.random.default_rng(48), seconds=12.0))
    for start_mm in (-4.0, -12.0, -28.0):
        start = likelihood.start().plus(_map().unmapped, np.array([5.0, -4.0, start_mm]), np.log(0.02))
        slopes = likelihood.sensitivities(start, tally, slice(None))
        fit = likelihood.maximise(start, tally, np.ones(len(tally)), slopes, VOLUME_MM3, steps=40)
        assert fit.mixture.position_mm[0, 2] < 0.0


def test_the_covariance_is_that_of_a_grid(likelihood: Likelihood) -> None:
    """All else held, depth and activity scatter over a brute-force grid as the Gaussian says."""
    tally = _tally(49, seconds=10.0, injection_mbq=0.0)
    start = _mixture(likelihood, ("node",))
    slopes = likelihood.sensitivities(start, tally, slice(None))
    weight = np.ones(len(tally))
    fit = likelihood.maximise(start, tally, weight, slopes, VOLUME_MM3, steps=60)
    chosen = [2, 3]
    information = np.linalg.inv(fit.covariance)
    best = _vector(fit.mixture)

    def log_posterior(depth: float, log_activity: float) -> float:
        vector = best.copy()
        vector[chosen] += (depth, log_activity)
        return likelihood.evaluate(_at(start, vector), tally, weight, slopes, VOLUME_MM3)[0].log_posterior

    alone = information[2, 2] ** -0.5
    way = np.linspace(-5, 5, 41) * alone
    density = np.exp([log_posterior(each, 0.0) - fit.log_posterior for each in way])
    density /= density.sum()
    mean = float(density @ way)
    assert np.sqrt(density @ (way - mean) ** 2) == pytest.approx(alone, rel=0.08)
    assert abs(mean) < 0.3 * alone

    covariance = np.linalg.inv(information[np.ix_(chosen, chosen)])
    # a grid along the axes of the ellipse: along those of the parameters it would be mostly empty
    half = np.linalg.cholesky(covariance)
    off = np.linspace(-4.0, 4.0, 17)
    grid = np.stack(np.meshgrid(off, off), axis=-1).reshape(-1, 2) @ half.T
    mass = np.exp([log_posterior(*each) - fit.log_posterior for each in grid])
    mass /= mass.sum()
    centre = mass @ grid
    white = np.linalg.inv(half)
    spread = white @ ((grid - centre).T * mass) @ (grid - centre) @ white.T
    assert spread == pytest.approx(np.eye(2), abs=0.2)
    assert white @ centre == pytest.approx(np.zeros(2), abs=0.35)


def test_with_nothing_counted_the_prior_comes_back(likelihood: Likelihood) -> None:
    """From a start off the map, without a reading: map, background and response as they were believed."""
    prior = _map()
    mixture = _mixture(likelihood, ("node", "injection"))
    mixture = replace(mixture, log_background=mixture.log_background + 0.4)
    tally = Tally(SKIN)
    slopes = likelihood.sensitivities(mixture, tally, slice(None))
    fit = likelihood.maximise(mixture, tally, np.zeros(0), slopes, VOLUME_MM3, steps=60)
    for number, each in enumerate(prior.sources):
        assert each.centre_mm is not None
        assert each.covariance_mm2 is not None
        assert fit.mixture.position_mm[number] == pytest.approx(each.centre_mm, abs=0.3)
        covariance = fit.source_covariance(number)
        # 1 in 100 is what a source may lie away at all
        assert covariance[:3, :3] == pytest.approx(each.covariance_mm2, rel=0.02, abs=0.6)
        assert fit.mixture.log_activity[number] == pytest.approx(each.log_activity_mean, abs=0.02)
        assert covariance[3, 3] == pytest.approx(each.log_activity_sigma**2, rel=1e-6)
    assert fit.mixture.log_background == pytest.approx(likelihood.start().log_background, abs=0.02)
    # 30 %, and as much again as it takes for a patient to add 0.3 a second
    added_by_patient = np.log1p(0.3 / likelihood.response.background_cps)
    assert fit.covariance[8, 8] == pytest.approx(0.3**2 + added_by_patient**2, rel=1e-6)
    assert fit.mixture.log_response == pytest.approx(likelihood.start().log_response, abs=0.02)
    learnt = fit.covariance[9:, 9:]
    # in theatre both radii may be 5 % off together, attenuation 5 % and the leak by a factor of two
    added = learnt[: len(FITTED), : len(FITTED)] - likelihood.response.covariance
    radii = [FITTED.index("crystal_radius_mm"), FITTED.index("aperture_radius_mm")]
    doubted = np.zeros_like(added)
    doubted[np.ix_(radii, radii)] = 0.05**2
    doubted[FITTED.index("attenuation_per_mm")][FITTED.index("attenuation_per_mm")] = 0.05**2
    doubted[FITTED.index("leak")][FITTED.index("leak")] = 0.7**2
    assert added == pytest.approx(doubted, abs=1e-6)
    assert learnt[CORRECTIONS, CORRECTIONS] == pytest.approx(np.eye(COMPONENTS), abs=1e-6)


def test_slopes_are_those_of_the_response(likelihood: Likelihood) -> None:
    """A calibration 2 % off either way changes the logarithm of the rate by twice the slope's part of it."""
    tally = _tally(51, seconds=3.0)
    mixture = _mixture(likelihood, ("node", "injection"))
    slopes = likelihood.sensitivities(mixture, tally, slice(None))
    response = likelihood.response
    for number, name in enumerate(FITTED):
        more, fewer = (
            response.scaled({name: step}).rate_cps(mixture.position_mm, tally.tip_mm, tally.axis, tally.skin)
            for step in (0.01, -0.01)
        )
        # where the field ends sharply a slope is a slope of nothing
        is_lit = fewer > 0.05 * response.sensitivity_cps_per_mbq
        differences = (np.log(more) - np.log(fewer))[is_lit] / 0.02
        assert slopes[..., number][is_lit] == pytest.approx(differences, abs=0.12, rel=0.12)
    assert np.abs(slopes[..., : len(FITTED)]).max() <= 8.0


def test_parts_of_the_slopes_are_those_of_the_whole(likelihood: Likelihood) -> None:
    """Slopes for the newest rows alone are the last rows of all slopes."""
    tally = _tally(52, seconds=3.0)
    mixture = _mixture(likelihood, ("node", "injection"))
    whole = likelihood.sensitivities(mixture, tally, slice(None))
    assert likelihood.sensitivities(mixture, tally, slice(20, None)) == pytest.approx(whole[20:], abs=1e-12)


def _jittered(likelihood: Likelihood, mixture: Mixture, tally: Tally, tissue: Tissue) -> Array:
    """Variance of expected counts over tips and axes that are off by their noise, drawn."""
    rng = np.random.default_rng(53)
    expected = []
    for _ in range(800):
        tip = tally.tip_mm + rng.normal(0, TIP_SIGMA_MM, tally.tip_mm.shape)
        aside = rng.normal(0, AXIS_SIGMA_RAD, tally.axis.shape)
        aside -= (aside * tally.axis).sum(axis=1)[:, None] * tally.axis
        axis = tally.axis + aside
        axis /= np.linalg.norm(axis, axis=1)[:, None]
        seen = likelihood.response.rate_cps(mixture.position_mm, tip, axis, tissue.skin_at(tip))
        rate = seen @ np.exp(mixture.log_activity) + np.exp(mixture.log_background)
        expected.append(tally.live_time_s * rate / (1 + rate * likelihood.response.dead_time_s))
    return np.asarray(np.var(expected, axis=0))


@pytest.mark.parametrize(
    ("tissue", "least", "most"), [(NoTissue(), 0.9, 1.1), (SKIN, 0.9, 1.4)], ids=["air", "skin"]
)
def test_pose_noise_costs_what_it_does(response: Response, tissue: Tissue, least: float, most: float) -> None:
    """Counts scatter over drawn tips and axes as stated, over skin at most a little less."""
    likelihood = _model(response, tissue)
    tally = Tally(tissue)
    tally.append(sweep(NODE[None], np.array([0.1]), np.random.default_rng(54), seconds=4.0))
    mixture = _mixture(likelihood, ("injection", "node"))
    mixture = replace(mixture, log_response=np.zeros(NUISANCES))
    flat = np.zeros((len(tally), 2, NUISANCES + 1))
    noisy = likelihood.pose_variance(likelihood.expect(mixture, tally, flat), tally)
    drawn = _jittered(likelihood, mixture, tally, tissue)
    assert least < noisy.sum() / drawn.sum() < most
    ratio = noisy / drawn
    assert least - 0.3 < float(np.median(ratio)) < most + 0.2


def test_rows_weigh_less_the_more_a_pose_may_cost(likelihood: Likelihood) -> None:
    """Weights fall with pose noise and model error: next to 1 over a faint node, little by 20 MBq."""
    faint, strong = _tally(55, injection_mbq=0.0), _tally(55)
    found = []
    for tally, names in ((faint, ("node",)), (strong, ("node", "injection"))):
        mixture = _mixture(likelihood, names)
        slopes = likelihood.sensitivities(mixture, tally, slice(None))
        here = likelihood.expect(mixture, tally, slopes)
        weight = likelihood.weights(here, tally)
        assert (weight > 0).all()
        assert (weight <= here.expected / (here.expected + likelihood.pose_variance(here, tally)) + 1e-12).all()
        found.append(weight)
    assert found[0].min() > 0.5
    assert found[1].min() < 0.1
    near = np.linalg.norm(strong.tip_mm - INJECTION, axis=1) < 22
    assert found[1][near].max() < 0.3


def test_the_value_is_poissons(likelihood: Likelihood) -> None:
    """Log-likelihood is the weighted sum of Poisson's, about rates after a non-paralysable dead time."""
    tally = _tally(56, seconds=2.0)
    mixture = _mixture(likelihood, ("node", "injection"))
    slopes = likelihood.sensitivities(mixture, tally, slice(None))
    weight = np.random.default_rng(57).uniform(0, 1, len(tally))
    fit = likelihood.evaluate(mixture, tally, weight, slopes, VOLUME_MM3)[0]
    seen = likelihood.response.rate_cps(mixture.position_mm, tally.tip_mm, tally.axis, tally.skin)
    total = np.exp(mixture.log_background)
    total = total + (
        seen * np.exp(slopes[..., :-1] @ mixture.log_response + slopes[..., -1] + mixture.log_activity)
    ).sum(axis=1)
    expected = total / (1 + total * likelihood.response.dead_time_s) * tally.live_time_s
    assert fit.expected == pytest.approx(expected, rel=1e-9)
    assert fit.rate_cps == pytest.approx(total, rel=1e-9)
    log_factorial = np.array([np.log(np.arange(1, int(count) + 1)).sum() for count in tally.counts])
    terms = tally.counts * np.log(expected) - expected - log_factorial
    assert fit.log_likelihood == pytest.approx(float(weight @ terms), rel=1e-9)
    assert np.exp(mixture.log_background) == pytest.approx(BACKGROUND_CPS, rel=0.1)


@pytest.mark.parametrize("name", ["background_log_sigma", "tip_sigma_mm", "axis_sigma_rad"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_standard_deviation_that_is_none_is_refused(response: Response, name: str, value: float) -> None:
    """Zero, less, infinite or no number: refused by its name, before anything is counted."""
    sigmas = {"background_log_sigma": 0.3, "tip_sigma_mm": 0.4, "axis_sigma_rad": 0.006} | {name: value}
    with pytest.raises(NavigationError, match=name):
        Likelihood(response, SKIN, **sigmas)

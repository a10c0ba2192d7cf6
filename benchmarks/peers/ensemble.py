"""The slow reference: the posterior itself, sampled (emcee; Foreman-Mackey et al., PASP 125, 2013).

Likelihood and priors are those of our own estimator, so that its Gaussian about the maximum can be judged: mean
and 95 % region against those of the samples. Walkers move in places, activities and background; the unknowns of
the response, on which the logarithm of the rate depends linearly and whose prior is Gaussian, are integrated out
at each sample (Laplace), which leaves few enough dimensions for an ensemble.
"""

from dataclasses import replace
from typing import Any

import emcee
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answers import Answer
from benchmarks.recordings import Known
from navigation.estimation.lattice import Lattice
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import Fit, Mixture
from navigation.estimation.prior import Prior, SourcePrior
from navigation.estimation.tally import Tally
from navigation.observations import Observations

Array = NDArray[np.float64]

STEPS, BURNT = 250, 100
"""Of each walker, and how many of them are forgotten."""

WALKERS_A_DIMENSION = 4


class Ensemble:
    """Samples from the posterior of all sources, each taken to be there."""

    name = "emcee posterior"
    readings_at_once: int | None = None

    def __init__(self, known: Known, rng: np.random.Generator) -> None:
        self._known = known
        self._rng = rng
        prior = Prior.from_hotspots(known.spots, shift_sigma_mm=0.0)
        self._priors: tuple[SourcePrior, ...] = (
            prior.sources if known.targets else (*prior.sources, prior.unmapped)
        )
        # as the estimator's own defaults
        self._likelihood = Likelihood(
            known.response,
            known.tissue,
            background_log_sigma=known.background_log_sigma,
            tip_sigma_mm=0.4,
            axis_sigma_rad=0.006,
        )
        self._tally = Tally(known.tissue)
        self._lattice = Lattice(known.response)
        self._samples = np.zeros((0, 0))

    def add(self, observations: Observations) -> None:
        """Find the maximum, then sample about it."""
        self._tally.append(observations)
        self._lattice.extend(self._tally, len(observations))
        if merged := self._tally.merge():
            self._lattice.merge(*merged)
        fit, slopes = self._maximum()
        self._samples = self._sampled(fit, slopes)

    def _maximum(self) -> tuple[Fit, Array]:
        """Take sources in, the injection sites first, each at its best place on the lattice."""
        mixture = self._likelihood.start()
        fit, slopes = self._climbed(mixture)
        for prior in sorted(self._priors, key=lambda each: not each.is_injection):
            if prior.is_injection and prior.centre_mm is not None:
                place, log_activity = prior.centre_mm, prior.log_activity_mean
            else:
                scan = self._lattice.scan(prior, self._tally, fit.rate_cps, fit.weight)
                best = int(scan.log_weight.argmax())
                place, log_activity = self._lattice.points_mm[best], float(scan.log_activity[best])
            fit, slopes = self._climbed(fit.mixture.plus(prior, place, log_activity))
        return fit, slopes

    def _climbed(self, mixture: Mixture) -> tuple[Fit, Array]:
        """Climb three times, weights and sensitivities renewed each time."""
        volume = self._lattice.volume_mm3
        for _ in range(3):
            slopes = self._likelihood.sensitivities(mixture, self._tally, slice(None))
            fit = self._likelihood.maximise(mixture, self._tally, None, slopes, volume, steps=20)
            mixture = fit.mixture
        return fit, slopes

    def _sampled(self, fit: Fit, slopes: Array) -> Array:
        size = 4 * len(fit.mixture) + 1
        at_maximum = _state(fit.mixture)
        # how the response's unknowns answer to a step of the rest
        answer = np.linalg.solve(fit.covariance[:size, :size], fit.covariance[:size, size:]).T

        def log_density(state: Array) -> float:
            log_response = fit.mixture.log_response + answer @ (state - at_maximum)
            mixture = replace(_placed(fit.mixture, state), log_response=log_response)
            if np.abs(state - at_maximum).max() > 200.0:  # beyond any walker that still counts; keeps exp finite
                return -np.inf
            here, gradient, information = self._likelihood.evaluate(
                mixture, self._tally, fit.weight, slopes, self._lattice.volume_mm3
            )
            inner, pull = information[size:, size:], gradient[size:]
            half_step = 0.5 * float(pull @ np.linalg.solve(inner, pull))
            value = here.log_posterior + half_step - 0.5 * float(np.linalg.slogdet(inner)[1])
            return value if np.isfinite(value) else -np.inf

        walkers = WALKERS_A_DIMENSION * size
        start = self._rng.multivariate_normal(at_maximum, fit.covariance[:size, :size], walkers)
        sampler: Any = emcee.EnsembleSampler(walkers, size, log_density)
        seed = int(self._rng.integers(2**31))
        sampler.random_state = np.random.RandomState(seed).get_state()
        sampler.run_mcmc(start, STEPS)
        return np.asarray(sampler.get_chain(discard=BURNT, flat=True), dtype=np.float64)

    def answers(self) -> list[Answer]:
        """Name each target's mean and covariance."""
        if not len(self._samples):
            return []
        kinds = sorted(self._priors, key=lambda each: not each.is_injection)
        found = []
        for number, prior in enumerate(kinds):
            if not prior.is_injection:
                places = self._samples[:, 3 * number : 3 * number + 3]
                found.append(Answer(position_mm=places.mean(axis=0), covariance_mm2=np.cov(places.T)))
        return found


def _state(mixture: Mixture) -> Array:
    return np.concatenate((mixture.position_mm.reshape(-1), mixture.log_activity, [mixture.log_background]))


def _placed(mixture: Mixture, state: Array) -> Mixture:
    size = len(mixture)
    return replace(
        mixture,
        position_mm=state[: 3 * size].reshape(size, 3),
        log_activity=state[3 * size : 4 * size],
        log_background=float(state[4 * size]),
    )

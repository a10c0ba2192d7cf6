"""All sources at once: the most probable positions, activities, background and response, and their covariance.

The counts are Poisson about t n / (1 + n tau) with n = b + sum_k A_k f(x_k): Fisher scoring with Levenberg's
damping finds the maximum of likelihood times prior (Bates and Watts, Nonlinear Regression, 1988, 3.5). Each
row's likelihood is weighted by 1 / (1 + u m), u being the relative variance that pose noise and the model's
own error add to the mean m: the quasi-likelihood of an overdispersed count (McCullagh and Nelder, 1989, 9.2).
What is uncertain about the response is estimated along: its parameters, with the covariance of their calibration
as prior, and a smooth correction of the rate (``navigation.probe.correction``). Without it a node beside an
injection site a thousand times as strong would be lost, or made up.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from navigation.errors import NavigationError
from navigation.estimation.mixture import CORRECTIONS, NUISANCES, Expectation, Fit, Mixture
from navigation.estimation.mixture_prior import MixturePrior
from navigation.estimation.tally import Tally
from navigation.probe import extent
from navigation.probe.correction import Correction
from navigation.probe.response import FITTED, Response
from navigation.tissue import Tissue

Array = NDArray[np.float64]

UNSTRUCTURED = 1.0
"""Error of a single reading that the smooth correction does not follow, over the error at the field's edge."""

SETTLED = 0.01
"""Gain of log posterior still to be had below which a climb ends: a seventh of a standard deviation."""

DECIDED = 100.0
"""Nats below its rival from which a fit is not worth another step: still decisive where counts scatter tenfold."""

HOPE = 2.0
"""Gain that a climb may still bring, over what its next step promises."""

_LOG_STEP = 0.02
_FAINTEST_CPS = 1e-4
"""Added to the rate of 1 MBq before its logarithm is differenced: fainter than this does not count."""


class Likelihood:
    """The model of the counts: response, what is held before any count, and what is kept for speed.

    The sensitivities of the rate to the response's parameters change little from update to update, so the
    caller keeps them and says when they are renewed.
    """

    def __init__(
        self,
        response: Response,
        tissue: Tissue,
        *,
        background_log_sigma: float,
        tip_sigma_mm: float,
        axis_sigma_rad: float,
    ) -> None:
        sigmas = {
            "background_log_sigma": background_log_sigma,
            "tip_sigma_mm": tip_sigma_mm,
            "axis_sigma_rad": axis_sigma_rad,
        }
        for name, value in sigmas.items():
            if not (math.isfinite(value) and value > 0):
                raise NavigationError(f"{name} is {value}: wants a finite standard deviation of more than 0")
        self.response = response
        self._tip_sigma_mm = tip_sigma_mm
        self._axis_sigma_rad = axis_sigma_rad
        self.correction = Correction(response)
        self._prior = MixturePrior(
            response, self.correction.mean, tissue, background_log_sigma=background_log_sigma
        )
        self._moved = tuple(response.scaled({name: _LOG_STEP}) for name in FITTED)

    def start(self) -> Mixture:
        """No sources, the calibrated background and response."""
        return self._prior.start()

    def sensitivities(self, mixture: Mixture, tally: Tally, rows: slice) -> Array:
        """Return d log f / d nuisance for some rows, and what log f is with none, shape (n, K, ``NUISANCES`` + 1).

        The last is what is added to the logarithm of a point's rate in any case: that of an injection site as
        wide as it is now, less what its slope gives for that.
        """
        tips, axes = tally.tip_mm[rows], tally.axis[rows]
        skin = tally.skin.take(np.arange(len(tally))[rows])
        slopes = np.zeros((len(tips), len(mixture), NUISANCES + 1))
        here = np.log(self.response.rate_cps(mixture.position_mm, tips, axes, skin) + _FAINTEST_CPS)
        for number, moved in enumerate(self._moved):
            there = np.log(moved.rate_cps(mixture.position_mm, tips, axes, skin) + _FAINTEST_CPS)
            slopes[..., number] = (there - here) / _LOG_STEP
        np.clip(slopes, -8.0, 8.0, out=slopes)
        slopes[..., CORRECTIONS] = self.correction.components_at(mixture.position_mm, tips, axes, skin)
        is_wide = np.array([prior.is_injection for prior in mixture.priors], dtype=bool)
        sites = mixture.position_mm[is_wide], tips, axes, skin
        variance = max(float(mixture.log_response[-1]), 0.0)  # below nothing the slope goes on
        now, wider = (
            extent.log_ratio(self.response, *sites, sigma_mm=extent.REFERENCE_MM * math.sqrt(each))
            for each in (variance, variance + extent.STEP)
        )
        slopes[:, is_wide, -2] = (wider - now) / extent.STEP
        slopes[:, is_wide, -1] = now - slopes[:, is_wide, -2] * variance
        return slopes

    def expect(self, mixture: Mixture, tally: Tally, slopes: Array, log_mean: Array | float = 0.0) -> Expectation:
        """Say what a mixture expects at each row.

        Parameters
        ----------
        mixture
            K sources, background and response.
        tally
            N rows.
        slopes
            The rows' ``sensitivities``, shape (N, K, ``NUISANCES`` + 1).
        log_mean
            Log of the mean rate over the poses that a row stands for, over that at its mean pose, shape (N, K).

        """
        size = len(mixture)
        rate, by_point = self.response.rate_and_gradient(mixture.position_mm, tally.tip_mm, tally.axis, tally.skin)
        of_nuisances, added = slopes[..., :-1], slopes[..., -1] + log_mean
        factor = np.exp(of_nuisances @ mixture.log_response + mixture.log_activity + added)
        factor *= tally.strength[:, None]
        by_source = rate * factor
        background = float(np.exp(mixture.log_background))
        total = background + by_source.sum(axis=1)
        dead = 1 + total * self.response.dead_time_s

        by_point *= factor[..., None]
        jacobian = np.empty((len(tally), 4 * size + 1 + NUISANCES))
        jacobian[:, : 3 * size] = by_point.reshape(len(tally), 3 * size)
        jacobian[:, 3 * size : 4 * size] = by_source
        jacobian[:, 4 * size] = background
        jacobian[:, 4 * size + 1 :] = np.matmul(by_source[:, None, :], of_nuisances)[:, 0]
        jacobian *= (tally.live_time_s / dead**2)[:, None]
        return Expectation(
            mixture=mixture,
            expected=tally.live_time_s * total / dead,
            rate_cps=total,
            by_source_cps=by_source,
            jacobian=jacobian,
        )

    def weights(self, here: Expectation, tally: Tally) -> Array:
        """Weight of each row: 1 where counting noise rules, less where pose noise and model error do."""
        error = self.correction.error_at(here.mixture.position_mm, tally.tip_mm, tally.axis)
        own = UNSTRUCTURED * error * tally.live_time_s[:, None] * here.by_source_cps
        variance = self.pose_variance(here, tally) + np.square(own).sum(axis=1)
        return np.asarray(here.expected / (here.expected + variance))

    def pose_variance(self, here: Expectation, tally: Tally) -> Array:
        """Variance of the expected counts from a noisy tip and axis, shape (N,).

        Moving the tip is moving the sources; turning the axis is moving them sideways by their distance.
        """
        by_point = here.by_position
        moved = by_point.sum(axis=1)
        offset = here.mixture.position_mm[None] - tally.tip_mm[:, None]
        turned = np.cross(offset, by_point).sum(axis=1)
        about_axis = np.einsum("nk,nk->n", turned, tally.axis)
        return np.asarray(
            self._tip_sigma_mm**2 * np.square(moved).sum(axis=1)
            + self._axis_sigma_rad**2 * (np.square(turned).sum(axis=1) - about_axis**2)
        )

    def evaluate(
        self,
        mixture: Mixture,
        tally: Tally,
        weight: Array,
        slopes: Array,
        volume_mm3: float,
        *,
        log_mean: Array | float = 0.0,
    ) -> tuple[Fit, Array, Array]:
        """Value, gradient and information at a point; the fit's covariance is left for ``maximise`` to fill in."""
        return self._judge(self.expect(mixture, tally, slopes, log_mean), tally, weight, volume_mm3)

    def _judge(
        self, here: Expectation, tally: Tally, weight: Array, volume_mm3: float
    ) -> tuple[Fit, Array, Array]:
        expected = here.expected
        gradient = here.jacobian.T @ (weight * (tally.counts / expected - 1))
        information = here.jacobian.T @ (here.jacobian * (weight / expected)[:, None])
        log_likelihood = float(weight @ (tally.counts * np.log(expected) - expected - gammaln(tally.counts + 1)))
        log_prior = self._prior.add(here.mixture, gradient, information, volume_mm3)
        fit = Fit(
            mixture=here.mixture,
            expected=expected,
            rate_cps=here.rate_cps,
            by_source_cps=here.by_source_cps,
            jacobian=here.jacobian,
            weight=weight,
            log_likelihood=log_likelihood,
            log_posterior=log_likelihood + log_prior,
            covariance=np.zeros((0, 0)),
        )
        return fit, gradient, information

    def maximise(
        self,
        mixture: Mixture,
        tally: Tally,
        weight: Array | None,
        slopes: Array,
        volume_mm3: float,
        *,
        log_mean: Array | float = 0.0,
        rival: Mixture | None = None,
        beaten_at: float = -math.inf,
        steps: int = 12,
    ) -> Fit:
        """Climb from a start to the nearest maximum, at most ``steps`` steps.

        Parameters
        ----------
        mixture, rival
            Where to start: the higher of both.
        tally, weight, slopes, log_mean
            The counts, how much each row counts (None: as the start has it), and the rest as for ``expect``.
        volume_mm3
            Volume that is searched, over which a source that is on no map is uniform.
        beaten_at
            Log posterior of what this is compared with: far below that, how far no longer matters.
        steps
            Each costs about the same time.

        """
        size, start = len(mixture), self.expect(mixture, tally, slopes, log_mean)
        held = self.weights(start, tally) if weight is None else weight
        fit, gradient, information = self._judge(start, tally, held, volume_mm3)
        if rival is not None:
            its_fit, its_gradient, its_information = self.evaluate(
                rival, tally, held, slopes, volume_mm3, log_mean=log_mean
            )
            if its_fit.log_posterior > fit.log_posterior:
                fit, gradient, information = its_fit, its_gradient, its_information
        damping = 1e-3
        for _ in range(steps):
            damped = information + damping * np.diag(np.diag(information))
            step = np.linalg.solve(damped, gradient)
            gain_expected = float(step @ gradient)
            is_beaten = fit.log_posterior + HOPE * gain_expected < beaten_at - DECIDED
            if gain_expected < SETTLED or is_beaten:
                break
            step[: 3 * size] = np.clip(step[: 3 * size], -12.0, 12.0)
            step[3 * size :] = np.clip(step[3 * size :], -1.5, 1.5)
            here = fit.mixture
            tried = replace(
                here,
                position_mm=here.position_mm + step[: 3 * size].reshape(size, 3),
                log_activity=here.log_activity + step[3 * size : 4 * size],
                log_background=here.log_background + float(step[4 * size]),
                log_response=here.log_response + step[4 * size + 1 :],
            )
            there, its_gradient, its_information = self.evaluate(
                tried, tally, held, slopes, volume_mm3, log_mean=log_mean
            )
            if there.log_posterior > fit.log_posterior - 1e-9:
                fit, gradient, information = there, its_gradient, its_information
                damping = max(damping / 8, 1e-9)
            else:
                damping = max(damping * 10, 1e-2)
                if damping > 1e6:
                    break
        covariance: Array = np.asarray(np.linalg.inv(information), dtype=np.float64)
        return replace(fit, covariance=covariance)

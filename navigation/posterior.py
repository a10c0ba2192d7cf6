"""Joins the counts to the map, reading by reading.

At each update all sources, the background and the response are fitted jointly from where they were (a Gaussian,
Laplace's, about the maximum). Sources are then taken out one by one and searched again over the whole lattice:
the ratio of evidence with and without gives the probability that each is there, and a better place found anywhere
replaces the old one. The same search with a source that is on no map lets one be born.
Evidence is the lattice's sum, or Laplace's approximation where that is larger: the first is right while the
posterior is wide, the second once it is narrower than a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from navigation.estimate import Posterior, TargetEstimate, region_of
from navigation.lattice import SPACING_MM, Lattice, Scan
from navigation.likelihood import NUISANCES, Fit, Likelihood, Mixture
from navigation.observations import Observations
from navigation.prior import Prior, SourcePrior
from navigation.response import Response
from navigation.tally import Tally
from navigation.tissue import Tissue

__all__ = ["Estimator", "Posterior", "TargetEstimate"]

Array = NDArray[np.float64]

BORN_AT = 0.97
"""Probability at which a source that is on no map is believed."""

KEPT_AT = 0.5
"""Probability above which a source takes part in the joint fit."""

SHOWN_AT = 0.8
"""Probability above which a target may be shown."""

LEAST_LOG_EVIDENCE = 3.0
"""Logarithm of how much likelier the counts must be with a target than without, before it may be shown.

Twenty to one: strong evidence (Kass and Raftery, J. Am. Stat. Assoc. 90 (1995) 773).
"""

GREATEST_SEMI_AXIS_MM = 15.0
"""Longest semi-axis of a 95 % region that still counts as a location."""

GREATEST_MISFIT = 5.0
"""Standard deviations of excess scatter above which the counts are said not to fit."""

GREATEST_DISPERSION = 3.0
"""Variance over expectation beyond which no position can be trusted."""

MOST_BORN = 3
"""Sources on no map that one session may hold."""

FRESH_ROWS = 10
"""Newest readings that borrow the sensitivities of the one before them, until there are so many."""

MOVED_MM = 2.0
"""Once a source has moved this far, the sensitivities to the response are computed again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Belief:
    presence: float
    log_evidence: float
    centre_mm: Array
    covariance_mm2: Array
    log_activity: float
    log_activity_sigma: float


def _moments(scan: Scan, lattice: Lattice, prior: SourcePrior) -> _Belief:
    if not len(lattice.points_mm):
        return _believed_before(prior)
    weight = np.exp(scan.log_weight - scan.log_weight.max())
    weight /= weight.sum()
    centre = weight @ lattice.points_mm
    offset = lattice.points_mm - centre
    log_activity = float(weight @ scan.log_activity)
    return _Belief(
        presence=prior.presence,
        log_evidence=0.0,
        centre_mm=centre,
        covariance_mm2=(offset.T * weight) @ offset + SPACING_MM**2 / 12 * np.eye(3),
        log_activity=log_activity,
        log_activity_sigma=math.sqrt(float(weight @ (scan.log_activity - log_activity) ** 2) + 0.05),
    )


def _believed_before(prior: SourcePrior) -> _Belief:
    return _Belief(
        presence=prior.presence,
        log_evidence=0.0,
        centre_mm=np.zeros(3) if prior.centre_mm is None else prior.centre_mm,
        covariance_mm2=1e4 * np.eye(3) if prior.covariance_mm2 is None else prior.covariance_mm2,
        log_activity=prior.log_activity_mean,
        log_activity_sigma=prior.log_activity_sigma,
    )


def _odds_to_probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(min(log_odds, 500.0), -500.0)))


def _laplace(with_it: Fit, without: Fit, name: str) -> float:
    """Log of the ratio of two evidences, each a Gaussian integral about its maximum.

    Nothing where the source's position is wider than the lattice resolves well: a Gaussian would then reach beyond
    what was searched.
    """
    index = [each.name for each in with_it.mixture.priors].index(name)
    if np.linalg.eigvalsh(with_it.source_covariance(index)[:3, :3])[-1] > SPACING_MM**2:
        return -math.inf
    more = np.linalg.slogdet(2 * np.pi * with_it.covariance)[1]
    fewer = np.linalg.slogdet(2 * np.pi * without.covariance)[1]
    return with_it.log_posterior - without.log_posterior + 0.5 * float(more - fewer)


class Estimator:
    """Holds what was counted and what is believed; the same readings in the same batches give the same numbers.

    Parameters
    ----------
    response
        The probe's calibration.
    prior
        The map.
    tissue
        Where the patient's skin is.
    background_log_sigma
        Logarithmic standard deviation of the background from the calibrated one.
    tip_sigma_mm, axis_sigma_rad
        Noise of the tracked tip, an axis, and of the direction it looks, from reading to reading.

    """

    def __init__(
        self,
        response: Response,
        prior: Prior,
        tissue: Tissue,
        *,
        background_log_sigma: float = 0.3,
        tip_sigma_mm: float = 0.4,
        axis_sigma_rad: float = 0.006,
    ) -> None:
        self._response = response
        self._prior = prior
        self._tally = Tally(tissue)
        self._lattice = Lattice(response)
        self._likelihood = Likelihood(
            response,
            tissue,
            background_log_sigma=background_log_sigma,
            tip_sigma_mm=tip_sigma_mm,
            axis_sigma_rad=axis_sigma_rad,
        )
        self._beliefs = {each.name: _believed_before(each) for each in prior.sources}
        self._born: list[SourcePrior] = []
        self._births = 0
        self._turn = 0
        mixture = self._likelihood.start()
        for each in prior.sources:
            if each.is_injection and each.centre_mm is not None:
                mixture = mixture.plus(each, each.centre_mm, each.log_activity_mean)
        self._mixture = mixture
        self._slopes = np.zeros((0, len(mixture), NUISANCES))
        self._slopes_at = mixture.position_mm
        self._weight = np.zeros(0)
        self._poses: tuple[Array, Array] | None = None
        self._newest: Fit | None = None
        self._searched: dict[str, tuple[int, Scan]] = {}

    def add(self, observations: Observations) -> Posterior:
        """Take in readings, oldest first, and say what is believed now."""
        if len(observations):
            self._tally.append(observations)
            self._lattice.extend(self._tally, len(observations))
            self._poses = observations.tip_mm[-1:], observations.axis[-1:]
            if merged := self._tally.merge():
                self._lattice.merge(*merged)
                self._slopes = np.zeros((0, len(self._mixture), NUISANCES))
        if not len(self._tally):
            return self._posterior(None, 0.0, 1.0)
        fit = self._joint(self._mixture)
        misfit, dispersion = self._misfit(fit)
        questions = [*(each for each in (*self._prior.sources, *self._born) if not each.is_injection), None]
        asked = len(questions) if len(observations) > 3 else 1
        if not len(self._lattice.points_mm):
            asked = 0  # the probe has looked at nothing but air
        for _ in range(asked):
            question = questions[self._turn % len(questions)]
            if question is None:
                fit = self._ask_for_unmapped(fit, dispersion)
            else:
                fit = self._ask(question, fit, dispersion)
            self._turn += 1
        misfit, dispersion = self._misfit(fit)
        return self._posterior(fit, misfit, dispersion)

    def _joint(self, start: Mixture, *, steps: int = 8) -> Fit:
        """Fit from a start, with weights and sensitivities brought up to date."""
        rows = len(self._tally)
        is_same = self._slopes_at.shape == start.position_mm.shape and (
            np.abs(self._slopes_at - start.position_mm).max(initial=0.0) < MOVED_MM
        )
        if not is_same:
            self._slopes = np.zeros((0, len(start), NUISANCES))
        if rows - len(self._slopes) >= (FRESH_ROWS if len(self._slopes) else 1):
            fresh = self._likelihood.sensitivities(start, self._tally, slice(len(self._slopes), None))
            if not len(self._slopes):
                self._slopes_at = start.position_mm
            self._slopes = np.concatenate((self._slopes, fresh))
        plain = np.ones(rows)
        volume = self._lattice.volume_mm3
        first = self._likelihood.evaluate(start, self._tally, plain, self._all_slopes, volume)[0]
        self._weight = self._likelihood.weights(first, self._tally)
        fit = self._likelihood.maximise(start, self._tally, self._weight, self._all_slopes, volume, steps=steps)
        self._mixture = fit.mixture
        return fit

    @property
    def _all_slopes(self) -> Array:
        missing = len(self._tally) - len(self._slopes)
        return np.concatenate((self._slopes, np.repeat(self._slopes[-1:], missing, axis=0)))

    def _fit(self, start: Mixture, slopes: Array, *, steps: int) -> Fit:
        return self._likelihood.maximise(
            start, self._tally, self._weight, slopes, self._lattice.volume_mm3, steps=steps
        )

    def _ask(self, sought: SourcePrior, fit: Fit, dispersion: float) -> Fit:
        """Search for one source anew; keep, move, take in or drop it."""
        names = [each.name for each in fit.mixture.priors]
        is_in = sought.name in names
        without, others_cps, found = fit, fit.rate_cps, None
        if is_in:
            index = names.index(sought.name)
            found, others_cps = fit, fit.rate_cps - fit.by_source_cps[:, index]
            without = self._fit(fit.mixture.without(index), np.delete(self._all_slopes, index, axis=1), steps=3)
        scan = self._lattice.scan(sought, self._tally, others_cps, self._weight)
        self._searched[sought.name] = len(self._lattice.points_mm), scan
        odds = math.log(sought.presence / (1 - sought.presence))
        evidence = -math.inf if is_in else scan.log_evidence / dispersion
        if is_in or evidence + odds > -3:
            found = self._better(sought, scan, found, without)
            evidence = max(evidence, _laplace(found, without, sought.name) / dispersion)
        if is_in and evidence + odds < 2:
            alone = self._lattice.scan(sought, self._tally, without.rate_cps, self._weight)
            evidence = max(evidence, alone.log_evidence / dispersion)
        presence = _odds_to_probability(evidence + odds)
        belief = _moments(scan, self._lattice, sought)
        if found is not None and presence > KEPT_AT:
            fit = fit if found is fit else self._joint(found.mixture)
            belief = self._sharper(belief, fit, sought.name)
        elif is_in:
            self._born = [each for each in self._born if each.name != sought.name]
            fit = self._joint(without.mixture)
        self._beliefs[sought.name] = replace(belief, presence=presence, log_evidence=evidence)
        return fit

    def _better(self, sought: SourcePrior, scan: Scan, found: Fit | None, without: Fit) -> Fit:
        """Fit from the lattice's best point, unless what was found lies there already or explains more."""
        best = int(scan.log_weight.argmax())
        place = self._lattice.points_mm[best]
        if found is not None:
            index = [each.name for each in found.mixture.priors].index(sought.name)
            if float(np.linalg.norm(found.mixture.position_mm[index] - place)) < 1.5 * SPACING_MM:
                return found
        tried = self._tried(without.mixture.plus(sought, place, float(scan.log_activity[best])), without)
        return tried if found is None or tried.log_posterior > found.log_posterior + 0.5 else found

    def _ask_for_unmapped(self, fit: Fit, dispersion: float) -> Fit:
        """Search for a source that is on no map; a believed one is named and takes part from now on."""
        if len(self._born) >= MOST_BORN:
            return fit
        sought = self._prior.unmapped
        scan = self._lattice.scan(sought, self._tally, fit.rate_cps, self._weight)
        self._searched[sought.name] = len(self._lattice.points_mm), scan
        odds = math.log(sought.presence / (1 - sought.presence))
        if scan.log_evidence / dispersion + odds < 0:
            return fit
        found = self._better(sought, scan, None, fit)
        evidence = max(scan.log_evidence, _laplace(found, fit, sought.name)) / dispersion
        presence = _odds_to_probability(evidence + odds)
        if presence < BORN_AT:
            return fit
        self._births += 1
        named = replace(sought, name=f"unmapped {self._births}")
        self._born.append(named)
        fit = self._joint(replace(found.mixture, priors=(*fit.mixture.priors, named)))
        belief = self._sharper(_moments(scan, self._lattice, named), fit, named.name)
        self._beliefs[named.name] = replace(belief, presence=presence, log_evidence=evidence)
        return fit

    def _tried(self, mixture: Mixture, without: Fit) -> Fit:
        """Fit with a source more; its own sensitivities are computed, the others' are at hand."""
        last = replace(
            mixture,
            priors=mixture.priors[-1:],
            position_mm=mixture.position_mm[-1:],
            log_activity=mixture.log_activity[-1:],
        )
        own = self._likelihood.sensitivities(last, self._tally, slice(0, None))
        names = {each.name for each in without.mixture.priors}
        kept = [number for number, each in enumerate(self._mixture.priors) if each.name in names]
        others = self._all_slopes[:, kept]
        return self._fit(mixture, np.concatenate((others, own), axis=1), steps=10)

    def _sharper(self, belief: _Belief, fit: Fit, name: str) -> _Belief:
        """Take the fit's Gaussian, unless the lattice shows a posterior far wider than it."""
        index = [each.name for each in fit.mixture.priors].index(name)
        covariance = fit.source_covariance(index)
        widest = float(np.linalg.eigvalsh(belief.covariance_mm2)[-1])
        if widest > max((1.4 * SPACING_MM) ** 2, 2 * float(np.linalg.eigvalsh(covariance[:3, :3])[-1])):
            return belief
        return self._gaussian(belief, fit, name)

    def _gaussian(self, belief: _Belief, fit: Fit, name: str) -> _Belief:
        index = [each.name for each in fit.mixture.priors].index(name)
        covariance = fit.source_covariance(index)
        return replace(
            belief,
            centre_mm=fit.mixture.position_mm[index],
            covariance_mm2=covariance[:3, :3],
            log_activity=float(fit.mixture.log_activity[index]),
            log_activity_sigma=math.sqrt(float(covariance[3, 3])),
        )

    def _misfit(self, fit: Fit) -> tuple[float, float]:
        """Excess scatter of the counts in standard deviations, and the factor by which variances grow for it."""
        expected = fit.expected
        chi2 = float((self._weight * (self._tally.counts - expected) ** 2 / expected).sum())
        degrees = max(len(expected) - 4 * len(fit.mixture) - 1, 1)
        spread = math.sqrt(float((2 + self._weight / expected).sum()))
        misfit = (chi2 - degrees) / spread
        return misfit, max(chi2 / degrees, 1.0) if misfit > 3 else 1.0

    def _posterior(self, fit: Fit | None, misfit: float, dispersion: float) -> Posterior:
        self._newest = fit
        targets = tuple(self._estimate(each, fit, dispersion) for each in (*self._prior.sources, *self._born))
        expected = None if fit is None else float(fit.expected[-1] / self._tally.live_time_s[-1])
        shown = [each.centre_mm for each in targets if each.is_localisable]
        is_within = True
        if shown and len(self._tally):
            seen = self._response.is_calibrated_for(np.array(shown), self._tally.tip_mm, self._tally.axis)
            is_within = bool(seen.any(axis=0).all())
        return Posterior(
            targets=targets,
            background_cps=math.exp(self._mixture.log_background),
            readings=self._tally.readings,
            expected_rate_cps=expected,
            is_consistent=misfit < GREATEST_MISFIT,
            misfit=misfit,
            is_within_calibration=is_within,
        )

    def _estimate(self, prior: SourcePrior, fit: Fit | None, dispersion: float) -> TargetEstimate:
        belief = self._beliefs[prior.name]
        names = [] if fit is None else [each.name for each in fit.mixture.priors]
        if fit is not None and prior.name in names:
            belief = self._gaussian(belief, fit, prior.name) if prior.is_injection else belief
        covariance = belief.covariance_mm2 * dispersion
        semi_axes, axes = region_of(covariance)
        reason = ""
        if fit is None:
            reason = "nothing counted yet"
        elif belief.presence < SHOWN_AT:
            reason = f"the counts do not show it (probability {belief.presence:.0%})"
        elif not prior.is_injection and belief.log_evidence < LEAST_LOG_EVIDENCE:
            reason = "the map says so, the counts do not yet"
        elif semi_axes[0] > GREATEST_SEMI_AXIS_MM:
            reason = f"its region still reaches {semi_axes[0]:.0f} mm"
        elif dispersion > GREATEST_DISPERSION:
            reason = "the counts do not fit any position"
        return TargetEstimate(
            name=prior.name,
            kind=prior.kind,
            presence=belief.presence,
            centre_mm=belief.centre_mm,
            covariance_mm2=covariance,
            log_activity_mean=belief.log_activity,
            log_activity_sigma=belief.log_activity_sigma,
            is_localisable=not reason,
            reason=reason,
            region_semi_axes_mm=semi_axes,
            region_axes=axes,
            mapped_mm=prior.centre_mm,
        )

    @property
    def fit(self) -> Fit | None:
        """Newest joint fit of all believed sources; None before the first reading."""
        return self._newest

    @property
    def likelihood(self) -> Likelihood:
        """The model of the counts that the fit maximises."""
        return self._likelihood

    @property
    def prior(self) -> Prior:
        """The map, as given."""
        return self._prior

    def searched(self, name: str) -> tuple[Array, Scan] | None:
        """Lattice points (M, 3), mm, patient frame, and what the newest search for a source found at each.

        None where it was not searched for yet; ``"unmapped"`` is the source that is on no map.
        """
        if name not in self._searched:
            return None
        points, scan = self._searched[name]
        return self._lattice.points_mm[:points], scan

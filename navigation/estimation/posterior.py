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
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.belief import Belief, is_outshone, laplace_evidence, presence_of
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.estimation.joint import JointFit
from navigation.estimation.judgement import judge
from navigation.estimation.lattice import SPACING_MM, Lattice, Scan
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import Fit
from navigation.estimation.naming import names_by_map
from navigation.estimation.prior import Prior, SourcePrior
from navigation.estimation.shift import MapShift
from navigation.estimation.tally import Tally
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.tissue import Tissue

__all__ = ["Estimator", "Posterior", "TargetEstimate"]

Array = NDArray[np.float64]

BORN_AT = 0.97
"""Probability at which a source that is on no map is believed."""

KEPT_AT = 0.5
"""Probability above which a source takes part in the joint fit."""

GREATEST_MISFIT = 5.0
"""Standard deviations of excess scatter above which the counts are said not to fit."""

RECENT_READINGS = 80
"""Newest readings that are asked whether they still fit, and that a fresh start rests on: 8 s at 10 Hz."""

LEAST_BELIEVED = 3 * RECENT_READINGS
"""Readings before which there is no belief to give up: sources are still being found."""

RESTART_AFTER = 30
"""Readings for which the newest ones have to contradict the belief before it is given up."""

FEW = 3
"""Readings up to which one question is asked an update; after more, all are."""

STEPS, FEW_STEPS = 8, 4
"""Most steps of a fit at an update, and at one of ``FEW`` readings: the next one goes on where it ended."""

MOST_BORN = 3
"""Sources on no map that one session may hold."""


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
    half_life_s
        Of the nuclide: activities are those at the newest reading.
    mapped_at_s
        Moment that the map's activities are of, host monotonic clock, s; None: that of the first reading.
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
        half_life_s: float = math.inf,
        mapped_at_s: float | None = None,
        background_log_sigma: float = 0.3,
        tip_sigma_mm: float = 0.4,
        axis_sigma_rad: float = 0.006,
    ) -> None:
        self._response = response
        self._prior = prior
        self._tissue = tissue
        self._half_life_s = half_life_s
        self._tally = Tally(tissue, half_life_s=half_life_s, began_at_s=mapped_at_s)
        self._recent = Observations.empty()
        self._unexplained = 0
        self._restarts = 0
        self._likelihood = Likelihood(
            response,
            tissue,
            background_log_sigma=background_log_sigma,
            tip_sigma_mm=tip_sigma_mm,
            axis_sigma_rad=axis_sigma_rad,
        )
        self._turn = 0
        self._begin()

    def _begin(self) -> None:
        """Believe the map alone, its activities of the moment that they are of; nothing is counted."""
        began_at_s = self._tally.began_at_s
        self._tally = Tally(self._tissue, half_life_s=self._half_life_s, began_at_s=began_at_s)
        self._lattice = Lattice(self._response)
        self._beliefs = {each.name: Belief.before(each) for each in self._prior.sources}
        self._born: list[SourcePrior] = []
        mixture = self._likelihood.start()
        for each in self._prior.sources:
            if not each.is_target and each.centre_mm is not None:
                mixture = mixture.plus(each, each.centre_mm, each.log_activity_mean)
        self._joint = JointFit(self._likelihood, self._tally, self._lattice, mixture)
        self._newest: Fit | None = None
        self._searched: dict[str, tuple[int, Scan]] = {}

    def add(self, observations: Observations) -> Posterior:
        """Take in readings, oldest first, and say what is believed now.

        Where the newest readings go on contradicting what is believed, the patient, the marker or the probe is no
        longer what it was: all but the newest are forgotten, and what follows rests on the map and on them.
        """
        self._recent = (self._recent + observations).newest(RECENT_READINGS)
        posterior = self._take(observations)
        is_contradicted = posterior.recent_misfit > GREATEST_MISFIT and posterior.readings > LEAST_BELIEVED
        self._unexplained = self._unexplained + len(observations) if is_contradicted else 0
        if self._unexplained < RESTART_AFTER:
            return posterior
        self._restarts += 1
        self._unexplained = 0
        self._begin()
        return self._take(self._recent)

    def _take(self, observations: Observations) -> Posterior:
        if len(observations):
            self._tally.append(observations)
            self._lattice.extend(self._tally, len(observations))
            if merged := self._tally.merge():
                self._lattice.merge(*merged)
                self._joint.merge(*merged)
        if not len(self._tally):
            return self._posterior(None, 0.0, 1.0)
        self._joint.steps = FEW_STEPS if len(observations) <= FEW else STEPS
        fit = self._joint.climb(self._joint.mixture)
        questions = [*(each for each in (*self._prior.sources, *self._born) if each.is_target), None]
        asked = len(questions) if len(observations) > FEW else 1
        if not len(self._lattice.points_mm):
            asked = 0  # the probe has looked at nothing but air
        for _ in range(asked):
            question = questions[self._turn % len(questions)]
            fit = self._ask_for_unmapped(fit) if question is None else self._ask(question, fit)
            self._turn += 1
        fit = self._name_by_map(fit)
        misfit, dispersion = self._joint.misfit(fit)
        return self._posterior(fit, misfit, dispersion)

    def _name_by_map(self, fit: Fit) -> Fit:
        """Let each source have the name that the map gives to its place; what is believed goes with the source."""
        before = fit.mixture.priors
        absent = [each for each in self._prior.sources if each.name not in fit.mixture.names]
        after = names_by_map(fit.mixture, absent, self._lattice.volume_mm3)
        if after == before:
            return fit
        believed = {each.name: self._beliefs[each.name] for each in before}
        for old, new in zip(before, after, strict=True):
            self._beliefs[new.name] = believed[old.name]
        for given_up in set(before) - set(after):
            self._beliefs[given_up.name] = Belief.before(given_up)
        self._born = [each for each in self._born if each in after or each not in before]
        return self._joint.climb(replace(fit.mixture, priors=after))

    def _ask(self, sought: SourcePrior, fit: Fit) -> Fit:
        """Search for one source anew; keep, move, take in or drop it."""
        names = fit.mixture.names
        is_in = sought.name in names
        without, others_cps, found = fit, fit.rate_cps, None
        if is_in:
            index = names.index(sought.name)
            found, others_cps = fit, fit.rate_cps - fit.by_source_cps[:, index]
            without = self._joint.without(fit, index)
        shift = self._map_shift(fit, besides=sought.name)
        expected = sought if shift is None else shift.moved(sought)
        scan = self._lattice.scan(expected, self._tally, others_cps, self._joint.weight)
        self._searched[sought.name] = len(self._lattice.points_mm), scan
        odds = math.log(sought.presence / (1 - sought.presence))
        evidence = -math.inf if is_in else scan.log_evidence
        if is_in or evidence + odds > -3:
            found = self._better(sought, scan, found, without)
            evidence = max(evidence, laplace_evidence(found, without, sought.name))
        if is_in and evidence + odds < 2:
            alone = self._lattice.scan(expected, self._tally, without.rate_cps, self._joint.weight)
            evidence = max(evidence, alone.log_evidence)
        if found is not None:
            # the scatter that a source explains does not count against it
            evidence /= self._joint.misfit(found)[1]
        outshone = found is not None and is_outshone(found, sought.name)
        presence = presence_of(odds, evidence, is_outshone=outshone)
        belief = Belief.from_scan(scan, self._lattice, sought)
        if found is not None and presence > KEPT_AT:
            fit = fit if found is fit else self._take_in(found)
            belief = belief.sharpened(fit, sought.name)
        elif is_in:
            self._born = [each for each in self._born if each.name != sought.name]
            fit = self._joint.climb(without.mixture)
        self._beliefs[sought.name] = replace(
            belief, presence=presence, log_evidence=evidence, is_outshone=outshone
        )
        return fit

    def _better(self, sought: SourcePrior, scan: Scan, found: Fit | None, without: Fit) -> Fit:
        """Fit from the lattice's best point, unless what was found lies there already or explains more."""
        best = int(scan.log_weight.argmax())
        place = self._lattice.points_mm[best]
        if found is not None:
            index = found.mixture.names.index(sought.name)
            if float(np.linalg.norm(found.mixture.position_mm[index] - place)) < 1.5 * SPACING_MM:
                return found
        tried = self._joint.with_one_more(without, sought, place, float(scan.log_activity[best]))
        return tried if found is None or tried.log_posterior > found.log_posterior + 0.5 else found

    def _ask_for_unmapped(self, fit: Fit) -> Fit:
        """Search for a source that is on no map; a believed one is named and takes part from now on."""
        if len(self._born) >= MOST_BORN:
            return fit
        sought = self._prior.unmapped
        scan = self._lattice.scan(sought, self._tally, fit.rate_cps, self._joint.weight)
        self._searched[sought.name] = len(self._lattice.points_mm), scan
        odds = math.log(sought.presence / (1 - sought.presence))
        if scan.log_evidence + odds < 0:
            return fit
        found = self._better(sought, scan, None, fit)
        evidence = max(scan.log_evidence, laplace_evidence(found, fit, sought.name)) / self._joint.misfit(found)[1]
        outshone = is_outshone(found, sought.name)
        presence = presence_of(odds, evidence, is_outshone=outshone)
        if presence < BORN_AT:
            return fit
        # the lowest number that is free: a node given up at one place and found at another keeps its name
        taken = {each.name for each in self._born}
        number = next(each for each in range(1, MOST_BORN + 1) if f"unmapped {each}" not in taken)
        named = replace(sought, name=f"unmapped {number}")
        self._born.append(named)
        fit = self._take_in(replace(found, mixture=replace(found.mixture, priors=(*fit.mixture.priors, named))))
        belief = Belief.from_scan(scan, self._lattice, named).sharpened(fit, named.name)
        self._beliefs[named.name] = replace(belief, presence=presence, log_evidence=evidence, is_outshone=outshone)
        return fit

    def _take_in(self, found: Fit) -> Fit:
        """Believe in one more source; fit all anew, unless more readings are due at once and the next fit does."""
        return self._joint.adopt(found) if self._joint.steps == FEW_STEPS else self._joint.climb(found.mixture)

    def _map_shift(self, fit: Fit, *, besides: str | None = None) -> MapShift | None:
        """Read the common shift of the map off the sources that lie where the map's part of their prior rules."""
        mixture = fit.mixture
        mapped = [
            number
            for number, each in enumerate(mixture.priors)
            if each.name != besides
            and each.log_density(mixture.position_mm[number][None], self._lattice.volume_mm3)[1][0]
        ]
        rows = (3 * np.array(mapped, dtype=np.intp)[:, None] + np.arange(3)).reshape(-1)
        return MapShift.of(
            [mixture.priors[number] for number in mapped],
            mixture.position_mm[mapped],
            fit.covariance[np.ix_(rows, rows)],
        )

    def _posterior(self, fit: Fit | None, misfit: float, dispersion: float) -> Posterior:
        self._newest = fit
        recent_misfit = 0.0 if fit is None else self._joint.newest_misfit(fit, RECENT_READINGS)
        targets = tuple(self._estimate(each, fit, dispersion) for each in (*self._prior.sources, *self._born))
        expected = None if fit is None else float(fit.expected[-1] / self._tally.live_time_s[-1])
        shown = [each.centre_mm for each in targets if each.is_localisable]
        is_within = True
        if shown and len(self._tally):
            seen = self._response.is_calibrated_for(np.array(shown), self._tally.tip_mm, self._tally.axis)
            is_within = bool(seen.any(axis=0).all())
        return Posterior(
            targets=targets,
            background_cps=math.exp(self._joint.mixture.log_background),
            readings=self._tally.readings,
            expected_rate_cps=expected,
            is_consistent=max(misfit, recent_misfit) < GREATEST_MISFIT,
            misfit=misfit,
            recent_misfit=recent_misfit,
            restarts=self._restarts,
            map_shift=None if fit is None else self._map_shift(fit),
            is_within_calibration=is_within,
        )

    def _estimate(self, prior: SourcePrior, fit: Fit | None, dispersion: float) -> TargetEstimate:
        belief = self._beliefs[prior.name]
        if fit is not None and not prior.is_target and prior.name in fit.mixture.names:
            belief = belief.fitted(fit, prior.name)
        return judge(
            prior,
            belief,
            is_counted=fit is not None,
            dispersion=dispersion,
            log_strength=self._tally.log_strength,
        )

    @property
    def fit(self) -> Fit | None:
        """Newest joint fit of all believed sources, activities as the map's; None before the first reading."""
        return self._newest

    @property
    def log_strength(self) -> float:
        """Natural logarithm of what is left of any activity at the newest reading."""
        return self._tally.log_strength

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

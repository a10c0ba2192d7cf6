"""Whether the patient's reference slipped, by the counts: all that was located lies elsewhere, and alike.

What was believed some seconds ago (places, activities and their errors) foretells the newest readings. Four
stories are weighed against each other by their evidence (Laplace's, about the maximum of each): all is as it was;
all sources moved by one and the same way, as they seem to where the reference slipped; each is as strong as it
likes, as where one was cut out or squeezed; one more source came into view. The reference is doubted where the
second is by far the likeliest, twice in a row.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.estimate import region_of
from navigation.estimation.judgement import GREATEST_SEMI_AXIS_MM, INFLATION
from navigation.estimation.likelihood import Likelihood
from navigation.estimation.mixture import Fit, Mixture
from navigation.estimation.prior import Prior, SourcePrior
from navigation.estimation.shift import MapShift
from navigation.estimation.tally import Tally
from navigation.observations import Observations
from navigation.tissue import Tissue

Array = NDArray[np.float64]

WINDOWS = (80, 160, 320)
"""Newest readings that are asked, by turns: 8, 16 and 32 s at 10 Hz, since a long slip is told by few counts and a
short one by many. What is asked of them was believed before the first of them."""

EVERY = 10
"""Readings between two looks."""

LEAST_BELIEVED = 150
"""Readings before which what is believed foretells nothing."""

SLIP_SIGMA_MM = 15.0
"""How far a reference slips, a standard deviation an axis."""

CHANGE = 1.5
"""Logarithmic standard deviation by which a source may have changed, in the story that it did."""

LEAST_LOG_EVIDENCE = 8.0
"""Natural logarithm of how much likelier a slip must make the counts than that all is as it was."""

LEAST_LEAD = 4.0
"""The same over the other stories."""

LEAST_MISFIT = 0.5
"""Excess scatter, in standard deviations, below which nothing needs a story."""

LEAST_SLIP_MM = 4.0
"""A slip is at least so long, two standard errors off: less is within what calibration and skin are wrong by."""

VOLUME_MM3 = 5e5
"""Where one more source may be."""

OWN_SIGMA_MM, OWN_LOG_SIGMA = 1.0, 0.05
"""What each source may differ by, by itself, in place and activity, beyond what is known of it."""

STEPS = 12
AHEAD_MM = 20.0
"""Ahead of the tip one more source is looked for first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slip:
    """That the reference seems to have slipped.

    Attributes
    ----------
    mean_mm, covariance_mm2
        By which all sources seem to have moved, patient frame, shapes (3,) and (3, 3).
    log_evidence
        Natural logarithm of how much likelier that makes the newest counts than that nothing did.

    """

    mean_mm: Array
    covariance_mm2: Array
    log_evidence: float

    @property
    def length_mm(self) -> float:
        """How far."""
        return float(np.linalg.norm(self.mean_mm))

    @property
    def sigma_mm(self) -> float:
        """Standard error of that."""
        along = self.mean_mm / max(self.length_mm, 1e-9)
        return float(np.sqrt(along @ self.covariance_mm2 @ along))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Believed:
    """What was believed after so many readings: a prior for each source, activities as they were then."""

    readings: int
    priors: tuple[SourcePrior, ...]
    position_mm: Array
    log_activity: Array


class SlipWatch:
    """Looks after an estimate as its readings come in.

    Parameters
    ----------
    likelihood
        The model of the counts that the estimate goes by.
    prior
        The map: what is unmapped may come into view.
    tissue
        Where the patient's skin is.

    """

    def __init__(self, likelihood: Likelihood, prior: Prior, tissue: Tissue) -> None:
        self._likelihood = likelihood
        self._unmapped = prior.unmapped
        self._tissue = tissue
        self._recent = Observations.empty()
        self._readings = self._looked_at = 0
        self._believed: deque[_Believed] = deque()
        self._turn = 0
        self._suspecting: set[int] = set()

    def look(self, observations: Observations, fit: Fit | None, log_strength: float) -> Slip | None:
        """Take in readings and what is believed with them; say by how much the reference seems to have slipped.

        ``log_strength`` is what is left of the fit's activities, in natural logarithm.
        """
        self._recent = (self._recent + observations).newest(WINDOWS[-1])
        self._readings += len(observations)
        if fit is None or self._readings - self._looked_at < EVERY:
            return None
        self._looked_at = self._readings
        window = WINDOWS[self._turn % len(WINDOWS)]
        self._turn += 1
        found, was_suspected = self._ask(window), window in self._suspecting
        self._suspecting.discard(window)
        self._remember(fit, log_strength)
        if found is None:
            return None
        if not was_suspected:
            self._suspecting.add(window)
            return None
        self._believed.clear()  # told once; what is believed from now on may be right again
        return found

    def _remember(self, fit: Fit, log_strength: float) -> None:
        """Keep what is believed now, if all of it is located, until it foretells the newest readings."""
        mixture = fit.mixture
        priors = tuple(_located(fit, number, log_strength) for number in range(len(mixture)))
        known = tuple(each for each in priors if each is not None)
        if known and len(known) == len(mixture) and self._readings >= LEAST_BELIEVED:
            self._believed.append(
                _Believed(
                    readings=self._readings,
                    priors=known,
                    position_mm=mixture.position_mm,
                    log_activity=mixture.log_activity + log_strength,
                )
            )
        while len(self._believed) > 1 and self._believed[1].readings <= self._readings - WINDOWS[-1]:
            self._believed.popleft()

    def _ask(self, window: int) -> Slip | None:
        """Weigh the stories of the newest readings; give the slip where it is by far the likeliest."""
        former = [each for each in self._believed if each.readings <= self._readings - window]
        if not former:
            return None
        believed, tally = former[-1], Tally(self._tissue)
        tally.append(self._recent.newest(window))
        start = replace(
            self._likelihood.start(),
            priors=believed.priors,
            position_mm=believed.position_mm,
            log_activity=believed.log_activity,
        )
        still = self._fit(start, tally)
        if _misfit(still, tally) < LEAST_MISFIT:
            return None
        slipped = self._slipped(start, still, tally)
        # scatter that a slip does not explain counts against no other story
        scatter = max(1.0, _dispersion(slipped, tally))
        gain = (_evidence(slipped) - _evidence(still)) / scatter
        if gain < LEAST_LOG_EVIDENCE:
            return None
        rivals = (self._fit(_changed(start), tally), self._one_more(start, still, tally))
        if (_evidence(slipped) - max(_evidence(rival) for rival in rivals)) / scatter < LEAST_LEAD:
            return None
        size = len(slipped.mixture)
        shift = MapShift.of(
            slipped.mixture.priors, slipped.mixture.position_mm, slipped.covariance[: 3 * size, : 3 * size]
        )
        if shift is None or not size:
            return None
        found = Slip(mean_mm=shift.mean_mm, covariance_mm2=shift.covariance_mm2, log_evidence=gain)
        return found if found.length_mm - 2 * found.sigma_mm > LEAST_SLIP_MM else None

    def _slipped(self, start: Mixture, still: Fit, tally: Tally) -> Fit:
        """Fit that all moved alike, from where they were and from where the counts say that they went."""
        moving = _moved(start)
        rate = np.maximum(tally.counts / tally.live_time_s - math.exp(still.mixture.log_background), 0.0)
        sources_cps = still.by_source_cps.sum(axis=1)
        ahead = tally.tip_mm
        guess = (rate @ ahead) / max(float(rate.sum()), 1e-9) - (sources_cps @ ahead) / max(
            float(sources_cps.sum()), 1e-9
        )
        fits = [
            self._fit(replace(moving, position_mm=moving.position_mm + offset), tally)
            for offset in (np.zeros(3), guess, 2 * guess)
        ]
        return max(fits, key=lambda fit: fit.log_posterior)

    def _one_more(self, start: Mixture, still: Fit, tally: Tally) -> Fit:
        """Fit that all is as it was, and one more source where the counts exceed that most."""
        excess = (tally.counts - still.expected) / np.sqrt(still.expected + 1)
        best = int(excess.argmax())
        place = tally.tip_mm[best] + AHEAD_MM * tally.axis[best]
        return self._fit(start.plus(self._unmapped, place, self._unmapped.log_activity_mean), tally)

    def _fit(self, start: Mixture, tally: Tally) -> Fit:
        slopes = self._likelihood.sensitivities(start, tally, slice(0, None))
        return self._likelihood.maximise(start, tally, None, slopes, VOLUME_MM3, steps=STEPS)


def _located(fit: Fit, number: int, log_strength: float) -> SourcePrior | None:
    """Make what is known of a source what is believed before the next readings; None where it is not located."""
    covariance = fit.source_covariance(number) * INFLATION
    if region_of(covariance[:3, :3])[0][0] > GREATEST_SEMI_AXIS_MM:
        return None
    return replace(
        fit.mixture.priors[number],
        centre_mm=fit.mixture.position_mm[number],
        covariance_mm2=covariance[:3, :3] + OWN_SIGMA_MM**2 * np.eye(3),
        shift_sigma_mm=0.0,
        uniform_share=1e-9,
        log_activity_mean=float(fit.mixture.log_activity[number]) + log_strength,
        log_activity_sigma=math.hypot(math.sqrt(float(covariance[3, 3])), OWN_LOG_SIGMA),
        presence=1.0,
    )


def _moved(start: Mixture) -> Mixture:
    """Let all sources have moved by one and the same way."""
    slip = SLIP_SIGMA_MM**2 * np.eye(3)
    priors = tuple(
        replace(each, covariance_mm2=each.covariance_mm2 + slip, shift_sigma_mm=SLIP_SIGMA_MM)
        for each in start.priors
        if each.covariance_mm2 is not None
    )
    return replace(start, priors=priors)


def _changed(start: Mixture) -> Mixture:
    """Let each source be as strong as it likes."""
    priors = tuple(
        replace(each, log_activity_sigma=math.hypot(each.log_activity_sigma, CHANGE)) for each in start.priors
    )
    return replace(start, priors=priors)


def _misfit(fit: Fit, tally: Tally) -> float:
    """Excess scatter of the counts about a fit, in standard deviations."""
    pulls = fit.weight * (tally.counts - fit.expected) ** 2 / fit.expected
    scatter = float((2 + fit.weight / fit.expected).sum())
    return float(pulls.sum() - len(pulls)) / math.sqrt(scatter)


def _dispersion(fit: Fit, tally: Tally) -> float:
    """Mean square of the counts' deviations from a fit, over what it should be."""
    return float((fit.weight * (tally.counts - fit.expected) ** 2 / fit.expected).mean())


def _evidence(fit: Fit) -> float:
    """Give the logarithm of a story's evidence: a Gaussian integral about its maximum."""
    return fit.log_posterior + 0.5 * float(np.linalg.slogdet(2 * np.pi * fit.covariance)[1])

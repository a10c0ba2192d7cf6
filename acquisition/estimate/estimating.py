"""What the process of the estimate is asked, and how it answers.

It holds the estimator, and what that expects of the newest readings; the service holds what was counted. That
numbers went wrong is an answer: only a process that ends has none.
"""

import traceback
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from acquisition.estimate.agreement import Agreement, Comparison
from navigation.estimation.estimate import Posterior
from navigation.estimation.posterior import Estimator
from navigation.estimation.prior import Prior
from navigation.estimation.slip import Slip, SlipWatch
from navigation.estimation.turn import Turn, TurnWatch
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.steering.advice import Advice, advise
from navigation.tissue import Tissue
from navigation.transforms import RigidTransform

NUMERICS = (ArithmeticError, ValueError)
"""What numbers that nobody foresaw end in, singular matrices and refused arguments among them."""

Misplaced: TypeAlias = Slip | Turn
"""What the counts say against the registration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What an estimate starts from, before the first count.

    Attributes
    ----------
    response
        The probe's calibration.
    prior
        The map.
    tissue
        Where the patient's skin is.
    half_life_s
        Of the nuclide, s.
    mapped_at_s
        Moment that the map's activities are of, host monotonic clock, s; None: that of the first count.

    """

    response: Response
    prior: Prior
    tissue: Tissue
    half_life_s: float = inf
    mapped_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Asks to believe these readings too, oldest first; answered by a ``Belief``."""

    observations: Observations


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Asks where to hold the probe next, from where it is now; answered by an ``Advice``."""

    patient_from_tip: RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed, and what the newest counts say of it.

    Attributes
    ----------
    posterior
        The belief.
    agreement
        How they agree with it; None where nothing is expected of them yet.
    misplaced
        That by them the patient's reference seems to have slipped, or the registration to be turned by half; None
        where it does not, and each is told once.

    """

    posterior: Posterior
    agreement: Agreement | None
    misplaced: Misplaced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The answer where the numbers went wrong.

    Attributes
    ----------
    reason
        In words.
    trace
        Where, for the log.

    """

    reason: str
    trace: str


Question = Premises | Counted | Held
Answer = Belief | Advice | Failure | None


class _Estimate:
    """An estimator, and what it last said."""

    def __init__(self, premises: Premises) -> None:
        self._tissue = premises.tissue
        self._estimator = Estimator(
            premises.response,
            premises.prior,
            premises.tissue,
            half_life_s=premises.half_life_s,
            mapped_at_s=premises.mapped_at_s,
        )
        self._comparison = Comparison()
        self._slips = SlipWatch(self._estimator.likelihood, premises.prior, premises.tissue)
        self._turns = TurnWatch(premises.prior)
        self._posterior = self._estimator.add(Observations.empty())

    def believe(self, observations: Observations) -> Belief:
        self._posterior = self._estimator.add(observations)
        agreement = self._comparison.compare(self._estimator, observations)
        slip = self._slips.look(observations, self._estimator.fit, self._estimator.log_strength)
        turn = self._turns.look(len(observations), self._estimator.fit)
        return Belief(posterior=self._posterior, agreement=agreement, misplaced=turn or slip)

    def advise(self, patient_from_tip: RigidTransform) -> Advice:
        return advise(self._estimator, self._posterior, self._tissue, patient_from_tip)


class Respondent:
    """Answers for one estimate after another: new premises start afresh."""

    def __init__(self) -> None:
        self._estimate: _Estimate | None = None

    def answer(self, question: Question) -> Answer:
        """Answer; None to premises that were taken.

        Raises
        ------
        RuntimeError
            Where the first question is no premises.

        """
        try:
            if isinstance(question, Premises):
                self._estimate = _Estimate(question)
                return None
            if self._estimate is None:
                raise RuntimeError("asked before there were premises")
            if isinstance(question, Counted):
                return self._estimate.believe(question.observations)
            return self._estimate.advise(question.patient_from_tip)
        except NUMERICS as exc:
            return Failure(reason=str(exc), trace=traceback.format_exc())

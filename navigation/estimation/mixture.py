"""Sources, background and response as one point of the parameter space, what it expects, and a fit of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.prior import SourcePrior
from navigation.probe.correction import COMPONENTS
from navigation.probe.response import FITTED

Array = NDArray[np.float64]

CORRECTIONS = slice(len(FITTED), len(FITTED) + COMPONENTS)
"""Which nuisances are the components of the response's correction."""

NUISANCES = len(FITTED) + COMPONENTS + 1
"""What is estimated besides the sources: response, its correction, last the extent of the injection sites."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Sources, background and response as one point of the parameter space.

    Attributes
    ----------
    priors
        One for each of the K sources.
    position_mm, log_activity
        Shapes (K, 3) and (K,).
    log_background
        Of the background in cps.
    log_response
        Logarithmic deviation of the response's parameters from the calibration, in the order of ``FITTED``, then
        the components of its ``Correction``, last the variance of the injection sites
        (``navigation.probe.extent``).

    """

    priors: tuple[SourcePrior, ...]
    position_mm: Array
    log_activity: Array
    log_background: float
    log_response: Array

    def __len__(self) -> int:
        return len(self.priors)

    @property
    def names(self) -> list[str]:
        """Of the sources, in order."""
        return [each.name for each in self.priors]

    def without(self, index: int) -> Mixture:
        """Leave one source out."""
        kept = np.arange(len(self)) != index
        return replace(
            self,
            priors=tuple(each for number, each in enumerate(self.priors) if number != index),
            position_mm=self.position_mm[kept],
            log_activity=self.log_activity[kept],
        )

    def plus(self, prior: SourcePrior, position_mm: Array, log_activity: float) -> Mixture:
        """Add a source."""
        return replace(
            self,
            priors=(*self.priors, prior),
            position_mm=np.concatenate((self.position_mm, position_mm[None])),
            log_activity=np.append(self.log_activity, log_activity),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expectation:
    """What a mixture expects at each of N rows of a tally, and how that changes with the mixture.

    Attributes
    ----------
    mixture
        The sources, K of them.
    expected, rate_cps
        Counts expected in each row and the true rate there, shape (N,).
    by_source_cps
        The part of each source in that rate, shape (N, K).
    jacobian
        Derivative of the expected counts by each parameter, shape (N, P): positions (mm), log activities, log
        background, response.

    """

    mixture: Mixture
    expected: Array
    rate_cps: Array
    by_source_cps: Array
    jacobian: Array

    @property
    def by_position(self) -> Array:
        """Derivative of the expected counts by each source's position, shape (N, K, 3), per mm."""
        size = len(self.mixture)
        return self.jacobian[:, : 3 * size].reshape(len(self.jacobian), size, 3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit(Expectation):
    """A maximum of likelihood times prior.

    Attributes
    ----------
    weight
        How much each row counts, shape (N,).
    log_likelihood, log_posterior
        Weighted log-likelihood (up to a constant of the counts) and with the prior's logarithm.
    covariance
        Inverse of the information, shape (P, P), in the jacobian's order.

    """

    weight: Array
    log_likelihood: float
    log_posterior: float
    covariance: Array

    def source_covariance(self, index: int) -> Array:
        """Of one source's position and log activity, shape (4, 4)."""
        size = len(self.mixture)
        rows = [3 * index, 3 * index + 1, 3 * index + 2, 3 * size + index]
        return self.covariance[np.ix_(rows, rows)]

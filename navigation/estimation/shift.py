"""How far the whole map moved since the scan: registration and posture move all of its sources together.

A mapped source lies at its hotspot plus a shift common to all plus one of its own. Both are Gaussian, so the
common one is never sampled: it couples the sources' prior, and is read off their posterior (conditional of a joint
Gaussian, Rasmussen and Williams, 2006, A.2). Where one source is found, the others are sought where the map would
then lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.prior import SourcePrior

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapShift:
    """Common shift of the map's sources.

    Attributes
    ----------
    mean_mm
        From the map to the patient as the patient lies now, shape (3,), patient frame.
    covariance_mm2
        Shape (3, 3).

    """

    mean_mm: Array
    covariance_mm2: Array

    @classmethod
    def of(cls, priors: Sequence[SourcePrior], position_mm: Array, covariance_mm2: Array) -> Self | None:
        """Read the shift off the posterior of K mapped sources.

        Parameters
        ----------
        priors
            Of those sources.
        position_mm, covariance_mm2
            Their joint posterior, shapes (K, 3) and (3 K, 3 K).

        Returns
        -------
        shift
            None where no source is given or the map is held not to move.

        """
        sigma = max((each.shift_sigma_mm for each in priors), default=0.0)
        if sigma == 0:
            return None
        same = np.tile(np.eye(3), (len(priors), 1))
        gain = sigma**2 * same.T @ joint_precision(tuple(priors))[0]
        return cls(
            mean_mm=gain @ displacement_mm(priors, position_mm),
            covariance_mm2=sigma**2 * (np.eye(3) - gain @ same) + gain @ covariance_mm2 @ gain.T,
        )

    def moved(self, prior: SourcePrior) -> SourcePrior:
        """Return the prior of a source that was not among those the shift was read off."""
        if prior.centre_mm is None or prior.covariance_mm2 is None or prior.shift_sigma_mm == 0:
            return prior
        own = prior.covariance_mm2 - prior.shift_sigma_mm**2 * np.eye(3)
        return replace(prior, centre_mm=prior.centre_mm + self.mean_mm, covariance_mm2=own + self.covariance_mm2)


@lru_cache(maxsize=64)
def joint_precision(priors: tuple[SourcePrior, ...]) -> tuple[Array, float]:
    """Joint normal prior of K mapped sources' positions: inverse covariance, per mm2, and log of its height.

    The first has shape (3 K, 3 K) and is read-only: a fit asks for the same again and again.
    """
    size = 3 * len(priors)
    sigma = max((each.shift_sigma_mm for each in priors), default=0.0)
    covariance = sigma**2 * np.tile(np.eye(3), (len(priors), len(priors)))
    for number, prior in enumerate(priors):
        if prior.covariance_mm2 is not None:
            rows = slice(3 * number, 3 * number + 3)
            covariance[rows, rows] = prior.covariance_mm2
    precision = np.asarray(np.linalg.inv(covariance)) if size else covariance
    precision.setflags(write=False)
    return precision, 0.5 * float(np.linalg.slogdet(precision / (2 * np.pi))[1]) if size else 0.0


def displacement_mm(priors: Sequence[SourcePrior], position_mm: Array) -> Array:
    """Positions less the map's, one after another, shape (3 K,)."""
    centres = np.array([np.zeros(3) if each.centre_mm is None else each.centre_mm for each in priors])
    return np.asarray((position_mm - centres.reshape(-1, 3)).reshape(-1))

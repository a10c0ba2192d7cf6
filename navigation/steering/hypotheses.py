"""Places where a target that is not located yet may be, few enough to ask of every pose what it would tell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from navigation.estimation.estimate import TargetEstimate
from navigation.estimation.lattice import SPACING_MM
from navigation.estimation.posterior import Estimator
from navigation.tissue import Tissue

Array = NDArray[np.float64]

HYPOTHESES = 32
"""Places at which a target that is not located is imagined."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypotheses:
    """Places where a target may be.

    Attributes
    ----------
    points_mm
        Shape (H, 3), patient frame.
    log_activity
        Of the target in MBq now, if it is there: natural logarithm, shape (H,).
    share
        Probability of each, given that the target is there at all, shape (H,).

    """

    points_mm: Array
    log_activity: Array
    share: Array


def _cloud(centre_mm: Array, covariance_mm2: Array) -> Array:
    """Points spread like a normal distribution: a golden spiral of directions, radii by chi's quantiles."""
    number = np.arange(HYPOTHESES) + 0.5
    height = 1 - 2 * number / HYPOTHESES
    turn = np.pi * (3 - np.sqrt(5)) * number
    side = np.sqrt(1 - height**2)
    direction = np.stack((side * np.cos(turn), side * np.sin(turn), height), axis=-1)
    radius = np.sqrt(2 * gammaincinv(1.5, (number * (np.sqrt(5) - 1) / 2) % 1.0))
    return np.asarray(centre_mm + radius[:, None] * direction @ np.linalg.cholesky(covariance_mm2).T)


def _below(points_mm: Array, tissue: Tissue) -> Array:
    return points_mm[tissue.skin_at(points_mm).height_mm < 0]


def imagine(estimator: Estimator, chosen: TargetEstimate | None, tissue: Tissue) -> Hypotheses | None:
    """Imagine where a target may be: points of the newest search, and of the map where nobody has looked yet.

    Parameters
    ----------
    estimator
        What was counted.
    chosen
        The target; None is one that is on no map.
    tissue
        Where the skin is: no target lies above it.

    Returns
    -------
    Hypotheses or None
        None where neither the map nor a search has a place for it.

    """
    found = None if chosen is None else estimator.searched(chosen.name)
    if found is None and (chosen is None or chosen.mapped_mm is None):
        found = estimator.searched("unmapped")  # as which it was born, if it was
    unseen, points, activity = 1.0, np.zeros((0, 3)), np.zeros(0)
    if found is not None and len(found[0]):
        lattice_mm, scan = found
        weight = np.exp(scan.log_weight - scan.log_weight.max())
        seen = np.exp(float(np.logaddexp.reduce(scan.log_weight)) - scan.log_evidence)
        unseen = max(1.0 - seen, 0.0)
        # systematic resampling (Kitagawa, 1996), its offset fixed
        steps = (np.arange(HYPOTHESES) + 0.5) / HYPOTHESES * weight.sum()
        drawn = np.minimum(np.searchsorted(np.cumsum(weight), steps), len(weight) - 1)
        points, activity = lattice_mm[drawn], scan.log_activity[drawn]
    mapped = next((each for each in estimator.prior.sources if chosen and each.name == chosen.name), None)
    elsewhere = np.zeros((0, 3))
    if mapped is not None and mapped.centre_mm is not None and mapped.covariance_mm2 is not None and unseen > 0.05:
        elsewhere = _below(_cloud(mapped.centre_mm, mapped.covariance_mm2), tissue)
        if found is not None and len(found[0]):
            apart = np.linalg.norm(elsewhere[:, None] - found[0][None], axis=-1)
            elsewhere = elsewhere[apart.min(axis=1) > SPACING_MM]
    if not len(points) + len(elsewhere):
        return None
    if not len(elsewhere) or not len(points):
        unseen = float(len(elsewhere) > 0)
    shares = np.concatenate(
        (
            np.full(len(points), (1 - unseen) / max(len(points), 1)),
            np.full(len(elsewhere), unseen / max(len(elsewhere), 1)),
        )
    )
    mean = 0.0 if mapped is None else mapped.log_activity_mean
    return Hypotheses(
        points_mm=np.concatenate((points, elsewhere)),
        log_activity=np.concatenate((activity, np.full(len(elsewhere), mean))) + estimator.log_strength,
        share=shares,
    )

"""Which spot of the map each found source is.

The counts know no names: two sources may change theirs and nothing that was counted becomes less probable. So the
names are those under which the map makes the places and activities found most probable: an assignment problem
(Kuhn, Naval Research Logistics Quarterly 2 (1955) 83). A name that the wrong source took up is thereby given back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from navigation.estimation.mixture import Mixture
from navigation.estimation.prior import SourcePrior

LEAST_GAIN = 3.0
"""Nats that other names must gain before any is changed: names that swap to and fro on a display help nobody."""

_CERTAIN = 1e3
"""Stands for the log odds of what is there in any case."""


def names_by_map(mixture: Mixture, absent: Sequence[SourcePrior], volume_mm3: float) -> tuple[SourcePrior, ...]:
    """Give each source of a mixture the prior whose name it should have; what is no target is always among them.

    Parameters
    ----------
    mixture
        The sources found.
    absent
        Priors of the map that none of them has.
    volume_mm3
        Volume over which a source that is on no map is uniform.

    Returns
    -------
    priors
        In the order of the mixture's sources; its own where no others are better by ``LEAST_GAIN``.

    """
    candidates = [*mixture.priors, *absent]
    if len(candidates) < 2 or not mixture.priors:
        return mixture.priors
    score = np.empty((len(mixture), len(candidates)))
    for column, prior in enumerate(candidates):
        off = (mixture.log_activity - prior.log_activity_mean) / prior.log_activity_sigma
        score[:, column] = (
            prior.log_density(mixture.position_mm, volume_mm3)[0]
            - 0.5 * off**2
            - math.log(prior.log_activity_sigma)
            + (_CERTAIN if prior.presence == 1 else math.log(prior.presence / (1 - prior.presence)))
        )
    rows, columns = linear_sum_assignment(score, maximize=True)
    if score[rows, columns].sum() < np.trace(score) + LEAST_GAIN:
        return mixture.priors
    return tuple(candidates[column] for column in columns.tolist())

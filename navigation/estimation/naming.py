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


def names_by_map(mixture: Mixture, absent: Sequence[SourcePrior], volume_mm3: float) -> tuple[SourcePrior, ...]:
    """Give each source of a mixture the prior whose name it should have; injection sites keep theirs.

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
    places = [number for number, prior in enumerate(mixture.priors) if not prior.is_injection]
    own = [mixture.priors[number] for number in places]
    candidates = [*own, *(prior for prior in absent if not prior.is_injection)]
    if len(candidates) < 2 or not own:
        return mixture.priors
    score = np.empty((len(places), len(candidates)))
    for column, prior in enumerate(candidates):
        off = (mixture.log_activity[places] - prior.log_activity_mean) / prior.log_activity_sigma
        score[:, column] = (
            prior.log_density(mixture.position_mm[places], volume_mm3)[0]
            - 0.5 * off**2
            - math.log(prior.log_activity_sigma)
            + math.log(prior.presence / (1 - prior.presence))
        )
    rows, columns = linear_sum_assignment(score, maximize=True)
    if score[rows, columns].sum() < np.trace(score) + LEAST_GAIN:
        return mixture.priors
    named = list(mixture.priors)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        named[places[row]] = candidates[column]
    return tuple(named)

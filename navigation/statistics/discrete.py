"""Chances and quantiles of counts, Poisson and negative binomial.

From ``scipy.special``: ``scipy.stats``, which has both, takes nearly as long to import as all else that a process
which estimates needs, and that is waited for whenever one is started anew.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, gammaln, nbdtrik, pdtr, pdtrik, xlog1py, xlogy

Array = NDArray[np.float64]


def poisson_chances(counts: NDArray[np.int64], mean: float) -> Array:
    """Probability of each count, where their mean is ``mean`` >= 0."""
    return np.asarray(np.exp(xlogy(counts, mean) - gammaln(counts + 1) - mean), dtype=np.float64)


def poisson_quantile(probability: float, mean: float) -> int:
    """Least count that is exceeded no more often than in 1 - ``probability``, inside (0, 1); of no mean, none."""
    if mean == 0:
        return 0
    count = ceil(pdtrik(probability, mean))
    return count - 1 if count > 0 and pdtr(count - 1, mean) >= probability else count


def negative_binomial_chances(failures: Array, shape: float, share: float) -> Array:
    """Probability of each number of failures before ``shape`` > 0 successes, of which ``share`` are ones."""
    log_chance = shape * np.log(share) + xlog1py(failures, -share)
    log_chance -= np.log(shape + failures) + betaln(shape, failures + 1)
    return np.asarray(np.exp(log_chance), dtype=np.float64)


def negative_binomial_quantile(probability: float, shape: float, share: float) -> int:
    """Least number of failures that is exceeded no more often than in 1 - ``probability``, inside (0, 1)."""
    count = ceil(nbdtrik(probability, shape, share))
    return count - 1 if count > 0 and betainc(shape, count, share) >= probability else count

"""Deviance residuals of counts: their least squares are the maximum of the Poisson likelihood."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def deviance_residuals(counts: Array, expected: Array) -> Array:
    """Give the residual of each count, in standard deviations, as its share of the deviance has it.

    McCullagh and Nelder, Generalized Linear Models, 1989, 2.4.3.

    Parameters
    ----------
    counts, expected
        Of equal shape; ``expected`` above zero.

    """
    halves = expected - counts + np.where(counts > 0, counts * np.log(np.maximum(counts, 1e-9) / expected), 0.0)
    return np.asarray(np.sign(counts - expected) * np.sqrt(2 * np.maximum(halves, 0.0)))

"""What counts not taken yet would tell: where a located target lies, and which of several hypotheses holds."""

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.likelihood import UNSTRUCTURED, Likelihood
from navigation.estimation.mixture import CORRECTIONS, Fit
from navigation.estimation.tally import Tally

Array = NDArray[np.float64]

READING_S = 0.1
"""Time of one reading: poses are noisy from one to the next, so that their errors average over a dwell."""


def jacobian_and_variance(likelihood: Likelihood, fit: Fit, tally: Tally, slopes: Array) -> tuple[Array, Array]:
    """Slopes of each row's expected count by all that is estimated, shape (C, P), and its variance, shape (C,).

    The parameters are in the order of ``Fit.covariance``; the variance is the count's over its weight in the fit.
    """
    here = likelihood.expect(fit.mixture, tally, slopes)
    return here.jacobian, here.expected / likelihood.weights(here, tally)


def gains_mm2(covariance: Array, jacobian: Array, variance: Array, rows: slice) -> tuple[Array, Array]:
    """Trace that each of C counts takes from the covariance of some parameters, and how.

    Parameters
    ----------
    covariance
        Of all parameters before, shape (P, P).
    jacobian, variance
        Of each count, shapes (C, P) and (C,).
    rows
        The D parameters that matter.

    Returns
    -------
    gains, taken
        Shapes (C,) and (C, D): the covariance after a count is that before less ``outer(taken, taken)``.

    """
    spread = jacobian @ covariance
    total = np.einsum("cp,cp->c", spread, jacobian) + variance
    taken = spread[:, rows] / np.sqrt(total)[:, None]
    return np.square(taken).sum(axis=1), taken


def rough_gains_mm2(likelihood: Likelihood, fit: Fit, tally: Tally, counting_s: Array, rows: slice) -> Array:
    """Give the gains of all poses as if the response's parameters were known, its smooth correction not."""
    mixture, response, size = fit.mixture, likelihood.response, len(fit.mixture)
    places_mm, seen_from = mixture.position_mm, (tally.tip_mm, tally.axis, tally.skin)
    rate, by_point = response.rate_and_gradient(places_mm, *seen_from)
    slopes = likelihood.correction.components_at(places_mm, *seen_from)
    error = likelihood.correction.error_at(places_mm, tally.tip_mm, tally.axis)
    factor = np.exp(slopes @ mixture.log_response[CORRECTIONS] + mixture.log_activity)
    by_source = rate * factor
    background = np.exp(mixture.log_background)
    total = background + by_source.sum(axis=1)
    jacobian = np.concatenate(
        (
            (by_point * factor[..., None]).reshape(len(tally), 3 * size),
            by_source,
            np.full((len(tally), 1), background),
            (by_source[:, None] @ slopes)[:, 0],
        ),
        axis=1,
    )
    # all of the true rate: the factor for dead time is on both sides
    own = np.square(UNSTRUCTURED * error * by_source).sum(axis=1) * READING_S
    variance = (total * (1 + total * response.dead_time_s) + own) / counting_s
    first = 4 * size + 1
    uncertain = np.r_[:first, first + CORRECTIONS.start : first + CORRECTIONS.stop]
    return gains_mm2(fit.covariance[np.ix_(uncertain, uncertain)], jacobian, variance, rows)[0]


def information_nats(expected: Array, share: Array) -> Array:
    """Least mutual information between H hypotheses and a Poisson count, at C poses, shape (C,).

    ``expected`` (C, H) is the count that each hypothesis expects, ``share`` (H,) its probability.
    """
    root = np.sqrt(expected)
    distance = 0.5 * np.square(root[:, :, None] - root[:, None, :])
    return np.asarray(-np.log(np.exp(-distance) @ share) @ share)

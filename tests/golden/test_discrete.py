"""Chances and quantiles of counts, beside those of scipy.stats."""

import numpy as np
import pytest
from scipy.stats import nbinom, poisson

from navigation.statistics.discrete import (
    negative_binomial_chances,
    negative_binomial_quantile,
    poisson_chances,
    poisson_quantile,
)

TAILS = (1e-12, 1e-9, 0.01, 0.05, 0.3, 0.95, 1 - 1e-9, 1 - 1e-12)


@pytest.mark.parametrize("mean", [0.0, 1e-6, 0.01, 0.5, 1.0, 1.7, 3.0, 33.3, 1000.0, 9999.0, 1e6])
def test_a_poisson_count_is_as_scipy_has_it(mean: float) -> None:
    """Few and many, none at all included, far into both tails."""
    found = [poisson_quantile(tail, mean) for tail in TAILS]
    assert found == [int(poisson.ppf(tail, mean)) for tail in TAILS]
    counts = np.arange(found[1], found[-2] + 2)
    np.testing.assert_allclose(poisson_chances(counts, mean), poisson.pmf(counts, mean), rtol=1e-9)


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5, 100.0, 1234.5, 1e5])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.6, 0.99])
def test_a_negative_binomial_count_is_as_scipy_has_it(shape: float, share: float) -> None:
    """For a number of successes that is not whole too, far into both tails."""
    found = [negative_binomial_quantile(tail, shape, share) for tail in TAILS]
    assert found == [int(nbinom.ppf(tail, shape, share)) for tail in TAILS]
    failures = np.unique(np.linspace(found[1], found[-2], 500).round())
    np.testing.assert_allclose(
        negative_binomial_chances(failures, shape, share), nbinom.pmf(failures, shape, share), rtol=1e-6
    )

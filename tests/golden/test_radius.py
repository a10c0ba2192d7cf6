"""How far a normal error in space reaches: closed forms, draws, and radii of chi-square's tables."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import chi2

from navigation.statistics.radius import probability_within, radius_within_mm


@pytest.mark.parametrize("sigma_mm", [0.5, 1.0, 2.0, 3.0, 5.0, 12.0])
def test_the_probability_within_a_radius_has_its_closed_forms(sigma_mm: float) -> None:
    """As chi-square of three degrees where isotropic, of two and of one where flat and thin."""
    variance = sigma_mm**2
    round_ = probability_within(variance * np.eye(3), 5.0)
    flat = probability_within(np.diag([variance, 0.0, variance]), 5.0)
    thin = probability_within(np.diag([0.0, variance, 0.0]), 5.0)
    assert round_ == pytest.approx(chi2.cdf(25 / variance, 3), abs=1e-12)
    assert flat == pytest.approx(1 - np.exp(-25 / (2 * variance)), abs=1e-3)
    assert thin == pytest.approx(erf(5 / (sigma_mm * np.sqrt(2))), abs=2e-3)


def test_the_probability_within_a_radius_agrees_with_draws() -> None:
    """A tilted ellipsoid of 1, 3 and 8 mm: within three standard errors of a million draws."""
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    covariance = turn @ np.diag([1.0, 9.0, 64.0]) @ turn.T
    drawn = rng.multivariate_normal(np.zeros(3), covariance, 1_000_000)
    share = float((np.linalg.norm(drawn, axis=1) <= 5.0).mean())
    assert probability_within(covariance, 5.0) == pytest.approx(share, abs=3 * np.sqrt(0.25 / 1e6))
    assert radius_within_mm(covariance, probability_within(covariance, 5.0)) == pytest.approx(5.0, rel=1e-6)


@pytest.mark.parametrize(
    ("sigmas_mm", "chi_square"),
    [((1.0, 1.0, 1.0), 7.815), ((1.0, 1.0, 1e-4), 5.991), ((1.0, 1e-4, 1e-4), 3.841)],
)
def test_a_radius_is_that_of_chi_square(sigmas_mm: Sequence[float], chi_square: float) -> None:
    """95 % points of three, two and one degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.4), at any scale."""
    for scale in (1e-3, 1.0, 1e3):
        radius_mm = radius_within_mm(np.diag(np.square(scale * np.array(sigmas_mm))))
        assert radius_mm == pytest.approx(scale * np.sqrt(chi_square), rel=2e-3)


@pytest.mark.parametrize("probability", [0.01, 0.3, 0.95, 0.9999])
def test_a_radius_holds_its_probability(probability: float) -> None:
    """However much longer one axis is than another, and however little or much is to be held."""
    for across_mm in (0.01, 0.1, 0.5, 1.0):
        for other_mm in (0.01, 1.0):
            covariance_mm2 = np.diag(np.square((across_mm, other_mm, 1.0)))
            radius_mm = radius_within_mm(covariance_mm2, probability)
            assert probability_within(covariance_mm2, radius_mm) == pytest.approx(probability, abs=1e-8)


def test_no_error_reaches_nowhere() -> None:
    """Without any variance the radius is none."""
    assert radius_within_mm(np.zeros((3, 3))) == 0.0

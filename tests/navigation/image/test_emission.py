import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navigation.errors import NavigationError
from navigation.image.emission import Emission, Roughness, maximised


def _problem(seed: int, *, rows: int = 40, voxels: int = 25) -> tuple[Emission, np.ndarray]:
    rng = np.random.default_rng(seed)
    rates = (rng.gamma(0.5, 40.0, (rows, voxels)) * (rng.random((rows, voxels)) < 0.6)).astype(np.float32)
    truth = rng.gamma(0.3, 1.0, voxels)
    alive_s = rng.uniform(0.05, 2.0, rows)
    others_cps = rng.uniform(0.5, 20.0, rows)
    counts = rng.poisson(alive_s * (others_cps + rates @ truth)).astype(np.float64)
    return Emission(rates_cps=rates, counts=counts, alive_s=alive_s, others_cps=others_cps), truth


def _roughness(voxels: int, cost: float, errors_per_mbq: float) -> Roughness:
    first = np.arange(voxels - 1)
    return Roughness(first=first, second=first + 1, errors_per_mbq=np.full(voxels - 1, errors_per_mbq), cost=cost)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_likelihood_never_falls(seed: int) -> None:
    """Whatever the counts and the start, no iteration of maximum likelihood makes the counts less likely."""
    emission, _ = _problem(seed)
    activity = np.random.default_rng(seed + 1).uniform(1e-6, 2.0, 25)
    before = emission.log_likelihood(activity)
    for _ in range(15):
        activity = maximised(emission, activity, iterations=1)
        after = emission.log_likelihood(activity)
        assert after >= before - 1e-5 * (1 + abs(before))  # the rates are of single precision
        assert (activity >= 0).all()
        before = after


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), cost=st.floats(1e-3, 30.0), errors_per_mbq=st.floats(0.01, 300.0))
def test_likelihood_less_roughness_never_falls(seed: int, cost: float, errors_per_mbq: float) -> None:
    """With a cost of roughness it is the likelihood less that cost which no iteration lowers."""
    emission, _ = _problem(seed)
    roughness = _roughness(25, cost, errors_per_mbq)
    activity = np.random.default_rng(seed + 1).uniform(1e-6, 2.0, 25)
    before = emission.log_likelihood(activity) - roughness.of(activity)
    for _ in range(15):
        activity = maximised(emission, activity, iterations=1, roughness=roughness)
        after = emission.log_likelihood(activity) - roughness.of(activity)
        assert after >= before - 1e-5 * (1 + abs(before))
        assert (activity >= 0).all()
        before = after


def test_one_voxel_has_its_closed_form() -> None:
    """One voxel of equal rate everywhere converges to (counts / time - background) / rate."""
    rates = np.full((3, 1), 50.0, dtype=np.float32)
    counts, alive_s = np.array([130.0, 110.0, 120.0]), np.ones(3)
    emission = Emission(rates_cps=rates, counts=counts, alive_s=alive_s, others_cps=np.full(3, 20.0))
    assert maximised(emission, np.array([0.1]), iterations=200)[0] == pytest.approx((120 - 20) / 50, rel=1e-4)


def test_a_step_without_cost_is_the_one_of_shepp_and_vardi() -> None:
    """One iteration is x / s * sum a y / n, and a cost of all but nothing gives the same."""
    emission, truth = _problem(3)
    start = truth + 0.1
    rates = emission.rates_cps.astype(np.float64)
    expected = emission.others_cps + rates @ start
    by_hand = start / (emission.alive_s @ rates) * ((emission.counts / expected) @ rates)
    assert maximised(emission, start, iterations=1) == pytest.approx(by_hand, rel=1e-4)
    smoothed = maximised(emission, start, iterations=1, roughness=_roughness(25, 1e-9, 1.0))
    assert smoothed == pytest.approx(by_hand, rel=1e-4)


def test_what_no_row_sees_stays_as_it_was_without_neighbours() -> None:
    """A voxel of no rate keeps its start, and neither it nor the others become NaN."""
    emission, truth = _problem(4)
    rates = emission.rates_cps.copy()
    rates[:, 7] = 0.0
    blind = Emission(
        rates_cps=rates, counts=emission.counts, alive_s=emission.alive_s, others_cps=emission.others_cps
    )
    image = maximised(blind, truth + 0.25, iterations=20)
    assert image[7] == truth[7] + 0.25
    assert np.isfinite(image).all()


def test_dead_time_is_taken_from_the_time_not_from_the_counts() -> None:
    """Counts y in t with dead time tau and live time t - y tau give the true rate back, at 30 % dead."""
    rate, tau = 1e5, 4e-6
    counts = np.array([rate / (1 + rate * tau) * 10.0])
    emission = Emission(
        rates_cps=np.array([[1000.0]], dtype=np.float32),
        counts=counts,
        alive_s=10.0 - counts * tau,
        others_cps=np.array([1.0]),
    )
    assert maximised(emission, np.ones(1), iterations=50)[0] == pytest.approx((rate - 1) / 1000, rel=1e-4)


def test_a_row_without_time_or_background_is_refused() -> None:
    """A rate of zero would divide by zero where something was counted: it is refused at once."""
    emission, _ = _problem(5)
    with pytest.raises(NavigationError, match="above zero"):
        Emission(
            rates_cps=emission.rates_cps,
            counts=emission.counts,
            alive_s=emission.alive_s,
            others_cps=np.zeros(40),
        )

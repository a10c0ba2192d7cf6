"""Decay against half-lives counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.decay import decay_factor, decay_within
from navigation.errors import NavigationError

TC99M_HALF_LIFE_S = 6.0067 * 3600


def test_half_lives() -> None:
    """After one half-life half is left, after three an eighth, and one before there was twice as much."""
    assert decay_factor(half_life_s=60.0, elapsed_s=60.0) == 0.5
    assert decay_factor(half_life_s=60.0, elapsed_s=180.0) == 0.125
    assert decay_factor(half_life_s=60.0, elapsed_s=-60.0) == 2.0


def test_technetium_overnight() -> None:
    """58 MBq of Tc-99m leave 4.6 MBq after 22 h, the figure of the melanoma node study."""
    assert 58 * decay_factor(half_life_s=TC99M_HALF_LIFE_S, elapsed_s=22 * 3600) == pytest.approx(4.6, abs=0.05)


@given(first_s=st.floats(0, 1e5), second_s=st.floats(0, 1e5))
def test_steps_multiply(first_s: float, second_s: float) -> None:
    """Two waits in a row decay as one wait of their sum."""
    both = decay_factor(half_life_s=6000.0, elapsed_s=first_s + second_s)
    apart = decay_factor(half_life_s=6000.0, elapsed_s=first_s) * decay_factor(
        half_life_s=6000.0, elapsed_s=second_s
    )
    assert both == pytest.approx(apart, rel=1e-9)


@pytest.mark.parametrize(
    ("half_life_s", "elapsed_s"), [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))]
)
def test_impossible_times_are_refused(half_life_s: float, elapsed_s: float) -> None:
    """A half-life of zero, a negative one and times that are not finite are refused."""
    with pytest.raises(NavigationError):
        decay_factor(half_life_s=half_life_s, elapsed_s=elapsed_s)


def test_decay_within_a_count_is_its_mean() -> None:
    """Ga-68 over ten minutes: the mean of what is left, as summed second by second; nothing decays in no time."""
    seconds = np.arange(600) + 0.5
    left = [decay_factor(half_life_s=67.71 * 60, elapsed_s=float(second)) for second in seconds]
    assert decay_within(half_life_s=67.71 * 60, counting_s=600.0) == pytest.approx(np.mean(left), rel=1e-7)
    assert decay_within(half_life_s=67.71 * 60, counting_s=60.0) == pytest.approx(0.9949, abs=1e-4)
    assert decay_within(half_life_s=67.71 * 60, counting_s=0.0) == 1.0
    with pytest.raises(NavigationError, match="wants a half-life above 0"):
        decay_within(half_life_s=0.0, counting_s=1.0)

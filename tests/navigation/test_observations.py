import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.observations import Observations


def _two() -> dict[str, np.ndarray]:
    return {
        "counts": np.array([3.0, 0.0]),
        "live_time_s": np.array([0.1, 0.1]),
        "tip_mm": np.zeros((2, 3)),
        "axis": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
        "taken_at_s": np.array([0.0, 0.1]),
    }


def test_appends_and_stays_read_only() -> None:
    """Observations add up in order, and none of their numbers can be changed."""
    both = Observations(**_two()) + Observations(**_two())
    assert len(both) == 4
    assert both.counts.tolist() == [3, 0, 3, 0]
    with pytest.raises(ValueError, match="read-only"):
        both.counts[0] = 1
    assert len(both.take(both.counts > 0)) == 2
    assert len(Observations.empty() + both) == 4


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("counts", [1.0, np.nan], "counts holds a number that is not finite"),
        ("counts", [1.0, -1.0], "a count is negative"),
        ("counts", [1.0], "shape"),
        ("counts", 1.0, "shape"),
        ("live_time_s", [0.1, 0.0], "not positive"),
        ("tip_mm", np.zeros((2, 2)), "tip_mm has shape"),
        ("tip_mm", [[0, 0, np.inf], [0, 0, 0]], "not finite"),
        ("axis", [[0, 0, 1.0], [0, 0, 0.5]], "no unit vector"),
    ],
)
def test_refuses_what_no_instrument_measures(name: str, value: object, sentence: str) -> None:
    """What is not finite, negative, out of shape or no direction is refused with its name."""
    with pytest.raises(NavigationError, match=sentence):
        Observations(**(_two() | {name: np.asarray(value)}))

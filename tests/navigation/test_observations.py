import numpy as np
import pytest

from navigation.errors import BadReading, NavigationError
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
    ("name", "value", "row", "sentence"),
    [
        ("counts", [1.0, np.nan], 1, "counts of row 1 is nan: wants finite numbers"),
        ("counts", [-1.0, 1.0], 0, "counts of row 0 is -1.0: wants events as counted"),
        ("live_time_s", [0.1, 0.0], 1, "live_time_s of row 1 is 0.0: wants the time"),
        ("live_time_s", [0.1, -np.inf], 1, "live_time_s of row 1 is -inf: wants finite"),
        ("tip_mm", [[0, 0, np.inf], [0, 0, 0]], 0, "tip_mm of row 0 is"),
        ("axis", [[0, 0, 1.0], [0, 0, 0.5]], 1, "axis of row 1 is"),
        ("axis", [[0, 0, 1e200], [0, 0, 1.0]], 0, "axis of row 0 is"),
        ("taken_at_s", [np.nan, np.nan], 0, "2 of 2 rows are so"),
    ],
)
def test_says_what_is_wrong_in_which_row_and_what_to_do(name: str, value: object, row: int, sentence: str) -> None:
    """What no instrument measures is refused: the field, its row, its value, and where such rows are left out."""
    with pytest.raises(BadReading, match=sentence) as refused:
        Observations(**(_two() | {name: np.asarray(value)}))
    assert (refused.value.name, refused.value.row) == (name, row)
    assert np.array_equal(refused.value.value, np.asarray(value, dtype=np.float64)[row], equal_nan=True)
    assert "navigation.screening.sieve" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("counts", [1.0], r"live_time_s has shape \(2,\), not \(1,\): give one row a reading"),
        ("counts", 1.0, r"counts has shape \(\), not \('N',\)"),
        ("tip_mm", np.zeros((2, 2)), r"tip_mm has shape \(2, 2\), not \(2, 3\)"),
    ],
)
def test_rows_that_do_not_go_together_are_refused(name: str, value: object, sentence: str) -> None:
    """Arrays of different length, or of another shape, are refused by name with the shape that is wanted."""
    with pytest.raises(NavigationError, match=sentence):
        Observations(**(_two() | {name: np.asarray(value)}))

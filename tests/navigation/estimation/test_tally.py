import numpy as np
import pytest

from navigation.estimation.tally import KEPT_ROWS, RECENT_ROWS, Tally
from navigation.observations import Observations
from navigation.tissue import NoTissue
from tests.navigation.bench import SKIN, sweep

NODE = np.array([[2.0, -4.0, -20.0]])


def _swept(seed: int, seconds: float = 60.0) -> Observations:
    return sweep(NODE, np.array([0.1]), np.random.default_rng(seed), seconds=seconds)


def test_rows_are_readings_until_there_are_too_many() -> None:
    """Up to the limit nothing is merged: every reading keeps its own row."""
    tally = Tally(SKIN)
    seen = _swept(1, seconds=KEPT_ROWS / 10)
    tally.append(seen)
    assert tally.merge() is None
    assert tally.counts.tolist() == seen.counts.tolist()
    assert len(tally) == len(tally.skin) == tally.readings == KEPT_ROWS


def test_merging_loses_no_count_and_no_second() -> None:
    """Counts, live time and their mean pose are the same before and after; each row went to the group it names."""
    tally = Tally(SKIN)
    seen = _swept(2)
    tally.append(seen)
    merged = tally.merge()
    assert merged is not None
    group, live_time_s = merged
    assert live_time_s.tolist() == seen.live_time_s.tolist()
    assert tally.counts.sum() == seen.counts.sum()
    assert tally.live_time_s.sum() == pytest.approx(seen.live_time_s.sum(), rel=1e-12)
    assert tally.live_time_s @ tally.tip_mm == pytest.approx(seen.live_time_s @ seen.tip_mm, rel=1e-9)
    assert np.bincount(group, seen.counts).tolist() == tally.counts.tolist()
    assert np.linalg.norm(tally.axis, axis=1) == pytest.approx(np.ones(len(tally)))
    assert np.linalg.norm(tally.tip_mm[group] - seen.tip_mm, axis=1).max() < 5.0


def test_the_newest_rows_stay_single() -> None:
    """What was just counted is never merged, and stays last."""
    tally = Tally(SKIN)
    seen = _swept(3)
    tally.append(seen)
    tally.merge()
    assert tally.counts[-RECENT_ROWS:].tolist() == seen.counts[-RECENT_ROWS:].tolist()
    assert tally.tip_mm[-RECENT_ROWS:].tolist() == seen.tip_mm[-RECENT_ROWS:].tolist()


def test_ten_minutes_fit() -> None:
    """However long the session and wide the sweep, the rows stay within the limit and all counts are there."""
    tally = Tally(SKIN)
    rng = np.random.default_rng(4)
    total = 0.0
    for _ in range(20):
        seen = sweep(NODE, np.array([0.1]), rng, seconds=30.0, width_mm=float(rng.uniform(30, 120)))
        total += seen.counts.sum()
        for start in range(0, len(seen), 50):
            tally.append(seen.take(np.arange(start, start + 50)))
            tally.merge()
            assert len(tally) <= KEPT_ROWS
    assert tally.readings == 6000
    assert tally.counts.sum() == total
    assert tally.live_time_s.sum() == pytest.approx(600.0)


def test_a_bench_without_skin_merges_too() -> None:
    """Infinite heights stay infinite when rows are merged."""
    tally = Tally(NoTissue())
    tally.append(_swept(5))
    assert tally.merge() is not None
    assert np.isinf(tally.skin.height_mm).all()

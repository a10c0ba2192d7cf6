"""Counts beside a track: which of them arrived late."""

import numpy as np
import pytest

from navigation.calibration.counted_track import CountedTrack


def counted(start_s: np.ndarray, real_time_s: np.ndarray) -> CountedTrack:
    """Intervals of a probe that rests."""
    at_s = np.arange(-1.0, 21.0, 0.1)
    return CountedTrack(
        start_s=start_s,
        real_time_s=real_time_s,
        live_time_s=real_time_s,
        counts=np.ones(start_s.shape),
        at_s=at_s,
        tip_mm=np.zeros((len(at_s), 3)),
        turn=np.tile(np.eye(3), (len(at_s), 1, 1)),
    )


def test_lateness_is_that_of_the_wire_and_not_of_the_probe() -> None:
    """Intervals of any length that are told late are so by as much; gaps and a slow clock make none late."""
    rng = np.random.default_rng(3)
    real_time_s = rng.uniform(0.05, 0.15, 150)
    end_s = np.cumsum(real_time_s)
    late_s = 0.03 * (rng.random(150) < 1 / 3)
    late_s[60:64] = end_s[64] - end_s[60:64]  # a burst: all four with the next
    late_s[-1] = 0.0
    gap_s = 0.2 * (np.arange(150) > 100)
    found_s = counted(end_s - real_time_s + late_s + gap_s, real_time_s).lateness_s
    np.testing.assert_allclose(found_s, late_s, atol=1e-9)
    assert counted(1.01 * (end_s - real_time_s), real_time_s).lateness_s.max() == pytest.approx(0.0, abs=1e-9)
    assert counted(0.998 * (end_s - real_time_s), real_time_s).lateness_s.max() < 0.008

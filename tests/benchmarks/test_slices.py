"""The benchmark of the slices: its figures are of what was drawn, and a short run in a real browser gives some."""

import pytest

from benchmarks.slices import Drawn, figures, measure


def test_figures_are_of_what_was_drawn() -> None:
    """Every second state of 40 a second, 10 ms each but one: 20 updates a second, half of them kept."""
    drawn = [
        Drawn(seq=100 + 2 * n, at_ms=5000 + 50.0 * n, took_ms=90.0 if n == 50 else 10.0, slices=7 + 4 * n)
        for n in range(101)
    ]
    assert figures(drawn) == {
        "updates_per_s": 20.0,
        "kept": 0.5,
        "frame_ms_median": 10.0,
        "frame_ms_p99": pytest.approx(10.8),
        "interval_ms_median": 50.0,
        "interval_ms_p99": 50.0,
        "slices_per_update": 4.0,
    }


@pytest.mark.peer("chromium")
@pytest.mark.timeout(300)
def test_a_short_run_sees_slices_cut() -> None:
    """On a small screen of the real page on the real service: states are drawn, and slices with them."""
    found = measure(seconds=5.0, width=1280, height=800)
    assert found["updates_per_s"] > 0
    assert 0 < found["kept"] <= 1
    assert 0 < found["frame_ms_median"] <= found["frame_ms_p99"]
    assert found["slices_per_update"] > 0
    assert found["thread_ms"] > 0

"""What is kept of the rate for a display that is opened late."""

from itertools import pairwise

import msgspec
import pytest

from display.messages.feed import DeviceState, RateState
from tests.display.page.room import make_device, make_rate
from tests.display.recorded import untrended
from tests.display.test_app import state


@pytest.mark.parametrize(
    ("device", "rate", "kept_cps"),
    [
        (make_device("probe"), make_rate(310.0), 310.0),
        (make_device("probe", state="lost"), make_rate(310.0), None),
        (make_device("probe", stale_after_s=0.5), make_rate(310.0, age_s=0.6), None),
        (make_device("probe", stale_after_s=2.5), make_rate(310.0, age_s=0.6), 310.0),
        (make_device("other", kind="probe"), make_rate(310.0), None),
        (make_device("probe"), None, None),
    ],
)
def test_a_rate_that_is_not_live_is_a_gap(
    device: DeviceState, rate: RateState | None, kept_cps: float | None
) -> None:
    """Null, never the last one: of a lost probe, of one that fell silent, and of one that is not there."""
    memory = untrended()
    memory.note(msgspec.structs.replace(state(0), devices=(device,), rate=rate))
    assert [point.rate_cps for point in memory.since(-1)] == [kept_cps]


def test_a_point_is_kept_for_each_fifth_of_a_second() -> None:
    """Two minutes of them or more, twice what a display shows; never more points however long the room runs."""
    memory = untrended()
    for number in range(4000):
        memory.note(msgspec.structs.replace(state(number), server_monotonic_s=number * 0.05))
    times_s = [point.server_monotonic_s for point in memory.since(-1)]
    assert len(times_s) == 600
    assert min(later_s - earlier_s for earlier_s, later_s in pairwise(times_s)) >= 0.2

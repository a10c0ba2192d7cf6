"""Whole counts of a rate that is smaller than one count a reading."""

import pytest

from devices.probes.smoothing import SmoothedRate
from devices.readings import CountStatus


def test_what_rounding_leaves_is_kept_for_the_next_reading() -> None:
    """A steady 0.3 cps is a count now and then: over a thousand readings none is lost and none too many."""
    rate = SmoothedRate("gamma", time_constant_s=2.0, dead_time_s=1e-6)
    made = [rate.take(float(second), 0.3, CountStatus.OK) for second in range(1000)]
    readings = [reading for reading in made if reading is not None]
    assert len(readings) == 999
    assert sum(reading.counts for reading in readings) == pytest.approx(
        0.3 * sum(reading.live_time_s for reading in readings), abs=1.0
    )
    assert {reading.dead_time_s for reading in readings} == {1e-6}
    # whoever reads them knows that they were never counted as they stand
    assert {reading.time_constant_s for reading in readings} == {2.0}


def test_a_status_is_not_lost_with_a_value_that_is_kept_back() -> None:
    """An overload that was said with a value of which no reading came is said with the next."""
    rate = SmoothedRate("gamma", time_constant_s=2.0, dead_time_s=0.0)
    assert rate.take(0.0, 100.0, CountStatus.OVERLOAD) is None
    reading = rate.take(1.0, 100.0, CountStatus.OK)
    assert reading is not None
    assert reading.status is CountStatus.OVERLOAD


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [
        (CountStatus.RESYNCED, CountStatus.OVERLOAD, CountStatus.OVERLOAD),
        (CountStatus.OVERLOAD, CountStatus.RESYNCED, CountStatus.OVERLOAD),
        (CountStatus.RESYNCED, CountStatus.SATURATED, CountStatus.SATURATED),
        (CountStatus.SATURATED, CountStatus.OVERLOAD, CountStatus.OVERLOAD),
        (CountStatus.OK, CountStatus.RESYNCED, CountStatus.RESYNCED),
    ],
)
def test_of_several_values_the_worst_status_is_told(
    first: CountStatus, second: CountStatus, worst: CountStatus
) -> None:
    """Too few counts weigh more than a gap before them, whichever was said first; it is told once."""
    rate = SmoothedRate("gamma", time_constant_s=2.0, dead_time_s=0.0)
    assert rate.take(0.0, 100.0, first) is None
    reading = rate.take(1.0, 100.0, second)
    assert reading is not None
    assert reading.status is worst
    after = rate.take(2.0, 100.0, CountStatus.OK)
    assert after is not None
    assert after.status is CountStatus.OK

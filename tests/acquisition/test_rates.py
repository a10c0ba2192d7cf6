"""A rate with its error: exact for few counts, corrected for dead time, honest where it cannot be."""

from math import inf, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.rates import measure_rate
from devices.readings import CountReading, CountStatus


def reading(
    counts: int,
    *,
    at_s: float = 0.0,
    live_s: float = 1.0,
    dead_time_s: float = 0.0,
    status: CountStatus = CountStatus.OK,
) -> CountReading:
    return CountReading(
        device="gamma",
        taken_at_s=at_s,
        real_time_s=1.0,
        live_time_s=live_s,
        counts=counts,
        dead_time_s=dead_time_s,
        status=status,
    )


def test_no_reading_is_no_rate() -> None:
    """Nothing came in: not zero."""
    assert measure_rate([]) is None


def test_counts_and_times_add_up() -> None:
    """Three seconds of counting are one rate over three seconds, which ends with the newest."""
    found = measure_rate([reading(9), reading(10, at_s=1.0), reading(17, at_s=2.0)])
    assert found is not None
    assert (found.counts, found.integration_s, found.rate_cps, found.end_s) == (36, 3.0, 12.0, 3.0)


def test_the_interval_is_the_exact_one_of_few_counts() -> None:
    """Gehrels (ApJ 303, 1986, tables 1 and 2) at one sigma: 0 counts 0 to 1.841, 3 counts 1.367 to 5.918."""
    for counts, low_cps, high_cps in ((0, 0.0, 1.841), (3, 1.367, 5.918)):
        found = measure_rate([reading(counts)])
        assert found is not None
        assert found.low_cps == pytest.approx(low_cps, abs=0.002)
        assert found.high_cps == pytest.approx(high_cps, abs=0.002)


def test_dead_time_is_corrected_once() -> None:
    """Knoll 4.VII: 10,000 cps counted with 10 us hide a tenth, 11,111 cps were true."""
    found = measure_rate([reading(10_000, dead_time_s=10e-6)])
    assert found is not None
    assert found.rate_cps == pytest.approx(10_000 / 0.9)
    assert found.dead_fraction == pytest.approx(0.1)


def test_dead_time_that_the_instrument_measured_is_told_too() -> None:
    """A live time of 0.6 s in a second is 40 % hidden; the rate is corrected by it and by nothing else."""
    found = measure_rate([reading(600, live_s=0.6), reading(600, at_s=1.0, live_s=0.6)])
    assert found is not None
    assert found.rate_cps == pytest.approx(1000.0)
    assert found.dead_fraction == pytest.approx(0.4)


def test_a_saturated_instrument_has_no_upper_limit() -> None:
    """At 1 / dead time any true rate could have given the counts."""
    found = measure_rate([reading(100_000, dead_time_s=10e-6)])
    assert found is not None
    assert (found.rate_cps, found.high_cps, found.dead_fraction) == (inf, inf, 1.0)


def test_only_the_upper_limit_may_be_out_of_reach() -> None:
    """Just below saturation the rate is known, its upper end is not."""
    found = measure_rate([reading(99_900, dead_time_s=10e-6)])
    assert found is not None
    assert isfinite(found.rate_cps)
    assert found.high_cps == inf


def test_the_worst_status_is_told() -> None:
    """One overloaded second among good ones is an overload."""
    good, bad = reading(1), reading(1, at_s=1.0, status=CountStatus.OVERLOAD)
    torn = reading(1, at_s=2.0, status=CountStatus.RESYNCED)
    found = measure_rate([good, bad, torn])
    assert found is not None
    assert found.status is CountStatus.OVERLOAD


@given(counts=st.lists(st.integers(0, 200_000), min_size=1, max_size=20), dead_time_s=st.sampled_from([0.0, 5e-6]))
def test_the_rate_lies_in_its_interval(counts: list[int], dead_time_s: float) -> None:
    """Whatever was counted: low <= rate <= high, and the hidden share is a share."""
    found = measure_rate(
        [reading(each, at_s=float(at), dead_time_s=dead_time_s) for at, each in enumerate(counts)]
    )
    assert found is not None
    assert found.low_cps <= found.rate_cps <= found.high_cps
    assert 0.0 <= found.dead_fraction <= 1.0

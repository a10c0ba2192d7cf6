"""Counts on the bench: long enough, of trusted readings, compared with the hottest."""

import pytest

from acquisition.resection.specimen import COUNTED_S, BenchCount, Specimen, compared
from devices.readings import CountReading, CountStatus
from navigation.errors import NavigationError
from navigation.statistics.count_ratio import Count
from navigation.statistics.limits import Verdict

HALF_LIFE_S = 21_654.0


def reading(at_s: float, counts: int = 10, *, status: CountStatus = CountStatus.OK) -> CountReading:
    return CountReading(
        device="gamma",
        taken_at_s=at_s,
        real_time_s=0.5,
        live_time_s=0.5,
        counts=counts,
        dead_time_s=5e-6,
        status=status,
    )


def specimen(number: int, counts: float, *, at_s: float = 0.0, live_time_s: float = 10.0) -> Specimen:
    count = Count(counts=counts, live_time_s=live_time_s, taken_at_s=at_s)
    return Specimen(number=number, of=None, count=count, dead_time_s=0.0)


def test_a_specimen_is_counted_for_ten_seconds() -> None:
    """From the first reading that lies wholly after the beginning; what comes after the end changes nothing.

    Its time is the middle of what was counted, however long the probe was silent before.
    """
    counting = BenchCount("specimen", of="node", began_s=100.2)
    for number in range(40):
        counting.take(reading(100.0 + 0.5 * number))
        assert counting.is_over == (counting.live_time_s >= COUNTED_S)
    count = counting.result()
    assert (count.counts, count.live_time_s) == (200, COUNTED_S)
    assert count.taken_at_s == pytest.approx(105.5)
    assert counting.dead_time_s == 5e-6


def test_a_count_that_was_stopped_at_once_is_none() -> None:
    """Under a second: a sentence that says how long is right."""
    counting = BenchCount("specimen", of=None, began_s=0.0)
    counting.take(reading(0.0))
    with pytest.raises(NavigationError, match=r"only 0\.5 s were counted"):
        counting.result()


@pytest.mark.parametrize("status", [CountStatus.OVERLOAD, CountStatus.SATURATED])
def test_a_specimen_that_overloads_the_probe_is_no_count(status: CountStatus) -> None:
    """The instrument counted too few: it would look colder than it is."""
    counting = BenchCount("specimen", of=None, began_s=0.0)
    for number in range(8):
        counting.take(reading(0.5 * number, 10_000))
    counting.take(reading(4.0, 10_000, status=status))
    assert counting.is_over
    with pytest.raises(NavigationError, match="farther away"):
        counting.result()


def test_each_is_compared_with_the_hottest() -> None:
    """A tenth of 10,000 counts: 2,000 lie above it, 200 below, 1,000 cannot be told."""
    counts = (2000, 10_000, 200, 1000)
    specimens = [specimen(number, each) for number, each in enumerate(counts, start=1)]
    found = compared(specimens, None, half_life_s=HALF_LIFE_S)
    assert {number for number, each in found.items() if each.is_hottest} == {2}
    verdicts = {number: each.share.verdict for number, each in found.items() if each.share}
    assert verdicts == {1: Verdict.ABOVE, 3: Verdict.BELOW, 4: Verdict.UNDECIDED}
    share = found[1].share
    assert share is not None
    assert share.ratio.best == pytest.approx(0.2)
    assert share.ratio.lower < 0.2 < share.ratio.upper
    assert compared([], None, half_life_s=HALF_LIFE_S) == {}


def test_the_background_is_taken_off_both() -> None:
    """Of 1,100 and 200 counts 100 are the bench's: a tenth of a net thousand is left, not 18 %."""
    background = specimen(0, 100)
    found = compared([specimen(1, 1100), specimen(2, 200)], background, half_life_s=HALF_LIFE_S)
    share = found[2].share
    assert share is not None
    assert share.ratio.best == pytest.approx(0.1)


def test_the_hottest_is_so_at_one_time() -> None:
    """Counted a half-life later, 600 are more than 1,000 were."""
    found = compared([specimen(1, 1000), specimen(2, 600, at_s=HALF_LIFE_S)], None, half_life_s=HALF_LIFE_S)
    assert found[2].is_hottest
    share = found[1].share
    assert share is not None
    assert share.ratio.best == pytest.approx(1000 / 1200)


def test_what_cannot_be_compared_says_why() -> None:
    """More counts than the dead time allows: a sentence, never a share."""
    odd = Specimen(number=1, of=None, count=Count(counts=1000, live_time_s=10.0), dead_time_s=0.02)
    found = compared([odd, specimen(2, 5000)], None, half_life_s=HALF_LIFE_S)
    assert found[1].share is None
    assert "dead time" in found[1].reason

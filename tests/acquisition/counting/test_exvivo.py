"""Specimens beside the hottest of them."""

from datetime import UTC, datetime, timedelta
from math import exp, log

import pytest

from acquisition.counting.exvivo import HOTTEST, NOT_COMPARED, Listed, compare
from acquisition.quality.counts import Count
from navigation.resection.specimens import TenPercentRule
from navigation.statistics.limits import Verdict

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TC99M_S = 6.015 * 3600
BACKGROUND = Count(counts=50, live_time_s=10.0, real_time_s=10.0, dead_time_s=0.0, started_at=NOON)


def specimen(counts: int, *, after_s: float = 0.0, dead_time_s: float = 0.0, is_overloaded: bool = False) -> Count:
    """A count of ten seconds."""
    return Count(
        counts=counts,
        live_time_s=10.0,
        real_time_s=10.0,
        dead_time_s=dead_time_s,
        started_at=NOON + timedelta(seconds=after_s),
        is_overloaded=is_overloaded,
    )


def shares(*counts: Count, half_life_s: float = TC99M_S) -> dict[str, str]:
    """What is said of each, by number."""
    named = [(str(number), count) for number, count in enumerate(counts, start=1)]
    found = compare(named, BACKGROUND, half_life_s=half_life_s, rule=TenPercentRule())
    return {each.name: each.said for each in found}


def test_the_rule_is_decided_where_counts_decide_it() -> None:
    """Of 10,050 counts over 50: 3,000 are hot, 300 are not, and 1,050 are just a tenth: not decided."""
    assert shares(specimen(300), specimen(10_050), specimen(3000), specimen(1050)) == {
        "1": "less than 10% of the hottest",
        "2": HOTTEST,
        "3": "more than 10% of the hottest: remove it",
        "4": "not decided: counting on will not decide it",
    }


def test_an_undecided_one_says_how_long_to_count_on() -> None:
    """A little more than a tenth in few counts is decided by counting on."""
    said = shares(specimen(10_050), specimen(1090))["2"]
    assert said.startswith("not decided: count ")
    assert said.endswith(" s more")


def test_share_and_limits_are_told() -> None:
    """The ratio of net rates with its limits at 95 % each, as numbers and in words."""
    named = [("a", specimen(10_050)), ("b", specimen(2050))]
    found = compare(named, BACKGROUND, half_life_s=TC99M_S, rule=TenPercentRule())
    told = found[1].to_dict()
    assert told["share"] == pytest.approx(0.2)
    assert told["share_least"] < 0.2 < told["share_most"]
    assert (told["verdict"], told["confidence"]) == (Verdict.ABOVE.value, 0.95)
    assert found[1].of_hottest == "20.0% (19.2% to 20.8%)"
    assert found[0].to_dict()["share"] is None


def test_decay_between_the_counts_is_taken_off() -> None:
    """A half-life later half the net counts are the same share: the later one of 5,050 is the hottest's equal."""
    found = compare(
        [("a", specimen(10_050)), ("b", specimen(4050, after_s=100.0))],
        BACKGROUND,
        half_life_s=100.0,
        rule=TenPercentRule(),
    )
    assert found[1].share is not None
    assert found[1].share.ratio.best == pytest.approx(0.4 * exp(log(2)))
    assert shares(specimen(10_050), specimen(5400, after_s=100.0), half_life_s=100.0)["2"] == HOTTEST


def test_dead_time_is_taken_off() -> None:
    """10,000 cps with 10 us are 11,111, 1,000 cps are 1,010: not 10.0 but 9.1 %."""
    found = compare(
        [("a", specimen(100_000, dead_time_s=10e-6)), ("b", specimen(10_000, dead_time_s=10e-6))],
        Count(counts=0, live_time_s=10.0, real_time_s=10.0, dead_time_s=0.0, started_at=NOON),
        half_life_s=TC99M_S,
        rule=TenPercentRule(),
    )
    assert found[1].share is not None
    assert found[1].share.ratio.best == pytest.approx(0.9 / 0.99 * 0.1, rel=1e-3)


def test_one_that_overloads_the_instrument_may_be_the_hottest() -> None:
    """Then none is compared: a share of what is not the hottest would leave a hot node in."""
    said = shares(specimen(10_050), specimen(500, is_overloaded=True), specimen(2000))
    assert said["1"] == said["3"] == NOT_COMPARED
    assert "counts too few" in said["2"]


def test_there_may_be_none_or_one() -> None:
    """No specimen compares with nothing; one is the hottest."""
    assert shares() == {}
    assert shares(specimen(10)) == {"1": HOTTEST}


async def test_listed_specimens_come_in_their_order() -> None:
    """One after the other, and then no more."""
    listed = Listed(["a", "b"])
    assert [await listed.next(number) for number in (1, 2, 3)] == ["a", "b", None]

"""What was taken out and counted, as a display shows it: limits with their confidence, never a bare number."""

import asyncio

import pytest

from acquisition.resection.bed import Look
from display.states.resection import show_resection
from tests.acquisition.resection.test_resection import Table, running
from tests.acquisition.resection.test_specimen import specimen


async def test_a_bed_is_shown_with_what_can_be_left() -> None:
    """Before a look there is none; after it the decision, both limits and how sure they are."""
    table = Table()
    await table.resection.remove("node")
    (removed,) = show_resection(table.resection).removed
    assert (removed.number, removed.name, removed.bed) == (1, "node", None)
    async with running(table):
        table.resection.count_bed(1)
        table.count_bed(30, 0.0)
        counting = show_resection(table.resection).counting
        assert counting is not None
        assert (counting.what, counting.number) == ("bed", 1)
        assert counting.live_time_s == pytest.approx(30.0)
        await table.until(lambda: table.resection.counting is None)
    (removed,) = show_resection(table.resection).removed
    assert removed.bed is not None
    assert removed.bed.decision == "removed"
    assert removed.bed.left_share is not None
    assert removed.bed.left_share.upper is not None
    assert removed.bed.left_share.upper < 0.1
    assert removed.bed.left_share.confidence == 0.99
    assert removed.bed.left_mbq is not None


async def test_a_look_that_told_nothing_shows_why_and_no_number() -> None:
    """Null limits, the reason, and to count on."""
    table = Table()
    await table.resection.remove("node")
    table.resection.looks[1] = Look(counts=3.0, live_time_s=2.0, bed=None, reason="no reading")
    (removed,) = show_resection(table.resection).removed
    assert removed.bed is not None
    assert removed.bed.decision == "count on"
    assert (removed.bed.left_share, removed.bed.left_mbq, removed.bed.needed_s) == (None, None, None)
    assert removed.bed.reason == "no reading"


async def test_specimens_are_shown_with_errors_and_their_rule() -> None:
    """The rate's 68 % interval; the hottest by its name, the others with their share; none before."""
    table = Table()
    table.resection.specimens = (specimen(1, 10_000), specimen(2, 200))
    first, _ = show_resection(table.resection).specimens
    assert (first.rule, first.share) == (None, None)
    table.resection._compare()
    async with running(table):
        await table.until(lambda: table.resection.comparisons)
        await asyncio.sleep(0)
    first, second = show_resection(table.resection).specimens
    assert (first.rule, second.rule) == ("hottest", "cold")
    assert first.rate_cps == pytest.approx(1000.0)
    assert first.low_cps == pytest.approx(990.0, rel=1e-3)
    assert first.high_cps == pytest.approx(1010.0, rel=1e-3)
    assert second.share is not None
    assert second.share.best == pytest.approx(0.02)
    assert show_resection(table.resection).background_cps is None

"""Counting at a bench: the shipped driver over a real pty, a bench that runs fast, and what the logbook keeps."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from acquisition.calibration import load_calibration
from acquisition.counting.exvivo import HOTTEST, ExVivo, Listed, run_exvivo
from acquisition.counting.seeking import Sought
from acquisition.counting.timed import run_background, run_count
from acquisition.logbook.records import Kind
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.placements import Exposure, PlacedSource, Placement, Source
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.technologist import Choice, Decision, Unattended
from devices.errors import DeviceUnavailable
from devices.probes.amptek import Settings as AmptekSettings
from navigation.errors import NavigationError
from tests.system.counting_room import (
    AT_NODE,
    AT_NOTHING,
    SECONDS,
    SPECIMENS,
    CountingRoom,
    Interrupting,
    counting_room,
    placed,
)

SHIPPED = Path(__file__).parents[2] / "config" / "instruments" / "simulated-gamma.json"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[CountingRoom]:
    """Set up a bench."""
    async with counting_room(tmp_path) as opened:
        yield opened


async def test_a_count_stands_over_the_background_of_the_day(room: CountingRoom) -> None:
    """Before there is one it says so; afterwards a node of 1 MBq stands 2,000 cps over it."""
    async with asyncio.timeout(SECONDS):
        exposure = Exposure(placement=AT_NODE, longest_s=10.0)
        alone = await run_count(room.counting, exposure, label="node")
        assert "acquire background" in alone.said
        background = await run_background(room.counting, BackgroundLimits(count_s=60.0))
        assert background.passed
        found = await run_count(room.counting, exposure, label="node")
        shipped = load_calibration(SHIPPED, is_simulated=True)
        its = replace(room.counting, calibration=shipped)
        after = await run_background(its, BackgroundLimits(count_s=60.0))
        provenance = msgspec.structs.replace(shipped.provenance, identity="another")
        another = msgspec.structs.replace(shipped, provenance=provenance)
        of_another = await run_count(replace(room.counting, calibration=another), exposure, label="node")
        empty = await run_count(room.counting, Exposure(placement=AT_NOTHING, longest_s=20.0), label="nothing")
    net = {each.name: each.value for each in found.figures}["net rate"]
    assert net == pytest.approx(2000, rel=0.05)
    # 5 cps over 10 s: some 40 counts of L_D, exactly, of 1,987 cps/MBq
    (least,) = (each for each in after.figures if each.unit == "MBq")
    assert least.name == "detects at 30 mm in 10 s"
    assert least.value == pytest.approx(0.0020, rel=0.2)
    assert least.name in json.dumps(after.to_dict())
    assert not any(each.unit == "MBq" for each in (*found.figures, *of_another.figures))
    assert empty.passed
    assert room.records() == [
        (Kind.COUNT, None),
        (Kind.BACKGROUND, True),
        (Kind.COUNT, None),
        (Kind.BACKGROUND, True),
        (Kind.COUNT, None),
        (Kind.COUNT, None),
    ]
    assert json.loads(json.dumps(found.to_dict()))["count"]["counts"] > 10_000
    assert "SIMULATED" in room.shown.getvalue()


async def test_a_count_ends_at_its_relative_error(room: CountingRoom) -> None:
    """Two per cent want 2,500 counts, which a node of 1 MBq gives in little more than a second."""
    async with asyncio.timeout(SECONDS):
        exposure = Exposure(placement=AT_NODE, longest_s=600.0, counts_wanted=2500)
        found = await run_count(room.counting, exposure, label="node")
    assert found.count is not None
    assert found.count.counts >= 2500
    assert found.count.live_time_s < 60.0


async def test_a_count_ends_when_it_is_decided_whether_a_source_is_there(room: CountingRoom) -> None:
    """Four times the background is told from it in seconds; without a background of the day nothing is counted."""
    # wrong once in a million times, and longer than 10 s more rarely still
    sought = Sought(factor=4.0, error=1e-6)
    async with asyncio.timeout(SECONDS):
        empty = Exposure(placement=AT_NOTHING, longest_s=10.0)
        with pytest.raises(NavigationError, match="acquire background first"):
            await run_count(room.counting, empty, label="bed", sought=sought)
        await run_background(room.counting, BackgroundLimits(count_s=120.0))
        there = Exposure(placement=AT_NODE, longest_s=10.0)
        found = await run_count(room.counting, there, label="node", sought=sought)
        none = await run_count(room.counting, empty, label="bed", sought=sought)
    assert found.to_dict()["decision"] == "signal"
    assert "a source is there (decided after" in found.said
    assert "no source that makes it 4 times the background" in none.said
    assert none.count is not None
    assert found.count is not None
    assert max(found.count.live_time_s, none.count.live_time_s) < 10.0, "it may take 11 s, and is decided before"
    assert json.loads(json.dumps(none.to_dict()))["decision"] == "background"
    assert room.records() == [(Kind.BACKGROUND, True), (Kind.COUNT, None), (Kind.COUNT, None)]


async def test_a_contaminated_bench_fails_its_background(room: CountingRoom) -> None:
    """A source that was left there is no background."""

    class Forgetful(Unattended):
        async def place(self, placement: Placement) -> None:
            forgotten = PlacedSource(source=Source.POINT, position_mm=(0.0, 0.0, 60.0))
            await super().place(replace(placement, sources=(forgotten,)))

    room.technologist = Forgetful(room.bench_room.bench)
    async with asyncio.timeout(SECONDS):
        outcome = await run_background(room.counting, BackgroundLimits(count_s=10.0))
    assert not outcome.passed
    assert "contaminated" in outcome.said
    assert room.records() == [(Kind.BACKGROUND, False)]


async def test_specimens_are_compared_with_the_hottest(room: CountingRoom) -> None:
    """Of 4 MBq, 1 MBq and hardly anything: a quarter is hot, two per cent are not."""
    async with asyncio.timeout(SECONDS):
        outcome = await run_exvivo(room.counting, ExVivo(specimens=Listed(list(SPECIMENS)), placed=placed))
    assert outcome.passed
    first, second, third = outcome.counted
    assert first.said == HOTTEST
    assert "remove it" in second.said
    assert second.share is not None
    assert second.share.ratio.best == pytest.approx(0.25, rel=0.1)
    assert third.said == "less than 10% of the hottest"
    assert room.records() == [(Kind.EX_VIVO, None)]
    for words in ("first", "the hottest", "Record 1 in the logbook, signed by A. Berg"):
        assert words in room.shown.getvalue()


async def test_what_was_counted_is_shown_where_the_logbook_refuses(room: CountingRoom, tmp_path: Path) -> None:
    """The specimens may be gone by then: the table stands, it is said to be not recorded, and nothing passed."""
    full = LogbookSettings().beside(tmp_path / "full")
    full.database.mkdir(parents=True)
    counting = room.on(logbook=full)
    async with asyncio.timeout(SECONDS):
        specimens = await run_exvivo(counting, ExVivo(specimens=Listed(["first", "second"]), placed=placed))
        background = await run_background(counting, BackgroundLimits(count_s=10.0))
    assert len(specimens.counted) == 2
    assert (specimens.passed, specimens.number) == (False, None)
    assert (background.passed, background.number) == (False, None)
    shown = room.shown.getvalue()
    assert shown.count("Not recorded, so that it did not pass") == 2
    assert shown.index("the hottest") < shown.index("Not recorded")


async def test_a_specimen_is_counted_again_or_left_out(room: CountingRoom) -> None:
    """Left out with its reason in the record, or counted again; without a background nothing is compared."""
    listed = ExVivo(specimens=Listed(list(SPECIMENS)), placed=placed, background_s=10.0)
    async with asyncio.timeout(SECONDS):
        left = Decision(choice=Choice.LEAVE_OUT, reason="fell down")
        room.technologist = Interrupting(room, "second", left)
        outcome = await run_exvivo(room.counting, listed)
        assert [each.name for each in outcome.counted] == ["first", "third"]
        assert outcome.left_out == ("second: fell down",)
        again = Interrupting(room, "second", Decision(choice=Choice.REPEAT, reason="moved"))
        room.technologist = again
        assert len((await run_exvivo(room.counting, listed)).counted) == 3
        assert again.placements == 5
        room.technologist = Interrupting(room, "empty bench", left)
        none = await run_exvivo(room.counting, listed)
    assert (none.passed, none.ending.aborted, none.background, none.counted) == (
        False,
        "left out: fell down",
        None,
        (),
    )
    assert room.records() == [(Kind.EX_VIVO, None), (Kind.EX_VIVO, None), (Kind.EX_VIVO, False)]
    assert room.told()["remarks"] == []
    assert room.told(1)["remarks"] == ["Lay second down: repeat: moved"]


async def test_a_probe_that_is_not_there_is_said(room: CountingRoom, tmp_path: Path) -> None:
    """Nothing is counted, and nothing recorded."""
    device = AmptekSettings(driver="amptek", port=str(tmp_path / "nothing"), window_channels=(100, 200))
    with pytest.raises(DeviceUnavailable, match="gamma"):
        await run_background(room.on(device=device), BackgroundLimits())
    assert room.records() == []

"""Counts that are broken off: what the logbook keeps of them, and what nobody takes for a count."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NoReturn

import pytest

from acquisition.counting.exvivo import ENDED_EARLY, ExVivo, Listed, run_exvivo
from acquisition.counting.timed import run_background, run_count
from acquisition.logbook.records import Kind
from acquisition.paper.page import write_page
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.report import lay_out_record
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.technologist import Choice, Decision, MorningAborted, Unattended
from tests.system.counting_room import (
    AT_NODE,
    SECONDS,
    SPECIMENS,
    CountingRoom,
    Interrupting,
    counting_room,
    placed,
)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[CountingRoom]:
    """Set up a bench."""
    async with counting_room(tmp_path) as opened:
        yield opened


class Ending(Unattended):
    """Does something while what an instruction names is counted, as soon as something was."""

    def __init__(self, room: CountingRoom, words: str, end: Callable[[], None]) -> None:
        super().__init__(room.bench_room.bench)
        self._words, self._end = words, end
        self._placed = ""
        self._counted = asyncio.Event()

    async def place(self, placement: Placement) -> None:
        """Note what stands."""
        self._placed = placement.instruction
        await super().place(placement)

    def counts(self, counts: int, live_time_s: float) -> bool:
        """Hear of each reading, and decide nothing: ``Exposure.is_decided``."""
        if counts and live_time_s:
            self._counted.set()
        return False

    async def watch(self) -> NoReturn:
        """End it once."""
        if self._words in self._placed:
            await self._counted.wait()
            self._end()
        await super().watch()


class Gone(Unattended):
    """Something happens when ``words`` are to be placed."""

    def __init__(self, room: CountingRoom, words: str, happens: Callable[[], None]) -> None:
        super().__init__(room.bench_room.bench)
        self._words, self._happens = words, happens

    async def place(self, placement: Placement) -> None:
        """Let it happen."""
        if self._words in placement.instruction:
            self._happens()
        await super().place(placement)


def press_ctrl_c() -> None:
    """Send what a terminal sends."""
    os.kill(os.getpid(), signal.SIGINT)


def end_it() -> NoReturn:
    """Do what the key does."""
    raise MorningAborted("ended by the technologist")


@pytest.mark.parametrize(
    ("end", "why"), [(press_ctrl_c, "interrupted by Ctrl-C"), (end_it, "ended by the technologist")]
)
async def test_a_count_that_is_broken_off_is_recorded_as_that(
    room: CountingRoom, end: Callable[[], None], why: str
) -> None:
    """By whom, when, why and what had been counted, which is nowhere a count; the report says it above all."""
    room.technologist = ending = Ending(room, "Place the node", end)
    exposure = Exposure(placement=AT_NODE, longest_s=1e6, is_decided=ending.counts)
    async with asyncio.timeout(SECONDS):
        outcome = await run_count(room.counting, exposure, label="node")
    assert (outcome.passed, outcome.count, outcome.figures) == (False, None, ())
    assert room.records() == [(Kind.COUNT, False)]
    told = room.told()
    assert (told["aborted"], told["count"], told["passed"]) == (why, None, False)
    assert told["unfinished"]["instruction"] == "Place the node"
    assert told["unfinished"]["counts"] > 0
    assert told["unfinished"]["live_time_s"] > 0
    said = f"broken off: {why}; {told['unfinished']['counts']} counts"
    assert said in room.shown.getvalue()
    assert "Record 1 in the logbook, signed by A. Berg" in room.shown.getvalue()
    sheet = lay_out_record(room.kept(), trends=(), faults=(), place="OR 3")
    assert sheet.unfinished == f"Ended early: {why}"
    assert told["unfinished"]["said"] in write_page(sheet)


async def test_a_background_that_is_broken_off_is_none(room: CountingRoom) -> None:
    """The next count knows of no background of the day."""
    room.technologist = Gone(room, "", end_it)
    async with asyncio.timeout(SECONDS):
        background = await run_background(room.counting, BackgroundLimits(count_s=10.0))
        room.technologist = Unattended(room.bench_room.bench)
        after = await run_count(room.counting, Exposure(placement=AT_NODE, longest_s=1.0), label="node")
    assert (background.passed, background.count, background.result) == (False, None, None)
    assert "acquire background" in after.said
    assert room.records() == [(Kind.BACKGROUND, False), (Kind.COUNT, None)]


async def test_specimens_are_not_compared_where_it_ended_early(room: CountingRoom) -> None:
    """What was counted stands in the record, net of the bench; the hottest may be the one that was not."""
    room.technologist = Gone(room, "third", end_it)
    async with asyncio.timeout(SECONDS):
        outcome = await run_exvivo(room.counting, ExVivo(specimens=Listed(list(SPECIMENS)), placed=placed))
    assert not outcome.passed
    assert [(each.name, each.share, each.said) for each in outcome.counted] == [
        ("first", None, ENDED_EARLY),
        ("second", None, ENDED_EARLY),
    ]
    assert room.records() == [(Kind.EX_VIVO, False)]
    told = room.told()
    assert (told["aborted"], told["unfinished"]) == ("ended by the technologist", None)
    assert told["specimens"][0]["net_cps"] > 1000
    assert told["background"]["counts"] > 0


class Late(Interrupting):
    """Interrupts it after some readings, which come each 0.1 s."""

    async def watch(self) -> NoReturn:
        """Let it count before."""
        await asyncio.sleep(0.5)
        await super().watch()


class FirstTwo:
    """Names two specimens, and ends it where a third is asked for."""

    async def next(self, number: int) -> str | None:
        """Give the name of the next one."""
        return ("first", "second")[number - 1] if number < 3 else end_it()


async def test_a_specimen_that_was_left_out_is_not_the_count_under_way_at_the_end(room: CountingRoom) -> None:
    """It is told as left out; at the prompt for the next one's name nothing was being counted."""
    left_out = Decision(choice=Choice.LEAVE_OUT, reason="fell down")
    room.technologist = Late(room, "second", left_out)
    async with asyncio.timeout(SECONDS):
        outcome = await run_exvivo(
            room.counting, ExVivo(specimens=FirstTwo(), placed=placed, count_s=300.0, background_s=1.0)
        )
    assert outcome.left_out == ("second: fell down",)
    assert (outcome.ending.aborted, outcome.ending.unfinished) == ("ended by the technologist", None)


async def test_a_probe_that_fails_while_specimens_are_counted_costs_none_of_them(room: CountingRoom) -> None:
    """Its plug is pulled before the second: the first is recorded, with what the probe's failure was."""
    room.technologist = Gone(room, "second", room.bench_room.pull)
    async with asyncio.timeout(SECONDS):
        outcome = await run_exvivo(room.counting, ExVivo(specimens=Listed(list(SPECIMENS)), placed=placed))
    assert not outcome.passed
    assert [each.name for each in outcome.counted] == ["first"]
    assert "gamma" in outcome.ending.aborted
    assert room.records() == [(Kind.EX_VIVO, False)]

"""What a calibration before the display came to is told however it ended, on behalf of the person who ended it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice
from acquisition.session.journal import acting, acting_as
from acquisition.tracking.desk import DISCARDED, Desk, Phase, Standing
from acquisition.tracking.following import Screen
from acquisition.tracking.operator import Operator
from devices.errors import DeviceError

GOOD = StepResult(name="pivot", passed=True, figures=(), limit="", reason="very good")
PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What it came to."""

    passed: bool = True
    results: tuple[StepResult, ...] = (GOOD,)
    aborted: str = ""


async def pivoted(operator: Operator, screen: Screen) -> Outcome:
    """Pass at once, and ask whether that is to be used."""
    screen.close()
    await operator.accept((GOOD,))
    return Outcome()


async def unplugged(_operator: Operator, _screen: Screen) -> Outcome:
    """Lose the camera."""
    raise DeviceError("camera", "the link is gone")


@dataclass
class Record:
    """Who ended what, and how."""

    told: list[tuple[str, Standing]] = field(default_factory=list)

    def enter(self, ended: Standing) -> None:
        """Add it."""
        self.told.append((acting.get(), ended))


async def stands(desk: Desk, phase: Phase) -> Standing:
    """Wait until it stands so."""
    async with asyncio.timeout(PATIENCE_S):
        while desk.standing.phase is not phase:
            await desk.changed(desk.standing.seq, longest_s=PATIENCE_S)
    return desk.standing


@asynccontextmanager
async def manned() -> AsyncIterator[tuple[Desk, Record]]:
    """Run a desk until the end of the block."""
    desk = Desk()
    running = asyncio.create_task(desk.run(), name="calibrations")
    try:
        yield desk, Record()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.mark.parametrize(
    ("is_used", "person", "reason"), [(True, "an engineer", "written"), (False, "a surgeon", DISCARDED)]
)
async def test_what_passed_is_told_whether_it_is_used_or_discarded(
    *, is_used: bool, person: str, reason: str
) -> None:
    """With its results, by whoever began what is used, and by whoever discarded what is not."""
    async with manned() as (desk, record):
        with acting_as("an engineer"):
            assert desk.begin("tool", pivoted, told="written", on_ended=record.enter) is None
        asked = await stands(desk, Phase.ACCEPTING)
        with acting_as("a surgeon"):
            said = desk.answer("tool", Choice.CONTINUE, seq=asked.seq) if is_used else desk.end("tool")
            assert said is None
        await stands(desk, Phase.ENDED)
        ((by, ended),) = record.told
        assert (by, ended.step, ended.passed, ended.reason) == (person, "tool", is_used, reason)
        assert ended.results == (GOOD,)


async def test_one_that_a_device_ended_is_told() -> None:
    """With why."""
    async with manned() as (desk, record):
        with acting_as("an engineer"):
            desk.begin("tool", unplugged, on_ended=record.enter)
        await stands(desk, Phase.ENDED)
        ((by, ended),) = record.told
        assert (by, ended.passed, ended.reason) == ("an engineer", False, "camera: the link is gone")


async def test_what_is_said_of_another_calibration_changes_nothing() -> None:
    """Who saw another step than the one under way neither ends it, goes on with it, nor begins beside it."""
    async with manned() as (desk, record):
        desk.begin("tool", pivoted, on_ended=record.enter)
        asked = await stands(desk, Phase.ACCEPTING)
        assert desk.end("register") == "register is not under way"
        assert desk.answer("register", Choice.CONTINUE, seq=asked.seq) == "register waits for nobody now"
        assert desk.begin("register", pivoted) == "tool is under way: end it first"
        assert desk.standing == asked
        assert desk.answer("tool", Choice.CONTINUE, seq=asked.seq) is None
        await stands(desk, Phase.ENDED)
        assert [(ended.step, ended.passed) for _, ended in record.told] == [("tool", True)]

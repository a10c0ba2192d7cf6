"""The questions a technologist is asked, over a real terminal."""

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from rich.console import Console

from acquisition.quality.placements import Placement
from acquisition.quality.results import failure
from acquisition.quality.settings import PointSource
from acquisition.quality.technologist import Choice, Decision, MorningAborted, StepInterrupted
from acquisition.quality.terminal import Keyboard, Terminal

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLACEMENT = Placement(instruction="Place the [Co-57] source on the axis, 10 mm from the tip")
SECONDS = 5.0


class Desk:
    """A terminal with a person's end and ours."""

    def __init__(self) -> None:
        self.person, self.ours = os.openpty()
        self.shown = io.StringIO()
        console = Console(file=self.shown, width=200)
        self.terminal = Terminal(console, Keyboard(self.ours), now=lambda: NOON)

    def type(self, text: str) -> None:
        """Type on the person's end."""
        os.write(self.person, text.encode())


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Open a desk and close it."""
    found = Desk()
    yield found
    os.close(found.ours)
    os.close(found.person)


async def test_enter_says_that_it_stands(desk: Desk) -> None:
    """The instruction is shown as it is, and Enter answers it."""
    async with asyncio.timeout(SECONDS):
        placing = asyncio.create_task(desk.terminal.place(PLACEMENT))
        await asyncio.sleep(0)
        assert not placing.done()
        desk.type("\n")
        await placing
    assert "Place the [Co-57] source on the axis, 10 mm from the tip, then press Enter" in desk.shown.getvalue()


async def test_the_morning_can_be_ended_anywhere(desk: Desk) -> None:
    """An ``a`` ends it at each question."""
    desk.type("a\nA\na\n")
    async with asyncio.timeout(SECONDS):
        with pytest.raises(MorningAborted):
            await desk.terminal.place(PLACEMENT)
        with pytest.raises(MorningAborted):
            await desk.terminal.assay(PointSource())
        with pytest.raises(MorningAborted):
            await desk.terminal.judge(failure("background", "", ""))


async def test_the_assay_is_asked_until_it_makes_sense(desk: Desk) -> None:
    """No number, too much, a time that is none, a time to come: each is asked again; a comma is a point."""
    morning = NOON.astimezone().replace(hour=0, minute=1)
    evening = NOON.astimezone().replace(hour=23, minute=59)
    desk.type(f"many\n50\n1,25\nnoon\n{evening:%H:%M}\n{morning:%H:%M}\n")
    async with asyncio.timeout(SECONDS):
        assay = await desk.terminal.assay(PointSource(greatest_mbq=10.0))
    assert (assay.activity_mbq, assay.measured_at) == (1.25, morning)
    shown = desk.shown.getvalue()
    for words in ("'many' is no number", "Wanted is 0.1 to 10 MBq", "'noon' is no time", "still to come"):
        assert words in shown


async def test_enter_takes_the_present_for_the_assay(desk: Desk) -> None:
    """An empty answer means just now."""
    desk.type("1.0\n\n")
    async with asyncio.timeout(SECONDS):
        assert (await desk.terminal.assay(PointSource())).measured_at == NOON


@pytest.mark.parametrize(
    ("typed", "choice", "reason"),
    [
        ("\n", Choice.CONTINUE, ""),
        ("known\n", Choice.CONTINUE, "known"),
        ("r loose cable\n", Choice.REPEAT, "loose cable"),
        ("R\n\nloose cable\n", Choice.REPEAT, "loose cable"),
    ],
)
async def test_a_failed_step_may_be_repeated(desk: Desk, typed: str, choice: Choice, reason: str) -> None:
    """Enter goes on, ``r`` repeats and wants a reason, after it or asked for until there is one."""
    desk.type(typed)
    async with asyncio.timeout(SECONDS):
        decision = await desk.terminal.judge(failure("background", "", ""))
    assert decision == Decision(choice=choice, reason=reason)


@pytest.mark.parametrize(
    ("typed", "choice", "said"),
    [("s no source\n", Choice.LEAVE_OUT, "no source"), ("r\n  \nno source\n", Choice.REPEAT, "")],
)
async def test_a_step_may_be_repeated_or_left_out_before_and_while_it_counts(
    desk: Desk, typed: str, choice: Choice, said: str
) -> None:
    """``r`` and ``s`` interrupt at once; a reason that was not typed with them is asked for until there is one."""
    for before, waiting in (("", desk.terminal.place(PLACEMENT)), ("\n", desk.terminal.watch())):
        desk.type(before + typed)
        async with asyncio.timeout(SECONDS):
            with pytest.raises(StepInterrupted) as caught:
                await waiting
            assert caught.value.decision == Decision(choice=choice, reason=said)
            explained = await desk.terminal.explain(caught.value.decision)
        assert explained == Decision(choice=choice, reason="no source")


async def test_another_word_does_not_say_that_it_stands(desk: Desk) -> None:
    """Where a source is asked for, what is neither Enter nor a key begins no count: that is said, and asked."""
    desk.type("skip it\n\n")
    async with asyncio.timeout(SECONDS):
        await desk.terminal.place(PLACEMENT)
    shown = desk.shown.getvalue()
    assert "'skip it' is none of these keys" in shown
    assert shown.count("then press Enter") == 2


async def test_a_count_that_runs_can_be_ended(desk: Desk) -> None:
    """An ``a`` while a count runs ends the morning; Enter and other words do nothing."""
    desk.type("\nwhat\na\n")
    async with asyncio.timeout(SECONDS):
        with pytest.raises(MorningAborted):
            await desk.terminal.watch()


async def test_who_signs_is_asked_until_there_is_a_name(desk: Desk) -> None:
    """An empty answer signs nothing."""
    desk.type("\n  \nA. Berg\n")
    async with asyncio.timeout(SECONDS):
        assert await desk.terminal.person() == "A. Berg"


async def test_a_name_that_cannot_be_read_back_is_asked_for_again(desk: Desk) -> None:
    """Arrow keys, dots and a pasted page sign nothing: it is said why, and asked again."""
    desk.type("\x1b[A\n...\n" + 101 * "n" + "\n A.\t Berg \n\x07\nnode  1\n\n")
    async with asyncio.timeout(SECONDS):
        assert await desk.terminal.person() == "A. Berg"
        assert await desk.terminal.next(1) == "node 1"
        assert await desk.terminal.next(2) is None
    for why in ("which cannot be read", "no letter and no digit", "a name of 101 characters: wants at most 100"):
        assert why in desk.shown.getvalue()


async def test_a_closed_input_ends_the_morning() -> None:
    """A pipe that ends, or a file in place of a terminal, aborts with the reason."""
    ours, theirs = os.pipe()
    os.close(theirs)
    try:
        with pytest.raises(MorningAborted, match="closed"):
            await Keyboard(ours).line()
    finally:
        os.close(ours)
    with tempfile.TemporaryFile() as file, pytest.raises(MorningAborted, match="in a terminal"):
        await Keyboard(file.fileno()).line()

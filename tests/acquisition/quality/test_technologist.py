"""A count and the technologist's hand on it."""

import asyncio
import signal
from dataclasses import replace
from typing import NoReturn

import pytest

from acquisition.quality.results import failure
from acquisition.quality.technologist import (
    Choice,
    Decision,
    StepInterrupted,
    Unasked,
    interruptible,
    judge_unasked,
    until_interrupted,
)


class Quick(Unasked):
    """Interrupts at once."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(print, None)
        self._decision = decision

    async def watch(self) -> NoReturn:
        """Interrupt."""
        raise StepInterrupted(self._decision)


async def test_an_interruption_in_the_last_moment_counts() -> None:
    """Where the count ends as the technologist interrupts it, her word is not lost, nor is the count used."""
    decision = Decision(choice=Choice.REPEAT, reason="the source fell over")
    with pytest.raises(StepInterrupted) as caught:
        await interruptible(asyncio.sleep(0, "counted"), Quick(decision), "count")
    assert caught.value.decision == decision


async def test_a_count_that_nobody_interrupts_is_given() -> None:
    """The count's own outcome is given, and its own error raised; nobody watches on."""
    before = asyncio.all_tasks()
    assert await interruptible(asyncio.sleep(0, "counted"), Unasked(print, None), "count") == "counted"

    async def fail() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await interruptible(fail(), Unasked(print, None), "count")
    assert asyncio.all_tasks() == before


def test_a_second_ctrl_c_ends_what_does_not_end_by_itself() -> None:
    """The first has the steps end, and where a device hangs meanwhile the second is the program's end."""
    seen = list[str]()

    def interrupt() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)

    async def hang() -> None:
        try:
            interrupt()
            await asyncio.Event().wait()
        finally:
            seen.append("ending")
            interrupt()
            await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(until_interrupted(hang()))
    assert seen == ["ending"]


@pytest.mark.parametrize(
    ("name", "attempts", "choice"),
    [
        ("chi-square", 1, Choice.REPEAT),
        ("chi-square", 2, Choice.CONTINUE),
        ("trend of background", 1, Choice.REPEAT),
        ("trend of background", 2, Choice.CONTINUE),
        ("background", 1, Choice.CONTINUE),
    ],
)
async def test_unasked_only_what_may_be_chance_is_repeated_and_once(
    name: str, attempts: int, choice: Choice
) -> None:
    """What fails twice has not passed, or a bad probe would be counted until chance lets it."""
    failed = replace(failure(name, "a limit", "it failed"), attempts=attempts)
    assert (await judge_unasked(failed)).choice is choice

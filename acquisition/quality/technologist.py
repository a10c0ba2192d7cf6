"""Who places the sources: a person at the terminal, or a rig that moves them."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeVar

from acquisition.quality.chi_square import CHI_SQUARE
from acquisition.quality.placements import Medium, Placement
from acquisition.quality.results import TREND_OF, StepResult
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Assay

Counted = TypeVar("Counted")


class MorningAborted(Exception):
    """Raised when the technologist ends the morning before its last step."""


class Choice(StrEnum):
    """What to do with a step that failed, or that goes on."""

    CONTINUE = "continue"
    REPEAT = "repeat"
    LEAVE_OUT = "leave out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the technologist decided, and why; the reason goes into the record."""

    choice: Choice
    reason: str = ""


class StepInterrupted(Exception):
    """Raised when the technologist repeats or leaves out the step that goes on; why may still be to be asked."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"{decision.choice.value}: {decision.reason}")
        self.decision = decision


class Technologist(Protocol):
    """Places sources and decides; each call may take minutes, and may raise ``MorningAborted``.

    ``place`` and ``watch`` may raise ``StepInterrupted``.
    """

    async def place(self, placement: Placement) -> None:
        """Return when everything stands as asked."""

    async def watch(self) -> NoReturn:
        """Wait, while a count runs, for the technologist to interrupt it."""

    async def explain(self, decision: Decision) -> Decision:
        """Say why a step was interrupted, where that is not said yet; nothing is counted meanwhile."""

    async def wait(self, seconds: float) -> None:
        """Let so much time pass with everything as it stands, for a source to decay."""

    async def assay(self, source: PointSource) -> Assay:
        """Say how active the point source is, within the settings' bounds."""

    async def judge(self, result: StepResult) -> Decision:
        """Say what to do after a failed step."""


async def interruptible(counting: Coroutine[Any, Any, Counted], technologist: Technologist, name: str) -> Counted:
    """Wait for a count, in a task of a name, unless the technologist ends it before.

    Raises
    ------
    StepInterrupted, MorningAborted
        Where the technologist does.

    """
    count = asyncio.create_task(counting, name=name)
    watching = asyncio.create_task(technologist.watch(), name="technologist")
    try:
        await asyncio.wait({count, watching}, return_when=asyncio.FIRST_COMPLETED)
        # who interrupts in the last moment of a count wants it no less
        return await (watching if watching.done() else count)
    finally:
        for task in (count, watching):
            task.cancel()
        await asyncio.gather(count, watching, return_exceptions=True)


async def until_interrupted(steps: Coroutine[Any, Any, None]) -> None:
    """Run steps to their end, or to the first Ctrl-C: what was measured until then is told and recorded.

    A second Ctrl-C, while what was under way is ended, ends the program. Call it from the main thread, which alone
    hears of signals.

    Raises
    ------
    MorningAborted
        Where SIGINT came.

    """
    loop, is_interrupted = asyncio.get_running_loop(), False
    running = asyncio.create_task(steps, name="steps")

    def interrupt() -> None:
        nonlocal is_interrupted
        is_interrupted = True
        running.cancel()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    former = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await running
    except asyncio.CancelledError as exc:
        if not is_interrupted:
            raise
        raise MorningAborted("interrupted by Ctrl-C") from exc
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, former)


class Rig(Protocol):
    """Something that moves sources by itself: a motorised bench."""

    async def stand(
        self, positions_mm: Mapping[str, tuple[float, float, float]], medium: Medium = Medium.AIR
    ) -> None:
        """Put these sources at these places (mm, the probe's TIP frame), and every other one away."""

    async def wait(self, seconds: float) -> None:
        """Let time pass, a source that is too strong for the probe put away meanwhile."""

    def assay(self) -> tuple[float, datetime]:
        """Activity of the point source, MBq, and when it was measured."""


BY_CHANCE = "a good probe fails this by chance now and then"


async def judge_unasked(result: StepResult) -> Decision:
    """Repeat once what a good probe may fail by chance, else go on.

    That is chi-square, whose limits leave out one good set of counts in ten, and a trend, whose lines leave out
    one morning in twenty to a hundred; the limits of the other steps lie several standard errors away.
    """
    is_chance = result.attempts == 1 and (result.name == CHI_SQUARE or result.name.startswith(TREND_OF))
    return Decision(choice=Choice.REPEAT, reason=BY_CHANCE) if is_chance else Decision(choice=Choice.CONTINUE)


async def wait_for_nobody() -> NoReturn:
    """Wait until it is cancelled: nobody interrupts."""
    while True:
        await asyncio.get_running_loop().create_future()


class Unattended:
    """A technologist for a rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    async def place(self, placement: Placement) -> None:
        """Let the rig move."""
        await self._rig.stand(
            {placed.source: placed.position_mm for placed in placement.sources}, placement.medium
        )

    async def wait(self, seconds: float) -> None:
        """Let the rig wait."""
        await self._rig.wait(seconds)

    async def watch(self) -> NoReturn:
        """Wait for nobody."""
        await wait_for_nobody()

    async def explain(self, decision: Decision) -> Decision:
        """Give what was decided: nobody interrupts."""
        return decision

    async def assay(self, source: PointSource) -> Assay:  # noqa: ARG002 - the rig holds one point source
        """Read it from the rig."""
        activity_mbq, measured_at = self._rig.assay()
        return Assay(activity_mbq=activity_mbq, measured_at=measured_at)

    async def judge(self, result: StepResult) -> Decision:
        """Repeat once what may be chance."""
        return await judge_unasked(result)


class Unasked:
    """A technologist who is told what to place and waits for nothing: somebody, or a rig, keeps pace.

    Parameters
    ----------
    say
        Tells what should stand.
    point
        Activity of the point source; None: not known, so that the morning ends where it is needed.

    """

    def __init__(self, say: Callable[[str], None], point: Assay | None) -> None:
        self._say = say
        self._point = point

    async def place(self, placement: Placement) -> None:
        """Say what should stand."""
        self._say(placement.instruction)

    async def wait(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def watch(self) -> NoReturn:
        """Wait for nobody."""
        await wait_for_nobody()

    async def explain(self, decision: Decision) -> Decision:
        """Give what was decided: nobody interrupts."""
        return decision

    async def assay(self, source: PointSource) -> Assay:
        """Give what was said beforehand; raises ``MorningAborted`` where nothing was."""
        if self._point is None:
            raise MorningAborted(
                f"nobody is asked for the activity of the {source.nuclide} source: give --activity"
            )
        if not source.least_mbq <= self._point.activity_mbq <= source.greatest_mbq:
            raise MorningAborted(
                f"--activity is {self._point.activity_mbq:g} MBq, and the site file wants {source.least_mbq:g} to "
                f"{source.greatest_mbq:g}"
            )
        return self._point

    async def judge(self, result: StepResult) -> Decision:
        """Repeat once what may be chance."""
        return await judge_unasked(result)

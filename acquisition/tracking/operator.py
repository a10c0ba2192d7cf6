"""Who moves the tool: a person at the terminal, one who is only told, or a rig."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice
from acquisition.quality.terminal import Terminal
from acquisition.tracking.following import Progress

UNASKED_S = 3.0
"""Time to obey where nobody is waited for."""


class Motion(StrEnum):
    """What is done with the tool."""

    PIVOT = "pivot"
    SPIN = "spin"
    TOUCH = "touch"
    SWEEP = "sweep"
    SWING = "swing"
    DRAW = "draw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A motion that is asked for.

    Attributes
    ----------
    motion
        Which.
    instruction
        Imperative, without a full stop.
    place
        Name of the place that is to be touched; empty where it may be any.

    """

    motion: Motion
    instruction: str
    place: str = ""


class Operator(Protocol):
    """Moves the tool and decides; each call may take minutes, and may raise ``MorningAborted``."""

    async def ready(self, move: Move) -> None:
        """Return when the motion has begun, or is about to."""

    async def judge(self, result: StepResult) -> Choice:
        """Say what to do after a failed step."""

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Return once what passed is to be used: it is written then, and not before."""


class AtTerminal:
    """A person who presses Enter when she is ready."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def ready(self, move: Move) -> None:
        """Ask, and wait for Enter."""
        await self._terminal.ready(move.instruction)

    async def judge(self, result: StepResult) -> Choice:
        """Ask what to do."""
        return Choice.REPEAT if await self._terminal.repeats(result) else Choice.CONTINUE

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Use what passed: she began it for that."""


class Unasked:
    """A person who is told and not waited for (``--yes``): she has ``UNASKED_S`` to begin; nothing is repeated."""

    def __init__(self, console: Console) -> None:
        self._console = console

    async def ready(self, move: Move) -> None:
        """Say it, and give time."""
        self._console.print(escape(f"{move.instruction}: it begins in {UNASKED_S:g} s"))
        await asyncio.sleep(UNASKED_S)

    async def judge(self, result: StepResult) -> Choice:  # noqa: ARG002 - whatever failed
        """Go on."""
        return Choice.CONTINUE

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Use what passed."""


class Rig(Protocol):
    """Something that moves the tool by itself."""

    def move(self, motion: str, place: str = "") -> None:
        """Begin a motion, at a place where it has one, and keep to it."""


class Rigged:
    """A rig in place of a person."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    async def ready(self, move: Move) -> None:
        """Let the rig move."""
        self._rig.move(move.motion, move.place)

    async def judge(self, result: StepResult) -> Choice:  # noqa: ARG002 - a rig does the same again
        """Go on."""
        return Choice.CONTINUE

    async def accept(self, results: Sequence[StepResult]) -> None:
        """Use what passed."""


class ProgressBar:
    """Shows how far a motion is, on a terminal only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._task = TaskID(0)

    def show(self, progress: Progress) -> None:
        """Move the bar."""
        if not self._console.is_terminal:
            return
        if self._bar is None:
            columns = (TextColumn("  "), BarColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=self._console, transient=True, auto_refresh=False)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=progress.share, description=escape(progress.words))
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar away; also after an interrupt."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

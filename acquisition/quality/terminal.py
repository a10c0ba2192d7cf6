"""A technologist at a terminal: one sentence for each thing to do, one key to answer."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from acquisition.logbook.entered import LONGEST, entered
from acquisition.quality.placements import Placement
from acquisition.quality.results import StepResult
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Assay
from acquisition.quality.technologist import Choice, Decision, MorningAborted, StepInterrupted

ABORT = "a"
INTERRUPTS = {"r": Choice.REPEAT, "s": Choice.LEAVE_OUT}
"""Keys that end a step before its time."""

LONGEST_REASON = 300
"""Characters: some lines of a cell in the report."""

TRY_AGAIN = "Enter to go on, r to repeat it"

ENDS = f"{ABORT} + Enter ends acquire"


class Keyboard:
    """Lines typed at a descriptor, without a thread that would outlive an abort."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._typed = b""

    async def line(self) -> str:
        """Wait for Enter and give what came before it.

        Raises
        ------
        MorningAborted
            Where the input ends, or is a file that cannot be waited for.

        """
        loop = asyncio.get_running_loop()
        while b"\n" not in self._typed:
            typed: asyncio.Future[bytes] = loop.create_future()
            try:
                loop.add_reader(self._descriptor, self._receive, typed)
            except PermissionError as exc:
                raise MorningAborted("acquire asks for each step: run it in a terminal") from exc
            try:
                received = await typed
            finally:
                loop.remove_reader(self._descriptor)
            if not received:
                raise MorningAborted("the terminal was closed")
            self._typed += received
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _receive(self, typed: asyncio.Future[bytes]) -> None:
        if not typed.done():
            try:
                typed.set_result(os.read(self._descriptor, 4096))
            except OSError:  # a terminal that hangs up reads as EIO: its end
                typed.set_result(b"")


class Terminal:
    """Asks the technologist and waits.

    ``a`` ends it wherever it is asked; ``r`` repeats a step and ``s`` leaves it out, also while it counts, each
    with the reason after it or asked for.
    """

    def __init__(self, console: Console, keyboard: Keyboard, *, now: Callable[[], datetime]) -> None:
        self._console = console
        self._keyboard = keyboard
        self._now = now

    async def place(self, placement: Placement) -> None:
        """Ask for the placement and wait for Enter."""
        keys = f"r repeats the step, s leaves it out, {ENDS}"
        while typed := await self._ask(f"{placement.instruction}, then press Enter", keys):
            self._heed(typed)
            self._console.print(escape(f"{typed!r} is none of these keys"))

    async def watch(self) -> NoReturn:
        """Wait for a key that interrupts; all else that is typed meanwhile is nothing."""
        while True:
            typed = await self._keyboard.line()
            if typed.lower() == ABORT:
                raise MorningAborted("ended by the technologist")
            self._heed(typed)

    async def explain(self, decision: Decision) -> Decision:
        """Ask for the reason, unless it came with the key."""
        return replace(decision, reason=await self._reason(decision.reason))

    async def wait(self, seconds: float) -> None:
        """Say until when, and wait; the keyboard is not asked meanwhile."""
        until = (self._now() + timedelta(seconds=seconds)).astimezone()
        self._console.print(f"  the source decays: the next count begins at {until:%H:%M}")
        await asyncio.sleep(seconds)

    async def ready(self, instruction: str) -> None:
        """Ask for anything and wait for Enter."""
        await self._ask(f"{instruction}, then press Enter")

    async def person(self) -> str:
        """Ask who signs."""
        while True:
            if name := self._entered(await self._ask("Your name, which signs the record"), "name"):
                return name

    async def next(self, number: int) -> str | None:
        """Ask for the next specimen to count; None where there are no more."""
        while typed := await self._ask(f"Name of specimen {number} (Enter alone: no more)"):
            if name := self._entered(typed, "name"):
                return name
        return None

    def _entered(self, typed: str, what: str, longest: int = LONGEST) -> str:
        """Give what was typed as it is recorded; empty, and said, where it is none."""
        try:
            return entered(typed, what=what, longest=longest)
        except ValueError as exc:
            self._console.print(escape(str(exc)))
            return ""

    async def assay(self, source: PointSource) -> Assay:
        """Ask for the dose calibrator's reading until it makes sense."""
        while True:
            typed = await self._ask(f"Activity of the {source.nuclide} point source, in MBq")
            try:
                activity_mbq = float(typed.replace(",", "."))
            except ValueError:
                self._console.print(escape(f"{typed!r} is no number of MBq"))
                continue
            if source.least_mbq <= activity_mbq <= source.greatest_mbq:
                break
            self._console.print(f"Wanted is {source.least_mbq:g} to {source.greatest_mbq:g} MBq")
        return Assay(activity_mbq=activity_mbq, measured_at=await self._time())

    async def repeats(self, result: StepResult) -> bool:
        """Ask whether something that failed is tried again."""
        return (await self._ask(f"{result.name} failed. {TRY_AGAIN}")).lower() == "r"

    async def judge(self, result: StepResult) -> Decision:
        """Ask what to do after a failed step, and why."""
        typed = await self._ask(f"{result.name} failed. {TRY_AGAIN}")
        key, _, reason = typed.partition(" ")
        if INTERRUPTS.get(key.lower()) is Choice.REPEAT:
            return Decision(choice=Choice.REPEAT, reason=await self._reason(reason))
        return Decision(choice=Choice.CONTINUE, reason=await self._reason(typed) if typed else "")

    def _heed(self, typed: str) -> None:
        """Interrupt the step where a key for it was typed; the reason waits until nothing counts any more."""
        key, _, reason = typed.partition(" ")
        if (choice := INTERRUPTS.get(key.lower())) is not None:
            raise StepInterrupted(Decision(choice=choice, reason=reason.strip()))

    async def _reason(self, said: str) -> str:
        """Give a reason as it is recorded; asked for until there is one that can be read."""
        while not (reason := self._entered(said, "reason", LONGEST_REASON) if said else ""):
            said = await self._ask("Why")
        return reason

    async def _time(self) -> datetime:
        while True:
            now = self._now().astimezone()
            typed = await self._ask("Measured at, as HH:MM today (Enter: just now)")
            if not typed:
                return now
            try:
                at = datetime.combine(now.date(), datetime.strptime(typed, "%H:%M").time(), now.tzinfo)  # noqa: DTZ007 - the zone is added here
            except ValueError:
                self._console.print(escape(f"{typed!r} is no time such as 07:45"))
                continue
            if at <= now + timedelta(minutes=1):
                return at
            self._console.print(escape(f"{typed} is still to come"))

    async def _ask(self, sentence: str, keys: str = ENDS) -> str:
        self._console.print(f"[bold]{escape(sentence)}[/bold] [dim]({keys})[/dim]: ", end="")
        typed = await self._keyboard.line()
        if typed.lower() == ABORT:
            raise MorningAborted("ended by the technologist")
        return typed

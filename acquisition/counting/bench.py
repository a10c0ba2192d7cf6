"""A probe at a bench, counting what is placed before it, with the technologist's hand on it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from rich.markup import escape

from acquisition.calibration import Calibration
from acquisition.counting.ending import Ending, Unfinished
from acquisition.logbook.logbook import Wanted, open_logbook
from acquisition.logbook.records import Kept, Kind, Record
from acquisition.logbook.seal import LogbookUnusable
from acquisition.quality.background import BACKGROUND
from acquisition.quality.bench import Bench
from acquisition.quality.counts import Count, Counter, CountProgress, open_counter
from acquisition.quality.placements import Exposure
from acquisition.quality.screen import TerminalScreen
from acquisition.quality.spectra import window_of
from acquisition.quality.technologist import (
    Choice,
    MorningAborted,
    StepInterrupted,
    interruptible,
    until_interrupted,
)
from devices.errors import DeviceError
from navigation.errors import NavigationError
from navigation.nuclides import Nuclide
from navigation.probe.response import Response

BACKGROUND_HOLDS: Final = timedelta(hours=24)
"""A background that was counted longer ago says nothing of today."""


class LeftOut(Exception):
    """Raised when the technologist leaves out a count; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What counts at a bench need.

    Attributes
    ----------
    bench
        Where, with which probe.
    nuclide
        Whose decay is reckoned with.
    settle_s
        Readings that begin earlier than this after a placement are not used.
    calibration
        Of this probe, nuclide and window; None where there is none.

    """

    bench: Bench
    nuclide: Nuclide
    settle_s: float = 0.5
    calibration: Calibration | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["OpenBench"]:
        """Open the probe, and close it and the screen afterwards.

        Raises
        ------
        DeviceError
            Where it cannot be opened.

        """
        bench = self.bench
        bench.warn_if_simulated()
        screen = TerminalScreen(bench.console)
        try:
            async with (
                bench.device.connect(bench.probe, clock=bench.clock) as connection,
                open_counter(
                    bench.probe,
                    connection,
                    streams=bench.device.streams,
                    silence_s=bench.device.silence_s,
                    clock=bench.clock,
                    wall_time=bench.wall_time,
                ) as counter,
            ):
                yield OpenBench(self, connection.identity, counter, screen)
        finally:
            screen.close()

    def response_of(self, identity: str) -> Response | None:
        """Give the calibrated response of the instrument that answers; None where it is not this one's."""
        is_its = self.calibration is not None and self.calibration.provenance.identity == identity
        return self.calibration.response if self.calibration is not None and is_its else None

    async def background(self, identity: str) -> Count | None:
        """Find what this instrument last counted in this window without a source, within a day, or None."""
        records = await asyncio.to_thread(self._recent, identity)
        window = window_of(self.bench.device)
        found = [count for each in records if (count := background_in(each, window)) is not None]
        return found[-1] if found else None

    async def record(self, kind: Kind, identity: str, *, passed: bool | None, told: dict[str, Any]) -> Kept | None:
        """Write what came of it into the logbook, and say so; None, and said, where the logbook refuses."""
        bench = self.bench
        record = bench.record_of(kind, at=bench.now(), identity=identity, passed=passed, told=told)
        try:
            kept = await asyncio.to_thread(self._add, record)
        except LogbookUnusable as exc:
            bench.console.print(f"[red]Not recorded, so that it did not pass.[/red] {escape(str(exc))}")
            return None
        bench.console.print(f"Record {kept.number} in the logbook, signed by {escape(bench.person)}")
        return kept

    def _add(self, record: Record) -> Kept:
        with open_logbook(self.bench.logbook) as logbook:
            return logbook.add(record)

    def _recent(self, identity: str) -> Sequence[Kept]:
        wanted = Wanted(
            kinds=(Kind.BACKGROUND, Kind.MORNING),
            probe=self.bench.probe,
            since=self.bench.now() - BACKGROUND_HOLDS,
            is_simulated=self.bench.is_simulated,
        )
        with open_logbook(self.bench.logbook) as logbook:
            found = logbook.read(wanted).records
        return [each for each in found if not each.doubt and each.record.identity == identity]


class OpenBench:
    """A bench whose probe is open; made by ``Counting.open``."""

    def __init__(self, counting: Counting, identity: str, counter: Counter, screen: TerminalScreen) -> None:
        self.identity = identity
        self._counting = counting
        self._counter = counter
        self._screen = screen
        self._unfinished: Unfinished | None = None
        self._remarks: list[str] = []

    async def until_ended(self, counts: Coroutine[Any, Any, None]) -> Ending:
        """Make counts to the last, or until the technologist, Ctrl-C or a failure of the probe ends them early."""
        aborted = ""
        try:
            await until_interrupted(counts)
        except LeftOut as exc:
            aborted = f"left out: {exc}"
        except (MorningAborted, DeviceError) as exc:
            aborted = str(exc)
        self._screen.close()
        unfinished = self._unfinished if aborted else None
        return Ending(aborted=aborted, unfinished=unfinished, remarks=tuple(self._remarks))

    def go_on(self) -> None:
        """Be done with a count that was left out, for it is told by itself: what ends next is another."""
        self._unfinished = None

    async def count(self, exposure: Exposure) -> Count:
        """Have something placed, and count it; again where the technologist wants that.

        Raises
        ------
        LeftOut, MorningAborted
            Where the technologist ends it.
        DeviceError
            Where the probe fails.

        """
        while True:
            self._unfinished = None
            try:
                await self._counting.bench.technologist.place(exposure.placement)
                count = await self._interruptible(exposure)
            except StepInterrupted as exc:
                self._screen.close()
                decision = await self._counting.bench.technologist.explain(exc.decision)
                if decision.choice is not Choice.REPEAT:
                    raise LeftOut(decision.reason) from exc
                self._remarks.append(
                    f"{exposure.placement.instruction}: {decision.choice.value}: {decision.reason}"
                )
            else:
                self._unfinished = None
                return count

    async def _interruptible(self, exposure: Exposure) -> Count:
        bench, instruction = self._counting.bench, exposure.placement.instruction
        began_at = bench.now()

        def show(progress: CountProgress) -> None:
            self._unfinished = Unfinished(
                instruction=instruction,
                began_at=began_at,
                counts=progress.counts,
                live_time_s=progress.live_time_s,
            )
            self._screen.show(exposure, 0, 1, progress)

        def say(sentence: str) -> None:
            bench.console.print(f"[bold]{escape(sentence)}[/bold]")

        count = self._counter.count(exposure, settle_s=self._counting.settle_s, on_progress=show, say=say)
        return await interruptible(count, bench.technologist, f"{bench.probe} count")


def counts_for(error: float) -> int:
    """Give the counts whose relative standard error is at most so much: 1 / sqrt(N) of a Poisson count.

    Raises
    ------
    NavigationError
        Where the error is not inside (0.0005, 0.5): four million counts, or four.

    """
    if not 0.0005 <= error <= 0.5:
        raise NavigationError(f"a relative error of {error:g}: wants 0.0005 to 0.5, as 0.01 for one per cent")
    return ceil(1 / error**2)


def told_count(count: Count) -> dict[str, Any]:
    """Tell a count as plain JSON types."""
    return {
        "counts": count.counts,
        "live_time_s": count.live_time_s,
        "real_time_s": count.real_time_s,
        "dead_time_s": count.dead_time_s,
        "started_at": count.started_at.isoformat(),
        "overloaded": count.is_overloaded,
    }


def background_in(kept: Kept, window: str) -> Count | None:
    """Read the background that a record tells; None where it tells none that passed, in this window."""
    told = kept.record.told.get("background")
    if not isinstance(told, dict) or told.get("overloaded") or not _is_clean(kept.record):
        return None
    if kept.record.told.get("window") != window:
        return None
    try:
        return Count(
            counts=int(told["counts"]),
            live_time_s=float(told["live_time_s"]),
            real_time_s=float(told["real_time_s"]),
            dead_time_s=float(told["dead_time_s"]),
            started_at=datetime.fromisoformat(told["started_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _is_clean(record: Record) -> bool:
    """Whether the background in a record passed; a morning's does so by its own step."""
    if record.kind is not Kind.MORNING:
        return record.passed is True
    steps = record.told.get("steps")
    return isinstance(steps, list) and any(
        isinstance(step, dict) and step.get("name") == BACKGROUND and step.get("passed") is True for step in steps
    )

"""A bench that runs fast, where counts are made with the shipped driver over a real pty."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from rich.console import Console

from acquisition.counting.bench import Counting
from acquisition.logbook.logbook import open_logbook
from acquisition.logbook.records import Kept, Kind
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.bench import Bench
from acquisition.quality.placements import PlacedSource, Placement, Source
from acquisition.quality.technologist import Decision, StepInterrupted, Unattended
from config.nuclides import load_nuclides
from devices.clock import monotonic
from devices.probes.amptek import Settings as AmptekSettings
from simulators.bench_room import BenchRoom, open_bench

SECONDS = 60.0
AT_NODE = Placement(
    instruction="Place the node", sources=(PlacedSource(source=Source.POINT, position_mm=(0.0, 0.0, 30.0)),)
)
AT_NOTHING = Placement(instruction="Empty")


class CountingRoom:
    """A bench to count at, and what its console showed."""

    def __init__(self, bench_room: BenchRoom, folder: Path) -> None:
        self.shown = io.StringIO()
        self.bench_room = bench_room
        self.technologist: Unattended = Unattended(bench_room.bench)
        self._logbook = LogbookSettings().beside(folder)

    @property
    def counting(self) -> Counting:
        """What counts there need."""
        bench = Bench(
            probe="gamma",
            device=AmptekSettings(
                driver="amptek",
                port=self.bench_room.port,
                interval_s=0.01,
                window_kev=(126, 154),
                energy_kev_per_channel=1.0,
            ),
            technologist=self.technologist,
            logbook=self._logbook,
            person="A. Berg",
            console=Console(file=self.shown, width=160),
            clock=self.bench_room.clock,
            wall_time=self.bench_room.clock.wall_time,
            is_simulated=True,
        )
        # of a fast bench: half a second of a host that may be busy
        return Counting(bench=bench, nuclide=load_nuclides()["Tc-99m"], settle_s=50.0)

    def on(self, **changed: Any) -> Counting:
        """Give the same with another logbook, or another probe."""
        return replace(self.counting, bench=replace(self.counting.bench, **changed))

    def records(self) -> list[tuple[Kind, bool | None]]:
        """What the logbook has."""
        return [(each.record.kind, each.record.passed) for each in self._kept()]

    def kept(self, before: int = 0) -> Kept:
        """Give the last record, or one that many before it."""
        return self._kept()[-1 - before]

    def told(self, before: int = 0) -> Mapping[str, Any]:
        """What it tells."""
        return self.kept(before).record.told

    def _kept(self) -> tuple[Kept, ...]:
        with open_logbook(self._logbook) as logbook:
            found = logbook.read()
        assert found.faults == ()
        return found.records


@asynccontextmanager
async def counting_room(folder: Path) -> AsyncIterator[CountingRoom]:
    """Set up a bench whose port and logbook lie in a folder."""
    async with open_bench(folder, rng=np.random.default_rng(4), clock=monotonic) as bench_room:
        yield CountingRoom(bench_room, folder)


SPECIMENS = {"first": Source.FIRST, "second": Source.POINT, "third": Source.CHECK}


def placed(name: str) -> Placement:
    """Lay a source in place of a specimen."""
    return Placement(
        instruction=f"Lay {name} down",
        sources=(PlacedSource(source=SPECIMENS[name], position_mm=(0.0, 0.0, 30.0)),),
    )


class Interrupting(Unattended):
    """Interrupts the first count of what an instruction names."""

    def __init__(self, room: CountingRoom, words: str, decision: Decision) -> None:
        super().__init__(room.bench_room.bench)
        self._words, self._decision = words, decision
        self._placed = ""
        self.placements = 0

    async def place(self, placement: Placement) -> None:
        """Note what stands."""
        self._placed = placement.instruction
        self.placements += 1
        await super().place(placement)

    async def watch(self) -> NoReturn:
        """Interrupt once."""
        if self._words and self._words in self._placed:
            self._words = ""
            raise StepInterrupted(self._decision)
        await super().watch()

"""The bench at which ``acquire`` counts, real or simulated."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from rich.console import Console

from acquisition.counting.bench import Bench
from acquisition.counting.exvivo import Listed, Specimens
from acquisition.quality.placements import PlacedSource, Placement, Source
from acquisition.quality.technologist import Unattended
from acquisition.quality.terminal import Terminal
from composition.errors import ServiceError
from composition.hands import Hands
from composition.morning import at_pace, named_probe
from composition.named import Workplace
from composition.simulated import simulated_logbook
from config.nuclides import load_nuclides
from devices.clock import monotonic, wall_time
from simulators.bench_room import SETTLE_S, open_bench

DISTANCE_MM = 30.0
"""Of what is counted from the tip, on the axis."""

SIMULATED_SPECIMENS = (Source.FIRST, Source.POINT, Source.CHECK)
"""What the simulated bench puts in place of specimens, one after the other: hot, a quarter of it, hardly warm."""


@asynccontextmanager
async def open_counting(place: Workplace, probe: str | None, hands: Hands, *, seed: int) -> AsyncIterator[Bench]:
    """Give the bench with a probe, by its name or else the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file has no such probe.

    """
    site, name, console = place.site, named_probe(place.site, probe), Console(stderr=True)
    nuclide = load_nuclides()[site.nuclide]
    if not place.is_simulated:
        technologist, person = await hands.technologist(console)
        yield Bench(
            probe=name,
            device=site.probes[name],
            nuclide=nuclide,
            technologist=technologist,
            logbook=site.logbook,
            person=person,
            console=console,
            clock=monotonic,
            wall_time=wall_time,
            is_simulated=False,
        )
        return
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        async with open_bench(Path(folder), rng=np.random.default_rng(seed), clock=monotonic) as room:
            yield Bench(
                probe=name,
                device=site.probes[name].model_copy(update=at_pace(room)),
                nuclide=nuclide,
                technologist=Unattended(room.bench),
                logbook=simulated_logbook(),
                person=hands.signature,
                console=console,
                clock=room.clock,
                wall_time=room.clock.wall_time,
                is_simulated=True,
                settle_s=SETTLE_S,
            )


def placed_for_count(label: str, *, is_simulated: bool) -> Placement:
    """Say where something is placed to be counted; on the simulated bench that is the point source."""
    sources = (_on_axis(Source.POINT),) if is_simulated else ()
    return Placement(instruction=f"Place {label} before the tip, and nothing else near", sources=sources)


class SpecimenPlaces:
    """Places each specimen alike; on the simulated bench a source stands for it."""

    def __init__(self, *, is_simulated: bool) -> None:
        self._is_simulated = is_simulated
        self._names: list[str] = []

    def __call__(self, name: str) -> Placement:
        """Say where the specimen of a name is placed."""
        if name not in self._names:
            self._names.append(name)
        source = SIMULATED_SPECIMENS[self._names.index(name) % len(SIMULATED_SPECIMENS)]
        return Placement(
            instruction=f"Lay {name} on the axis, {DISTANCE_MM:g} mm from the tip, and nothing else near",
            sources=(_on_axis(source),) if self._is_simulated else (),
        )


def specimens_of(names: list[str], bench: Bench) -> Specimens:
    """Give the specimens to count: those that were named, or asked for one by one.

    Raises
    ------
    ServiceError
        Where none is named and nobody is asked.

    """
    if names:
        return Listed(names)
    if bench.is_simulated:
        return Listed(["first node", "second node", "third node"])
    if isinstance(bench.technologist, Terminal):
        return bench.technologist
    raise ServiceError("nobody is asked for specimens with --yes: name each by --specimen")


def _on_axis(source: Source) -> PlacedSource:
    return PlacedSource(source=source, position_mm=(0.0, 0.0, DISTANCE_MM))

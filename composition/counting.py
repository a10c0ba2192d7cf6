"""What ``acquire`` counts at a bench, real or simulated."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from rich.markup import escape

from acquisition.calibration import Calibration
from acquisition.counting.bench import Counting
from acquisition.counting.exvivo import Listed, Specimens
from acquisition.quality.bench import Bench
from acquisition.quality.placements import PlacedSource, Placement, Source
from acquisition.quality.terminal import Terminal
from composition.bench import bench_of, named_probe
from composition.errors import ServiceError
from composition.hands import Hands
from composition.instruments import load_calibration_of
from composition.named import Workplace
from composition.simulated import simulated_calibration
from config.nuclides import load_nuclides
from simulators.bench_room import SETTLE_S

Measured = TypeVar("Measured")

DISTANCE_MM = 30.0
"""Of what is counted from the tip, on the axis."""

SIMULATED_SPECIMENS = (Source.FIRST, Source.POINT, Source.CHECK)
"""What the simulated bench puts in place of specimens, one after the other: hot, a quarter of it, hardly warm."""


async def count_at(
    place: Workplace,
    probe: str | None,
    hands: Hands,
    measure: Callable[[Counting], Awaitable[Measured]],
    *,
    seed: int,
) -> Measured:
    """Have counts made as ``measure`` does, with a probe by its name or else the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file has no such probe.

    """
    nuclide = load_nuclides()[place.site.nuclide]
    async with bench_of(place, named_probe(place.site, probe), hands, seed=seed) as (bench, _):
        calibration = _calibration(place, bench)
        counting = Counting(bench=bench, nuclide=nuclide, calibration=calibration)
        return await measure(replace(counting, settle_s=SETTLE_S) if bench.is_simulated else counting)


def _calibration(place: Workplace, bench: Bench) -> Calibration | None:
    """Read the probe's calibration for the nuclide and window in use; None, and said, where there is none."""
    path, written = place.site.probes[bench.probe].response, simulated_calibration(bench.probe)
    if place.is_simulated and written.exists():
        path = written
    try:
        if path is not None:
            return load_calibration_of(place.site, bench.probe, path, is_simulated=place.is_simulated)
        why = f"probes.{bench.probe}.response names none"
    except ServiceError as exc:
        why = str(exc)
    bench.console.print(f"[dim]no calibration, so no activity is told: {escape(why)}[/dim]")
    return None


def tray_of(place: Workplace, probe: str | None) -> str:
    """Say where the probe of a name, or else the one that navigates, has what it counts; empty: before its tip.

    Raises
    ------
    ServiceError
        Where the site file has no such probe.

    """
    return place.site.probes[named_probe(place.site, probe)].tray_said


def placed_for_count(label: str, *, tray: str, is_simulated: bool) -> Placement:
    """Say where something is placed to be counted; on the simulated bench that is the point source."""
    sources = (_on_axis(Source.POINT),) if is_simulated else ()
    where = tray or "before the tip"
    return Placement(instruction=f"Place {label} {where}, and nothing else near", sources=sources)


class SpecimenPlaces:
    """Places each specimen alike, on a tray or on the axis; on the simulated bench a source stands for it."""

    def __init__(self, *, tray: str, is_simulated: bool) -> None:
        self._where = tray or f"on the axis, {DISTANCE_MM:g} mm from the tip"
        self._is_simulated = is_simulated
        self._names: list[str] = []

    def __call__(self, name: str) -> Placement:
        """Say where the specimen of a name is placed."""
        if name not in self._names:
            self._names.append(name)
        source = SIMULATED_SPECIMENS[self._names.index(name) % len(SIMULATED_SPECIMENS)]
        return Placement(
            instruction=f"Lay {name} {self._where}, and nothing else near",
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

"""The morning's check and the full calibration of a probe, real or simulated."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from acquisition.calibrating.command import CalibrationOutcome, run_calibration
from acquisition.command import MorningOutcome, run_morning
from acquisition.quality.guided import Guided
from acquisition.quality.settings import CheckSource, MorningSettings
from composition.bench import bench_of, named_probe
from composition.errors import ServiceError
from composition.hands import Hands
from composition.named import Workplace, place_of
from composition.simulated import simulated_calibration
from config.nuclides import load_nuclides
from config.settings import Site
from simulators.bench import BenchFault
from simulators.bench_room import SETTLE_S


async def check_probe(
    place: Workplace, probe: str | None, *, hands: Hands, fault: BenchFault | None, seed: int
) -> MorningOutcome:
    """Run the morning's check of a probe, by its name or else of the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    async with _guided(place, probe, hands, fault=fault, seed=seed) as guided:
        return await run_morning(guided)


async def calibrate_probe(
    place: Workplace, probe: str | None, *, hands: Hands, with_decay: bool, fault: BenchFault | None, seed: int
) -> CalibrationOutcome:
    """Calibrate a probe, by its name or else the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    async with _guided(place, probe, hands, fault=fault, seed=seed) as guided:
        return await run_calibration(guided, limits=place.site.calibrate, with_decay=with_decay)


@asynccontextmanager
async def _guided(
    place: Workplace, probe: str | None, hands: Hands, *, fault: BenchFault | None, seed: int
) -> AsyncIterator[Guided]:
    name = named_probe(place.site, probe)
    if not place.site.probes[name].streams:
        raise ServiceError(
            f"{name} tells finished counts only, which no morning's check and no calibration is made for: name "
            "the probe with --probe; acquire count, background and exvivo take this one"
        )
    calibration, settings = _calibration_of(place, name), _settings_of(place.site)
    async with bench_of(place, name, hands, seed=seed, fault=fault) as (bench, room):
        if room is not None:  # its check source, and time for its sources to move
            label = CheckSource.model_validate(room.bench.label())
            settings = settings.model_copy(update={"check_source": label, "settle_s": SETTLE_S})
        yield Guided(
            bench=bench,
            settings=settings,
            nuclides=load_nuclides(),
            calibration=calibration,
            place=place_of(place.site),
        )


def _calibration_of(place: Workplace, probe: str) -> Path:
    if place.is_simulated:
        return simulated_calibration(probe)
    calibration = place.site.probes[probe].response
    if calibration is None:
        raise ServiceError(f"probes.{probe}.response must name the calibration file to write")
    return calibration


def _settings_of(site: Site) -> MorningSettings:
    if site.acquire is None:
        raise ServiceError("the site file has no [acquire]: say which check source and which limits hold here")
    return site.acquire

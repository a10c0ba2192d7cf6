"""The morning's check of a probe, real or simulated."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from acquisition.command import Outcome, run_morning
from acquisition.quality.settings import CheckSource, MorningSettings
from acquisition.quality.technologist import Unattended
from composition.errors import ServiceError
from composition.hands import Hands
from composition.instruments import probe_in_hand
from composition.named import Workplace, place_of
from composition.simulated import simulated_calibration, simulated_logbook
from config.nuclides import load_nuclides
from config.settings import Site
from devices.clock import monotonic
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, SETTLE_S, SILENCE_S, BenchRoom, open_bench


async def check_probe(
    place: Workplace, probe: str | None, *, hands: Hands, fault: BenchFault | None, seed: int
) -> Outcome:
    """Run the morning's check of a probe, by its name or else of the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    name = named_probe(place.site, probe)
    if place.is_simulated:
        return await _check_simulated(place.site, name, hands, fault=fault, rng=np.random.default_rng(seed))
    return await _check_real(place.site, name, hands)


def named_probe(site: Site, name: str | None) -> str:
    """Give the probe of a name, or else the one that navigates; raises ``ServiceError``."""
    if name is not None and name not in site.probes:
        raise ServiceError(f"--probe {name}: the site file has {', '.join(site.probes)}")
    return name or probe_in_hand(site)


def morning_settings(site: Site) -> MorningSettings:
    """Give the morning's sources and limits; ``ServiceError`` where the site file has none."""
    if site.acquire is None:
        raise ServiceError("the site file has no [acquire]: say which check source and which limits hold here")
    return site.acquire


async def _check_real(site: Site, name: str, hands: Hands) -> Outcome:
    calibration = site.probes[name].response
    if calibration is None:
        raise ServiceError(f"probes.{name}.response must name the calibration file to write")
    console = Console(stderr=True)
    technologist, person = await hands.technologist(console)
    return await run_morning(
        probe=name,
        device=site.probes[name],
        technologist=technologist,
        settings=morning_settings(site),
        nuclides=load_nuclides(),
        calibration=calibration,
        logbook=site.logbook,
        place=place_of(site),
        person=person,
        console=console,
    )


def at_pace(room: BenchRoom) -> dict[str, Any]:
    """Give what a probe's entry in the site file is changed to for a simulated bench, which runs fast."""
    return {"port": room.port, "interval_s": POLL_INTERVAL_S, "silence_s": SILENCE_S}


def bench_settings(room: BenchRoom) -> dict[str, Any]:
    """Give what the settings are changed to: the bench's check source, and time for its sources to move."""
    return {"check_source": CheckSource.model_validate(room.bench.label()), "settle_s": SETTLE_S}


async def _check_simulated(
    site: Site, name: str, hands: Hands, *, fault: BenchFault | None, rng: np.random.Generator
) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        async with open_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as room:
            return await run_morning(
                probe=name,
                device=site.probes[name].model_copy(update=at_pace(room)),
                technologist=Unattended(room.bench),
                settings=morning_settings(site).model_copy(update=bench_settings(room)),
                nuclides=load_nuclides(),
                calibration=simulated_calibration(name),
                logbook=simulated_logbook(),
                place=place_of(site),
                person=hands.signature,
                console=Console(stderr=True),
                clock=room.clock,
                wall_time=room.clock.wall_time,
                is_simulated=True,
            )

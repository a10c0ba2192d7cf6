"""The full calibration of a probe, real or simulated."""

import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from acquisition.calibrating.command import CalibrationOutcome, run_calibration
from acquisition.quality.technologist import Unattended
from composition.errors import ServiceError
from composition.hands import Hands
from composition.morning import at_pace, bench_settings, morning_settings, named_probe
from composition.named import Workplace, place_of
from composition.simulated import simulated_calibration, simulated_logbook
from config.nuclides import load_nuclides
from config.settings import Site
from devices.clock import monotonic
from simulators.bench import BenchFault
from simulators.bench_room import open_bench


async def calibrate_probe(
    place: Workplace, probe: str | None, *, hands: Hands, with_decay: bool, fault: BenchFault | None, seed: int
) -> CalibrationOutcome:
    """Calibrate a probe, by its name or else the one that navigates.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    name = named_probe(place.site, probe)
    if place.is_simulated:
        rng = np.random.default_rng(seed)
        return await _calibrate_simulated(place.site, name, hands, with_decay=with_decay, fault=fault, rng=rng)
    return await _calibrate_real(place.site, name, hands, with_decay=with_decay)


async def _calibrate_real(site: Site, name: str, hands: Hands, *, with_decay: bool) -> CalibrationOutcome:
    calibration = site.probes[name].response
    if calibration is None:
        raise ServiceError(f"probes.{name}.response must name the calibration file to write")
    console = Console(stderr=True)
    technologist, person = await hands.technologist(console)
    return await run_calibration(
        probe=name,
        device=site.probes[name],
        technologist=technologist,
        settings=morning_settings(site),
        limits=site.calibrate,
        nuclides=load_nuclides(),
        calibration=calibration,
        logbook=site.logbook,
        place=place_of(site),
        person=person,
        console=console,
        with_decay=with_decay,
    )


async def _calibrate_simulated(
    site: Site, name: str, hands: Hands, *, with_decay: bool, fault: BenchFault | None, rng: np.random.Generator
) -> CalibrationOutcome:
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        async with open_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as room:
            return await run_calibration(
                probe=name,
                device=site.probes[name].model_copy(update=at_pace(room)),
                technologist=Unattended(room.bench),
                settings=morning_settings(site).model_copy(update=bench_settings(room)),
                limits=site.calibrate,
                nuclides=load_nuclides(),
                calibration=simulated_calibration(name),
                logbook=simulated_logbook(),
                place=place_of(site),
                person=hands.signature,
                console=Console(stderr=True),
                with_decay=with_decay,
                clock=room.clock,
                wall_time=room.clock.wall_time,
                is_simulated=True,
            )

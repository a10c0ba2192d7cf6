"""The bench at which ``acquire`` measures with a probe, real or simulated."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from rich.console import Console

from acquisition.quality.bench import Bench
from acquisition.quality.technologist import Unattended
from composition.errors import ServiceError
from composition.hands import Hands
from composition.instruments import probe_in_hand
from composition.named import Workplace
from composition.simulated import simulated_logbook
from config.settings import Site
from devices.clock import monotonic
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, SILENCE_S, BenchRoom, open_bench


def named_probe(site: Site, name: str | None) -> str:
    """Give the probe of a name, or else the one that navigates; raises ``ServiceError``."""
    if name is not None and name not in site.probes:
        raise ServiceError(f"--probe {name}: the site file has {', '.join(site.probes)}")
    return name or probe_in_hand(site)


@asynccontextmanager
async def bench_of(
    place: Workplace, probe: str, hands: Hands, *, seed: int, fault: BenchFault | None = None
) -> AsyncIterator[tuple[Bench, BenchRoom | None]]:
    """Give the bench with a probe of the site, and what runs it where it is simulated."""
    site, console = place.site, Console(stderr=True)
    if not place.is_simulated:
        technologist, person = await hands.technologist(console)
        yield (
            Bench(
                probe=probe,
                device=site.probes[probe],
                technologist=technologist,
                logbook=site.logbook,
                person=person,
                console=console,
            ),
            None,
        )
        return
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        rng = np.random.default_rng(seed)
        async with open_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as room:
            at_pace = {"port": room.port, "interval_s": POLL_INTERVAL_S, "silence_s": SILENCE_S}
            yield (
                Bench(
                    probe=probe,
                    device=site.probes[probe].model_copy(update=at_pace),
                    technologist=Unattended(room.bench),
                    logbook=simulated_logbook(),
                    person=hands.signature,
                    console=console,
                    clock=room.clock,
                    wall_time=room.clock.wall_time,
                    is_simulated=True,
                ),
                room,
            )

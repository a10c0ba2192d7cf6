"""A bench with a probe on a wire, at the pace of a simulated morning."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from devices.clock import Clock
from simulators.bench import Bench, BenchFault, FastClock
from simulators.ports import open_pty_port
from simulators.probe_physics import ProbePhysics
from simulators.probes.amptek import SimulatedAmptek

SPEED = 100.0
"""Bench seconds in each second of the host."""

POLL_INTERVAL_S = 0.01
"""Host seconds from poll to poll: a bench second, as a person would wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRoom:
    """The running bench.

    Attributes
    ----------
    bench
        Moves its sources by itself: a rig.
    port
        What the probe's entry in the site file is set to.
    clock
        The bench's clock, which runs ``SPEED`` times as fast as the host's.

    """

    bench: Bench
    port: str
    clock: FastClock


@asynccontextmanager
async def open_bench(
    folder: Path, *, rng: np.random.Generator, clock: Clock, fault: BenchFault | None = None
) -> AsyncIterator[BenchRoom]:
    """Set up an Amptek probe before a bench; ``folder`` takes the port's link."""
    started_at = datetime.now(tz=UTC)
    physics = ProbePhysics()
    fast = FastClock(clock, SPEED, started_at)
    bench = Bench(started_at=started_at, started_s=fast.started_s, rng=rng, physics=physics, fault=fault)
    instrument = SimulatedAmptek(
        bench.events, powered_at_s=fast.started_s, rng=rng, dead_time_s=physics.dead_time_s
    )
    async with open_pty_port(instrument, folder / "probe", clock=fast) as port:
        yield BenchRoom(bench=bench, port=port.url, clock=fast)

"""A bench with a probe on a wire, at the pace of a simulated morning."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from devices.clock import Clock
from simulators.bench import Bench, BenchFault, FastClock
from simulators.ports import open_pty_port
from simulators.probe_physics import ProbePhysics
from simulators.probes.amptek import BIAS_V, SimulatedAmptek, SpectrumShape

SPEED = 100.0
"""Bench seconds in each second of the host."""

DRIFTED_GAIN = 0.9
SLOW_S = 80e-6
SAGGING_BIAS_V = 340.0
"""Of a detector whose supply is nearly empty."""

SETTLE_S = 3.0
"""Bench seconds after which what comes is surely of the sources that stand now: thrice what a host may be late."""

SILENCE_S = 10.0
"""Host seconds without a reading after which even a busy host's probe is silent."""

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
    pull
        Pulls the probe's plug.

    """

    bench: Bench
    port: str
    clock: FastClock
    pull: Callable[[], None]


@asynccontextmanager
async def open_bench(
    folder: Path, *, rng: np.random.Generator, clock: Clock, fault: BenchFault | None = None
) -> AsyncIterator[BenchRoom]:
    """Set up an Amptek probe before a bench; ``folder`` takes the port's link."""
    started_at = datetime.now(tz=UTC)
    fast = FastClock(clock, SPEED, started_at)
    bench = Bench(started_at=started_at, started_s=fast.started_s, rng=rng, fault=fault, skip=fast.skip)
    instrument = instrument_of(bench, fast, rng, fault)
    async with open_pty_port(instrument, folder / "probe", clock=fast) as port:
        yield BenchRoom(bench=bench, port=port.url, clock=fast, pull=port.pull)


def instrument_of(
    bench: Bench, clock: FastClock, rng: np.random.Generator, fault: BenchFault | None
) -> SimulatedAmptek:
    """Make the instrument that counts what the bench's probe sees, with its part of the fault."""
    shape = SpectrumShape()
    if fault is BenchFault.DRIFTED_PEAK:
        shape = SpectrumShape(gain=DRIFTED_GAIN)
    elif fault is BenchFault.BROAD_PEAK:
        shape = SpectrumShape(resolution=3 * shape.resolution)
    is_slow = fault is BenchFault.SLOW_ELECTRONICS
    return SimulatedAmptek(
        bench.events,
        powered_at_s=clock.started_s,
        rng=rng,
        shape=shape,
        dead_time_s=SLOW_S if is_slow else ProbePhysics().dead_time_s,
        is_loss_told=not is_slow,
        high_voltage_v=SAGGING_BIAS_V if fault is BenchFault.FLAT_BATTERY else BIAS_V,
    )

"""A probe that is moved over a point source, and what it counts meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from acquisition.tracking.following import SILENCE_S
from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout
from devices.protocols import Connection, DeviceSettings
from devices.readings import CountReading
from navigation.probe.response import Response
from navigation.transforms import RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptProbe:
    """The probe that is moved over a source: its name and entry in the site file, its calibration, and its tip."""

    name: str
    device: DeviceSettings[CountReading]
    response: Response
    tool_from_tip: RigidTransform


class Counts:
    """What a probe has counted since it was opened."""

    def __init__(self) -> None:
        self.readings = list[CountReading]()
        self.failure: DeviceError | None = None

    def check(self) -> None:
        """Raise what ended the probe's readings."""
        if self.failure is not None:
            raise self.failure

    async def receive(self, device: str, connection: Connection[CountReading]) -> None:
        """Take the connection's readings until it fails."""
        readings = aiter(connection)
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    self.readings.append(await anext(readings))
        except TimeoutError:
            self.failure = DeviceTimeout(device, f"no reading for {SILENCE_S:g} s; check that it is switched on")
        except DeviceError as exc:
            self.failure = exc


@asynccontextmanager
async def counting(probe: SweptProbe, clock: Clock) -> AsyncIterator[Counts]:
    """Open the probe and count while in use.

    Raises
    ------
    DeviceError
        Where it cannot be opened.

    """
    async with probe.device.connect(probe.name, clock=clock) as connection:
        counts = Counts()
        task = asyncio.create_task(counts.receive(probe.name, connection), name=f"{probe.name} counts")
        try:
            yield counts
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

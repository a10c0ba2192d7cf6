"""The readings of a device that a room has open already, for a calibration beside its navigation.

A serial port opens once, and so do most trackers: what is measured while the room runs listens to what the room
receives.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from devices.clock import Clock
from devices.protocols import DeviceSettings

Reading = TypeVar("Reading")


class Tapped(Generic[Reading]):
    """A connection that gives what others hand it."""

    rejected = 0

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._arrived: asyncio.Queue[Reading] = asyncio.Queue()

    def put(self, reading: Reading) -> None:
        """Hand it a reading."""
        self._arrived.put_nowait(reading)

    def __aiter__(self) -> AsyncIterator[Reading]:
        return self

    async def __anext__(self) -> Reading:
        return await self._arrived.get()


class Tap(Generic[Reading]):
    """Stands for a device's entry in the site file; to connect opens nothing.

    Parameters
    ----------
    device
        The entry that it stands for.
    identity
        Says what the device that is open says it is.
    clock
        Host monotonic clock.

    """

    def __init__(self, device: DeviceSettings[Reading], *, identity: Callable[[], str], clock: Clock) -> None:
        self.streams = device.streams
        self.silence_s = device.silence_s
        self.opening_s = device.opening_s
        self._identity = identity
        self._clock = clock
        self._listening: set[Tapped[Reading]] = set()
        self._from_s = self._to_s = -float("inf")

    def take(self, reading: Reading) -> None:
        """Hand a reading to whoever listens."""
        for tapped in self._listening:
            tapped.put(reading)

    def listened_at(self, at_s: float) -> bool:
        """Whether somebody listened at a time, host monotonic clock, s, as far as the newest listener goes."""
        return self._from_s <= at_s <= (float("inf") if self._listening else self._to_s)

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Tapped[Reading]]:  # noqa: ARG002 - open already
        """Listen, until left."""
        tapped = Tapped[Reading](self._identity())
        if not self._listening:
            self._from_s = self._clock()
        self._listening.add(tapped)
        try:
            yield tapped
        finally:
            self._listening.discard(tapped)
            self._to_s = self._clock()

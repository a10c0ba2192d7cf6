"""A probe that is moved over a point source, and what it counts meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console

from acquisition.quality.results import StepResult
from acquisition.quality.technologist import Choice
from acquisition.tracking.following import SILENCE_S, Camera, Pose, Progress, Screen, open_follower
from acquisition.tracking.operator import Move, Operator, ProgressBar
from acquisition.tracking.tool import say_verdict
from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout
from devices.protocols import Connection, DeviceSettings
from devices.readings import CountReading
from navigation.frames import Frame
from navigation.probe.response import Response
from navigation.transforms import RigidTransform

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptProbe:
    """The probe that is moved over a source: its name and entry in the site file, its calibration, and its tip."""

    name: str
    device: DeviceSettings[CountReading]
    response: Response
    tool_from_tip: RigidTransform

    async def sweep(
        self,
        camera: Camera,
        operator: Operator,
        *,
        move: Move,
        progress: Callable[[Sequence[Pose]], Progress],
        longest_s: float,
        judge: Callable[[Sequence[Pose], Sequence[CountReading]], tuple[Found | None, StepResult]],
        console: Console,
        screen: Screen | None,
    ) -> tuple[Found | None, StepResult]:
        """Have it moved over a source for so long, again where that is wanted; judge its tip's poses and counts.

        Raises
        ------
        DeviceError
            Where tracker or probe cannot be opened, or fail.
        MorningAborted
            Where the operator ends it.

        """
        async with (
            open_follower(camera, tool_from_tip=self.tool_from_tip) as follower,
            counting(self, camera.clock) as counts,
        ):
            while True:
                await operator.ready(move)
                began = len(counts.readings)
                poses = await follower.collect(
                    Frame.TRACKER,
                    Frame.TIP,
                    progress=progress,
                    longest_s=longest_s + SILENCE_S,
                    screen=screen or ProgressBar(console),
                )
                counts.check()
                found, result = await asyncio.to_thread(judge, poses, counts.readings[began:])
                say_verdict(result, console)
                if result.passed or await operator.judge(result) is not Choice.REPEAT:
                    return found, result


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

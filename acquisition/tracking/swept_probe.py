"""A probe that is moved over a point source, what it counts meanwhile, and what is told of that."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from rich.console import Console
from rich.markup import escape

from acquisition.quality.results import StepResult
from acquisition.quality.screen import table_of
from acquisition.quality.technologist import Choice, MorningAborted
from acquisition.tracking.following import SILENCE_S, Camera, Pose, Progress, Screen, open_follower
from acquisition.tracking.operator import Move, Operator, ProgressBar
from acquisition.tracking.tool import say_verdict
from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout
from devices.protocols import Connection, DeviceSettings
from devices.readings import CountReading
from navigation.calibration.counted_track import CountedTrack
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.probe.response import Response
from navigation.transforms import RigidTransform

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept(Generic[Found]):
    """What sweeps came to.

    Attributes
    ----------
    found
        What the last of them told; None where it told nothing, or the operator ended it.
    results
        Its verdict; none where it was ended before there was one.
    aborted
        Why it ended early, or the empty string.

    """

    found: Found | None
    results: tuple[StepResult, ...]
    aborted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptProbe:
    """The probe that is moved over a source: its name and entry in the site file, its calibration, and its tip."""

    name: str
    device: DeviceSettings[CountReading]
    response: Response
    tool_from_tip: RigidTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """A probe that is moved over a source: before which camera, by whom, and where it is shown how far that is.

    Attributes
    ----------
    camera, probe, operator
        What sees it, what it is, and who moves it.
    console, screen
        Where verdicts are shown, and how far the motion is; no screen: the console does.
    is_simulated
        Whether tracker, probe and source are.

    """

    camera: Camera
    probe: SweptProbe
    operator: Operator
    console: Console
    screen: Screen | None = None
    is_simulated: bool = False

    async def sweep(
        self,
        *,
        move: Move,
        progress: Callable[[Sequence[Pose]], Progress],
        longest_s: float,
        judge: Callable[[Sequence[Pose], Sequence[CountReading]], tuple[Found | None, StepResult]],
        is_accepted: bool,
    ) -> Swept[Found]:
        """Have it moved over a source for so long, again where that is wanted; judge its tip's poses and counts.

        With ``is_accepted`` the operator says that what passed is to be used.

        Raises
        ------
        DeviceError
            Where tracker or probe cannot be opened, or fail.

        """
        if self.is_simulated:
            self.console.print("[bold yellow]SIMULATED: tracker, probe and source[/bold yellow]")
        results = list[StepResult]()
        try:
            async with (
                open_follower(self.camera, tool_from_tip=self.probe.tool_from_tip) as follower,
                counting(self.probe, self.camera.clock) as counts,
            ):
                while True:
                    await self.operator.ready(move)
                    began = len(counts.readings)
                    poses = await follower.collect(
                        Frame.TRACKER,
                        Frame.TIP,
                        progress=progress,
                        longest_s=longest_s + SILENCE_S,
                        screen=self.screen or ProgressBar(self.console),
                    )
                    counts.check()
                    found, result = await asyncio.to_thread(judge, poses, counts.readings[began:])
                    results[:] = [result]
                    say_verdict(result, self.console)
                    if result.passed or await self.operator.judge(result) is not Choice.REPEAT:
                        break
            if is_accepted and found is not None:
                await self.operator.accept(results)
        except MorningAborted as exc:
            return Swept(found=None, results=tuple(results), aborted=str(exc))
        return Swept(found=found, results=tuple(results), aborted="")


def counted_track(poses: Sequence[Pose], counts: Sequence[CountReading]) -> CountedTrack:
    """Lay what was counted beside the tip's poses.

    Raises
    ------
    NavigationError
        Where none of either came.

    """
    if len(poses) < 2 or len(counts) < 2:
        missing = "poses" if len(poses) < 2 else "counts"
        raise NavigationError(f"no {missing} came: does the camera see the probe, and does it count?")
    return CountedTrack(
        start_s=np.array([each.taken_at_s for each in counts]),
        real_time_s=np.array([each.real_time_s for each in counts]),
        live_time_s=np.array([each.live_time_s for each in counts]),
        counts=np.array([each.counts for each in counts], dtype=np.float64),
        at_s=np.array([pose.at_s for pose in poses]),
        tip_mm=np.array([pose.transform.translation_mm for pose in poses]),
        turn=np.array([pose.transform.rotation for pose in poses]),
    )


def say_end(results: Sequence[StepResult], fate: str, console: Console) -> None:
    """Show the verdicts, and what became of the file."""
    console.print()
    console.print(table_of(results))
    console.print(escape(fate))


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

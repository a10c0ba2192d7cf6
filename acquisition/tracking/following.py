"""Poses of one frame in another, taken from a tracker while a person moves a tool, until there are enough."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from acquisition.timeline import PoseTimeline
from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout
from devices.protocols import Connection, DeviceSettings
from devices.readings import PoseReading
from navigation.frame_graph import FrameGraph, still
from navigation.frames import Frame
from navigation.transforms import RigidTransform

LOOK_S = 0.25
"""Between two looks at how far it is: as often as a person reads."""

SILENCE_S = 5.0
"""Without a reading for so long the tracker has failed: nobody operates meanwhile, and a busy host may stall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a motion is.

    Attributes
    ----------
    share
        Of what is wanted, 0 to 1; at 1 it ends.
    words
        What is reached and what is wanted.

    """

    share: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A pose and when it was taken, host monotonic clock, s."""

    at_s: float
    transform: RigidTransform


class Screen(Protocol):
    """Shows how far it is."""

    def show(self, progress: Progress) -> None:
        """Replace what was shown."""

    def close(self) -> None:
        """Take it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A tracker to be asked for one of its tools.

    Attributes
    ----------
    name, device
        Its name and entry in the site file.
    tool
        The tool's name as the tracker sends it.
    reference
        The tool fixed to the patient; None: the tracker itself stands still beside her.
    clock
        Stamps readings.

    """

    name: str
    device: DeviceSettings[PoseReading]
    tool: str
    clock: Clock
    reference: str | None = None


class Follower:
    """Follows the tools of an open tracker; made by ``open_follower``.

    Readings between two collections are received and dropped, so that none waits in a buffer and is taken for a
    later one.
    """

    def __init__(self, camera: Camera, *, identity: str, tool_from_tip: RigidTransform | None) -> None:
        self.identity = identity
        """What the tracker says it is; empty where it cannot say."""
        self._camera = camera
        self._arrived: asyncio.Queue[PoseReading | DeviceError] = asyncio.Queue()
        self._failure: DeviceError | None = None
        self._is_collecting = False
        named = [camera.tool] if camera.reference is None else [camera.tool, camera.reference]
        self._timelines = {tool: PoseTimeline() for tool in named}
        self._graph = self._graph_of(tool_from_tip)

    async def receive(self, connection: Connection[PoseReading]) -> None:
        """Take the connection's readings until it fails; its error is raised in the collection that needs it."""
        readings = aiter(connection)
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    reading = await anext(readings)
                if self._is_collecting and reading.tool in self._timelines:
                    self._arrived.put_nowait(reading)
        except TimeoutError:
            self._fail(
                DeviceTimeout(
                    self._camera.name,
                    f"no reading for {SILENCE_S:g} s; check that it is switched on and plugged in",
                )
            )
        except DeviceError as exc:
            self._fail(exc)

    async def collect(
        self,
        to: Frame,
        from_: Frame,
        *,
        progress: Callable[[Sequence[Pose]], Progress],
        longest_s: float,
        screen: Screen,
    ) -> list[Pose]:
        """Collect ``to_from_from`` from now on until ``progress`` says that it is enough, or the time is up.

        Raises
        ------
        DeviceError
            Where the tracker failed since it was opened.

        """
        if self._failure is not None:
            raise self._failure
        began_s = looked_s = self._camera.clock()
        poses, waiting = list[Pose](), deque[float]()
        self._is_collecting = True
        try:
            while (left_s := began_s + longest_s - self._camera.clock()) > 0:
                reading = await self._next(min(left_s, LOOK_S))
                if reading is not None:
                    self._timelines[reading.tool].add(reading)
                    if reading.tool == self._camera.tool and reading.taken_at_s >= began_s:
                        waiting.append(reading.taken_at_s)
                    self._place(waiting, poses, to, from_)
                if (now_s := self._camera.clock()) - looked_s >= LOOK_S:
                    looked_s, found = now_s, progress(poses)
                    screen.show(self._seen(found))
                    if found.share >= 1:
                        break
        finally:
            self._is_collecting = False
            screen.close()
        return poses

    def unseen(self) -> str:
        """Name the tool that the tracker does not see now; empty where it sees what is needed."""
        for tool, timeline in self._timelines.items():
            if timeline.newest is None or timeline.newest.tracker_from_tool is None:
                return tool
        return ""

    def has_told(self, tool: str) -> bool:
        """Whether the tracker has told anything of the tool, be it that it does not see it."""
        return self._timelines[tool].newest is not None

    async def _next(self, longest_s: float) -> PoseReading | None:
        """Give the next reading; None where the tracker tells of no tool that is followed for so long."""
        try:
            async with asyncio.timeout(longest_s):
                reading = await self._arrived.get()
        except TimeoutError:
            return None
        if isinstance(reading, DeviceError):
            raise reading
        return reading

    def _seen(self, progress: Progress) -> Progress:
        if unseen := self.unseen():
            return Progress(share=progress.share, words=f"{unseen} is not seen: turn it to the camera")
        return progress

    def _place(self, waiting: deque[float], poses: list[Pose], to: Frame, from_: Frame) -> None:
        while waiting and all(timeline.reaches(waiting[0]) for timeline in self._timelines.values()):
            at_s = waiting.popleft()
            found = self._graph.at(to, from_, at_s).transform
            if found is None:
                continue
            if poses and poses[-1].at_s == at_s:
                poses.pop()  # of those that came together the last told holds
            poses.append(Pose(at_s=at_s, transform=found))

    def _fail(self, failure: DeviceError) -> None:
        self._failure = failure
        self._arrived.put_nowait(failure)

    def _graph_of(self, tool_from_tip: RigidTransform | None) -> FrameGraph:
        graph, camera = FrameGraph(), self._camera
        graph.join(Frame.TRACKER, Frame.TOOL, partial(self._timelines[camera.tool].edge, Frame.TOOL))
        if camera.reference is None:
            here = RigidTransform.identity(Frame.TRACKER, Frame.REFERENCE)
            graph.join(Frame.TRACKER, Frame.REFERENCE, still(here))
        else:
            edge = partial(self._timelines[camera.reference].edge, Frame.REFERENCE)
            graph.join(Frame.TRACKER, Frame.REFERENCE, edge)
        if tool_from_tip is not None:
            graph.join(Frame.TOOL, Frame.TIP, still(tool_from_tip))
        return graph


@asynccontextmanager
async def open_follower(camera: Camera, *, tool_from_tip: RigidTransform | None = None) -> AsyncIterator[Follower]:
    """Open the tracker and follow its tools while in use; ``tool_from_tip`` is needed for frame ``TIP``.

    Raises
    ------
    DeviceError
        Where it cannot be opened.

    """
    async with camera.device.connect(camera.name, clock=camera.clock) as connection:
        follower = Follower(camera, identity=connection.identity, tool_from_tip=tool_from_tip)
        task = asyncio.create_task(follower.receive(connection), name=f"{camera.name} poses")
        try:
            yield follower
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

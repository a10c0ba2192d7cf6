"""Everything that comes in: each device supervised, each reading recorded, then joined and believed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import structlog

from acquisition.archive import StudyArchive
from acquisition.board import Board
from acquisition.estimate.localising import Localiser
from acquisition.recording import Recorder
from acquisition.resection.resection import Resection
from acquisition.synchronise import Synchroniser, TipChain, TrackedCount
from acquisition.tapping import Tap
from devices.clock import Clock
from devices.dicom.client import StorageNode, run_node
from devices.dicom.settings import NodeSettings
from devices.dicom.study import FOUND_AT_START, ReceivedStudy
from devices.errors import DeviceUnavailable
from devices.protocols import DeviceSettings
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading
from devices.supervision import Supervisor

NODE_RESTART_S = 1.0

log = structlog.get_logger()

Reading = TypeVar("Reading")


class Intake:
    """Runs the devices of one room and passes on what they deliver.

    Parameters
    ----------
    board
        Learns of every reading.
    recorder
        Writes every reading before anybody uses it.
    localiser, archive
        Take the tracked counts and the received studies.
    resection
        Takes the probe's counts while a specimen is counted: they are then none of the patient.
    on_health
        Told of every change of a link.
    on_pose
        Called after each pose of the tracker that navigates.
    clock
        Host monotonic clock.
    jitter
        Gives a number in [0, 1): spreads attempts to reopen devices.
    unentered
        Says why nothing is entered into the procedure's record any more; empty while it is.

    """

    def __init__(
        self,
        *,
        board: Board,
        recorder: Recorder,
        localiser: Localiser,
        archive: StudyArchive,
        resection: Resection,
        on_health: Callable[[DeviceHealth], None],
        on_pose: Callable[[], None],
        clock: Clock,
        jitter: Callable[[], float],
        unentered: Callable[[], str] = lambda: "",
    ) -> None:
        self.node: asyncio.Future[StorageNode] = asyncio.get_running_loop().create_future()
        """The storage node, once it listens for the first time."""
        self.running_node: StorageNode | None = None
        """The storage node that runs now; None while none does."""
        self.synchroniser: Synchroniser | None = None
        self._board = board
        self._recorder = recorder
        self._unentered = unentered
        self._localiser = localiser
        self._archive = archive
        self._resection = resection
        self._on_health = on_health
        self._on_pose = on_pose
        self._clock = clock
        self._jitter = jitter
        self._navigators: tuple[str, str] | None = None
        self._calibrated = ""
        self._recorder_state = LinkState.CONNECTING
        self._received: asyncio.Queue[ReceivedStudy] = asyncio.Queue()
        self._supervisors: dict[str, Supervisor[Any]] = {}
        self._count_taps: dict[str, Tap[CountReading]] = {}
        self._pose_taps: dict[str, Tap[PoseReading]] = {}

    def navigate(
        self,
        probe: str,
        tracker: str,
        chain: TipChain,
        *,
        longest_gap_s: float,
        calibrated: str,
        delay_s: float = 0.0,
    ) -> None:
        """Join the counts of one probe with the poses of one tracker.

        ``calibrated`` is what the probe said it is when it was calibrated; empty where it cannot say.
        Counts are ``delay_s`` behind poses.
        """
        self._navigators = probe, tracker
        self._calibrated = calibrated
        self.synchroniser = Synchroniser(chain, emit=self._track, longest_gap_s=longest_gap_s, delay_s=delay_s)

    def tap_counts(self, name: str, device: DeviceSettings[CountReading]) -> Tap[CountReading]:
        """Let a calibration listen to a probe; while it does no count is taken for one of the patient."""
        identity = partial(self._identity, name)
        return self._count_taps.setdefault(name, Tap(device, identity=identity, clock=self._clock))

    def tap_poses(self, name: str, device: DeviceSettings[PoseReading]) -> Tap[PoseReading]:
        """Let a calibration listen to a tracker, likewise."""
        identity = partial(self._identity, name)
        return self._pose_taps.setdefault(name, Tap(device, identity=identity, clock=self._clock))

    def stranger(self) -> str:
        """Say why the probe in hand is not the one that was calibrated; empty while it is, or cannot say."""
        if self._navigators is None or self._navigators[0] not in self._supervisors:
            return ""
        identity = self._supervisors[self._navigators[0]].identity
        if not identity or not self._calibrated or identity == self._calibrated:
            return ""
        return (
            f"The calibration is of another probe ({self._calibrated}, not {identity}): run acquire with this one"
        )

    def jobs(
        self,
        *,
        probes: Mapping[str, DeviceSettings[CountReading]],
        trackers: Mapping[str, DeviceSettings[PoseReading]],
        node: NodeSettings | None,
    ) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Name what runs for ever: one job for each device, and those that work on what they deliver."""
        for name, probe in probes.items():
            yield name, self._supervise(name, probe, self.count)
        for name, tracker in trackers.items():
            yield name, self._supervise(name, tracker, self.pose)
        if node is not None:
            yield "dicom", self._receive_studies(node)
            yield "studies", self._take_studies()
        yield "posterior", self._localiser.run()
        yield "resection", self._resection.run()

    def _supervise(
        self, name: str, settings: DeviceSettings[Reading], take: Callable[[Reading], None]
    ) -> Coroutine[Any, Any, None]:
        supervisor = Supervisor(
            name, settings, on_reading=take, on_health=self._on_health, clock=self._clock, jitter=self._jitter
        )
        self._supervisors[name] = supervisor
        return supervisor.run()

    def count(self, reading: CountReading) -> None:
        """Take a probe's reading."""
        self._recorder.count(reading)
        self._tell_recorder()
        self._board.count(reading)
        if (tap := self._count_taps.get(reading.device)) is not None:
            tap.take(reading)
        self._resection.take_count(reading)
        if self.synchroniser and self._navigators and reading.device == self._navigators[0]:
            self.synchroniser.add_count(reading, now_s=self._clock())

    def pose(self, reading: PoseReading) -> None:
        """Take a tracker's reading."""
        self._recorder.pose(reading)
        self._tell_recorder()
        self._board.pose(reading, against=self._namesake(reading))
        if (tap := self._pose_taps.get(reading.device)) is not None:
            tap.take(reading)
        if self.synchroniser and self._navigators and reading.device == self._navigators[1]:
            self.synchroniser.add_pose(reading, now_s=self._clock())
            self._on_pose()

    def _namesake(self, reading: PoseReading) -> str:
        """Say that another tracker sends a tool by which this room navigates; empty where it does not."""
        if self.synchroniser is None or self._navigators is None or reading.device == self._navigators[1]:
            return ""
        if reading.tracker_from_tool is None or reading.tool not in self.synchroniser.chain.tools:
            return ""
        return (
            f"{self._navigators[1]} navigates by a tool of the same name, so this one is not used: "
            "give one of the two another name"
        )

    def _tell_recorder(self) -> None:
        """Tell when the recording begins, and when it or the procedure's record fails; readings go on."""
        failure = self._recorder.failure or self._unentered()
        state = LinkState.LOST if failure else LinkState.LIVE
        if state is not self._recorder_state:
            self._recorder_state = state
            self._on_health(DeviceHealth(device="recorder", state=state, since_s=self._clock(), detail=failure))

    def _track(self, tracked: TrackedCount) -> None:
        self._board.tally.tracked_counts += 1
        if self.stranger() or self._is_calibrating(tracked.middle_s):
            return
        if self._resection.is_of_patient(tracked.middle_s):
            self._localiser.take(tracked)

    def _is_calibrating(self, at_s: float) -> bool:
        taps: tuple[Tap[Any], ...] = (*self._count_taps.values(), *self._pose_taps.values())
        return any(tap.listened_at(at_s) for tap in taps)

    def _identity(self, name: str) -> str:
        return self._supervisors[name].identity if name in self._supervisors else ""

    async def _receive_studies(self, settings: NodeSettings) -> None:
        """Run the storage node, and start it again if it ends: what it stored it announces anew."""
        lost: DeviceHealth | None = None
        while True:
            try:
                async with run_node(settings, clock=self._clock) as node:
                    if not self.node.done():
                        self.node.set_result(node)
                    self.running_node, lost = node, None
                    await self._follow(node)
            except DeviceUnavailable as exc:
                self.running_node = None
                detail = str(exc).removeprefix(f"{exc.device}: ")
                if lost is None or detail != lost.detail:
                    log.warning("device", device=exc.device, state=str(LinkState.LOST), detail=detail)
                    since_s = lost.since_s if lost else self._clock()
                    lost = DeviceHealth(device=exc.device, state=LinkState.LOST, since_s=since_s, detail=detail)
                    self._on_health(lost)
            await asyncio.sleep(NODE_RESTART_S)

    async def _follow(self, node: StorageNode) -> None:
        """Pass on the node's studies, and tell of whom it refuses, until its process ends."""
        # no TaskGroup: where the node ends while we are cancelled, it would raise the first and eat the second
        tasks = (
            asyncio.create_task(self._pass_on(node), name=f"{node.device} studies"),
            asyncio.create_task(self._tell_of(node), name=f"{node.device} health"),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, node: StorageNode) -> None:
        async for received in node.studies():
            if received.reason != FOUND_AT_START:
                self._board.delivered_s[node.device] = self._clock()
            self._received.put_nowait(received)

    async def _take_studies(self) -> None:
        """Take one study after another: that one is long read keeps nobody from seeing that the node has ended."""
        while True:
            received = await self._received.get()
            self._recorder.study(received)
            self._board.tally.studies += await self._archive.take(received)

    async def _tell_of(self, node: StorageNode) -> None:
        async with aclosing(node.health_changes()) as changes:
            async for health in changes:
                if health.state is LinkState.LIVE:  # that it is lost is told with what is done about it
                    self._on_health(health)

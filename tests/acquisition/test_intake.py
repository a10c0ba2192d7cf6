"""What comes in: recorded before it is used, joined for the probe in hand only, studies of a real node."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.estimate.localising import Localiser
from acquisition.intake import Intake
from acquisition.recording import Recorder, record
from acquisition.studies.reading import StudyMap, read_map
from acquisition.synchronise import TipChain
from devices.clock import monotonic
from devices.dicom.client import StorageNode
from devices.dicom.echo import echo
from devices.dicom.settings import NodeSettings
from devices.dicom.study import ReceivedStudy
from devices.errors import DeviceUnavailable
from devices.probes.amptek import Settings as Amptek
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading, PoseStatus
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.console.sender import send_study
from simulators.console.study import make_study
from simulators.ports import open_pty_port
from simulators.probes.amptek import SimulatedAmptek
from simulators.scene import sentinel_node_scene
from tests.acquisition.estimate.test_localising import premises
from tests.acquisition.resected import resection
from tests.acquisition.test_recording import messages, only_file

CHAIN = TipChain(
    tool="Probe",
    reference=None,
    tool_from_tip=RigidTransform.identity(Frame.TOOL, Frame.TIP),
    patient_from_reference=RigidTransform.identity(Frame.PATIENT, Frame.REFERENCE),
)


class Door:
    """An intake and what went through it."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        is_calibrating: Callable[[], bool] = lambda: False,
        unentered: Callable[[], str] = lambda: "",
    ) -> None:
        self.board = Board()
        self.healths: list[DeviceHealth] = []
        self.poses: list[int] = []
        self.used: list[ArchivedStudy | None] = []
        self.archive = StudyArchive(patient_id="SIM-0001", read=self._read, on_use=self._use)
        localiser = Localiser(clock=monotonic)
        self.resection = resection(localiser, is_calibrating=is_calibrating)
        self.localiser = localiser
        self.intake = Intake(
            board=self.board,
            recorder=recorder,
            localiser=localiser,
            archive=self.archive,
            resection=self.resection,
            on_health=self._tell,
            on_pose=lambda: self.poses.append(self.board.tally.poses),
            clock=monotonic,
            jitter=np.random.default_rng(1).random,
            unentered=unentered,
        )

    async def _read(self, received: ReceivedStudy) -> StudyMap:
        return await asyncio.to_thread(read_map, received.objects)

    async def _use(self, archived: ArchivedStudy | None) -> None:
        self.used.append(archived)

    def _tell(self, health: DeviceHealth) -> None:
        self.healths.append(health)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that came in to make this true."""
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(door: Door, node: NodeSettings) -> AsyncIterator[None]:
    """Run all its jobs, and cancel them at the end."""
    jobs = [
        asyncio.create_task(job, name=name) for name, job in door.intake.jobs(probes={}, trackers={}, node=node)
    ]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes


def count(device: str, at_s: float) -> CountReading:
    return CountReading(device=device, taken_at_s=at_s, real_time_s=0.1, live_time_s=0.1, counts=3)


def pose(device: str, at_s: float) -> PoseReading:
    seen = RigidTransform.identity(Frame.TRACKER, Frame.TOOL)
    return PoseReading(device=device, tool="Probe", taken_at_s=at_s, tracker_from_tool=seen)


async def test_a_reading_is_recorded_before_anybody_uses_it(tmp_path: Path) -> None:
    """At the moment of its recording the board does not know of it yet."""
    known: list[tuple[int, int]] = []

    class WatchedRecorder(Recorder):
        def count(self, reading: CountReading) -> None:
            known.append((door.board.tally.readings, door.board.tally.poses))
            super().count(reading)

        def pose(self, reading: PoseReading) -> None:
            known.append((door.board.tally.readings, door.board.tally.poses))
            super().pose(reading)

    with record(tmp_path, simulated=True) as plain:
        door = Door(WatchedRecorder(plain._writer, stream=plain._stream))
        door.intake.count(count("gamma", 1.0))
        door.intake.pose(pose("camera", 1.05))
    assert known == [(0, 0), (1, 0)]
    assert (door.board.tally.readings, door.board.tally.poses) == (1, 1)
    assert [topic for topic, _, _ in messages(only_file(tmp_path))] == ["/counts/gamma", "/poses/camera/Probe"]


async def test_a_tool_of_another_tracker_is_named_and_not_used(tmp_path: Path) -> None:
    """The tip stays where the configured tracker sees it; the other one's tool says why it is not used."""
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        door.intake.navigate("gamma", "camera", CHAIN, longest_gap_s=0.2, calibrated="")
        elsewhere = RigidTransform(
            to=Frame.TRACKER, from_=Frame.TOOL, rotation=np.eye(3), translation_mm=np.array([500.0, 0.0, 0.0])
        )
        door.intake.pose(pose("camera", 1.0))
        door.intake.pose(replace(pose("spare", 1.01), tracker_from_tool=elsewhere))
        assert door.intake.synchroniser is not None
        tip = door.intake.synchroniser.newest_tip()
        assert tip is not None
        assert (tip.tracker, tip.patient_from_tip.translation_mm.tolist()) == ("camera", [0.0, 0.0, 0.0])
        assert door.board.tools["spare"]["Probe"].said == (
            "camera navigates by a tool of the same name, so this one is not used: "
            "give one of the two another name"
        )
        assert not door.board.tools["camera"]["Probe"].said
        # the configured tracker loses it: the other one does not stand in for it
        blind = replace(pose("camera", 1.02), tracker_from_tool=None, status=PoseStatus.MISSING)
        door.intake.pose(blind)
        door.intake.pose(replace(pose("spare", 1.03), tracker_from_tool=elsewhere))
        assert door.intake.synchroniser.newest_tip() is None
        # what no part of navigation is called by is nobody's namesake
        door.intake.pose(replace(pose("spare", 1.04), tool="Pointer"))
        assert not door.board.tools["spare"]["Pointer"].said
        # nor is what the other one does not see: that it is not seen is what there is to say
        door.intake.pose(replace(blind, device="spare", taken_at_s=1.05))
        assert "same name" not in door.board.tools["spare"]["Probe"].said


async def test_what_is_counted_on_the_bench_is_not_believed_of_the_patient(tmp_path: Path) -> None:
    """A specimen's counts go to the specimen alone, though the tracker sees the probe; hers go on afterwards."""
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        door.intake.navigate("gamma", "camera", CHAIN, longest_gap_s=0.2, calibrated="")
        door.localiser.begin(premises())
        for number, bench in enumerate((False, True, False)):
            if bench:
                assert door.resection.count_bench("specimen") is None
            at_s = monotonic() + number
            door.intake.pose(pose("camera", at_s))
            door.intake.count(count("gamma", at_s))
            door.intake.pose(pose("camera", at_s + 0.15))
            if bench:
                assert door.resection.counting is not None
                assert door.resection.counting.counts == 3
                door.resection.stop()
    assert door.board.tally.tracked_counts == 3
    assert door.localiser._course is not None
    assert len(door.localiser._course.waiting) == 2


async def test_only_the_probe_in_hand_and_its_tracker_are_joined(tmp_path: Path) -> None:
    """The counter on the wall and a second camera are recorded and shown, never localised with."""
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        door.intake.navigate("gamma", "camera", CHAIN, longest_gap_s=0.2, calibrated="")
        for camera in ("camera", "other"):
            door.intake.pose(pose(camera, 1.0))
        door.intake.count(count("monitor", 1.0))
        door.intake.pose(pose("other", 1.1))
        assert door.board.tally.tracked_counts == 0
        door.intake.count(count("gamma", 1.0))
        door.intake.pose(pose("camera", 1.1))
    assert door.board.tally.tracked_counts == 1
    assert (door.board.tally.readings, door.board.tally.poses) == (2, 4)
    assert door.poses == [1, 4], "others follow the tracker that navigates"


async def test_a_study_comes_in_and_survives_the_nodes_death(tmp_path: Path) -> None:
    """A killed node is told as lost and started again; the map in use is neither lost nor begun anew."""
    scene, taken_at = sentinel_node_scene(), datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    *_, nm = make_study(scene, tmp_path / "console", rng=np.random.default_rng(7), taken_at=taken_at)
    settings = NodeSettings(
        port=0, folder=tmp_path / "studies", allowed_ae_titles=("SPECTCT",), quiet_s=0.2, free_floor_mb=1
    )
    with record(tmp_path / "recordings", simulated=True) as recorder:
        door = Door(recorder)
        async with running(door, settings):
            node = await door.intake.node
            await send_study([nm], node.host, node.port, calling_ae="SPECTCT", called_ae=settings.ae_title)
            await door.until(lambda: len(door.used) == 1)
            os.kill(node.process_id, signal.SIGKILL)
            await door.until(lambda: recorder._sequence == 2)
            studies = door.board.tally.studies
    assert [health.state for health in door.healths] == [LinkState.LIVE, LinkState.LOST, LinkState.LIVE]
    assert studies == 1, "what was found again is not new"
    assert "exit code" in door.healths[1].detail
    assert len(door.used) == 1
    assert door.archive.in_use is not None
    assert door.archive.in_use.study.patient_id == "SIM-0001"
    topics = [topic for topic, _, _ in messages(only_file(tmp_path / "recordings"))]
    assert topics == ["/studies", "/studies"]


async def test_a_node_that_dies_while_a_study_is_read_is_told_at_once_and_started_again(tmp_path: Path) -> None:
    """Reading can take minutes: nobody waits for it to learn that no console is heard, nor the next node to start.

    What was received before is taken before what the next node finds, and the dead one's figures are nobody's.
    """
    scene, taken_at = sentinel_node_scene(), datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    *_, nm = make_study(scene, tmp_path / "console", rng=np.random.default_rng(7), taken_at=taken_at)
    settings = NodeSettings(
        port=0, folder=tmp_path / "studies", allowed_ae_titles=("*",), quiet_s=0.1, free_floor_mb=1
    )
    is_reading, may_read = asyncio.Event(), asyncio.Event()
    running_at_loss: list[StorageNode | None] = []

    class SlowDoor(Door):
        async def _read(self, received: ReceivedStudy) -> StudyMap:
            is_reading.set()
            await may_read.wait()
            return await super()._read(received)

        def _tell(self, health: DeviceHealth) -> None:
            super()._tell(health)
            if health.state is LinkState.LOST:
                running_at_loss.append(self.intake.running_node)

    with record(tmp_path / "recordings", simulated=True) as recorder:
        door = SlowDoor(recorder)
        async with running(door, settings):
            node = await door.intake.node
            await send_study([nm], node.host, node.port, calling_ae="CT", called_ae=settings.ae_title)
            async with asyncio.timeout(20):
                await is_reading.wait()
            os.kill(node.process_id, signal.SIGKILL)
            await door.until(lambda: len(door.healths) == 3)
            assert not door.used
            may_read.set()
            await door.until(lambda: recorder._sequence == 2)
    assert [health.state for health in door.healths] == [LinkState.LIVE, LinkState.LOST, LinkState.LIVE]
    assert running_at_loss == [None]
    assert len(door.used) == 1


async def test_an_error_of_who_is_told_of_the_node_ends_the_job(tmp_path: Path) -> None:
    """It is a fault of ours: a task that ended over it in silence would leave the last state standing for ever."""
    settings = NodeSettings(port=0, folder=tmp_path / "studies", allowed_ae_titles=("SPECTCT",))

    class DeafDoor(Door):
        def _tell(self, health: DeviceHealth) -> None:
            if "STRANGER" in health.detail:
                raise RuntimeError("not told")

    with record(tmp_path, simulated=True) as recorder:
        door = DeafDoor(recorder)
        jobs = dict(door.intake.jobs(probes={}, trackers={}, node=settings))
        receiving = asyncio.create_task(jobs.pop("dicom"))
        for job in jobs.values():
            job.close()
        node = await door.intake.node
        with pytest.raises(DeviceUnavailable):
            await echo(node.host, node.port, called_ae="RADIONAV", calling_ae="STRANGER")
        async with asyncio.timeout(20):
            with pytest.raises(RuntimeError, match="not told"):
                await receiving


@pytest.mark.parametrize("is_study_read", [False, True])
async def test_cancelling_ends_the_node(tmp_path: Path, is_study_read: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """No process of the node stays behind, also where a study is just being read."""
    settings = NodeSettings(
        port=0, folder=tmp_path / "studies", allowed_ae_titles=("*",), quiet_s=0.1, free_floor_mb=1
    )
    reading = asyncio.Event()

    class SlowDoor(Door):
        async def _read(self, received: ReceivedStudy) -> StudyMap:
            reading.set()
            await asyncio.get_running_loop().create_future()
            return await super()._read(received)

    with record(tmp_path / "recordings", simulated=True) as recorder:
        door = SlowDoor(recorder)
        async with running(door, settings):
            node = await door.intake.node
            if is_study_read:
                scene, taken_at = sentinel_node_scene(), datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
                *_, nm = make_study(scene, tmp_path / "console", rng=np.random.default_rng(7), taken_at=taken_at)
                await send_study([nm], node.host, node.port, calling_ae="CT", called_ae=settings.ae_title)
                async with asyncio.timeout(20):
                    await reading.wait()
    with pytest.raises(ProcessLookupError):
        os.kill(node.process_id, 0)


async def test_another_probe_than_the_calibrated_one_does_not_guide(tmp_path: Path) -> None:
    """Its counts are recorded and shown, and a sentence names both; none reaches the estimate."""
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        instrument = SimulatedAmptek(
            lambda _start, _end: 5,
            powered_at_s=monotonic(),
            rng=np.random.default_rng(1),
            serial_number=777,
        )
        async with open_pty_port(instrument, tmp_path / "gamma") as port:
            settings = Amptek(driver="amptek", port=port.url, window_kev=(126, 154), energy_kev_per_channel=1.0)
            calibrated = "Amptek DP5, serial number 12345, firmware 6.08.00"
            door.intake.navigate("gamma", "camera", CHAIN, longest_gap_s=0.2, calibrated=calibrated)
            jobs = [
                asyncio.create_task(job, name=name)
                for name, job in door.intake.jobs(probes={"gamma": settings}, trackers={}, node=None)
            ]
            await door.until(lambda: door.board.tally.readings > 0)
            assert "12345" in door.intake.stranger()
            assert "777" in door.intake.stranger()
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def test_a_failed_recording_is_told_once(tmp_path: Path) -> None:
    """The recording is shown as live with its first reading, and as lost when it fails."""
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        door.intake.count(count("gamma", 1.0))
        recorder.failure = "nothing is recorded any more"
        door.intake.count(count("gamma", 1.1))
        door.intake.count(count("gamma", 1.2))
    assert [(health.device, health.state) for health in door.healths] == [
        ("recorder", LinkState.LIVE),
        ("recorder", LinkState.LOST),
    ]


async def test_a_failed_record_of_the_procedure_is_told_with_the_recording(tmp_path: Path) -> None:
    """Whoever does not look at the procedure sees it too: lost, with why and what to do."""
    failures = [""]
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder, unentered=lambda: failures[-1])
        door.intake.count(count("gamma", 1.0))
        failures.append("the procedure is not recorded any more")
        door.intake.count(count("gamma", 1.1))
        door.intake.count(count("gamma", 1.2))
    assert [(health.state, health.detail) for health in door.healths] == [
        (LinkState.LIVE, ""),
        (LinkState.LOST, "the procedure is not recorded any more"),
    ]


async def test_whom_the_node_refuses_is_told(tmp_path: Path) -> None:
    """A console that is not on the list is named in the scanner's health, so that somebody can let it in."""
    settings = NodeSettings(port=0, folder=tmp_path / "studies", allowed_ae_titles=("SPECTCT",))
    with record(tmp_path, simulated=True) as recorder:
        door = Door(recorder)
        async with running(door, settings):
            node = await door.intake.node
            with pytest.raises(DeviceUnavailable):
                await echo(node.host, node.port, called_ae="RADIONAV", calling_ae="STRANGER")
            await door.until(lambda: any("STRANGER" in health.detail for health in door.healths))

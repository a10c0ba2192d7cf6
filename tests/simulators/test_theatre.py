"""The simulated room: its wires, joined by the shipped chain, give its truth back."""

import asyncio
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

from acquisition.synchronise import Synchroniser, TipChain, TrackedCount, TrackStatus
from config.site import read_site
from devices.clock import monotonic
from devices.readings import CountReading, PoseReading
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.console.study import make_study
from simulators.scene import sentinel_node_scene
from simulators.theatre import PATIENT_FROM_REFERENCE, PATIENT_TOOL, PROBE_TOOL, TOOL_FROM_TIP, open_theatre

SITE = read_site(Path(str(files("config"))) / "simulated.toml")
CHAIN = TipChain(
    tool=PROBE_TOOL,
    reference=PATIENT_TOOL,
    tool_from_tip=TOOL_FROM_TIP,
    patient_from_reference=PATIENT_FROM_REFERENCE,
)
STARTED_S = 500.0


class NotedClock:
    """The host's clock, and when it was first looked at: the scene's zero."""

    def __init__(self) -> None:
        self.first_s: float | None = None

    def __call__(self) -> float:
        """Tell the time."""
        now_s = monotonic()
        self.first_s = now_s if self.first_s is None else self.first_s
        return now_s


async def test_the_chain_gives_the_scenes_pose_back(tmp_path: Path) -> None:
    """A reference that sways, a marker on the handle, a registration: joined they are the truth to 1e-6 mm."""
    scene = sentinel_node_scene()
    async with open_theatre(scene, tmp_path, rng=np.random.default_rng(1), clock=lambda: STARTED_S) as theatre:
        poses = theatre.tracker._poses
    for offset_s in (0.0, 3.3125, 17.0, 41.875):
        emitted: list[TrackedCount] = []
        synchroniser, middle_s = Synchroniser(CHAIN, emit=emitted.append), STARTED_S + offset_s
        for tool, pose in poses(middle_s).items():
            reading = PoseReading(device="camera", tool=tool, taken_at_s=middle_s, tracker_from_tool=pose)
            synchroniser.add_pose(reading, now_s=middle_s)
        count = CountReading(
            device="gamma", taken_at_s=middle_s - 0.0625, real_time_s=0.125, live_time_s=0.1, counts=1
        )
        synchroniser.add_count(count, now_s=middle_s + 0.1)
        (tracked,) = emitted
        assert tracked.status is TrackStatus.OK
        assert tracked.patient_from_tip is not None
        assert np.allclose(tracked.patient_from_tip.matrix, scene.patient_from_tip(offset_s).matrix, atol=1e-6)


def test_the_site_file_knows_the_room_as_it_is() -> None:
    """Its two matrices are the theatre's: a sign the other way would guide to the wrong side."""
    navigation = SITE.navigation
    assert navigation is not None
    tip = RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)
    assert np.allclose(tip.matrix, TOOL_FROM_TIP.matrix)
    assert navigation.patient_from_reference is not None
    patient = RigidTransform.from_matrix(
        navigation.patient_from_reference, to=Frame.PATIENT, from_=Frame.REFERENCE
    )
    assert np.allclose(patient.matrix, PATIENT_FROM_REFERENCE.matrix)
    assert navigation.reference_tool == PATIENT_TOOL
    assert SITE.probes[navigation.probe].tool == PROBE_TOOL


async def test_the_wires_carry_the_scene(tmp_path: Path) -> None:
    """Through the shipped drivers: the tip is where the hand is but for noise and delay, and the probe counts."""
    scene, clock = sentinel_node_scene(), NotedClock()
    async with open_theatre(scene, tmp_path, rng=np.random.default_rng(1), clock=clock) as theatre:
        assert clock.first_s is not None
        place = {"host": theatre.tracker.host, "port": theatre.tracker.port}
        camera = SITE.trackers["camera"].model_copy(update=place)
        gamma = SITE.probes["gamma"].model_copy(update={"port": theatre.probe.url})
        tracked: list[TrackedCount] = []
        synchroniser = Synchroniser(CHAIN, emit=tracked.append)
        async with (
            asyncio.timeout(20),
            camera.connect("camera", clock=monotonic) as tracker,
            gamma.connect("gamma", clock=monotonic) as probe,
        ):
            poses, counts = aiter(tracker), aiter(probe)
            missed_mm = []
            while len(tracked) < 5:
                for _ in range(30):
                    synchroniser.add_pose(await anext(poses), now_s=monotonic())
                    tip = synchroniser.newest_tip()
                    if tip is not None:
                        truth = scene.patient_from_tip(tip.taken_at_s - clock.first_s)
                        offset_mm = tip.patient_from_tip.translation_mm - truth.translation_mm
                        missed_mm.append(float(np.linalg.norm(offset_mm)))
                synchroniser.add_count(await anext(counts), now_s=monotonic())
    assert len(missed_mm) > 100
    assert np.median(missed_mm) < 3.0
    assert {count.device for count in tracked} == {"gamma"}
    assert TrackStatus.OK in {count.status for count in tracked}


async def test_every_port_of_the_site_file_is_there_and_goes(tmp_path: Path) -> None:
    """Each simulated probe of the site file has a port while the theatre is open, and none afterwards."""
    scene = sentinel_node_scene()
    async with open_theatre(scene, tmp_path, rng=np.random.default_rng(1), clock=monotonic) as theatre:
        assert set(theatre.ports) == set(SITE.probes)
        links = [Path(port.url) for port in theatre.ports.values()]
        assert all(link.exists() for link in links)
    assert not any(link.exists() for link in links)


async def test_a_scan_that_is_cut_short_leaves_its_folder_alone(tmp_path: Path) -> None:
    """Ended while the study is being written, the console is no longer writing: its folder can be removed."""
    console = tmp_path / "console"
    async with open_theatre(
        sentinel_node_scene(), tmp_path, rng=np.random.default_rng(1), clock=lambda: STARTED_S
    ) as theatre:
        sending = asyncio.create_task(theatre.send_study("127.0.0.1", 1, called_ae="NOBODY"))
        while not list(console.glob("*.dcm")):  # noqa: ASYNC110 - a thread writes, and tells nobody
            await asyncio.sleep(0)
        while not sending.done():  # told once by who waits for it, and again by who ends all that runs
            sending.cancel()
            await asyncio.sleep(0)
        left = len(list(console.iterdir()))
    assert sending.cancelled()
    whole = make_study(
        sentinel_node_scene(), tmp_path / "whole", rng=np.random.default_rng(1), taken_at=datetime.now(tz=UTC)
    )
    assert left == len(whole)

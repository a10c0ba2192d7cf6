"""Poses that are collected while a tool is moved, and what is said of a tool that is not seen."""

import asyncio
from collections.abc import Sequence

import numpy as np

from acquisition.tracking.following import Camera, Pose, Progress, open_follower
from devices.clock import monotonic
from devices.trackers.igtl import Message
from devices.trackers.igtl_bodies import Transform, elements_of
from devices.trackers.openigtlink import Settings
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from simulators.trackers.openigtlink import serve_tracker


class Shown:
    """A screen that keeps what was shown."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def show(self, progress: Progress) -> None:
        """Keep the words."""
        self.words.append(progress.words)

    def close(self) -> None:
        """Leave them."""


def transform(x_mm: float) -> bytes:
    """A TRANSFORM of the tool at a place."""
    pose = RigidTransform(
        to=Frame.TRACKER, from_=Frame.TOOL, rotation=np.eye(3), translation_mm=np.array([x_mm, 0.0, -900.0])
    )
    content = Transform(elements=elements_of(pose)).to_bytes()
    return Message(kind="TRANSFORM", device_name="Probe", content=content).to_bytes()


async def test_of_a_batch_the_last_pose_is_collected() -> None:
    """Three poses in one packet have one time: the last is where the tool is."""

    def enough(poses: Sequence[Pose]) -> Progress:
        return Progress(share=float(len(poses)), words=f"{len(poses)} poses")

    async with serve_tracker(lambda _: {}, rng=np.random.default_rng(1)) as tracker:
        tracker.is_silent = True
        device = Settings(driver="openigtlink", host=tracker.host, port=tracker.port, tools=("Probe",))
        camera = Camera(name="camera", device=device, tool="Probe", clock=monotonic)
        async with open_follower(camera, tool_from_tip=None) as follower:
            collecting = asyncio.create_task(
                follower.collect(Frame.TRACKER, Frame.TOOL, progress=enough, longest_s=10.0, screen=Shown())
            )
            await asyncio.sleep(0)  # it begins
            tracker.send(b"".join(transform(float(x_mm)) for x_mm in range(3)))
            poses = await collecting
    assert [pose.transform.translation_mm[0] for pose in poses] == [2.0]


async def test_a_tool_that_is_not_seen_is_named_while_it_is_waited_for() -> None:
    """What a person reads then is to turn the tool to the camera, not how far it is."""
    screen = Shown()

    def none(_: Sequence[Pose]) -> Progress:
        return Progress(share=0.0, words="move it")

    async with serve_tracker(lambda _: {"Probe": None}, rng=np.random.default_rng(1)) as tracker:
        device = Settings(driver="openigtlink", host=tracker.host, port=tracker.port, tools=("Probe",))
        camera = Camera(name="camera", device=device, tool="Probe", clock=monotonic)
        async with open_follower(camera, tool_from_tip=None) as follower:
            poses = await follower.collect(Frame.TRACKER, Frame.TOOL, progress=none, longest_s=0.6, screen=screen)
            assert follower.unseen() == "Probe"
    assert poses == []
    assert set(screen.words) == {"Probe is not seen: turn it to the camera"}

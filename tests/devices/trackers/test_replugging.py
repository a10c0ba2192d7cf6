"""A tracker whose cable is out, and back: lost in words, no pose meanwhile, then live with nothing else done."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from devices.clock import monotonic
from devices.protocols import DeviceSettings
from devices.readings import DeviceHealth, LinkState, PoseReading, PoseStatus
from devices.supervision import Supervisor
from navigation.transforms import RigidTransform
from simulators.ports import PtyPort
from simulators.trackers.openigtlink import SimulatedTracker, serve_tracker
from tests.devices.trackers import test_ndi as ndi
from tests.devices.trackers import test_openigtlink as igtl


class Watched:
    """A supervised tracker, with what it has published."""

    def __init__(self, settings: DeviceSettings[PoseReading]) -> None:
        self.poses = 0
        self._changed = asyncio.Event()
        self.supervisor = Supervisor(
            "camera",
            settings,
            on_reading=self._take,
            on_health=lambda _: self._changed.set(),
            clock=monotonic,
            jitter=lambda: 0.0,
        )

    def _take(self, reading: PoseReading) -> None:
        assert (reading.status is PoseStatus.OK) == (reading.tracker_from_tool is not None)
        self.poses += reading.tracker_from_tool is not None
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something that is published makes this true."""
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    async def until_state(self, state: LinkState) -> DeviceHealth:
        """Wait for a state."""
        await self.until(lambda: self.supervisor.health.state is state)
        return self.supervisor.health

    async def lives_on(self) -> None:
        """Wait until it is live and new poses have come."""
        before = self.poses
        await self.until_state(LinkState.LIVE)
        await self.until(lambda: self.poses > before + 5)


@asynccontextmanager
async def watched(settings: DeviceSettings[PoseReading]) -> AsyncIterator[Watched]:
    """Supervise a tracker until the end of the block."""
    device = Watched(settings)
    running = asyncio.create_task(device.supervisor.run(), name="camera")
    try:
        yield device
    finally:
        running.cancel()
        (outcome,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError)


def moving(at_s: float) -> dict[str, RigidTransform | None]:
    """A probe that moves along x by 1 mm/s."""
    return {"Probe": igtl.pose(at_s)}


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[SimulatedTracker]:
    """A tracker that serves OpenIGTLink, for no longer than a test lasts."""
    async with asyncio.timeout(60), serve_tracker(moving, rng=np.random.default_rng(1), port=port) as served:
        yield served


@pytest.mark.parametrize("way", ["serial", "closed", "cut"])
async def test_an_ndi_tracker_is_set_up_anew_after_its_cable_was_out(tmp_path: Path, way: str) -> None:
    """Over serial, and over TCP that ends in order or is cut: its tools are loaded and enabled again."""
    async with ndi.room(tmp_path, is_serial=way == "serial") as there, watched(there.settings()) as camera:
        await camera.lives_on()
        if isinstance(there.port, PtyPort):
            there.port.pull()
        else:
            await there.port.pull(is_abrupt=way == "cut")
        health, before = await camera.until_state(LinkState.LOST), camera.poses
        away = f"{'there is no port' if way == 'serial' else 'nobody listens at'} {there.port.url}: "
        gone = f"{there.port.url} is gone"  # and then, unless it was tried again by now, that nothing is there
        assert health.detail.startswith((gone, away))
        await camera.until(lambda: away in camera.supervisor.health.detail)
        assert camera.poses == before
        if isinstance(there.port, PtyPort):
            there.port.plug()
        else:
            await there.port.plug()
        await camera.lives_on()
        assert camera.supervisor.health.reconnects > health.reconnects
        enabled = [command.arguments for command in there.instrument.asked if command.name == "PENA"]
        assert len(enabled) >= 4
        assert enabled[-2:] == ["01D", "02D"]


async def test_an_ndi_tracker_that_was_switched_off_and_on_is_opened_again(tmp_path: Path) -> None:
    """It has forgotten its tools, and says so: they are loaded again without a word of anybody's."""
    async with ndi.room(tmp_path) as there, watched(there.settings()) as camera:
        await camera.lives_on()
        there.instrument.restart()
        health = await camera.until_state(LinkState.LOST)
        assert "started anew" in health.detail or "not initialised" in health.detail
        await camera.lives_on()


async def test_a_camera_behind_a_control_unit_that_goes_on_talking_is_silent_in_words(tmp_path: Path) -> None:
    """The cable between camera and control unit: answers come, and always tell the same frame."""
    async with ndi.room(tmp_path) as there, watched(there.settings()) as camera:
        await camera.lives_on()
        there.instrument.is_frozen = True
        await camera.until(lambda: "no new camera frame since number" in camera.supervisor.health.detail)
        assert camera.supervisor.health.state is LinkState.SILENT
        assert "check the camera's cable and power" in camera.supervisor.health.detail
        there.instrument.is_frozen = False
        await camera.lives_on()


async def test_an_openigtlink_tracker_comes_back_after_its_server_was_gone() -> None:
    """The computer that serves it is off, and on again at the same address."""
    async with AsyncExitStack() as computer:
        served = await computer.enter_async_context(serving())
        async with watched(igtl.settings(served.port)) as camera:
            await camera.lives_on()
            await computer.aclose()
            health = await camera.until_state(LinkState.LOST)
            assert "Check the tracker's computer and cable" in health.detail
            before = camera.poses
            await camera.until(lambda: "nothing listens" in camera.supervisor.health.detail)
            assert camera.poses == before
            async with serving(served.port):
                await camera.lives_on()
                assert camera.supervisor.health.reconnects > health.reconnects


async def test_an_openigtlink_link_that_is_cut_is_opened_again() -> None:
    """By a reset, as of a switch that starts anew."""
    async with serving() as served, watched(igtl.settings(served.port)) as camera:
        await camera.lives_on()
        await served.hang_up()
        await camera.until_state(LinkState.LOST)
        await camera.lives_on()


async def test_an_openigtlink_cable_that_is_out_shows_though_the_link_seems_up() -> None:
    """Nothing closes a link whose cable is out: after ``silence_s`` it is silent in words, and then live."""
    async with serving() as served, watched(igtl.settings(served.port)) as camera:
        await camera.lives_on()
        served.is_silent = True
        health = await camera.until_state(LinkState.SILENT)
        assert "no reading for 0.9 s: check that it is switched on and its cable is whole" in health.detail
        served.is_silent = False
        await camera.lives_on()

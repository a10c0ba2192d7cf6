"""What of a frame goes out by OpenIGTLink: known rates, located targets, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
import pytest

from devices.clock import monotonic
from devices.igtl_server import serve_igtl
from devices.igtl_settings import Settings
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import Status
from devices.trackers.igtl_values import Points, Sensor
from display.messages.feed import State
from display.sharing import share
from tests.display.page.room import NODE_MM, make_pose, make_rate, make_target
from tests.display.test_composer import Console


def frame(**changes: Any) -> State:
    """A frame made now, with a rate and a located node unless told otherwise."""
    pose = make_pose()
    known = {"pose": pose, "targets": (make_target(pose),), "rate": make_rate()}
    return msgspec.structs.replace(Console().frame(monotonic()), **(known | changes))


class Follower:
    """Shares frames, and hears what a client hears of them."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._decoder = Decoder()

    async def hear(self, kind: str, name: str) -> Message:
        """The next message of this type and name."""
        while True:
            for arrival in self._decoder:
                if (arrival.message.kind, arrival.message.device_name) == (kind, name):
                    return arrival.message
            received = await self._reader.read(65536)
            assert received
            self._decoder.feed(received, 0.0)


@asynccontextmanager
async def following(*states: State) -> AsyncIterator[Follower]:
    """Connect, and have these frames shared."""
    async with (
        asyncio.timeout(60),
        serve_igtl(
            Settings(port=0, axes="LPS"), pose_lasts_s=1.0, rate_lasts_s=1.0, is_simulated=False, clock=monotonic
        ) as server,
    ):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        follower = Follower(reader)
        await follower.hear("POINT", "Targets")
        for state in states:
            share(state, server)
        yield follower
        writer.close()
        await writer.wait_closed()


async def test_the_rate_and_the_located_target_go_out() -> None:
    """The rate in hertz, the target where the frame has it."""
    async with following(frame()) as follower:
        assert Sensor.from_bytes((await follower.hear("SENSOR", "CountRate")).content).values == (1243.0,)
        (point,) = Points.from_bytes((await follower.hear("POINT", "Targets")).content).points
    assert (point.name, point.group) == ("Node 1", "Target")
    assert point.position_mm == pytest.approx(tuple(NODE_MM), abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{"status": "saturated"}, {"status": "overload"}, {"rate_cps": None, "high_cps": None}, {"age_s": 1.5}],
    ids=["saturated", "overload", "beyond correction", "old"],
)
async def test_a_rate_that_is_not_known_is_no_number(changes: dict[str, Any]) -> None:
    """What the instrument cannot tell, and what is old, ends the rate in place of being one."""
    unknown = msgspec.structs.replace(make_rate(), **changes)
    async with following(frame(), frame(rate=unknown)) as follower:
        await follower.hear("SENSOR", "CountRate")
        assert Status.from_bytes((await follower.hear("STATUS", "CountRate")).content).code == 13


async def test_what_is_no_target_is_never_shown_as_one() -> None:
    """An injection site, and a target whose place cannot be told, are left out; the former one is taken away."""
    pose = make_pose()
    injection = make_target(pose, injection=True)
    vague = msgspec.structs.replace(make_target(pose), localisable=False, centre_mm=None, reason="two places")
    async with following(frame(), frame(targets=(injection, vague))) as follower:
        assert Points.from_bytes((await follower.hear("POINT", "Targets")).content).points
        assert Points.from_bytes((await follower.hear("POINT", "Targets")).content).points == ()


async def test_a_name_that_is_too_long_for_the_wire_is_cut_between_letters() -> None:
    """A POINT's name has 64 bytes; no half a letter goes out."""
    named = make_target(make_pose(), name="узел " * 20)
    async with following(frame(targets=(named,))) as follower:
        (point,) = Points.from_bytes((await follower.hear("POINT", "Targets")).content).points
    assert "узел узел".startswith(point.name[:9])
    assert "\ufffd" not in point.name
    assert np.isfinite(point.position_mm).all()

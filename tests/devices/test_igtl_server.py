"""The OpenIGTLink server against our own decoder, slow and hostile clients, and pyigtl."""

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from devices.clock import monotonic
from devices.errors import DeviceUnavailable
from devices.igtl_server import IgtlServer, serve_igtl
from devices.igtl_settings import Settings
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import (
    STOP_TRACKING,
    StartTracking,
    Status,
    TrackingAnswer,
    TrackingFrame,
    Transform,
)
from devices.trackers.igtl_values import HERTZ_UNIT, Capability, Point, Points, Sensor
from navigation.frames import Frame
from navigation.transforms import RigidTransform

PEER = Path(__file__).with_name("trackers") / "pyigtl_peer.py"
SECONDS = 60
QUARTER_TURN = np.array(((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))


def tip(x_mm: float) -> RigidTransform:
    """A quarter turn about z at (x, -2, 100) mm in patient axes (LPS)."""
    return RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=QUARTER_TURN, translation_mm=np.array((x_mm, -2.0, 100.0))
    )


@asynccontextmanager
async def serving(
    *, pose_lasts_s: float = 30.0, is_simulated: bool = False, clock: Callable[[], float] = monotonic, **keys: Any
) -> AsyncIterator[IgtlServer]:
    """A server on a free port, with its loop running."""
    settings = Settings.model_validate({"port": 0} | keys)
    async with (
        asyncio.timeout(SECONDS),
        serve_igtl(
            settings, pose_lasts_s=pose_lasts_s, rate_lasts_s=30.0, is_simulated=is_simulated, clock=clock
        ) as server,
    ):
        running = asyncio.create_task(server.run(), name="server")
        try:
            yield server
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class Peer:
    """A client that checks each checksum."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()

    async def hear(self, kind: str, name: str | None = None) -> Message:
        """The next message of a type, and of a name where one is given."""
        while (message := await self.hear_any()).kind != kind or name not in {None, message.device_name}:
            pass
        return message

    async def hear_any(self) -> Message:
        """The next message."""
        while True:
            for arrival in self._decoder:
                assert self._decoder.rejected == 0
                return arrival.message
            received = await self._reader.read(65536)
            assert received, "the server hung up"
            self._decoder.feed(received, 0.0)

    def say(self, message: Message) -> None:
        """Send a message."""
        self._writer.write(message.to_bytes())


@asynccontextmanager
async def following(server: IgtlServer) -> AsyncIterator[Peer]:
    """Connect, and wait until the server has greeted."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        peer = Peer(reader, writer)
        await peer.hear("STATUS", "radionav")
        yield peer
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_tip_comes_in_slicers_axes() -> None:
    """TRANSFORM has the pose in RAS: x and y of patient axes with the other sign, nothing mirrored."""
    async with serving() as server, following(server) as peer:
        taken_at_s = monotonic()
        server.send_tip(tip(1.5), taken_at_s)
        message = await peer.hear("TRANSFORM", "TipToPatient")
        elements = Transform.from_bytes(message.content).elements
        assert elements == (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.5, 2.0, 100.0)
        assert message.version == 1
        assert abs(message.timestamp / 2**32 - time.time() + (monotonic() - taken_at_s)) < 1.0


async def test_a_pose_is_sent_once_and_never_backwards() -> None:
    """The same time, or an earlier one, is no news."""
    async with serving(axes="LPS") as server, following(server) as peer:
        now_s = monotonic()
        for x_mm, taken_at_s in ((1.0, now_s), (2.0, now_s), (3.0, now_s - 0.01), (4.0, now_s + 0.001)):
            server.send_tip(tip(x_mm), taken_at_s)
        received = [Transform.from_bytes((await peer.hear("TRANSFORM")).content).elements[9] for _ in range(2)]
        assert received == [1.0, 4.0]


@pytest.mark.parametrize("resolution_ms", [0, 50])
async def test_tdata_comes_when_asked_for_and_no_faster(resolution_ms: int) -> None:
    """STT_TDATA is answered; TDATA comes in place of TRANSFORM, at least RESOL ms apart; STP_TDATA ends it."""
    async with serving() as server, following(server) as peer:
        request = StartTracking(resolution_ms=resolution_ms).to_bytes()
        peer.say(Message(kind="STT_TDATA", device_name="Slicer", content=request))
        answer = await peer.hear("RTS_TDATA")
        assert TrackingAnswer.from_bytes(answer.content).is_taken
        start_s = monotonic()
        for number in range(101):
            server.send_tip(tip(float(number)), start_s + 0.01 * number)
        expected = range(0, 101, 5) if resolution_ms else range(101)
        for number in expected:
            message = await peer.hear("TDATA")
            (tool,) = TrackingFrame.from_bytes(message.content).tools
            assert tool.name == "TipToPatient"
            assert tool.elements[9] == -number
        peer.say(Message(kind=STOP_TRACKING, device_name="Slicer"))
        peer.say(Message(kind="GET_STATUS", device_name=""))
        await peer.hear("STATUS", "radionav")
        server.send_tip(tip(7.0), start_s + 2.0)
        assert Transform.from_bytes((await peer.hear("TRANSFORM")).content).elements[9] == -7.0


async def test_a_pose_that_is_too_old_is_never_sent_as_live() -> None:
    """It is refused where it is handed in, and what was sent is called off when it becomes too old."""
    async with serving(pose_lasts_s=0.2) as server, following(server) as peer:
        server.send_tip(tip(1.0), monotonic())
        await peer.hear("TRANSFORM")
        lost = Status.from_bytes((await peer.hear("STATUS", "TipToPatient")).content)
        assert (lost.code, lost.text) == (13, "the tip is not tracked")
        server.send_tip(tip(2.0), monotonic() - 0.3)
        server.send_tip(tip(3.0), monotonic())
        assert Transform.from_bytes((await peer.hear("TRANSFORM")).content).elements[9] == -3.0


async def test_a_lost_tip_is_said_again_and_again() -> None:
    """While the tip is not known, STATUS says so, beside rates that go on; TDATA leaves the tip out."""
    async with serving() as server, following(server) as peer:
        server.send_tip(tip(1.0), monotonic())
        server.send_tip(None, monotonic())
        for _ in range(3):
            assert Status.from_bytes((await peer.hear("STATUS", "TipToPatient")).content).code == 13
            server.send_rate(5.0, monotonic())
        peer.say(Message(kind="STT_TDATA", device_name="", content=StartTracking(resolution_ms=20).to_bytes()))
        assert TrackingFrame.from_bytes((await peer.hear("TDATA")).content).tools == ()


async def test_the_rate_is_in_hertz_and_unknown_is_no_number() -> None:
    """SENSOR has one number with the unit 1/s; a rate that is not known is a STATUS."""
    async with serving() as server, following(server) as peer:
        server.send_rate(1234.5, monotonic())
        message = await peer.hear("SENSOR", "CountRate")
        assert Sensor.from_bytes(message.content) == Sensor(values=(1234.5,), unit=HERTZ_UNIT)
        assert message.content[2:10] == bytes.fromhex("0284000000000000")
        for unknown_cps in (None, float("nan"), float("inf"), -1.0):
            server.send_rate(unknown_cps, monotonic())
            assert Status.from_bytes((await peer.hear("STATUS", "CountRate")).content).code == 13
            server.send_rate(7.0, monotonic())  # no other number came before it
            assert Sensor.from_bytes((await peer.hear("SENSOR")).content).values == (7.0,)


async def test_the_rate_is_kept_from_those_who_cannot_read_it() -> None:
    """Where the site file says so neither SENSOR nor a word of it is sent; poses are."""
    async with serving(count_rate=False) as server, following(server) as peer:
        server.send_rate(1234.5, monotonic())
        server.send_rate(None, monotonic())
        server.send_tip(tip(1.0), monotonic())
        peer.say(Message(kind="GET_CAPABIL", device_name=""))
        heard = [await peer.hear_any()]
        while heard[-1].kind != "CAPABILITY":
            heard.append(await peer.hear_any())
        assert "TRANSFORM" in {message.kind for message in heard}
        assert "CountRate" not in {message.device_name for message in heard}
        assert "SENSOR" not in {message.kind for message in heard}
        assert "SENSOR" not in Capability.from_bytes(heard[-1].content).kinds


async def test_targets_come_to_who_is_there_and_who_comes_later() -> None:
    """POINT has the targets in RAS; when none has a place any more, an empty list takes them away."""
    node = Point(name="node", group="Target", position_mm=(10.0, 20.0, -30.0), diameter_mm=12.0)
    async with serving() as server, following(server) as peer:
        assert Points.from_bytes((await peer.hear("POINT")).content).points == ()
        server.send_targets((node,))
        (point,) = Points.from_bytes((await peer.hear("POINT", "Targets")).content).points
        assert (point.name, point.group, point.position_mm) == ("node", "Target", (-10.0, -20.0, -30.0))
        assert point.diameter_mm == 12.0
        async with following(server) as late:
            assert Points.from_bytes((await late.hear("POINT")).content).points == (point,)
        server.send_targets((replace(node, position_mm=(10.0, float("nan"), -30.0)),))
        assert Points.from_bytes((await peer.hear("POINT")).content).points == ()


async def test_silence_is_broken_by_a_status() -> None:
    """Where nothing is to be said, STATUS ok says that the link lives."""
    async with serving() as server, following(server) as peer:
        for _ in range(3):
            assert Status.from_bytes((await peer.hear("STATUS", "radionav")).content).code == 1


async def test_capability_is_told() -> None:
    """GET_CAPABIL is answered by the types that may come."""
    async with serving() as server, following(server) as peer:
        peer.say(Message(kind="GET_CAPABIL", device_name=""))
        kinds = Capability.from_bytes((await peer.hear("CAPABILITY")).content).kinds
        assert set(kinds) == {"TRANSFORM", "TDATA", "SENSOR", "POINT", "STATUS", "CAPABILITY"}


async def test_a_simulated_room_says_so_in_every_name() -> None:
    """No simulated pose comes under the name of a real one."""
    async with serving(is_simulated=True) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        peer = Peer(reader, writer)
        await peer.hear("STATUS", "SIM_radionav")
        server.send_tip(tip(1.0), monotonic())
        server.send_rate(1.0, monotonic())
        for kind, name in (("TRANSFORM", "SIM_TipToPatient"), ("SENSOR", "SIM_CountRate")):
            assert (await peer.hear(kind)).device_name == name
        writer.close()
        await writer.wait_closed()


async def test_version_2_has_numbers_and_the_state_of_the_pose() -> None:
    """With header version 2 each message has its number, and a pose the metadata that PLUS sends."""
    async with serving(header_version=2) as server, following(server) as peer:
        server.send_tip(tip(1.0), monotonic())
        message = await peer.hear("TRANSFORM")
        assert message.version == 2
        assert message.number > 0
        assert message.metadatum("TransformStatus") == "OK"


async def test_a_client_that_takes_nothing_stops_nobody() -> None:
    """It loses the oldest, nothing grows without end, and another client gets everything meanwhile."""
    async with serving(queue=16) as server, following(server) as quick:
        before = set(server._clients)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)  # noqa: FBT003 - the socket module's signature
            await asyncio.get_running_loop().sock_connect(slow, (server.host, server.port))
            while server.clients < 2:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)
            (stuck,) = server._clients - before
            start_s, number = monotonic(), 0
            while stuck.dropped < 100:
                number += 1
                server.send_tip(tip(float(number)), start_s + 1e-4 * number)
                received = await quick.hear("TRANSFORM")
                assert Transform.from_bytes(received.content).elements[9] == -number
            assert len(stuck._queue) == 16
            newest = [sent for sent in stuck._queue if sent.raw[2:11] == b"TRANSFORM"][-1]  # a STATUS may be later
            assert newest.raw.endswith(struct.pack(">3f", -float(number), 2.0, 100.0))


@asynccontextmanager
async def raw_link(server: IgtlServer, *, source: str = "127.0.0.1") -> AsyncIterator[Any]:
    """A bare connection from an address of this machine."""
    reader, writer = await asyncio.open_connection(server.host, server.port, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server ends the link."""
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: or3\r\n\r\n" + bytes(40),
        struct.pack(">H12s20sQQQ", 1, b"STT_TDATA", b"", 0, 1 << 40, 0),
        Message(kind="STT_TDATA", device_name="", content=b"\0" * 7).to_bytes(),
    ],
    ids=["HTTP", "a terabyte", "half a request"],
)
async def test_what_is_no_request_ends_that_link_only(sent: bytes) -> None:
    """Another protocol, a size that no request has, a body that does not fit: the others go on."""
    async with serving() as server, following(server) as peer:
        with capture_logs() as logs:
            async with raw_link(server) as (reader, writer):
                writer.write(sent)
                assert await ended(reader)
        assert "openigtlink_client_refused" in [line["event"] for line in logs]
        server.send_tip(tip(1.0), monotonic())
        await peer.hear("TRANSFORM")


async def test_only_named_addresses_may_connect() -> None:
    """An address that is neither this machine's nor named is hung up on; one that is named is served."""
    async with serving() as server, raw_link(server, source="127.0.0.2") as (reader, _):
        assert await ended(reader)
        assert server.clients == 0
    async with serving(clients=("127.0.0.2",)) as server, raw_link(server, source="127.0.0.2") as (reader, _):
        assert await reader.read(1)


async def test_no_more_clients_than_there_may_be() -> None:
    """One too many is hung up on, and those that are served stay so."""
    async with serving(most_clients=2) as server, following(server) as one, following(server) as other:
        async with raw_link(server) as (reader, _):
            assert await ended(reader)
        server.send_tip(tip(1.0), monotonic())
        await one.hear("TRANSFORM")
        await other.hear("TRANSFORM")


async def test_a_port_in_use_is_named() -> None:
    """With what to do about it."""
    async with serving() as server:
        with pytest.raises(DeviceUnavailable, match=f"cannot listen at 127.0.0.1:{server.port} .*another port"):
            async with serving(port=server.port):
                pass


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"host": "10.1.2.3"}, "would show the navigation to the network"),
        ({"clients": ("slicer.hospital",)}, "slicer.hospital"),
        ({"header_version": 3}, "header_version"),
        ({"axes": "LAS"}, "axes"),
    ],
)
def test_settings_that_cannot_be_are_refused(keys: dict[str, Any], words: str) -> None:
    """Loopback unless addresses are named; only what the protocol and Slicer know."""
    assert Settings.model_validate({}).host == "127.0.0.1"
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(keys)


@pytest.mark.parametrize("version", [1, 2])
async def test_pyigtl_follows_tip_and_targets(version: int) -> None:
    """Two clients of pyigtl at once read pose and points as they were meant."""
    node = Point(name="node", group="Target", position_mm=(10.0, 20.0, -30.0), diameter_mm=12.0)
    async with serving(header_version=version) as server:
        listeners = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                str(PEER),
                "listen",
                str(server.port),
                name,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for name in ("TipToPatient", "Targets")
        ]
        streaming = asyncio.create_task(stream(server, node), name="stream")
        try:
            heard = []
            for listener in listeners:
                assert listener.stdout is not None
                heard.append(json.loads(await listener.stdout.readline()))
        finally:
            streaming.cancel()
            for listener in listeners:
                listener.kill()
                await listener.communicate()
            await asyncio.gather(streaming, return_exceptions=True)
    pose, points = heard
    assert pose["matrix"] == [
        [0.0, 1.0, 0.0, -1.5],
        [-1.0, 0.0, 0.0, 2.0],
        [0.0, 0.0, 1.0, 100.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
    assert points["points"][-1] == ["node", "Target", [-10.0, -20.0, -30.0], 12.0]


async def stream(server: IgtlServer, node: Point) -> None:
    """Send a standing tip at 50 Hz, and a target that comes and goes so that late listeners hear of it."""
    number = 0
    while True:
        number += 1
        server.send_tip(tip(1.5), monotonic())
        server.send_targets((node,) if number % 2 else (Point(name="other", position_mm=(0.0, 0.0, 0.0)), node))
        await asyncio.sleep(0.02)

"""What the OpenIGTLink server's followers get at which time, by a clock that stands until it is set."""

import asyncio
import socket
from itertools import pairwise

from devices.igtl_server import KEEP_ALIVE_S, IgtlServer
from devices.trackers.igtl import Decoder, Message
from devices.trackers.igtl_bodies import (
    STOP_TRACKING,
    StartTracking,
    Status,
    TrackedTool,
    TrackingFrame,
    Transform,
)
from devices.trackers.igtl_values import Point, Points, Sensor
from tests.devices.test_igtl_server import Peer, ended, following, raw_link, serving, tip

NODE = Point(name="node", group="Target", position_mm=(10.0, 20.0, -30.0), diameter_mm=12.0)


class StandingClock:
    """Host monotonic clock, s, that goes on only where a test sets it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """What it says now."""
        return self.now_s


def ask_for_tdata(peer: Peer, *, resolution_ms: int) -> None:
    """Ask for the tip as TDATA."""
    content = StartTracking(resolution_ms=resolution_ms).to_bytes()
    peer.say(Message(kind="STT_TDATA", device_name="", content=content))


async def hear_tip(peer: Peer) -> tuple[Message, TrackedTool]:
    """The next TDATA with a tool in it: while the tip is not known it has none."""
    while not (tools := TrackingFrame.from_bytes((message := await peer.hear("TDATA")).content).tools):
        pass
    (tool,) = tools
    return message, tool


async def tdata_x_mm(peer: Peer) -> float:
    """The tip's x in the next TDATA that has it."""
    _, tool = await hear_tip(peer)
    return tool.elements[9]


async def test_targets_in_patient_axes_come_as_they_are() -> None:
    """With axes LPS no sign of a point is turned."""
    async with serving(axes="LPS") as server, following(server) as peer:
        assert Points.from_bytes((await peer.hear("POINT")).content).points == ()
        server.send_targets((NODE,))
        (point,) = Points.from_bytes((await peer.hear("POINT")).content).points
        assert point.position_mm == NODE.position_mm


async def test_targets_that_did_not_change_are_not_sent_again() -> None:
    """The display makes them anew ten times a second; followers hear of them when they are others."""
    async with serving() as server, following(server) as peer:
        for targets in ((NODE,), (NODE,), (NODE,), ()):
            server.send_targets(targets)
        heard = [len(Points.from_bytes((await peer.hear("POINT")).content).points) for _ in range(3)]
        assert heard == [0, 1, 0], "the greeting, the node once, and that it is gone"


async def test_the_keepalive_comes_when_a_quarter_of_a_second_was_silent_and_no_sooner() -> None:
    """Each quarter of a second in silence; none while poses come more often than that."""
    clock = StandingClock()
    async with serving(clock=clock) as server, following(server) as peer:
        await peer.hear("STATUS", "CountRate")  # nobody counts: said once, before the clock goes on
        for _ in range(3):
            clock.now_s += KEEP_ALIVE_S
            assert Status.from_bytes((await peer.hear("STATUS", "radionav")).content).code == 1
        names = list[str]()
        for number in range(8):
            clock.now_s += 0.8 * KEEP_ALIVE_S
            server.send_tip(tip(float(number)), clock.now_s)
            while number % 2 and names[-1:] != ["CountRate"]:  # said each quarter of a second: the server looked
                names.append((await peer.hear_any()).device_name)
            names.append("")
        assert "CountRate" in names
        assert "radionav" not in names
    assert KEEP_ALIVE_S == 0.25


async def test_a_status_is_given_to_who_asks() -> None:
    """GET_STATUS is answered at once, though no time has passed since the greeting."""
    async with serving(clock=StandingClock()) as server, following(server) as peer:
        peer.say(Message(kind="GET_STATUS", device_name=""))
        assert Status.from_bytes((await peer.hear("STATUS", "radionav")).content).code == 1


async def test_tdata_is_never_closer_than_asked_whatever_the_poses_times() -> None:
    """Poses that come unevenly: each is measured from the one that was sent, not from a beat."""
    async with serving() as server, following(server) as peer:
        ask_for_tdata(peer, resolution_ms=50)
        await peer.hear("RTS_TDATA")
        start_s = server._clock()
        for at_ms in (0, 90, 100, 139, 140, 200):
            server.send_tip(tip(float(at_ms)), start_s + at_ms / 1000)
        sent = [-await tdata_x_mm(peer) for _ in range(4)]
        assert sent == [0.0, 90.0, 140.0, 200.0]
        assert all(later - earlier >= 50 for earlier, later in pairwise(sent))


async def test_tdata_that_is_asked_for_again_begins_at_once() -> None:
    """What an ended stream was sent last holds nothing of the new one back."""
    async with serving() as server, following(server) as peer:
        start_s = server._clock()
        for number in range(2):
            ask_for_tdata(peer, resolution_ms=60_000)
            await peer.hear("RTS_TDATA")
            server.send_tip(tip(float(number)), start_s + 0.01 * number)
            assert await tdata_x_mm(peer) == -number
            peer.say(Message(kind=STOP_TRACKING, device_name=""))


async def test_a_simulated_tip_in_tdata_says_so_in_both_its_names() -> None:
    """TDATA has its sender's name and the tool's: a receiver that shows either shows that it is simulated."""
    async with serving(is_simulated=True) as server, raw_link(server) as (reader, writer):
        peer = Peer(reader, writer)
        ask_for_tdata(peer, resolution_ms=0)
        await peer.hear("RTS_TDATA")
        server.send_tip(tip(1.0), server._clock())
        message, tool = await hear_tip(peer)
        assert (message.device_name, tool.name) == ("SIM_radionav", "SIM_TipToPatient")


async def test_version_2_says_the_poses_state_in_tdata_too_and_numbers_each_message() -> None:
    """Metadata of TDATA is that of TRANSFORM; what is no pose has none; no number comes twice."""
    async with serving(header_version=2) as server, following(server) as peer:
        ask_for_tdata(peer, resolution_ms=0)
        await peer.hear("RTS_TDATA")
        server.send_tip(tip(1.0), server._clock())
        pose, _ = await hear_tip(peer)
        server.send_rate(5.0, server._clock())
        rate = await peer.hear("SENSOR")
        server.send_targets((NODE,))
        points = await peer.hear("POINT")
        assert [message.metadatum("TransformStatus") for message in (pose, rate, points)] == ["OK", None, None]
        assert pose.number < rate.number < points.number


async def test_a_rate_that_is_too_old_is_never_sent_as_live() -> None:
    """It is refused where it is handed in, and what was sent is called off when it becomes too old."""
    clock = StandingClock()
    async with serving(clock=clock) as server, following(server) as peer:
        server.send_rate(5.0, clock.now_s)
        assert Sensor.from_bytes((await peer.hear("SENSOR")).content).values == (5.0,)
        clock.now_s += 30.1
        lost = Status.from_bytes((await peer.hear("STATUS", "CountRate")).content)
        assert (lost.code, lost.text) == (13, "no counts come from the probe")
        server.send_rate(6.0, clock.now_s - 30.05)
        server.send_rate(7.0, clock.now_s)
        assert Sensor.from_bytes((await peer.hear("SENSOR")).content).values == (7.0,)


async def test_who_comes_later_hears_at_once_what_is_missing() -> None:
    """A receiver goes on showing its last value: it is told before any quarter of a second has passed."""
    async with serving(clock=StandingClock()) as server, following(server) as peer:
        for name in ("TipToPatient", "CountRate"):
            assert Status.from_bytes((await peer.hear("STATUS", name)).content).code == 13
        async with following(server) as late:
            for name in ("TipToPatient", "CountRate"):
                assert Status.from_bytes((await late.hear("STATUS", name)).content).code == 13


async def stall(server: IgtlServer, clock: StandingClock, slow: socket.socket) -> int:
    """Connect and take nothing, while tips are sent until some are lost; give how many were sent."""
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)  # noqa: FBT003 - the socket module's signature
    await asyncio.get_running_loop().sock_connect(slow, (server.host, server.port))
    while not server.clients:  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0)
    (stuck,) = server._clients
    number = 0
    while stuck.dropped < 10:
        number += 1
        clock.now_s += 1e-4
        server.send_tip(tip(float(number)), clock.now_s)
        await asyncio.sleep(0)
    return number


async def test_what_waited_for_a_slow_client_until_it_was_too_old_is_not_sent() -> None:
    """When it takes messages again it gets what is so now, and none of the poses that it was too slow for."""
    clock = StandingClock()
    with socket.socket() as slow:
        async with serving(queue=16, pose_lasts_s=0.5, clock=clock) as server:
            sent = await stall(server, clock, slow)
            clock.now_s += 1.0
            server.send_tip(tip(0.5), clock.now_s)
            decoder, heard = Decoder(), list[float]()
            while heard[-1:] != [0.5]:
                decoder.feed(await asyncio.get_running_loop().sock_recv(slow, 65536), 0.0)
                messages = [arrival.message for arrival in decoder]
                poses = [message for message in messages if message.kind == "TRANSFORM"]
                heard += [-Transform.from_bytes(message.content).elements[9] for message in poses]
    assert heard[:-1] == list(range(1, len(heard))), "those that went out before it was full, and the newest"
    assert len(heard) < sent - 16


async def test_a_client_that_takes_nothing_for_five_seconds_is_hung_up_on() -> None:
    """Its link may look alive for hours: it makes room for another."""
    clock = StandingClock()
    with socket.socket() as slow:
        async with serving(queue=16, clock=clock, most_clients=1) as server:
            await stall(server, clock, slow)
            async with raw_link(server) as (reader, _):
                assert await ended(reader)
            clock.now_s += 5.1
            while server.clients:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)
            async with following(server) as peer:
                server.send_tip(tip(1.0), clock.now_s)
                await peer.hear("TRANSFORM")

"""Asked once whether it is there: each device answers with a sentence that says what to do."""

import asyncio
import socket
from pathlib import Path

import numpy as np
import pytest

from devices.clock import monotonic
from devices.dicom.client import run_node
from devices.dicom.index.database import IndexUnavailable, open_to_read
from devices.dicom.settings import NodeSettings
from devices.igtl_server import serve_igtl
from devices.igtl_settings import Settings as IgtlSettings
from devices.mqtt_broker import Settings as BrokerSettings
from devices.probes import ludlum3030, mightyohm
from devices.reaching import reach, reach_broker, reach_igtl, reach_index, reach_node
from devices.readings import LinkState
from simulators.ports import open_pty_port
from simulators.probes.counting import Counter
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from simulators.probes.mightyohm import SimulatedMightyOhm
from tests.devices.dicom.index.cluster import running_cluster
from tests.devices.mosquitto_peer import Broker, free_port, started
from tests.devices.mqtt_room import publishing, subscribed
from tests.devices.mqtt_room import settings as broker_settings


def settings(port: str) -> mightyohm.Settings:
    return mightyohm.Settings(driver="mightyohm", port=port, silence_s=3.0)


def counter() -> SimulatedMightyOhm:
    return SimulatedMightyOhm(
        lambda _start_s, _end_s: 3, powered_at_s=monotonic(), rng=np.random.default_rng(1), speed=50
    )


def node_settings(folder: Path, port: int) -> NodeSettings:
    return NodeSettings(port=port, folder=folder, allowed_ae_titles=("CT1",), free_floor_mb=1)


async def test_a_device_that_delivers_is_reached(tmp_path: Path) -> None:
    """A reading came: more than an open port."""
    async with open_pty_port(counter(), tmp_path / "counter") as port:
        found = await reach("wall", settings(port.url), clock=monotonic)
    assert (found.device, found.is_reached) == ("wall", True)
    assert "delivers readings" in found.sentence


async def test_a_device_that_tells_finished_counts_is_reached_without_one(tmp_path: Path) -> None:
    """Nothing is being counted, and need not be: that it answers, to all that it will be asked, is enough."""
    resting = Counter(
        events=lambda _start_s, _end_s: 3, powered_at_s=monotonic(), rng=np.random.default_rng(1), dead_time_s=0
    )
    async with open_pty_port(SimulatedLudlum3030(resting, is_recycling=False), tmp_path / "bench") as port:
        asked = ludlum3030.Settings(driver="ludlum3030", port=port.url)
        found = await reach("bench", asked, clock=monotonic)
    assert found.is_reached
    assert "answers, and tells finished counts" in found.sentence


async def test_a_device_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    """No port: plug it in; its name is not said twice."""
    found = await reach("wall", settings(str(tmp_path / "nothing")), clock=monotonic)
    assert not found.is_reached
    assert "plug the instrument in" in found.sentence
    assert not found.sentence.startswith("wall")


async def test_a_silent_device_is_not_reached() -> None:
    """A link alone proves nothing: after the patience it is given up, and its port is closed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = await reach("wall", settings(f"socket://127.0.0.1:{port}"), clock=monotonic, patience_s=0.2)
    assert not found.is_reached
    assert "no reading within 0.2 s" in found.sentence


async def test_a_running_node_answers(tmp_path: Path) -> None:
    """By C-ECHO, as a console would ask."""
    async with run_node(node_settings(tmp_path, 0)) as node:
        found = await reach_node(node_settings(tmp_path, node.port))
    assert (found.is_reached, found.sentence) == (True, "RADIONAV answers C-ECHO")


async def test_a_node_that_does_not_run_could(tmp_path: Path) -> None:
    """Nobody has its port: it is free for it, also just after a node has ended with connections open."""
    async with run_node(node_settings(tmp_path, 0)) as node:
        port = node.port
        await reach_node(node_settings(tmp_path, port))
    found = await reach_node(node_settings(tmp_path, port))
    assert found.is_reached
    assert "is free for it" in found.sentence


async def test_a_port_that_a_former_connection_still_haunts_is_free(tmp_path: Path) -> None:
    """TIME_WAIT on our side of a closed connection does not hold up a node, and so not the check."""
    with socket.create_server(("127.0.0.1", 0)) as former:
        port = former.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), former.accept()[0] as served:
            served.close()
    found = await reach_node(node_settings(tmp_path, port))
    assert found.is_reached, found.sentence


async def test_a_stranger_on_the_nodes_port_is_no_node(tmp_path: Path) -> None:
    """Something answers, but not DICOM: said, and not taken for a free port."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as stranger:
        found = await reach_node(node_settings(tmp_path, stranger.sockets[0].getsockname()[1]))
    assert not found.is_reached
    assert "is this a DICOM port?" in found.sentence


@pytest.mark.peer("postgresql")
async def test_the_index_is_reached_and_left_as_it_is(tmp_path: Path) -> None:
    """A database that answers is named, one that does not says why; neither gets tables, nor the folder a file."""
    with running_cluster() as cluster:
        settings = NodeSettings(folder=tmp_path / "store", index=cluster.new_database())
        found = await reach_index(settings)
        assert found.is_reached, found.sentence
        with pytest.raises(IndexUnavailable, match="there is no index yet"):
            open_to_read(settings.folder, settings.index)
    found = await reach_index(settings)
    assert not found.is_reached
    assert found.sentence.startswith("postgresql+psycopg://radionav@")
    assert not settings.folder.exists()


async def test_a_broker_that_is_not_there_says_so() -> None:
    """Refused: start it, or check host and port; no task and no socket is left."""
    found = await reach_broker(
        BrokerSettings(host="127.0.0.1", port=free_port(), site="s", room="r", timeout_s=0.5)
    )
    assert (found.device, found.is_reached) == ("mqtt", False)
    assert "no broker listens" in found.sentence


@pytest.mark.peer("mosquitto")
async def test_a_broker_is_asked_without_a_word_about_the_room(tmp_path: Path) -> None:
    """A real mosquitto lets us in; whoever watches the room sees nothing of it, and nothing is retained."""
    async with started(Broker(tmp_path)) as broker, subscribed(broker.port) as watching:
        found = await reach_broker(broker_settings(broker.port))
        assert (found.is_reached, found.sentence) == (True, "lets us in")
        async with publishing(broker.port):
            assert await watching.next() == ("status", b"online", False)


@pytest.mark.peer("mosquitto")
async def test_asking_the_broker_leaves_the_running_service_alone(tmp_path: Path) -> None:
    """The service's link lives on through a check of the same site: no offline, no online, no reconnection."""
    async with (
        started(Broker(tmp_path)) as broker,
        subscribed(broker.port) as watching,
        publishing(broker.port) as (publisher, health),
    ):
        await watching.until("status", b"online")
        for _ in range(3):
            assert (await reach_broker(broker_settings(broker.port))).is_reached
        publisher.publish_latest("guidance", b"closer")
        assert await watching.next() == ("guidance", b"closer", False)
        assert [told.state for told in health.told] == [LinkState.CONNECTING, LinkState.LIVE]


@pytest.mark.peer("mosquitto")
async def test_a_broker_that_refuses_is_not_reached(tmp_path: Path) -> None:
    """One that wants a password says so, in the publisher's words, and is not asked a second time."""
    async with started(Broker(tmp_path, "allow_anonymous false")) as broker:
        found = await reach_broker(broker_settings(broker.port))
    assert not found.is_reached
    assert f"127.0.0.1:{broker.port}" in found.sentence
    assert "Not authorized" in found.sentence
    assert "trying again" not in found.sentence


async def test_a_running_openigtlink_server_greets() -> None:
    """Ours is known by its STATUS; a free port is free for it; another program is named as one."""
    async with serve_igtl(
        IgtlSettings(port=0), pose_lasts_s=0.5, rate_lasts_s=0.8, is_simulated=False, clock=monotonic
    ) as server:
        found = await reach_igtl(IgtlSettings(port=server.port))
    assert (found.is_reached, found.sentence) == (True, "radionav greets with STATUS")
    found = await reach_igtl(IgtlSettings(port=server.port))
    assert found.is_reached
    assert "is free for it" in found.sentence

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2 and more than a header has room for, so that one is read")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        found = await reach_igtl(IgtlSettings(port=other.sockets[0].getsockname()[1]))
    assert not found.is_reached
    assert "another program has 127.0.0.1" in found.sentence

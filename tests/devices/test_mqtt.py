"""The MQTT publisher against a real mosquitto: stopped, started, frozen, refusing."""

import asyncio
import shutil
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from devices.mqtt import MqttPublisher
from devices.readings import LinkState
from tests.conftest import SYSTEM_PATH
from tests.devices.mosquitto_peer import Broker, free_port, started
from tests.devices.mqtt_room import publishing, settings, subscribed


@pytest.mark.peer("mosquitto")
async def test_newest_is_published_and_retained(tmp_path: Path) -> None:
    """A subscriber sees what is published; one that comes later gets what is retained, and that we are online."""
    async with started(Broker(tmp_path)) as broker, publishing(broker.port) as (publisher, health):
        await health.state(LinkState.LIVE)
        async with subscribed(broker.port) as early:
            await early.until("status", b"online")
            publisher.publish_latest("state", b'{"seq":1}', retain=True)
            publisher.publish_latest("guidance", b"closer")
            publisher.publish_latest("health/gamma", b"live", retain=True)
            assert [await early.next() for _ in range(3)] == [
                ("state", b'{"seq":1}', False),
                ("guidance", b"closer", False),
                ("health/gamma", b"live", False),
            ]
        async with subscribed(broker.port) as late:
            assert {await late.next() for _ in range(3)} == {
                ("status", b"online", True),
                ("state", b'{"seq":1}', True),
                ("health/gamma", b"live", True),
            }


@pytest.mark.peer("mosquitto")
async def test_end_says_offline(tmp_path: Path) -> None:
    """A publisher that is stopped leaves ``offline`` behind, retained."""
    async with started(Broker(tmp_path)) as broker:
        async with publishing(broker.port) as (_, health):
            await health.state(LinkState.LIVE)
        async with subscribed(broker.port) as late:
            assert await late.next() == ("status", b"offline", True)


@pytest.mark.peer("mosquitto")
async def test_last_will_says_offline(tmp_path: Path) -> None:
    """A publisher whose link is cut without a word is offline by its last will, then online again by itself."""
    links: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(4096):
            writer.write(chunk)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", broker.port)
        links.update({writer, onward_writer})
        pumps = {
            asyncio.ensure_future(pump(reader, onward_writer)),
            asyncio.ensure_future(pump(onward_reader, writer)),
        }
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        writer.transport.abort()
        onward_writer.transport.abort()
        await asyncio.wait(pumps)

    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(started(Broker(tmp_path)))
        watching = await stack.enter_async_context(subscribed(broker.port))
        listening = await stack.enter_async_context(await asyncio.start_server(relay, "127.0.0.1", 0))
        port = listening.sockets[0].getsockname()[1]
        _, health = await stack.enter_async_context(publishing(port))
        await watching.until("status", b"online")
        for link in links:
            link.transport.abort()
        await health.state(LinkState.LOST)
        assert [(await watching.next())[:2] for _ in range(2)] == [("status", b"offline"), ("status", b"online")]
        assert (await health.state(LinkState.LIVE)).reconnects == 1


@pytest.mark.peer("mosquitto")
async def test_broker_that_stops_and_starts_in_mid_stream(tmp_path: Path) -> None:
    """The stream goes on by itself; the new broker, which knows nothing, has all that is retained, newest only."""
    async with started(Broker(tmp_path)) as broker, publishing(broker.port) as (publisher, health):
        await health.state(LinkState.LIVE)
        publisher.publish_latest("health/gamma", b"live", retain=True)
        async with subscribed(broker.port) as before:
            await before.until("health/gamma", b"live")
        await broker.stop()
        lost = await health.state(LinkState.LOST)
        assert f"127.0.0.1:{broker.port}" in lost.detail
        for seq in range(1000):
            publisher.publish_latest("state", b"%d" % seq, retain=True)
        await broker.start()
        assert (await health.until(lambda told: told.reconnects == 1)).state is LinkState.LIVE
        async with subscribed(broker.port) as after:
            seen = [await after.next() for _ in range(3)]
            assert {(topic, payload) for topic, payload, _ in seen} == {
                ("status", b"online"),
                ("health/gamma", b"live"),
                ("state", b"999"),
            }
            publisher.publish_latest("guidance", b"on again")
            await after.until("guidance", b"on again")


@pytest.mark.peer("mosquitto")
async def test_frozen_broker_holds_nothing_up(tmp_path: Path) -> None:
    """While the broker hangs, publishing costs nothing, the loop runs on, memory is bounded; then newest first."""
    async with (
        started(Broker(tmp_path)) as broker,
        publishing(broker.port, qos=1, timeout_s=1.0) as (publisher, health),
    ):
        await health.state(LinkState.LIVE)
        broker.signal(signal.SIGSTOP)
        steps_s: list[float] = []
        while not (health.told[-1].state is LinkState.LOST and len(steps_s) > 200):
            before_s = time.perf_counter()
            publisher.publish_latest("state", b"%d" % len(steps_s), retain=True)
            await asyncio.sleep(0.005)
            steps_s.append(time.perf_counter() - before_s)
        assert len(publisher._waiting) <= 1
        # a busy host may hold up a few of them
        assert sorted(steps_s)[-10] < 0.5
        broker.signal(signal.SIGCONT)
        await health.until(lambda told: told.state is LinkState.LIVE and told.reconnects > 0)
        async with subscribed(broker.port) as after:
            await after.until("state", b"%d" % (len(steps_s) - 1))


@pytest.mark.peer("mosquitto")
async def test_stopping_under_a_frozen_broker_is_quick(tmp_path: Path) -> None:
    """A publisher that is stopped while the broker hangs, ends and leaves nothing open."""
    loop = asyncio.get_running_loop()
    async with started(Broker(tmp_path)) as broker:
        async with publishing(broker.port) as (_, health):
            await health.state(LinkState.LIVE)
            broker.signal(signal.SIGSTOP)
            before_s = loop.time()
        assert loop.time() - before_s < 2
        async with publishing(broker.port, timeout_s=0.5) as (_, health):
            await health.state(LinkState.LOST)
            # trying again: in the handshake that never ends, or between two of them
            await asyncio.sleep(0.3)
            before_s = loop.time()
        assert loop.time() - before_s < 2


async def test_nothing_listens() -> None:
    """Without a broker the link is lost, with a sentence that says where and what to do."""
    port = free_port()
    async with asyncio.timeout(10), publishing(port) as (publisher, health):
        publisher.publish_latest("state", b"1")
        lost = await health.state(LinkState.LOST)
        assert lost == publisher.health
        assert health.told[0].state is LinkState.CONNECTING
    assert lost.device == "mqtt"
    assert lost.detail == f"no broker listens at 127.0.0.1:{port}. Start it, or check host and port"


@pytest.mark.peer("mosquitto")
async def test_password_from_a_file(tmp_path: Path) -> None:
    """The right password is let in; a wrong one and a missing file are told apart, and neither is shown."""
    passwords, ours = tmp_path / "passwords", tmp_path / "ours"
    program = shutil.which("mosquitto_passwd", path=SYSTEM_PATH)
    assert program is not None
    making = await asyncio.create_subprocess_exec(program, "-b", "-c", str(passwords), "radionav", "s3cret")
    assert await making.wait() == 0
    ours.write_text("wrong\n")
    keys = {"username": "radionav", "password_file": ours}
    async with (
        started(Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")) as broker,
        publishing(broker.port, **keys) as (_, health),
    ):
        refused = await health.state(LinkState.LOST)
        assert "Not authorized" in refused.detail
        assert "wrong" not in refused.detail
        ours.unlink()
        missing = await health.until(lambda told: "ours" in told.detail)
        assert "No such file" in missing.detail
        ours.write_text("s3cret\n")
        await health.state(LinkState.LIVE)


@pytest.mark.peer("mosquitto", "openssl")
async def test_tls_trusts_only_the_named_authority(tmp_path: Path) -> None:
    """With ``ca_file`` the link is encrypted and live; without it a certificate of our own is refused."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    making = await asyncio.create_subprocess_exec(
        *request.split(),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await making.wait() == 0
    broker = Broker(tmp_path, "allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    async with started(broker):
        async with publishing(broker.port, tls=True, ca_file=certificate) as (_, health):
            await health.state(LinkState.LIVE)
        async with publishing(broker.port, tls=True) as (_, health):
            refused = await health.state(LinkState.LOST)
            assert "is not trusted (self-signed certificate). Name its authority in ca_file" in refused.detail
        async with publishing(broker.port, tls=True, ca_file=tmp_path / "nowhere.pem") as (_, health):
            assert "nowhere.pem" in (await health.state(LinkState.LOST)).detail


@pytest.mark.parametrize("leaf", ["", "status", "health/+", "#"])
async def test_topics_that_are_none_are_refused(leaf: str) -> None:
    """A wildcard, an empty leaf and the publisher's own ``status`` are mistakes of the caller."""
    publisher = MqttPublisher(settings(1), on_health=lambda _: None, jitter=lambda: 0.0)
    with pytest.raises(ValueError, match="no topic"):
        publisher.publish_latest(leaf, b"x")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"room": "or/2"}, "room"),
        ({"site": "#"}, "site"),
        ({"password_file": "p"}, "without username"),
        ({"ca_file": "c"}, "without tls"),
        ({"password": "in the open"}, "password"),
        ({"qos": 3}, "qos"),
    ],
)
def test_settings_refuse_what_cannot_work(keys: dict[str, Any], sentence: str) -> None:
    """A setting that cannot work is refused, a password in the site file included."""
    with pytest.raises(ValidationError, match=sentence):
        settings(1883, **keys)

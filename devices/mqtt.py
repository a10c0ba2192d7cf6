"""Publisher to the hospital's MQTT broker: the newest of each topic, never waited for.

Topics are ``radionav/v1/{site}/{room}/{leaf}``; the leaves are ``state``, ``guidance``, ``health/{device}`` and
``status``. ``status`` is retained text: ``online`` while this service is connected, ``offline`` when it ends and,
by MQTT's last will, when it dies. What is retained under an ``offline`` room is history.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal, Self

import aiomqtt
import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from devices.clock import Clock, monotonic
from devices.errors import DeviceUnavailable
from devices.mqtt_client import MqttClient
from devices.readings import DeviceHealth, LinkState

log = structlog.get_logger()

STATUS = "status"
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
FAREWELL_S = 0.5

TopicPart = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^/+#\x00]+$")]
"""One level of a topic: without the separator and the wildcards (MQTT 3.1.1, 4.7)."""


class Settings(BaseModel):
    """The broker's entry in the site file; without one nothing is published.

    Attributes
    ----------
    host, port
        Where the broker listens: usually 1883, with TLS 8883.
    site, room
        Levels of the topic.
    username, password_file
        Who we are; the password is the file's first line, read at each connection.
    tls, ca_file
        Whether to encrypt, and the authority to trust in place of the system's.
    qos
        Quality of service of everything published.
    timeout_s
        Longest wait for the broker to connect or to take a message, s.
    keepalive_s
        A broker that hears nothing for 1.5 times as long publishes the last will, s.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    site: TopicPart
    room: TopicPart
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    qos: Literal[0, 1, 2] = 0
    timeout_s: float = Field(default=2.0, gt=0)
    keepalive_s: int = Field(default=5, ge=1, le=65535)

    @model_validator(mode="after")
    def _only_what_is_used(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file without username: MQTT sends a password only with a name")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file without tls = true: nothing would be encrypted")
        return self

    @property
    def prefix(self) -> str:
        """What every topic starts with."""
        return f"radionav/v1/{self.site}/{self.room}"

    @property
    def address(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"


class MqttPublisher:
    """Holds the newest payload of each topic and sends it when the broker takes it.

    Parameters
    ----------
    settings
        The broker.
    on_health
        Called with each change of the link.
    jitter
        Gives a number in [0, 1), such as a generator's ``random``: spreads the rooms' attempts.
    device
        Name that health and log carry.
    clock
        Host monotonic clock.

    """

    def __init__(
        self,
        settings: Settings,
        *,
        on_health: Callable[[DeviceHealth], None],
        jitter: Callable[[], float],
        device: str = "mqtt",
        clock: Clock = monotonic,
    ) -> None:
        self._settings = settings
        self._on_health = on_health
        self._jitter = jitter
        self._device = device
        self._clock = clock
        self._health = DeviceHealth(device=device, state=LinkState.CONNECTING, since_s=clock())
        self._connections = 0
        self._waiting: dict[str, tuple[bytes, bool]] = {}
        self._retained: dict[str, bytes] = {}
        self._has_news = asyncio.Event()

    @property
    def health(self) -> DeviceHealth:
        """State of the link now."""
        return self._health

    def publish_latest(self, topic_leaf: str, payload: bytes, *, retain: bool = False) -> None:
        """Give the newest payload of a topic; it replaces one that was not sent yet. Never waits, never fails.

        Call it from the event loop's thread. A retained payload is sent again after each reconnection, so that
        a broker that lost it has it.

        Raises
        ------
        ValueError
            Where the leaf has a wildcard or is the publisher's own ``status``: a mistake of the caller.

        """
        if topic_leaf == STATUS or not topic_leaf or set(topic_leaf) & set("+#\0"):
            raise ValueError(f"{topic_leaf!r} is no topic to publish to")
        if retain:
            self._retained[topic_leaf] = payload
        self._waiting[topic_leaf] = (payload, retain)
        self._has_news.set()

    async def run(self) -> None:
        """Connect, publish, and connect again, until cancelled."""
        self._on_health(self._health)
        settings = self._settings
        # a fixed name: after a crash the broker drops the old link, and with it its last will, before ours
        name = f"radionav-{settings.site}-{settings.room}"
        will = aiomqtt.Will(f"{settings.prefix}/{STATUS}", b"offline", qos=1, retain=True)
        backoff_s = FIRST_BACKOFF_S
        while True:
            served = self._connections
            try:
                async with connected(settings, device=self._device, identifier=name, will=will) as client:
                    await self._serve(client)
            except (aiomqtt.MqttError, DeviceUnavailable) as exc:
                self._enter(LinkState.LOST, self._sentence(exc))
            if self._connections > served:
                backoff_s = FIRST_BACKOFF_S
            await asyncio.sleep(backoff_s * (1 - 0.5 * self._jitter()))
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    async def _serve(self, client: aiomqtt.Client) -> None:
        self._connections += 1
        self._enter(LinkState.LIVE)
        status = f"{self._settings.prefix}/{STATUS}"
        try:
            await _send(client, status, b"online", qos=1, retain=True)
            self._waiting = {leaf: (payload, True) for leaf, payload in self._retained.items()} | self._waiting
            self._has_news.set()
            await self._publish_until_lost(client)
        except asyncio.CancelledError:
            client.timeout = FAREWELL_S
            with suppress(aiomqtt.MqttError):  # a broker that is gone publishes the last will itself
                await client.publish(status, b"offline", qos=1, retain=True)
            raise

    async def _publish_until_lost(self, client: aiomqtt.Client) -> None:
        # no TaskGroup: where the link breaks while we are cancelled, it would raise the first and eat the second
        tasks = (
            asyncio.create_task(self._watch(client), name="mqtt link"),
            asyncio.create_task(self._publish(client), name="mqtt publisher"),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Raise when the link is lost; nothing is subscribed to, so nothing comes."""
        async for _ in client.messages:
            continue

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._waiting:
                leaf = next(iter(self._waiting))
                payload, is_retained = self._waiting.pop(leaf)
                topic = f"{self._settings.prefix}/{leaf}"
                await _send(client, topic, payload, qos=self._settings.qos, retain=is_retained)

    def _sentence(self, exc: aiomqtt.MqttError | DeviceUnavailable) -> str:
        if isinstance(exc, DeviceUnavailable):
            return str(exc).removeprefix(f"{self._device}: ")
        return f"{say_lost(self._settings, exc)}; trying again"

    def _enter(self, state: LinkState, detail: str = "") -> None:
        reconnects = max(0, self._connections - 1)
        changed = (state, detail, reconnects) != (self._health.state, self._health.detail, self._health.reconnects)
        if not changed:
            return
        since_s = self._health.since_s if state is self._health.state else self._clock()
        self._health = DeviceHealth(
            device=self._device, state=state, since_s=since_s, detail=detail, reconnects=reconnects
        )
        log.info("mqtt_link", device=self._device, state=state.value, detail=detail)
        self._on_health(self._health)


async def _send(client: aiomqtt.Client, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
    """Publish, and be cancelled where asked to.

    Before Python 3.12, ``asyncio.wait_for``, which aiomqtt waits with, eats a cancellation that comes together
    with the broker's answer.
    """
    await client.publish(topic, payload, qos=qos, retain=retain)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def connected(
    settings: Settings, *, device: str, identifier: str, will: aiomqtt.Will | None = None
) -> AsyncIterator[aiomqtt.Client]:
    """Connect to the broker, and disconnect at the end; cancelling closes the link.

    Parameters
    ----------
    settings
        The broker.
    device
        Name that errors carry.
    identifier
        Our name at the broker, which ends any other link of that name (MQTT 3.1.1, 3.1.4).
    will
        What the broker publishes when we die without a word.

    Raises
    ------
    DeviceUnavailable
        Where it cannot be reached or trusted, or a file of the settings cannot be read.
    aiomqtt.MqttError
        Where it refuses us, or the link is lost; ``say_lost`` has the words.

    """
    client = await _client(settings, device, identifier, will)
    # aiomqtt connects in a thread, which a cancellation would leave running with an open socket: let it
    # come to its end, then close what it opened
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
    except BaseException:
        await asyncio.wait({entering})
        await _leave(client)
        raise
    try:
        yield client
    finally:
        await _leave(client)


def say_lost(settings: Settings, exc: aiomqtt.MqttError) -> str:
    """Say that the broker refused us or the link was lost, and why."""
    return f"the link to the broker {settings.address} is lost or refused ({exc})"


async def _leave(client: aiomqtt.Client) -> None:
    client.timeout = FAREWELL_S
    with suppress(aiomqtt.MqttError):  # the link is gone already, which is what we want
        await client.__aexit__(None, None, None)


async def _client(settings: Settings, device: str, identifier: str, will: aiomqtt.Will | None) -> aiomqtt.Client:
    try:
        password = await asyncio.to_thread(_password, settings)
        context = await asyncio.to_thread(_tls_context, settings) if settings.tls else None
    except OSError as exc:
        raise DeviceUnavailable(
            device, f"cannot use {exc.filename or settings.ca_file} ({exc.strerror}). Check the site file"
        ) from exc
    await _reach(settings, device, context)
    return MqttClient(
        settings.host,
        settings.port,
        identifier=identifier,
        username=settings.username,
        password=password,
        tls_context=context,
        timeout=settings.timeout_s,
        keepalive=settings.keepalive_s,
        will=will,
    )


async def _reach(settings: Settings, device: str, context: ssl.SSLContext | None) -> None:
    """Try the address first: this can be cancelled, closes what fails, and its errors say what is wrong."""
    try:
        async with asyncio.timeout(settings.timeout_s):
            _, writer = await asyncio.open_connection(settings.host, settings.port, ssl=context)
    except TimeoutError as exc:
        sentence = f"the broker {settings.address} does not answer. Check host and firewall"
        raise DeviceUnavailable(device, sentence) from exc
    except ConnectionRefusedError as exc:
        sentence = f"no broker listens at {settings.address}. Start it, or check host and port"
        raise DeviceUnavailable(device, sentence) from exc
    except ssl.SSLCertVerificationError as exc:
        sentence = (
            f"the certificate of {settings.address} is not trusted ({exc.verify_message}). "
            "Name its authority in ca_file"
        )
        raise DeviceUnavailable(device, sentence) from exc
    except OSError as exc:
        sentence = f"cannot reach the broker {settings.address} ({exc.strerror or exc}). Check host and port"
        raise DeviceUnavailable(device, sentence) from exc
    writer.transport.abort()
    with suppress(OSError):  # that it was reached is all we wanted to know
        await writer.wait_closed()


def _password(settings: Settings) -> str | None:
    path = settings.password_file
    return None if path is None else path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")


def _tls_context(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)

"""Publisher to the hospital's MQTT broker: the newest of each topic, never waited for.

Topics are ``radionav/v2/{site}/{room}/{leaf}``; the leaves are ``state``, ``guidance``, ``health/{device}`` and
``status``. ``status`` is retained text: ``online`` while this service is connected, ``offline`` when it ends and,
by MQTT's last will, when it dies. What is retained under an ``offline`` room is history.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiomqtt
import structlog

from devices.clock import Clock, monotonic
from devices.errors import DeviceUnavailable
from devices.mqtt_broker import FAREWELL_S, Settings, connected, say_lost
from devices.readings import DeviceHealth, LinkState

log = structlog.get_logger()

STATUS = "status"
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0


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

"""A room that publishes, and an independent client that watches it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from devices.mqtt import MqttPublisher
from devices.mqtt_broker import Settings
from devices.readings import DeviceHealth, LinkState


class Health:
    """What the publisher said of its link."""

    def __init__(self) -> None:
        self.told: list[DeviceHealth] = []
        self._changed = asyncio.Event()

    def __call__(self, health: DeviceHealth) -> None:
        """Take what ``on_health`` tells."""
        self.told.append(health)
        self._changed.set()

    async def until(self, is_so: Callable[[DeviceHealth], bool]) -> DeviceHealth:
        """Wait until the newest is so."""
        while not (self.told and is_so(self.told[-1])):
            self._changed.clear()
            await self._changed.wait()
        return self.told[-1]

    async def state(self, state: LinkState) -> DeviceHealth:
        """Wait for a state."""
        return await self.until(lambda health: health.state is state)


def settings(port: int, **keys: Any) -> Settings:
    """A broker on this machine."""
    return Settings.model_validate({"host": "127.0.0.1", "port": port, "site": "st-anna", "room": "or-2"} | keys)


@asynccontextmanager
async def publishing(port: int, **keys: Any) -> AsyncIterator[tuple[MqttPublisher, Health]]:
    """Run a publisher, and cancel it afterwards."""
    health = Health()
    publisher = MqttPublisher(settings(port, **keys), on_health=health, jitter=lambda: 0.5)
    running = asyncio.create_task(publisher.run())
    try:
        yield publisher, health
    finally:
        assert not running.done(), "the publisher gave up"
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled(), "the publisher ate its cancellation"


class Subscriber:
    """What an independent client sees of the room."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def next(self) -> tuple[str, bytes, bool]:
        """The next message: topic below the room's, payload, whether it was retained."""
        message = await anext(aiter(self._client.messages))
        assert isinstance(message.payload, bytes)
        return message.topic.value.removeprefix("radionav/v2/st-anna/or-2/"), message.payload, message.retain

    async def until(self, topic: str, payload: bytes) -> list[tuple[str, bytes, bool]]:
        """Everything up to a message."""
        seen = [await self.next()]
        while seen[-1][:2] != (topic, payload):
            seen.append(await self.next())
        return seen


@asynccontextmanager
async def subscribed(port: int, **keys: Any) -> AsyncIterator[Subscriber]:
    """Subscribe to the whole room."""
    async with aiomqtt.Client("127.0.0.1", port, **keys) as client:
        await client.subscribe("radionav/v2/st-anna/or-2/#", qos=1)
        yield Subscriber(client)

"""One frame in flight, whatever a display asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import WebSocket

from display.connection import Connection
from display.hub import Hub
from display.messages.feed import Hello, Next, Ping, Pong, ServerMessage, State
from tests.display.test_app import HELLO, state


class Wire:
    """The two ends of a display's socket; what is sent to the display leaves only while ``is_open``."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._told: asyncio.Queue[ServerMessage] = asyncio.Queue()

    async def receive(self) -> Any:
        """What the display sent (ASGI)."""
        event = await self._asked.get()
        self._asked.task_done()
        return event

    async def send(self, event: Any) -> None:
        """Take what goes to the display (ASGI); it arrives at once, the call may return later."""
        if event["type"] == "websocket.send":
            message: ServerMessage = msgspec.json.decode(event["text"], type=ServerMessage)
            if isinstance(message, Hello | State | Pong):  # the heartbeat beats by the clock
                self._told.put_nowait(message)
            await self.is_open.wait()

    def ask(self, message: Next | Ping) -> None:
        """Send as the display."""
        self._asked.put_nowait({"type": "websocket.receive", "text": msgspec.json.encode(message).decode()})

    def leave(self) -> None:
        """Close as the display."""
        self._asked.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def told(self) -> ServerMessage:
        """What the display gets next, heartbeats left out."""
        async with asyncio.timeout(5):
            return await self._told.get()

    async def settle(self) -> None:
        """Wait until all that was asked is read, and nothing but the answer to this is sent."""
        self.ask(Ping(client_ms=1.0))
        assert await self.told() == Pong(client_ms=1.0, server_monotonic_s=7.0)

    async def read(self) -> None:
        """Wait until all that was asked is read, whether or not anything can be sent."""
        async with asyncio.timeout(5):
            await self._asked.join()


@asynccontextmanager
async def connected(hub: Hub) -> AsyncIterator[Wire]:
    """Serve one display, greeted already, until it leaves."""
    wire = Wire()
    websocket = WebSocket({"type": "websocket"}, receive=wire.receive, send=wire.send)
    wire._asked.put_nowait({"type": "websocket.connect"})
    await websocket.accept()
    serving = asyncio.create_task(Connection(websocket, hub, clock=lambda: 7.0).serve(HELLO))
    try:
        assert await wire.told() == HELLO
        yield wire
    finally:
        wire.leave()
        async with asyncio.timeout(5):
            await serving


async def test_asked_twice_one_frame_is_sent() -> None:
    """A second ``next`` while the first is being answered is no second credit."""
    hub = Hub()
    hub.publish(state(0))
    async with connected(hub) as wire:
        for _ in range(3):
            wire.ask(Next(last_seq=0))
            await wire.settle()
        hub.publish(state(1))
        assert await wire.told() == state(1)
        hub.publish(state(2))
        await wire.settle()
        wire.ask(Next(last_seq=1))
        assert await wire.told() == state(2)


async def test_no_frame_is_sent_twice() -> None:
    """A display that asks again for what it was sent already gets the next new one, when there is one."""
    hub = Hub()
    hub.publish(state(0))
    async with connected(hub) as wire:
        wire.ask(Next(last_seq=-1))
        assert await wire.told() == state(0)
        wire.ask(Next(last_seq=-1))
        await wire.settle()
        hub.publish(state(1))
        assert await wire.told() == state(1)


async def test_a_number_of_a_service_before_this_one_keeps_nobody_waiting() -> None:
    """A restarted service begins with 0: who has drawn thousands would get nothing but heartbeats for hours."""
    hub = Hub()
    async with connected(hub) as wire:
        wire.ask(Next(last_seq=90_000))
        await wire.settle()
        hub.publish(state(0))
        assert await wire.told() == state(0)
    async with connected(hub) as wire:
        wire.ask(Next(last_seq=90_000))
        assert await wire.told() == state(0)


async def test_a_display_faster_than_our_own_send_is_not_forgotten() -> None:
    """Its ``next`` may come before the call that sent it the frame returns: it is drawn, and is answered."""
    hub = Hub()
    hub.publish(state(0))
    async with connected(hub) as wire:
        wire.is_open.clear()
        wire.ask(Next(last_seq=-1))
        assert await wire.told() == state(0)
        wire.ask(Next(last_seq=-1))
        wire.ask(Next(last_seq=0))
        await wire.read()
        hub.publish(state(1))
        wire.is_open.set()
        assert await wire.told() == state(1)
        hub.publish(state(2))
        await wire.settle()

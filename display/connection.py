"""One display's WebSocket: one state frame in flight, a heartbeat each second.

The display asks for the next state when it has drawn the last. Without that credit a slow display falls seconds
behind while the kernel's buffers swallow what it has not read; with it the age stays at milliseconds
(docs/decisions/0002-one-frame-in-flight.md).
"""

import asyncio
from math import inf

import msgspec
import structlog
from fastapi import WebSocket, WebSocketDisconnect

from devices.clock import Clock
from display.hub import Hub
from display.messages.access import SignIn
from display.messages.feed import ClientMessage, Heartbeat, Hello, Next, Ping, Pong, Refusal, ServerMessage

HEARTBEAT_S = 1.0
GREATEST_MESSAGE = 4096
"""Bytes of a display's message; ``next`` and ``ping`` need fewer than a hundred."""

CLOSE_BAD_MESSAGE = 4400
"""WebSocket close code (private range) after a message that is none of ours."""

CLOSE_GONE = 1006
"""Close code of a connection that ended without one (RFC 6455, 7.4.1)."""

log = structlog.get_logger()


class Connection:
    """Serves the feed to one display until it leaves."""

    def __init__(self, websocket: WebSocket, hub: Hub, *, clock: Clock) -> None:
        self._websocket = websocket
        self._hub = hub
        self._clock = clock
        self._asked: asyncio.Queue[Next] = asyncio.Queue()
        self._drawn_before_next: float = -1
        self._sending = asyncio.Lock()
        self._last_sent = -1

    async def serve(self, hello: Hello) -> None:
        """Send ``hello``, then states as they are asked for, until either side goes."""
        self._hub.displays += 1
        try:
            await self._converse(hello)
        finally:
            self._hub.displays -= 1

    async def _converse(self, hello: Hello) -> None:
        await self._send(hello)
        listening = asyncio.create_task(self._listen(), name="display listening")
        speaking = [
            asyncio.create_task(self._answer(), name="display answering"),
            asyncio.create_task(self._beat(), name="display heartbeat"),
        ]
        try:
            # the listener ends when the display leaves; the speakers only by an error
            await asyncio.wait([listening, *speaking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, *speaking):
                task.cancel()
            # not gather: cancelled a second time it raises its children's cancellation instead of ours
            await asyncio.wait([listening, *speaking])
        for task in (listening, *speaking):
            failure = None if task.cancelled() else task.exception()
            if failure is not None and not isinstance(failure, WebSocketDisconnect):
                raise failure

    async def _listen(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            sent = received.get("text") or ""
            try:
                if len(sent) > GREATEST_MESSAGE:
                    raise msgspec.ValidationError(f"{len(sent)} characters; {GREATEST_MESSAGE} are the most")
                message = msgspec.json.decode(sent, type=ClientMessage)
            except msgspec.DecodeError as exc:
                log.warning("display refused", reason=str(exc))
                await self._send(Refusal(message=f"not a message of this feed: {exc}; see docs/feed.md"))
                await self._websocket.close(CLOSE_BAD_MESSAGE)
                return
            await self._obey(message)

    async def _obey(self, message: ClientMessage) -> None:
        match message:
            case Ping(client_ms=client_ms):
                await self._send(Pong(client_ms=client_ms, server_monotonic_s=self._clock()))
            case Next(last_seq=last_seq) if last_seq >= self._drawn_before_next:
                self._drawn_before_next = inf
                self._asked.put_nowait(message)
            case SignIn():
                pass  # a display that is let in anyhow may show its token
            case Next():
                pass  # one is being answered: one frame in flight, however often it is asked for

    async def _answer(self) -> None:
        """Answer one ``next`` after another, never with the same state.

        A number that no state has yet is of a service before this one: of this its display has drawn nothing.

        While one waits for a newer state no other counts. While that state is being sent, one counts that says
        it is drawn: a display can be faster than the call that sends to it returns.
        """
        while True:
            asked = await self._asked.get()
            newest = self._hub.newest
            drawn = asked.last_seq if newest is not None and asked.last_seq <= newest.seq else -1
            state = await self._hub.newer_than(max(drawn, self._last_sent))
            spared = state.seq - self._last_sent - 1 if self._last_sent >= 0 else 0
            self._last_sent = self._drawn_before_next = state.seq
            await self._send_text(self._hub.text_of(state, spared=spared))
            if self._asked.empty():
                self._drawn_before_next = -1

    async def _beat(self) -> None:
        while True:
            newest = self._hub.newest
            seq = newest.seq if newest else -1
            await self._send(Heartbeat(seq=seq, server_monotonic_s=self._clock()))
            await asyncio.sleep(HEARTBEAT_S)

    async def _send(self, message: ServerMessage) -> None:
        await self._send_text(msgspec.json.encode(message).decode())

    async def _send_text(self, text: str) -> None:
        async with self._sending:
            try:
                await self._websocket.send_text(text)
            except RuntimeError as exc:
                # what starlette and uvicorn raise where the other speaker, or the closing server, was quicker
                raise WebSocketDisconnect(CLOSE_GONE) from exc

"""Displays that cost next to nothing: what a benchmark measures is then the service, not its own clients.

Twenty displays of an operating room are twenty machines, here they share one event loop, and each waits for those
before it. So a message is stamped as soon as it is whole, its answer leaves some milliseconds later, as if it had
been drawn, and it is read afterwards.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

Answer = Callable[[bytes], bytes | None]
"""What a display says to a message; None for nothing."""

Seen = tuple[float, bytes]
"""When a message was whole, host monotonic clock, s, and its text."""


DRAWING_S = 0.005
"""From a message to its answer: less than any screen takes, and enough that no other's message waits for it."""


class Onlooker(asyncio.Protocol):
    """One display: keeps what it saw and answers it."""

    def __init__(self, url: str, subprotocol: str, answer: Answer) -> None:
        self.seen: list[Seen] = []
        self._protocol = ClientProtocol(parse_uri(url), subprotocols=[Subprotocol(subprotocol)])
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a TCP transport
        """Shake hands."""
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response) and self._protocol.handshake_exc is not None:
                self._end(self._protocol.handshake_exc)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.seen.append((time.monotonic(), bytes(event.data)))
                self._loop.call_later(DRAWING_S, self._say, self.seen[-1][1])
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so to who watches."""
        self._end(exc or ConnectionError("the service closed the feed"))

    async def look(self, seconds: float) -> None:
        """Look for so long, and leave.

        Raises
        ------
        Exception
            Where it was not let in, or the feed ended before; the one that says why.

        """
        try:
            async with asyncio.timeout(seconds):
                await self._ended
        except TimeoutError:
            self._transport.abort()

    def _say(self, content: bytes) -> None:
        answer = self._answer(content)
        if answer is not None and not self._transport.is_closing():
            self._protocol.send_text(answer)
            self._flush()

    def _flush(self) -> None:
        for part in self._protocol.data_to_send():
            if part:
                self._transport.write(part)

    def _end(self, exc: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc)
            self._ended.exception()  # read by who still looks


async def watch(
    url: str, displays: int, answer: Answer, *, subprotocol: str, seconds: float
) -> Sequence[list[Seen]]:
    """Look with so many displays at once for so long; gives what each saw."""
    loop, place = asyncio.get_running_loop(), parse_uri(url)
    looking = [
        (await loop.create_connection(lambda: Onlooker(url, subprotocol, answer), place.host, place.port))[1]
        for _ in range(displays)
    ]
    await asyncio.gather(*(each.look(seconds) for each in looking))
    return [each.seen for each in looking]

"""Ports that host a simulated instrument: a pty under a lasting name, or a TCP server like a serial converter.

The driver opens them as it opens real ones. They can be unplugged: the pty goes away as a USB adapter does, and
comes back as another one under the same name, as udev's ``/dev/serial/by-id`` links do.
"""

import asyncio
import os
import socket
import struct
import termios
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from devices.clock import Clock, monotonic
from simulators.faults import Fault, intact

TICK_S = 0.01
SPEEDS = {
    getattr(termios, f"B{rate}"): rate
    for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800)
}
"""Bits a second by the number that a terminal has for them."""
LINGER_NOT = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends a reset."""


class Instrument(Protocol):
    """The other end of a wire; no I/O, only bytes and times (host monotonic clock, s)."""

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Take what the host sent; give the answer."""

    def tick(self, now_s: float) -> bytes:
        """Give what the instrument sends unasked, now."""


class _Wire:
    """Carries what an instrument sends, through a fault, in order, to a plug that may be pulled."""

    def __init__(
        self, instrument: Instrument, *, clock: Clock, fault: Fault, tick_s: float, answer_s: float = 0.0
    ) -> None:
        self._instrument = instrument
        self._clock = clock
        self._fault = fault
        self._tick_s = tick_s
        self._answer_s = answer_s
        self._sent: deque[tuple[float, bytes]] = deque()
        self._is_sent = asyncio.Event()
        self.put: Callable[[bytes], None] = _nowhere

    def take(self, sent: bytes) -> None:
        """Hand the instrument what the host wrote; its answer tells what is so when it leaves."""
        leaves_at_s = asyncio.get_running_loop().time() + self._answer_s
        self._send(self._instrument.receive(sent, self._clock() + self._answer_s), leaves_at_s)

    def _send(self, sent: bytes, leaves_at_s: float) -> None:
        if sent:
            self._sent.append((leaves_at_s, sent))
            self._is_sent.set()

    async def tick(self) -> None:
        """Let the instrument speak unasked, for ever."""
        while True:
            self._send(self._instrument.tick(self._clock()), asyncio.get_running_loop().time())
            await asyncio.sleep(self._tick_s)

    async def carry(self) -> None:
        """Carry what was sent, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._is_sent.wait()
            self._is_sent.clear()
            while self._sent:
                sent_at_s, sent = self._sent.popleft()
                for delay_s, piece in self._fault(sent):
                    # even a delay of nothing lets the driver read what is there, so that pieces stay apart
                    await asyncio.sleep(max(sent_at_s + delay_s - loop.time(), 0))
                    self.put(piece)


def _nowhere(_: bytes) -> None:
    """Lose what is sent while nothing is plugged in."""


@asynccontextmanager
async def _running(wire: _Wire) -> AsyncIterator[None]:
    # no task group: it would wrap an exception of the caller's body into a group
    tasks = [
        asyncio.create_task(wire.tick(), name="simulated instrument"),
        asyncio.create_task(wire.carry(), name="simulated wire"),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


class PtyPort:
    """An instrument on a pty; ``url`` is a link that stays while ptys come and go."""

    def __init__(self, wire: _Wire, link: Path) -> None:
        self._wire = wire
        self._link = link
        self._ends: tuple[int, int] | None = None

    @property
    def url(self) -> str:
        """What the site file's ``port`` is set to."""
        return str(self._link)

    @property
    def baud_rate(self) -> int:
        """Bits a second that whoever opened it has set; 0 where that is no usual rate, or nothing is there."""
        if self._ends is None:
            return 0
        return SPEEDS.get(termios.tcgetattr(self._ends[0])[5], 0)

    def plug(self) -> None:
        """Make a pty and put the link on it."""
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        self._link.parent.mkdir(parents=True, exist_ok=True)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(theirs))
        asyncio.get_running_loop().add_reader(ours, self._receive)
        self._wire.put = self._put

    def pull(self) -> None:
        """Take link and pty away; who has it open gets an I/O error."""
        if self._ends is None:
            return
        self._wire.put = _nowhere
        self._link.unlink(missing_ok=True)
        asyncio.get_running_loop().remove_reader(self._ends[0])
        for end in self._ends:
            os.close(end)
        self._ends = None

    async def unplug(self, for_s: float) -> None:
        """Pull the plug and put it back after ``for_s``."""
        self.pull()
        await asyncio.sleep(for_s)
        self.plug()

    def _receive(self) -> None:
        if self._ends is not None:
            self._wire.take(os.read(self._ends[0], 65536))

    def _put(self, piece: bytes) -> None:
        if self._ends is None:
            return
        try:
            os.write(self._ends[0], piece)
        except BlockingIOError:
            # nobody reads and the pty is full: on a real wire these bytes would be gone as well
            return


class TcpPort:
    """An instrument behind a serial server on loopback, for one client at a time."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._number = 0

    @property
    def url(self) -> str:
        """What the site file's ``port`` is set to."""
        return f"socket://127.0.0.1:{self._number}"

    async def plug(self) -> None:
        """Listen, at first on any free port, later on the same."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._number)
        self._number = self._server.sockets[0].getsockname()[1]

    async def pull(self, *, is_abrupt: bool = False) -> None:
        """Stop listening and end the connection, by FIN or abruptly by RST."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        if self._writer is not None:
            if is_abrupt:
                plug: socket.socket = self._writer.get_extra_info("socket")
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
                self._writer.transport.abort()
            self._let_go()

    async def unplug(self, for_s: float, *, is_abrupt: bool = False) -> None:
        """Pull the plug and put it back after ``for_s``."""
        await self.pull(is_abrupt=is_abrupt)
        await asyncio.sleep(for_s)
        await self.plug()

    def _let_go(self) -> None:
        self._wire.put = _nowhere
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            writer.close()
            return
        self._writer = writer
        self._wire.put = writer.write
        try:
            while received := await reader.read(65536):
                self._wire.take(received)
        except ConnectionError:
            return  # the client is gone without a word, as clients are
        finally:
            if self._writer is writer:
                self._let_go()


@asynccontextmanager
async def open_pty_port(
    instrument: Instrument,
    link: Path,
    *,
    clock: Clock = monotonic,
    fault: Fault = intact,
    tick_s: float = TICK_S,
    answer_s: float = 0.0,
) -> AsyncIterator[PtyPort]:
    """Host an instrument on a pty that ``link`` points to.

    ``answer_s``, seconds of the host, is how long it takes for an answer. What the answer tells is so when it
    leaves, however long the host computes at it meanwhile; without it that time makes the answer late.
    """
    wire = _Wire(instrument, clock=clock, fault=fault, tick_s=tick_s, answer_s=answer_s)
    port = PtyPort(wire, link)
    port.plug()
    try:
        async with _running(wire):
            yield port
    finally:
        port.pull()


@asynccontextmanager
async def open_tcp_port(
    instrument: Instrument, *, clock: Clock = monotonic, fault: Fault = intact, tick_s: float = TICK_S
) -> AsyncIterator[TcpPort]:
    """Host an instrument behind a serial server on a free loopback port."""
    wire = _Wire(instrument, clock=clock, fault=fault, tick_s=tick_s)
    port = TcpPort(wire)
    await port.plug()
    try:
        async with _running(wire):
            yield port
    finally:
        await port.pull()

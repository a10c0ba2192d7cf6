"""Byte links to instruments: serial ports, ptys and ``socket://host:port``, opened by pyserial.

pyserial opens and configures, since it knows the ports; after that the event loop reads the descriptor itself,
so that nothing ever waits inside the loop and every chunk is stamped as its first byte comes. Opening and
closing may block for seconds (a network port that does not answer, a driver that drains its buffer): both
run in a daemon thread, which a shutdown does not wait for.
"""

import asyncio
import os
import socket
import termios
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import serial
import structlog
from pydantic import AfterValidator
from serial.urlhandler import protocol_socket

from devices.clock import Clock, monotonic
from devices.errors import DeviceUnavailable
from devices.port_advice import advise
from devices.usb import find_adapter

log = structlog.get_logger()

GREATEST_HELD = 1 << 20
"""Bytes held for a driver that does not read; beyond it the kernel's buffer, then the instrument, must wait."""

Character: TypeAlias = Literal["8N1", "7E1", "7E2"]
"""Data bits, parity and stop bits of a character on the line."""

Result = TypeVar("Result")


def check_port(port: str) -> str:
    """Refuse what is neither a path such as ``/dev/ttyUSB0`` nor ``socket://host:port``; ``ValueError``."""
    if port.startswith("/"):
        return port
    parts = urlsplit(port)
    if parts.scheme != "socket" or not parts.hostname or not parts.port or parts.path or parts.query:
        raise ValueError(
            f"{port!r} is no port: write a path such as /dev/serial/by-id/usb-… or socket://host:port"
        )
    return port


PortUrl = Annotated[str, AfterValidator(check_port)]
"""Where an instrument is connected, as the site file writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Bytes that came together, and when the first of them did (host monotonic clock, s)."""

    received: bytes
    arrived_at_s: float


class _SocketPort(protocol_socket.Serial):
    """pyserial's socket port, closed at once and for certain.

    pyserial 3.5 shuts the socket down before it closes it; after a reset the first fails and the second is
    left out, so that the descriptor stays open until the garbage collector finds it. It also sleeps 0.3 s.
    """

    _socket: socket.socket | None = None

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.is_open = False


class Link:
    """An open port. One reader; every byte given once, in order.

    ``adapter`` names the USB adapter that it hangs on; empty where there is none.
    """

    def __init__(
        self, port: serial.SerialBase, *, device: str, name: str, clock: Clock, adapter: str = ""
    ) -> None:
        self.adapter = adapter
        self._port = port
        self._descriptor: int = port.fileno()
        self._device = device
        self._name = name
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[Chunk] = deque()
        self._held = 0
        self._failure: DeviceUnavailable | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._loop.add_reader(self._descriptor, self._receive)

    async def read(self) -> Chunk:
        """Give the next bytes, waiting for them; ``DeviceUnavailable`` once the link is lost and all is read."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        chunk = self._chunks.popleft()
        self._let_go(len(chunk.received))
        return chunk

    async def write(self, sent: bytes) -> None:
        """Send all of ``sent``; ``DeviceUnavailable`` if the link is lost."""
        rest = memoryview(sent)
        while rest:
            if self._failure is not None:
                raise self._failure
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                await self._writable()
            except OSError as exc:
                raise self._lost(exc) from exc

    def discard(self) -> None:
        """Forget what has come and was not read: it answers nothing that is asked from now on."""
        self._chunks.clear()
        self._let_go(self._held)

    async def set_baud_rate(self, baud_rate: int) -> None:
        """Go on at another speed, bits a second; a network port takes no notice.

        Raises
        ------
        DeviceUnavailable
            Where this port does not have that speed.

        """
        try:
            await _in_thread(lambda: setattr(self._port, "baudrate", baud_rate))
        except (OSError, ValueError, termios.error) as exc:
            raise DeviceUnavailable(
                self._device, f"{self._name} cannot do {baud_rate} bits a second ({exc}): choose another baud_rate"
            ) from exc

    async def send_break(self) -> None:
        """Hold the line for a quarter of a second; a network port, and a pty, take no notice."""
        try:
            await _in_thread(self._port.send_break)
        except (OSError, termios.error) as exc:
            raise DeviceUnavailable(self._device, f"{self._name} cannot send a break: {exc}") from exc

    async def close(self) -> None:
        """Stop reading and let the port go; what was held is dropped."""
        self._loop.remove_reader(self._descriptor)
        self._failure = self._failure or DeviceUnavailable(self._device, f"{self._name} is closed")
        await _in_thread(lambda: _close(self._port, self._name))

    async def _writable(self) -> None:
        ready = self._loop.create_future()

        def set_ready() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_writer(self._descriptor, set_ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._descriptor)

    def _receive(self) -> None:
        arrived_at_s = self._clock()
        try:
            received = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        except OSError as exc:
            failure = self._lost(exc)
            failure.__cause__ = exc
            self._fail(failure)
            return
        if not received:
            self._fail(self._lost(None))
            return
        self._chunks.append(Chunk(received=received, arrived_at_s=arrived_at_s))
        self._held += len(received)
        if self._held > GREATEST_HELD:
            self._loop.remove_reader(self._descriptor)
        self._wake()

    def _let_go(self, number: int) -> None:
        """Hold so many bytes less; once there is room again, more is read."""
        was_full = self._held > GREATEST_HELD
        self._held -= number
        if was_full and self._held <= GREATEST_HELD and self._failure is None:
            self._loop.add_reader(self._descriptor, self._receive)

    def _lost(self, exc: OSError | None) -> DeviceUnavailable:
        why = exc.strerror if exc is not None else "end of stream"
        return DeviceUnavailable(
            self._device,
            f"{self._name} is gone ({why}): check the cable and that the instrument is on, and that no other "
            "program reads the same port",
        )

    def _fail(self, failure: DeviceUnavailable) -> None:
        self._loop.remove_reader(self._descriptor)
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


@asynccontextmanager
async def open_link(
    url: str,
    *,
    device: str,
    baud_rate: int = 9600,
    character: Character = "8N1",
    has_handshake: bool = False,
    clock: Clock = monotonic,
) -> AsyncIterator[Link]:
    """Open a port for this process alone; RTS and DTR are set, which feeds some cables.

    Parameters
    ----------
    url
        ``/dev/ttyUSB0``, a pty's path (which has no line parameters), or ``socket://host:port`` (a serial server;
        its line parameters are set there).
    device
        The device's name in the site file, for errors.
    baud_rate
        Bits a second.
    character
        Data bits, parity and stop bits.
    has_handshake
        Whether RTS and CTS say when the other may send; a pty, and a network port, take no notice.
    clock
        Stamps each chunk.

    Raises
    ------
    DeviceUnavailable
        With a sentence that says what to do: no such port, not allowed, in use, nobody listening.

    """
    opening = _Opening(url, baud_rate, character, has_handshake=has_handshake)
    try:
        port = await _in_thread(opening.open)
    except asyncio.CancelledError:
        opening.abandon()
        raise
    except (OSError, ValueError, termios.error) as exc:
        raise DeviceUnavailable(device, advise(url, exc)) from exc
    link = Link(port, device=device, name=url, clock=clock, adapter=opening.adapter)
    try:
        yield link
    finally:
        await link.close()


class _Opening:
    """Opens a port in a thread, and closes it again if nobody waits for it any more."""

    def __init__(self, url: str, baud_rate: int, character: Character, *, has_handshake: bool) -> None:
        self._url = url
        self._baud_rate = baud_rate
        self._character = character
        self._has_handshake = has_handshake
        self._lock = threading.Lock()
        self._is_wanted = True
        self._port: serial.SerialBase | None = None
        self.adapter = ""

    def open(self) -> serial.SerialBase:
        kind = _SocketPort if check_port(self._url).startswith("socket://") else serial.Serial
        # a pty has no bits on a line: it keeps 8N1 whatever is asked for, and says so from the second opening on
        data_bits, parity, stop_bits = "8N1" if _is_pty(self._url) else self._character
        port = kind(
            self._url,
            baudrate=self._baud_rate,
            bytesize=int(data_bits),
            parity=parity,
            stopbits=int(stop_bits),
            rtscts=self._has_handshake,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
        self.adapter = "" if kind is _SocketPort else find_adapter(self._url)
        with self._lock:
            self._port = port
            is_wanted = self._is_wanted
        if not is_wanted:
            _close(port, self._url)
        return port

    def abandon(self) -> None:
        with self._lock:
            self._is_wanted = False
            opened = self._port
        if opened is not None:
            closing = threading.Thread(
                target=_close, args=(opened, self._url), daemon=True, name=f"close {self._url}"
            )
            closing.start()


def _is_pty(path: str) -> bool:
    return os.path.realpath(path).startswith("/dev/pts/")


def _close(port: serial.SerialBase, name: str) -> None:
    """Close a port; one that is gone already may fail at it, and is let go all the same."""
    try:
        port.close()
    except (OSError, termios.error) as exc:
        log.warning("port did not close in order", port=name, reason=str(exc))


async def _in_thread(function: Callable[[], Result]) -> Result:
    """Call a function that may block, in a daemon thread: an executor's would hold up the shutdown."""
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # from here on a cancelled caller does not stop the call

    def run() -> None:
        try:
            outcome.set_result(function())
        except Exception as exc:  # noqa: BLE001 - handed over to whoever awaits
            outcome.set_exception(exc)

    threading.Thread(target=run, daemon=True, name="serial port").start()
    return await asyncio.wrap_future(outcome)

"""The socket under an OpenIGTLink client."""

import asyncio
import socket

from devices.clock import Clock
from devices.errors import DeviceUnavailable
from devices.trackers.igtl import Arrival, Decoder, Message
from devices.trackers.igtl_envelope import HEADER

CLOSING_S = 0.5
"""Longest wait for the last bytes to go out."""


class IgtlLink(asyncio.Protocol):
    """Stamps bytes as they come and holds them, in bounds, until their messages are read.

    Parameters
    ----------
    clock
        Gives the time of each arrival, monotonic, s.
    largest_body_bytes
        Bodies that claim to be larger end the stream.

    """

    def __init__(self, clock: Clock, *, largest_body_bytes: int) -> None:
        self.decoder = Decoder(largest_body_bytes=largest_body_bytes)
        self._clock = clock
        # more than one whole message, so that a reader that is waited for always finds one
        self._high_water_bytes = 2 * (HEADER.size + largest_body_bytes)
        self._is_paused = False
        self._end: ConnectionError | None = None
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket: small messages go out at once, and a peer that is gone is noticed."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other; for the type checker
        self._transport = transport
        connected: socket.socket = transport.get_extra_info("socket")
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Stamp and keep; stop reading the socket while more than enough is kept."""
        self.decoder.feed(data, self._clock())
        if self.decoder.buffered_bytes > self._high_water_bytes and not self._is_paused:
            self._transport.pause_reading()
            self._is_paused = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why, for whoever reads next."""
        self._end = ConnectionError(str(exc) if exc else "the other end closed it")
        self._changed.set()
        self._closed.set()

    def take(self) -> Arrival | None:
        """Give the next whole message, or None until more has come.

        Raises
        ------
        FrameError
            Where what comes is not OpenIGTLink.

        """
        return next(iter(self.decoder), None)

    async def wait(self) -> None:
        """Wait for more bytes, after ``take`` gave None.

        Raises
        ------
        ConnectionError
            Where the link has ended, so that no more will come.

        """
        if self._end is not None:
            raise self._end
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._changed.clear()
        await self._changed.wait()

    def send(self, message: Message) -> None:
        """Send, without waiting."""
        self._transport.write(message.to_bytes())

    async def close(self) -> None:
        """Close, letting what was sent go out; cut where the other end does not take it."""
        self._transport.close()
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()
            await self._closed.wait()


async def open_igtl_link(
    device: str, host: str, port: int, *, timeout_s: float, largest_body_bytes: int, clock: Clock
) -> IgtlLink:
    """Connect to a server; ``device`` is its name in the site file.

    Raises
    ------
    DeviceUnavailable
        Where the host is unknown, refuses, or does not answer within ``timeout_s``.

    """
    address = f"{host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, link = await loop.create_connection(
                lambda: IgtlLink(clock, largest_body_bytes=largest_body_bytes), host, port
            )
    except TimeoutError as exc:
        raise DeviceUnavailable(
            device,
            f"{address} does not answer within {timeout_s:g} s. "
            "Check that the tracker's computer is on and its firewall lets us in",
        ) from exc
    except socket.gaierror as exc:
        raise DeviceUnavailable(
            device, f"the network does not know the host {host!r} ({exc.strerror}). Check its name"
        ) from exc
    except ConnectionRefusedError as exc:
        raise DeviceUnavailable(
            device,
            f"nothing listens at {address}. Start the tracker's OpenIGTLink server, or check the port",
        ) from exc
    except OSError as exc:
        raise DeviceUnavailable(device, f"cannot reach {address} ({exc.strerror or exc})") from exc
    return link

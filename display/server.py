"""Runs the display's server inside a process that ends as a whole."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from display.ending import Ending

CLOSING_TIME_S = 1
"""How long displays get to say goodbye; without a limit a closing server waits for them for ever."""


MOST_CONNECTIONS = 300
"""At a time, displays and everything else."""

FIRST_REQUEST_WITHIN_S = 10.0

LINGERS_S = 0.3
"""How long the other end of a WebSocket may take to read and answer its close."""

GREATEST_FRAME = 65536
"""Bytes of a WebSocket message from a display; none of ours has a tenth of it."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2, which is the least: forward secrecy and authenticated encryption only (RFC 9325 4.2)."""


class AddressInUse(Exception):
    """Raised when the server's address cannot be listened on; the message says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket; port 0 takes any free one.

    Raises
    ------
    AddressInUse
        Where another program has the port, or the address is not this machine's.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small frames at once only where it is told that this is TCP; else one waits for the ACK of
    # the heartbeat before it, which comes 40 ms late
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as exc:
        listener.close()
        raise AddressInUse(
            f"{host}:{port} cannot be listened on ({exc.strerror}): end the program that uses it, "
            "or set another port"
        ) from exc
    return listener


class BoundedHttp(H11Protocol):
    """HTTP from at most so many connections at a time, none of which may sit idle before its first request.

    More are closed as they come: whoever opens a thousand takes no descriptor from a probe's serial port.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a connection, or close it."""
        if len(self.connections) >= MOST_CONNECTIONS:
            transport.abort()
            return
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST_WITHIN_S, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection; one that was not taken is not known."""
        if self.transport is not None:
            super().connection_lost(exc)

    def _close_idle(self) -> None:
        if self.scope is None and not self.transport.is_closing():
            self.transport.abort()


class BoundedSocket(WebSocketsSansIOProtocol):
    """A WebSocket that is gone soon after it is served, whatever its other end still reads.

    uvicorn would wait until all that was written is read, which for a display that reads nothing is never: one
    whose token was revoked kept its socket, and what lay in it.
    """

    async def run_asgi(self) -> None:
        """Serve it, and let it linger for its close to be read and answered."""
        await super().run_asgi()
        self.loop.call_later(LINGERS_S, self.transport.abort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The server's certificate with its chain, and its private key, both PEM."""

    certificate: Path
    key: Path


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own; ``close()`` ends it.

    Raises
    ------
    OSError
        Where the certificate or its key cannot be read, or do not belong together.

    """

    def __init__(self, app: FastAPI, *, tls: Certificate | None = None) -> None:
        self._ending = Ending(app)
        super().__init__(
            uvicorn.Config(
                self._ending,
                http=BoundedHttp,
                ws=BoundedSocket,
                ws_max_size=GREATEST_FRAME,
                ws_per_message_deflate=False,  # it costs each display of a local network a frame's time again
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                ssl_ciphers=CIPHERS,
                timeout_graceful_shutdown=CLOSING_TIME_S,
                lifespan="off",
                log_config=None,
                access_log=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield

    def close(self) -> None:
        """Stop listening, answer what is waited for, and say goodbye to every display."""
        self._ending.end()
        self.should_exit = True

"""Runs the display's server inside a process that ends as a whole."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

CLOSING_TIME_S = 1
"""How long displays get to say goodbye; without a limit a closing server waits for them for ever."""


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


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own; ``close()`` ends it."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="websockets-sansio",
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
        """Stop listening and say goodbye to every display."""
        self.should_exit = True

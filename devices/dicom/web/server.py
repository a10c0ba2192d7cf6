"""The HTTP server: uvicorn, which drops who does not come to the point."""

import asyncio
from collections.abc import Callable

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from devices.dicom.settings import NodeSettings, WebSettings
from devices.dicom.tls import server_context
from devices.dicom.web.plainness import ListeningContext

CLOSING_TIME_S = 1


class _Connection(H11Protocol):
    """A connection that ends where no whole request has come in time, or what is sent is not taken in time.

    Byte by byte or not at all. What is sent comes in pieces: the time is for the piece that is under way.
    """

    request_time_s = idle_time_s = 0.0
    _deadline: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        # so that it is told of what is not taken yet, however little; of 0 asyncio's TLS makes a pause without end
        transport.set_write_buffer_limits(high=1, low=0)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(self.idle_time_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()
        self._taken()

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.request_time_s, self.transport.close)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def make_server(
    app: Starlette, settings: NodeSettings, web: WebSettings, *, refuse: Callable[[str], None]
) -> uvicorn.Server:
    """Make the server; ``refuse`` is told of connections that are no HTTPS where they should be.

    Raises
    ------
    OSError
        Where the certificate cannot be used.

    """
    tls = None
    if web.tls and settings.tls is not None:
        tls = server_context(settings.tls, kind=ListeningContext)
        if isinstance(tls, ListeningContext):
            tls.tell = refuse

    class Connection(_Connection):
        request_time_s = settings.request_time_s
        idle_time_s = settings.idle_time_s

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=web.maximum_connections + 1,  # the first that uvicorn has too many
            timeout_graceful_shutdown=CLOSING_TIME_S,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
    )

"""Who may talk to the display's server from a browser: pages that it served itself, and nobody else.

Programs without a browser send no Origin and are stopped by the address the server listens on.
"""

from collections.abc import Sequence

from fastapi.datastructures import Headers
from fastapi.responses import PlainTextResponse

from devices.origin import refuse_origin
from display.asgi import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
NOT_STORED = (b"cache-control", b"no-store")
"""For every answer that does not say itself how long it may be kept."""


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, and adds the security headers."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = refuse_origin(Headers(scope=scope), hosts=self._hosts)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                names = {name for name, _ in given}
                # what an answer says itself of how long it may be kept, or of a stricter policy, holds
                missing = (header for header in (*SECURITY_HEADERS, NOT_STORED) if header[0] not in names)
                message["headers"] = [*given, *missing]
            await send(message)

        await self._app(scope, receive, send_guarded)


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the connect event must be taken before it can be refused
        await send({"type": "websocket.close", "code": 4403, "reason": reason})
        return
    await PlainTextResponse(reason, status_code=403)(scope, receive, send)

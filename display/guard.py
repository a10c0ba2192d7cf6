"""Who may talk to the display's server from a browser: pages that it served itself, and nobody else.

A browser will gladly connect any page on the internet to a server on this machine. The Host header stops
names that were pointed here (DNS rebinding), the Origin header stops foreign pages (cross-site WebSocket
hijacking, forged posts); programs without a browser send no Origin and are stopped by the address the
server listens on.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _host_name(header: str) -> str:
    return urlsplit(f"//{header}").hostname or ""


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
        headers = Headers(scope=scope)
        refusal = self._refusal(headers)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added["content-security-policy"] = CONTENT_SECURITY_POLICY
                added["x-content-type-options"] = "nosniff"
                added["referrer-policy"] = "no-referrer"
                added.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return f"this server does not answer for the host {host!r}"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"pages from {origin} may not use this server"
        return None


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the connect event must be taken before it can be refused
        await send({"type": "websocket.close", "code": 4403, "reason": reason})
        return
    await PlainTextResponse(reason, status_code=403)(scope, receive, send)

"""How what is under way ends with the server: a request with an answer, a socket with its close, and no trace."""

import asyncio

from fastapi.responses import PlainTextResponse

from display.asgi import ASGIApp, Message, Receive, Scope, Send

LAST_S = 0.5
"""How long what is being answered may take as the server closes; who waits for news waits no longer."""


class Ending:
    """ASGI middleware: once it is told to end, nothing that it serves lasts longer than `LAST_S`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._serving: set[asyncio.Timeout] = set()
        self._ends_s: float | None = None

    def end(self) -> None:
        """Let what is served now, and what still comes, end."""
        if self._ends_s is not None:
            return
        self._ends_s = asyncio.get_running_loop().time() + LAST_S
        for each in self._serving:
            each.reschedule(self._ends_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        lasting = asyncio.timeout_at(self._ends_s)
        try:
            async with lasting:
                self._serving.add(lasting)
                await self._app(scope, receive, send_noted)
        except TimeoutError:
            if not lasting.expired():
                raise
            if scope["type"] == "http" and not has_begun:
                await PlainTextResponse("radionav is being ended", 503)(scope, receive, send)
        finally:
            self._serving.discard(lasting)

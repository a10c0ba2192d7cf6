"""How somebody is let in: over HTTP with a secret or a display's token, and on a socket by its first message."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from fastapi import Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse

from display.access.admission import Admission, SignInRefused, TooManyTries, Visitor
from display.access.gate import COOKIE, THIS_MACHINE, token_of
from display.bodies import bounded_body
from display.messages.access import Signed, SignIn, SignInRequest
from display.messages.feed import Refusal

CLOSE_NOT_ADMITTED = 4401
"""WebSocket close code (private range): the token is nobody's, or no longer."""

FIRST_MESSAGE_WITHIN_S = 5.0

TOLD_WITHIN_S = 0.3
"""How long it may take until a display can be told why it is turned away; one that reads nothing never can."""

GREATEST_BODY = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRoutes:
    """Answers of ``/v1/sign-in`` and ``/v1/sign-out``."""

    admission: Admission

    async def sign_in(self, request: Request) -> Response:
        """Let a person in by her secret, a display by its token."""
        body = await bounded_body(request, most=GREATEST_BODY)
        if body is None:
            return PlainTextResponse(f"the body may have {GREATEST_BODY} bytes", status_code=413)
        try:
            asked = msgspec.json.decode(body, type=SignInRequest)
        except msgspec.DecodeError as exc:
            return PlainTextResponse(f"not a SignInRequest (docs/feed.md): {exc}", status_code=422)
        if not asked.name:
            visitor, token = self.admission.visitor(asked.secret), asked.secret
            if visitor is None:
                return PlainTextResponse("this is no token of a display", status_code=401)
        else:
            address = request.client.host if request.client else ""
            try:
                token, visitor = await self.admission.sign_in(asked.name, asked.secret, address=address)
            except SignInRefused as exc:
                status = 429 if isinstance(exc, TooManyTries) else 401
                return PlainTextResponse(str(exc), status_code=status)
        signed = Signed(token=token, name=visitor.name, role=visitor.role.value)
        answer = Response(msgspec.json.encode(signed), media_type="application/json")
        answer.set_cookie(
            COOKIE, token, path="/v1", httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End a person's session."""
        self.admission.sign_out(token_of(request.headers, method=request.method))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/v1")
        return answer


async def admit(
    websocket: WebSocket, admission: Admission | None, serve: Callable[[Visitor], Awaitable[None]]
) -> None:
    """Serve an accepted socket once its first message has a token that holds, and for as long as it does."""
    if admission is None:
        await serve(THIS_MACHINE)
        return
    token = await _first_token(websocket)
    visitor = admission.visitor(token) if token is not None else None
    if token is None or visitor is None:
        await _turn_away(websocket, "this display is not admitted: sign in")
        return
    serving = asyncio.ensure_future(serve(visitor))
    gone = asyncio.create_task(admission.until_gone(token), name="token holds")
    try:
        await asyncio.wait([serving, gone], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            serving.cancel()
            await asyncio.wait([serving])
            await _turn_away(websocket, "its token holds no longer: sign in")
    finally:
        for task in (serving, gone):
            task.cancel()
        await asyncio.wait([serving, gone])
    if not serving.cancelled() and (failure := serving.exception()) is not None:
        raise failure


async def _first_token(websocket: WebSocket) -> str | None:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_WITHIN_S):
            sent = await websocket.receive()
        return msgspec.json.decode(sent.get("text") or "", type=SignIn).token
    except (TimeoutError, msgspec.DecodeError):
        return None


async def _turn_away(websocket: WebSocket, reason: str) -> None:
    try:
        async with asyncio.timeout(TOLD_WITHIN_S):
            await websocket.send_text(msgspec.json.encode(Refusal(message=reason)).decode())
            await websocket.close(CLOSE_NOT_ADMITTED, reason)
    except (RuntimeError, WebSocketDisconnect, TimeoutError):
        pass  # it left by itself, or reads nothing

"""Bodies of requests: read no further than they may be long, decoded, and done as the person who sent them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from fastapi import Request, Response
from fastapi.responses import PlainTextResponse
from msgspec import Struct

from acquisition.session.journal import JournalUnusable, acting_as
from display.messages.procedure import Done

GREATEST_BODY = 65536

Asked = TypeVar("Asked", bound=Struct)


async def bounded_body(request: Request, *, most: int) -> bytes | None:
    """Read a body; None where it is longer than ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)


async def do(
    request: Request, kind: type[Asked], action: Callable[[Asked], Awaitable[str | int | None]]
) -> Response:
    """Do what the body asks for; what is refused is answered with a sentence."""
    body = await bounded_body(request, most=GREATEST_BODY)
    if body is None:
        return PlainTextResponse(f"the body may have {GREATEST_BODY} bytes", status_code=413)
    try:
        asked = msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as exc:
        return PlainTextResponse(f"not a {kind.__name__} (docs/feed.md): {exc}", status_code=422)
    outcome: str | int | None
    try:
        with acting_as(request.state.visitor.name):
            outcome = await action(asked)
    except JournalUnusable as exc:
        outcome = str(exc)
    if isinstance(outcome, str):
        return PlainTextResponse(outcome, status_code=409)
    if outcome is None:
        return Response(status_code=204)
    return Response(msgspec.json.encode(Done(seq=outcome)), media_type="application/json")

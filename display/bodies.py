"""Bodies of requests, read no further than they may be long."""

from fastapi import Request


async def bounded_body(request: Request, *, most: int) -> bytes | None:
    """Read a body; None where it is longer than ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)

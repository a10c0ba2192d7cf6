"""A room in which nothing was taken out yet."""

from display.messages.resection import ResectionRequest, ResectionState

UNRESECTED = ResectionState(revision=0, removed=(), counting=None, specimens=(), background_cps=None, trouble="")


async def refuse(request: ResectionRequest) -> str | None:
    """Let nobody mark anything."""
    return f"{request.action}: not in this room"

"""Fan-out of the newest state to every display."""

import asyncio

import msgspec

from display.messages.feed import State

SPARED = '"spared":0'
"""Where a frame says how many its display was spared: no text before it can hold a quotation mark as it stands."""


class Hub:
    """Holds the newest state and wakes whoever waits for one newer than it has drawn.

    A display that is slow finds the newest when it asks again; nothing is ever queued for it, so one slow
    tablet can neither delay the others nor fall behind itself.
    """

    def __init__(self) -> None:
        self._newest: State | None = None
        self._waiting: set[asyncio.Future[State]] = set()
        self._written: tuple[State, str, str] | None = None
        self.displays = 0
        """How many look at it now."""

    @property
    def newest(self) -> State | None:
        """The newest state, None before the first."""
        return self._newest

    def publish(self, state: State) -> None:
        """Make ``state`` the newest; never waits."""
        self._newest = state
        for future in self._waiting:
            if not future.done():
                future.set_result(state)

    def text_of(self, state: State, *, spared: int) -> str:
        """Write a state for a display that was spared so many frames: once for all, but for that number."""
        if self._written is None or self._written[0] is not state:
            text = msgspec.json.encode(msgspec.structs.replace(state, spared=0)).decode()
            before, _, after = text.partition(SPARED)
            self._written = state, before, after
        _, before, after = self._written
        return f'{before}"spared":{spared}{after}'

    async def newer_than(self, seq: int) -> State:
        """Wait for a state with a greater sequence number than ``seq``."""
        if self._newest is not None and self._newest.seq > seq:
            return self._newest
        future: asyncio.Future[State] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

"""An event loop whose time passes at once where nothing is to be done, and a wire within it."""

import asyncio
import selectors
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from devices.links import Chunk
from simulators.faults import Fault, intact
from simulators.ports import Instrument

Result = TypeVar("Result")

STARTED_S = 1000.0


class _Leap(selectors.DefaultSelector):
    """Waits for nothing: the time until something is due is over at once."""

    leapt_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Leap over the time that would be waited."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen")
        self.leapt_s += max(timeout, 0.0)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return STARTED_S + self._leap.leapt_s


def run_at_once(course: Coroutine[Any, Any, Result]) -> Result:
    """Run what waits for nothing but time."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(course)


class VirtualWire:
    """An instrument at the other end of a wire, each way a millisecond long together."""

    adapter = ""

    def __init__(self, instrument: Instrument) -> None:
        self.fault: Fault = intact
        self._instrument = instrument
        self._loop = asyncio.get_running_loop()
        self._flying, self._chunks = deque[bytes](), deque[Chunk]()
        self._came = asyncio.Event()
        self._busy_until_s = 0.0

    async def write(self, sent: bytes) -> None:
        """Have the instrument answer."""
        self.carry(self._instrument.receive(sent, self._loop.time()))

    def carry(self, said: bytes) -> None:
        """Let bytes come, as what the wire makes of them; nothing overtakes."""
        for delay_s, piece in self.fault(said) if said else ():
            self._busy_until_s = max(self._loop.time() + 0.001 + delay_s, self._busy_until_s)
            self._flying.append(piece)
            self._loop.call_at(self._busy_until_s, self._arrive)

    def _arrive(self) -> None:
        # of what is due at one time the loop calls any first
        if piece := self._flying.popleft():
            self._chunks.append(Chunk(received=piece, arrived_at_s=self._loop.time()))
            self._came.set()

    async def read(self) -> Chunk:
        """Give the next piece."""
        while not self._chunks:
            self._came.clear()
            await self._came.wait()
        return self._chunks.popleft()

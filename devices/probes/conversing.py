"""Joins a dialogue to an open link: the one place where the talk with a probe waits."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf

from devices.clock import Clock
from devices.errors import DeviceUnavailable
from devices.links import Character, Chunk, Link, open_link
from devices.probes.dialogue import Dialogue
from devices.probes.extending import take_off
from devices.probes.settings import ProbeSettings
from devices.readings import CountReading
from devices.traffic import Condition, Traffic

FAREWELL_S = 0.2
"""Longest time that a link which is being closed is given to take the last bytes."""


class Conversation:
    """An open instrument: iterate to receive its readings.

    Parameters
    ----------
    link
        Where its bytes come from; the conversation is its one reader.
    dialogue
        What it says and understands.
    clock
        The one that stamps the link's chunks.
    on_chunk
        Sees each chunk before the dialogue does.
    extending_dead_time_s
        Taken off the live time of each reading, s.

    """

    def __init__(
        self,
        link: Link,
        dialogue: Dialogue,
        *,
        clock: Clock,
        on_chunk: Callable[[Chunk], None] | None = None,
        extending_dead_time_s: float = 0.0,
    ) -> None:
        self._extending_s = extending_dead_time_s
        self._on_chunk = on_chunk
        self._link = link
        self._dialogue = dialogue
        self._clock = clock
        self._readings: deque[CountReading] = deque()

    @property
    def identity(self) -> str:
        """What the instrument says it is; empty where it cannot say."""
        return self._dialogue.identity

    @property
    def rejected(self) -> int:
        """Frames refused since the link was opened."""
        return self._dialogue.rejected

    @property
    def traffic(self) -> Traffic:
        """What came since the link was opened."""
        return self._dialogue.traffic

    @property
    def condition(self) -> Condition | None:
        """What the instrument said of itself last."""
        return self._dialogue.condition

    @property
    def start_known_to_s(self) -> float:
        """How much later a count may have begun than its reading says, s."""
        return self._dialogue.start_known_to_s

    @property
    def adapter(self) -> str:
        """The USB adapter that the link hangs on; empty where there is none."""
        return self._link.adapter

    async def open(self) -> None:
        """Learn who answers and let it count; ``DeviceUnavailable`` or ``DeviceFault`` where it will not."""
        self._dialogue.begin(self._clock())
        while not self._dialogue.is_ready:
            await self._step()
        await self._send()

    async def close(self) -> None:
        """Take leave, where the link still carries it."""
        with suppress(DeviceUnavailable, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._link.write(self._dialogue.farewell())

    def __aiter__(self) -> AsyncIterator[CountReading]:
        return self

    async def __anext__(self) -> CountReading:
        while not self._readings:
            await self._step()
            self._readings.extend(self._corrected(each) for each in self._dialogue.take_readings())
        return self._readings.popleft()

    def _corrected(self, reading: CountReading) -> CountReading:
        return take_off(reading, self._extending_s) if self._extending_s else reading

    async def _step(self) -> None:
        """Send what is to be sent, then take bytes or let the time pass, whichever comes first."""
        await self._send()
        left_s = self._dialogue.wake_at_s - self._clock()
        if left_s <= 0:
            self._dialogue.wake(self._clock())
            return
        try:
            async with asyncio.timeout(None if left_s == inf else left_s):
                chunk = await self._link.read()
        except TimeoutError:
            return
        if self._on_chunk is not None:
            self._on_chunk(chunk)
        self._dialogue.feed(chunk.received, chunk.arrived_at_s)

    async def _send(self) -> None:
        if outgoing := self._dialogue.take_outgoing():
            await self._link.write(outgoing)


@asynccontextmanager
async def converse(
    dialogue: Dialogue,
    settings: ProbeSettings,
    *,
    baud_rate: int,
    character: Character = "8N1",
    has_handshake: bool = False,
    clock: Clock,
) -> AsyncIterator[Conversation]:
    """Open a probe's port and hold a dialogue there; ``DeviceUnavailable`` or ``DeviceFault`` with what to do."""
    device = dialogue.device
    async with open_link(
        settings.port,
        device=device,
        baud_rate=baud_rate,
        character=character,
        has_handshake=has_handshake,
        clock=clock,
    ) as link:
        conversation = Conversation(
            link, dialogue, clock=clock, extending_dead_time_s=settings.extending_dead_time_s
        )
        try:
            await conversation.open()
            yield conversation
        finally:
            await conversation.close()

"""Records a session with an unknown instrument: finds the bit rate at which it speaks text, then listens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import Final

from devices.clock import Clock
from devices.errors import DeviceError, DeviceTimeout, DeviceUnavailable
from devices.links import Character, Link, open_link
from devices.probes.learning.proposal import Proposal, Sending, propose
from devices.probes.learning.session import SessionFile
from devices.probes.learning.text import LEAST_LINES, look
from devices.probes.trying import show

BAUD_RATES: Final = (9600, 115200, 19200, 57600, 38400, 4800, 2400, 1200, 230400, 460800)
"""Usual ones, the most usual first."""
NAME: Final = "the instrument"
LOOK_S: Final = 12.0
FAREWELL_S: Final = 0.2
"""Longest time that a link which is being closed is given to take the last bytes."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """How to listen.

    Attributes
    ----------
    port
        Where.
    baud_rate, character
        None: found out.
    seconds
        Length of the recording, and again of that with a source, s.
    name
        What people call the instrument.
    sending
        What to send; nothing is ever sent that whoever calls did not name.
    clock
        Stamps what comes.
    say
        Tells whoever waits what to do now.
    look_s
        Longest look at one bit rate, s: two lines of an instrument that speaks each 4 s.

    """

    port: str
    baud_rate: int | None
    character: Character | None
    seconds: float
    name: str
    sending: Sending = field(default_factory=Sending)
    clock: Clock
    say: Callable[[str], None]
    look_s: float = LOOK_S

    @property
    def is_network(self) -> bool:
        """Whether a serial server has the bit rate in its own settings."""
        return self.port.startswith("socket://")


async def learn(listening: Listening, file: SessionFile) -> Proposal:
    """Listen, keep all that comes, and propose a sheet.

    Raises
    ------
    DeviceError
        Where the port cannot be opened, nothing comes, or what comes is no text: with what to do.

    """
    baud_rate, character = await _find_line(listening, file)
    async with _open(listening, file, baud_rate, character) as ear:
        listening.say(
            f"text at {baud_rate} bits a second, {character}: keep every source away for {listening.seconds:g} s"
        )
        await ear.hear(listening.seconds)
        proposal = propose(file.session, name=listening.name, sending=listening.sending)
        if proposal.needs_source:
            listening.say(proposal.sentence)
            listening.say(f"hold a source to it now, and keep it there for {listening.seconds:g} s")
            file.source(listening.clock())
            await ear.hear(listening.seconds)
            proposal = propose(file.session, name=listening.name, sending=listening.sending)
    return proposal


class _Ear:
    """Takes what comes, and sends what it was told to send."""

    def __init__(self, listening: Listening, link: Link, file: SessionFile) -> None:
        self._listening = listening
        self._file = file
        self._ask_at_s = listening.clock() if listening.sending.ask else inf
        self.link = link

    async def send(self, text: str) -> None:
        """Send a text and note it."""
        if text:
            self._file.sent(self._listening.clock(), text.encode("latin-1"))
            await self.link.write(text.encode("latin-1"))

    async def hear(self, seconds: float, *, is_enough: Callable[[bytes], bool] | None = None) -> bytes:
        """Listen for so long, or until what came is enough; give it."""
        clock, heard = self._listening.clock, b""
        until_s = clock() + seconds
        while (now_s := clock()) < until_s and not (is_enough and is_enough(heard)):
            if now_s >= self._ask_at_s:
                await self.send(self._listening.sending.ask)
                self._ask_at_s = now_s + self._listening.sending.every_s
            try:
                async with asyncio.timeout(min(until_s, self._ask_at_s) - now_s):
                    chunk = await self.link.read()
            except TimeoutError:
                continue
            self._file.received(chunk)
            heard += chunk.received
        return heard


@asynccontextmanager
async def _open(
    listening: Listening, file: SessionFile, baud_rate: int, character: Character
) -> AsyncIterator[_Ear]:
    """Open the port, tell the instrument to begin, and in the end to stop."""
    async with open_link(
        listening.port, device=NAME, baud_rate=baud_rate, character=character, clock=listening.clock
    ) as link:
        file.opened(listening.clock(), port=listening.port, baud_rate=baud_rate, character=character)
        ear = _Ear(listening, link, file)
        await ear.send(listening.sending.begin)
        try:
            yield ear
        finally:
            with suppress(DeviceUnavailable, TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await ear.send(listening.sending.stop)


async def _find_line(listening: Listening, file: SessionFile) -> tuple[int, Character]:
    """Find the bit rate and the character at which it speaks lines of text."""
    is_given = listening.baud_rate is not None or listening.is_network
    rates = (listening.baud_rate or BAUD_RATES[0],) if is_given else BAUD_RATES
    first = listening.character or "8N1"
    async with _open(listening, file, rates[0], first) as ear:
        for rate in rates:
            if rate != rates[0]:
                await ear.link.set_baud_rate(rate)
                ear.link.discard()
                file.opened(listening.clock(), port=listening.port, baud_rate=rate, character=first)
                await ear.send(listening.sending.begin)
            listening.say(f"listening at {rate} bits a second")
            heard = await ear.hear(listening.look_s, is_enough=_is_enough)
            seen = look(heard)
            if not heard:
                raise DeviceTimeout(NAME, _silence(listening))
            if seen.verdict == "text":
                return rate, first
            if seen.verdict == "even" and listening.is_network:
                raise DeviceError(NAME, "text of 7 bits with even parity comes: set that in the serial server too")
            if seen.verdict == "even" and listening.character is None:
                return rate, "7E1"
            if seen.verdict == "odd":
                raise DeviceError(
                    NAME, f"at {rate} bits a second it speaks text of 7 bits with odd parity, which no sheet knows"
                )
    raise DeviceError(NAME, _no_text(listening, rates, heard))


def _is_enough(heard: bytes) -> bool:
    seen = look(heard)
    return seen.verdict in {"even", "odd", "none"} or (seen.verdict == "text" and seen.lines > LEAST_LINES)


def _silence(listening: Listening) -> str:
    return (
        f"nothing came in {listening.look_s:g} s, and at a wrong bit rate too something would: check cable and "
        "power; if it sends only when it is told to or asked, name what its maker says with --send or --ask"
    )


def _no_text(listening: Listening, rates: Sequence[int], heard: bytes) -> str:
    if len(rates) > 1:
        return (
            f"bytes come, and at none of {', '.join(map(str, sorted(rates)))} bits a second are they lines of "
            f"text (the last ones: {show(heard)}): it speaks binary, which cannot be learnt by listening: write a "
            'sheet with kind = "packet" or "burst" from its document (docs/instruments/sheets.md); or its bit '
            "rate is another: give it with --baud-rate"
        )
    remedy = (
        "compare the bit rate in the serial server's own settings with the instrument's"
        if listening.is_network
        else "leave out --baud-rate, and the usual ones are tried"
    )
    return (
        f"{len(heard)} bytes came at {rates[0]} bits a second and {look(heard).share:.0%} of them are text "
        f"({show(heard)}): the bit rate is wrong, or it speaks binary, which cannot be learnt by listening: "
        f"{remedy}"
    )

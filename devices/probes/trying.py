"""Tries an instrument sheet on a port, for whoever writes one: raw bytes beside what became of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from devices.clock import Clock
from devices.framing import Frame
from devices.links import Chunk, open_link
from devices.probes.conversing import Conversation
from devices.probes.learning.session import Session
from devices.probes.sheet import Sheet
from devices.probes.sheet_dialogue import SheetDialogue

SILENT_PERIODS = 3
"""Periods without a reading after which an instrument has fallen silent, as for the supervisor of a probe."""

LEAST_SILENCE_S = 2.0
"""The same where periods are short: a busy host reads late."""

SHOWN = 48
"""Bytes of a frame, or of what came without being one, that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it.

    Attributes
    ----------
    received
        Bytes that came.
    frames
        Frames that were cut of them.
    readings
        Readings that were made.
    rejected
        Frames refused.
    identity
        What the instrument said it is.
    silent_s
        Without a reading at the end, where that is longer than it may be; else 0.

    """

    received: int
    frames: int
    readings: int
    rejected: int
    identity: str
    silent_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether it is worth putting into the site file: readings come to the end, few frames refused."""
        return self.readings > 0 and self.rejected <= 1 + self.frames // 10 and not self.silent_s

    def sentence(self) -> str:
        """Say what to do next."""
        counted = f"{self.received} bytes, {self.frames} frames, {self.readings} readings, {self.rejected} refused"
        if not self.received:
            return f"{counted}: nothing came: check the cable, the power, and whether it wants a start command"
        if not self.frames:
            return f"{counted}: bytes come that are no frame: compare baud_rate, character and framing"
        if not self.readings:
            return f"{counted}: frames come that are no reading: compare fields with the bytes above"
        if self.silent_s:
            return (
                f"{counted}: no reading in the last {self.silent_s:.1f} s: it fell silent, wants to be asked, or "
                "period_s is another"
            )
        if not self.is_good:
            return f"{counted}: too many frames are refused: their reasons are above"
        return f"{counted}: it can go into the site file"


class _Tap:
    """Keeps the first bytes that came, and how many."""

    def __init__(self) -> None:
        self.received = 0
        self.first = b""

    def take(self, chunk: Chunk) -> None:
        self.received += len(chunk.received)
        self.first = (self.first + chunk.received)[:SHOWN]


async def try_sheet(sheet: Sheet, port: str, *, seconds: float, clock: Clock, say: Callable[[str], None]) -> Trial:
    """Open the port, talk as the sheet says for so long, and tell each frame as it comes.

    Raises
    ------
    DeviceError
        Where the port cannot be opened, or the talk ends by itself.

    """
    frames = 0
    read_at_s = began_at_s = clock()
    tap = _Tap()

    def tell(frame: Frame, became: str) -> None:
        nonlocal frames
        frames += 1
        say(_line(frame, became, began_at_s))

    dialogue = SheetDialogue(sheet.name, sheet, port=port, on_frame=tell)
    readings, silent_s = 0, 0.0
    async with open_link(
        port,
        device=sheet.name,
        baud_rate=sheet.baud_rate,
        character=sheet.character,
        clock=clock,
    ) as link:
        conversation = Conversation(link, dialogue, clock=clock, on_chunk=tap.take)
        try:
            async with asyncio.timeout(seconds):
                await conversation.open()
                async for _ in conversation:
                    readings, read_at_s = readings + 1, clock()
        except TimeoutError:
            silent_s = clock() - read_at_s
            await conversation.close()
    if tap.received and not frames:
        say(f"          {show(tap.first)}  no frame")
    return Trial(
        received=tap.received,
        frames=frames,
        readings=readings,
        rejected=dialogue.rejected,
        identity=dialogue.identity,
        silent_s=silent_s if silent_s > max(SILENT_PERIODS * sheet.counting.period_s, LEAST_SILENCE_S) else 0.0,
    )


def replay_sheet(sheet: Sheet, session: Session, *, say: Callable[[str], None]) -> Trial:
    """Read a recorded session by a sheet, and tell each frame with what became of it."""
    frames = 0

    def tell(frame: Frame, became: str) -> None:
        nonlocal frames
        frames += 1
        say(_line(frame, became, 0.0))

    dialogue = SheetDialogue(sheet.name, sheet, port="the session", on_frame=tell)
    dialogue.begin(0.0)
    for chunk in session.chunks:
        dialogue.feed(chunk.received, chunk.arrived_at_s)
    received = session.received
    if received and not frames:
        say(f"          {show(received)}  no frame")
    return Trial(
        received=len(received),
        frames=frames,
        readings=len(dialogue.take_readings()),
        rejected=dialogue.rejected,
        identity=dialogue.identity,
    )


def _line(frame: Frame, became: str, began_at_s: float) -> str:
    return f"{frame.began_at_s - began_at_s:8.3f} s  {show(frame.raw)}  {became}"


def show(raw: bytes) -> str:
    """Write bytes as text where they are, else in hexadecimal; long ones cut."""
    short = raw[:SHOWN]
    is_text = all(0x20 <= number < 0x7F for number in short)
    return (repr(short)[1:] if is_text else short.hex(" ")) + ("…" if len(raw) > SHOWN else "")

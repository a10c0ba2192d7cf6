"""The line of events: all that happens and is entered into the procedure's record, in order, none left out.

Each display reads it from the record itself, at its own pace, from where it left off: nothing is queued for it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog
from fastapi import WebSocket, WebSocketDisconnect

from acquisition.session.journal import Entry, Journal, JournalUnusable
from acquisition.session.rate_trend import TREND
from acquisition.session.swept_path import SWEPT
from acquisition.session.yardstick import PEAK
from display.messages.access import SignIn
from display.messages.event import Event, Follow
from display.messages.feed import Refusal

CLOSE_BAD_MESSAGE = 4400

CLOSE_FAILED = 1011
"""Close code of a server that cannot go on (RFC 6455, 7.4.1)."""

BEAT_S = 1.0
"""After so long without an event the newest number is sent, so that silence is told from a dead line."""

AT_ONCE = 50
"""So many events are read and sent before others have their turn: a socket that takes them all never waits."""

KEPT = frozenset({PEAK, SWEPT, TREND})
"""Kinds of entry that are no events: a second's worth of what each frame shows, or a display fetches."""

log = structlog.get_logger()


def show_event(entry: Entry) -> Event:
    """Show an entry of the record."""
    return Event(
        seq=entry.seq, at_utc=entry.at.isoformat(), person=entry.person, kind=entry.kind, told=dict(entry.told)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """What one follower may be told.

    Attributes
    ----------
    first_unasked
        Number of the first entry for who names none.
    first_seq
        Number of the first entry that may be told, as it is now.
    tell
        Gives what may be told of an entry; None for nothing.

    """

    first_unasked: Callable[[], int]
    first_seq: Callable[[], int]
    tell: Callable[[Entry], Entry | None]


async def serve_events(websocket: WebSocket, journal: Journal, audience: Audience) -> None:
    """Send every event after the number that the display's next message names, until it leaves.

    Where it names none they begin with those of what is shown. A number that this record has not given yet is of
    another one: of this it has nothing, and gets all. Nothing is sent that ``audience`` may not be told. A record
    that cannot be read ends the line with its sentence.
    """
    try:
        follow: Follow | SignIn = SignIn(token="")
        while isinstance(follow, SignIn):  # a display that is let in anyhow may show its token
            sent = await websocket.receive()
            if sent["type"] == "websocket.disconnect":
                return
            follow = msgspec.json.decode(sent.get("text") or "", type=Follow | SignIn)
    except msgspec.DecodeError as exc:
        log.warning("display refused", reason=str(exc))
        await _refuse(
            websocket, f"not a message of the line of events: {exc}; see docs/feed.md", CLOSE_BAD_MESSAGE
        )
        return
    telling = asyncio.create_task(_tell(websocket, journal, follow.since_seq, audience), name="display events")
    listening = asyncio.create_task(_until_left(websocket), name="display events listening")
    try:
        await asyncio.wait([telling, listening], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.wait([telling, listening])
    failure = None if telling.cancelled() else telling.exception()
    if isinstance(failure, JournalUnusable):
        await _refuse(websocket, str(failure), CLOSE_FAILED)
    elif failure is not None and not isinstance(failure, WebSocketDisconnect | RuntimeError):
        raise failure


async def _refuse(websocket: WebSocket, message: str, code: int) -> None:
    try:
        await websocket.send_text(msgspec.json.encode(Refusal(message=message)).decode())
        await websocket.close(code)
    except (RuntimeError, WebSocketDisconnect):
        pass  # it left by itself


async def _tell(websocket: WebSocket, journal: Journal, since_seq: int | None, audience: Audience) -> None:
    seq = since_seq
    if seq is None:
        seq = audience.first_unasked() - 1
    elif seq > journal.newest_seq:
        seq = 0
    while True:
        seq = max(seq, audience.first_seq() - 1)
        for entry in journal.after(seq, most=AT_ONCE):
            told = None if entry.kind in KEPT else audience.tell(entry)
            if told is not None:
                await websocket.send_text(msgspec.json.encode(show_event(told)).decode())
            seq = entry.seq
        await asyncio.sleep(0)
        if journal.newest_seq > seq:
            continue
        try:
            async with asyncio.timeout(BEAT_S):
                await journal.grown_beyond(seq)
        except TimeoutError:
            beat = Event(seq=seq, at_utc="", person="", kind="beat", told={})
            await websocket.send_text(msgspec.json.encode(beat).decode())


async def _until_left(websocket: WebSocket) -> None:
    """Read until the display leaves; what it says is nothing that is answered."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass

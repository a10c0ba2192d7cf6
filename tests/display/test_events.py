"""The line of events: however long the record is, whoever reads all of it keeps nobody waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from fastapi import WebSocket

from acquisition.session.journal import Journal
from display.events import AT_ONCE, KEPT, Audience, serve_events
from display.messages.event import Event, Follow
from tests.display.recorded import kept_nowhere

EVERYBODY = Audience(first_unasked=lambda: 501, first_seq=lambda: 0, tell=lambda entry: entry)


@asynccontextmanager
async def following(
    journal: Journal, *, since_seq: int | None, upto: int
) -> AsyncIterator[tuple[list[Event], asyncio.Event]]:
    """A display that follows the line of a record: what it is told, and that it was told an event's number."""
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: list[Event] = []
    is_all_told = asyncio.Event()

    async def take(sent: Any) -> None:
        if sent["type"] == "websocket.send":
            told.append(msgspec.json.decode(sent["text"], type=Event))
            if told[-1].seq == upto:
                is_all_told.set()

    websocket = WebSocket({"type": "websocket"}, receive=asked.get, send=take)
    asked.put_nowait({"type": "websocket.connect"})
    await websocket.accept()
    said = msgspec.json.encode(Follow(since_seq=since_seq)).decode()
    asked.put_nowait({"type": "websocket.receive", "text": said})
    serving = asyncio.create_task(serve_events(websocket, journal, EVERYBODY))
    async with asyncio.timeout(60):
        yield told, is_all_told
        asked.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await serving


@pytest.mark.parametrize("kind", sorted(KEPT))
async def test_what_is_only_kept_for_a_restart_is_no_event(kind: str) -> None:
    """Each second's rate, path or peak: hours of them would keep a page that is loaded from its events."""
    journal = kept_nowhere()
    journal.add("moved", {})
    for _ in range(3 * AT_ONCE):
        journal.add(kind, {})
    journal.add("marked", {})
    last = journal.newest_seq
    async with following(journal, since_seq=0, upto=last) as (told, is_all_told):
        await is_all_told.wait()
    assert [(each.seq, each.kind) for each in told] == [(1, "moved"), (last, "marked")]


@pytest.mark.parametrize(("since_seq", "first"), [(0, 1), (None, 501)])
async def test_a_long_record_is_told_in_turns_with_everything_else(since_seq: int | None, first: int) -> None:
    """A socket that takes every event at once, as a fast display's does, never waits by itself.

    Who names no number gets it from where its audience begins.
    """
    entries = 30 * AT_ONCE
    journal = kept_nowhere()
    for _ in range(entries):
        journal.add("marked", {})
    most_in_one_turn = 0
    async with following(journal, since_seq=since_seq, upto=entries) as (told, is_all_told):
        while not is_all_told.is_set():
            before = len(told)
            await asyncio.sleep(0)
            most_in_one_turn = max(most_in_one_turn, len(told) - before)
    assert [each.seq for each in told] == list(range(first, entries + 1))
    assert most_in_one_turn <= AT_ONCE

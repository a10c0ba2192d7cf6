"""The line of events: however long the record is, whoever reads all of it keeps nobody waiting."""

import asyncio
from typing import Any

import msgspec
import pytest
from fastapi import WebSocket

from display.event_messages import Event, Follow
from display.events import AT_ONCE, Audience, serve_events
from tests.display.recorded import kept_nowhere

EVERYBODY = Audience(first_unasked=lambda: 501, first_seq=lambda: 0, tell=lambda entry: entry)


@pytest.mark.parametrize(("since_seq", "first"), [(0, 1), (None, 501)])
async def test_a_long_record_is_told_in_turns_with_everything_else(since_seq: int | None, first: int) -> None:
    """A socket that takes every event at once, as a fast display's does, never waits by itself.

    Who names no number gets it from where its audience begins.
    """
    entries = 30 * AT_ONCE
    journal = kept_nowhere()
    for _ in range(entries):
        journal.add("marked", {})
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: list[int] = []
    is_all_told = asyncio.Event()

    async def take(sent: Any) -> None:
        if sent["type"] == "websocket.send":
            told.append(msgspec.json.decode(sent["text"], type=Event).seq)
            if told[-1] == entries:
                is_all_told.set()

    websocket = WebSocket({"type": "websocket"}, receive=asked.get, send=take)
    asked.put_nowait({"type": "websocket.connect"})
    await websocket.accept()
    follow = msgspec.json.encode(Follow(since_seq=since_seq)).decode()
    asked.put_nowait({"type": "websocket.receive", "text": follow})
    serving = asyncio.create_task(serve_events(websocket, journal, EVERYBODY))
    most_in_one_turn = 0
    async with asyncio.timeout(60):
        while not is_all_told.is_set():
            before = len(told)
            await asyncio.sleep(0)
            most_in_one_turn = max(most_in_one_turn, len(told) - before)
    asked.put_nowait({"type": "websocket.disconnect", "code": 1001})
    await serving
    assert told == list(range(first, entries + 1))
    assert most_in_one_turn <= AT_ONCE

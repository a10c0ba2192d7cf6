"""The line of events: however long the record is, whoever reads all of it keeps nobody waiting."""

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest
from fastapi import WebSocket

from acquisition.session.journal import Journal
from display.events import AT_ONCE, KEPT, Audience, serve_events
from display.messages.event import Event, Follow
from tests.display.recorded import kept_nowhere

EVERYBODY = Audience(first_unasked=lambda: 501, first_seq=lambda: 0, tell=lambda entry: entry)


class Follower:
    """A display that follows the line of a record, from its beginning."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard = asyncio.Event()

    async def follow(self, journal: Journal, *, until: str) -> None:
        """Follow until an event of a kind is told, and leave."""
        websocket = WebSocket({"type": "websocket"}, receive=self._asked.get, send=partial(self._take, until))
        self._asked.put_nowait({"type": "websocket.connect"})
        await websocket.accept()
        said = msgspec.json.encode(Follow(since_seq=0)).decode()
        self._asked.put_nowait({"type": "websocket.receive", "text": said})
        serving = asyncio.create_task(serve_events(websocket, journal, EVERYBODY))
        async with asyncio.timeout(60):
            await self._heard.wait()
        self._asked.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await serving

    async def _take(self, until: str, sent: Any) -> None:
        if sent["type"] == "websocket.send":
            self.told.append(msgspec.json.decode(sent["text"], type=Event))
            if self.told[-1].kind == until:
                self._heard.set()


@pytest.mark.parametrize("kind", sorted(KEPT))
async def test_what_is_only_kept_for_a_restart_is_no_event(kind: str) -> None:
    """Each second's rate, path or peak: hours of them would keep a page that is loaded from its events."""
    journal = kept_nowhere()
    journal.add("moved", {})
    for _ in range(3 * AT_ONCE):
        journal.add(kind, {})
    journal.add("marked", {})
    follower = Follower()
    await follower.follow(journal, until="marked")
    assert [(each.seq, each.kind) for each in follower.told] == [(1, "moved"), (2 + 3 * AT_ONCE, "marked")]


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

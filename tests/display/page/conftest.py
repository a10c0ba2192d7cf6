"""The page in real Chromium, looking at a room where all is well."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page

from display.page.hatch_build import build_page
from tests.display.page.room import PATIENCE_MS, Room, look, serve, wait_until_live


@pytest.fixture(scope="session")
def built_page() -> None:
    """The page's sources, built."""
    build_page()


@pytest.fixture
def room() -> Room:
    """A room where all is well."""
    return Room()


@pytest.fixture
def calm(room: Room) -> None:
    """Let what the page was sent stay live, however late a busy host lets the next come.

    For tests of what is shown and done while states come, not of what happens when they stop.
    """
    room.stale_after_s = PATIENCE_MS / 1000


@pytest_asyncio.fixture
async def page(room: Room) -> AsyncIterator[Page]:
    """The page on that room, live."""
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        yield page

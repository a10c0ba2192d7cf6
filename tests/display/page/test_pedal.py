"""A foot pedal is a keyboard: what its keys do stands in the site file."""

import asyncio
from typing import get_args

import pytest
from playwright.async_api import expect

from config.display import PedalAct
from display.key_messages import ActName, KeyState
from display.procedure_messages import ProcedureRequest
from tests.display.page.room import Room, look, serve, state_of, wait_until_live
from tests.display.page.test_procedure_page import asked

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


def test_the_feed_tells_every_act_of_the_site_file() -> None:
    """What a site file may give to a key is what the page can do with one."""
    assert get_args(ActName) == get_args(PedalAct)


@pytest.mark.peer("chromium")
async def test_a_pedal_does_what_the_site_file_says(room: Room) -> None:
    """By the key's name or by its place; other keys go on as ever; the page does not scroll under a Page Down."""
    room.keys = (
        KeyState(key="PageDown", act="hold"),
        KeyState(key="F13", act="mark"),
        KeyState(key="KeyQ", act="sound"),
    )
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await state_of(page, "#tone", "playing")
        await page.set_viewport_size({"width": 900, "height": 500})
        held = "window.__marked['rate held'] ?? 0"
        async with asyncio.timeout(60):
            while not await page.evaluate(held):  # a busy host may have no live rate to hold just then
                await page.keyboard.press("PageDown")
                await page.wait_for_timeout(200)
        assert await page.evaluate("scrollY") == 0
        await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'F13', code: 'F13' }))")
        assert await asked(room, 1) == ProcedureRequest(revision=0, action="mark")
        await page.keyboard.press("q")
        await state_of(page, "#tone", "muted")
        await page.keyboard.press("m")
        await state_of(page, "#tone", "playing")
        await page.keyboard.press("x")
        await expect(page.locator("#resection")).to_be_visible()

"""The page in real Chromium, on the real server: all is well, simulated, replayed, restarted, foreign."""

import contextlib
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from display.hub import Hub
from display.states.guidance import show_nothing
from tests.display.page.pictures import SIZES
from tests.display.page.room import Room, look, serve, state_of, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


async def test_rate_distance_and_patient_are_shown(room: Room, page: Page) -> None:
    """All is well: rate with its error, distance, guidance, patient, inputs, and SIMULATED across the top."""
    await expect(page.get_by_label("1240 plus or minus 40 counts per second")).to_be_visible()
    await expect(page.locator("#integration")).to_have_text("1.0 s")
    distance_mm = round(room.now["targets"][0].distance_mm)
    await expect(page.get_by_label(f"{distance_mm} plus or minus 4 mm")).to_be_visible()
    await expect(page.locator("#guidance")).to_have_text(room.now["guidance"].sentence)
    await expect(page.locator("#probability")).to_contain_text("97 %")
    await expect(page.locator("#patient-name")).to_have_text("Lindqvist, Anna")
    await expect(page.locator("#patient-id")).to_have_text("ID PT-0417")
    await expect(page.get_by_role("listitem", name="Gamma probe: LIVE")).to_be_visible()
    await expect(page.get_by_role("listitem", name="Tracker: LIVE")).to_be_visible()
    banner = await page.locator("#simulated").bounding_box()
    assert banner is not None
    assert (banner["width"], banner["y"]) == (1920, 0)
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    if asked := os.environ.get("RADIONAV_SCREENSHOT"):
        await state_of(page, "#axial", "tip")
        await expect(page.locator("#slices-note")).to_be_empty()
        await page.screenshot(path=Path(asked))


async def test_a_real_room_is_not_called_simulated(room: Room) -> None:
    """Without a simulated device there is no banner."""
    room.is_simulated = False
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await expect(page.locator("#simulated")).to_be_hidden()


async def test_a_replay_is_called_one(room: Room, page: Page) -> None:
    """REPLAY stands across the page in a colour of its own, beside SIMULATED, also while the feed is silent."""
    replay, simulated = page.locator("#replay"), page.locator("#simulated")
    await expect(replay).to_be_hidden()
    room.is_replayed = True
    await expect(page.get_by_role("note", name="Replay of a recording, not of now")).to_be_visible()
    boxes = [await each.bounding_box() for each in (simulated, replay)]
    assert [box and (box["x"], box["width"], box["y"]) for box in boxes] == [(0, 960, 0), (960, 960, 0)]
    colours = [await each.evaluate("each => getComputedStyle(each).color") for each in (simulated, replay)]
    assert colours[0] != colours[1]
    room.is_silent = True
    await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
    await expect(replay).to_be_visible()


async def test_a_restarted_service_starts_from_nothing(room: Room) -> None:
    """A dead service shows at once; the next one's session drops all that the last one showed."""
    async with contextlib.AsyncExitStack() as looking:
        async with serve(room):
            page = await looking.enter_async_context(look(room))
            await wait_until_live(page)
        await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
        room.session_id = "second"
        room.is_silent = True  # it has no state of its own yet
        room.hub = Hub()
        async with serve(room):
            await expect(page.locator("body")).to_have_attribute("data-feed", "connecting")
            await state_of(page, "#rate", "none")
            await expect(page.locator("#rate-value")).to_have_text("\u2013")
            await expect(page.locator("#patient-name")).to_have_text("No study in use")
            room.is_silent = False
            await wait_until_live(page)


async def test_a_page_of_another_version_asks_to_be_reloaded(room: Room) -> None:
    """A feed that this page would misread is not shown; what to do is said whole, on a small screen too."""
    room.version = "1.0"
    async with serve(room), look(room) as page:
        said = page.locator("#connection")
        await expect(said).to_contain_text("Reload the page")
        await state_of(page, "#rate", "none")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            cut_px = await said.evaluate(
                "words => [words.scrollWidth - words.clientWidth, words.scrollHeight - words.clientHeight]"
            )
            assert max(cut_px) <= 0, f"cut off at {width} x {height}"


async def test_words_of_the_feed_are_text_not_markup(room: Room, page: Page) -> None:
    """A name from the wire cannot become part of the page."""
    room.now["guidance"] = show_nothing("<img src=x onerror=alert(1)>")
    await expect(page.locator("#guidance")).to_have_text("<img src=x onerror=alert(1)>")
    assert await page.locator("#guidance img").count() == 0

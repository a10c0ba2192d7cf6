"""A foot pedal is a keyboard: what its keys do stands in the site file."""

import asyncio
from typing import get_args

import msgspec
import pytest
from playwright.async_api import Page, expect

from config.display import PedalAct
from display.messages.key import ActName, KeyState
from display.messages.procedure import MoveState, ProcedureRequest
from tests.display.page.room import Room, look, make_rate, serve, state_of, wait_until_live
from tests.display.page.test_procedure_page import asked, change
from tests.display.page.test_resection_page import asked as resected
from tests.display.page.test_resection_page import removed, specimen
from tests.display.page.test_slices_page import loaded

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("built_page", "calm")]


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
        await hold(page, "PageDown")
        assert await page.evaluate("scrollY") == 0
        await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'F13', code: 'F13' }))")
        assert await asked(room, 1) == ProcedureRequest(revision=0, action="mark")
        await page.keyboard.press("q")
        await state_of(page, "#tone", "muted")
        await page.keyboard.press("m")
        await state_of(page, "#tone", "playing")
        await page.keyboard.press("x")
        await expect(page.locator("#resection")).to_be_visible()


@pytest.mark.peer("chromium")
async def test_a_key_that_is_held_acts_once(room: Room) -> None:
    """A foot that rests on the pedal does not mute and sound in turn; what is the browser's own is left to it."""
    async with serve(room), look(room) as page:
        await state_of(page, "#tone", "playing")
        for _ in range(4):
            await page.keyboard.down("m")
        await page.keyboard.up("m")
        await state_of(page, "#tone", "muted")
        for held in ("Control", "Alt", "Meta"):
            await page.evaluate(MODIFIED, held)
        await hold(page, "h")
        await state_of(page, "#tone", "muted")


async def hold(page: Page, key: str) -> None:
    """Press until the rate is held: a busy host may have no live one to hold just then."""
    async with asyncio.timeout(60):
        while not await page.evaluate("window.__marked['rate held'] ?? 0"):
            await page.keyboard.press(key)
            await page.wait_for_timeout(200)


MODIFIED = """
(held) => document.dispatchEvent(new KeyboardEvent("keydown", {
  key: "m", ctrlKey: held === "Control", altKey: held === "Alt", metaKey: held === "Meta",
}))
"""

PEDALS = {act: f"F{13 + number}" for number, act in enumerate(get_args(PedalAct))}
"""A key for everything that a site file can give to one."""


async def tread(page: Page, act: PedalAct) -> None:
    """Press the pedal of an act."""
    pressed = "key => document.dispatchEvent(new KeyboardEvent('keydown', { key }))"
    await page.evaluate(pressed, PEDALS[act])


@pytest.mark.peer("chromium")
async def test_each_act_is_done_by_its_pedal(room: Room) -> None:
    """All twenty: what a site file names is done, and nothing beside it, as far as it is seen or asked for."""
    room.keys = tuple(KeyState(key=key, act=act) for act, key in PEDALS.items())
    moves = (MoveState(to="incision", is_forward=True, unmet=(), is_possible=True),)
    change(room, number=3, revision=5, step="skin scan", moves=moves)
    both = (removed(None), removed(None, number=2, name="Node 2"))
    room.now["resection"] = msgspec.structs.replace(
        room.now["resection"], revision=4, removed=both, specimens=(specimen(1, 1240.0, "hottest"),)
    )
    async with serve(room), look(room) as page:
        await loaded(page)
        await state_of(page, "#tone", "playing")
        for act, element, state, value in SEEN:
            await tread(page, act)
            await expect(page.locator(element)).to_have_attribute(state, value)
        assert (await asked(room, 1)).action == "choose_background"
        room.now["rate"] = make_rate(150.0)
        await expect(page.locator("#rate-value")).to_have_text("150")
        await expect(page.locator("#peak")).to_have_text("1240 /s")
        await tread(page, "peak")
        assert (await asked(room, 2)).action == "begin_peak"
        await expect(page.locator("#peak")).to_have_text("150 /s")
        for act, button, name in (("window", "#window", "Bone"), ("colours", "#colours", "Cividis")):
            await tread(page, act)
            await expect(page.locator(button)).to_have_text(name)
        for act, side in (("head", "F"), ("feet", ""), ("feet", "H")):
            await tread(page, act)
            if side:
                await page.wait_for_function("side => window.__words.axial[`probe 2 mm ${side}`]", arg=side)
        await tread(page, "mark")
        assert (await asked(room, 3)).action == "mark"
        await tread(page, "procedure")
        await expect(page.locator("#procedure")).to_be_visible()
        await tread(page, "next step")
        assert (await asked(room, 4)).to == "incision"
        await tread(page, "calibration")
        await expect(page.locator("#procedure")).to_be_hidden()
        await expect(page.locator("#calibration")).to_be_visible()
        await tread(page, "calibration")
        await tread(page, "excision")
        await expect(page.locator("#resection")).to_be_visible()
        for number, (act, action) in enumerate(RESECTED, start=1):
            await tread(page, act)
            assert (await resected(room, page, number)).action == action
        await page.get_by_role("button", name="Specimen 1 is of: Node 1").click()
        await expect(page.get_by_role("button", name="Undo")).to_be_visible()
        await tread(page, "undo")
        taken_back = await resected(room, page, len(RESECTED) + 2)
        assert (taken_back.action, taken_back.target) == ("label", "Node 1")


SEEN: tuple[tuple[PedalAct, str, str, str], ...] = (
    ("sound", "#tone", "data-state", "muted"),
    ("sound", "#tone", "data-state", "playing"),
    ("background", "#reference", "aria-pressed", "true"),
    ("live image", "#overlay-live", "aria-checked", "true"),
    ("lock", "#lock", "aria-pressed", "true"),
    ("distance", "body", "data-distance", "1"),
    ("hold", "#rate", "data-state", "held"),
)

RESECTED: tuple[tuple[PedalAct, str], ...] = (
    ("out", "remove"),
    ("bed", "count_bed"),
    ("specimen", "count_specimen"),
)

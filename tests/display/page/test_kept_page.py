"""What was begun at a display and is not done outlives its reload, and never comes back to another patient."""

import asyncio
import contextlib
import json
import re
from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, Route, expect

from tests.display.page.room import (
    Room,
    drawn,
    look,
    make_pose,
    make_study,
    serve,
    state_of,
    wait_until_live,
)
from tests.display.page.test_drawing_page import begin, hot_spot
from tests.display.page.test_procedure_page import PLAN, asked, change, move
from tests.display.page.test_resection_page import bed, limits, removed, specimen
from tests.display.page.test_slices_page import lock_at_tip

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

HERS: dict[str, Any] = {"number": 3, "began_at_utc": "2026-11-22T07:58:11+00:00"}
ANOTHERS: dict[str, Any] = {"number": 3, "began_at_utc": "2026-11-23T09:02:45+00:00"}
"""Of another record, which began with the same number."""

TYPED = "no tracker today"


async def reload(room: Room, page: Page) -> None:
    """Load the page anew, and wait until it has drawn what is known now."""
    await page.reload()
    await wait_until_live(page)
    await drawn(room, page)


@pytest.mark.parametrize(("keys", "panels"), [("px", ("procedure", "resection")), ("t", ("calibration",))])
async def test_open_panels_are_open_again(room: Room, page: Page, keys: str, panels: tuple[str, ...]) -> None:
    """Those that were, and no other; one that was closed stays closed."""
    every = ("procedure", "resection", "calibration", "studies")
    for key in keys:
        await page.keyboard.press(key)
    await page.locator("#studies-button").click()
    for shown in ((*panels, "studies"), panels, ()):
        await reload(room, page)
        for panel in every:
            await expect(page.locator(f"#{panel}")).to_be_visible(visible=panel in shown)
        if "studies" in shown:
            await page.locator("#studies").get_by_role("button", name="Close").click()
        else:
            for key in keys if shown else "":
                await page.keyboard.press(key)


async def test_locked_slices_stand_where_they_stood(room: Room, page: Page) -> None:
    """At the same place, along the probe as it was held then, even unseen now; another study's follow the tip."""
    await lock_at_tip(room, page)
    await page.keyboard.press("]")
    await page.wait_for_function("() => window.__words.axial['probe 10 mm H'] !== undefined")
    await reload(room, page)
    await expect(page.locator("#lock")).to_have_attribute("aria-pressed", "true")
    await page.wait_for_function("() => window.__words.axial['probe 10 mm H'] !== undefined")
    room.now["pose"] = None
    await drawn(room, page)
    await reload(room, page)
    await state_of(page, "#axial", "locked")
    await state_of(page, "#probe-slice", "locked")
    room.now |= {"pose": make_pose(), "study": msgspec.structs.replace(make_study(), study_uid="1.2.840.2")}
    await drawn(room, page)
    await state_of(page, "#axial", "tip")
    room.now["study"] = make_study()
    await drawn(room, page)
    await reload(room, page)
    await state_of(page, "#axial", "tip")
    await expect(page.locator("#lock")).to_have_attribute("aria-pressed", "false")


async def test_the_3d_view_is_seen_from_where_it_was_turned_to(room: Room, page: Page) -> None:
    """A finger turns it, by 120 pixels for a radian; so it is drawn after a reload."""
    await state_of(page, "#solid", "shown")
    view = page.locator("#solid")
    await expect(view).to_have_attribute("data-turn", "0.500")
    box = await view.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x - 60, y, steps=3)
    await page.mouse.up()
    await expect(view).to_have_attribute("data-turn", "1.000")
    await reload(room, page)
    await expect(view).to_have_attribute("data-turn", "1.000")


async def test_a_reason_that_was_half_written_is_of_one_procedure(room: Room, page: Page) -> None:
    """Nobody sends it by itself; another procedure begins with none, and it is gone from then on."""
    steps: dict[str, Any] = {
        "revision": 4,
        "step": "skin scan",
        "moves": (move("incision", "a target is located"),),
    }
    change(room, **HERS, **steps)
    await page.keyboard.press("p")
    await expect(page.locator("#procedure")).to_contain_text("Not yet: a target is located")
    await page.keyboard.press("n")
    reason = page.get_by_label("Reason")
    await reason.fill(TYPED)
    await reload(room, page)
    await expect(reason).to_have_value(TYPED)
    assert not room.acts
    change(room, **ANOTHERS)
    await drawn(room, page)
    await expect(reason).to_be_hidden()
    await page.locator("#rate").click()
    await page.keyboard.press("n")
    await expect(reason).to_have_value("")
    change(room, **HERS)
    await drawn(room, page)
    await reload(room, page)
    await expect(page.locator("#procedure")).to_contain_text("Not yet: a target is located")
    await expect(reason).to_be_hidden()
    assert TYPED not in await page.evaluate("JSON.stringify(sessionStorage)")
    await page.keyboard.press("n")
    await reason.fill(TYPED)
    await page.get_by_role("button", name="Go on to Incision").click()
    assert (await asked(room, 1)).reason == TYPED


async def draw_half(room: Room, page: Page) -> None:
    """Place a ball, make it larger, and write an activity beside it."""
    plan: dict[str, Any] = {"revision": 7, "step": "plan", "sources": PLAN, "moves": (move("time-out"),)}
    change(room, **HERS, **plan)
    await page.keyboard.press("p")
    await begin(page)
    await page.mouse.click(*await hot_spot(page))
    await page.keyboard.press("+")
    await page.locator("#drawing-activity").fill("0,3")
    await page.locator("#drawing-unit").click()


async def see_half_drawn(page: Page) -> None:
    """What ``draw_half`` has drawn, in words and in the slices."""
    await expect(page.locator("#drawing")).to_be_visible()
    await expect(page.locator("#drawing-words")).to_contain_text("Target, 12 mm across")
    await expect(page.locator("#drawing-activity")).to_have_value("0,3")
    await expect(page.locator("#drawing-unit")).to_have_text("kBq")
    await page.wait_for_function("() => window.__words.coronal?.['Target 12 mm'] !== undefined")


async def test_a_ball_that_was_half_drawn_outlives_the_service(room: Room) -> None:
    """One that has just begun has no study yet: nothing is drawn then, and it goes on with that study alone."""
    async with contextlib.AsyncExitStack() as first:
        await first.enter_async_context(serve(room))
        async with look(room) as page:
            await draw_half(room, page)
            await see_half_drawn(page)
            await first.aclose()
            room.session_id = "second"
            hers, room.now["study"] = room.now["study"], None
            room.begin_keeping()
            async with serve(room):
                await wait_until_live(page)
                await expect(page.locator("#drawing")).to_be_hidden()
                room.now["study"] = hers
                await see_half_drawn(page)
                room.now["study"] = msgspec.structs.replace(hers, study_uid="1.2.840.99")
                await expect(page.locator("#drawing")).to_be_hidden()
                room.now["study"] = hers
                await drawn(room, page)
                await expect(page.locator("#drawing")).to_be_hidden()
    assert not room.acts


async def test_a_ball_that_was_half_drawn_ends_with_its_plan(room: Room, page: Page) -> None:
    """Also where the service began anew in between: taken back to the plan, nobody finds it again."""
    await draw_half(room, page)
    hers, room.now["study"] = room.now["study"], None
    await expect(page.locator("#drawing")).to_be_hidden()
    change(room, step="time-out")
    room.now["study"] = hers
    await drawn(room, page)
    change(room, step="plan")
    await drawn(room, page)
    await expect(page.locator("#drawing")).to_be_hidden()


async def test_a_ball_that_was_set_as_its_study_went_is_not_half_drawn(room: Room, page: Page) -> None:
    """It is in the plan: when the study is back it is not drawn a second time."""
    await draw_half(room, page)
    await page.locator("#drawing-activity").fill("")
    may_go, asks = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asks.set()
        await may_go.wait()
        await route.continue_()

    await page.route("**/v1/procedure/acts", hold)
    await page.get_by_role("button", name="Set").click()
    async with asyncio.timeout(30):
        await asks.wait()
    hers, room.now["study"] = room.now["study"], None
    await expect(page.locator("#drawing")).to_be_hidden()
    may_go.set()
    assert (await asked(room, 1)).action == "draw"
    await drawn(room, page)
    room.now["study"] = hers
    await drawn(room, page)
    await expect(page.locator("#drawing")).to_be_hidden()


async def test_the_next_ball_is_begun_at_once(room: Room, page: Page) -> None:
    """In the same moment in which the last was cancelled."""
    await draw_half(room, page)
    await page.evaluate(
        """() => {
          document.getElementById("drawing-cancel").click();
          [...document.querySelectorAll("button")].find((each) => each.textContent === "Draw a target").click();
        }"""
    )
    for _ in range(2):
        await drawn(room, page)
    await expect(page.locator("#drawing")).to_be_visible()


async def test_a_ball_that_was_half_drawn_goes_on(room: Room, page: Page) -> None:
    """Its place, its size and what was written beside it; the slices are where they were once it is cancelled."""
    await lock_at_tip(room, page)
    await draw_half(room, page)
    await reload(room, page)
    await see_half_drawn(page)
    assert not room.acts
    await page.get_by_role("button", name="Cancel").click()
    await page.wait_for_function("() => window.__words.axial['probe 12 mm H'] !== undefined")
    await reload(room, page)
    await state_of(page, "#axial", "locked")
    await expect(page.locator("#drawing")).to_be_hidden()
    await page.keyboard.press("p")
    await begin(page)
    await page.mouse.click(*await hot_spot(page))
    await expect(page.locator("#drawing-words")).to_contain_text("Target, 10 mm across")
    change(room, **ANOTHERS)
    await drawn(room, page)
    await expect(page.locator("#drawing")).to_be_hidden()
    await reload(room, page)
    await expect(page.locator("#drawing")).to_be_hidden()


async def test_a_label_can_be_taken_back_after_a_reload(room: Room, page: Page) -> None:
    """As long as it is the last change; in another procedure, whose specimens have the same numbers, never."""
    found = removed(bed("removed", limits(0.0, 0.0, 0.02)))
    counted = specimen(1, 1240.0, "hottest")
    room.now["resection"] = msgspec.structs.replace(
        room.now["resection"], revision=9, removed=(found,), specimens=(counted,)
    )
    change(room, **HERS)
    await page.keyboard.press("x")
    await page.locator("#resection").get_by_role("button", name=re.compile("^Specimen 1")).click()
    relabelled = (msgspec.structs.replace(counted, of=None),)
    room.now["resection"] = msgspec.structs.replace(room.now["resection"], revision=10, specimens=relabelled)
    undo = page.locator("#resection").get_by_role("button", name="Undo")
    await expect(undo).to_be_visible()
    await reload(room, page)
    await expect(undo).to_be_visible()
    change(room, **ANOTHERS)
    await drawn(room, page)
    await expect(undo).to_be_hidden()
    await reload(room, page)
    await expect(page.locator("#resection .row")).to_have_count(1)
    await expect(undo).to_be_hidden()


@pytest.mark.parametrize(
    "junk",
    [
        '"',
        "null",
        "[]",
        '{"of": OF}',
        '{"of": OF, "what": {"to": 7, "reason": 4, "at_mm": [1, 2], "number": "x"}}',
    ],
)
async def test_what_this_page_never_kept_is_nothing(room: Room, page: Page, junk: str) -> None:
    """Whatever another version, or somebody, put there: the page goes on as without it."""
    change(room, **HERS, step="skin scan", moves=(move("incision", "something"),))
    names = {
        "override": f"{HERS['number']} {HERS['began_at_utc']}",
        "relabelled": f"{HERS['number']} {HERS['began_at_utc']}",
        "lock": "",
        "drawing": "",
    }
    for name, of in names.items():
        await page.evaluate(
            "([name, junk]) => sessionStorage.setItem(`radionav.${name}`, junk)",
            [name, junk.replace("OF", json.dumps(of))],
        )
    for name, kept in (("turn", "away"), ("panel procedure", "open")):
        await page.evaluate("([name, kept]) => sessionStorage.setItem(`radionav.${name}`, kept)", [name, kept])
    await reload(room, page)
    await expect(page.locator("#procedure")).to_contain_text("Not yet: something")
    await expect(page.get_by_label("Reason")).to_be_hidden()
    await state_of(page, "#axial", "tip")
    await expect(page.locator("#solid")).to_have_attribute("data-turn", "0.500")

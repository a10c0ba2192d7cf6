"""Drawing in the plan: a touch places a target in a slice, it is sized, seen in every slice, undone, and set."""

import re
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect

from display.messages.procedure import ProcedureRequest
from tests.display.page.pixels import pixels
from tests.display.page.room import Room, drawn, wait_until_live
from tests.display.page.test_procedure_page import PLAN, asked, change, move
from tests.display.page.test_slices_page import HOT, loaded

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

HOT_SPOT_MM = np.array([65.0, -55.0])
"""Of the scene's node in the axial plane, where the scan has it: x to the left, y to the back."""

SLICES = ("axial", "coronal", "sagittal")


async def plan(room: Room, page: Page) -> None:
    """Stand at the step plan, with the slices loaded."""
    await loaded(page)
    sources, moves = PLAN, (move("time-out"),)
    change(room, number=3, revision=7, step="plan", taken=("patient", "plan"), sources=sources, moves=moves)
    await page.keyboard.press("p")


async def begin(page: Page, pencil: str = "Draw a target") -> None:
    """Take up a pencil, and wait until the slices are drawn beside its keys."""
    await page.get_by_role("button", name=pencil).click()
    await expect(page.locator("#drawing")).to_be_visible()
    await expect(page.locator("#procedure")).to_be_hidden()
    for _ in range(2):  # in the first the keys may only be making room for themselves
        await page.evaluate("window.__drawn = -1")
        await page.wait_for_function("() => window.__drawn >= 0")


async def hot_spot(page: Page) -> tuple[float, float]:
    """Find the middle of the hot spot in the axial slice, pixels of the page."""
    box = await page.locator("#axial").bounding_box()
    assert box is not None
    shares = await pixels(page, "#axial", HOT)
    x, y = shares.mean(axis=0)
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def place_of(request: ProcedureRequest) -> NDArray[np.float64]:
    assert request.place_mm is not None
    return np.array(request.place_mm)


async def label_in(page: Page, canvas: str, words: str) -> None:
    """Wait until a slice has these words."""
    await page.wait_for_function(
        "([canvas, words]) => window.__words[canvas]?.[words] !== undefined", arg=[canvas, words]
    )


async def test_a_touch_draws_a_target_where_the_finger_is(room: Room, page: Page) -> None:
    """The hot spot touched in the axial slice lies where the scan has it; all show it; set, it is asked for."""
    await plan(room, page)
    await begin(page)
    words = page.locator("#drawing-words")
    await expect(words).to_have_text("Target: touch where it lies in a slice")
    await expect(page.get_by_role("button", name="Set")).to_be_disabled()
    await page.mouse.click(*await hot_spot(page))
    await expect(words).to_contain_text("Target, 10 mm across")
    for _ in range(3):
        await page.get_by_role("button", name="Larger").click()
    await page.keyboard.press("-")
    for canvas in SLICES:
        await label_in(page, canvas, "Target 14 mm")
    await page.get_by_role("button", name="Set").click()
    request = await asked(room, 1)
    assert (request.action, request.sort, request.revision, request.radius_mm) == ("draw", "target", 7, 7.0)
    assert np.linalg.norm(place_of(request)[:2] - HOT_SPOT_MM) < 4.0
    await expect(page.locator("#drawing")).to_be_hidden()
    await expect(page.locator("#procedure")).to_be_visible()


async def test_a_finger_slides_it_and_the_picture_keeps_still(room: Room, page: Page) -> None:
    """40 pixels to the right are so many mm to the patient's left; in the coronal slice it moves to the head."""
    await plan(room, page)
    await begin(page, "Draw an injection site")
    x, y = await hot_spot(page)
    places = []
    for number, way in enumerate((0, 40), start=1):
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x + way, y, steps=4)
        await page.mouse.up()
        room.refusal = "not yet"
        await page.keyboard.press("Enter")
        places.append(place_of(await asked(room, number)))
        await expect(page.locator("#drawing-refusal")).to_have_text("not yet")
    box = await page.locator("#axial").bounding_box()
    assert box is not None
    px_per_mm = min(box["width"], box["height"]) / 200
    assert np.allclose(places[1] - places[0], [40 / px_per_mm, 0.0, 0.0], atol=0.5)
    coronal = await page.locator("#coronal").bounding_box()
    assert coronal is not None
    await page.mouse.click(coronal["x"] + coronal["width"] / 2, coronal["y"] + coronal["height"] / 4)
    await page.keyboard.press("Enter")
    moved = place_of(await asked(room, 3))
    await expect(page.locator("#drawing-refusal")).to_have_text("not yet")  # no finger draws while it is asked
    assert moved[1] == pytest.approx(places[1][1])
    await page.mouse.click(coronal["x"] + coronal["width"] / 2, coronal["y"] + coronal["height"] / 2)
    await page.keyboard.press("Enter")
    lower = place_of(await asked(room, 4))
    assert lower[2] < moved[2] - 10.0
    assert room.acts[-1].sort == "injection"


async def test_two_fingers_size_it(room: Room, page: Page) -> None:
    """Spread to three times their distance they make it three times as wide, and leave it where it was."""
    await plan(room, page)
    await begin(page)
    x, y = await hot_spot(page)
    await page.mouse.click(x, y)
    await expect(page.locator("#drawing-words")).to_contain_text("10 mm across")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

    async def touch(kind: str, *fingers: float) -> None:
        points = [{"x": x + off, "y": y + 30, "id": number} for number, off in enumerate(fingers)]
        await devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    await touch("touchStart", -20.0)
    await touch("touchStart", -20.0, 20.0)
    await touch("touchMove", -40.0, 40.0)
    await touch("touchMove", -60.0, 60.0)
    await touch("touchEnd")
    await expect(page.locator("#drawing-words")).to_contain_text("30 mm across")
    await page.keyboard.press("Enter")
    request = await asked(room, 1)
    assert request.radius_mm == pytest.approx(15.0, rel=0.02)
    assert np.linalg.norm(place_of(request)[:2] - HOT_SPOT_MM) < 4.0


async def test_each_step_is_undone(room: Room, page: Page) -> None:
    """The size, the way, the first touch; then there is nothing to set, and nothing was asked for."""
    await plan(room, page)
    await begin(page)
    x, y = await hot_spot(page)
    await page.mouse.click(x, y)
    await page.mouse.click(x + 30, y)
    await page.keyboard.press("+")
    words = page.locator("#drawing-words")
    await expect(words).to_contain_text("12 mm across")
    await page.get_by_role("button", name="Undo").click()
    await expect(words).to_contain_text("10 mm across")
    await page.keyboard.press("z")
    await expect(words).to_contain_text("10 mm across")
    await page.keyboard.press("z")
    await expect(words).to_have_text("Target: touch where it lies in a slice")
    await expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawing")).to_be_hidden()
    await expect(page.locator("#slices-note")).to_be_empty()
    assert room.acts == []


async def test_it_is_drawn_by_keys_alone(room: Room, page: Page) -> None:
    """The first arrow takes the place of the slices, each 2 mm; brackets go to head and feet."""
    await plan(room, page)
    await begin(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "]", "Enter"):
        await page.keyboard.press(key)
    tip_mm = np.array(room.now["pose"].tip_mm)
    assert np.allclose(place_of(await asked(room, 1)) - tip_mm, [4.0, 2.0, 2.0], atol=0.1)


async def test_what_is_refused_stays_to_be_mended(room: Room, page: Page) -> None:
    """The sentence stands beside it; moved on, the sentence goes; the service takes it then."""
    await plan(room, page)
    await begin(page)
    x, y = await hot_spot(page)
    await page.mouse.click(x, y)
    room.refusal = "target 1 is there already, 2 mm away: confirm that one"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text=room.refusal)).to_be_visible()
    await page.mouse.click(x + 40, y)
    await expect(page.locator("#drawing-refusal")).to_be_empty()
    room.refusal = None
    await page.keyboard.press("Enter")
    assert (await asked(room, 2)).action == "draw"
    await expect(page.locator("#drawing")).to_be_hidden()


async def test_what_is_drawn_stands_in_the_slices_and_is_taken_back(room: Room, page: Page) -> None:
    """While the plan is made it has its ring and name in every slice; a touch in the plan takes it back."""
    await plan(room, page)
    target = msgspec.structs.replace(
        PLAN[0],
        name="drawn target 1",
        confirmed="target",
        centre_mm=(72.0, -80.0, 20.0),
        is_drawn=True,
        radius_mm=8.0,
    )
    change(room, sources=(*PLAN, target))
    for canvas in SLICES:
        await page.wait_for_function(
            "canvas => Object.keys(window.__words[canvas]).some((words) => words.startsWith('drawn target 1'))",
            arg=canvas,
        )
    row = page.locator(".source").filter(has_text="drawn target 1")
    await row.get_by_role("button", name="Take back").click()
    assert await asked(room, 1) == ProcedureRequest(revision=7, action="erase", name="drawn target 1")
    assert await page.get_by_role("button", name="Take back").count() == 1, "the map's own spots are not erased"
    change(room, step="time-out")
    await page.keyboard.press("p")
    await drawn(room, page)
    await page.evaluate("window.__words = {}")
    await drawn(room, page)
    said = await page.evaluate("Object.keys(window.__words.axial)")
    assert not any(words.startswith("drawn") for words in said)


async def test_nobody_draws_on_when_the_plan_is_over(room: Room, page: Page) -> None:
    """Another display takes the next step: the keys go, and nothing is set any more."""
    await plan(room, page)
    await begin(page)
    await page.mouse.click(*await hot_spot(page))
    change(room, step="time-out")
    await expect(page.locator("#drawing")).to_be_hidden()
    await page.keyboard.press("Enter")
    await wait_until_live(page)
    assert room.acts == []


async def test_an_organ_is_confirmed_and_never_aimed_at(room: Room, page: Page) -> None:
    """Its own key beside target, injection site and neither; located, it says that it is one, and is no target."""
    await plan(room, page)
    spot = page.get_by_role("radiogroup", name="target 1")
    await expect(spot.get_by_role("radio")).to_have_text(["Target", "Injection site", "Organ", "Neither"])
    await spot.get_by_role("radio", name="Organ").click()
    assert await asked(room, 1) == ProcedureRequest(revision=7, action="sort", name="target 1", sort="organ")
    room.change_target(kind="organ", centre_mm=(72.0, -82.0, 20.0))
    room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], target=None)
    await page.keyboard.press("p")
    await label_in(page, "coronal", "Node 1 (organ)")
    await expect(page.locator("#aim")).to_have_attribute("data-state", "none")
    await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile("No target yet"))


async def test_what_is_expected_is_entered_with_its_unit_and_time(room: Room, page: Page) -> None:
    """54 µCi are 2 MBq, half past seven of the display's own clock; what is no activity is not asked for."""
    await plan(room, page)
    await begin(page, "Draw an injection site")
    await page.mouse.click(*await hot_spot(page))
    amount, time = page.get_by_label("Expected activity"), page.get_by_label("As of")
    refusal = page.locator("#drawing-refusal")
    for written in ("much", "-3", "0", "1e999", "0x10"):
        await amount.fill(written)
        await page.get_by_role("button", name="Set").click()
        await expect(refusal).to_have_text(f"{written} is no activity: give a number above 0, or nothing")
    await amount.fill("")
    await time.fill("2026-11-22T07:30")
    await page.get_by_role("button", name="Set").click()
    await expect(refusal).to_contain_text("A time without an activity says nothing")
    await amount.fill("54,0")
    for unit in ("MBq", "kBq", "mCi"):
        await page.get_by_role("button", name=unit).click()
    await expect(page.get_by_role("button", name="µCi")).to_be_visible()
    assert room.acts == []
    await page.get_by_role("button", name="Set").click()
    request = await asked(room, 1)
    assert request.sort == "injection"
    assert request.activity_mbq == pytest.approx(1.998)
    shown = await page.evaluate("new Date('2026-11-22T07:30').getTime() / 1000")
    assert request.activity_at_utc == datetime.fromtimestamp(shown, tz=UTC)
    entered = msgspec.structs.replace(
        PLAN[0], name="drawn site 1", is_drawn=True, activity_mbq=1.2, entered_mbq=1.998,
        entered_at_utc="2026-11-22T07:30:00+00:00",
    )  # fmt: skip
    change(room, sources=(entered,))
    row = page.locator("#procedure .source").filter(has_text="drawn site 1")
    await expect(row).to_contain_text("1.2 MBq now, entered as 2 MBq at 2026-11-22")

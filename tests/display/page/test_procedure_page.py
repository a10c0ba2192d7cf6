"""The procedure on the page: each step with what it needs, and a reason where something is missing."""

import asyncio
import io
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib import image
from playwright.async_api import Page, expect

from display.messages.procedure import CheckState, MoveState, PlannedState, ProcedureRequest
from tests.display.page.room import Room, make_rate

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]


def change(room: Room, **changes: Any) -> None:
    """Alter where the procedure stands."""
    room.now["procedure"] = msgspec.structs.replace(room.now["procedure"], **changes)


def move(to: Any, *unmet: str, is_forward: bool = True, is_possible: bool = True) -> MoveState:
    return MoveState(to=to, is_forward=is_forward, unmet=unmet, is_possible=is_possible)


async def asked(room: Room, count: int) -> ProcedureRequest:
    """Wait until so many requests have come, and return the last."""
    async with asyncio.timeout(30):
        while len(room.acts) < count:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.02)
    assert len(room.acts) == count
    return room.acts[-1]


PLAN = (
    PlannedState(
        name="target 1",
        proposed="target",
        confirmed=None,
        centre_mm=(65.0, -55.0, 15.0),
        side="left",
        depth_mm=24.6,
        activity_mbq=0.52,
        skin_rate_cps=812.4,
        proposal="bladder? 32 mL, in the middle of the trunk",
    ),
    PlannedState(
        name="injection",
        proposed="injection",
        confirmed="injection",
        centre_mm=(30.0, -70.0, -52.0),
        side="midline",
        depth_mm=None,
        activity_mbq=None,
        skin_rate_cps=None,
        masking="may hide a node of 1/1000 of it within 35 mm",
    ),
)


async def test_the_plan_is_confirmed_spot_by_spot(room: Room, page: Page) -> None:
    """Side, depth, activity and rate stand with each hot spot; a touch says what it is; no number is covered."""
    change(
        room, number=3, revision=7, step="plan", taken=("patient", "plan"), sources=PLAN, moves=(move("time-out"),)
    )
    await page.keyboard.press("p")
    panel = page.locator("#procedure")
    await expect(panel).to_contain_text("patient's left, 25 mm deep, 0.52 MBq now, expect 812 /s at the skin")
    await expect(panel).to_contain_text("bladder? 32 mL, in the middle of the trunk")
    await expect(panel).to_contain_text(
        "midline, depth not known, activity not known, may hide a node of 1/1000 of it within 35 mm"
    )
    await expect(panel.locator("li[aria-current]")).to_have_text("Plan")
    spot = page.get_by_role("radiogroup", name="target 1")
    await spot.get_by_role("radio", name="Target").click()
    wanted = ProcedureRequest(revision=7, action="sort", name="target 1", sort="target")
    assert await asked(room, 1) == wanted
    for covered in ("#rate", "#aim", "#guidance", "#trust"):
        one, other = [await page.locator(name).bounding_box() for name in (covered, "#procedure")]
        assert one is not None
        assert other is not None
        is_beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert is_beside or one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    await page.keyboard.press("n")
    assert await asked(room, 2) == ProcedureRequest(revision=7, action="move", to="time-out")


async def test_a_key_stays_under_the_finger_that_presses_it(room: Room, page: Page) -> None:
    """What changes meanwhile waits until it is lifted: a press of a gloved finger lasts, and none is lost."""
    change(room, number=3, revision=7, step="plan", sources=PLAN)
    await page.keyboard.press("p")
    panel = page.locator("#procedure")
    await page.get_by_role("radiogroup", name="target 1").get_by_role("radio", name="Organ").hover()
    await page.mouse.down()
    change(room, sources=(msgspec.structs.replace(PLAN[0], skin_rate_cps=900.0), PLAN[1]))
    room.now["rate"] = make_rate(600.0)
    await expect(page.locator("#rate")).to_contain_text("600")
    await expect(panel).to_contain_text("expect 812 /s")
    await page.mouse.up()
    assert await asked(room, 1) == ProcedureRequest(revision=7, action="sort", name="target 1", sort="organ")
    await expect(panel).to_contain_text("expect 900 /s")


async def test_what_looks_the_same_is_not_made_anew(room: Room, page: Page) -> None:
    """Activities decay from state to state; a key that is made anew each time takes no focus and no press."""
    change(room, number=3, revision=7, step="plan", sources=PLAN)
    await page.keyboard.press("p")
    key = await page.get_by_role("radiogroup", name="target 1").get_by_role("radio", name="Organ").element_handle()
    change(room, sources=(msgspec.structs.replace(PLAN[0], skin_rate_cps=812.3, activity_mbq=0.5199), PLAN[1]))
    room.now["rate"] = make_rate(600.0)
    await expect(page.locator("#rate")).to_contain_text("600")
    assert await key.evaluate("key => key.isConnected")


async def test_the_time_out_is_read_item_by_item(room: Room, page: Page) -> None:
    """What holds is touched; what fails is a triangle with its sentence; each is 15 mm or more."""
    checklist = (
        CheckState(name="tracker", said="live, residual 0.3 mm", is_good=True, is_confirmed=False),
        CheckState(name="nuclide", said="Tc-99m", is_good=True, is_confirmed=True),
        CheckState(name="quality check", said="not done: run acquire", is_good=False, is_confirmed=False),
    )
    change(room, number=3, revision=9, step="time-out", checklist=checklist)
    await page.keyboard.press("p")
    await page.get_by_role("checkbox", name="tracker").click()
    assert await asked(room, 1) == ProcedureRequest(revision=9, action="check", name="tracker")
    for name, state in (("tracker", "open"), ("nuclide", "confirmed"), ("quality check", "failing")):
        item = page.get_by_role("checkbox", name=name)
        await expect(item).to_have_attribute("data-state", state)
        box = await item.bounding_box()
        assert box is not None
        assert box["height"] >= 56, "15 mm on a 24-inch screen of 1920 x 1080 are 54 px"


async def test_another_step_begins_with_its_first_line(room: Room, page: Page) -> None:
    """However far the plan was scrolled, the time-out's checklist hides none of its first checks."""
    spots = tuple(msgspec.structs.replace(PLAN[0], name=f"target {number}") for number in range(1, 25))
    checks = tuple(CheckState(name=f"check {n}", said="", is_good=True, is_confirmed=False) for n in range(24))
    change(room, number=3, revision=7, step="plan", sources=spots)
    await page.keyboard.press("p")
    work = page.locator("#procedure .work")
    await page.get_by_role("radiogroup", name="target 24").scroll_into_view_if_needed()
    assert await work.evaluate("work => work.scrollTop") > 0
    change(room, step="time-out", checklist=checks)
    await expect(page.get_by_role("checkbox", name="check 0", exact=False).first).to_be_in_viewport()
    assert await work.evaluate("work => work.scrollTop") == 0


async def test_what_is_missing_asks_for_a_reason(room: Room, page: Page) -> None:
    """The step says what is missing; it is taken with a reason that was touched or written, and never without."""
    needs = "a target is located"
    change(room, number=3, revision=4, step="skin scan", moves=(move("incision", needs), move("ended", "all")))
    await page.keyboard.press("p")
    await expect(page.locator("#procedure")).to_contain_text(f"Not yet: {needs}")
    await page.keyboard.press("n")
    go = page.get_by_role("button", name="Go on to Incision")
    await expect(go).to_be_disabled()
    await page.get_by_label("Reason").fill("  hm  ")
    await expect(go).to_be_disabled()
    await page.get_by_label("Reason").fill("hm m")
    await expect(go).to_be_enabled()
    await page.get_by_role("button", name="Surgeon's judgement").click()
    room.refusal = "somebody else has acted meanwhile"
    await go.click()
    wanted = ProcedureRequest(revision=4, action="move", to="incision", reason="Surgeon's judgement")
    assert await asked(room, 1) == wanted
    await expect(page.locator("#procedure .trouble, #procedure [role=alert]")).to_have_text(room.refusal)
    room.refusal = None
    await expect(go).to_be_visible()
    await go.click()
    assert await asked(room, 2) == wanted


async def test_no_patient_no_procedure(room: Room, page: Page) -> None:
    """Before the patient is confirmed no step can be taken; the list of studies is one touch away."""
    change(room, moves=(move("plan", "both identifiers", is_possible=False),))
    await page.keyboard.press("p")
    await expect(page.get_by_role("button", name="Next: Plan")).to_be_disabled()
    await page.get_by_role("button", name="Choose the patient").click()
    await expect(page.locator("#studies")).to_be_visible()


SIMULATED = (240, 171, 252)
"""The banner's colour, red, green and blue: no state has it."""


async def kept_with(room: Room, kind: str) -> bytes:
    """Wait for the picture that belongs to the newest act of a kind."""
    async with asyncio.timeout(30):
        while (png := room.journal.picture(room.journal.newest_of(kind))) is None:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.02)
    return png


async def test_a_mark_keeps_a_picture(room: Room, page: Page) -> None:
    """K marks this moment from anywhere, and what is shown is kept as a PNG; a reason commands nothing."""
    await page.keyboard.press("k")
    assert await asked(room, 1) == ProcedureRequest(revision=0, action="mark")
    png = await kept_with(room, "mark")
    assert len(png) > 20_000, "a picture in which nothing is drawn"
    top = np.asarray(image.imread(io.BytesIO(png), format="png"))[:20, :, :3] * 255
    is_banner = (np.abs(top - SIMULATED) < 3).all(axis=-1)
    assert is_banner.mean() > 0.8, "SIMULATED goes across, in its own colour, also where a picture is cut out"
    drawn = " ".join((await page.evaluate("window.__words"))[""])
    assert "SIMULATED" in drawn
    assert "1240 plus or minus 40 counts per second" in drawn
    change(room, number=3, step="skin scan", moves=(move("incision", "something"),))
    await page.keyboard.press("p")
    await expect(page.locator("#procedure")).to_contain_text("Not yet: something")
    await page.keyboard.press("n")
    await page.get_by_label("Reason").press_sequentially("knpx")
    await expect(page.get_by_label("Reason")).to_have_value("knpx")
    assert len(room.acts) == 1


REPLAY = (103, 232, 249)
"""That of the other banner."""


async def test_a_step_of_a_replay_keeps_a_picture_that_says_so(room: Room, page: Page) -> None:
    """Each step keeps one as a mark does; of a replay of a simulation both banners go across it."""
    room.is_replayed = True
    change(room, number=3, step="skin scan", moves=(move("incision"),))
    await expect(page.locator("#replay")).to_be_visible()
    await page.keyboard.press("p")
    await page.keyboard.press("n")
    assert (await asked(room, 1)).to == "incision"
    png = await kept_with(room, "move")
    seen = np.asarray(image.imread(io.BytesIO(png), format="png"))[..., :3] * 255
    for rows, colour in ((slice(0, 20), SIMULATED), (slice(60, 76), REPLAY)):
        assert (np.abs(seen[rows] - colour) < 3).all(axis=-1).mean() > 0.8


async def test_an_ended_procedure_leads_to_its_report(room: Room, page: Page) -> None:
    """One touch, in a page of its own, so that the display stays."""
    told = {"patient_id": "PT-0417", "patient_name": "Lindqvist^Anna", "study_uid": "1.2"}
    number = room.journal.add("begun", told)
    change(room, number=number, step="ended", taken=("patient", "ended"))
    await page.keyboard.press("p")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Report").click()
    report = await opened.value
    await expect(report.locator("h1")).to_have_text(f"Procedure {number}")
    await expect(report.locator("body")).to_contain_text("Lindqvist, Anna, ID PT-0417")
    assert await report.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"

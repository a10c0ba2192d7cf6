"""A page that is loaded anew in the middle of a procedure, in real Chromium."""

from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, expect

from display.procedure_messages import CheckState, MoveState
from tests.display.page.room import ATTEMPTS, Room, make_entry, wait_until_live
from tests.display.page.test_procedure_page import PLAN, change
from tests.display.page.test_resection_page import bed, limits, removed, specimen

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]

RESUMED_WITHIN_MS = 5000.0

SHOWN = """
() => ["#patient-name", "#patient-id", "#study-taken", "#studies-button", "#procedure-button", "#procedure",
  "#resection", "#trend"].map((part) => {
  const element = document.querySelector(part);
  return [part, element.innerText, element.dataset.state ?? "", element.dataset.marks ?? ""];
})
"""
"""What stands on the page of the procedure: words, states, marks in the trend."""

AGAIN = """
(before) => JSON.stringify((%s)()) === before ? performance.now() : null
"""
"""How long after the reload began the page showed the same again, ms."""


def in_mid_procedure(room: Room) -> None:
    """Decide half of a plan and of a checklist, mark twice, take a node out, count it, go back to the plan."""
    checks = (
        CheckState(name="tracker", said="live, residual 0.3 mm", is_good=True, is_confirmed=True),
        CheckState(name="side", said="target 1: left", is_good=True, is_confirmed=False),
    )
    moves = (MoveState(to="time-out", is_forward=True, unmet=("each hot spot is confirmed",), is_possible=True),)
    begun = room.journal.add("begun", {"patient_id": "PT-0417", "patient_name": "Lindqvist^Anna"})
    for _ in range(2):
        room.journal.add("marked", {"rate_cps": 3.0})
    taken: Any = ("patient", "plan", "time-out", "skin scan", "incision", "in vivo")
    change(
        room,
        number=begun,
        revision=21,
        step="plan",
        taken=taken,
        sources=PLAN,
        checklist=checks,
        moves=moves,
        overrides=2,
    )
    specimens = (specimen(1, 1240.0, "hottest"), specimen(2, 40.0, "cold", limits(0.03, 0.02, 0.05)))
    room.now["resection"] = msgspec.structs.replace(
        room.now["resection"],
        revision=9,
        removed=(removed(bed("removed", limits(0.0, 0.0, 0.02))), removed(None, number=2, name="Node 2")),
        specimens=(specimens[0], msgspec.structs.replace(specimens[1], of="Node 2")),
        background_cps=3.2,
    )


async def test_a_reloaded_page_goes_on_within_five_seconds(room: Room, page: Page) -> None:
    """Patient, step, plan, overrides, beds, specimens with their labels and marks are as they were: none was hers.

    Not late each time.
    """
    room.entries = (*room.entries, make_entry("1.2.840.2", in_use=False))
    room.now["studies_revision"] = 2
    room.wall_utc = ""
    in_mid_procedure(room)
    await expect(page.locator("#trend")).to_have_attribute("data-marks", "2")
    await expect(page.locator("#studies-button")).to_have_text("Studies (2)")
    delays_ms: list[float] = []
    for _ in range(ATTEMPTS):
        await wait_until_live(page)
        for key in "px":
            await page.keyboard.press(key)
        await expect(page.locator("#resection")).to_contain_text("Node 2")
        await expect(page.locator("#procedure")).to_contain_text("2 steps")
        before = await page.evaluate(f"JSON.stringify(({SHOWN})())")
        await page.reload(wait_until="commit")
        await page.wait_for_function("() => document.body?.dataset.feed === 'live'")
        for key in "px":
            await page.keyboard.press(key)
        seen = await page.wait_for_function(AGAIN % SHOWN, arg=before)
        delays_ms.append(float(await seen.json_value()))
        if delays_ms[-1] < RESUMED_WITHIN_MS:
            return
        await page.reload()
    pytest.fail(f"it went on after {delays_ms} ms")

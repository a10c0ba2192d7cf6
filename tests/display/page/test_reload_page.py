"""A page that is loaded anew in the middle of a procedure, in real Chromium."""

import asyncio
import contextlib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, expect

from acquisition.session.rate_trend import TREND
from acquisition.session.swept_path import SWEPT
from acquisition.session.yardstick import PEAK
from display.messages.procedure import CheckState, MoveState
from tests.display.page.pixels import until_pixels
from tests.display.page.room import (
    ATTEMPTS,
    Room,
    look,
    make_entry,
    make_rate,
    open_late,
    serve,
    state_of,
    wait_until_live,
)
from tests.display.page.test_procedure_page import PLAN, change
from tests.display.page.test_resection_page import bed, limits, removed, specimen
from tests.display.page.test_solid_page import sweep

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
    for key in "px":
        await page.keyboard.press(key)
    for _ in range(ATTEMPTS):
        await wait_until_live(page)
        await expect(page.locator("#resection")).to_contain_text("Node 2")
        await expect(page.locator("#procedure")).to_contain_text("2 steps")
        before = await page.evaluate(f"JSON.stringify(({SHOWN})())")
        await page.reload(wait_until="commit")
        seen = await page.wait_for_function(AGAIN % SHOWN, arg=before)
        delays_ms.append(float(await seen.json_value()))
        if delays_ms[-1] < RESUMED_WITHIN_MS:
            return
        await page.reload()
    pytest.fail(f"it went on after {delays_ms} ms")


SWEPT_POINTS = 12


async def see_what_was_kept(page: Page) -> None:
    """The path that was swept, the peak, and the background that was chosen, beside another rate."""
    await expect(page.locator("#peak")).to_have_text("600 /s")
    await expect(page.locator("#background-of")).to_have_text("background here")
    await expect(page.locator("#ratio")).to_have_text("\u00d7 2.0 (1.5\u20132.6)")
    await expect(page.locator("#solid")).to_have_attribute("data-points", f"{SWEPT_POINTS}")
    await until_pixels(page, ([40, 130, 180], [135, 225, 255]), lambda count: count >= 60)


async def test_path_peak_and_background_outlive_the_page_and_the_service(room: Room) -> None:
    """Loaded anew, opened late, and after a restart of the service that has nothing but its record."""
    in_mid_procedure(room)
    room.now |= {"rate": make_rate(75.0), "pose": None}
    async with contextlib.AsyncExitStack() as first:
        await first.enter_async_context(serve(room))
        async with look(room) as page:
            await expect(page.locator("#peak")).to_have_text("75 /s")
            await page.keyboard.press("g")
            await expect(page.locator("#reference")).to_have_attribute("aria-pressed", "true")
            room.now["rate"] = make_rate(600.0)
            sweep(room)
            room.now["rate"] = make_rate(150.0)
            await see_what_was_kept(page)
            await page.reload()
            await see_what_was_kept(page)
            late = await open_late(room, page)
            await see_what_was_kept(late)
            await late.close()
            async with asyncio.timeout(30):
                while room.journal.of(PEAK)[-1].told["counts"] != 600 or not room.journal.of(SWEPT):
                    await room.journal.grown_beyond(room.journal.newest_seq)
            await first.aclose()
            room.session_id = "second"
            room.begin_keeping()
            async with serve(room):
                await see_what_was_kept(page)
                await page.reload()
                await see_what_was_kept(page)


A_MINUTE = [[59.0 - 0.2 * number, 777.0] for number in range(290)]
"""Points of the trend: how long before their entry, s, and the rate."""
MANY = 100
"""More than a run of the service has of its own when a page comes."""


@pytest.mark.usefixtures("calm")
async def test_the_trend_and_its_marks_outlive_the_service(room: Room) -> None:
    """What a former run counted is filled in, and a mark stays; a page that was open all along too."""
    in_mid_procedure(room)
    room.journal.add("marked", {"rate_cps": 3.0}, at=datetime(2026, 11, 22, 7, 59, 50, tzinfo=UTC))
    room.journal.add(TREND, {"device": "probe", "ago_s_and_cps": A_MINUTE})
    async with contextlib.AsyncExitStack() as first:
        await first.enter_async_context(serve(room))
        async with look(room) as page:
            trend = page.locator("#trend")
            await expect(trend).to_have_attribute("data-marks", "1")
            await first.aclose()
            await trend.evaluate("trend => delete trend.dataset.filled")
            room.session_id = "second"
            room.begin_keeping()
            async with serve(room):
                filled = "count => Number(document.querySelector('#trend').dataset.filled) >= count"
                await page.wait_for_function(filled, arg=MANY)
                await expect(trend).to_have_attribute("data-marks", "1")
                await page.reload()
                await page.wait_for_function(filled, arg=MANY)
                await expect(trend).to_have_attribute("data-marks", "1")


async def test_what_was_chosen_on_a_display_outlives_its_reload(room: Room, page: Page) -> None:
    """Muted, window, colours and layer are as they were, of this display alone: one opened late has its own."""
    await state_of(page, "#tone", "playing")
    for key in "mwcv":
        await page.keyboard.press(key)

    async def see(shown: Page, *, sound: str, window: str, colours: str, is_live: bool) -> None:
        await state_of(shown, "#tone", sound)
        await expect(shown.locator("#window")).to_have_text(re.compile(window, re.IGNORECASE))
        await expect(shown.locator("#colours")).to_have_text(re.compile(colours, re.IGNORECASE))
        await expect(shown.locator("#overlay-live")).to_have_attribute("aria-checked", str(is_live).lower())

    await see(page, sound="muted", window="bone", colours="cividis", is_live=True)
    await page.reload()
    await see(page, sound="muted", window="bone", colours="cividis", is_live=True)
    await see(await open_late(room, page), sound="playing", window="soft", colours="inferno", is_live=False)
    await page.keyboard.press("m")
    await page.reload()
    await state_of(page, "#tone", "playing")

"""After the excision, on the page in real Chromium: marked and counted by touch or key, answered in words."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import Page, expect

from display.messages.resection import (
    BedState,
    CountingState,
    LimitsState,
    RemovedState,
    ResectionRequest,
    SpecimenState,
)
from tests.display.page.room import Room, state_of, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]

TOUCH_PX = 54
"""15 mm on a screen of 24 inches and 1920 pixels."""

UPRIGHT = {"width": 1080, "height": 1920}


def limits(best: float, lower: float, upper: float, confidence: float = 0.99) -> LimitsState:
    return LimitsState(best=best, lower=lower, upper=upper, confidence=confidence)


def bed(decision: Any, share: LimitsState | None, *, needed_s: float | None = 0.0, reason: str = "") -> BedState:
    return BedState(
        counts=143.0,
        live_time_s=4.5,
        decision=decision,
        left_mbq=None if share is None else limits(0.0, 0.0, 0.009),
        left_share=share,
        needed_s=needed_s,
        reason=reason,
    )


def removed(found: BedState | None, *, number: int = 1, name: str = "Node 1") -> RemovedState:
    return RemovedState(number=number, name=name, marked_at_utc="2026-11-22T08:20:00Z", bed=found)


def specimen(number: int, rate_cps: float, rule: Any, share: LimitsState | None = None) -> SpecimenState:
    error_cps = (rate_cps / 10) ** 0.5
    return SpecimenState(
        number=number,
        of="Node 1",
        counts=10 * rate_cps,
        live_time_s=10.0,
        rate_cps=rate_cps,
        low_cps=rate_cps - error_cps,
        high_cps=rate_cps + error_cps,
        share=share,
        rule=rule,
        needed_s=0.0,
        reason="",
    )


def change(room: Room, **changes: Any) -> None:
    """Alter what was marked and counted."""
    room.now["resection"] = msgspec.structs.replace(room.now["resection"], **changes)


async def asked(room: Room, page: Page, count: int) -> ResectionRequest:
    """Wait until so many requests have come, and return the last."""
    async with asyncio.timeout(30):
        while len(room.requests) < count:
            await page.wait_for_timeout(25)
    assert len(room.requests) == count
    return room.requests[-1]


async def test_marking_and_counting_by_key(room: Room, page: Page) -> None:
    """X shows the panel; R marks the guided target, B counts its bed, S a specimen, either again stops."""
    for key in "rbs":
        await page.keyboard.press(key)
    await expect(page.locator("#resection")).to_be_hidden()
    await page.keyboard.press("x")
    await expect(page.get_by_role("button", name="Node 1 is out")).to_be_visible()
    await expect(page.get_by_role("button", name="Injection is out")).to_have_count(0)
    await page.keyboard.press("r")
    assert await asked(room, page, 1) == ResectionRequest(revision=0, action="remove", target="Node 1")
    change(room, revision=1, removed=(removed(None),))
    await expect(page.locator("#resection .card")).to_have_attribute("data-state", "none")
    await page.keyboard.press("b")
    assert await asked(room, page, 2) == ResectionRequest(revision=1, action="count_bed", number=1)
    counting = CountingState(what="bed", number=1, counts=345.0, live_time_s=12.4, most_s=120.0)
    change(room, revision=2, counting=counting)
    await expect(page.locator("#resection .counted")).to_have_text("Counting the bed: 12 s, 345 counts")
    await state_of(page, "#resection-button", "counting")
    await page.keyboard.press("b")
    assert await asked(room, page, 3) == ResectionRequest(revision=2, action="stop")
    change(room, revision=3, counting=None)
    await expect(page.locator("#resection .counted")).to_be_empty()
    await page.keyboard.press("s")
    assert await asked(room, page, 4) == ResectionRequest(revision=3, action="count_specimen")
    await page.keyboard.press("x")
    await expect(page.locator("#resection")).to_be_hidden()


async def test_a_wrong_label_is_taken_back(room: Room, page: Page) -> None:
    """A touch says that a specimen is of the next target, or of none; Undo, or Z, puts back what it was."""
    both = (removed(None), removed(None, number=2, name="Node 2"))
    one = specimen(1, 1240.0, "hottest")
    change(room, revision=5, removed=both, specimens=(one,))
    await page.keyboard.press("x")
    undo = page.get_by_role("button", name="Undo")
    await expect(undo).to_have_count(0)
    for number, way in ((1, "touch"), (3, "key")):
        await page.get_by_role("button", name="Specimen 1 is of: Node 1").click()
        wrong = ResectionRequest(revision=5, action="label", number=1, target="Node 2")
        assert await asked(room, page, number) == wrong
        change(room, revision=6, specimens=(msgspec.structs.replace(one, of="Node 2"),))
        await expect(page.get_by_role("button", name="Specimen 1 is of: Node 2")).to_be_visible()
        await expect(undo).to_be_visible()
        if way == "touch":
            await undo.click()
        else:
            await page.keyboard.press("z")
        right = ResectionRequest(revision=6, action="label", number=1, target="Node 1")
        assert await asked(room, page, number + 1) == right
        change(room, revision=5, specimens=(one,))
        await expect(undo).to_have_count(0)
    room.refusal = "somebody else has acted meanwhile"
    await page.get_by_role("button", name="Specimen 1 is of: Node 1").click()
    await asked(room, page, 5)
    await expect(page.locator("#resection [role=alert]")).to_have_text(room.refusal)
    await expect(undo).to_have_count(0)


async def test_only_what_was_changed_last_is_taken_back(room: Room, page: Page) -> None:
    """Not on the next patient's specimen, which has the same number; nor over what somebody else said since."""
    both = (removed(None), removed(None, number=2, name="Node 2"))
    one = specimen(1, 1240.0, "hottest")
    other = msgspec.structs.replace(one, of="Node 2")
    change(room, revision=5, removed=both, specimens=(one,))
    await page.keyboard.press("x")
    undo = page.get_by_role("button", name="Undo")

    async def relabel(count: int) -> None:
        await page.get_by_role("button", name="Specimen 1 is of: Node 1").click()
        await asked(room, page, count)
        change(room, revision=6, specimens=(other,))
        await expect(undo).to_be_visible()

    await relabel(1)
    change(room, revision=7, specimens=(msgspec.structs.replace(one, of=None),))
    await expect(page.get_by_role("button", name=re.compile("^Specimen 1 .*no target"))).to_be_visible()
    await expect(undo).to_have_count(0)
    await page.keyboard.press("z")
    change(room, revision=5, specimens=(one,))
    await relabel(2)
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=40, began_at_utc="2026-11-22T08:00:00+00:00"
    )
    await expect(undo).to_have_count(0)
    await page.keyboard.press("z")
    await page.keyboard.press("s")
    assert await asked(room, page, 3) == ResectionRequest(revision=6, action="count_specimen")


async def test_every_button_is_touched_with_a_glove(room: Room, page: Page) -> None:
    """Each is 15 mm high and wide on a 24-inch screen, and does what it says."""
    change(room, revision=7, removed=(removed(None),), specimens=(specimen(1, 1240.0, "hottest"),))
    await page.get_by_role("button", name="Excision").click()
    panel = page.locator("#resection")
    await expect(panel.locator(".row")).to_be_visible()
    for button in await panel.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= TOUCH_PX, await button.inner_text()
    presses: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Node 1 is out", {"action": "remove", "target": "Node 1"}),
        ("Count bed", {"action": "count_bed", "number": 1}),
        ("Not out", {"action": "restore", "number": 1}),
        ("Specimen S", {"action": "count_specimen"}),
        ("Background", {"action": "count_background"}),
        ("Discard specimen 1", {"action": "discard", "number": 1}),
    )
    for number, (name, does) in enumerate(presses, start=1):
        await panel.get_by_role("button", name=name).click()
        assert await asked(room, page, number) == ResectionRequest(revision=7, **does)


async def test_a_decision_is_a_word_a_shape_a_colour_and_its_limit(room: Room, page: Page) -> None:
    """Removed, still there, count on, and nothing told: never a bare yes, and no number where there is none."""
    await page.keyboard.press("x")
    card = page.locator("#resection .card")
    colours = set()
    cases = (
        ("removed", bed("removed", limits(0.0, 0.0, 0.026)), "\u2713 REMOVED", "At most 3 % can be left (9 kBq)"),
        (
            "still-there",
            bed("still there", limits(0.79, 0.56, 1.1)),
            "\u25b2 STILL THERE",
            "At least 56 % of it is left",
        ),
        (
            "count-on",
            bed("count on", limits(0.0, 0.0, 0.46), needed_s=3.2, reason="too few counts yet"),
            "\u25c6 COUNT ON",
            "At most 46 % can be left: hold 4 s more",
        ),
        ("count-on", bed("count on", None, needed_s=None, reason="no reading"), "\u25c6 COUNT ON", "no reading"),
    )
    for state, found, word, detail in cases:
        change(room, removed=(removed(found),))
        await expect(card.locator(".detail")).to_have_text(
            re.compile("^" + re.escape(detail).replace(r"\ ", r"\s") + "$")
        )
        await expect(card).to_have_attribute("data-state", state)
        await expect(card.locator(".word")).to_have_text(word)
        await expect(page.get_by_label(f"Node 1: {word}")).to_be_visible()
        colours.add(await card.evaluate("card => getComputedStyle(card).borderLeftColor"))
    assert len(colours) == 3
    change(room, removed=(removed(None),))
    await expect(card.locator(".word")).to_have_text("BED NOT COUNTED")


async def test_specimens_stand_with_their_errors_and_the_rule(room: Room, page: Page) -> None:
    """Rates rounded to their errors, shares of the hottest with both limits, the rule in a word."""
    change(
        room,
        background_cps=4.87,
        specimens=(
            specimen(1, 1240.0, "hottest"),
            specimen(2, 410.0, "hot", limits(0.33, 0.31, 0.35, 0.95)),
            specimen(3, 36.0, "cold", limits(0.029, 0.021, 0.038, 0.95)),
            specimen(4, 120.0, None),
        ),
    )
    await page.keyboard.press("x")
    rows = page.locator("#resection .row")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(0)).to_contain_text("120 ± 3 /s")
    await expect(rows.nth(1)).to_contain_text("2.9\u00a0% of the hottest (2.1 to 3.8\u00a0%)")
    await expect(rows.nth(1)).to_contain_text("\u2713 UNDER 10")
    await expect(rows.nth(2)).to_contain_text("33\u00a0% of the hottest (31 to 35\u00a0%)")
    await expect(rows.nth(2)).to_contain_text("\u25b2 OVER 10")
    await expect(rows.nth(3)).to_contain_text("HOTTEST")
    await expect(page.locator("#resection")).to_contain_text("On the bench: background 4.9 /s")


async def test_a_refusal_is_told_and_changes_nothing(room: Room, page: Page) -> None:
    """The service's own sentence, as an alert; the next action that is done takes it away."""
    room.refusal = "somebody else has acted meanwhile: look again"
    await page.keyboard.press("x")
    await page.keyboard.press("s")
    alert = page.locator("#resection .trouble")
    await expect(alert).to_have_attribute("role", "alert")
    await expect(alert).to_have_text(room.refusal)
    room.refusal = None
    await page.keyboard.press("s")
    await expect(alert).to_be_empty()
    change(room, trouble="The specimen was not counted: only 0.4 s were counted")
    await expect(alert).to_have_text("The specimen was not counted: only 0.4 s were counted")


async def test_a_count_that_a_restart_cut_off_is_told_whether_the_panel_is_open_or_not(
    room: Room, page: Page
) -> None:
    """A triangle at the key that opens it; there, what was being counted, and that it is to be counted again."""
    said = "A restart has cut off the count of the bed of Node 1: count it again"
    change(room, trouble=said)
    key = page.locator("#resection-button")
    await state_of(page, "#resection-button", "trouble")
    mark = "key => getComputedStyle(key, '::before').content"
    assert "\u25b2" in await key.evaluate(mark)
    await page.keyboard.press("x")
    await expect(page.locator("#resection [role=alert]")).to_have_text(said)
    change(room, trouble="")
    await state_of(page, "#resection-button", "idle")
    assert await key.evaluate(mark) == "none"


async def test_a_reload_loses_nothing(room: Room, page: Page) -> None:
    """What was marked and counted is the service's, not the page's."""
    change(
        room,
        removed=(removed(bed("removed", limits(0.0, 0.0, 0.03))),),
        specimens=(specimen(1, 1240.0, "hottest"),),
    )
    await page.reload()
    await wait_until_live(page)
    await page.keyboard.press("x")
    await expect(page.locator("#resection .card .word")).to_have_text("\u2713 REMOVED")
    await expect(page.locator("#resection .row")).to_contain_text("1240 ± 11 /s")


@pytest.mark.parametrize("viewport", [{"width": 1920, "height": 1080}, {"width": 1280, "height": 800}, UPRIGHT])
async def test_it_lies_over_the_lower_slices_alone_and_nothing_is_cut_off(
    room: Room, page: Page, viewport: dict[str, int]
) -> None:
    """The rate, the bull's-eye, the sentence and the axial slice stay in sight; a long list scrolls."""
    await page.set_viewport_size(viewport)  # type: ignore[arg-type]
    change(
        room,
        removed=(removed(bed("count on", limits(0.0, 0.0, 0.46), needed_s=3.2, reason="too few counts yet")),),
        specimens=(specimen(1, 1240.0, "hottest"), specimen(2, 36.0, "cold", limits(0.029, 0.021, 0.038, 0.95))),
        counting=CountingState(what="specimen", number=None, counts=12345.0, live_time_s=9.4, most_s=10.0),
    )
    await page.keyboard.press("x")
    await expect(page.locator("#resection .row")).to_have_count(2)
    panel = await page.locator("#resection").bounding_box()
    assert panel is not None
    for other in ("#rate", "#aim", "#guidance", "#trust", "#axial"):
        box = await page.locator(other).bounding_box()
        assert box is not None
        is_apart = (
            panel["x"] >= box["x"] + box["width"] - 1
            or box["x"] >= panel["x"] + panel["width"] - 1
            or panel["y"] >= box["y"] + box["height"] - 3
            or box["y"] >= panel["y"] + panel["height"] - 3
        )
        assert is_apart, other
    cut_off = """() => [...document.querySelectorAll("#resection :is(button, .card, .row, .heading, p, .figures)")]
      .filter((item) => item.scrollWidth > item.clientWidth + 1 || item.scrollHeight > item.clientHeight + 1)
      .map((item) => item.textContent)"""
    assert await page.evaluate(cut_off) == []
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    if (asked := os.environ.get("RADIONAV_SCREENSHOT")) and viewport["width"] == 1920:
        await page.screenshot(path=Path(asked))


async def test_a_silent_feed_greys_it(room: Room, page: Page) -> None:
    """A decision that nobody renews does not look live."""
    change(room, removed=(removed(bed("removed", limits(0.0, 0.0, 0.03))),))
    await page.keyboard.press("x")
    await expect(page.locator("#resection .card .word")).to_be_visible()
    room.is_silent = True
    await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
    await expect(page.locator("#resection")).to_have_css("filter", re.compile("grayscale"))

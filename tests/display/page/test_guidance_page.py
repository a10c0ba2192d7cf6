"""Where to hold the probe next, and how far the estimate is to be trusted, on the page in real Chromium."""

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page, expect

from display.messages.estimate import MapShiftState, RejectionState
from display.messages.feed import AdviceState
from tests.display.page.pixels import WHITE, pixels
from tests.display.page.room import (
    STALE_AFTER_S,
    Room,
    look,
    make_advice,
    make_agreement,
    serve,
    state_of,
)

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

GREEN = "Math.abs(red - 74) < 3 && Math.abs(green - 222) < 3 && Math.abs(blue - 128) < 3"
"""The probe's colour, which is the ghost's."""

REM_PX = 16
"""The layout's unit on a screen of 1920 x 1080."""

FIELD_MM = 20
"""Half the field that shows the room's node and a ghost nearer than 16 mm."""

LONGEST = "Cannot tell yet: hold 38 mm to the patient's right and 28 mm to the head, tilt right 30° and down 25°"

TIMES = "\u00d7"

UPRIGHT = {"width": 1080, "height": 1920}


def guide(room: Room, sentence: str, **changes: Any) -> None:
    """Alter the guidance."""
    room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], sentence=sentence, **changes)


def believe(room: Room, **changes: Any) -> None:
    """Alter what the estimate rests on."""
    room.now["posterior"] = msgspec.structs.replace(room.now["posterior"], **changes)


def advise(room: Room, sentence: str = "Hold next: 14 mm to the patient's left", **changes: Any) -> AdviceState:
    """Let the room advise a pose 14 mm to the patient's left."""
    advice = make_advice(room.now["pose"], way_mm=(14.0, 0.0, 3.0), **changes)
    guide(room, sentence, advice=advice)
    return advice


def unlocate(room: Room) -> None:
    """Let the counts no longer tell where the node is."""
    drawn = ("centre_mm", "covariance_mm2", "region_semi_axes_mm", "region_axes", "tip_right_mm", "tip_up_mm",
             "tip_ahead_mm", "distance_mm", "distance_half_width_mm", "off_axis_deg")  # fmt: skip
    room.change_target(localisable=False, reason="its region still reaches 31 mm", **dict.fromkeys(drawn))
    known = ("motion", "depth_mm", "depth_half_width_mm", "probability_near")
    room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], **dict.fromkeys(known))


async def has_ghost(page: Page, *, is_shown: bool = True) -> None:
    """Wait until the ghost is drawn, or no longer."""
    await expect(page.locator("#aim")).to_have_attribute("data-advice", "shown" if is_shown else "none")


async def ghost_share(page: Page, right_mm: float, up_mm: float) -> float:
    """Share of a ring of the ghost's size about a place that is drawn in its colour."""
    box = await page.locator("#bullseye").bounding_box()
    assert box is not None
    words = (await page.evaluate("window.__words"))["bullseye"]
    middle = np.array([words["UP"][0] * box["width"], box["height"] / 2])
    radius = middle[1] - (words["UP"][1] * box["height"] - 0.75 * REM_PX)
    place = middle + np.array([right_mm, -up_mm]) * radius / FIELD_MM
    green = await pixels(page, "#bullseye", GREEN) * [box["width"], box["height"]] - place
    is_ring = np.abs(np.hypot(*green.T) - 1.7 * REM_PX) < 2.0
    turns = np.unique(np.round(np.degrees(np.arctan2(green[is_ring, 1], green[is_ring, 0])) / 5))
    return len(turns) / 72


async def test_the_ghost_lies_where_the_probe_should_go(room: Room, page: Page) -> None:
    """A dashed ring in the probe's colour, where the feed says, named, and the sentence says the same."""
    advice = advise(room)
    await has_ghost(page)
    await expect(page.locator("#guidance")).to_have_text("Hold next: 14 mm to the patient's left")
    await expect(page.locator("#bullseye")).to_have_attribute(
        "aria-label", re.compile(r"; hold next: 1[0-9] mm right, ")
    )
    assert await ghost_share(page, advice.right_mm, advice.up_mm) > 0.35
    assert await ghost_share(page, -advice.right_mm, advice.up_mm) < 0.1
    assert "HOLD NEXT" in (await page.evaluate("window.__words"))["bullseye"]
    await state_of(page, "#bullseye", "located")
    if asked := os.environ.get("RADIONAV_SCREENSHOT"):
        await state_of(page, "#axial", "tip")
        await expect(page.locator("#slices-note")).to_be_empty()
        await page.screenshot(path=Path(asked))


async def test_what_is_not_located_is_never_drawn_but_told_how_to_find(room: Room, page: Page) -> None:
    """No dot, no number, no fact about the target; the ghost stays, and no word lies over it."""
    unlocate(room)
    advice = advise(room, "Cannot tell yet: hold 14 mm to the patient's left", semi_axis_now_mm=None)
    await state_of(page, "#bullseye", "unlocated")
    await has_ghost(page)
    await expect(page.locator("#guidance")).to_have_text("Cannot tell yet: hold 14 mm to the patient's left")
    assert len(await pixels(page, "#bullseye", WHITE)) == 0
    assert await ghost_share(page, advice.right_mm, advice.up_mm) > 0.35
    await expect(page.locator("#no-aim")).to_have_text("Not located yet: its region still reaches 31 mm")
    words, rings = await page.locator("#no-aim").bounding_box(), await page.locator("#bullseye").bounding_box()
    assert words is not None
    assert rings is not None
    assert words["y"] >= rings["y"] + rings["height"] - 1
    for fact in ("#motion", "#depth", "#near"):
        await expect(page.locator(fact)).to_have_text("\u2013")


async def test_a_probe_that_is_there_is_told_to_hold(room: Room, page: Page) -> None:
    """The ring closes about the middle and says HOLD."""
    advice = make_advice(room.now["pose"], way_mm=(1.0, 0.0, 1.0), look=(-0.2, 1.0, -0.12), reached=True)
    guide(room, "Hold still here", advice=advice)
    await has_ghost(page)
    await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile("; hold still here$"))
    assert await ghost_share(page, advice.right_mm, advice.up_mm) > 0.8
    assert "HOLD" in (await page.evaluate("window.__words"))["bullseye"]


async def test_old_advice_is_none(room: Room, page: Page) -> None:
    """Older than its limit, though the feed still sends it: no ghost, and the sentence is crossed out."""
    advice = advise(room)
    await has_ghost(page)
    guide(room, "Hold next: 14 mm", advice=msgspec.structs.replace(advice, age_s=advice.stale_after_s + 0.1))
    await has_ghost(page, is_shown=False)
    await state_of(page, "#guidance", "stale")
    await expect(page.locator("#guidance")).to_have_css("text-decoration-line", "line-through")
    assert await ghost_share(page, advice.right_mm, advice.up_mm) < 0.1
    await state_of(page, "#bullseye", "located")


IS_OVER_LETTER = """
() => {
  const slice = document.getElementById("axial").getBoundingClientRect();
  const words = document.getElementById("map-shift").getBoundingClientRect();
  return words.bottom > slice.top + window.__words.axial.P[1] * slice.height - 12;
}
"""
"""Whether the words about the map lie over the letter of the lower side."""


async def test_a_silent_feed_sends_nobody_anywhere(room: Room, page: Page) -> None:
    """Where states stop coming, or the tracker is lost, the ghost goes with the pose it is seen from."""
    room.stale_after_s = STALE_AFTER_S
    await page.reload()
    advise(room)
    believe(room, map_shift=MapShiftState(shift_mm=(12.0, 0.0, 5.0), distance_mm=13.0, half_width_mm=3.0))
    await has_ghost(page)
    await expect(page.locator("#map-shift")).to_have_text("Map moved 13 mm ± 3")
    assert await page.evaluate(IS_OVER_LETTER) is False
    room.change_device("tracker", state="lost", detail="connection refused: start the tracker")
    await has_ghost(page, is_shown=False)
    await state_of(page, "#guidance", "stale")
    room.change_device("tracker", state="live", detail="")
    await has_ghost(page)
    room.is_silent = True
    await has_ghost(page, is_shown=False)
    await state_of(page, "#agreement", "none")
    await state_of(page, "#motion", "none")
    await expect(page.locator("#map-shift")).to_be_empty()
    room.is_silent = False
    await has_ghost(page)


async def test_the_way_the_depth_and_the_chance_are_told(room: Room, page: Page) -> None:
    """Toward or away in word, shape and colour; depth under the skin, its interval; probability within 5 mm."""
    await expect(page.locator("#motion")).to_have_text("\u25b2 toward")
    await expect(page.locator("#depth")).to_have_text("26 ± 3 mm")
    await expect(page.locator("#near")).to_have_text("90 %")
    assert "skin" in (await page.evaluate("window.__words"))["bullseye"]
    toward = await page.locator("#motion").evaluate("element => getComputedStyle(element).color")
    guide(room, "Node 1: 29 mm ± 4", motion="away", probability_near=0.999)
    await expect(page.locator("#motion")).to_have_text("\u25bc away")
    await expect(page.locator("#near")).to_have_text("> 99 %")
    assert await page.locator("#motion").evaluate("element => getComputedStyle(element).color") != toward
    assert "tip" not in (await page.evaluate("window.__words"))["bullseye"]
    guide(room, "Node 1: 29 mm ± 4", motion=None, depth_mm=None, depth_half_width_mm=None)
    await expect(page.locator("#depth")).to_have_text("\u2013")
    await page.wait_for_function("() => 'tip' in window.__words.bullseye")  # without a skin, ahead of the tip


async def test_counted_and_predicted_are_compared(room: Room, page: Page) -> None:
    """A needle right of the middle for more than predicted, left for fewer, and the ratio; none without counts.

    About it a band as wide as chance reaches.
    """
    await state_of(page, "#agreement", "agrees")
    await expect(page.locator("#agreement-word")).to_have_text("as predicted")
    scale = await page.locator("#agreement .scale").bounding_box()
    assert scale is not None
    for ratio, verdict in ((1.9, "more"), (0.4, "fewer")):
        believe(room, agreement=make_agreement(ratio, half=0.06))
        await state_of(page, "#agreement", verdict)
        await expect(page.locator("#agreement-word")).to_have_text(f"{ratio} {TIMES} predicted")
        needle = await page.locator("#agreement .needle").bounding_box()
        assert needle is not None
        share = (needle["x"] + needle["width"] / 2 - scale["x"]) / scale["width"]
        assert abs(share - (0.5 + np.log2(ratio) / 4)) < 0.01
        chance = await page.locator("#agreement .chance").bounding_box()
        assert chance is not None
        ends = (np.array([chance["x"], chance["x"] + chance["width"]]) - scale["x"]) / scale["width"]
        low, high = ratio - 0.06, ratio + 0.06
        np.testing.assert_allclose(ends, 0.5 + np.log2([low, high]) / 4, atol=0.01)
    believe(room, age_s=12.0)
    await state_of(page, "#agreement", "none")
    await expect(page.locator("#agreement-word")).to_have_text("\u2013")
    await expect(page.locator("#agreement .needle")).to_be_hidden()


async def test_a_map_that_moved_is_told_and_one_that_may_not_have_is_not(room: Room, page: Page) -> None:
    """In words beside the map, once the counts can tell it from none."""
    shift = MapShiftState(shift_mm=(12.0, 0.0, 5.0), distance_mm=14.4, half_width_mm=2.6)
    believe(room, map_shift=shift)
    await expect(page.locator("#map-shift")).to_have_text("Map moved 14 mm ± 3")
    believe(room, map_shift=msgspec.structs.replace(shift, half_width_mm=15.0))
    await expect(page.locator("#map-shift")).to_be_empty()


async def test_the_estimate_says_what_it_left_out_and_what_it_doubts(room: Room, page: Page) -> None:
    """Readings left out by reason, fresh starts, a contradiction, a view that is not calibrated: none cut off."""
    estimate = page.get_by_role("listitem", name="Estimate")
    words = estimate.locator(".detail")
    room.now["rejections"] = (
        RejectionState(reason="its pose is off the hand's way", readings=9),
        RejectionState(reason="counted twice", readings=5),
    )
    believe(room, restarts=1)
    await expect(words).to_have_text(
        "412 readings, began anew once, 14 left out: "
        f"9 {TIMES} its pose is off the hand's way, 5 {TIMES} counted twice"
    )
    await expect(estimate).to_have_attribute("data-state", "live")
    for viewport in ({"width": 1920, "height": 1080}, UPRIGHT):
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]
        assert await words.evaluate("item => item.scrollHeight <= item.clientHeight + 1"), "the words are cut off"
    believe(room, consistent=False)
    await expect(page.get_by_role("listitem", name="Estimate: DOES NOT FIT")).to_be_visible()
    await expect(estimate).to_have_attribute("data-state", "doubtful")
    believe(room, consistent=True, within_calibration=False)
    await expect(page.get_by_role("listitem", name="Estimate: DOUBTFUL")).to_be_visible()
    await expect(words).to_contain_text("seen from where the probe is not calibrated")
    believe(room, within_calibration=True, readings=20)
    await expect(page.get_by_role("listitem", name="Estimate: DOUBTFUL")).to_be_visible()
    room.now["posterior"] = None
    await expect(words).to_contain_text("no counts used yet, 14 left out")


@pytest.mark.parametrize("viewport", [{"width": 1920, "height": 1080}, {"width": 1280, "height": 800}, UPRIGHT])
async def test_the_longest_sentence_and_every_input_fit(room: Room, page: Page, viewport: dict[str, int]) -> None:
    """On a wide, a small and an upright screen nothing is cut off, with all inputs as in a real room."""
    await page.set_viewport_size(viewport)  # type: ignore[arg-type]
    advise(room, LONGEST)
    monitor = msgspec.structs.replace(room.now["devices"][0], name="monitor", label="Room monitor", primary=False)
    recorder = msgspec.structs.replace(room.now["devices"][2], name="recorder", kind="recorder", label="Recording")
    room.now["devices"] = (*room.now["devices"], monitor, recorder)
    await expect(page.locator("#guidance")).to_have_text(LONGEST)
    await expect(page.locator("#trust .input")).to_have_count(10)
    cut_off = """() => [...document.querySelectorAll("#guidance, #aim dd, .input, .input b, #rate")]
      .filter((item) => item.scrollWidth > item.clientWidth + 1 || item.scrollHeight > item.clientHeight + 1)
      .map((item) => item.textContent)"""
    assert await page.evaluate(cut_off) == []
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_name_is_one_line_from_near_too(room: Room, language: Any) -> None:
    """A target that is on no map is told as such on the smaller screen, whatever has to be said beside it."""
    room.language = language
    room.change_target(name="unmapped 1")
    async with serve(room), look(room) as page:
        await page.set_viewport_size({"width": 1280, "height": 800})
        name, beside = page.locator("#target-name"), page.locator("#probability")
        for age_s, state in ((0.1, "live"), (130.0, "old")):
            believe(room, age_s=age_s)
            await expect(beside).to_have_attribute("data-state", state)
            await expect(name).to_have_text(re.compile("1$"))
            lines = "name => name.offsetHeight / parseFloat(getComputedStyle(name).fontSize)"
            assert await name.evaluate(lines) < 2.0
            for words in (name, beside):
                assert await words.evaluate("words => words.scrollWidth <= words.clientWidth + 1")

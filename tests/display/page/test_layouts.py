"""Where everything stands: from 2 m, from 1 m, on a tablet, magnified; nothing cut off or over anything else."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from playwright.async_api import Page, expect

from display.messages.device import ToolState
from tests.display.page.calibrated import ScriptedCalibrator, manned
from tests.display.page.room import PATIENCE_MS, Room, browse, make_condition, make_device, serve, wait_until_live
from tests.display.page.states import lost_probe, lost_tracker, planning, timing_out
from tests.display.page.test_resection_page import bed, limits, removed, specimen

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(300), pytest.mark.usefixtures("built_page")]

PAGE = Path(__file__).parents[3] / "display" / "page" / "src"

SCREENS: dict[str, dict[str, Any]] = {
    "2 m": {"viewport": {"width": 1920, "height": 1080}},
    "1 m": {"viewport": {"width": 1280, "height": 800}},
    "tablet": {"viewport": {"width": 1180, "height": 820}, "has_touch": True, "is_mobile": True},
    "200 %": {"viewport": {"width": 960, "height": 540}, "device_scale_factor": 2},
    "200 % of 1280": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "upright": {"viewport": {"width": 1080, "height": 1920}},
}
"""A screen of 1920 x 1080 at 200 % has half as many pixels of CSS, each twice as large."""

TOUCH_PX = {"2 m": 56, "1 m": 56, "tablet": 78, "200 %": 56, "200 % of 1280": 56, "upright": 56}
"""15 mm: of CSS, whose inch has 96 pixels, and on a tablet of 132 pixels per inch."""

FAULTS = """
(ids) => {
  const faults = [];
  const leaves = [];
  const isSeen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const isBar = (element) => getComputedStyle(element).position === "fixed";
  const isOut = (low, high, lowest, highest) => low < lowest - 1.5 || high > highest + 1.5;
  const cutBy = (element, box) => {
    for (let around = element; around !== document.body; around = around.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(around);
      const outer = around.getBoundingClientRect();
      const isX = overflowX === "hidden" && isOut(box.left, box.right, outer.left, outer.right);
      const isY = overflowY === "hidden" && isOut(box.top, box.bottom, outer.top, outer.bottom);
      if (isX || isY) return `#${around.id}.${around.className}`;
      if (overflowY === "auto") return null;
    }
    return null;
  };
  const isScrolledAway = (element, box) => {
    const aside = element.closest("aside");
    const lists = aside ? [aside, ...aside.querySelectorAll(".beds, .specimens, .work")] : [];
    const outer = lists.filter((list) => list.contains(element)).map((list) => list.getBoundingClientRect());
    return outer.some((each) => isOut(box.top, box.bottom, each.top, each.bottom));
  };
  const isCovered = document.querySelector("aside:not([hidden])") !== null;
  const covered = isCovered ? ", #slices" : "";
  const leftOut = `#frozen, #simulated, #replay, .uplot, [data-state=lost] .detail${covered}`;
  for (const element of document.body.querySelectorAll("*")) {
    if (!isSeen(element) || isBar(element) || element.closest(leftOut)) continue;
    for (const node of [...element.childNodes].filter((each) => each.nodeType === 3 && each.data.trim())) {
      const range = document.createRange();
      range.selectNodeContents(node);
      const { left, right, top, bottom, height, width } = range.getBoundingClientRect();
      if (width === 0) continue;
      const box = { left, right, top: top + 0.2 * height, bottom: bottom - 0.2 * height }; // of the letters
      if (isScrolledAway(element, box)) continue;
      leaves.push({ element, box, said: node.data.trim() });
      const cut = cutBy(element, box);
      if (cut) faults.push(`cut: ${node.data} by ${cut}`);
      if (isOut(left, right, 0, document.documentElement.clientWidth)) faults.push(`outside: ${node.data}`);
      if (box.bottom + scrollY > document.documentElement.scrollHeight + 1) faults.push(`below: ${node.data}`);
    }
  }
  const over = (one, other) => [
    Math.min(one.right, other.right) - Math.max(one.left, other.left),
    Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top),
  ];
  const isPanel = (element) => element.closest("aside, #notes, #no-aim, #map-shift") !== null;
  leaves.forEach((one, n) => {
    for (const other of leaves.slice(n + 1)) {
      if (isPanel(one.element) !== isPanel(other.element)) continue;
      const [across, down] = over(one.box, other.box);
      if (across > 1 && down > 1) faults.push(`over each other: ${one.said} | ${other.said}`);
    }
  });
  const seen = ids.map((id) => document.getElementById(id)).filter((each) => isSeen(each) && !isBar(each));
  seen.forEach((one, n) => {
    for (const other of seen.slice(n + 1)) {
      const [across, down] = over(one.getBoundingClientRect(), other.getBoundingClientRect());
      if (across > 1 && down > 1) faults.push(`#${one.id} over #${other.id}`);
    }
  });
  return faults;
}
"""
"""Words that are cut off, lie outside the page or over other words, and panels over each other.

Left out are lists that scroll, what an open panel covers, a bar that stays in sight while the page scrolls,
and the line below a lost input: its sentence stands whole in the panel that it is about.
"""

PANELS = ["study", "connection", "rate", "trend", "aim", "guidance", "slices", "trust"]

TOUCHED = """
() => [...document.querySelectorAll("button, a, input")].filter((each) => each.checkVisibility()).map((each) => {
  const { width, height } = each.getBoundingClientRect();
  return [each.textContent || each.id, width, height];
})
"""


async def all_fit_a_glove(page: Page, screen: str) -> None:
    """Each key and field that is to be touched now is 15 mm high and wide at least."""
    small = [each for each in await page.evaluate(TOUCHED) if min(each[1:]) < TOUCH_PX[screen]]
    assert not small, f"smaller than 15 mm: {small}"


@contextlib.asynccontextmanager
async def look_from(room: Room, screen: str) -> AsyncIterator[Page]:
    """Look at a room that is served on a screen."""
    async with browse() as browser:
        page = await browser.new_page(**SCREENS[screen])
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(room.url)
        await wait_until_live(page)
        yield page


def resected(room: Room) -> None:
    taken_out = (removed(bed("removed", limits(0.0, 0.0, 0.02))), removed(None, number=2, name="Node 2"))
    specimens = (specimen(1, 1240.0, "hottest"), specimen(2, 40.0, "cold", limits(0.03, 0.02, 0.05)))
    room.now["resection"] = msgspec.structs.replace(
        room.now["resection"], revision=4, removed=taken_out, specimens=specimens
    )


UNSEEN = ToolState(
    name="Probe", is_seen=False, said="outside the volume: move the camera, or the tool into its volume"
)
REFUSED = "TESTSCU at 10.1.2.3 was refused: its AE title is not among those of the site file"


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_nothing_is_cut_off_and_nothing_lies_over_anything(room: Room, screen: str, language: Any) -> None:
    """Live with five devices, with inputs lost or silent, and with each panel open; each key is 15 mm at least.

    What is wrong with the rate stands beside it, and never over it.
    """
    room.language, room.calibrator = language, ScriptedCalibrator()
    monitor = make_device("monitor", kind="probe", label="Room monitor", condition=make_condition(alarm=True))
    room.now["devices"] = (*room.now["devices"], monitor, make_device("recorder"))
    room.change_device("probe", condition=make_condition(alarm=True, battery_low=True))
    room.change_device("tracker", condition=make_condition(battery_v=1.4), tools=(UNSEEN,))
    room.change_device("dicom", detail=REFUSED)
    room.now["rate"] = msgspec.structs.replace(room.now["rate"], dead_fraction=0.42)
    async with manned(room.calibrator), serve(room), look_from(room, screen) as page:
        await expect(page.locator("#slices-note")).to_be_empty()
        await expect(page.locator("#trust [data-state=alarm]")).to_have_count(2)
        faults = {"live": await page.evaluate(FAULTS, PANELS)}
        for key, change, seen in (
            ("x", resected, "#resection .card"),
            ("p", timing_out, "#procedure .check"),
            ("p", planning, "#procedure .source"),
        ):
            change(room)
            await page.keyboard.press(key)
            await expect(page.locator(seen).first).to_be_visible()
            faults[seen] = await page.evaluate(FAULTS, PANELS)
            if key == "p" and "%" not in screen:  # magnified, the page itself scrolls
                await expect(page.locator("#procedure .next")).to_be_in_viewport(ratio=0.99)
            await all_fit_a_glove(page, screen)
            await page.keyboard.press(key)
        await page.keyboard.press("p")
        await page.locator('[data-does="draw injection"]').click()
        for press in ("ArrowRight", "+", "+", "+"):
            await page.keyboard.press(press)
        await expect(page.locator("#drawing-words")).to_contain_text("16")
        faults["drawing"] = await page.evaluate(FAULTS, PANELS)
        await all_fit_a_glove(page, screen)
        await page.keyboard.press("Escape")
        await page.keyboard.press("t")
        for does, seen in (("", ".begin button"), ("begin tool", ".instruction"), ("continue", ".verdict")):
            if does:
                await page.locator(f'#calibration [data-does="{does}"]').click()
            await expect(page.locator(f"#calibration {seen}").first).to_be_visible()
            faults[f"calibration {seen}"] = await page.evaluate(FAULTS, PANELS)
            await all_fit_a_glove(page, screen)
        await page.keyboard.press("t")
        lost_tracker(room)
        lost_probe(room)
        room.change_device("monitor", state="silent", age_s=12.3)
        await expect(page.locator("#rate")).to_have_attribute("data-state", "stale")
        await expect(page.locator("#no-aim")).to_be_visible()
        faults["lost"] = await page.evaluate(FAULTS, PANELS)
        assert not any(faults.values()), {state: each for state, each in faults.items() if each}


NUMBERS = ("#rate", "#aim", "#guidance", "#trust")


@pytest.mark.parametrize("screen", SCREENS)
async def test_no_panel_lies_over_a_number(room: Room, screen: str) -> None:
    """Studies, signing in, procedure, excision, calibration: each opens over the slices, and rate and aim stay.

    What is touched in each is 15 mm at least.
    """
    room.calibrator = ScriptedCalibrator()
    async with manned(room.calibrator), serve(room), look_from(room, screen) as page:
        for opened, panel in (
            ("#studies-button", "#studies"),
            ("#person-button", "#sign-in"),
            ("#procedure-button", "#procedure"),
            ("#resection-button", "#resection"),
            ("t", "#calibration"),
        ):
            await (page.locator(opened).click() if opened.startswith("#") else page.keyboard.press(opened))
            await expect(page.locator(panel)).to_be_visible()
            over = await page.evaluate(OVERLAP, [panel, *NUMBERS])
            assert not over, f"{panel} over {over}"
            await all_fit_a_glove(page, screen)
            await (page.locator(opened).click() if opened.startswith("#") else page.keyboard.press(opened))
            await expect(page.locator(panel)).to_be_hidden()


OVERLAP = """
([panel, ...numbers]) => {
  const [one, ...others] = [panel, ...numbers].map((name) => document.querySelector(name).getBoundingClientRect());
  return numbers.filter((_, n) => {
    const other = others[n];
    const isBeside = one.right <= other.left + 1 || other.right <= one.left + 1;
    return !isBeside && one.top < other.bottom - 1 && other.top < one.bottom - 1;
  });
}
"""


async def test_magnified_words_are_magnified(room: Room) -> None:
    """At 200 % the smallest word and the greatest number are at least as large in pixels of CSS as at 100 %.

    Wherever one scrolls to, SIMULATED stays in sight, and so does that nothing is live.
    """
    sizes = {}
    for screen in ("2 m", "200 %"):
        async with serve(room), look_from(room, screen) as page:
            sizes[screen] = [
                await page.locator(name).evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
                for name in ("#rate-value", "#guidance", "#background-of")
            ]
            for place in ("#slices", "#trust"):
                room.is_silent = False
                await wait_until_live(page)
                await page.locator(place).evaluate("each => each.scrollIntoView()")
                await expect(page.locator("#simulated")).to_be_in_viewport(ratio=1)
                room.is_silent = True
                await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
                await expect(page.locator("#connection")).to_be_in_viewport(ratio=1)
            room.is_silent = False
    for small, large in zip(sizes["2 m"], sizes["200 %"], strict=True):
        assert large >= 0.75 * small


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_what_is_not_live_is_called_so_across_the_page(
    room: Room, screen: str, language: Literal["en", "ru"]
) -> None:
    """SIMULATED, REPLAY, and both side by side: from edge to edge at the top, with nothing over them.

    In each stand the word and what it means, all of them whole; a feed that falls silent leaves them there.
    """
    room.language, room.is_simulated = language, False
    async with serve(room), look_from(room, screen) as page:
        for shown in (("simulated",), ("simulated", "replay"), ("replay",)):
            room.is_simulated, room.is_replayed = "simulated" in shown, "replay" in shown
            for is_silent in (False, True):
                for name in ("simulated", "replay"):
                    await expect(page.locator(f"#{name}")).to_be_visible(visible=name in shown)
                room.is_silent = is_silent
                await expect(page.locator("body")).to_have_attribute("data-feed", "stale" if is_silent else "live")
                banners = await page.evaluate(BANNERS)
                assert [each["name"] for each in banners] == list(shown)
                for top in {0, *(each["top"] for each in banners)}:
                    row = [each["right"] - each["left"] for each in banners if each["top"] == top]
                    assert sum(row) == pytest.approx(SCREENS[screen]["viewport"]["width"])
                for banner in banners:
                    assert (banner["cut"], banner["over"]) == ([], []), (shown, banner)
                    assert len(set(banner["whole"])) == 2, (shown, banner)
            room.is_silent = False


BANNERS = """
() => [...document.querySelectorAll("#banners > :not([hidden])")].map((banner) => {
  const { left, right, top, bottom } = banner.getBoundingClientRect();
  const words = [...banner.children].filter((each) => each.getBoundingClientRect().top < bottom);
  const isWhole = (each) => {
    const box = each.getBoundingClientRect();
    return box.left >= left && box.right <= right && box.top >= top && box.bottom <= bottom;
  };
  const across = Array.from({ length: 19 }, (_, n) => left + ((n + 1) / 20) * (right - left));
  const there = across.map((x) => document.elementFromPoint(x, (top + bottom) / 2));
  return {
    name: banner.id, left, right, top,
    whole: words.filter(isWhole).map((each) => each.textContent),
    cut: words.filter((each) => !isWhole(each)).map((each) => each.textContent),
    over: there.filter((each) => each?.closest("#banners > *") !== banner).map((each) => each?.id ?? ""),
  };
})
"""
"""Each banner: where it lies, which of its words are whole, which are cut off, and what lies over it."""


async def test_the_distance_is_chosen_and_kept(room: Room) -> None:
    """D, or its key: from 1 m the slices are larger and the numbers smaller; the choice outlives a reload."""
    async with serve(room), look_from(room, "2 m") as page:
        slices, number = page.locator("#slices"), page.locator("#rate-value")
        wide: list[float] = []
        narrow: list[float] = []
        for sizes in (narrow, wide):
            for element in (slices, number):
                box = await element.bounding_box()
                assert box is not None
                sizes.append(box["width"] if element is slices else box["height"])
            await page.keyboard.press("d")
        assert wide[0] > 1.2 * narrow[0]
        assert wide[1] < narrow[1]
        await page.get_by_role("button", name="Large pictures, to be read from 1 m").click()
        await page.reload()
        await expect(page.locator("body")).to_have_attribute("data-distance", "1")


async def test_who_wants_less_motion_gets_none(room: Room) -> None:
    """No transition and no animation runs, but the curtain that a frozen page lets fall."""
    async with serve(room), look_from(room, "2 m") as page:
        await page.emulate_media(reduced_motion="reduce")
        moving = "() => document.getAnimations().map((each) => each.effect.target.id)"
        assert set(await page.evaluate(moving)) <= {"frozen"}
        durations = (
            "() => [...document.querySelectorAll('*')].map((each) => getComputedStyle(each).transitionDuration)"
        )
        assert set(await page.evaluate(durations)) == {"0s"}
        moved = """() => {
          const panel = document.querySelector("#rate");
          [panel.style.transition, panel.style.animation] = ["color 2s", "2s infinite spin"];
          const { transitionDuration, animationName } = getComputedStyle(panel);
          return [transitionDuration, animationName];
        }"""
        assert await page.evaluate(moved) == ["0s", "none"], "whatever a style asks for"


def test_nothing_waits_for_a_hover() -> None:
    """A gloved finger does not hover: no style and no act wants it, and nothing is told by a tool tip alone."""
    sources = [PAGE.parent / "index.html", *PAGE.rglob("*.ts"), *PAGE.rglob("*.css")]
    assert len(sources) > 50
    wanted = re.compile(r":hover|mouse(enter|over|move)|pointer(enter|over)|\btitle=")
    found = {each.name: wanted.findall(each.read_text(encoding="utf-8")) for each in sources}
    assert not {name: words for name, words in found.items() if words}


def test_no_dialog_stops_the_page() -> None:
    """A browser's own dialog stops every script until it is answered, and lies over the number: none is opened."""
    sources = [PAGE.parent / "index.html", *PAGE.rglob("*.ts")]
    opened = re.compile(r"\b(?:alert|confirm|prompt|showModal)\(|<dialog\b")
    found = {each.name: opened.findall(each.read_text(encoding="utf-8")) for each in sources}
    assert not {name: words for name, words in found.items() if words}

"""The rate of the last minute, in real Chromium."""

import asyncio
import re

import numpy as np
import pytest
from playwright.async_api import Page, expect

from devices.clock import monotonic
from display.hub import Hub
from tests.display.page.pixels import pixels
from tests.display.page.room import Room, look, make_rate, serve, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]

GREEN = "Math.abs(red - 74) < 12 && Math.abs(green - 222) < 12 && Math.abs(blue - 128) < 12"
"""The rate's line."""


async def test_the_trend_is_filled_and_marked(room: Room) -> None:
    """A display that is opened late shows the minute before it; what anybody marks stands in it, once."""
    room.wall_utc = ""
    async with serve(room):
        async with asyncio.timeout(30):
            while len(room.trend.since(-1)) < 5:  # noqa: ASYNC110 - nothing tells of a point
                await asyncio.sleep(0.05)
        room.journal.add("marked", {"rate_cps": 3.0})
        async with look(room) as page:
            await wait_until_live(page)
            trend = page.locator("#trend")
            await expect(trend).to_have_attribute("data-filled", re.compile(r"^[1-9]"))
            await expect(trend).to_have_attribute("data-marks", "1")
            room.journal.add("marked", {"rate_cps": 4.0})
            await expect(trend).to_have_attribute("data-marks", "2")
            blue = await pixels(page, "#trend canvas", "blue > 200 && green > 150 && green < 210 && red < 150")
            assert len(blue) > 50


async def test_the_trend_is_filled_however_late_the_first_state_comes(room: Room) -> None:
    """What the service kept is shown once the page knows by a state how long ago it was."""
    for room.made_ago_s in (9.0, 6.0, 3.0):
        room.publish()
    room.made_ago_s, room.is_silent, room.hub = 0.0, True, Hub()
    async with serve(room), look(room) as page:
        await expect(page.locator("#place")).not_to_be_empty()
        await page.wait_for_load_state("networkidle")
        room.is_silent = False
        await expect(page.locator("#trend")).to_have_attribute("data-filled", re.compile(r"^([3-9]|\d{2,})$"))


AT_S = (-90.0, -70.0, -45.0, -44.5, -15.0, -14.5, -0.5)
CPS = (5000.0, 100.0, 100.0, 1000.0, 1000.0, 100.0, 100.0)
"""The rate jumps a minute and a half ago, and 45 and 15 s ago."""


async def test_the_trend_spans_a_minute(room: Room) -> None:
    """A minute ago is its left end, now its right one; jumps stand at their times, what is older nowhere."""
    room.is_silent = True
    async with serve(room), look(room) as page:
        await expect(page.locator("#place")).not_to_be_empty()  # a busy host may start a browser for half a minute
        begun_s = monotonic()
        for at_s, rate_cps in zip(AT_S, CPS, strict=True):
            room.made_ago_s, room.now["rate"] = -at_s, make_rate(rate_cps)
            room.publish()
        room.made_ago_s = 0.0
        await page.reload()
        await expect(page.locator("#trend")).to_have_attribute("data-filled", f"{len(AT_S)}")
        room.publish()
        await page.wait_for_function("() => window.__words['']?.['1000']")
        words = (await page.evaluate("window.__words"))[""]
        assert "5000" not in words, "what is older stretches the scale"
        first, last = words["\u221260 s"][0], words["now"][0]
        assert last - first > 0.7, "a minute is all of it"
        before_s = monotonic() - begun_s
        green = await pixels(page, "#trend canvas", GREEN)
        after_s = monotonic() - begun_s
        top = green[green[:, 1] < green[:, 1].min() + 0.02, 0]
        jumps_s = (np.array([top.min(), top.max()]) - last) / (last - first) * 60.0
        for jumped_s, shown_s in zip((-44.5, -15.0), jumps_s, strict=True):
            assert jumped_s - after_s - 1.0 < shown_s < jumped_s - before_s + 1.0


GAP_PX = 20.0


async def until_gaps(page: Page, count: int, *, top: float = 0.03) -> None:
    """Wait until the uppermost of the line has so many gaps."""
    async with asyncio.timeout(30):
        while await gaps(page, top) != count:
            await page.wait_for_timeout(100)


async def gaps(page: Page, top: float) -> int:
    """Count the gaps in the uppermost share of the plot that has any of the line."""
    box = await page.locator("#trend canvas").bounding_box()
    assert box is not None
    green = await pixels(page, "#trend canvas", GREEN)
    across_px = np.unique(green[green[:, 1] < green[:, 1].min(initial=1.0) + top, 0] * box["width"])
    return int(np.count_nonzero(np.diff(across_px) > GAP_PX))


async def test_no_rate_is_a_gap_in_the_trend(room: Room) -> None:
    """Neither a lost probe nor a silent feed is bridged by a line: nobody counted there."""
    room.stale_after_s = 3.0  # a busy host may hold up a state for less: no gap
    for at_s in (-14.0, -13.0, -10.0, -7.0, -6.0):
        room.change_device("probe", state="lost" if at_s == -10.0 else "live")
        room.made_ago_s = -at_s
        room.publish()
    room.made_ago_s = 0.0
    room.change_device("probe", state="live")
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await expect(page.locator("#trend")).to_have_attribute("data-filled", re.compile(r"^[5-9]|\d\d"))
        await until_gaps(page, 1)
        room.is_silent = True
        await expect(page.locator("#connection")).to_contain_text(re.compile(r"for ([4-9]|\d\d) s"))
        room.is_silent = False
        await wait_until_live(page)
        await until_gaps(page, 2)

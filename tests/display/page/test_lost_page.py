"""A silent feed, a probe or a tracker that is lost: none looks live, in real Chromium."""

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from display.messages.device import ToolState
from tests.display.page.pixels import WHITE, pixels
from tests.display.page.room import Room, fail_and_see, look, make_rate, serve, state_of, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


async def test_a_silent_feed_greys_the_page_within_a_second(room: Room, page: Page) -> None:
    """States stop while the socket and its heartbeat live on: crossed out, tone stopped, and back by itself."""
    await fail_and_see(
        page,
        ["body stale", "tone stale"],
        fail=lambda: setattr(room, "is_silent", True),
        mend=lambda: setattr(room, "is_silent", False),
    )
    await state_of(page, "#rate", "stale")
    await state_of(page, "#tone", "stale")
    await state_of(page, "#guidance", "stale")
    await state_of(page, "#bullseye", "stale")
    await state_of(page, "#distance", "none")
    await expect(page.locator("#rate-value")).to_have_css("text-decoration-line", "line-through")
    await expect(page.get_by_role("status").filter(has_text="NO LIVE DATA")).to_be_visible()
    await expect(page.locator("#simulated")).to_be_visible()
    await expect(page.locator("#connection")).to_contain_text(
        re.compile(r"for ([2-9]|\d\d) s")
    )  # the age goes on counting
    assert len(await pixels(page, "#bullseye", WHITE)) == 0
    room.is_silent = False
    await wait_until_live(page)
    await state_of(page, "#tone", "playing")


async def test_a_state_that_was_long_under_way_is_not_live(room: Room, page: Page) -> None:
    """States that arrive often but were made long ago, behind a stalled network, are not live."""
    await expect(page.get_by_label("This picture: LIVE")).to_be_visible()
    room.made_ago_s = 5.0
    await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
    await expect(page.locator("#trust [data-key=picture]")).to_have_attribute("data-state", "lost")
    await expect(page.locator("#connection")).to_contain_text(re.compile(r"NO LIVE DATA for [56] s"))


@pytest.mark.parametrize("way", ["silent", "unnoticed"])
async def test_a_silent_probe_is_no_probe(room: Room, page: Page, way: str) -> None:
    """Whether the service says so or the age tells it: no rate, no tone, within 1 s; the rest goes on."""

    def fall_silent() -> None:
        if way == "silent":
            room.change_device("probe", state="silent", detail="no bytes for 0.6 s: check the cable")
            room.now["rate"] = None
        else:
            room.change_device("probe", age_s=0.6)
            room.now["rate"] = make_rate(age_s=0.6)

    def come_back() -> None:
        room.change_device("probe", state="live", detail="", age_s=0.05)
        room.now["rate"] = make_rate()

    marks = ["tone stale", "rate none" if way == "silent" else "rate stale"]
    await fail_and_see(page, marks, fail=fall_silent, mend=come_back)
    await expect(page.locator("#rate-note")).to_contain_text("NO PROBE")
    await expect(page.get_by_role("listitem", name="Gamma probe: SILENT")).to_be_visible()
    await state_of(page, "#bullseye", "located")


@pytest.mark.usefixtures("calm")
async def test_a_lost_tracker_leaves_no_direction(room: Room, page: Page) -> None:
    """Without a live pose: no dot, no distance, no probe in the slices, but a rate."""
    await state_of(page, "#bullseye", "located")
    assert len(await pixels(page, "#bullseye", WHITE)) > 0
    room.change_device("tracker", state="lost", detail="connection refused: start the tracker")
    await state_of(page, "#bullseye", "no-pose")
    await expect(page.locator("#no-aim")).to_have_text("connection refused: start the tracker")
    await state_of(page, "#distance", "none")
    await state_of(page, "#axial", "target")
    await state_of(page, "#guidance", "stale")
    await state_of(page, "#rate", "ok")
    assert len(await pixels(page, "#bullseye", WHITE)) == 0


async def test_why_the_tracker_does_not_see_the_probe_is_told(room: Room, page: Page) -> None:
    """In place of the direction and in the list of inputs, from the tracker's own words; gone when it is seen."""
    outside = "outside the volume: move the camera, or the tool into its volume"
    pose, strip = room.now["pose"], page.locator("[data-key='device tracker'] .detail")
    room.now["pose"] = None
    room.change_device("tracker", tools=(ToolState(name="Probe", is_seen=False, said=outside),))
    await state_of(page, "#bullseye", "no-pose")
    await expect(page.locator("#no-aim")).to_have_text(f"Probe: {outside}")
    await expect(strip).to_have_text(f"Probe: {outside}")
    partly = ToolState(name="Probe", is_seen=True, said="partly outside the volume: move the camera")
    room.change_device("tracker", tools=(partly,))
    room.now["pose"] = pose
    await expect(page.locator("#no-aim")).to_be_hidden()
    await expect(strip).to_have_text("Probe: partly outside the volume: move the camera; error 0.2 mm")
    room.change_device("tracker", tools=())
    await expect(strip).not_to_contain_text("outside")


class Wire:
    """Carries what a page's sockets say; once it is cut, nothing more of the first, which nobody closes."""

    def __init__(self) -> None:
        self.lines: list[WebSocketRoute] = []
        self.carried: list[dict[str, Any]] = []
        self.is_cut = False

    def pass_on(self, line: WebSocketRoute) -> None:
        """Join a socket to the service."""
        server, is_first = line.connect_to_server(), not self.lines
        self.lines.append(line)

        def carry(said: str | bytes) -> None:
            if not (is_first and self.is_cut):
                self.carried.append(json.loads(said))
                line.send(said)

        server.on_message(carry)


async def test_a_line_that_died_without_a_word_is_taken_up_again(room: Room) -> None:
    """Nothing comes and nobody closes it, as where a cable is pulled: seen at once, and connected anew."""
    wire = Wire()
    async with serve(room), look(room) as page:
        await page.route_web_socket("**/v1/feed", wire.pass_on)
        await page.reload()
        await wait_until_live(page)
        wire.is_cut = True
        await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
        await state_of(page, "#rate", "stale")
        await wait_until_live(page)
        assert len(wire.lines) > 1


@pytest.mark.parametrize("way", ["dies", "closes"])
async def test_no_mark_is_lost_with_the_line_of_events(room: Room, way: str) -> None:
    """However the line ends, it is taken up again where it was: each mark stands in the trend, and once."""
    room.wall_utc = ""
    wire = Wire()
    async with serve(room), look(room) as page:
        await page.route_web_socket("**/v1/events", wire.pass_on)
        await page.reload()
        await wait_until_live(page)
        trend = page.locator("#trend")
        room.journal.add("marked", {"rate_cps": 3.0})
        await expect(trend).to_have_attribute("data-marks", "1")
        wire.is_cut = True
        if way == "closes":
            await wire.lines[0].close(code=1011, reason="as a service that is killed")
        room.journal.add("marked", {"rate_cps": 4.0})
        await expect(trend).to_have_attribute("data-marks", "2")
        assert len(wire.lines) == 2
        marks_cps = [each["told"]["rate_cps"] for each in wire.carried if each.get("kind") == "marked"]
        assert marks_cps == [3.0, 4.0]

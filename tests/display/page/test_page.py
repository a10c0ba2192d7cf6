"""The page in real Chromium, on the real server."""

import contextlib
import os
import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page, expect

from display.device_messages import ToolState
from display.guidance_states import show_nothing
from display.hub import Hub
from display.messages import RateState
from display.shelf import shelve
from display.study_messages import FramesApart, FramesRequest, StudyChoice
from navigation.volume import Volume
from tests.display.page.pictures import SIZES
from tests.display.page.room import (
    Room,
    fail_and_see,
    look,
    make_entry,
    make_rate,
    make_study,
    make_volume,
    serve,
    state_of,
    wait_until_live,
)

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]

COLOURED = """
(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = [];
  for (let n = 0; n < data.length; n += 4) {
    const [red, green, blue] = [data[n], data[n + 1], data[n + 2]];
    if (IS_WANTED) found.push([(n / 4) % width / width, Math.floor(n / 4 / width) / height]);
  }
  return found;
}
"""
"""Where on a canvas, in shares of its sides, the pixels of a colour lie."""

HOT = "red > 150 && green < 0.8 * red && blue < 0.8 * red"

MIDDLE_OF_HOT = f"""
(canvas) => {{
  const hot = ({COLOURED.replace("IS_WANTED", HOT)})(document.querySelector(canvas));
  const [x, y] = [0, 1].map((n) => hot.reduce((sum, place) => sum + place[n], 0) / hot.length);
  return hot.length > 50 && PLACE;
}}
"""
"""Whether the middle of the hot pixels of a canvas lies in a place."""

WHITE = "red > 250 && green > 250 && blue > 250"


async def pixels(page: Page, canvas: str, colour: str) -> Any:
    """Positions (n, 2) of a colour's pixels on a canvas, in shares of its sides."""
    found = await page.locator(canvas).evaluate(COLOURED.replace("IS_WANTED", colour))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


async def test_rate_distance_and_patient_are_shown(room: Room, page: Page) -> None:
    """All is well: rate with its error, distance, guidance, patient, inputs, and SIMULATED across the top."""
    await expect(page.get_by_label("1240 plus or minus 40 counts per second")).to_be_visible()
    await expect(page.locator("#integration")).to_have_text("1.0 s")
    distance_mm = round(room.now["targets"][0].distance_mm)
    await expect(page.get_by_label(f"{distance_mm} plus or minus 4 mm")).to_be_visible()
    await expect(page.locator("#guidance")).to_have_text(room.now["guidance"].sentence)
    await expect(page.locator("#probability")).to_contain_text("97 %")
    await expect(page.locator("#patient-name")).to_have_text("Lindqvist, Anna")
    await expect(page.locator("#patient-id")).to_have_text("ID PT-0417")
    await expect(page.get_by_role("listitem", name="Gamma probe: LIVE")).to_be_visible()
    await expect(page.get_by_role("listitem", name="Tracker: LIVE")).to_be_visible()
    banner = await page.locator("#simulated").bounding_box()
    assert banner is not None
    assert (banner["width"], banner["y"]) == (1920, 0)
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    if asked := os.environ.get("RADIONAV_SCREENSHOT"):
        await state_of(page, "#axial", "tip")
        await expect(page.locator("#slices-note")).to_be_empty()
        await page.screenshot(path=Path(asked))


async def test_a_real_room_is_not_called_simulated(room: Room) -> None:
    """Without a simulated device there is no banner."""
    room.is_simulated = False
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await expect(page.locator("#simulated")).to_be_hidden()


async def test_a_replay_is_called_one(room: Room, page: Page) -> None:
    """REPLAY stands across the page in a colour of its own, beside SIMULATED, also while the feed is silent."""
    replay, simulated = page.locator("#replay"), page.locator("#simulated")
    await expect(replay).to_be_hidden()
    room.is_replayed = True
    await expect(page.get_by_role("note", name="Replay of a recording, not of now")).to_be_visible()
    boxes = [await each.bounding_box() for each in (simulated, replay)]
    assert [box and (box["x"], box["width"], box["y"]) for box in boxes] == [(0, 960, 0), (960, 960, 0)]
    colours = [await each.evaluate("each => getComputedStyle(each).color") for each in (simulated, replay)]
    assert colours[0] != colours[1]
    room.is_silent = True
    await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
    await expect(replay).to_be_visible()


async def test_an_estimate_without_new_counts_is_not_live(room: Room, page: Page) -> None:
    """Beyond 2 s it turns amber and says for how long, by the page's own clock too; with new counts it is back."""
    await expect(page.get_by_role("listitem", name="Estimate: LIVE 0.")).to_be_visible()
    estimate = page.get_by_role("listitem", name="Estimate")
    await expect(estimate).to_have_attribute("data-state", "live")
    posterior = room.now["posterior"]
    room.now["posterior"] = msgspec.structs.replace(posterior, age_s=12.0)
    await expect(estimate).to_have_attribute("data-state", "silent")
    await expect(estimate).to_contain_text(re.compile(r"no new counts for 1\d s"))
    amber = await page.evaluate("getComputedStyle(document.body).getPropertyValue('--warning').trim()")
    assert await estimate.evaluate("item => getComputedStyle(item).getPropertyValue('--state').trim()") == amber
    words = estimate.locator(".detail")
    assert await words.evaluate("item => item.scrollWidth <= item.clientWidth"), "the words are cut off"
    over_the_target = page.locator("#probability")
    await expect(over_the_target).to_have_text(re.compile(r"^no new counts for 1\d s$"))
    await expect(over_the_target).to_have_css("color", "rgb(255, 180, 84)")
    room.now["posterior"] = posterior
    await expect(estimate).to_have_attribute("data-state", "live")
    await expect(over_the_target).to_contain_text("97 %")
    room.is_silent = True
    await expect(estimate).to_contain_text(re.compile(r"no new counts for [3-9]\.\d s"))
    await expect(estimate).to_have_attribute("data-state", "silent")


async def test_no_estimate_says_why(room: Room, page: Page) -> None:
    """Before the first counts, and without a study, there is none: in words, never as an age."""
    estimate = page.get_by_role("listitem", name="Estimate")
    room.now["posterior"] = None
    await expect(estimate).to_have_attribute("data-state", "connecting")
    await expect(estimate).to_contain_text("NONE YET")
    await expect(estimate).to_contain_text("no counts used yet")
    room.now["study"] = None
    await expect(estimate).to_contain_text("no study in use")
    assert not re.search(r"\d", await estimate.inner_text())


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
    crossed = "element => getComputedStyle(element).textDecorationLine"
    assert await page.locator("#rate-value").evaluate(crossed) == "line-through"
    await expect(page.get_by_role("status").filter(has_text="NO LIVE DATA")).to_be_visible()
    await expect(page.locator("#simulated")).to_be_visible()
    await expect(page.locator("#connection")).to_contain_text(
        re.compile(r"for [2-9] s")
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


async def test_an_input_may_have_its_own_limit(room: Room, page: Page) -> None:
    """A probe that sends once a second is not called silent in between."""
    room.change_device("probe", age_s=1.2, stale_after_s=2.5)
    room.now["rate"] = make_rate(777.0, age_s=1.2)
    await expect(page.locator("#rate-value")).to_have_text("780")
    await state_of(page, "#rate", "ok")


async def test_a_lost_tracker_leaves_no_direction(room: Room, page: Page) -> None:
    """Without a live pose: no dot, no distance, no probe in the slices, but a rate."""
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
    await expect(strip).to_have_text("Probe: partly outside the volume: move the camera")
    room.change_device("tracker", tools=())
    await expect(strip).not_to_contain_text("outside")


async def test_an_unlocated_target_is_not_drawn(room: Room, page: Page) -> None:
    """Not localisable: no dot even where the feed carries a position, and the reason in words."""
    room.change_target(localisable=False, reason="the counts do not yet tell the depth")
    await state_of(page, "#bullseye", "unlocated")
    await expect(page.locator("#no-aim")).to_have_text("Not located yet: the counts do not yet tell the depth")
    await state_of(page, "#distance", "none")
    assert len(await pixels(page, "#bullseye", WHITE)) == 0


async def test_the_dot_lies_where_the_target_is(room: Room, page: Page) -> None:
    """A target to the probe's right and up is drawn to the right of the middle and above it, at its angle."""
    for right_mm, up_mm in [(12.0, 12.0), (-12.0, 6.0), (3.0, -14.0)]:
        room.now["targets"] = room.now["targets"][:1]
        room.change_target(tip_right_mm=right_mm, tip_up_mm=up_mm, region_axes=None, region_semi_axes_mm=None)
        shown = f"{abs(right_mm):.0f} mm {'left' if right_mm < 0 else 'right'}, {abs(up_mm):.0f} mm"
        await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile(shown))
        box = await page.locator("#bullseye").bounding_box()
        assert box is not None
        words = (await page.evaluate("window.__words"))["bullseye"]
        white = await pixels(page, "#bullseye", WHITE)
        dot = white[white[:, 0] < 0.8].mean(axis=0)  # right of it is the depth bar's mark
        right, down = (dot - [words["UP"][0], 0.5]) * [box["width"], box["height"]]
        np.testing.assert_allclose(np.arctan2(-down, right), np.arctan2(up_mm, right_mm), atol=0.03)


def hot_spot(position_mm: tuple[float, float, float]) -> Volume:
    """Activity in one place."""
    empty = make_volume((60, 60, 80), (4.0, 4.0, 4.0), is_activity=True)
    away = empty.geometry.positions_mm(np.moveaxis(np.indices(empty.geometry.shape), 0, -1)) - np.array(
        position_mm
    )
    values = 1000.0 * np.exp(-0.5 * (np.linalg.norm(away, axis=-1) / 8.0) ** 2)
    return Volume(geometry=empty.geometry, values=values.astype(np.float32), quantity="counts", unit="1")


async def test_patient_left_is_on_the_right(room: Room, page: Page) -> None:
    """Radiological convention, by pixels: a spot in the patient's left (LPS +x) is on the right, and so on."""
    for position_mm, places in (
        ((35.0, 0.0, 0.0), {"#axial": "x > 0.55", "#coronal": "x > 0.55"}),
        ((-35.0, 0.0, 0.0), {"#axial": "x < 0.45", "#coronal": "x < 0.45"}),
        ((0.0, 35.0, 0.0), {"#axial": "y > 0.55", "#sagittal": "x > 0.55"}),
        ((0.0, 0.0, 35.0), {"#coronal": "y < 0.45", "#sagittal": "y < 0.45"}),
    ):
        spot = shelve(hot_spot(position_mm))
        room.shelf.replace(spot)
        room.now |= {"targets": (), "pose": None}
        room.now["study"] = msgspec.structs.replace(make_study(), anatomy=None, activity=spot.state, surfaces=())
        for canvas, place in places.items():
            await page.wait_for_function(MIDDLE_OF_HOT.replace("PLACE", place), arg=canvas)


async def test_the_sides_of_the_patient_are_named(page: Page) -> None:
    """Every slice carries the letters of the sides that it shows, at those sides."""
    await state_of(page, "#sagittal", "tip")
    written = await page.evaluate("window.__words")
    for canvas, across, down in (("axial", "RL", "AP"), ("coronal", "RL", "HF"), ("sagittal", "AP", "HF")):
        words = written[canvas]
        assert words[across[0]][0] < 0.1
        assert words[across[1]][0] > 0.9
        assert words[down[0]][1] < 0.2
        assert words[down[1]][1] > 0.8


async def test_the_tone_follows_the_rate_and_the_mute_key(room: Room, page: Page) -> None:
    """It plays above its range's lower end, is quiet below, and M mutes it; the range is on the screen."""
    await state_of(page, "#tone", "playing")
    await expect(page.locator("#tone-range")).to_contain_text("36 \u2013 36\u2009000 /s")
    await page.keyboard.press("m")
    await state_of(page, "#tone", "muted")
    await page.keyboard.press("m")
    await state_of(page, "#tone", "playing")
    room.now["rate"] = make_rate(20.0)
    await state_of(page, "#tone", "quiet")


SOUNDED = """
window.__sounded = {};
const { setTargetAtTime } = AudioParam.prototype;
AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
  window.__sounded[this.maxValue < 1e6 ? "pitch_hz" : "loudness"] = value;
  return setTargetAtTime.call(this, value, ...rest);
};
"""
"""Notes what the page lets sound: a pitch reaches half the sampling rate, a loudness anything."""


async def test_equal_ratios_of_rates_are_equal_intervals(room: Room) -> None:
    """Three and a half octaves over a thousand times the squelch, which is twice the background; silent below it.

    A rate beyond correction has the highest pitch, one that is not live none.
    """

    async def pitch_hz(rate: RateState, state: str = "playing") -> float:
        room.now["rate"] = rate
        number = "> 48\u2009000" if rate.rate_cps is None else f"{rate.rate_cps:.0f}"
        await expect(page.locator("#rate-value")).to_have_text(number)
        await state_of(page, "#tone", state)
        is_heard = state == "playing"
        await page.wait_for_function("is => (window.__sounded.loudness > 0) === is", arg=is_heard)
        return float(await page.evaluate("window.__sounded.pitch_hz"))

    async with serve(room), look(room) as page:
        await page.add_init_script(SOUNDED)
        await page.reload()
        await state_of(page, "#tone", "playing")
        tenfold = [await pitch_hz(make_rate(rate_cps)) for rate_cps in (40.0, 400.0, 4000.0)]
        np.testing.assert_allclose(np.divide(tenfold[1:], tenfold[:-1]), 2 ** (3.5 / 3), rtol=1e-9)
        twice = msgspec.structs.replace(make_rate(80.0), background_cps=36.0)
        assert await pitch_hz(twice) == pytest.approx(tenfold[0])
        beyond = msgspec.structs.replace(make_rate(48000.0), rate_cps=None, high_cps=None, low_cps=48000.0)
        highest_hz = await pitch_hz(msgspec.structs.replace(beyond, status="overload"))
        assert highest_hz > await pitch_hz(make_rate(4000.0)) > await pitch_hz(make_rate(400.0))
        await pitch_hz(make_rate(20.0), "quiet")
        await pitch_hz(make_rate(400.0))
        room.change_device("probe", state="lost")
        await state_of(page, "#tone", "stale")
        await page.wait_for_function("() => window.__sounded.loudness === 0")


async def test_sound_that_waits_for_a_touch_says_so(room: Room) -> None:
    """Where the browser lets no sound start by itself, SOUND OFF stands there until a touch starts it."""
    async with serve(room), look(room, is_kiosk=False) as page:
        await wait_until_live(page)
        await state_of(page, "#tone", "off")
        await expect(page.locator("#tone")).to_contain_text("SOUND OFF")
        await page.locator("#tone").click()
        await state_of(page, "#tone", "playing")


async def test_a_sound_card_that_stands_still_is_noticed(room: Room, page: Page) -> None:
    """An audio clock that no longer advances is a dead sound, whatever its state says; a touch starts another."""
    await state_of(page, "#tone", "playing")
    await page.evaluate("Object.defineProperty(BaseAudioContext.prototype, 'currentTime', { get: () => 7 })")
    await state_of(page, "#tone", "dead")
    await expect(page.locator("#tone")).to_contain_text("SOUND LOST")


KEEP_CONTEXT = """
const clock = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, "currentTime");
Object.defineProperty(BaseAudioContext.prototype, "currentTime", {
  get() {
    window.__context = this;
    return clock.get.call(this);
  },
});
"""


async def test_a_sound_that_was_taken_away_is_started_anew(room: Room, page: Page) -> None:
    """Suspended or closed from outside it says SOUND OFF; a touch starts it, another one where it must."""
    await page.evaluate(KEEP_CONTEXT)
    for taken in ("suspend", "close"):
        await state_of(page, "#tone", "playing")
        await page.wait_for_function("() => window.__context?.state === 'running'")
        await page.evaluate(f"window.__context.{taken}()")
        await state_of(page, "#tone", "off")
        await expect(page.locator("#tone")).to_contain_text("SOUND OFF")
        await page.locator("#tone").click()
    await state_of(page, "#tone", "playing")


async def test_hold_keeps_the_number_for_five_seconds(room: Room, page: Page) -> None:
    """H holds the rate, in its own colour and said to be held; the tone goes on; then it is live again."""
    await page.keyboard.press("h")
    await state_of(page, "#rate", "held")
    room.now["rate"] = make_rate(310.0)
    await expect(page.locator("#rate-note")).to_contain_text(re.compile("HELD \u2013 [1-5] s"))
    await expect(page.locator("#rate-value")).to_have_text("1240")
    await state_of(page, "#rate", "ok")
    await expect(page.locator("#rate-value")).to_have_text("310")


KEEP_HOLDING = "setInterval(() => document.dispatchEvent(new KeyboardEvent('keydown', { key: 'h' })), 50)"


@pytest.mark.parametrize("status", ["overload", "saturated"])
async def test_no_overload_hides_behind_a_hold(
    status: Literal["overload", "saturated"], room: Room, page: Page
) -> None:
    """It ends the hold, which does not begin again meanwhile however often H is pressed."""
    await page.evaluate(KEEP_HOLDING)
    await state_of(page, "#rate", "held")
    room.now["rate"] = msgspec.structs.replace(make_rate(48000.0), rate_cps=None, high_cps=None, status=status)
    await state_of(page, "#rate", status)
    await expect(page.locator("#rate-note")).to_contain_text(status.upper())
    await expect(page.locator("#hold")).to_have_attribute("aria-pressed", "false")
    room.now["rate"] = make_rate(310.0)
    await state_of(page, "#rate", "held")


STOP_THE_CLOCK = "const now_ms = performance.now(); performance.now = () => now_ms"


async def test_no_lost_probe_hides_behind_a_hold(room: Room, page: Page) -> None:
    """It ends the hold before its 5 s are over: the page's clock stands still, so that they never are.

    What is crossed out then is what was counted last, not what was held; H holds nothing meanwhile.
    """
    await page.evaluate(STOP_THE_CLOCK)
    rate = page.locator("#rate")
    while await rate.get_attribute("data-state") != "held":  # a busy host may have no live rate to hold just then
        await page.keyboard.press("h")
        await page.wait_for_timeout(200)
    room.now["rate"] = make_rate(310.0)
    await expect(page.locator("#ratio")).to_have_text(re.compile(r"^\S 17 "))
    await expect(page.locator("#rate-value")).to_have_text("1240")
    room.change_device("probe", state="lost", detail="the port is gone: plug it in")
    await state_of(page, "#rate", "stale")
    for _ in range(2):
        await expect(page.locator("#rate-note")).to_contain_text("NO PROBE")
        await expect(page.locator("#rate-value")).to_have_text("310")
        await expect(page.locator("#rate-number")).to_have_attribute("aria-label", re.compile("no live rate"))
        await expect(page.locator("#hold")).to_have_attribute("aria-pressed", "false")
        await page.keyboard.press("h")
    room.change_device("probe", state="live", detail="")
    await state_of(page, "#rate", "ok")


async def test_a_rate_beyond_correction_is_a_lower_bound(room: Room, page: Page) -> None:
    """Paralysed by dead time, the probe's rate is unknown: more than its lower end, never a number."""
    room.now["rate"] = msgspec.structs.replace(
        make_rate(), rate_cps=None, high_cps=None, low_cps=48000.0, status="saturated", dead_fraction=0.8
    )
    await state_of(page, "#rate", "saturated")
    await expect(page.locator("#rate-value")).to_have_text("> 48\u2009000")
    await state_of(page, "[data-key='device probe']", "doubtful")


async def test_what_was_received_is_not_known_before_the_service_says_it(room: Room) -> None:
    """Not known is not none: somebody might send a study again that is here."""
    room.is_silent, room.entries = True, ()
    async with serve(room), look(room) as page:
        await expect(page.locator("#studies-button")).to_have_text("Studies (?)")
        await page.locator("#studies-button").click()
        await expect(page.locator("#studies")).to_contain_text("The service has not said yet what was received")
        await expect(page.locator("#studies")).not_to_contain_text("No study was received yet")
        room.is_silent = False
        await expect(page.locator("#studies")).to_contain_text("No study was received yet")
        await expect(page.locator("#studies-button")).to_have_text("Studies (0)")


async def test_a_study_is_used_once_both_identifiers_are_confirmed(room: Room, page: Page) -> None:
    """The list says what was made of each series; the choice goes out only after name and ID are touched."""
    other = make_entry("1.2.840.2", patient_id="PT-1188", patient_name="Berg^Ola", in_use=False)
    room.entries = (other, *room.entries, make_entry("1.2.840.3", usable=False, in_use=False, conflicts=2))
    room.now["studies_revision"] = 2
    await expect(page.locator("#studies-button")).to_have_text("Studies (3)")
    await page.locator("#studies-button").click()
    await expect(page.locator("#studies article")).to_have_count(3)
    await expect(page.get_by_role("button", name="Use this study")).to_have_count(1)
    await expect(page.locator("#studies")).to_contain_text("refused: no Image Position (Patient) (0020,0032)")
    await expect(page.locator("#studies .conflict")).to_have_text(
        "2 objects came again with other content; all are kept, the sender's rule says which is used"
    )
    await page.get_by_role("button", name="Use this study").click()
    use = page.get_by_role("button", name="Both match: use this study")
    await expect(use).to_be_disabled()
    await page.get_by_role("checkbox", name="Berg, Ola").click()
    await expect(use).to_be_disabled()
    await page.get_by_role("checkbox", name="PT-1188").click()
    await expect(page.locator("#rate-value")).to_be_in_viewport()
    room.refusal = "the node is still receiving this study"
    await use.click()
    await expect(page.get_by_role("alert")).to_contain_text("still receiving")
    room.refusal = None
    await use.click()
    await expect(page.locator("#studies")).to_be_hidden()
    chosen = StudyChoice(study_uid="1.2.840.2", patient_id="PT-1188", patient_name="Berg^Ola", revision=2)
    assert room.choices == [chosen, chosen]


async def test_a_study_that_changes_while_it_is_confirmed_is_asked_anew(room: Room, page: Page) -> None:
    """Identifiers that change under the finger are not those that were confirmed."""
    room.entries = (make_entry("1.2.840.2", patient_name="Berg^Ola", in_use=False),)
    room.now["studies_revision"] = 2
    await page.locator("#studies-button").click()
    await page.get_by_role("button", name="Use this study").click()
    await page.get_by_role("checkbox", name="Berg, Ola").click()
    room.entries = (make_entry("1.2.840.2", patient_name="Dahl^Eva", in_use=False),)
    room.now["studies_revision"] = 3
    await expect(page.get_by_role("checkbox")).to_have_count(0)
    await expect(page.locator("#studies")).to_contain_text("Dahl, Eva")


async def test_a_person_answers_for_two_frames_of_reference(room: Room, page: Page) -> None:
    """The list says what joins CT and activity, and asks twice before it sends that two frames are one space."""
    apart = FramesApart(one_uid="1.2.3", other_uid="1.2.4")
    by = "confirmed by Dr. Sokolova on 2026-11-22 at 09:05 UTC as the same space"
    room.entries = (
        make_entry("1.2.840.2", in_use=False, apart=(apart,)),
        make_entry("1.2.840.3", in_use=False, joined_by=by),
    )
    room.now["studies_revision"] = 2
    await page.locator("#studies-button").click()
    await expect(page.locator("#studies .joined")).to_have_text(f"CT and activity: {by}")
    answer = page.locator("#studies .apart button")
    await expect(answer).to_have_text("They are one space")
    await answer.click()
    await expect(answer).to_contain_text("I answer for it")
    assert room.frames == []
    room.refusal = "this study is the map at the step skin scan: go back to plan first"
    await answer.click()
    await expect(page.get_by_role("alert")).to_contain_text("go back to plan first")
    assert room.frames == [FramesRequest(study_uid="1.2.840.2", one_uid="1.2.3", other_uid="1.2.4", is_same=True)]


async def test_a_restarted_service_starts_from_nothing(room: Room) -> None:
    """A dead service shows at once; the next one's session drops all that the last one showed."""
    async with contextlib.AsyncExitStack() as looking:
        async with serve(room):
            page = await looking.enter_async_context(look(room))
            await wait_until_live(page)
        await expect(page.locator("body")).to_have_attribute("data-feed", "stale")
        room.session_id = "second"
        room.is_silent = True  # it has no state of its own yet
        room.hub = Hub()
        async with serve(room):
            await expect(page.locator("body")).to_have_attribute("data-feed", "connecting")
            await state_of(page, "#rate", "none")
            await expect(page.locator("#rate-value")).to_have_text("\u2013")
            await expect(page.locator("#patient-name")).to_have_text("No study in use")
            room.is_silent = False
            await wait_until_live(page)


async def test_a_page_of_another_version_asks_to_be_reloaded(room: Room) -> None:
    """A feed that this page would misread is not shown; what to do is said whole, on a small screen too."""
    room.version = "1.0"
    async with serve(room), look(room) as page:
        said = page.locator("#connection")
        await expect(said).to_contain_text("Reload the page")
        await state_of(page, "#rate", "none")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            cut_px = await said.evaluate(
                "words => [words.scrollWidth - words.clientWidth, words.scrollHeight - words.clientHeight]"
            )
            assert max(cut_px) <= 0, f"cut off at {width} x {height}"


async def test_words_of_the_feed_are_text_not_markup(room: Room, page: Page) -> None:
    """A name from the wire cannot become part of the page."""
    room.now["guidance"] = show_nothing("<img src=x onerror=alert(1)>")
    await expect(page.locator("#guidance")).to_have_text("<img src=x onerror=alert(1)>")
    assert await page.locator("#guidance img").count() == 0

"""What the surgeon looks at most: peak, ratio, sounds, shine-through, marks, trust, and a page that froze."""

import asyncio
import base64
import io
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from matplotlib import image
from playwright.async_api import Page, expect

from devices.clock import monotonic
from display.access.admission import AccessFiles, Admission
from display.access.people import Role, change_person
from display.device_messages import ConditionState
from display.hub import Hub
from display.messages import ShineState
from tests.display.access.test_admission import watching
from tests.display.page.room import (
    Room,
    look,
    make_device,
    make_entry,
    make_rate,
    serve,
    state_of,
    wait_until_live,
)
from tests.display.page.test_page import pixels

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


def another_patient(room: Room) -> None:
    room.now["study"] = msgspec.structs.replace(room.now["study"], patient_id="PT-1188")


def another_probe(room: Room) -> None:
    room.now["devices"] = (*room.now["devices"], make_device("second", kind="probe"))
    room.now["rate"] = msgspec.structs.replace(room.now["rate"], device="second")


def another_run(room: Room) -> None:
    room.session_id = "second"


async def test_peak_and_ratio_stand_beside_the_rate(room: Room, page: Page) -> None:
    """The peak stays until it is begun anew; the ratio has its interval, and a background of one's own choice."""
    await expect(page.locator("#ratio")).to_have_text(re.compile(r"^\S 69 \(65\S73\)$"))
    room.now["rate"] = make_rate(150.0)
    await expect(page.locator("#rate-value")).to_have_text("150")
    await expect(page.locator("#peak")).to_have_text("1240 /s")
    await page.keyboard.press("j")
    await expect(page.locator("#peak")).to_have_text("150 /s")
    await page.keyboard.press("g")
    await expect(page.locator("#background-of")).to_have_text("background here")
    room.now["rate"] = make_rate(600.0)
    await expect(page.locator("#ratio")).to_have_text(re.compile(r"^\S 4.0 \(3.3\S4.8\)$"))
    await page.keyboard.press("g")
    await expect(page.locator("#background-of")).to_have_text("background")
    panel = page.locator("#rate")
    assert await panel.evaluate("panel => panel.scrollHeight <= panel.clientHeight"), "something is cut off"


async def test_peak_and_background_are_of_what_is_counted_now(room: Room, page: Page) -> None:
    """Neither outlives the patient, the probe or the run of the service that it was counted with."""
    room.now["rate"] = make_rate(80.0)
    await expect(page.locator("#rate-value")).to_have_text("80")
    await page.keyboard.press("j")
    for change in (another_patient, another_probe, another_run):
        room.now["rate"] = msgspec.structs.replace(room.now["rate"], rate_cps=600.0)
        await expect(page.locator("#peak")).to_have_text("600 /s")
        await page.keyboard.press("g")
        await expect(page.locator("#background-of")).to_have_text("background here")
        room.now["rate"] = msgspec.structs.replace(room.now["rate"], rate_cps=80.0)
        await expect(page.locator("#ratio")).to_contain_text("0.1")
        await expect(page.locator("#peak")).to_have_text("600 /s")
        change(room)
        await expect(page.locator("#peak")).to_have_text("80 /s")
        await expect(page.locator("#background-of")).to_have_text("background")


async def test_shine_through_is_a_cone_towards_the_injection_site(room: Room, page: Page) -> None:
    """Amber to the lower left, where it lies; in words for who does not see it; none where it shines little."""
    shine = ShineState(
        name="Injection", share=0.72, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=-40.0, is_warned=True
    )
    room.now["shine"] = shine
    bullseye = page.get_by_label(re.compile("Injection shines through, 72 % of the rate"))
    await expect(bullseye).to_be_visible()
    amber = await pixels(page, "#bullseye", "red > 200 && green > 140 && green < 200 && blue < 120")
    assert len(amber) > 100
    assert np.median(amber[:, 0]) < 0.45
    assert np.median(amber[:, 1]) > 0.55
    room.now["shine"] = msgspec.structs.replace(shine, share=0.2, is_warned=False)
    await expect(bullseye).to_have_count(0)


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


async def test_registration_calibration_and_study_are_trusted_or_not(room: Room, page: Page) -> None:
    """The error at the tip in mm, the day of the calibration, the age of the scan; unknown is never a number."""
    strip = page.locator("#trust")
    await expect(strip.locator("[data-key=registration]")).to_contain_text("± 2 mm")
    room.now["pose"] = msgspec.structs.replace(room.now["pose"], registration_error_mm=8.2)
    await expect(strip.locator("[data-key=registration]")).to_have_attribute("data-state", "doubtful")
    room.now["pose"] = msgspec.structs.replace(room.now["pose"], registration_error_mm=None)
    await expect(strip.locator("[data-key=registration]")).to_contain_text("error not known")
    assert not re.search(r"\d", await strip.locator("[data-key=registration]").inner_text())
    room.now["pose"] = msgspec.structs.replace(room.now["pose"], doubt="the reference has slipped")
    await expect(strip.locator("[data-key=registration]")).to_have_attribute("data-state", "doubtful")
    await expect(strip.locator("[data-key=registration]")).to_contain_text("the reference has slipped")
    await state_of(page, "#bullseye", "no-pose")
    await expect(page.locator("#distance-value")).to_have_text("\u2013")
    await state_of(page, "#axial", "target")
    room.now["registered"] = False
    await expect(strip.locator("[data-key=registration]")).to_contain_text("NONE")
    await expect(strip.locator("[data-key=calibration]")).to_contain_text("TODAY2026-11-22")
    room.now["calibrated_at"] = "2026-11-20"
    await expect(strip.locator("[data-key=calibration]")).to_contain_text("2026-11-20, not of today")
    room.now["calibrated_at"] = None
    await expect(strip.locator("[data-key=calibration]")).to_contain_text("run acquire")


async def test_a_battery_and_a_smoothed_rate_are_told(room: Room, page: Page) -> None:
    """The probe's battery, and how long ago it said so, and its dead time; a rate that no counter counted says so.

    A low battery and much dead time make the probe doubtful, and nothing else.
    """
    inputs = page.locator("#trust [data-key='device probe']")
    await expect(inputs).to_contain_text("dead time 3 %, battery: no report")
    await expect(page.locator("#trust [data-key='device tracker']")).not_to_contain_text("battery")
    said = ConditionState(
        age_s=1.0, battery_v=1.42, battery_low=False, board_degc=None, detector_degc=None, high_voltage_v=None
    )
    room.change_device("probe", condition=said)
    await expect(inputs).to_contain_text("battery 1.42 V")
    await expect(inputs).not_to_contain_text("no report")
    await expect(inputs).to_have_attribute("data-state", "live")
    room.change_device("probe", condition=msgspec.structs.replace(said, age_s=3 * 3600.0))
    await expect(inputs).to_contain_text("battery 1.42 V, 3 h")
    room.change_device("probe", condition=msgspec.structs.replace(said, battery_low=True))
    await expect(inputs).to_contain_text("BATTERY LOW")
    await expect(inputs).to_have_attribute("data-state", "doubtful")
    room.change_device("probe", condition=said)
    await expect(inputs).to_have_attribute("data-state", "live")
    room.now["rate"] = msgspec.structs.replace(make_rate(), dead_fraction=0.42)
    await expect(inputs).to_have_attribute("data-state", "doubtful")
    await expect(inputs).to_contain_text("dead time 42 %")
    await expect(page.locator("#rate-note")).to_contain_text("HIGH DEAD TIME")
    await expect(page.locator("#rate-note")).not_to_contain_text("smooths")
    room.now["rate"] = msgspec.structs.replace(make_rate(150.0), time_constant_s=10.0)
    await expect(page.locator("#rate-note")).to_contain_text("the instrument smooths over 10 s")


SIGNALS = """
window.__notes = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...at) {
  if (this.type === "square") window.__notes++;
  return start.apply(this, at);
};
"""


async def test_a_lost_input_has_a_sound_of_its_own(room: Room) -> None:
    """Two notes when the rate is lost, two when it is back; none while muted."""
    async with serve(room), look(room) as page:
        await page.add_init_script(SIGNALS)
        await page.reload()
        await state_of(page, "#tone", "playing")
        room.change_device("probe", state="lost")
        await state_of(page, "#rate", "stale")
        await page.wait_for_function("() => window.__notes === 2")
        room.change_device("probe", state="live")
        await page.wait_for_function("() => window.__notes === 4")
        await page.keyboard.press("m")
        await state_of(page, "#tone", "muted")
        room.change_device("probe", state="lost")
        await state_of(page, "#rate", "stale")
        assert await page.evaluate("window.__notes") == 4


FREEZE = "setTimeout(() => { const end = Date.now() + FOR_MS; while (Date.now() < end); }, 0)"


def amber_share(png: bytes) -> float:
    """Share of a picture's pixels that are the warning's amber."""
    picture = image.imread(io.BytesIO(png), format="png")[..., :3]
    red, green, blue = np.moveaxis(picture, -1, 0)
    return float(np.mean((red > 0.9) & (green > 0.6) & (green < 0.8) & (blue < 0.45)))


async def test_a_frozen_page_says_so_itself(room: Room, page: Page) -> None:
    """A page whose own thread hangs is covered by the browser's compositor: seen in its frames, and told later."""
    frames: list[bytes] = []
    devtools = await page.context.new_cdp_session(page)

    async def keep(event: dict[str, Any]) -> None:
        frames.append(base64.b64decode(event["data"]))
        await devtools.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    devtools.on("Page.screencastFrame", lambda event: asyncio.ensure_future(keep(event)))
    await devtools.send("Page.startScreencast", {"format": "png", "maxWidth": 480, "maxHeight": 270})
    for frozen_ms in (4000, 8000, 16000):  # a busy host draws few frames
        await page.evaluate("document.body.dataset.thawed = 0")
        await page.evaluate(FREEZE.replace("FOR_MS", f"{frozen_ms}"))
        await page.wait_for_function("() => Number(document.body.dataset.thawed) > 1000", polling=200)
        if max((amber_share(frame) for frame in frames), default=0.0) > 0.1:
            break
    else:
        pytest.fail(f"{len(frames)} frames, and no curtain in any of them")
    await devtools.send("Page.stopScreencast")
    await wait_until_live(page)
    shown = await page.locator("#frozen").evaluate("curtain => getComputedStyle(curtain).opacity")
    assert float(shown) < 0.1, "a page that goes on winds it up"


def closed_to_strangers(folder: Path) -> tuple[Admission, Path]:
    """Let in one person, and displays by the token in a file."""
    token, people = folder / "view.token", folder / "people.toml"
    token.write_text("v" * 40, encoding="ascii")
    token.chmod(0o600)
    change_person(people, "Dr. Sokolova", role=Role.ACT, secret="correct horse")
    return Admission(AccessFiles(view_token=token, people=people), monotonic), token


async def test_a_display_and_a_person_sign_in(room: Room, tmp_path: Path) -> None:
    """An unknown display asks for its token, once; a person signs in to act, under her name, and out again.

    Neither's token stands in any address that the page asks for.
    """
    room.admission, _ = closed_to_strangers(tmp_path)
    other = make_entry("1.2.840.2", patient_id="PT-1188", patient_name="Olsen^Kari", in_use=False)
    room.entries = (*room.entries, other)
    asked: list[str] = []
    tokens = {"v" * 40}
    async with serve(room), look(room) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        await expect(page.get_by_role("status").filter(has_text="not admitted")).to_be_visible()
        await expect(page.locator("#patient-name")).to_have_text("No study in use")
        await page.get_by_label("Token of this display").fill("v" * 40)
        await page.keyboard.press("Enter")
        await wait_until_live(page)
        await page.reload()
        await wait_until_live(page)
        await page.keyboard.press("k")
        await page.get_by_label("Name").fill("Dr. Sokolova")
        await page.get_by_label("Secret").fill("wrong horse")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert").filter(has_text="name or secret is wrong")).to_be_visible()
        await page.get_by_label("Secret").fill("correct horse")
        async with page.expect_response("**/v1/sign-in") as answer:
            await page.keyboard.press("Enter")
        tokens.add((await (await answer.value).json())["token"])
        await expect(page.get_by_role("button", name="Sign out Dr. Sokolova")).to_be_visible()
        await wait_until_live(page)
        await page.get_by_role("button", name="Studies (2)").click()
        await expect(page.locator("#studies")).to_contain_text("Olsen")
        await page.keyboard.press("k")
        async with asyncio.timeout(30):
            while not room.acts:  # noqa: ASYNC110 - a list sets no event
                await asyncio.sleep(0.02)
        assert [entry.person for entry in room.journal.after(0)] == ["Dr. Sokolova"]
        await page.get_by_role("button", name="Sign out Dr. Sokolova").click()
        await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Studies (1+)")).to_be_visible()
        await expect(page.locator("#studies")).not_to_contain_text("Olsen")
        await wait_until_live(page)
        room.entries, room.now["study"] = (other,), None
        room.now["studies_revision"] += 1
        await expect(page.get_by_role("button", name="Studies (0+)")).to_be_visible()
        await expect(page.locator("#studies")).not_to_contain_text("No study was received yet")
        await page.get_by_role("button", name="Sign in to see the studies that came").click()
        await expect(page.get_by_label("Name", exact=True)).to_be_visible()
        assert sum("/v1/feed" in each for each in asked) >= 3, "as nobody, as a display, as a person"
        assert not [each for each in (page.url, *asked) for token in tokens if token in each]


async def test_a_display_whose_file_is_put_back_is_let_in_by_itself(room: Room, tmp_path: Path) -> None:
    """While it is away the page asks for a token and names nobody; by the one that it has it goes on."""
    room.admission, token = closed_to_strangers(tmp_path)
    async with watching(room.admission), serve(room), look(room) as page:
        await page.get_by_label("Token of this display").fill("v" * 40)
        await page.keyboard.press("Enter")
        await wait_until_live(page)
        await page.locator("#studies-button").click()
        await expect(page.locator("#studies")).to_contain_text("PT-0417")
        aside = token.rename(tmp_path / "aside")
        await expect(page.get_by_label("Token of this display")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="not admitted")).to_be_visible()
        await expect(page.locator("#studies")).not_to_contain_text("PT-0417")
        aside.rename(token)
        await wait_until_live(page)
        await expect(page.locator("#sign-in")).to_be_hidden()
        await expect(page.locator("#studies")).to_contain_text("PT-0417")


async def test_a_person_signs_in_at_a_display_that_is_turned_away(room: Room, tmp_path: Path) -> None:
    """What she types stays through every attempt of the display to get in, and lets both of them in."""
    room.admission, token = closed_to_strangers(tmp_path)
    async with watching(room.admission), serve(room), look(room) as page:
        await page.get_by_label("Token of this display").fill("v" * 40)
        await page.keyboard.press("Enter")
        await wait_until_live(page)
        token.unlink()
        await expect(page.get_by_label("Token of this display")).to_be_visible()
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.get_by_label("Name", exact=True).fill("Dr. Sokolova")
        async with page.expect_event("websocket") as trying:
            pass
        await (await trying.value).wait_for_event("close")
        await expect(page.get_by_label("Name", exact=True)).to_have_value("Dr. Sokolova")
        await page.get_by_label("Secret").fill("correct horse")
        await page.keyboard.press("Enter")
        await wait_until_live(page)

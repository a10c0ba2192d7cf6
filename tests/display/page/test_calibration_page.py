"""Tip, delay, registration and its check on the page: followed, judged in words, used or discarded."""

import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from acquisition.tracking.desk import DISCARDED
from acquisition.tracking.registration_file import read_registrations
from devices.clock import monotonic
from display.access.admission import AccessFiles, Admission
from display.access.people import Role, change_person
from display.messages.calibration import InstallRequest, RegisterRequest
from display.messages.key import KeyState
from simulators.tool_bench import write_markups
from tests.acquisition.received import received
from tests.composition.test_calibrating import Theatre, theatre
from tests.display.page.calibrated import ScriptedCalibrator, manned
from tests.display.page.room import Room, look, serve, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(300), pytest.mark.usefixtures("built_page")]

FEW = ("left shoulder", "right shoulder", "xiphoid", "right rib")


def write_few(path: Path) -> None:
    """Write four landmarks and the target as 3D Slicer does."""
    write_markups(path)
    told = json.loads(path.read_text())
    points = told["markups"][0]["controlPoints"]
    told["markups"][0]["controlPoints"] = [each for each in points if each["label"] in {*FEW, "target node"}]
    path.write_text(json.dumps(told))


async def phase(page: Page, *wanted: str) -> str:
    """Wait until the panel is in one of these phases."""
    handle = await page.wait_for_function(
        "(wanted) => wanted.find((each) => each === document.getElementById('calibration').dataset.phase)",
        arg=list(wanted),
    )
    return str(await handle.json_value())


NEXT_TO_TOUCH = """
(asked) => {
  const panel = document.getElementById("calibration");
  const { phase } = panel.dataset;
  const words = phase === "waiting" ? panel.querySelector(".instruction").innerText : "";
  const isOver = phase === "accepting" || phase === "ended";
  return isOver || (words && words !== asked.at(-1)) ? { words } : null;
}
"""
"""What is to be touched after all that was asked for; no words once it is judged."""


async def touch_all(page: Page, room: Theatre) -> list[str]:
    """Touch what the page asks for until it is judged; gives what was asked."""
    asked: list[str] = []
    await phase(page, "waiting")
    while True:
        handle = await page.wait_for_function(NEXT_TO_TOUCH, arg=asked)
        words = (await handle.json_value())["words"]
        if not words:
            return asked
        asked.append(words)
        room.bench.hand.move("touch", words.removeprefix("Touch ").split(" with the tip")[0])
        await page.keyboard.press("n")


@contextlib.asynccontextmanager
async def before(room: Room, calibrator: ScriptedCalibrator) -> AsyncIterator[Page]:
    """Look at a room with a calibrator."""
    room.calibrator = calibrator
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        yield page


async def test_a_patient_is_registered_and_checked_before_the_display(room: Room, tmp_path: Path) -> None:
    """By the hand's own pace, how far it is and how good; discarded it leaves nothing, used it is the room's."""
    file, kept = tmp_path / "landmarks.mrk.json", tmp_path / "registration.json"
    async with theatre(tmp_path) as bench:
        await bench.house.console.archive.take(received())
        room.calibrator = bench.calibrating
        write_few(file)
        async with serve(room), look(room) as page:
            await wait_until_live(page)
            await page.keyboard.press("t")
            panel = page.locator("#calibration")
            begin = panel.locator('[data-does="begin register"]')
            await expect(begin).to_be_disabled()
            await expect(panel).to_contain_text("Nothing is registered yet.")
            await panel.locator("input[type=file]").set_input_files(file)
            await expect(panel.get_by_role("button", name="landmarks.mrk.json: 4 to touch")).to_be_visible()
            for answer, fate in (("Discard it", "▲ NOT DONE"), ("Use it", "✓ DONE")):
                await begin.click()
                asked = await touch_all(page, bench)
                assert len(asked) == len(FEW)
                assert {words.removeprefix("Touch ").split(" with the tip")[0] for words in asked} == set(FEW)
                await expect(panel.locator(".verdict .word")).to_have_text(["✓ PASSED", "✓ PASSED"])
                await expect(panel.locator(".verdict").first).to_contain_text("mm are to be expected at")
                await expect(panel.locator(".verdict").last).to_contain_text("not turned by half")
                assert not kept.exists(), "written before anybody accepted it"
                await panel.get_by_role("button", name=answer).click()
                await expect(panel.locator(".outcome > .word")).to_have_text(fate)
                if answer == "Discard it":
                    await expect(panel.locator(".outcome")).to_contain_text(DISCARDED)
            assert [each.patient_id for each in read_registrations(kept)] == ["A-1"]
            await panel.get_by_role("button", name="xiphoid").click()
            assert len(await touch_all(page, bench)) == 1
            await expect(panel.locator(".outcome h3")).to_have_text("Check the registration")
            (registration,) = read_registrations(kept)
            assert [each.name for each in registration.verifications] == ["xiphoid"]


async def test_how_she_lies_is_said_by_touching_on(room: Room, tmp_path: Path) -> None:
    """On her back unless somebody says otherwise: each touch goes on to the next side, the last is asked for."""
    file = tmp_path / "landmarks.mrk.json"
    write_few(file)
    async with manned(ScriptedCalibrator()) as calibrator, before(room, calibrator) as page:
        await page.keyboard.press("t")
        lies = page.locator('[data-does="lies"]')
        for words in ("on her back", "on her front", "on her left side", "on her right side", "on her back"):
            await expect(lies).to_have_text(f"She lies {words}")
            await lies.click()
        await page.locator("#calibration input[type=file]").set_input_files(file)
        await page.locator('[data-does="begin register"]').click()
        await phase(page, "waiting")
    (asked,) = calibrator.asked
    assert isinstance(asked, RegisterRequest)
    assert asked.lies == "prone"


async def test_each_phase_says_what_is_to_be_done(room: Room) -> None:
    """A failure in words with what to do, again, how far it is while it goes on; used with a pedal, by its key."""
    room.keys = (KeyState(key="F15", act="next step"), KeyState(key="F16", act="calibration"))
    async with manned(ScriptedCalibrator()) as calibrator, before(room, calibrator) as page:
        panel = page.locator("#calibration")
        await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'F16', code: 'F16' }))")
        await panel.locator('[data-does="begin tool"]').click()
        assert await phase(page, "waiting") == "waiting"
        await expect(panel.locator(".instruction")).to_have_text(
            "Press the tip of Probe into the divot, then tilt it slowly to all sides"
        )
        await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'F15', code: 'F15' }))")
        await phase(page, "judging")
        await expect(panel.locator(".verdict")).to_contain_text("the tool was held still")
        await expect(panel.locator(".verdict")).to_contain_text("wanted: tip to 0.2 mm")
        await page.keyboard.press("n")  # goes on with nothing that failed: that is said by a touch
        await panel.get_by_role("button", name="Make it again").click()
        await phase(page, "waiting")
        await panel.get_by_role("button", name="Go N").click()
        bar = panel.get_by_role("progressbar")
        await expect(bar).to_have_js_property("value", 0.4)
        await expect(panel.locator(".progress-words")).to_have_text(
            "120 poses, tilted by 8° of 20°, tip to 0.21 mm"
        )
        if asked := os.environ.get("RADIONAV_SCREENSHOT"):
            await page.screenshot(path=Path(asked))
        calibrator.is_enough.set()
        await phase(page, "accepting")
        await expect(panel.locator(".verdict")).to_contain_text("very good: the tip is known to 0.06 mm")
        await expect(panel.locator(".verdict")).to_contain_text("tip known to 0.060 mm · poses 204 of 212")
        await panel.get_by_role("button", name="Use it").click()
        await phase(page, "ended")
        await expect(panel.locator(".outcome")).to_contain_text("when radionav is started again")
    assert calibrator.asked == [InstallRequest()]


async def test_of_two_who_answer_the_later_is_told(room: Room) -> None:
    """An answer to what another display has answered already begins nothing, and says so."""
    async with manned(ScriptedCalibrator()) as calibrator, before(room, calibrator) as page:
        panel = page.locator("#calibration")
        await page.keyboard.press("t")
        await panel.locator('[data-does="begin timing"]').click()
        await phase(page, "waiting")
        begun = await page.evaluate(
            """async () => {
              const { seq } = await (await fetch("/v1/calibrations?after=-1")).json();
              const body = JSON.stringify({ act: "continue", seq });
              const answers = ["timing", "timing"].map((step) =>
                fetch(`/v1/calibrations/${step}/acts`, { method: "POST", body }));
              return Promise.all((await Promise.all(answers)).map((answer) => answer.status));
            }"""
        )
        assert sorted(begun) == [204, 409]
        await phase(page, "judging")
        await panel.get_by_role("button", name="End it").click()
        await expect(panel.locator(".outcome > .word")).to_have_text("▲ NOT DONE")
        key = await panel.locator('[data-does="begin timing"]').element_handle()
        assert calibrator.desk.begin("tool", calibrator._run) is None
        await key.evaluate("key => key.click()")  # which she saw as it could still be begun
        await expect(panel.get_by_role("alert")).to_have_text("tool is under way: end it first")


async def test_it_covers_no_number_and_no_other_panel_takes_its_keys(room: Room) -> None:
    """Procedure and calibration close each other: N is of the one that is seen."""
    async with manned(ScriptedCalibrator()) as calibrator, before(room, calibrator) as page:
        await page.keyboard.press("p")
        await page.get_by_role("button", name="Calibrate").click()
        await expect(page.locator("#procedure")).to_be_hidden()
        await expect(page.locator("#calibration")).to_contain_text("Touch one of its landmarks again.")
        over = await page.locator("#calibration").bounding_box()
        assert over is not None
        for name in ("#rate", "#aim", "#guidance", "#trust"):
            box = await page.locator(name).bounding_box()
            assert box is not None
            is_beside = box["x"] + box["width"] <= over["x"] or over["x"] + over["width"] <= box["x"]
            assert is_beside or box["y"] + box["height"] <= over["y"] or over["y"] + over["height"] <= box["y"]
        await page.keyboard.press("p")
        await expect(page.locator("#calibration")).to_be_hidden()
        await expect(page.locator("#procedure")).to_be_visible()


async def test_only_an_engineer_begins_what_is_an_engineers(room: Room, tmp_path: Path) -> None:
    """Whoever acts in theatre is told so, and asked who else acts."""
    token = tmp_path / "view.token"
    token.write_text("v" * 40, encoding="ascii")
    token.chmod(0o600)
    people = tmp_path / "people.toml"
    for name, role in (("Dr. Sokolova", Role.ACT), ("Ing. Weber", Role.ENGINEER)):
        change_person(people, name, role=role, secret="correct horse")
    room.admission = Admission(AccessFiles(view_token=token, people=people), monotonic)
    room.calibrator = calibrator = ScriptedCalibrator()
    async with manned(calibrator), serve(room), look(room) as page:
        await page.get_by_label("Token of this display").fill("v" * 40)
        await page.keyboard.press("Enter")
        await wait_until_live(page)
        await page.keyboard.press("t")
        begin = page.locator('[data-does="begin tool"]')
        await begin.click()
        for name in ("Dr. Sokolova", "Ing. Weber"):
            await page.get_by_label("Name").fill(name)
            await page.get_by_label("Secret").fill("correct horse")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("button", name=f"Sign out {name}")).to_be_visible()
            if name == "Dr. Sokolova":
                await begin.click()
                await expect(page.locator("#calibration [role=alert]")).to_contain_text("may not do this")
                assert calibrator.asked == []
        await begin.click()
        await phase(page, "waiting")


async def test_without_a_tracker_there_is_nothing_to_calibrate(room: Room, page: Page) -> None:
    """It says so, and asks no further."""
    await page.keyboard.press("t")
    await expect(page.get_by_role("alert").filter(has_text="there is nothing to calibrate")).to_be_visible()


async def test_a_file_that_is_none_of_slicers_is_refused(room: Room, tmp_path: Path) -> None:
    """By its name, with what to do; nothing can be begun with it."""
    other = tmp_path / "notes.json"
    other.write_text("{}")
    async with manned(ScriptedCalibrator()) as calibrator, before(room, calibrator) as page:
        await page.keyboard.press("t")
        await page.locator("#calibration input[type=file]").set_input_files(other)
        told = "notes.json holds no markups of 3D Slicer: save the points there as .mrk.json"
        await expect(page.get_by_role("alert").filter(has_text=told)).to_be_visible()
        await expect(page.locator('[data-does="begin register"]')).to_be_disabled()

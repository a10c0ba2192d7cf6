# ruff: noqa: RUF001 - Russian words
"""What the trust strip says of estimate, registration, calibration, battery and dead time, in real Chromium."""

import re
from typing import Literal

import msgspec
import pytest
from playwright.async_api import Page, expect

from display.messages.device import ToolState
from tests.display.page.pixels import until_pixels
from tests.display.page.room import Room, look, make_condition, make_device, make_rate, serve, state_of

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


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
    await expect(over_the_target).to_have_text(re.compile(r"^no new counts for 1\d\ss$"))
    await expect(over_the_target).to_have_css("color", "rgb(255, 180, 84)")
    room.now["posterior"] = posterior
    await expect(estimate).to_have_attribute("data-state", "live")
    await expect(over_the_target).to_contain_text("97 %")
    room.is_silent = True
    await expect(estimate).to_contain_text(re.compile(r"no new counts for ([3-9]\.\d|\d\d) s"))
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


async def test_an_input_may_have_its_own_limit(room: Room, page: Page) -> None:
    """A probe that sends once a second is not called silent in between."""
    room.change_device("probe", age_s=1.2, stale_after_s=2.5)
    room.now["rate"] = make_rate(777.0, age_s=1.2)
    await expect(page.locator("#rate-value")).to_have_text("780")
    await state_of(page, "#rate", "ok")


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
    """The probe's battery, how long ago it said so beyond 2 min, its dead time; a rate that no counter counted.

    A low battery and much dead time make the probe doubtful, and nothing else.
    """
    inputs = page.locator("#trust [data-key='device probe']")
    await expect(inputs).to_contain_text("dead time 3 %, battery: no report")
    room.now["devices"] = (*room.now["devices"], make_device("monitor", kind="probe", primary=False))
    for other in ("dicom", "monitor"):
        await expect(page.locator(f"#trust [data-key='device {other}'] .word")).to_contain_text("LIVE")
        await expect(page.locator(f"#trust [data-key='device {other}'] .detail")).to_be_empty()
    said = make_condition(battery_v=1.42, battery_low=False)
    room.change_device("probe", condition=said)
    await expect(inputs).to_contain_text("battery 1.42 V")
    await expect(inputs).not_to_contain_text("no report")
    await expect(inputs).to_have_attribute("data-state", "live")
    for age_s, told in ((3 * 3600.0, ", 3 h$"), (110.0, "$"), (130.0, ", 2 min$")):
        room.change_device("probe", condition=msgspec.structs.replace(said, age_s=age_s))
        await expect(inputs).to_have_text(re.compile(f"battery 1.42 V{told}"))
    room.change_device("probe", condition=msgspec.structs.replace(said, battery_low=True))
    await expect(inputs).to_contain_text("BATTERY LOW")
    await expect(inputs).to_have_attribute("data-state", "doubtful")
    room.change_device("probe", condition=make_condition(battery_low=False))
    await expect(inputs).to_contain_text("dead time 3 %, battery not low")
    await expect(inputs).to_have_attribute("data-state", "live")
    for percent, state in ((29, "live"), (31, "doubtful")):
        room.now["rate"] = msgspec.structs.replace(make_rate(), dead_fraction=percent / 100)
        await expect(inputs).to_contain_text(f"dead time {percent} %")
        await expect(inputs).to_have_attribute("data-state", state)
    await expect(page.locator("#rate-note")).to_contain_text("HIGH DEAD TIME")
    await expect(page.locator("#rate-note")).not_to_contain_text("smooths")
    room.now["rate"] = msgspec.structs.replace(make_rate(150.0), time_constant_s=10.0)
    await expect(page.locator("#rate-note")).to_contain_text("the instrument smooths over 10 s")
    room.change_device("probe", condition=msgspec.structs.replace(said, age_s=117.0))
    await expect(inputs).to_have_text(re.compile("battery 1.42 V$"))
    room.is_silent = True
    await expect(inputs.locator(".detail")).to_have_text("battery 1.42 V, 2 min")  # no dead time of what is over


@pytest.mark.parametrize(
    ("language", "word", "why"),
    [("en", "ALARM", "its own alarm"), ("ru", "ТРЕВОГА", "его сигнализация")],
)
async def test_an_alarm_of_a_device_is_told(
    room: Room, language: Literal["en", "ru"], word: str, why: str
) -> None:
    """In a word with what it means, by its bell and its yellow; its counts go on, and nothing else changes.

    It stands before a low battery, which stays told; one of a silent monitor is not of now.
    """
    room.language = language
    monitor = make_device(
        "monitor", kind="probe", label="Room monitor", primary=False, condition=make_condition(alarm=True)
    )
    room.now["devices"] = (*room.now["devices"], monitor)
    async with serve(room), look(room) as page:
        for name in ("monitor", "probe"):
            room.change_device(name, condition=make_condition(alarm=True, battery_low=True))
            row = f"#trust [data-key='device {name}']"
            await state_of(page, row, "alarm")
            item, detail = page.locator(row), page.locator(f"{row} .detail")
            await expect(item).to_have_attribute("aria-label", re.compile(rf": {word} \d.*{why}"))
            await expect(item.locator(".word")).to_contain_text(word)
            await expect(detail).to_contain_text(why)
            await expect(detail).to_contain_text(re.compile("BATTERY LOW|СМЕНИТЕ БАТАРЕЮ"))
            await until_pixels(page, YELLOW, lambda count: count > 100, element=row)
        await state_of(page, "#rate", "ok")
        await state_of(page, "#tone", "playing")
        room.change_device("probe", condition=make_condition())
        room.change_device("monitor", state="silent")
        for name, state in (("probe", "live"), ("monitor", "silent")):
            await state_of(page, f"#trust [data-key='device {name}']", state)
            await expect(page.locator(f"#trust [data-key='device {name}']")).not_to_contain_text(why)


@pytest.mark.usefixtures("calm")
async def test_all_that_is_known_of_a_device_is_told_the_worst_first(room: Room, page: Page) -> None:
    """What was refused hides no low battery, a tool that is not seen no error; what is well comes last."""
    for name, changes, told in (
        (
            "probe",
            {"condition": make_condition(alarm=True, battery_low=True), "detail": "12 frames were refused"},
            "its own alarm, BATTERY LOW: change it, dead time 42 %; 12 frames were refused",
        ),
        (
            "probe",
            {"condition": make_condition(battery_v=1.42, battery_low=False), "detail": "12 frames were refused"},
            "dead time 42 %; 12 frames were refused; battery 1.42 V",
        ),
        (
            "probe",
            {"condition": make_condition(battery_low=True), "state": "silent", "detail": "no data for 3 s"},
            "no data for 3 s; BATTERY LOW: change it",
        ),
        (
            "tracker",
            {
                "condition": make_condition(battery_v=1.4),
                "tools": (ToolState(name="Cart", is_seen=False, said="not in view"),),
            },
            "Cart: not in view; error 0.2 mm, battery 1.40 V",
        ),
    ):
        room.now["rate"] = msgspec.structs.replace(make_rate(9400.0), dead_fraction=0.42)
        room.change_device(name, **changes)
        await expect(page.locator(f"#trust [data-key='device {name}'] .detail")).to_have_text(told)


YELLOW = [235, 220, 50], [255, 255, 110]


async def test_a_study_is_as_old_as_its_scan(room: Room, page: Page) -> None:
    """Hours since it was taken; of two days or more it is doubtful, without a date and from the future too."""
    study, item = room.now["study"], page.locator("#trust [data-key=study]")
    for taken_at_utc, state, words in (
        ("2026-11-22T05:00:00Z", "live", "3 h"),
        ("2026-11-20T09:00:00Z", "live", "47 h"),
        ("2026-11-20T07:00:00Z", "doubtful", "49 h"),
        (None, "doubtful", "NO DATE"),
        ("2026-11-22T20:00:00Z", "doubtful", "12 h"),
    ):
        room.now["study"] = msgspec.structs.replace(study, taken_at_utc=taken_at_utc)
        await expect(item).to_contain_text(words)
        await expect(item).to_have_attribute("data-state", state)
    room.now["study"] = None
    await expect(item).to_contain_text("choose one")
    await expect(item).to_have_attribute("data-state", "silent")


@pytest.mark.usefixtures("calm")
async def test_each_state_has_its_word_its_shape_and_its_colour(room: Room, page: Page) -> None:
    """Live, silent, lost, not there yet, alarming: told apart by any of the three, by who sees no colours too."""
    told: dict[str, list[str]] = {"word": [], "shape": [], "colour": []}
    tracker = page.locator("#trust [data-key='device tracker']")
    for state in ("live", "silent", "lost", "connecting", "alarm"):
        condition = make_condition(alarm=True) if state == "alarm" else None
        room.change_device("tracker", state="live" if condition else state, age_s=None, condition=condition)
        await expect(tracker).to_have_attribute("data-state", state)
        told["word"].append(await tracker.locator(".word").inner_text())
        told["shape"].append(await tracker.locator(".shape").evaluate("each => getComputedStyle(each).clipPath"))
        told["colour"].append(await tracker.locator(".word").evaluate("each => getComputedStyle(each).color"))
    assert {name: len(set(each)) for name, each in told.items()} == {"word": 5, "shape": 5, "colour": 5}

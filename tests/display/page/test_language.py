# ruff: noqa: RUF001 - Russian words
"""The page in Russian: every word of it, what the service says included, and by a touch in English again."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from acquisition.session.steps import Need
from devices.trackers.ndi_words import tool_words
from display.messages.device import ToolState
from display.messages.estimate import RejectionState
from display.messages.feed import GuidanceState, ShineState
from display.messages.procedure import CheckState, MoveState
from display.messages.study import SeriesEntry
from display.states.guidance import show_nothing
from navigation.screening.sieve import Reason
from tests.display.page.calibrated import ScriptedCalibrator, manned
from tests.display.page.room import (
    NODE_MM,
    Room,
    look,
    make_advice,
    make_entry,
    make_rate,
    make_study,
    make_target,
    serve,
    wait_until_live,
)
from tests.display.page.test_procedure_page import PLAN
from tests.display.page.test_resection_page import bed, limits, removed, specimen
from tests.display.page.test_sentences import listed

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]

FORGET = "window.__words = {}"
"""What canvases said until now."""

SAID = """
() => {
  const said = Object.values(window.__words).flatMap((words) => Object.keys(words));
  const isElsewhere = (element) => element.closest("[lang=en]") !== null;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) if (!isElsewhere(texts.currentNode.parentElement)) said.push(texts.currentNode.data);
  for (const element of document.body.querySelectorAll("*")) {
    if (isElsewhere(element)) continue;
    for (const name of ["aria-label", "placeholder", "title", "alt"]) said.push(element.getAttribute(name) ?? "");
    said.push(getComputedStyle(element, "::after").content, getComputedStyle(element, "::before").content);
  }
  return said;
}
"""
"""All that the page says or has written on a canvas so far, in words or to a screen reader."""

NO_WORDS = {
    "none", "normal", "Tc", "acquire", "axis", "register", "tool", "verify", "radionav", "LPS", "RAS",
    "Slicer", "mrk", "json", "keep",
}  # fmt: skip
"""Of style sheets; the symbol of technetium; commands, options, axes and files, called so in any language."""


def other_words(said: list[str]) -> set[str]:
    """Find Latin words of two letters or more; sides and keys are single letters."""
    return {word for text in said for word in re.findall(r"[A-Za-z]{2,}", text)} - NO_WORDS


@pytest.fixture
def russian(room: Room) -> Room:
    """A room whose site, patient and devices have Russian names."""
    room.language, room.site, room.name = "ru", "Больница", "Зал 4"
    for device, name in (("probe", "Гамма-зонд"), ("tracker", "Камера"), ("dicom", "Scanner")):
        room.change_device(device, label=name)
    room.now["study"] = msgspec.structs.replace(
        make_study(), patient_name="Иванова^Анна", patient_id="0417", description="ОФЭКТ"
    )
    series = (SeriesEntry(series_uid="1", modality="", description="ОФЭКТ", objects=1, accepted=True, reason=""),)
    entry = make_entry(
        "1.2.840.1", patient_name="Иванова^Анна", description="ОФЭКТ", received_from="КАМЕРА", series=series
    )
    room.entries = (msgspec.structs.replace(entry, patient_id="0417"),)
    pose = room.now["pose"]
    room.now["targets"] = (
        make_target(pose, name="target 1"),
        make_target(pose, name="injection", injection=True, centre_mm=NODE_MM + 40.0),
    )
    room.now["guidance"] = msgspec.structs.replace(
        room.now["guidance"],
        target="target 1",
        sentence="Target 1: 29 mm ± 4, tilt right 20° and up 9°, 21 mm deeper ahead",
    )
    room.now["posterior"] = msgspec.structs.replace(room.now["posterior"], response="А, Tc-99, 2026-11-22")
    return room


@pytest_asyncio.fixture
async def page(russian: Room) -> AsyncIterator[Page]:
    """The Russian page."""
    async with serve(russian), look(russian) as page:
        await wait_until_live(page)
        await expect(page.locator("#slices-note")).to_be_empty()
        await page.evaluate(FORGET)  # before its first greeting a new display speaks English
        yield page


def as_it_is(_: Room) -> None:
    """All is well."""


def shining(room: Room) -> None:
    room.now["shine"] = ShineState(
        name="injection", share=0.7, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=-40.0, is_warned=True
    )
    room.now["rejections"] = tuple(RejectionState(reason=each.value, readings=3) for each in Reason)


def advised(room: Room) -> None:
    advice = make_advice(room.now["pose"], target="target 1")
    room.now["guidance"] = msgspec.structs.replace(
        room.now["guidance"],
        sentence="Cannot tell yet: hold 18 mm to the patient's left and 6 mm to the head, tilt left 17°",
        advice=advice,
    )
    room.now["targets"] = ()


def lost(room: Room) -> None:
    sentence = "nothing listens at 127.0.0.1:18944. Start the tracker's OpenIGTLink server, or check the port"
    room.change_device("tracker", state="lost", detail=sentence)
    room.change_device(
        "probe", state="silent", detail="no reading for 0.6 s: check that it is switched on and its cable is whole"
    )
    room.now |= {"pose": None, "rate": None, "posterior": None, "registered": False, "calibrated_at": None}
    room.now["guidance"] = show_nothing("The tracker does not see the probe")


def unsent(room: Room) -> None:
    sentences = (
        "3 objects wait for АРХИВ since 2026-11-22 07:30: отказ",
        "what was to be sent cannot be read from 1 in 2: send the study again, then move the file away",
        "nothing can be sent to АРХИВ: нет места; мало памяти",
        "what sends to ОТДЕЛ ends before it is done (exit code 1): see the node's error output",
        "what sends to ЗАЛ ends before it is done (exit code 2): see the node's error output",
    )
    room.change_device("dicom", state="live", detail="; ".join(sentences))


def unseen(room: Room) -> None:
    room.change_device("tracker", tools=(ToolState(name="Зонд", is_seen=False, said=tool_words(9)),))
    room.now["pose"] = None
    room.now["guidance"] = show_nothing("The tracker does not see the probe")


def unlocated(room: Room) -> None:
    room.change_target(localisable=False, reason="its region still reaches 31 mm")
    rate = make_rate(48_000.0)
    room.now["rate"] = msgspec.structs.replace(rate, rate_cps=None, high_cps=None, status="overload")


def without_study(room: Room) -> None:
    room.now |= {"study": None, "targets": (), "guidance": show_nothing("Sweep slowly over the skin")}


def planning(room: Room) -> None:
    moves = (
        MoveState(to="time-out", is_forward=True, unmet=tuple(each.value for each in Need), is_possible=True),
        MoveState(to="ended", is_forward=True, unmet=("all steps are taken",), is_possible=True),
    )
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"],
        number=3,
        step="plan",
        taken=("patient", "plan"),
        sources=PLAN,
        moves=moves,
        overrides=2,
    )


def timing_out(room: Room) -> None:
    checks = (
        CheckState(name="probe", said="the calibrated one", is_good=True, is_confirmed=True),
        CheckState(name="window", said="126 to 154 keV", is_good=True, is_confirmed=False),
        CheckState(
            name="quality check",
            said="5 steps passed on 2026-11-22, not today: run acquire",
            is_good=False,
            is_confirmed=False,
        ),
        CheckState(name="tracker", said="live, residual 0.2 mm", is_good=True, is_confirmed=False),
        CheckState(
            name="side",
            said="target 1: left, target 2: right, target 3: midline",
            is_good=True,
            is_confirmed=False,
        ),
    )
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=3, step="time-out", checklist=checks, moves=()
    )


def resected(room: Room) -> None:
    taken_out = (
        removed(bed("removed", limits(0.0, 0.0, 0.02)), number=1, name="target 1"),
        removed(bed("count on", None, reason="too few counts yet"), number=2, name="target 2"),
        removed(None, number=3, name="target 3"),
    )
    counted = (specimen(1, 1240.0, "hottest"), specimen(2, 40.0, "cold", limits(0.03, 0.02, 0.05)))
    specimens = tuple(msgspec.structs.replace(each, of="target 1") for each in counted)
    room.now["resection"] = msgspec.structs.replace(
        room.now["resection"], revision=4, removed=taken_out, specimens=specimens
    )


STATES: dict[str, tuple[Callable[[Room], None], str, str]] = {
    "live": (as_it_is, "", "#aim[data-state=located]"),
    "shine-through": (shining, "", "#aim[data-shine=warned]"),
    "advice": (advised, "", "#aim[data-advice=shown]"),
    "lost": (lost, "", "#rate[data-state=none]"),
    "not-sent": (unsent, "", "[data-key='device dicom'] .detail:not(:empty)"),
    "tool-unseen": (unseen, "", "#aim[data-state=no-pose]"),
    "not-located": (unlocated, "", "#aim[data-state=unlocated]"),
    "no-study": (without_study, "", "#study[data-state=none]"),
    "plan": (planning, "p", "#procedure .source"),
    "time-out": (timing_out, "p", "#procedure .check"),
    "excision": (resected, "x", "#resection .card"),
    "live-image": (as_it_is, "v", "#live-image[data-state=none]"),
    "locked-and-held": (as_it_is, "lh", "#lock[aria-pressed=true]"),
}
"""For each state: what is so, the keys that are pressed, and how it is seen."""


@pytest.mark.parametrize("name", STATES)
async def test_no_word_is_left_in_english(russian: Room, page: Page, name: str) -> None:
    """On the page, on its canvases, to a screen reader; with pictures where they are asked for."""
    change, key, seen = STATES[name]
    change(russian)
    for each in key:
        await page.keyboard.press(each)
    await expect(page.locator(seen).first).to_be_visible()
    await page.wait_for_timeout(300)
    assert not other_words(await page.evaluate(SAID))
    if asked := os.environ.get("RADIONAV_RUSSIAN"):
        await page.screenshot(path=Path(asked) / f"{name}.png")


async def test_panels_that_open_are_russian(page: Page) -> None:
    """Studies and the confirmation of a patient; signing in."""
    await page.locator("#studies-button").click()
    await page.get_by_role("button", name="Подтвердить пациента").click()
    await page.get_by_role("checkbox", name="Имя").click()
    await expect(page.get_by_role("button", name="Оба совпадают")).to_be_disabled()
    assert not other_words(await page.evaluate(SAID))
    await page.get_by_role("button", name="Закрыть").click()
    await page.locator("#person-button").click()
    await expect(page.get_by_label("Пароль")).to_be_visible()
    assert not other_words(await page.evaluate(SAID))


async def test_a_calibration_is_made_in_russian(russian: Room) -> None:
    """What can be begun, each phase with its keys, what failed and what passed, and how it ended."""
    async with manned(ScriptedCalibrator(names=("мечевидный отросток",))) as calibrator:
        russian.calibrator = calibrator
        async with serve(russian), look(russian) as page:
            await wait_until_live(page)
            await page.keyboard.press("t")
            panel = page.locator("#calibration")
            await expect(panel).to_contain_text("мечевидный отросток")
            for pressed, seen in (
                ("begin tool", "Упритесь кончиком"),
                ("continue", "НЕ УДАЛОСЬ"),
                ("repeat", "Упритесь кончиком"),
                ("continue", "положений 120, наклон 8° из 20°, кончик до 0,21 мм"),
                ("", "очень хорошо: кончик известен до 0,06 мм"),
                ("continue", "действует после перезапуска"),
            ):
                if pressed:
                    await panel.locator(f'[data-does="{pressed}"]').click()
                else:
                    calibrator.is_enough.set()
                await expect(panel).to_contain_text(seen)
                words = other_words(await panel.evaluate("panel => [panel.innerText]"))
                assert words <= {"Probe", "tip"}, seen  # names of a tool and of a file


async def test_every_sentence_of_the_service_is_said_in_russian(russian: Room, page: Page) -> None:
    """Each that is listed, with numbers in it, none of them lost; a word that nobody lists stays as it is."""
    sentences = [each.replace("{}", "71.5") for each in listed()]
    moves = (MoveState(to="time-out", is_forward=True, unmet=(*sentences, "Alles neu"), is_possible=True),)
    russian.now["procedure"] = msgspec.structs.replace(
        russian.now["procedure"], number=3, step="plan", moves=moves
    )
    await page.keyboard.press("p")
    needs = page.locator("#procedure .unmet")
    await expect(needs).to_have_count(len(sentences) + 1)
    said = await needs.all_inner_texts()
    assert said.pop().endswith("Alles neu")
    for sentence, words in zip(sentences, said, strict=True):
        assert not other_words([words]), sentence
        assert words.count("71,5") == sentence.count("71.5") or "плана" in words, sentence


async def test_volumes_that_do_not_come_are_said_in_russian(russian: Room) -> None:
    """Refused, cut short, or the service gone meanwhile; and in the language that is chosen then."""
    async with serve(russian), look(russian) as page:
        answers: dict[str, Callable[[Route], Awaitable[None]]] = {
            "(ответ службы: 404)": lambda route: route.fulfill(status=404),
            "(пришло вокселов: ": lambda route: route.fulfill(status=200, body=bytes(4)),
            "(служба не отвечает)": lambda route: route.abort("connectionrefused"),
        }
        for words, answer in answers.items():
            await page.unroute_all(behavior="ignoreErrors")
            await page.route("**/v1/volumes/*", answer)
            await page.reload()
            said = page.locator("#slices-note")
            await expect(said).to_contain_text(words)
            assert not other_words(await said.all_inner_texts())
        await page.get_by_role("button", name="English").click()
        await expect(said).to_contain_text("(the service does not answer)")


async def test_left_is_not_taken_for_right(russian: Room, page: Page) -> None:
    """Each way of a sentence in its own words."""
    for english, words in (
        ("Hold next: 8 mm to the patient's left", "Далее держите: 8 мм к левой стороне пациента"),
        ("Hold next: 8 mm to the patient's right", "Далее держите: 8 мм к правой стороне пациента"),
        ("Hold next: tilt right 20° and up 4°", "Далее держите: наклон вправо 20° и вверх 4°"),
        ("Hold next: 9 mm to the feet, tilt left 20°", "Далее держите: 9 мм к ногам, наклон влево 20°"),
        ("Target 2: 8 mm ± 3, straight ahead", "Мишень 2: 8 мм ± 3, прямо вперёд"),
        ("No target yet: hold still here", "Мишени ещё нет: держите неподвижно здесь"),
    ):
        guidance: GuidanceState = russian.now["guidance"]
        russian.now["guidance"] = msgspec.structs.replace(guidance, sentence=english)
        await expect(page.locator("#guidance")).to_have_text(words)


async def test_somebody_may_choose_another_language(russian: Room) -> None:
    """A touch, at once and in every panel; it holds at this display, whatever the site file says."""
    async with serve(russian), look(russian) as page:
        await wait_until_live(page)
        planning(russian)
        await page.keyboard.press("p")
        await expect(page.locator("#procedure h2")).to_have_text("Операция")
        await page.wait_for_function("() => window.__words['']?.['сейчас']")
        await page.evaluate(FORGET)
        await page.get_by_role("button", name="English").click()
        await page.wait_for_function("() => window.__words['']?.['now']")
        await expect(page.locator("#procedure h2")).to_have_text("Procedure")
        await expect(page.locator("#rate h2")).to_have_text("Count rate")
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await page.reload()
        await wait_until_live(page)
        await expect(page.locator("#rate h2")).to_have_text("Count rate")


async def test_a_display_that_hears_nothing_speaks_as_before(page: Page) -> None:
    """A feed that never greets it: the site's language as it was last, then the one that is chosen here."""
    await page.route_web_socket("**/v1/feed", lambda _: None)
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await expect(page.locator("#connection")).to_contain_text(re.compile("[А-я]{4}"))
    await page.get_by_role("button", name="English").click()
    await page.reload()
    await expect(page.locator("#rate h2")).to_have_text("Count rate")
    await page.get_by_role("button", name="Русский").click()
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "ru")


async def test_keys_are_known_by_their_place(russian: Room, page: Page) -> None:
    """With a Russian keyboard layout the key M writes another letter, and mutes all the same."""
    await expect(page.locator("#tone")).to_have_attribute("data-state", "playing")
    await page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ь', code: 'KeyM' }))")
    await expect(page.locator("#tone")).to_have_attribute("data-state", "muted")

"""The list of received studies, and a patient confirmed by two identifiers, in real Chromium."""

import pytest
from playwright.async_api import Page, expect

from display.messages.study import FramesApart, FramesRequest, StudyChoice
from tests.display.page.room import Room, look, make_entry, serve

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


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

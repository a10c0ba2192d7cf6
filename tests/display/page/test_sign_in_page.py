"""Displays and persons let in, turned away and let in again, in real Chromium."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from devices.clock import monotonic
from display.access.admission import AccessFiles, Admission
from display.access.people import Role, change_person
from tests.display.access.test_admission import watching
from tests.display.page.room import Room, look, make_entry, serve, wait_until_live

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240), pytest.mark.usefixtures("built_page")]


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
        is_turned_away = asyncio.Event()
        page.on("websocket", lambda line: line.on("close", lambda _: is_turned_away.set()))
        async with asyncio.timeout(60):
            await is_turned_away.wait()
        await expect(page.get_by_label("Name", exact=True)).to_have_value("Dr. Sokolova")
        await page.get_by_label("Secret").fill("correct horse")
        await page.keyboard.press("Enter")
        await wait_until_live(page)

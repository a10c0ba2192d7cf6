"""The page over TLS: everything that it fetches, and its feed, comes by the certificate of the site file."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, expect

from display.server import Certificate
from tests.devices.dicom.certificates import certify
from tests.display.page.room import PATIENCE_MS, Room, browse, serve, state_of, wait_until_live

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.peer("openssl"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page"),
]


async def test_the_page_is_live_over_tls(room: Room, tmp_path: Path) -> None:
    """Slices, 3-D view and feed, all by https and wss; nothing is refused for being mixed; an act goes through."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "display")
    asked: list[str] = []
    complaints: list[str] = []
    async with serve(room, tls=Certificate(certificate=certificate, key=key)), browse() as browser:
        page: Page = await browser.new_page(ignore_https_errors=True)  # it is signed by itself
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"https://127.0.0.1:{room.port}/")
        await wait_until_live(page)
        await state_of(page, "#axial", "tip")
        await state_of(page, "#solid", "shown")
        await expect(page.locator("#slices-note")).to_be_empty()
        await page.keyboard.press("k")
        async with asyncio.timeout(30):
            while not room.acts:  # noqa: ASYNC110 - a list sets no event
                await asyncio.sleep(0.02)
        assert await page.evaluate("window.isSecureContext")
    assert not complaints
    assert any("/v1/volumes/" in each for each in asked)
    assert sum(each.startswith("wss://") for each in asked) >= 2, "the feed, and the line of events"
    assert {each.split(":")[0] for each in asked} <= {"https", "wss", "data", "blob"}


async def test_without_trust_there_is_no_page(room: Room, tmp_path: Path) -> None:
    """A browser that does not know the certificate shows its own warning, and none of the patient."""
    key, certificate = await asyncio.to_thread(certify, tmp_path, "display")
    async with serve(room, tls=Certificate(certificate=certificate, key=key)), browse() as browser:
        page = await browser.new_page()
        with pytest.raises(PlaywrightError, match="ERR_CERT_AUTHORITY_INVALID"):
            await page.goto(f"https://127.0.0.1:{room.port}/")
        assert await page.locator("#patient-name").count() == 0

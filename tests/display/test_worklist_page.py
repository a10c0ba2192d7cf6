"""The worklist on the page, in real Chromium: nobody is chosen without a touch for each of both identifiers."""

import asyncio
import contextlib

import pytest
from playwright.async_api import expect

from display.page.hatch_build import build_page
from display.server import Server, listen
from tests.display.page.room import browse
from tests.display.routes.test_worklist import Front
from tests.display.test_stage import running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(240)]

PATIENCE_MS = 60_000.0


async def test_a_patient_is_chosen_from_the_worklist_by_two_touches() -> None:
    """Asked by a key, listed with what did not answer; begun only once both match; the record names her."""
    await asyncio.to_thread(build_page)
    front = Front()
    server = Server(front.app)
    with contextlib.closing(listen("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
        try:
            async with running(front.house), browse() as browser:
                page = await browser.new_page()
                await page.goto(address)
                await page.locator("#studies-button").click(timeout=PATIENCE_MS)
                await page.get_by_role("button", name="Ask who is scheduled today").click(timeout=PATIENCE_MS)
                await expect(page.locator("#studies")).to_contain_text("another is away", timeout=PATIENCE_MS)
                await page.get_by_role("button", name="ANNA, A").click()
                begin = page.get_by_role("button", name="Both match: begin the procedure")
                for identifier in ("Name", "ID"):
                    await expect(begin).to_be_disabled()
                    await page.get_by_role("checkbox", name=identifier).click()
                await begin.click()
                await expect(page.locator("#studies")).to_be_hidden(timeout=PATIENCE_MS)
        finally:
            server.close()
            await serving
    procedure = front.house.console.session.procedure
    assert (procedure.patient_id, procedure.patient_name) == ("A-1", "ANNA^A")

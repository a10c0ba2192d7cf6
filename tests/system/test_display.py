"""The page in real Chromium on the real service: what the surgeon looks at."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from display.page.hatch_build import build_page
from tests.display.page.room import RECORD_WORDS, browse, fail_and_see
from tests.system.running import PATIENCE_S, running

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(180)]

PATIENCE_MS = PATIENCE_S * 1000.0


@asynccontextmanager
async def looking_at(address: str) -> AsyncIterator[Page]:
    """Open the page on a screen as in the operating room."""
    async with browse() as browser:
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        page.set_default_timeout(PATIENCE_MS)
        await page.add_init_script(RECORD_WORDS)
        await page.goto(f"http://{address}/")
        yield page


async def test_the_surgeon_sees_where_the_node_is_and_never_a_frozen_number(tmp_path: Path) -> None:
    """SIMULATED, rate, distance, ages and slices are there; a service that hangs is grey within 1 s, then back."""
    await asyncio.to_thread(build_page)
    with running("--simulate", "--port", 0, "--dicom-port", 0, folder=tmp_path) as service:
        address = await asyncio.to_thread(lambda: service.display)
        async with looking_at(address) as page:
            body = page.locator("body")
            await expect(body).to_have_attribute("data-feed", "live", timeout=PATIENCE_MS)
            await expect(page.locator("#simulated")).to_be_visible()
            await expect(page.locator("#rate-value")).to_have_text(re.compile(r"\d"))
            for name in ("Gamma probe", "Tracker", "Scanner", "Room monitor"):
                await expect(page.get_by_role("listitem", name=f"{name}: LIVE")).to_be_visible()
            await expect(page.get_by_role("listitem", name="Gamma probe")).to_contain_text(re.compile(r"\d\ss"))
            await expect(page.get_by_label(re.compile(r"\d+ plus or minus \d+ mm"))).to_be_visible(
                timeout=PATIENCE_MS
            )
            await expect(page.locator("#axial")).to_have_attribute("data-state", "tip", timeout=PATIENCE_MS)
            await expect(page.locator("#slices-note")).to_be_empty(timeout=PATIENCE_MS)
            await expect(page.locator("#guidance")).to_contain_text("mm")
            if asked := os.environ.get("RADIONAV_SCREENSHOT"):
                await page.screenshot(path=Path(asked))
            await fail_and_see(
                page,
                ["body stale"],
                fail=lambda: service.signal(signal.SIGSTOP),
                mend=lambda: service.signal(signal.SIGCONT),
            )
            await expect(page.locator("#simulated")).to_be_visible()
            await expect(page.get_by_role("status").filter(has_text="NO LIVE DATA")).to_be_visible()
            service.signal(signal.SIGCONT)
            await expect(body).to_have_attribute("data-feed", "live", timeout=PATIENCE_MS)
        service.terminate()
        assert await asyncio.to_thread(service.ended) == 0
        assert "Traceback" not in service.complaints

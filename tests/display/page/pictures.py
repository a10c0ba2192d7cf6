"""Pictures of the page in its states, for the manual and for whoever judges it from a thumbnail."""

import os
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.display.page.room import ATTEMPTS

FOLDER: Final = "RADIONAV_STATES"
"""Environment variable that names the folder for pictures; without it none is taken."""

LIVE: Final = "body[data-feed=live]:has(#rate[data-state=ok])"
"""The page while the feed and the rate are of now: a busy host may let either fall silent."""

SIZES: Final = ((1920, 1080), (1280, 800))


async def keep(page: Page, name: str, seen: str, size: tuple[int, int]) -> None:
    """Take a picture of the state in one size; another one where a busy host let it pass meanwhile."""
    width, height = size
    path = Path(os.environ[FOLDER]) / f"{name}-{width}x{height}.jpg"
    await page.set_viewport_size({"width": width, "height": height})
    for _ in range(ATTEMPTS):
        await expect(page.locator(seen).first).to_be_visible()
        await page.wait_for_timeout(300)  # slices and surfaces are drawn after the words
        await page.screenshot(path=path, type="jpeg", quality=60)
        if await page.locator(seen).first.is_visible():
            return
    pytest.fail(f"{seen} was not seen for as long as a picture takes")


async def picture(page: Page, name: str, seen: str, *, keys: str = "") -> None:
    """Take the live page in every size where pictures are asked for, and leave it as it was.

    ``keys`` open and close panels: each undoes itself, so that pressing them backwards leads back.
    """
    if FOLDER not in os.environ:
        return
    for key in keys:
        await page.keyboard.press(key)
    for size in SIZES:
        await keep(page, name, seen, size)
    for key in reversed(keys):
        await page.keyboard.press(key)
    width, height = SIZES[0]
    await page.set_viewport_size({"width": width, "height": height})

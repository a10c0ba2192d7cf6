"""An excision on the page in real Chromium, on the real service with its simulated room: before and after."""

import asyncio
import http.client
import os
import re
import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect

from display.messages import State
from display.page.hatch_build import build_page
from display.volume_messages import VolumeState
from simulators.scene import sentinel_node_scene
from tests.display.page.test_live_image_page import until_hot
from tests.system.running import PATIENCE_S, Display, Service, finish, looking, running
from tests.system.test_display import PATIENCE_MS, looking_at

NODE_MM = sentinel_node_scene().sources[0].centre_mm
VOXEL_MM = 4.0
DECIDED_WITHIN_MS = 150_000.0
"""Until a bed is decided or given up."""


def fetch(service: Service, volume: VolumeState, *, etag: str = "") -> tuple[int, str, bytes]:
    """Fetch a volume as a page does: status, ETag, voxels."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        connection.request("GET", volume.url, headers={"if-none-match": f'"{etag}"'} if etag else {})
        answer = connection.getresponse()
        return answer.status, answer.headers["etag"] or "", answer.read()
    finally:
        connection.close()


def off_node_mm(volume: VolumeState, raw: bytes) -> float:
    """How far the hottest voxel lies from the node."""
    values = np.frombuffer(raw, "<f4").reshape(volume.shape)
    assert np.isnan(values).any(), "where it has not looked it knows nothing"
    index = np.array(np.unravel_index(np.nanargmax(values), values.shape))
    hottest_mm: NDArray[np.float64] = np.array(volume.patient_from_voxel) @ index + np.array(volume.origin_mm)
    return float(np.linalg.norm(hottest_mm - NODE_MM))


def image_after(display: Display, number: int) -> tuple[int, VolumeState]:
    """Wait for a live image after this one; its number and its voxels' description."""

    def is_newer(state: State) -> bool:
        image = state.live_image
        return image is not None and image.volume is not None and image.number > number

    newest = display.states[-1].seq - 1 if display.states else -1
    image = display.until(is_newer, after_seq=newest).live_image
    assert image is not None
    assert image.volume is not None
    return image.number, image.volume


def wait_until_near(service: Service, display: Display) -> None:
    """Wait for an image whose hottest voxel lies within two voxels of the node."""
    number = 0
    while True:
        number, volume = image_after(display, number)
        status, etag, raw = fetch(service, volume)
        if status == 404:
            continue  # two newer ones have come meanwhile
        assert (status, etag) == (200, f'"{volume.etag}"')
        if off_node_mm(volume, raw) <= 2 * VOXEL_MM:
            assert fetch(service, volume, etag=volume.etag)[0] in {304, 404}
            return


def decisions(display: Display) -> list[str]:
    """All that was ever said of the bed, in the order in which it was said."""
    beds = [each.bed for state in display.states for each in state.resection.removed]
    said: list[str] = [bed.decision for bed in beds if bed is not None]
    return said[:1] + [later for earlier, later in pairwise(said) if later != earlier]


async def keep(page: Page, name: str, *, until: str = "") -> None:
    """Keep a picture for the manual where somebody asks for it, once a canvas is hot."""
    if asked := os.environ.get("RADIONAV_SCREENSHOTS"):
        if until:
            await until_hot(page, until)
        await page.screenshot(path=Path(asked) / name)


@pytest.mark.peer("chromium")
@pytest.mark.timeout(420)
async def test_a_node_is_imaged_marked_still_there_and_once_it_is_out_removed(tmp_path: Path) -> None:
    """The image's hot spot within two voxels of the node; its bed is never said to be free before it is."""
    await asyncio.to_thread(build_page)
    with (
        running("--simulate", "--port", 0, "--dicom-port", 0, "--excise", "node", folder=tmp_path) as service,
        looking(service.display) as display,
    ):
        async with looking_at(service.display) as page:
            card = page.locator("#resection .card")
            await page.keyboard.press("v")
            await expect(page.locator("#live-image")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
            await expect(page.locator("#live-image")).to_have_text(re.compile(r"^\d\.\d s old, \d+ mL known"))
            await asyncio.to_thread(wait_until_near, service, display)
            await keep(page, "live-image.png", until="#axial")
            await page.keyboard.press("x")
            await expect(page.get_by_role("button", name="is out")).to_be_visible(timeout=PATIENCE_MS)
            await page.keyboard.press("r")
            await expect(card).to_have_attribute("data-state", "none", timeout=PATIENCE_MS)
            await page.keyboard.press("b")
            await expect(card).to_have_attribute("data-state", "still-there", timeout=PATIENCE_MS)
            service.signal(signal.SIGUSR1)
            await asyncio.to_thread(service.said, "SIMULATED excision: node is out")
            assert decisions(display) in (["still there"], ["count on", "still there"])
            await page.keyboard.press("b")
            await expect(card).to_have_attribute("data-state", "removed", timeout=DECIDED_WITHIN_MS)
            await page.reload()
            await page.keyboard.press("v")
            await page.keyboard.press("x")
            await expect(card).to_have_attribute("data-state", "removed", timeout=PATIENCE_MS)
            await expect(card).to_contain_text(re.compile(r"At most \d\s% can be left"))
            await expect(page.locator("#simulated")).to_be_visible()
            await expect(page.locator("#live-image")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
            await keep(page, "excision.png")
        service.terminate()
        assert await asyncio.to_thread(service.ended) == 0
        assert "Traceback" not in service.complaints
    assert decisions(display)[-1] == "removed"


def test_an_excision_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    """No such source, no time, and no simulated room: exit status 2 and what to write."""
    for written in ("tumour:5", "tumour", "node:soon"):
        code, _, said = finish("--simulate", "--excise", written, folder=tmp_path)
        assert (code, "write SOURCE:AFTER_S" in said) == (2, True), said
    code, _, said = finish("--config", "site.toml", "--excise", "node:5", folder=tmp_path)
    assert (code, "go with --simulate" in said) == (2, True), said

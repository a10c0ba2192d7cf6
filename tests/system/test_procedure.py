"""A procedure on the page in real Chromium, on the real service with its simulated room: patient to report."""

import asyncio
import http.client
import re
import signal
import time
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect
from pypdf import PdfReader

from display.messages.feed import State
from display.messages.volume import VolumeState
from display.page.hatch_build import build_page
from simulators.scene import sentinel_node_scene
from tests.display.page.pictures import LIVE, picture
from tests.system.running import PATIENCE_S, Display, Service, finish, looking, running
from tests.system.test_display import PATIENCE_MS, looking_at

NODE_MM = sentinel_node_scene().sources[0].centre_mm
VOXEL_MM = 4.0
PICTURE = b"data:image/png"
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


async def begin(page: Page) -> None:
    """Confirm the patient by both identifiers, plan, and hold the time-out, up to the skin scan."""
    panel = page.locator("#procedure")
    await page.keyboard.press("p")
    await picture(page, "patient", f"{LIVE} #procedure [data-does=patient]")
    await page.get_by_role("button", name="Choose the patient").click(timeout=PATIENCE_MS)
    confirm = page.get_by_role("button", name="Confirm the patient")
    await expect(confirm).to_be_visible(timeout=PATIENCE_MS)
    await picture(page, "choosing-patient", f"{LIVE} #studies .study")
    await confirm.click(timeout=PATIENCE_MS)
    await expect(page.get_by_role("button", name="Both match")).to_be_disabled()
    await page.get_by_role("checkbox", name="Name").click()
    await picture(page, "confirming-patient", f"{LIVE} #studies [role=checkbox]")
    await page.get_by_role("checkbox", name="ID").click()
    await page.get_by_role("button", name="Both match").click()
    await page.get_by_role("button", name="Next: Plan").click(timeout=PATIENCE_MS)
    await expect(panel.locator("[data-proposed]").first).to_be_visible(timeout=PATIENCE_MS)
    await picture(page, "plan", f"{LIVE} #procedure .source")
    for spot in await panel.get_by_role("radiogroup").all():
        await spot.locator("[data-proposed]").click(timeout=PATIENCE_MS)
        await expect(spot.locator("[aria-checked=true]")).to_be_visible(timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Next: Time-out").click(timeout=PATIENCE_MS)
    items = panel.locator(".check")
    await expect(items).to_have_count(7, timeout=PATIENCE_MS)
    for item in await items.all():
        if await item.get_attribute("data-state") == "open":
            await item.click()
            await expect(item).to_have_attribute("data-state", "confirmed", timeout=PATIENCE_MS)
    # the simulated room's calibration is of no today: its quality check cannot be confirmed
    await expect(panel.locator("[data-state=failing]")).to_have_count(1)
    await picture(page, "time-out", f"{LIVE} #procedure .check[data-state=failing]")
    await page.get_by_role("button", name="Next: Skin scan").click()
    await page.get_by_role("button", name="Device not available").click()
    await picture(page, "overriding", f"{LIVE} #procedure .override")
    await page.get_by_role("button", name="Go on to Skin scan").click()
    await at_step(page, "skin scan")


def at(step: str) -> str:
    """Tell by which element a picture shows that step."""
    return f"{LIVE} #procedure-button[data-state='{step}']"


async def at_step(page: Page, step: str) -> None:
    """Wait until the procedure stands at a step."""
    await expect(page.locator("#procedure-button")).to_have_text(f"Procedure: {step}", timeout=PATIENCE_MS)


async def go_on(page: Page, step: str) -> None:
    """Take the next step once nothing is missing."""
    following = page.locator("#procedure .next[data-state=ready]")
    await expect(following).to_be_enabled(timeout=DECIDED_WITHIN_MS)
    await following.click()
    await at_step(page, step)


def report_of(service: Service, kind: str = "") -> bytes:
    """Fetch the report of the last procedure."""
    connection = http.client.HTTPConnection(service.display, timeout=PATIENCE_S)
    try:
        connection.request("GET", f"/v1/procedure/report{kind}")
        return connection.getresponse().read()
    finally:
        connection.close()


def reports_of(service: Service) -> tuple[str, bytes]:
    """Fetch both reports of the last procedure, once no page sends a picture between the one and the other."""
    deadline_s = time.monotonic() + PATIENCE_S
    report = report_of(service)
    while True:
        pdf, later = report_of(service, ".pdf"), report_of(service)
        if later.count(PICTURE) == report.count(PICTURE):
            return later.decode(), pdf
        assert time.monotonic() < deadline_s, "the report gets picture after picture"
        report = later


@pytest.mark.peer("chromium")
@pytest.mark.timeout(600)
async def test_a_whole_procedure_from_patient_to_report(tmp_path: Path) -> None:
    """Step by step, the service killed in its middle; the image finds the node; its bed is free once it is out."""
    await asyncio.to_thread(build_page)
    room = ("--simulate", "--dicom-port", 0, "--excise", "node", "--keep", tmp_path / "kept")
    with running(*room, "--port", 0, folder=tmp_path) as service, looking(service.display) as display:
        address = service.display
        async with looking_at(address) as page:
            card = page.locator("#resection .card")
            await begin(page)
            await picture(page, "skin-scan", at("skin scan"), keys="p")
            await page.keyboard.press("v")
            await expect(page.locator("#live-image")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
            await expect(page.locator("#live-image")).to_have_text(re.compile(r"^\d\.\d s old, \d+ mL known"))
            await asyncio.to_thread(wait_until_near, service, display)
            for step in ("incision", "in vivo"):
                await go_on(page, step)
                await picture(page, step.replace(" ", "-"), at(step), keys="p")
            await page.keyboard.press("p")
            await page.keyboard.press("x")
            await expect(page.get_by_role("button", name="is out")).to_be_visible(timeout=PATIENCE_MS)
            await page.keyboard.press("r")
            await expect(card).to_have_attribute("data-state", "none", timeout=PATIENCE_MS)
            await page.keyboard.press("b")
            await expect(card).to_have_attribute("data-state", "still-there", timeout=PATIENCE_MS)
            await expect(page.locator("#resection-button")).to_have_attribute("data-state", "idle")
            await page.keyboard.press("s")
            specimen = page.locator("#resection .row")
            await expect(specimen).to_be_visible(timeout=PATIENCE_MS)
            await picture(page, "still-there", f"{LIVE} #resection .card[data-state=still-there]")
            assert decisions(display) in (["still there"], ["count on", "still there"])
            service.signal(signal.SIGKILL)
            await asyncio.to_thread(service.ended)
            await expect(page.locator("body")).to_have_attribute("data-feed", "stale", timeout=PATIENCE_MS)
            # another scan of the same patient: it may not take the place of the confirmed one
            port = address.rpartition(":")[2]
            again = running(*room, "--port", port, "--seed", 2, folder=tmp_path)
            with again as restarted, looking(restarted.display) as later:
                await at_step(page, "in vivo")
                await expect(card).to_have_attribute("data-state", "still-there", timeout=PATIENCE_MS)
                await expect(specimen).to_contain_text("HOTTEST", timeout=PATIENCE_MS)
                await expect(page.locator("#studies-button")).to_have_text("Studies (2)", timeout=PATIENCE_MS)
                in_use = [study.in_use for study in await asyncio.to_thread(restarted.studies)]
                assert in_use == [False, True], "newest first"
                restarted.signal(signal.SIGUSR1)
                await asyncio.to_thread(restarted.said, "SIMULATED excision: node is out")
                await finish_procedure(page)
                await asyncio.to_thread(later.until, lambda state: state.procedure.step == "ended")
                report, pdf = await asyncio.to_thread(reports_of, restarted)
                restarted.terminate()
                assert await asyncio.to_thread(restarted.ended) == 0
                assert "Traceback" not in restarted.complaints
    assert decisions(later)[-1] == "removed"
    judge(report, pdf)


def judge(report: str, pdf: bytes) -> None:
    """Look whether both reports tell of the procedure: in words, and by their pictures."""
    for words in ("SIMULATED", "removed: less than a tenth is left", "Device not available", "this machine, "):
        assert words in report, words
    pictures = report.count(PICTURE.decode())
    assert pictures >= 5
    assert report.count("<td>started</td>") == 2
    pages = PdfReader(BytesIO(pdf)).pages
    assert sum(len(each.images) for each in pages) == pictures
    assert "SIMULATED" in pages[0].extract_text()


async def finish_procedure(page: Page) -> None:
    """Count the bed until it is free, and take the last steps; loaded anew, the page shows what it showed still.

    A look may be wrong, one time in a hundred and more where others went before it: a surgeon then looks again.
    """
    card, button = page.locator("#resection .card"), page.locator("#resection-button")
    count = page.get_by_role("button", name="Count bed")
    for _ in range(3):
        await expect(count).to_be_enabled(timeout=PATIENCE_MS)
        await page.keyboard.press("b")
        await expect(button).not_to_have_attribute("data-state", "idle", timeout=PATIENCE_MS)
        await expect(button).to_have_attribute("data-state", "idle", timeout=DECIDED_WITHIN_MS)
        if await card.get_attribute("data-state") == "removed":
            break
    await expect(card).to_have_attribute("data-state", "removed", timeout=PATIENCE_MS)
    await page.reload()
    await expect(card).to_have_attribute("data-state", "removed", timeout=PATIENCE_MS)
    await expect(card).to_contain_text(re.compile(r"At most \d\s% can be left"))
    await expect(page.locator("#simulated")).to_be_visible()
    await expect(page.locator("#live-image")).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
    await page.keyboard.press("x")
    await page.keyboard.press("p")
    for step in ("ex vivo", "bed"):
        await go_on(page, step)
        await picture(page, step.replace(" ", "-"), at(step), keys="px")
    await go_on(page, "ended")
    link = page.get_by_role("link", name="Report")
    await expect(link).to_be_visible(timeout=PATIENCE_MS)
    await picture(page, "ended", f"{LIVE} #procedure a")
    async with page.expect_popup() as opened:
        await link.click()
    report = await opened.value
    await expect(report.locator("h1")).to_have_text(re.compile(r"^Procedure \d+$"), timeout=PATIENCE_MS)
    await picture(report, "report", "h1")
    await report.close()


def test_an_excision_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    """No such source, no time, and no simulated room: exit status 2 and what to write."""
    for written in ("tumour:5", "tumour", "node:soon"):
        code, _, said = finish("--simulate", "--excise", written, folder=tmp_path)
        assert (code, "write SOURCE:AFTER_S" in said) == (2, True), said
    code, _, said = finish("--config", "site.toml", "--excise", "node:5", folder=tmp_path)
    assert (code, "go with --simulate" in said) == (2, True), said

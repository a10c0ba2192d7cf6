"""The live image over the CT, on the page in real Chromium: where it is hot, what it knows, how old it is."""

import os
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect

from display.messages.volume import LiveImageState
from display.shelf import ShelvedVolume, shelve
from navigation.volume import Volume, VolumeGeometry
from tests.display.page.pixels import HOT, pixels
from tests.display.page.room import NODE_MM, STALE_AFTER_S, Room, state_of

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

STEP_MM = 4.0
CELLS = 18
KNOWN_MM = 26.0
"""Of the node is known; beyond it nothing is."""

FIELD_MM, NEAR_MM = 200.0, 30.0
"""Across the shorter side of a slice; where hot pixels are the node's."""

TINTED = "blue > red + 15 && blue > green + 10 && red < 160 && green < red + 45"
COLOURED = "Math.max(red, green, blue) - Math.min(red, green, blue) > 60 && blue < red"

LINE_PIXELS = 200
"""A row or column of so many is a line: the known ball is half as wide."""

HOT_MM = NODE_MM + 3.0
"""Where the room's scan has its node."""


def image_about(hot_mm: NDArray[np.float64]) -> ShelvedVolume:
    """A live image, hot at one place, that knows nothing far from the node."""
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = STEP_MM
    affine[:3, 3] = NODE_MM - STEP_MM * (CELLS - 1) / 2
    affine[3, 3] = 1.0
    shape = (CELLS, CELLS, CELLS)
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2.3")
    places_mm = geometry.positions_mm(np.moveaxis(np.indices(shape), 0, -1))
    values = 2e5 * np.exp(-0.5 * (np.linalg.norm(places_mm - hot_mm, axis=-1) / 6.0) ** 2)
    values[np.linalg.norm(places_mm - NODE_MM, axis=-1) > KNOWN_MM] = np.nan
    quantity, unit = "activity concentration", "Bq/mL"
    return shelve(Volume(geometry=geometry, values=values.astype(np.float32), quantity=quantity, unit=unit))


def show(room: Room, shelved: ShelvedVolume | None, *, number: int = 1, age_s: float = 0.3) -> None:
    """Let the room have this image."""
    if shelved is not None:
        room.shelf.renew(shelved)
    room.now["live_image"] = LiveImageState(
        number=number,
        volume=shelved.state if shelved else None,
        coverage=0.6 if shelved else 0.0,
        known_ml=480.0 if shelved else 0.0,
        readings=420,
        without=("injection",),
        age_s=age_s,
        stale_after_s=10.0,
    )


async def look_at_node(room: Room, page: Page) -> None:
    """Cut all three slices through the node: without a probe they go through the target."""
    room.now["pose"] = None
    await state_of(page, "#axial", "target")


async def lay_live_over(page: Page) -> None:
    """Lay the live image over the CT in place of the scan, and wait until that is drawn."""
    await page.keyboard.press("v")
    await state_of(page, "#live-image", "live")


async def middle_mm(page: Page, canvas: str) -> NDArray[np.float64]:
    """Middle of the hot pixels near the middle of a canvas, mm from there: the injection site lies farther off."""
    box = await page.locator(canvas).bounding_box()
    assert box is not None
    size_mm = np.array([box["width"], box["height"]]) / min(box["width"], box["height"]) * FIELD_MM
    away_mm = (await pixels(page, canvas, HOT) - 0.5) * size_mm
    near = away_mm[np.linalg.norm(away_mm, axis=1) < NEAR_MM]
    assert len(near) > 50
    return np.asarray(near.mean(axis=0))


def off_the_cross(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out the lines across the slice that show where the others lie; what is known reaches less far."""
    for across in (0, 1):
        values, found, size = np.unique(places[:, across], return_inverse=True, return_counts=True)
        places = places[size[found] < LINE_PIXELS] if len(values) else places
    return places


async def until_hot(page: Page, canvas: str, *, is_hot: bool = True) -> None:
    """Wait until a canvas has hot pixels, or none."""
    for _ in range(200):
        if (len(await pixels(page, canvas, HOT)) > 50) == is_hot:
            return
        await page.wait_for_timeout(50)
    pytest.fail(f"{canvas} never became {'hot' if is_hot else 'cold'}")


async def test_the_live_image_lies_where_the_scan_has_the_node(room: Room, page: Page) -> None:
    """Scan and live image in turn, key V: in every slice their hot spots lie within 3 mm of each other."""
    await look_at_node(room, page)
    show(room, image_about(HOT_MM))
    canvases = ("#axial", "#coronal", "#sagittal")
    for canvas in canvases:
        await until_hot(page, canvas)
    scanned = [await middle_mm(page, canvas) for canvas in canvases]
    await lay_live_over(page)
    await expect(page.locator("#live-image")).to_have_text(
        re.compile(r"^0\.\d s old, 480 mL known, without injection$")
    )
    for canvas, place_mm in zip(canvases, scanned, strict=True):
        await until_hot(page, canvas)
        assert np.linalg.norm(await middle_mm(page, canvas) - place_mm) < 3.0, canvas
    await page.get_by_role("radio", name="Scan").click()
    await state_of(page, "#live-image", "hidden")


async def test_what_it_does_not_know_is_left_as_the_ct_has_it(room: Room, page: Page) -> None:
    """Known and cold is tinted, within the known ball alone; the scan tints nothing."""
    await look_at_node(room, page)
    show(room, image_about(HOT_MM))
    await until_hot(page, "#axial")
    assert len(off_the_cross(await pixels(page, "#axial", TINTED))) < 50
    await lay_live_over(page)
    await until_hot(page, "#axial")
    tinted = off_the_cross(await pixels(page, "#axial", TINTED))
    assert len(tinted) > 500
    box = await page.locator("#axial").bounding_box()
    assert box is not None
    reach = KNOWN_MM * min(box["width"], box["height"]) / FIELD_MM
    away = np.linalg.norm((tinted - np.median(tinted, axis=0)) * [box["width"], box["height"]], axis=1)
    assert (away < 1.3 * reach).mean() > 0.97, "but for the rims of letters"
    assert (away > 0.8 * reach).mean() > 0.1, "as far as it is known"
    if asked := os.environ.get("RADIONAV_SCREENSHOT"):
        await page.screenshot(path=Path(asked))


async def test_a_newer_image_takes_the_place_of_the_older(room: Room, page: Page) -> None:
    """Another number, another etag: the hot spot has moved 16 mm to the left."""
    await look_at_node(room, page)
    show(room, image_about(HOT_MM))
    await lay_live_over(page)
    await until_hot(page, "#axial")
    before = await middle_mm(page, "#axial")
    show(room, image_about(HOT_MM + np.array([16.0, 0.0, 0.0])), number=2)
    for _ in range(200):
        if (await middle_mm(page, "#axial") - before)[0] > 8.0:
            break
        await page.wait_for_timeout(50)
    moved = await middle_mm(page, "#axial") - before
    assert moved[0] == pytest.approx(16.0, abs=4.0)
    assert abs(moved[1]) < 2.0


async def test_an_old_image_is_grey_and_says_so(room: Room, page: Page) -> None:
    """Beyond its limit, by the page's own clock too, nothing on it is coloured; a newer one is."""
    room.stale_after_s = STALE_AFTER_S
    await page.reload()
    await look_at_node(room, page)
    shelved = image_about(HOT_MM)
    show(room, shelved)
    await lay_live_over(page)
    await until_hot(page, "#axial")
    show(room, shelved, age_s=12.0)
    await expect(page.locator("#live-image")).to_have_text(re.compile(r"^LIVE IMAGE 1\d s OLD$"))
    await state_of(page, "#live-image", "stale")
    await until_hot(page, "#axial", is_hot=False)
    assert len(await pixels(page, "#axial", COLOURED)) == 0
    show(room, shelved)
    await until_hot(page, "#axial")
    room.is_silent = True
    await state_of(page, "#live-image", "stale")
    await until_hot(page, "#axial", is_hot=False)


async def test_no_image_is_said_in_words_and_draws_nothing(room: Room, page: Page) -> None:
    """Before the first, where nothing can be told, and with another study: no colour over the CT."""
    await look_at_node(room, page)
    await until_hot(page, "#axial")
    await page.keyboard.press("v")
    await expect(page.locator("#live-image")).to_have_text("No live image yet: sweep slowly over the skin")
    await until_hot(page, "#axial", is_hot=False)
    show(room, None)
    await expect(page.locator("#live-image")).to_have_text("Nothing can be told yet: sweep closer")
    show(room, image_about(HOT_MM))
    await until_hot(page, "#axial")
    room.now["live_image"] = None
    await state_of(page, "#live-image", "none")
    await until_hot(page, "#axial", is_hot=False)
    show(room, image_about(HOT_MM))
    await until_hot(page, "#axial")
    room.now["study"] = None
    room.now["live_image"] = msgspec.structs.replace(room.now["live_image"], age_s=0.1)
    await state_of(page, "#axial", "none")
    await expect(page.locator("#live-image")).to_be_empty()

"""The patient in three dimensions: what is drawn, by its pixels, in real Chromium."""

import re

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect

from display.messages.volume import SurfaceState
from tests.display.page.pixels import pixels_of, solid_pixels, until_pixels
from tests.display.page.room import Room, make_pose, make_study, make_target, open_late, state_of
from tests.display.page.test_slices_page import loaded

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("built_page", "calm"),
]


async def test_the_patient_is_shown_in_three_dimensions(room: Room, page: Page) -> None:
    """Skin, bone and hot spot, the probe and wires of the targets; what is not there is not drawn."""
    await loaded(page)
    await state_of(page, "#solid", "shown")
    view = page.get_by_label(re.compile(r"3-D view: 3 surfaces, \d located targets, probe shown"))
    await expect(view).to_be_visible()
    shot = await page.locator("#solid").screenshot()
    assert len(shot) > 8_000, "an empty view packs to next to nothing"
    room.now["pose"] = None
    await expect(page.get_by_label(re.compile("no live probe$"))).to_be_visible()
    room.now["study"] = None
    await expect(page.get_by_label(re.compile("3-D view: 0 surfaces"))).to_be_visible()


GROUND = (11.0, 13.0, 16.0)
"""What the 3-D view has where nothing is, red, green and blue."""


async def test_skin_bone_and_activity_are_each_drawn(room: Room, page: Page) -> None:
    """Each by itself, in its own colour; what is hot and the bone are seen through the skin."""
    await loaded(page)
    room.now |= {"pose": None, "targets": ()}
    surfaces: dict[str, SurfaceState] = {each.kind: each for each in make_study().surfaces}
    seen = {}
    for kinds in (("skin",), ("bone",), ("activity",), ("skin", "bone", "activity")):
        chosen = tuple(surfaces[kind] for kind in kinds)
        for study in (None, msgspec.structs.replace(make_study(), surfaces=chosen)):
            room.now["study"] = study
            number = len(study.surfaces) if study else 0
            await expect(page.get_by_label(f"3-D view: {number} surfaces, 0 located targets")).to_be_visible()
        png = await page.locator("#solid").screenshot()
        picture = pixels_of(png).reshape(-1, 3)
        seen[kinds] = picture[(np.abs(picture - GROUND) > 12).any(axis=1)]
    assert min(map(len, seen.values())) > 100
    skin, bone, hot = (np.median(seen[kind,], axis=0) for kind in ("skin", "bone", "activity"))
    assert bone.sum() > 1.5 * skin.sum(), "bone is light"
    assert hot[0] > 2 * hot[2], "what is hot is orange"
    together = seen["skin", "bone", "activity"]
    assert np.count_nonzero(together[:, 0] > 2 * together[:, 2]) > 50
    assert np.count_nonzero((together > 0.8 * bone).all(axis=1)) > 50


async def test_wires_and_probe_are_in_the_3d_view_by_their_pixels(room: Room, page: Page) -> None:
    """White wires of a located target, and none after; a green probe while it is seen, and none after."""
    await state_of(page, "#solid", "shown")
    white, green = ([235, 235, 235], [255, 255, 255]), ([30, 140, 60], [120, 255, 160])
    await until_pixels(page, white, lambda count: count >= 10)
    await until_pixels(page, green, lambda count: count >= 30)
    room.change_target(localisable=False, reason="too few counts")
    await until_pixels(page, white, lambda count: count == 0)
    room.now["pose"] = None
    await until_pixels(page, green, lambda count: count == 0)


async def test_the_path_of_the_tip_is_in_the_3d_view_by_its_pixels(room: Room, page: Page) -> None:
    """A blue line grows as the tip goes over the skin, stays there, and goes with registration and study."""
    await state_of(page, "#solid", "shown")
    blue = ([40, 130, 180], [135, 225, 255])
    await until_pixels(page, blue, lambda count: count < 10)
    sweep(room)
    await until_pixels(page, blue, lambda count: count >= 60)
    room.now["pose"] = None
    await expect(page.get_by_label(re.compile("no live probe$"))).to_be_visible()
    assert await solid_pixels(page, *blue) >= 60
    room.registration = np.diag([-1.0, -1.0, 1.0, 1.0]).tolist()
    await until_pixels(page, blue, lambda count: count == 0)
    sweep(room)
    await until_pixels(page, blue, lambda count: count >= 60)
    room.now["study"] = None
    await until_pixels(page, blue, lambda count: count == 0)


UPLOADS = """
() => {
  window.__uploaded = [];
  const bytesOf = (data) => (typeof data === "number" ? data : data.byteLength);
  const { bufferData, bufferSubData } = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype.bufferData = function (target, data, ...rest) {
    window.__uploaded.push(bytesOf(data));
    return bufferData.call(this, target, data, ...rest);
  };
  WebGL2RenderingContext.prototype.bufferSubData = function (target, at, data, first, count) {
    window.__uploaded.push(count === undefined ? bytesOf(data) : count * data.BYTES_PER_ELEMENT);
    return bufferSubData.call(this, target, at, data, first, count);
  };
}
"""
"""Notes how many bytes of places and triangles the page hands to the graphics card at a time."""

POINT_BYTES = 12


async def test_a_long_path_costs_no_more_than_a_short_one(room: Room, page: Page) -> None:
    """Each drawing hands over the tip and what is new of its path; the line is that of a display opened late.

    What does not change, the surfaces and all that was swept, is not handed over again.
    """
    await state_of(page, "#solid", "shown")
    blue = ([40, 130, 180], [135, 225, 255])
    for start, end in ((0, 100), (100, 300)):
        hatch(room, range(start, end))
        await expect(page.locator("#solid")).to_have_attribute("data-points", f"{1 + end}")
    whole = await solid_pixels(page, *blue)
    assert whole >= 60
    late = await open_late(room, page)
    await expect(late.locator("#solid")).to_have_attribute("data-points", "301")
    await until_pixels(late, blue, lambda count: count == whole)
    await late.close()
    await page.evaluate(UPLOADS)
    for number in range(300, 303):
        hatch(room, range(number, number + 1))
        await expect(page.locator("#solid")).to_have_attribute("data-points", f"{number + 2}")
    uploaded = sorted(await page.evaluate("window.__uploaded"))
    assert len(uploaded) >= 3
    assert max(uploaded[:-1]) <= 3 * POINT_BYTES, "but for one, where there has to be more room"


def hatch(room: Room, steps: range) -> None:
    """Draw the tip over the skin in rows, some of their steps of 4 mm, each in a frame; then nobody sees it."""
    for step in steps:
        room.now["pose"] = make_pose(np.array([100.0 - 4.0 * (step % 50), -95.0, 40.0 - 8.0 * (step // 50)]))
        room.publish()
    room.now["pose"] = None


def sweep(room: Room) -> None:
    """Draw the tip over the skin in twelve steps, each in a frame; then nobody sees it."""
    for share in np.linspace(0.0, 1.0, 12):
        room.now["pose"] = make_pose(np.array([120.0 - 200.0 * share, -95.0, 70.0 * np.sin(6.0 * share)]))
        room.publish()
    room.now["pose"] = None


async def wires(page: Page) -> NDArray[np.float64]:
    """Middle of the white pixels of the 3-D view, in shares of its sides; NaN where there are none."""
    seen = pixels_of(await page.locator("#solid").screenshot())
    down, across = np.nonzero((seen >= 235).all(axis=-1))
    size = np.array([seen.shape[1], seen.shape[0]])
    return np.array([across.mean(), down.mean()]) / size if len(across) else np.full(2, np.nan)


async def test_left_and_head_are_right_and_up_in_the_3d_view(room: Room, page: Page) -> None:
    """Seen from the front, as in the slices: wires of a target in the left of the patient, or near her head."""
    room.now |= {"pose": None, "study": msgspec.structs.replace(make_study(), surfaces=())}
    places = []
    for x_mm, z_mm in ((60.0, 0.0), (-60.0, 0.0), (0.0, 50.0), (0.0, -50.0)):
        target = make_target(make_pose(), centre_mm=np.array([x_mm, -60.0, z_mm]), semi_mm=(9.0, 9.0, 9.0))
        for targets in ((), (target,)):
            room.now["targets"] = targets
            await expect(
                page.get_by_label(f"3-D view: 0 surfaces, {len(targets)} located targets")
            ).to_be_visible()
        places.append(await wires(page))
    left, right, head, feet = places
    assert left[0] > right[0] + 0.1
    assert head[1] < feet[1] - 0.1

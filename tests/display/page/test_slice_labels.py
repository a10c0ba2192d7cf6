"""Words in the slices are whole: within the picture and over no others, wherever the target lies."""

from typing import Any

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page

from tests.display.page.room import TIP_MM, Room, look, make_target, serve, state_of, wait_until_live
from tests.display.page.test_slices_page import loaded

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("built_page", "calm"),
]

RECORD_BOXES = """
() => {
  window.__boxes = {};
  const { fillText, drawImage, fillRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    window.__boxes[this.canvas.id] = []; // a new picture
    return drawImage.apply(this, given);
  };
  CanvasRenderingContext2D.prototype.fillRect = function (x, y, width, height) {
    const isAll = width * this.getTransform().a >= this.canvas.width - 1;
    if (isAll && x === 0) window.__boxes[this.canvas.id] = []; // one without an image: no pose is live
    return fillRect.call(this, x, y, width, height);
  };
  CanvasRenderingContext2D.prototype.fillText = function (words, x, y, ...rest) {
    const size = this.measureText(words);
    const { a, e, f } = this.getTransform();
    window.__boxes[this.canvas.id]?.push({
      words,
      left: (x - size.actualBoundingBoxLeft) * a + e,
      right: (x + size.actualBoundingBoxRight) * a + e,
      top: (y - size.actualBoundingBoxAscent) * a + f,
      bottom: (y + size.actualBoundingBoxDescent) * a + f,
      width: this.canvas.width,
      height: this.canvas.height,
    });
    return fillText.call(this, words, x, y, ...rest);
  };
}
"""
"""Notes the boxes of the letters of each canvas's newest picture, pixels of the canvas."""

SLICES = ("axial", "coronal", "sagittal", "probe-slice")

SIZES = ((1920, 1080), (1280, 800))

OFF_MM = ((0.0, 0.0, -36.0), (0.0, 30.0, 44.0), (70.0, 60.0, 0.0), (-90.0, 10.0, -60.0), (130.0, 90.0, 110.0))
"""Where a target lies from the tip: in its planes and off them, in sight, at the edges and beyond them."""


def faults(boxes: list[dict[str, Any]]) -> list[str]:
    """List words that are cut by the edge of their picture, or lie over others."""
    found = []
    for number, one in enumerate(boxes):
        if one["left"] < 0 or one["top"] < 0 or one["right"] > one["width"] or one["bottom"] > one["height"]:
            found.append(f"cut: {one['words']}")
        for other in boxes[number + 1 :]:
            across = min(one["right"], other["right"]) - max(one["left"], other["left"])
            down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
            if across > 1 and down > 1:
                found.append(f"{one['words']} over {other['words']}")
    return found


def scatter(room: Room, off_mm: tuple[float, float, float], name: str) -> None:
    """Put the target there, and an injection site and an organ beside it."""
    pose = room.now["pose"]
    centre_mm = TIP_MM + np.array(off_mm)
    site = make_target(pose, name="injection", centre_mm=centre_mm + np.array([9.0, 0.0, -9.0]), injection=True)
    organ = make_target(pose, name="target 2", centre_mm=centre_mm + np.array([-9.0, 4.0, 6.0]))
    room.now["targets"] = (
        make_target(pose, name=name, centre_mm=centre_mm),
        site,
        msgspec.structs.replace(organ, kind="organ"),
    )


async def newest_boxes(page: Page, name: str) -> dict[str, list[dict[str, Any]]]:
    """Wait until each slice has the target's words, and return the boxes of all of each slice's words."""
    told: dict[str, list[dict[str, Any]]] = {}
    for canvas in SLICES:
        handle = await page.wait_for_function(
            """([canvas, name]) => {
              const boxes = window.__boxes[canvas] ?? [];
              const isTold = boxes.some((box) => box.words.startsWith(name));
              return isTold && boxes.at(-1).words.length > 1 ? boxes : null;
            }""",
            arg=[canvas, name],
        )
        told[canvas] = await handle.json_value()
    return told


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_words_in_the_slices_are_whole(room: Room, language: Any) -> None:
    """In both sizes, wherever the target lies, and without a study: each within its slice, and over no other."""
    room.language = language
    found: list[tuple[str, int, object, str]] = []
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await loaded(page)
        await page.evaluate(RECORD_BOXES)
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            for number, off_mm in enumerate(OFF_MM):
                name = f"node {width} {number}"
                scatter(room, off_mm, name)
                boxes = await newest_boxes(page, name)
                found += [(canvas, width, off_mm, each) for canvas in SLICES for each in faults(boxes[canvas])]
            study, room.now["study"] = room.now["study"], None
            await state_of(page, "#study", "none")
            await page.evaluate("names => names.forEach((name) => (window.__boxes[name] = []))", SLICES)
            for canvas in SLICES:
                told = await page.wait_for_function("name => window.__boxes[name][0]", arg=canvas)
                found += [(canvas, width, "empty", each) for each in faults([await told.json_value()])]
            room.now["study"] = study
            await loaded(page)
    assert not found

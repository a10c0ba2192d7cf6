"""Where on a canvas of the page a colour lies, and how much of it is on the screen."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import image
from numpy.typing import NDArray
from playwright.async_api import Page

COLOURED = """
(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = [];
  for (let n = 0; n < data.length; n += 4) {
    const [red, green, blue] = [data[n], data[n + 1], data[n + 2]];
    if (IS_WANTED) found.push([(n / 4) % width / width, Math.floor(n / 4 / width) / height]);
  }
  return found;
}
"""
"""Where on a canvas, in shares of its sides, the pixels of a colour lie."""

HOT = "red > 150 && green < 0.8 * red && blue < 0.8 * red"

MIDDLE_OF_HOT = f"""
(canvas) => {{
  const hot = ({COLOURED.replace("IS_WANTED", HOT)})(document.querySelector(canvas));
  const [x, y] = [0, 1].map((n) => hot.reduce((sum, place) => sum + place[n], 0) / hot.length);
  return hot.length > 50 && PLACE;
}}
"""
"""Whether the middle of the hot pixels of a canvas lies in a place."""

WHITE = "red > 250 && green > 250 && blue > 250"


async def pixels(page: Page, canvas: str, colour: str) -> Any:
    """Positions (n, 2) of a colour's pixels on a canvas, in shares of its sides."""
    found = await page.locator(canvas).evaluate(COLOURED.replace("IS_WANTED", colour))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def pixels_of(png: bytes) -> NDArray[np.float64]:
    """Red, green and blue of a picture, 0 to 255."""
    return np.asarray(image.imread(io.BytesIO(png), format="png"), dtype=np.float64)[..., :3] * 255


async def solid_pixels(page: Page, low: list[int], high: list[int], *, element: str = "#solid") -> int:
    """Count pixels of a colour in an element as the screen has it."""
    seen = pixels_of(await page.locator(element).screenshot())
    return int(((seen >= low) & (seen <= high)).all(axis=-1).sum())


async def until_pixels(
    page: Page, colour: tuple[list[int], list[int]], is_enough: Callable[[int], bool], *, element: str = "#solid"
) -> None:
    """Wait for a colour in an element; the 3-D view is drawn four times a second."""
    async with asyncio.timeout(90):
        while not is_enough(await solid_pixels(page, *colour, element=element)):
            await page.wait_for_timeout(200)

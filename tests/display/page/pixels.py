"""Where on a canvas of the page a colour lies."""

from typing import Any

import numpy as np
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

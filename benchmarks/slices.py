"""How many updates a second the page keeps while its slices follow the tip, in Chromium without a graphics card.

The whole service runs, as ``radionav --simulate`` does, and makes a state twenty times a second; the page is open
on a screen of 1920 x 1080 and draws with Chromium's own software rendering, which it takes by itself where there
is no graphics card. It is the page as it is shipped: what is measured is put around it from outside
(``requestAnimationFrame``, the socket's ``send``, ``putImageData``).

    python -m benchmarks.slices --seconds 20

Prints one JSON line. ``updates_per_s`` is how many states were drawn a second, ``kept`` their share of those that
the service made; ``frame_ms`` is how long the page's thread drew at one, slices and all, ``interval_ms`` the time
from one drawn state to the next; ``slices_per_update`` says that slices were cut anew, of four on the page.
``thread_ms`` is processor time of the page's thread an update, whatever else the machine did: 50 ms are all of it.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from benchmarks.feed import service
from display.page.hatch_build import build_page

WIDTH, HEIGHT = 1920, 1080
PATIENCE_S = 120.0
"""Until the simulated study has come, been read and is shown."""

FLAGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required")

INSTRUMENTS = """
window.drawn = [];
let begun_ms = NaN, slices = 0;
const wait = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => wait((at) => { begun_ms = performance.now(); draw(at); });
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...given) {
  slices += 1;
  return put.apply(this, given);
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
  const message = JSON.parse(text);
  const at_ms = performance.now();
  if (message.type === "next" && message.last_seq >= 0) {
    window.drawn.push([message.last_seq, at_ms, at_ms - begun_ms, slices]);
  }
  return send.call(this, text);
};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A state that was drawn: its number, when that was done and how long it took (ms), slices cut until then."""

    seq: int
    at_ms: float
    took_ms: float
    slices: int


def figures(drawn: Sequence[Drawn]) -> dict[str, float]:
    """Sum up the states that were drawn one after the other; wants two of them at least."""
    first, last = drawn[0], drawn[-1]
    lasted_s = (last.at_ms - first.at_ms) / 1000
    updates, made = len(drawn) - 1, last.seq - first.seq
    took_ms = [each.took_ms for each in drawn[1:]]
    intervals_ms = np.diff([each.at_ms for each in drawn])
    return {
        "updates_per_s": round(updates / lasted_s, 2),
        "kept": round(updates / made, 4),
        "frame_ms_median": round(float(np.median(took_ms)), 2),
        "frame_ms_p99": round(float(np.percentile(took_ms, 99)), 2),
        "interval_ms_median": round(float(np.median(intervals_ms)), 2),
        "interval_ms_p99": round(float(np.percentile(intervals_ms, 99)), 2),
        "slices_per_update": round((last.slices - first.slices) / updates, 2),
    }


def _thread_s(session: CDPSession) -> float:
    """Processor time that the page's thread has spent on its tasks, s."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def watch(page: Page, address: str, *, seconds: float) -> tuple[list[Drawn], float]:
    """Look at a service's page for so long, once its slices follow the tip; gives its thread's time too, s."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.add_init_script(INSTRUMENTS)
    page.goto(address)
    for cut in ("axial", "coronal", "sagittal"):
        page.locator(f"#{cut}[data-state=tip]").wait_for(timeout=PATIENCE_S * 1000)
    expect(page.locator("#slices-note")).to_have_text("", timeout=PATIENCE_S * 1000)
    page.evaluate("window.drawn.length = 0")
    before_s = _thread_s(session)
    page.wait_for_timeout(seconds * 1000)
    spent_s = _thread_s(session) - before_s
    found: list[list[float]] = page.evaluate("window.drawn")
    drawn = [
        Drawn(seq=int(seq), at_ms=at_ms, took_ms=took_ms, slices=int(slices))
        for seq, at_ms, took_ms, slices in found
    ]
    return drawn, spent_s


def measure(*, seconds: float, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    """Run service and browser, look, and sum up.

    Raises
    ------
    RuntimeError
        Where there is no Chromium.

    """
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("chromium is not installed: apt install chromium")
    build_page()
    with (
        tempfile.TemporaryDirectory() as folder,
        service(Path(folder)) as (feed, _),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": width, "height": height})
        drawn, spent_s = watch(page, feed.replace("ws://", "http://").removesuffix("v1/feed"), seconds=seconds)
    thread_ms = round(1000 * spent_s / len(drawn), 2)
    return {"width": width, "height": height, "seconds": seconds} | figures(drawn) | {"thread_ms": thread_ms}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the page is looked at")
    parser.add_argument("--size", default=f"{WIDTH}x{HEIGHT}", help="of the screen, pixels")
    chosen = parser.parse_args()
    width, height = map(int, chosen.size.split("x"))
    print(json.dumps(measure(seconds=chosen.seconds, width=width, height=height)))


if __name__ == "__main__":
    main()

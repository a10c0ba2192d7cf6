"""Each state of the live view as a picture; those of the procedure come from a real one, in tests/system."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.display.page.pictures import FOLDER, LIVE, SIZES, keep
from tests.display.page.room import Room, look, serve, wait_until_live
from tests.display.page.states import (
    advised,
    alarming,
    as_it_is,
    contradicted,
    cut_off,
    dead_time,
    imaged,
    imaged_long_ago,
    lost_probe,
    lost_tracker,
    old_estimate,
    overloaded,
    planning,
    replayed,
    shining,
    silent,
    unlocated,
)
from tests.display.page.test_sign_in_page import closed_to_strangers

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page"),
    pytest.mark.skipif(FOLDER not in os.environ, reason=f"{FOLDER} names no folder for pictures"),
]

STATES: dict[str, tuple[Callable[[Room], None], str, str]] = {
    "live": (as_it_is, "", LIVE),
    "no-live-data": (silent, "", "body[data-feed=stale]"),
    "tracker-lost": (lost_tracker, "", "#aim[data-state=no-pose]"),
    "probe-lost": (lost_probe, "", "#rate[data-state=stale]"),
    "estimate-old": (old_estimate, "", f"{LIVE} #trust [data-key=estimate]:not([data-state=live])"),
    "does-not-fit": (contradicted, "", f"{LIVE} #agreement[data-state=more]"),
    "not-located": (unlocated, "", f"{LIVE} #aim[data-state=unlocated]"),
    "hold-next": (advised, "", f"{LIVE} #aim[data-advice=shown]"),
    "overload": (overloaded, "", "#rate[data-state=overload]"),
    "dead-time": (dead_time, "", "#trust [data-key='device probe'][data-state=doubtful]"),
    "alarm": (alarming, "", f"{LIVE} #trust [data-key='device probe'][data-state=alarm]"),
    "held": (as_it_is, "h", "#rate[data-state=held]"),
    "muted": (as_it_is, "m", f"{LIVE} #tone[data-state=muted]"),
    "locked": (as_it_is, "l", f"{LIVE} #probe-slice[data-state=locked]"),
    "shine-through": (shining, "", f"{LIVE} #aim[data-shine=warned]"),
    "live-image": (imaged, "v", f"{LIVE} #live-image[data-state=live]"),
    "live-image-old": (imaged_long_ago, "v", f"{LIVE} #live-image[data-state=stale]"),
    "replay": (replayed, "", f"{LIVE} #replay"),
    "cut-off": (cut_off, "x", f"{LIVE} #resection .trouble"),
    "drawing": (
        planning,
        "p [data-does^=draw] ArrowLeft ArrowDown ArrowDown + + +",
        f"{LIVE} #drawing-set:enabled",
    ),
}
"""For each picture: what is so, the keys that are pressed or touched, and how it is seen."""


@pytest.mark.parametrize("name", STATES)
async def test_a_state_is_pictured(room: Room, name: str) -> None:
    """In both sizes; SIMULATED stands across each."""
    change, keys, seen = STATES[name]
    async with serve(room), look(room) as page:
        await wait_until_live(page)
        await expect(page.locator("#slices-note")).to_be_empty()
        change(room)
        for number, size in enumerate(SIZES):
            for press in keys.split() if keys == "h" or number == 0 else ():  # a hold ends by itself
                await (page.click(press) if press.startswith("[") else page.keyboard.press(press))
            await keep(page, name, seen, size)
            await expect(page.locator("#simulated")).to_be_visible()


async def test_a_display_of_another_version_is_pictured(room: Room) -> None:
    """It says to reload, and shows nothing else."""
    room.version = "1.0"
    async with serve(room), look(room) as page:
        for size in SIZES:
            await keep(page, "another-version", "body[data-feed=foreign]", size)


async def test_a_display_that_is_not_admitted_is_pictured(room: Room, tmp_path: Path) -> None:
    """It asks for its token, and shows nothing of the room."""
    room.admission, _ = closed_to_strangers(tmp_path)
    async with serve(room), look(room) as page:
        for size in SIZES:
            await keep(page, "not-admitted", "#sign-in input", size)

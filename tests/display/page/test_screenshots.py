"""Each state of the page as a picture, for the manual and for whoever judges it from a thumbnail."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Page, expect

from display.guidance_states import show_nothing
from display.messages import ShineState
from display.procedure_messages import CheckState, MoveState
from tests.display.page.room import ATTEMPTS, Room, look, make_rate, serve, wait_until_live
from tests.display.page.test_procedure_page import PLAN

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page"),
    pytest.mark.skipif("RADIONAV_STATES" not in os.environ, reason="RADIONAV_STATES names no folder for pictures"),
]

SIZES = ((1920, 1080), (1280, 800))


def as_it_is(_: Room) -> None:
    """All is well."""


def lost_tracker(room: Room) -> None:
    room.change_device("tracker", state="lost", detail="nothing answers at 127.0.0.1:18944: start the tracker")
    room.now["pose"] = None
    room.now["guidance"] = show_nothing("The tracker does not see the probe")


def lost_probe(room: Room) -> None:
    room.change_device("probe", state="lost", detail="the port is gone: plug it in")


def unlocated(room: Room) -> None:
    room.change_target(
        localisable=False, reason="too few counts", centre_mm=None, region_axes=None, region_semi_axes_mm=None,
        tip_right_mm=None, tip_up_mm=None, tip_ahead_mm=None, distance_mm=None, distance_half_width_mm=None,
    )  # fmt: skip
    room.now["guidance"] = show_nothing("Cannot tell yet: sweep slowly over the skin")


def overloaded(room: Room) -> None:
    rate = make_rate(48_000.0)
    room.now["rate"] = msgspec.structs.replace(rate, rate_cps=None, high_cps=None, status="overload")


def dead_time(room: Room) -> None:
    room.now["rate"] = msgspec.structs.replace(make_rate(9_400.0), dead_fraction=0.42)


def replayed(room: Room) -> None:
    room.is_replayed = True


def shining(room: Room) -> None:
    room.now["shine"] = ShineState(
        name="Injection", share=0.72, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=-40.0, is_warned=True
    )


def silent(room: Room) -> None:
    room.is_silent = True


def planning(room: Room) -> None:
    moves = (MoveState(to="time-out", is_forward=True, unmet=("each hot spot is confirmed",), is_possible=True),)
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=3, step="plan", taken=("patient", "plan"), sources=PLAN, moves=moves
    )


def timing_out(room: Room) -> None:
    checks = (
        CheckState(name="nuclide", said="Tc-99m", is_good=True, is_confirmed=True),
        CheckState(name="probe", said="the calibrated one", is_good=True, is_confirmed=True),
        CheckState(name="window", said="126 to 154 keV", is_good=True, is_confirmed=False),
        CheckState(name="quality check", said="not of today: run acquire", is_good=False, is_confirmed=False),
        CheckState(name="tracker", said="live, residual 0.2 mm", is_good=True, is_confirmed=False),
        CheckState(name="registration", said="joined", is_good=True, is_confirmed=False),
        CheckState(name="side", said="target 1: left", is_good=True, is_confirmed=False),
    )
    moves = (
        MoveState(to="skin scan", is_forward=True, unmet=("each item is confirmed",), is_possible=True),
        MoveState(to="plan", is_forward=False, unmet=(), is_possible=True),
        MoveState(to="ended", is_forward=True, unmet=("all steps are taken",), is_possible=True),
    )
    room.now["procedure"] = msgspec.structs.replace(
        room.now["procedure"], number=3, step="time-out", taken=("patient", "plan", "time-out"),
        checklist=checks, moves=moves,
    )  # fmt: skip


STATES: dict[str, tuple[Callable[[Room], None], str, str]] = {
    "live": (as_it_is, "", "body[data-feed=live]"),
    "no-live-data": (silent, "", "body[data-feed=stale]"),
    "tracker-lost": (lost_tracker, "", "#aim[data-state=no-pose]"),
    "probe-lost": (lost_probe, "", "#rate[data-state=stale]"),
    "not-located": (unlocated, "", "#aim[data-state=unlocated]"),
    "overload": (overloaded, "", "#rate[data-state=overload]"),
    "dead-time": (dead_time, "", "#trust [data-key='device probe'][data-state=doubtful]"),
    "held": (as_it_is, "h", "#rate[data-state=held]"),
    "locked": (as_it_is, "l", "#probe-slice[data-state=locked]"),
    "shine-through": (shining, "", "#aim[data-shine=warned]"),
    "replay": (replayed, "", "#replay"),
    "plan": (planning, "p", "#procedure .source"),
    "drawing": (planning, "p [data-does^=draw] ArrowLeft ArrowDown ArrowDown + + +", "#drawing-set:enabled"),
    "time-out": (timing_out, "p", "#procedure .check"),
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
        for number, (width, height) in enumerate(SIZES):
            await page.set_viewport_size({"width": width, "height": height})
            for press in keys.split() if keys == "h" or number == 0 else ():  # a hold ends by itself
                await (page.click(press) if press.startswith("[") else page.keyboard.press(press))
            await keep(page, seen, Path(os.environ["RADIONAV_STATES"]) / f"{name}-{width}x{height}.jpg")


async def keep(page: Page, seen: str, path: Path) -> None:
    """Take a picture of the state; another one where a busy host let it pass meanwhile."""
    for _ in range(ATTEMPTS):
        await expect(page.locator(seen).first).to_be_visible()
        await expect(page.locator("#simulated")).to_be_visible()
        await page.wait_for_timeout(300)
        await page.screenshot(path=path, type="jpeg", quality=72)
        if await page.locator(seen).first.is_visible():
            return
    pytest.fail(f"{seen} was not seen for as long as a picture takes")

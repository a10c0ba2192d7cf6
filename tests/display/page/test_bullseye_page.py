"""Where, how far and how sure, in the bull's-eye: dot, region and depth to scale, by pixels, in real Chromium."""

import re

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Page, expect

from display.messages.feed import ShineState
from display.messages.measures import Matrix, Point
from tests.display.page.pixels import WHITE, pixels
from tests.display.page.room import Room, matrix, state_of

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

REM_PX = 16
"""The layout's unit on a screen of 1920 x 1080."""

FIELD_MM = 40.0
"""Half the field that shows a target of 30 mm off the axis."""

LINE_PX = 4.0
"""A region's line is 3 px wide, and neither edge is sharp."""


async def white_px(page: Page) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """White places (n, 2) from the middle of the rings, x to the right, y down; the middle itself; the radius."""
    box = await page.locator("#bullseye").bounding_box()
    assert box is not None
    up = (await page.evaluate("window.__words"))["bullseye"]["UP"]
    size = np.array([box["width"], box["height"]])
    middle = np.array([up[0] * size[0], size[1] / 2])
    radius = float(middle[1] - (up[1] * size[1] - 0.75 * REM_PX))
    return await pixels(page, "#bullseye", WHITE) * size - middle, middle, radius


def seen_along(room: Room, semi_mm: Point) -> None:
    """Let the region's axes be the probe's right, up and ahead."""
    axes = np.array(room.now["pose"].patient_from_tip).T * [[-1.0], [1.0], [1.0]]
    rows: Matrix = matrix(axes)
    room.now["targets"] = room.now["targets"][:1]
    room.change_target(
        tip_right_mm=30.0, tip_up_mm=0.0, tip_ahead_mm=20.0, region_axes=rows, region_semi_axes_mm=semi_mm
    )


@pytest.mark.parametrize("semi_mm", [(9.0, 4.0, 6.0), (4.0, 9.0, 6.0), (6.0, 6.0, 12.0)])
async def test_the_region_is_as_large_as_it_is_unsure(room: Room, page: Page, semi_mm: Point) -> None:
    """The white line reaches as far to either side as the 95 % region does across the probe's axis, in mm."""
    seen_along(room, semi_mm)
    await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile("30 mm right, 0 mm"))
    white, _, radius = await white_px(page)
    inside = white[np.hypot(*white.T) < radius]
    half_px = np.ptp(inside, axis=0) / 2
    np.testing.assert_allclose(half_px, np.array(semi_mm[:2]) * radius / FIELD_MM, atol=LINE_PX)


async def test_the_depth_is_marked_at_its_place(room: Room, page: Page) -> None:
    """From the skin at the upper end to 40 mm at the lower: the white mark lies at the depth, in mm."""
    for depth_mm in (10.0, 26.0, 34.0):
        room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], depth_mm=depth_mm)
        await expect(page.locator("#depth")).to_have_text(f"{depth_mm:.0f} ± 3 mm")
        white, _, radius = await white_px(page)
        mark_px = float(white[white[:, 0] > radius, 1].mean())
        assert mark_px == pytest.approx(radius * (2 * depth_mm / 40.0 - 1), abs=LINE_PX)


AMBER = "red > 200 && green > 140 && green < 200 && blue < 120"


@pytest.mark.parametrize("width", [1920, 1280])
async def test_what_shines_through_is_named_whole(room: Room, page: Page, width: int) -> None:
    """Also straight to the left on a small screen, where its words reach beyond the rings."""
    await page.set_viewport_size({"width": width, "height": width * 5 // 8})
    room.now["shine"] = ShineState(
        name="Injection", share=0.96, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=0.0, is_warned=True
    )
    await expect(page.get_by_label(re.compile("Injection shines through, 96 % of the rate"))).to_be_visible()
    amber = await pixels(page, "#bullseye", AMBER)
    box = await page.locator("#bullseye").bounding_box()
    assert box is not None
    assert len(amber) > 100
    assert amber[:, 0].min() * box["width"] >= 1.0, "a letter is cut off at the edge"


async def test_an_unlocated_target_is_not_drawn(room: Room, page: Page) -> None:
    """Not localisable: no dot even where the feed carries a position, and the reason in words."""
    room.change_target(localisable=False, reason="the counts do not yet tell the depth")
    await state_of(page, "#bullseye", "unlocated")
    await expect(page.locator("#no-aim")).to_have_text("Not located yet: the counts do not yet tell the depth")
    await state_of(page, "#distance", "none")
    assert len(await pixels(page, "#bullseye", WHITE)) == 0


async def test_the_dot_lies_where_the_target_is(room: Room, page: Page) -> None:
    """A target to the probe's right and up is drawn to the right of the middle and above it, at its angle."""
    for right_mm, up_mm in [(12.0, 12.0), (-12.0, 6.0), (3.0, -14.0)]:
        room.now["targets"] = room.now["targets"][:1]
        room.change_target(tip_right_mm=right_mm, tip_up_mm=up_mm, region_axes=None, region_semi_axes_mm=None)
        shown = f"{abs(right_mm):.0f} mm {'left' if right_mm < 0 else 'right'}, {abs(up_mm):.0f} mm"
        await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile(shown))
        box = await page.locator("#bullseye").bounding_box()
        assert box is not None
        words = (await page.evaluate("window.__words"))["bullseye"]
        white = await pixels(page, "#bullseye", WHITE)
        dot = white[white[:, 0] < 0.8].mean(axis=0)  # right of it is the depth bar's mark
        right, down = (dot - [words["UP"][0], 0.5]) * [box["width"], box["height"]]
        np.testing.assert_allclose(np.arctan2(-down, right), np.arctan2(up_mm, right_mm), atol=0.03)


async def test_shine_through_is_a_cone_towards_the_injection_site(room: Room, page: Page) -> None:
    """Amber to the lower left, where it lies; in words for who does not see it; none where it shines little."""
    shine = ShineState(
        name="Injection", share=0.72, expected_cps=900.0, tip_right_mm=-40.0, tip_up_mm=-40.0, is_warned=True
    )
    room.now["shine"] = shine
    bullseye = page.get_by_label(re.compile("Injection shines through, 72 % of the rate"))
    await expect(bullseye).to_be_visible()
    amber = await pixels(page, "#bullseye", AMBER)
    assert len(amber) > 100
    assert np.median(amber[:, 0]) < 0.45
    assert np.median(amber[:, 1]) > 0.55
    room.now["shine"] = msgspec.structs.replace(shine, share=0.2, is_warned=False)
    await expect(bullseye).to_have_count(0)


def is_filled(white: NDArray[np.float64]) -> bool:
    """Whether the middle of a white dot is white too."""
    return bool(np.hypot(*(white - white.mean(axis=0)).T).min() < 2.0)


@pytest.mark.parametrize(
    ("right_mm", "ahead_mm", "is_solid"), [(12.0, 20.0, True), (12.0, -20.0, False), (300.0, 20.0, False)]
)
async def test_what_cannot_be_reached_ahead_is_hollow(
    room: Room, page: Page, right_mm: float, ahead_mm: float, *, is_solid: bool
) -> None:
    """Behind the tip, in words too and without a depth ahead; at the rim for what lies beyond the last ring."""
    room.now["targets"] = room.now["targets"][:1]
    room.now["guidance"] = msgspec.structs.replace(room.now["guidance"], depth_mm=None, depth_half_width_mm=None)
    room.change_target(
        tip_right_mm=right_mm, tip_up_mm=0.0, tip_ahead_mm=ahead_mm, region_axes=None, region_semi_axes_mm=None
    )
    await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile(f"{right_mm:.0f} mm right"))
    await page.evaluate("window.__words = {}")
    await page.wait_for_function("() => window.__words.bullseye?.UP")
    white, _, radius = await white_px(page)
    assert is_filled(white[np.hypot(*white.T) < radius + REM_PX]) is is_solid
    assert ("BEHIND" in (await page.evaluate("window.__words"))["bullseye"]) is (ahead_mm < 0)
    assert bool(np.any(white[:, 0] > radius + REM_PX)) is (ahead_mm > 0), "a mark on the depth bar"


async def test_the_rings_say_how_far_off_they_are(room: Room, page: Page) -> None:
    """A target on the ring that says 20 mm is 20 mm off the axis: the words stand at their rings."""
    seen_along(room, (9.0, 4.0, 6.0))
    await expect(page.locator("#bullseye")).to_have_attribute("aria-label", re.compile("30 mm right, 0 mm"))
    _, middle, radius = await white_px(page)
    box = await page.locator("#bullseye").bounding_box()
    assert box is not None
    words = (await page.evaluate("window.__words"))["bullseye"]
    for off_mm in (20.0, 40.0):
        place_px = np.array(words[f"{off_mm:.0f} mm"]) * [box["width"], box["height"]] - middle
        np.testing.assert_allclose(place_px, np.full(2, np.sqrt(0.5)) * radius * off_mm / FIELD_MM, atol=2.0)

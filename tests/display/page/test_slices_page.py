"""The slices: their looks, the one along the probe, what stands still, in real Chromium."""

import re

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page, expect
from scipy.stats import theilslopes

from display.messages.measures import Point
from display.shelf import shelve
from navigation.volume import Volume, VolumeGeometry
from tests.display.page.pixels import WHITE, pixels
from tests.display.page.room import (
    NODE_MM,
    TIP_MM,
    Room,
    drawn,
    make_pose,
    make_study,
    matrix,
    point,
    state_of,
)

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]

BRIGHT = "red > 200 && green > 200 && blue > 200"
YELLOW = "red > 150 && green > 120 && blue < 120 && red > blue + 60"
HOT = "red > 170 && green < 0.55 * red && blue < 0.5 * red"
"""Orange of inferno, all around the middle of a hot spot."""


async def loaded(page: Page) -> None:
    """Wait for the volumes."""
    await state_of(page, "#axial", "tip")
    await expect(page.locator("#slices-note")).to_be_empty()


async def lock_at_tip(room: Room, page: Page) -> None:
    """Lock the slices, and see the tip 12 mm off once it has moved on."""
    await loaded(page)
    await page.keyboard.press("l")
    await expect(page.locator("#slices-note")).to_have_text("LOCKED: does not follow the tip")
    room.now["pose"] = make_pose(TIP_MM + np.array([0.0, 0.0, 12.0]))
    await page.wait_for_function("() => window.__words.axial['probe 12 mm H'] !== undefined")


async def words_on(page: Page, canvas: str) -> set[str]:
    """Everything that was written on a canvas so far."""
    return set(await page.evaluate("canvas => Object.keys(window.__words[canvas] ?? {})", canvas))


async def test_a_window_and_a_colour_map_are_chosen_by_key_or_touch(room: Room, page: Page) -> None:
    """Lung in its window is grey where soft tissue's leaves it black; cividis has no red in it."""
    await loaded(page)
    dark = await pixels(page, "#axial", "red < 12 && green < 12 && blue < 12")
    await page.keyboard.press("w")
    await page.keyboard.press("w")
    await expect(page.get_by_role("button", name="Lung")).to_be_visible()
    await drawn(room, page)
    assert len(await pixels(page, "#axial", "red < 12 && green < 12 && blue < 12")) < 0.8 * len(dark)
    await page.keyboard.press("w")
    await drawn(room, page)
    red = "red > 150 && green < 0.6 * red && blue < 0.8 * red"
    assert len(await pixels(page, "#coronal", red)) > 20
    await page.get_by_role("button", name="Inferno").click()
    await expect(page.get_by_role("button", name="Cividis")).to_be_visible()
    await drawn(room, page)
    assert len(await pixels(page, "#coronal", red)) == 0
    assert len(await pixels(page, "#coronal", YELLOW)) > 20


async def test_the_slice_along_the_probe_has_its_axis_downwards(room: Room, page: Page) -> None:
    """The green line runs straight down through its middle, however the probe is held; sides have letters."""
    await loaded(page)
    await state_of(page, "#probe-slice", "tip")
    assert {"PROBE", "P"} <= await words_on(page, "probe-slice")
    for look in ((-0.2, 1.0, -0.1), (-0.8, 0.6, 0.3)):
        room.now["pose"] = make_pose(look=look)
        await drawn(room, page)
        green = await pixels(page, "#probe-slice", "green > 190 && red < 110 && blue < 160")
        assert len(green) > 30
        assert np.ptp(green[:, 0]) < 0.12
    room.now["pose"] = None
    await state_of(page, "#probe-slice", "none")


FIELD_MM = 200.0
"""Across the shorter side of a slice."""


async def test_the_region_is_as_large_in_each_slice_as_it_is_unsure(room: Room, page: Page) -> None:
    """Through the target's middle: from there to the white line it is the semi-axis, to either side, in mm."""
    semi_mm = (16.0, 9.0, 12.0)
    room.now["pose"] = None
    room.now["study"] = msgspec.structs.replace(make_study(), anatomy=None, surfaces=())  # bone is white too
    room.now["targets"] = room.now["targets"][:1]
    room.change_target(region_axes=matrix(np.eye(3)), region_semi_axes_mm=semi_mm)
    await state_of(page, "#axial", "target")
    for canvas, across, down in (("#axial", 0, 1), ("#coronal", 0, 2), ("#sagittal", 1, 2)):
        box = await page.locator(canvas).bounding_box()
        assert box is not None
        size_mm = np.array([box["width"], box["height"]]) / min(box["width"], box["height"]) * FIELD_MM
        white_mm = (await pixels(page, canvas, WHITE) - 0.5) * size_mm
        for axis, patient_axis in ((0, across), (1, down)):
            line_mm = white_mm[np.abs(white_mm[:, 1 - axis]) < 1.0, axis]
            for side in (-1.0, 1.0):
                nearest_mm = (side * line_mm)[side * line_mm > 0].min()
                assert nearest_mm == pytest.approx(semi_mm[patient_axis], abs=1.5), (canvas, axis, side)


GREYS = """(canvas) => {
  const { width, height } = canvas;
  const lines = [[0, Math.round(height / 3), width, 1], [Math.round(width / 3), 0, 1, height]];
  return lines.map(([x, y, across, down]) => {
    const { data } = canvas.getContext("2d").getImageData(x, y, across, down);
    return Array.from({ length: across * down }, (_, n) => Array.from(data.slice(4 * n, 4 * n + 3)));
  });
}"""
"""Red, green and blue along a row and a column of a canvas that little but the picture crosses."""


def take_ct(room: Room, *, rise_hu: Point = (0.0, 0.0, 0.0), hu: float = 0.0) -> None:
    """Put a CT in voxels of 10 mm into use: so many HU in its middle, more with each mm to left, back and head."""
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0] = affine[1, 1] = affine[0, 2] = 10.0
    affine[:3, 3] = -145.0
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=(30, 30, 30), frame_of_reference_uid="1.2.3")
    position_mm = geometry.positions_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    hounsfield = (hu + position_mm @ rise_hu).astype(np.float32)
    volume = shelve(Volume(geometry=geometry, values=hounsfield, quantity="attenuation", unit="HU"))
    room.shelf.replace(volume)
    room.now["study"] = msgspec.structs.replace(make_study(), anatomy=volume.state, activity=None, surfaces=())


@pytest.mark.parametrize(
    ("hu", "greys"), [(40.0, (127.5, 83.3, 236.3)), (-140.0, (12.75, 52.7, 205.7)), (200.0, (229.5, 110.5, 255.0))]
)
async def test_windows_are_as_radiologists_set_them(
    room: Room, page: Page, hu: float, greys: tuple[float, float, float]
) -> None:
    """Soft tissue 40/400, bone 300/1500, lung -600/1500 (centre/width, HU), from black to white, evenly."""
    take_ct(room, hu=hu)
    room.now["targets"] = ()
    await loaded(page)
    for name, grey in zip(("Soft tissue", "Bone", "Lung"), greys, strict=True):
        await expect(page.get_by_role("button", name=name)).to_be_visible()
        await page.wait_for_function(
            """grey => {
              const axial = document.querySelector("#axial");
              const { width, height } = axial;
              const { data } = axial.getContext("2d").getImageData(width / 5, 0.8 * height, 1, 1);
              return Math.abs(data[0] - grey) < 2 && data[0] === data[1] && data[1] === data[2];
            }""",
            arg=grey,
        )
        await page.keyboard.press("w")


async def test_keys_go_through_the_slices(room: Room, page: Page) -> None:
    """] and ▲ go to the head, [ and ▼ to the feet, 2 mm each however fast: the tip is told on the other side."""
    await loaded(page)
    for keys, words in (("]]]", "probe 6 mm F"), ("[[[[[[", "probe 6 mm H")):
        for key in keys:
            await page.keyboard.press(key)
        await page.wait_for_function("words => window.__words.axial[words] !== undefined", arg=words)
    for button, words in (("#step-up", "probe 4 mm H"), ("#step-down", "probe 6 mm H")):
        await page.evaluate("window.__words.axial = {}")
        await page.locator(button).click()
        await page.wait_for_function("words => window.__words.axial[words] !== undefined", arg=words)


async def test_a_ring_off_the_plane_is_dashed(room: Room, page: Page) -> None:
    """Solid where the plane cuts the region, dashed as far as it lies off: the same ring, half as white."""
    room.now["pose"] = None
    room.now["study"] = msgspec.structs.replace(make_study(), anatomy=None, surfaces=())
    room.now["targets"] = room.now["targets"][:1]
    room.change_target(region_axes=matrix(np.eye(3)), region_semi_axes_mm=(12.0, 12.0, 12.0))
    await state_of(page, "#axial", "target")
    await page.keyboard.press("l")
    await expect(page.locator("#slices-note")).to_have_text("LOCKED: does not follow the tip")
    solid = await ring_pixels(page)
    assert solid > 100
    room.change_target(centre_mm=point(NODE_MM + np.array([0.0, 0.0, 30.0])))
    await page.wait_for_function("() => window.__words.axial['Node 1 30 mm H'] !== undefined")
    assert 0.3 * solid < await ring_pixels(page) < 0.65 * solid


async def ring_pixels(page: Page) -> int:
    """White pixels of the axial slice 12 mm from its middle, where no words stand."""
    box = await page.locator("#axial").bounding_box()
    assert box is not None
    size_mm = np.array([box["width"], box["height"]]) / min(box["width"], box["height"]) * FIELD_MM
    away_mm = np.hypot(*((await pixels(page, "#axial", WHITE) - 0.5) * size_mm).T)
    return int(np.count_nonzero(np.abs(away_mm - 12.0) < 1.0))


RAMP = f"""(canvas) => ({GREYS})(canvas).every((way) =>
  way.filter(([red, green, blue]) => red === green && green === blue && red > 10 && red < 245).length > 100
)"""
"""Whether either way has more than 100 pixels between black and white: a CT is drawn once it has come whole."""


async def test_voxels_are_joined_by_straight_lines_in_each_slice(room: Room, page: Page) -> None:
    """Of a CT in voxels of 10 mm that rises evenly each picture rises evenly, across and down: trilinear."""
    room.now["study"] = None
    await state_of(page, "#axial", "none")
    take_ct(room, rise_hu=(1.5, 1.2, 0.9))
    for name in ("#axial", "#coronal", "#sagittal", "#probe-slice"):
        await state_of(page, name, "tip")
        canvas = page.locator(name)
        await page.wait_for_function(RAMP, arg=await canvas.element_handle())
        for way in await canvas.evaluate(GREYS):
            red, green, blue = np.array(way).T
            is_ramp = (red == green) & (green == blue) & (red > 10) & (red < 245)
            place = np.flatnonzero(is_ramp)
            slope = theilslopes(red[is_ramp], place).slope  # whatever a ring or the border does to a few
            level = red[is_ramp] - slope * place
            assert abs(slope) * np.ptp(place) > 50, name  # by 10 mm some 6 to 10 greys
            assert np.median(np.abs(level - np.median(level))) < 0.7, name


async def test_a_locked_picture_stands_still_and_says_so(room: Room, page: Page) -> None:
    """Also along the probe, as it was held; the tip is told off the plane; the wheel goes through the slices.

    What stands still is not said to be through the tip; unlocked it follows again.
    """
    await lock_at_tip(room, page)
    await state_of(page, "#probe-slice", "locked")
    await expect(page.get_by_label("axial slice, locked, L on the right")).to_be_visible()
    room.now["pose"] = None
    await state_of(page, "#aim", "no-pose")
    await page.evaluate("window.__words['probe-slice'] = {}")
    await page.wait_for_function("() => window.__words['probe-slice']['PROBE']")
    assert "No live probe position" not in await words_on(page, "probe-slice")
    room.now["pose"] = make_pose(TIP_MM + np.array([0.0, 0.0, 12.0]))
    await page.locator("#axial").hover()
    await page.mouse.wheel(0, 100)
    moved = re.compile(r"^probe 1[04] mm H$")
    await page.wait_for_function(
        "pattern => Object.keys(window.__words.axial).some((words) => new RegExp(pattern).test(words))",
        arg=moved.pattern,
    )
    await page.get_by_role("button", name="Locked").click()
    await expect(page.locator("#slices-note")).to_be_empty()
    await state_of(page, "#probe-slice", "tip")


async def spot_across(page: Page) -> float:
    """Where the hot spot lies across the axial slice, in shares of it."""
    spot = await pixels(page, "#axial", HOT)
    assert len(spot) > 0
    return float(spot[:, 0].mean())


async def test_the_picture_moves_on_only_when_the_tip_leaves_its_middle(room: Room, page: Page) -> None:
    """A hand that trembles leaves it where it is; one that goes away takes it along, and trembles there."""
    await loaded(page)
    across = []
    for way_mm in (0.0, 6.0, -90.0, -84.0):
        room.now["pose"] = make_pose(TIP_MM + np.array([way_mm, 0.0, 0.0]))
        await drawn(room, page)
        across.append(await spot_across(page))
    assert across[1] == pytest.approx(across[0], abs=0.004)
    assert across[2] > across[0] + 0.05
    assert across[3] == pytest.approx(across[2], abs=0.004)


async def test_looks_are_touched_with_a_glove_and_hide_no_letter(room: Room, page: Page) -> None:
    """Each button is 15 mm or more on a 24-inch screen; the head of the coronal slice stays in sight."""
    await loaded(page)
    for button in await page.locator("#looks button").all():
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 54
    assert {"L", "R"} <= await words_on(page, "axial")
    assert {"H", "F", "L", "R"} <= await words_on(page, "coronal")

"""Left and right of the patient in the slices, by pixels and by letters, in real Chromium."""

import msgspec
import numpy as np
import pytest
from playwright.async_api import Page

from display.shelf import shelve
from navigation.volume import Volume
from tests.display.page.pixels import MIDDLE_OF_HOT
from tests.display.page.room import TIP_MM, Room, make_study, make_target, make_volume, state_of

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("built_page", "calm"),
]


def hot_spot(position_mm: tuple[float, float, float]) -> Volume:
    """Activity in one place."""
    empty = make_volume((60, 60, 80), (4.0, 4.0, 4.0), is_activity=True)
    away = empty.geometry.positions_mm(np.moveaxis(np.indices(empty.geometry.shape), 0, -1)) - np.array(
        position_mm
    )
    values = 1000.0 * np.exp(-0.5 * (np.linalg.norm(away, axis=-1) / 8.0) ** 2)
    return Volume(geometry=empty.geometry, values=values.astype(np.float32), quantity="counts", unit="1")


async def test_patient_left_is_on_the_right(room: Room, page: Page) -> None:
    """Radiological convention, by pixels: a spot in the patient's left (LPS +x) is on the right, and so on."""
    for position_mm, places in (
        ((35.0, 0.0, 0.0), {"#axial": "x > 0.55", "#coronal": "x > 0.55"}),
        ((-35.0, 0.0, 0.0), {"#axial": "x < 0.45", "#coronal": "x < 0.45"}),
        ((0.0, 35.0, 0.0), {"#axial": "y > 0.55", "#sagittal": "x > 0.55"}),
        ((0.0, 0.0, 35.0), {"#coronal": "y < 0.45", "#sagittal": "y < 0.45"}),
    ):
        spot = shelve(hot_spot(position_mm))
        room.shelf.replace(spot)
        room.now |= {"targets": (), "pose": None}
        room.now["study"] = msgspec.structs.replace(make_study(), anatomy=None, activity=spot.state, surfaces=())
        for canvas, place in places.items():
            await page.wait_for_function(MIDDLE_OF_HOT.replace("PLACE", place), arg=canvas)


async def test_the_sides_of_the_patient_are_named(page: Page) -> None:
    """Every slice carries the letters of the sides that it shows, at those sides."""
    await state_of(page, "#sagittal", "tip")
    written = await page.evaluate("window.__words")
    for canvas, across, down in (("axial", "RL", "AP"), ("coronal", "RL", "HF"), ("sagittal", "AP", "HF")):
        words = written[canvas]
        assert words[across[0]][0] < 0.1
        assert words[across[1]][0] > 0.9
        assert words[down[0]][1] < 0.2
        assert words[down[1]][1] > 0.8


@pytest.mark.parametrize("sign", [1.0, -1.0])
async def test_the_side_off_the_plane_is_named(room: Room, page: Page, sign: float) -> None:
    """A target 60 mm off each plane: to which side of the patient one has to go, by name, never to the other."""
    off_mm = sign * np.array([60.0, 61.0, 62.0])
    room.now["targets"] = (make_target(room.now["pose"], name="Node 1", centre_mm=TIP_MM + off_mm),)
    sides = ("H", "P", "L") if sign > 0 else ("F", "A", "R")
    for canvas, distance_mm, side in zip(("axial", "coronal", "sagittal"), (62, 61, 60), sides, strict=True):
        told = await page.wait_for_function(
            "name => Object.keys(window.__words[name] ?? {}).find((words) => /^Node 1 6\\d mm/.test(words))",
            arg=canvas,
        )
        assert await told.json_value() == f"Node 1 {distance_mm} mm {side}"

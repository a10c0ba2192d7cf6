"""Ways in through a body of known layers."""

import math

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.routes import planned_route, relative_attenuation, shortest_route
from navigation.skin import SkinSurface
from navigation.volume import Volume, VolumeGeometry

STEP_MM = 2.0
SHAPE = (60, 60, 60)


def make_ct(*, is_cut: bool = False) -> Volume:
    """A block of tissue 80 mm wide about the origin: 10 mm of fat in front, bone at y = 0 to 10; air around."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, STEP_MM], [0, STEP_MM, 0], [STEP_MM, 0, 0]])
    affine[:3, 3] = -STEP_MM * (np.array(SHAPE) - 1) / 2
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=SHAPE, frame_of_reference_uid="1.2")
    positions_mm = geometry.positions_mm(np.moveaxis(np.indices(SHAPE), 0, -1))
    across = np.abs(positions_mm).max(axis=-1)
    y_mm = positions_mm[..., 1]
    values = np.full(SHAPE, -1000.0)
    values[across < 40] = 40.0
    values[(across < 40) & (y_mm < -30)] = -100.0
    values[(across < 40) & (y_mm > 0) & (y_mm < 10)] = 1000.0
    if is_cut:
        return Volume(
            geometry=VolumeGeometry(patient_from_voxel=affine, shape=(60, 60, 40), frame_of_reference_uid="1.2"),
            values=values[:, :, :40].astype(np.float32),
            quantity="attenuation",
            unit="HU",
        )
    return Volume(geometry=geometry, values=values.astype(np.float32), quantity="attenuation", unit="HU")


def test_shortest_way_in() -> None:
    """A target 25 mm under the front skin is 25 mm deep straight from there, 10 mm of it fat."""
    ct = make_ct()
    route = shortest_route(ct, SkinSurface(ct), (0.0, -15.0, 0.0))
    assert route is not None
    assert route.depth_mm == pytest.approx(25.0, abs=1.0)
    assert route.entry_mm == pytest.approx((0.0, -40.0, 0.0), abs=1.5)
    assert route.direction == pytest.approx((0.0, 1.0, 0.0), abs=0.05)
    assert route.water_mm == pytest.approx(10 * 0.9 + 15 * (1 + 40 * 5.7e-4), abs=1.0)
    assert route.transmission(0.01536) == pytest.approx(math.exp(-0.01536 * route.water_mm))


def test_planned_way_in_crosses_what_lies_there() -> None:
    """From behind the same target is 55 mm deep, and bone attenuates more than as much water."""
    route = planned_route(make_ct(), (0.0, -15.0, 0.0), (0.0, -1.0, 0.0))
    assert route is not None
    assert route.depth_mm == pytest.approx(55.0, abs=1.0)
    assert route.water_mm == pytest.approx(45 * 1.0228 + 10 * 1.57, abs=1.0)


def test_what_is_no_way_in() -> None:
    """A target in the air has none; nor one whose path leaves the scan before the skin."""
    ct = make_ct()
    assert shortest_route(ct, SkinSurface(ct), (0.0, -50.0, 0.0)) is None
    assert planned_route(ct, (0.0, -50.0, 0.0), (0.0, 1.0, 0.0)) is None
    assert planned_route(make_ct(is_cut=True), (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0)) is None
    with pytest.raises(NavigationError, match="direction"):
        planned_route(ct, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    with pytest.raises(NavigationError, match="wants a CT"):
        planned_route(
            Volume(geometry=ct.geometry, values=ct.values, quantity="signal", unit="1"), (0, 0, 0), (0, 1, 0)
        )


def test_attenuation_from_ct_numbers() -> None:
    """Air stops nothing, water as water, cortical bone of 1601 HU 1.92 times as much (NIST, 140 keV)."""
    assert relative_attenuation([-1000.0, -2000.0, 0.0, 1601.0]) == pytest.approx([0, 0, 1, 1.92], abs=0.01)

import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.skin import SkinSurface, relative_attenuation
from navigation.tissue import LAYER_MM, HalfSpace, NoTissue, Skin, path_mm
from navigation.volume import Volume, VolumeGeometry


def _cylinder(radius_mm: float, unit: str = "HU") -> Volume:
    shape = (40, 96, 96)
    affine = np.eye(4)
    affine[:3, :3] = [[0, 0, 2.0], [0, 2.0, 0], [3.0, 0, 0]]
    affine[:3, 3] = (-95, -95, -60)
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2")
    points = geometry.positions_mm(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1))
    away = np.hypot(points[..., 0], points[..., 1])
    values = np.where(away < radius_mm, 20.0, -1000.0).astype(np.float32)
    values[(away < radius_mm / 3)] = -900  # lung: inside, though it is air
    values[20, 2:4, 2:4] = 100.0  # a cable on the couch
    return Volume(geometry=geometry, values=values, quantity="attenuation", unit=unit)


def test_half_space_counts_only_the_way_below_the_skin() -> None:
    """From 2 mm above the skin to 20 mm below it, 20/22 of the straight line lies in tissue."""
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 3.0]))
    path = path_mm(skin, [[0.0, 0.0, 2.0]], [[0.0, 0.0, -20.0], [22.0, 0.0, -20.0], [0.0, 0.0, 5.0]])
    assert path[0] == pytest.approx([20.0, 20.0 * np.sqrt(2), 0.0])


def test_a_tip_inside_has_tissue_all_the_way() -> None:
    """A tip pressed into the skin sees tissue over the whole distance."""
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
    assert path_mm(skin, [[0.0, 0.0, -3.0]], [[0.0, 0.0, -20.0]])[0, 0] == pytest.approx(17.0)


def test_no_tissue_is_air() -> None:
    """On a bench nothing lies between."""
    assert path_mm(NoTissue(), np.zeros((2, 3)), np.ones((3, 3))).tolist() == np.zeros((2, 3)).tolist()


def _require_gradient(skin: Skin, tips: np.ndarray, points: np.ndarray) -> None:
    def paths(moved: np.ndarray) -> np.ndarray:
        offset = moved[None] - tips[:, None]
        return skin.path_mm(offset, np.linalg.norm(offset, axis=-1))

    offset = points[None] - tips[:, None]
    gradient = skin.path_gradient(offset, np.linalg.norm(offset, axis=-1))
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-5
        assert gradient[..., axis] == pytest.approx((paths(points + step) - paths(points - step)) / 2e-5, abs=1e-5)


def test_path_gradient_agrees_with_differences() -> None:
    """The path's gradient is that of the path."""
    rng = np.random.default_rng(5)
    tips = rng.normal(0, 10, (7, 3)) * [1, 1, 0.2]
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.1, 0.2, 1.0])).skin_at(tips)
    points = rng.normal(0, 10, (5, 3)) - [0, 0, 25]
    _require_gradient(skin, tips, points)


def _layered(rng: np.random.Generator, tips: np.ndarray) -> Skin:
    plane = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.1, 0.2, 1.0])).skin_at(tips)
    return Skin(height_mm=plane.height_mm, normal=plane.normal, layers=rng.uniform(0.2, 1.8, (len(tips), 6)))


def test_a_path_through_layers_is_what_adding_up_along_the_line_finds() -> None:
    """Against brute force, from above the skin and from inside, at any slant, and deeper than the last layer."""
    rng = np.random.default_rng(8)
    tips = rng.normal(0, 10, (6, 3)) * [1, 1, 0.3]
    points = rng.normal(0, 12, (7, 3)) - [0, 0, 26]
    skin = _layered(rng, tips)
    assert skin.layers is not None
    offset = points[None] - tips[:, None]
    length = np.linalg.norm(offset, axis=-1)
    found = skin.path_mm(offset, length)
    parts = (np.arange(20_000) + 0.5) / 20_000
    for row in range(len(tips)):
        height, start = skin.height_mm[row], max(skin.height_mm[row], 0.0)
        for column in range(len(points)):
            fall = -parts * (offset[row, column] @ skin.normal[row])
            there = np.interp(fall - start, LAYER_MM * np.arange(6), skin.layers[row])
            through = np.where(fall > max(height, 0.0), there, 0.0).mean() * length[row, column]
            assert found[row, column] == pytest.approx(through, abs=0.01)


def test_the_gradient_of_a_path_through_layers_agrees_with_differences() -> None:
    """Also across the border from one layer to the next, where the attenuation has a kink but no step."""
    rng = np.random.default_rng(9)
    tips = rng.normal(0, 10, (7, 3)) * [1, 1, 0.3]
    points = rng.normal(0, 12, (9, 3)) - [0, 0, 26]
    skin = _layered(rng, tips)
    _require_gradient(skin, tips, points)


def test_layers_of_water_are_water() -> None:
    """Layers that attenuate as water give the path's length, however they are joined and chosen."""
    tips = np.array([[0.0, 0.0, 2.0], [0.0, 0.0, -3.0]])
    plane = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0])).skin_at(tips)
    water = Skin(height_mm=plane.height_mm, normal=plane.normal, layers=np.ones((2, 4)))
    twice = (water + water).take(np.array([3, 0]))
    offset = np.array([[0.0, 3.0, -20.0]])[None] - tips[[1, 0], None]
    length = np.linalg.norm(offset, axis=-1)
    assert twice.path_mm(offset, length) == pytest.approx(plane.take(np.array([1, 0])).path_mm(offset, length))
    with pytest.raises(NavigationError, match="one tissue"):
        _ = water + plane


def test_ct_numbers_are_turned_into_attenuation_as_published() -> None:
    """Air, lung, fat, water; cortical bone of NIST's tables, 1.92 at 140 keV, 1.79 at 511 keV; metal is held."""
    hu = np.array([-1024.0, -1000.0, -750.0, -100.0, 0.0, 1607.0, 3071.0], dtype=np.float32)
    found = relative_attenuation(hu)
    assert found[:5] == pytest.approx([0.0, 0.0, 0.25, 0.9, 1.0], abs=1e-6)
    assert 1.79 < found[5] < 1.92
    assert found[6] == found[5]


def test_a_line_through_the_lung_of_a_ct_crosses_little_water() -> None:
    """46.7 mm of muscle and 23.3 mm of lung at -900 HU, along the normal of a CT's skin; a rib adds to it."""
    ct = _cylinder(70.0)
    middle = np.array([[0.0, 0.0, 0.0]])
    tip = np.array([[0.0, -72.0, 0.0]])
    assert path_mm(SkinSurface(ct), tip, middle)[0, 0] == pytest.approx(46.7 * 1.011 + 23.3 * 0.1, abs=1.5)
    positions = ct.geometry.positions_mm(
        np.stack(np.meshgrid(*map(np.arange, ct.values.shape), indexing="ij"), -1)
    )
    is_rib = np.abs(np.hypot(positions[..., 0], positions[..., 1]) - 60.0) < 5.0
    ribbed = Volume(
        geometry=ct.geometry,
        values=np.where(is_rib, np.float32(1000), ct.values),
        quantity="attenuation",
        unit="HU",
    )
    more = path_mm(SkinSurface(ribbed), tip, middle) - path_mm(SkinSurface(ct), tip, middle)
    assert more[0, 0] == pytest.approx(10.0 * (1.55 - 1.011), abs=1.0)


def test_a_plane_needs_a_direction() -> None:
    """A half space without a normal is refused."""
    with pytest.raises(NavigationError, match="normal"):
        HalfSpace(point_mm=np.zeros(3), normal=np.zeros(3))


def test_skin_of_a_ct_is_found_to_a_millimetre() -> None:
    """On a cylinder's CT, height and normal follow the circle, and neither lung nor couch disturbs them."""
    surface = SkinSurface(_cylinder(70.0))
    tips = np.array([[0.0, -75.0, 0.0], [80.0, 0.0, 10.0], [-52.0, -52.0, -10.0], [0.0, -110.0, 0.0]])
    skin = surface.skin_at(tips)
    away = np.hypot(tips[:, 0], tips[:, 1])
    assert skin.height_mm == pytest.approx(away - 70.0, abs=1.2)
    outward = np.column_stack((tips[:, :2] / away[:, None], np.zeros(4)))
    assert np.einsum("ni,ni->n", skin.normal, outward).min() > np.cos(np.radians(4))
    assert path_mm(surface, tips[:1], [[0.0, -40.0, 0.0]])[0, 0] == pytest.approx(30.0, abs=1.2)


def test_skin_wants_a_ct() -> None:
    """A SPECT, and a CT of nothing, are refused by name."""
    with pytest.raises(NavigationError, match="CT in HU"):
        SkinSurface(_cylinder(70.0, unit="Bq/mL"))
    empty = _cylinder(70.0)
    air = Volume(
        geometry=empty.geometry, values=np.full_like(empty.values, -1000), quantity="attenuation", unit="HU"
    )
    with pytest.raises(NavigationError, match="right series"):
        SkinSurface(air)

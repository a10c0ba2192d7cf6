import numpy as np
import pytest

from navigation.errors import NavigationError
from navigation.skin import SkinSurface
from navigation.tissue import HalfSpace, NoTissue, path_mm
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


def test_path_gradient_agrees_with_differences() -> None:
    """The path's gradient is that of the path."""
    rng = np.random.default_rng(5)
    tips = rng.normal(0, 10, (7, 3)) * [1, 1, 0.2]
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.1, 0.2, 1.0])).skin_at(tips)
    points = rng.normal(0, 10, (5, 3)) - [0, 0, 25]

    def paths(moved: np.ndarray) -> np.ndarray:
        offset = moved[None] - tips[:, None]
        return skin.path_mm(offset, np.linalg.norm(offset, axis=-1))

    offset = points[None] - tips[:, None]
    gradient = skin.path_gradient(offset, np.linalg.norm(offset, axis=-1))
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-5
        assert gradient[..., axis] == pytest.approx((paths(points + step) - paths(points - step)) / 2e-5, abs=1e-6)


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

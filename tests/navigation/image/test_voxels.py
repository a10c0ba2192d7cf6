import numpy as np

from navigation.image.voxels import REACH_MM, Voxels
from navigation.tissue import HalfSpace, NoTissue

SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
TIPS = np.array([[0.0, 0.0, 1.0], [30.0, -12.0, 1.0], [-18.0, 24.0, 1.0]])
AXES = np.tile([0.0, 0.0, -1.0], (3, 1))


def test_voxels_lie_in_the_tissue_ahead_of_some_pose() -> None:
    """Every voxel is wholly below the skin and within reach of a tip; the one 20 mm ahead of each is there."""
    voxels = Voxels(4.0)
    assert voxels.extend(TIPS, AXES, SKIN) == len(voxels) > 0
    assert voxels.points_mm[:, 2].max() <= -2.0
    nearest = np.linalg.norm(voxels.points_mm[:, None] - TIPS, axis=-1).min(axis=1)
    assert nearest.max() < REACH_MM + 8
    for tip in TIPS:
        assert np.linalg.norm(voxels.points_mm - (tip - [0, 0, 20]), axis=1).min() < 4.0


def test_poses_in_any_order_take_in_the_same_voxels_and_none_twice() -> None:
    """Reversed poses give the same cells in the same order; the same poses again give none."""
    one, other = Voxels(4.0), Voxels(4.0)
    one.extend(TIPS, AXES, SKIN)
    other.extend(TIPS[::-1], AXES[::-1], SKIN)
    assert np.array_equal(one.cells, other.cells)
    assert one.extend(TIPS, AXES, SKIN) == 0
    assert len(np.unique(one.cells, axis=0)) == len(one)


def test_neighbours_are_a_voxel_apart_and_all_are_named_once() -> None:
    """Each pair differs by one step along one axis, and counting faces by hand gives as many pairs."""
    voxels = Voxels(10.0)
    voxels.extend(TIPS, AXES, NoTissue())
    first, second = voxels.neighbours()
    assert np.abs(voxels.cells[first] - voxels.cells[second]).sum(axis=1).max() == 1
    cells = {tuple(each) for each in voxels.cells.tolist()}
    faces = sum((i + 1, j, k) in cells for i, j, k in cells)
    faces += sum((i, j + 1, k) in cells for i, j, k in cells)
    faces += sum((i, j, k + 1) in cells for i, j, k in cells)
    assert len(first) == faces


def test_a_volume_has_each_value_at_its_voxels_place() -> None:
    """Sampling the volume at a voxel's centre gives its value; where there is no voxel it is NaN, not zero."""
    voxels = Voxels(5.0)
    voxels.extend(TIPS, AXES, SKIN)
    values = np.arange(len(voxels), dtype=np.float64)
    volume = voxels.volume(values, quantity="sensitivity", unit="1", frame_of_reference_uid="1.2.3")
    index = np.round(volume.geometry.indices(voxels.points_mm)).astype(int)
    assert np.array_equal(volume.values[tuple(index.T)], values.astype(np.float32))
    assert np.isnan(volume.values).sum() == volume.values.size - len(voxels)
    assert volume.geometry.frame_of_reference_uid == "1.2.3"


def test_what_was_forgotten_is_taken_in_again_when_it_is_looked_at() -> None:
    """Of the voxels only those nearest a place stay; the old poses then bring the rest back."""
    voxels = Voxels(5.0)
    whole = voxels.extend(TIPS, AXES, SKIN)
    voxels.keep(voxels.nearest(TIPS[0], 100))
    assert len(voxels) == 100
    assert voxels.extend(TIPS, AXES, SKIN) == whole - 100


def test_voxels_that_wait_come_later_the_nearest_first() -> None:
    """Taken in 500 at a time, those nearest to the last tip come first, all of them in the end, and none twice."""
    at_once, by_parts = Voxels(5.0), Voxels(5.0)
    whole = at_once.extend(TIPS, AXES, SKIN)
    assert by_parts.extend(TIPS, AXES, SKIN, most=500) == 500
    distance = np.linalg.norm(at_once.points_mm - TIPS[-1], axis=1)
    taken = np.linalg.norm(by_parts.points_mm - TIPS[-1], axis=1)
    assert taken.max() <= np.sort(distance)[499]
    while by_parts.extend(TIPS, AXES, SKIN, most=500):
        pass
    assert len(by_parts) == whole
    assert len(np.unique(by_parts.cells, axis=0)) == whole


def test_a_shorter_reach_and_a_narrower_field_take_in_less() -> None:
    """Within 30 mm and 20 degrees no voxel is farther from every tip, or more aside of every axis."""
    voxels = Voxels(3.0, reach_mm=30.0, field_cosine=float(np.cos(np.radians(20.0))))
    voxels.extend(TIPS[:1], AXES[:1], SKIN)
    offset = voxels.points_mm - TIPS[0]
    distance = np.linalg.norm(offset, axis=1)
    assert distance.max() < 30.0
    assert (offset @ AXES[0] / distance).min() > np.cos(np.radians(20.0))

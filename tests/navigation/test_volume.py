"""Volumes made coarse: what stood somewhere in the patient stands there still."""

import numpy as np
import pytest

from navigation.volume import Volume, VolumeGeometry, coarsen


def oblique_ramp(shape: tuple[int, int, int]) -> Volume:
    """A grid of 1, 0.5 and 0.8 mm, turned and mirrored, whose values are the place along one direction."""
    turn, _ = np.linalg.qr(np.array([[1.0, 0.2, 0.1], [-0.3, 1.0, 0.4], [0.2, 0.1, -1.0]]))
    affine = np.eye(4)
    affine[:3, :3] = turn * (1.0, 0.5, 0.8)
    affine[:3, 3] = (-30.0, 12.0, 7.0)
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2")
    place_mm = geometry.positions_mm(np.moveaxis(np.indices(shape), 0, -1))
    values = (place_mm @ (0.3, -0.5, 0.8)).astype(np.float32)
    return Volume(geometry=geometry, values=values, quantity="attenuation", unit="HU")


@pytest.mark.parametrize("shape", [(12, 20, 15), (13, 24, 17)])
def test_a_ramp_stays_where_it_is(shape: tuple[int, int, int]) -> None:
    """Blocks are averaged and lie at their own middles, also where the far end fills no block."""
    coarse = coarsen(oblique_ramp(shape), 2.5)
    assert coarse.geometry.spacing_mm == pytest.approx((2.0, 2.5, 2.4))
    assert coarse.geometry.shape == (shape[0] // 2, shape[1] // 5, shape[2] // 3)
    place_mm = coarse.geometry.positions_mm(np.moveaxis(np.indices(coarse.geometry.shape), 0, -1))
    np.testing.assert_allclose(coarse.values, place_mm @ (0.3, -0.5, 0.8), atol=1e-4)
    assert (coarse.unit, coarse.geometry.frame_of_reference_uid) == ("HU", "1.2")


def test_what_is_coarse_stays_as_it_is() -> None:
    """Nothing is averaged where the steps are as wide; a side shorter than a block is one block."""
    volume = oblique_ramp((12, 20, 15))
    assert coarsen(volume, 0.7) is volume
    assert coarsen(volume, 100.0).geometry.shape == (1, 1, 1)


def test_no_more_voxels_than_asked_for() -> None:
    """The finest steps are made wider first, so that no axis is finer or coarser than it need be."""
    ramp = oblique_ramp((12, 20, 15))
    coarse = coarsen(ramp, 0.0, at_most=1000)
    assert coarse.geometry.shape == (12, 10, 7)
    assert coarse.geometry.spacing_mm == pytest.approx((1.0, 1.0, 1.6))
    assert coarsen(ramp, 0.0, at_most=3600) is ramp
    assert coarsen(ramp, 0.0, at_most=1).geometry.shape == (1, 1, 1)

"""Regions, frames and grids against closed forms."""

import numpy as np
import pytest
from scipy.stats import chi2

from navigation.estimation.estimate import CHI2_95, region_of
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from navigation.volume import Volume, VolumeGeometry

OBLIQUE = VolumeGeometry(
    patient_from_voxel=np.array(
        [[0.0, 1.2, -1.6, -20.0], [0.0, 1.6, 1.2, 35.0], [4.0, 0.0, 0.0, -110.0], [0.0, 0.0, 0.0, 1.0]]
    ),
    shape=(5, 6, 7),
    frame_of_reference_uid="1.2.3",
)


def test_ninety_five_per_cent_is_the_tabulated_quantile() -> None:
    """Chi-square of three degrees: 7.815 at 5 % (Abramowitz and Stegun, table 26.8)."""
    assert chi2.ppf(0.95, 3) == pytest.approx(CHI2_95, abs=5e-4)


def test_a_region_has_the_axes_of_its_covariance() -> None:
    """1, 2 and 5 mm along turned axes: semi-axes sqrt(7.815) times as long, each along its own, longest first."""
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    covariance = turned @ np.diag([1.0, 25.0, 4.0]) @ turned.T
    semi_axes_mm, axes = region_of(covariance)
    assert semi_axes_mm == pytest.approx(np.sqrt(7.815) * np.array([5.0, 2.0, 1.0]), rel=1e-4)
    assert np.abs(axes @ turned) == pytest.approx(np.eye(3)[[1, 2, 0]], abs=1e-9)


def test_a_region_holds_as_many_draws_as_it_says() -> None:
    """Of 100,000 draws 95 % lie in the ellipsoid, to four standard errors."""
    covariance = np.array([[4.0, 1.5, 0.0], [1.5, 9.0, -2.0], [0.0, -2.0, 3.0]])
    semi_axes_mm, axes = region_of(covariance)
    draws = np.random.default_rng(2).multivariate_normal(np.zeros(3), covariance, 100_000)
    inside = np.square(draws @ axes.T / semi_axes_mm).sum(axis=1) <= 1
    assert inside.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 100_000))


@pytest.mark.parametrize(
    ("wxyz", "column"),
    [
        ((np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)), (0.0, 1.0, 0.0)),  # a quarter turn about z takes x to y
        ((0.5, 0.5, 0.5, 0.5), (0.0, 1.0, 0.0)),  # a third of a turn about the diagonal takes x to y, y to z
        ((0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0)),  # half a turn about x leaves x
        ((-np.sqrt(0.5), 0.0, 0.0, -np.sqrt(0.5)), (0.0, 1.0, 0.0)),  # the other sign is the same turn
    ],
)
def test_quaternions_turn_as_in_the_textbook(wxyz: tuple[float, ...], column: tuple[float, ...]) -> None:
    """Scalar first, active, right-handed; read back with the scalar not negative; directions are not moved."""
    motion = RigidTransform.from_quaternion(wxyz, [10.0, 20.0, 30.0], to=Frame.PATIENT, from_=Frame.TRACKER)
    assert motion.direction([1.0, 0.0, 0.0]) == pytest.approx(np.array(column), abs=1e-12)
    moved_mm = motion.points_mm([1.0, 0.0, 0.0]) - motion.translation_mm
    assert moved_mm == pytest.approx(np.array(column), abs=1e-12)
    sign = -1.0 if wxyz[0] < 0 else 1.0
    assert motion.quaternion_wxyz == pytest.approx(sign * np.array(wxyz), abs=1e-12)


def test_an_oblique_grid_has_the_spacing_and_volume_of_its_steps() -> None:
    """Steps of 4, 2 and 2 mm at right angles: 16 microlitres; index and position are each other's inverse."""
    assert OBLIQUE.spacing_mm == pytest.approx((4.0, 2.0, 2.0))
    assert OBLIQUE.voxel_volume_ml == pytest.approx(0.016)
    index = np.random.default_rng(3).uniform(0, 5, (50, 3))
    assert OBLIQUE.indices(OBLIQUE.positions_mm(index)) == pytest.approx(index, abs=1e-12)


def test_a_linear_field_is_sampled_exactly() -> None:
    """Trilinear interpolation leaves a plane as it is, anywhere between the centres, and says what is outside."""
    index = np.stack(np.meshgrid(*[np.arange(each) for each in OBLIQUE.shape], indexing="ij"), axis=-1)
    slope = np.array([0.3, -0.7, 0.2])
    values = (OBLIQUE.positions_mm(index) @ slope + 5.0).astype(np.float32)
    volume = Volume(geometry=OBLIQUE, values=values, quantity="test", unit="1")
    inside = np.random.default_rng(4).uniform(0, 1, (200, 3)) * (np.array(OBLIQUE.shape) - 1)
    places = OBLIQUE.positions_mm(inside)
    assert volume.sample(places, outside=-1.0) == pytest.approx(places @ slope + 5.0, abs=1e-4)
    assert volume.sample(OBLIQUE.positions_mm([[-2.0, 0.0, 0.0]]), outside=-1.0) == pytest.approx([-1.0])

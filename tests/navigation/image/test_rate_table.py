import numpy as np
import pytest

from navigation.image.rate_table import RateTable
from navigation.tissue import HalfSpace, NoTissue, Skin, Tissue
from tests.navigation.bench import calibrated

RNG = np.random.default_rng(7)
RESPONSE = calibrated(RNG)[0]
TABLE = RateTable(RESPONSE)
SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))


class Layered:
    """Muscle over a rib over the lung, wherever the tip is."""

    def skin_at(self, tip_mm: np.ndarray) -> Skin:
        """Give the plane, and what lies below it."""
        plane = SKIN.skin_at(tip_mm)
        layers = np.tile([1.05, 1.02, 1.5, 1.5, 0.3, 0.25], (len(tip_mm), 1))
        return Skin(height_mm=plane.height_mm, normal=plane.normal, layers=layers)


@pytest.mark.parametrize("tissue", [SKIN, NoTissue(), Layered()])
def test_what_is_looked_up_is_what_the_response_says(tissue: Tissue) -> None:
    """In tissue, in air and over layers, in contact and lifted: nine points of ten within a per cent."""
    tips = np.column_stack((RNG.uniform(-30, 30, (40, 2)), RNG.uniform(0.0, 8, 40)))
    axes = np.column_stack((RNG.normal(0, 0.3, (40, 2)), -np.ones(40)))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    points = np.column_stack((RNG.uniform(-60, 60, (500, 2)), -RNG.uniform(3, 70, 500)))
    skin = tissue.skin_at(tips)
    exact = RESPONSE.rate_and_gradient(points, tips, axes, skin)[0]
    looked_up = TABLE.rates_cps(points, tips, axes, skin)
    assert np.quantile(np.abs(looked_up / exact - 1), 0.9) < 0.01
    assert np.abs(looked_up - exact).max() < 0.02 * exact.max()


def test_a_point_at_the_tip_or_far_away_has_a_finite_rate() -> None:
    """A voxel that touches the tip and one a metre away give numbers, the far one next to nothing."""
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -1000.0]])
    tips, axes = np.zeros((1, 3)), np.array([[0.0, 0.0, -1.0]])
    near, far = TABLE.rates_cps(points, tips, axes, NoTissue().skin_at(tips))[0]
    assert np.isfinite(near)
    assert 0 <= far < 0.01 * near

import numpy as np
import pytest

from navigation.image.rate_table import RateTable
from navigation.tissue import HalfSpace, NoTissue
from tests.navigation.bench import calibrated

RNG = np.random.default_rng(7)
RESPONSE = calibrated(RNG)[0]
TABLE = RateTable(RESPONSE)
SKIN = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))


@pytest.mark.parametrize("tissue", [SKIN, NoTissue()])
def test_what_is_looked_up_is_what_the_response_says(tissue: HalfSpace | NoTissue) -> None:
    """In tissue and in air, tips in contact and lifted: nine points of ten within a per cent, none far off."""
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

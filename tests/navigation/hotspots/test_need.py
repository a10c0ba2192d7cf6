"""What a point needs to be found, box by box."""

import numpy as np
import pytest

from navigation.hotspots.blobs import SCALES, make_layer
from navigation.hotspots.need import LEFT_OF_CUT_OFF, Need
from tests.navigation.hotspots.test_finding import SPECT, make_values, make_volume

SIGMA_MM = 3.8
WHOLE = (slice(0, SPECT.shape[0], 1), slice(0, SPECT.shape[1], 1), slice(0, SPECT.shape[2], 1))


def make_need(values: np.typing.NDArray[np.float64]) -> Need:
    """Look for points in a volume of these values."""
    volume = make_volume(values, SPECT)
    return Need(volume, make_layer(volume, SCALES[0], SIGMA_MM), 6.5)


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 9, 1), slice(3, 20, 2), slice(40, 64, 3)),
        (slice(20, 30, 1), slice(24, 40, 1), slice(24, 40, 1)),
        (slice(47, 48, 1), slice(0, 64, 1), slice(63, 64, 1)),
    ],
)
def test_a_box_is_told_what_the_whole_is_told(box: tuple[slice, slice, slice]) -> None:
    """Slopes and heights are looked at beyond the box, at the volume's border too."""
    expected = make_values(SPECT, [((0.0, 0.0, 0.0), 20.0), ((12.0, 8.0, 0.0), 0.5)], background_bq_per_ml=300.0)
    need = make_need(np.random.default_rng(3).poisson(expected * 3e-3) / 3e-3)
    np.testing.assert_array_equal(need.amplitude(box), need.amplitude(WHOLE)[box])


def test_more_is_needed_where_it_is_cut_off_and_on_a_slope() -> None:
    """Beside a hot spot a point must be a hill; where little was set to 0 it must leave enough above that."""
    values = make_values(SPECT, [((0.0, 0.0, 0.0), 20.0)], background_bq_per_ml=300.0)
    values = np.random.default_rng(3).poisson(values * 3e-3) / 3e-3
    z, y, x = np.unravel_index(values.argmax(), values.shape)
    far, near = make_need(values).amplitude(WHOLE)[z, y, [x + 20, x + 3]]
    assert near > 10 * far
    cut_at = 0.05 * values.max()
    least = values[values > cut_at].min()
    needed = make_need(np.where(values > cut_at, values, 0.0)).amplitude(WHOLE)
    assert needed[z, y, x + 20] == pytest.approx(LEFT_OF_CUT_OFF * least)

"""How much memory a search takes beside the volume itself."""

import tracemalloc

import numpy as np

from navigation.hotspots.blobs import find_blobs
from tests.navigation.hotspots.test_finding import make_geometry, make_values, make_volume

FLOAT_BYTES = 4


def test_a_search_takes_less_than_nine_volumes() -> None:
    """Of the scales only the finest is held while another is filtered: of 40 million voxels 1.4 GB are nine."""
    geometry = make_geometry((2.0, 2.0, 2.0), (160, 160, 160))
    expected = make_values(geometry, [((0.0, 0.0, 0.0), 0.5)], background_bq_per_ml=300.0)
    volume = make_volume(np.random.default_rng(5).poisson(expected * 3e-2) / 3e-2, geometry)
    tracemalloc.start()
    try:
        found = len(find_blobs(volume, 3.4, least_snr=6.5, at_most=32).blobs)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 1
    assert peak_bytes < 9 * FLOAT_BYTES * volume.values.size

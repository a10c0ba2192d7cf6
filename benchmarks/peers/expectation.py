"""Freehand SPECT as it is sold: maximum likelihood on a 4 mm grid, smoothed, its peaks taken for targets."""

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from benchmarks.peers.answers import Answer
from benchmarks.recordings import Known
from navigation.freehand import Freehand, FreehandImage
from navigation.observations import Observations

ITERATIONS = 200
"""Of an answer; the second goes on from the first."""

SMOOTHED_VOXELS = 1.0
"""Standard deviation of the filter after it: of 1 to 3 voxels, and 60 or 200 iterations, this was the nearest."""


class SmoothedExpectation:
    """MLEM, the map's injection site given as a known source."""

    name = "smoothed MLEM, 4 mm"
    readings_at_once: int | None = None

    def __init__(self, known: Known, rng: np.random.Generator) -> None:  # noqa: ARG002 - it draws no numbers
        self._known = known
        self._freehand = Freehand(known.response, known.tissue, frame_of_reference_uid="", roughness=0.0)
        self._image: FreehandImage | None = None

    def add(self, observations: Observations) -> None:
        """Reconstruct anew."""
        sites = [each for each in self._known.injections if each.activity_mbq is not None]
        self._image = self._freehand.update(
            observations,
            known_mm=np.array([each.centre_mm for each in sites]).reshape(-1, 3),
            known_mbq=np.array([each.activity_mbq for each in sites], dtype=np.float64),
            iterations=ITERATIONS,
        )

    def answers(self) -> list[Answer]:
        """Name the highest peaks, each moved to the centre of mass of its 27 voxels."""
        if self._image is None:
            return []
        volume = self._image.activity
        smooth = gaussian_filter(np.nan_to_num(volume.values).astype(np.float64), SMOOTHED_VOXELS)
        smooth[np.isnan(volume.values)] = 0.0
        is_peak = (smooth == maximum_filter(smooth, size=5)) & (smooth > 0)
        places = np.argwhere(is_peak)
        strongest = places[np.argsort(-smooth[is_peak], kind="stable")[: self._known.sought]]
        padded = np.pad(smooth, 1)
        around = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1)
        found = []
        for place in strongest:
            k, j, i = place
            weight = padded[k : k + 3, j : j + 3, i : i + 3]
            centre = place - 1 + np.einsum("kji,kjid->d", weight, around) / weight.sum()
            found.append(Answer(position_mm=volume.geometry.positions_mm(centre)))
        return found

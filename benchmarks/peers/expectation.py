"""Freehand SPECT as a good implementer would build it: likelihood's maximum on a 4 mm grid, smoothed, its peaks.

It has what ours has: the calibrated response, skin, dead time, background and map. The image begins as the map has
it, the injection sites' activities are unknowns beside the voxels (Shepp and Vardi, IEEE Trans. Med. Imaging 1,
1982); it iterates until the counts tell nothing more and is smoothed afterwards, which is what keeps such an image
from speckles (Snyder and Miller, IEEE Trans. Nucl. Sci. 32, 1985).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from benchmarks.peers.answers import Answer
from benchmarks.recordings import Known, Spot
from navigation.image.emission import Emission, maximised
from navigation.image.rate_table import RateTable
from navigation.image.voxels import Voxels
from navigation.observations import Observations

Array = NDArray[np.float64]

SPACING_MM = 4.0

SHALLOWEST_MM = 5.0
"""Nothing is put into the first millimetres below the skin: voxels that touch the tip would explain all noise."""

MOST_ITERATIONS, CHECKED_EVERY, LEAST_GAIN = 400, 20, 0.02
"""It stops once an iteration gains less log-likelihood than this, on average over the last so many."""

SMOOTHED_VOXELS = 1.0
"""Standard deviation of the filter afterwards; on drawn scenes 0.7 to 1.5 make no difference of 0.3 mm."""

CENTRE_WITHIN_MM = 10.0
"""A target is the centre of mass of the smoothed image so near to its peak: 6 mm were worse by a millimetre."""

APART_MM = 6.0
"""Peaks nearer to each other are one."""

SITE_MM = 15.0
"""So near to a mapped injection site nothing is taken for a node: the site's error of place glows there."""

ANYWHERE = 0.05
"""Share of belief in no place of the map, as our own prior has it."""

START_MBQ, LEAST_MBQ = 0.1, 1e-9
"""Activity of an image without a map before the first count, and the least of a voxel."""

_AT_ONCE = 16


class SmoothedExpectation:
    """MLEM from all readings, the last image being the start; peaks are weighed by the map."""

    name = "smoothed MLEM, 4 mm"
    readings_at_once: int | None = None

    def __init__(self, known: Known, rng: np.random.Generator) -> None:  # noqa: ARG002 - it draws no numbers
        self._known = known
        self._table = RateTable(known.response)
        self._voxels = Voxels(SPACING_MM)
        self._sites_mm = np.array([each.centre_mm for each in known.injections]).reshape(-1, 3)
        self._seen = Observations.empty()
        self._sites_mbq = np.array([each.activity_mbq or 1.0 for each in known.injections])
        self._activity_mbq = np.zeros(0)

    def add(self, observations: Observations) -> None:
        """Reconstruct anew from all readings."""
        self._seen = self._seen + observations
        fresh = self._voxels.extend(observations.tip_mm, observations.axis, self._known.tissue)
        size = len(self._voxels)
        begun_mbq = np.zeros(size)
        for spot in self._known.targets or (None,):
            density = self._belief(spot)
            begun_mbq += (START_MBQ if spot is None else spot.activity_mbq or START_MBQ) * density / density.sum()
        # the sites stand behind the voxels
        unknown = np.concatenate((self._activity_mbq, begun_mbq[size - fresh :], self._sites_mbq))
        emission = self._emission()
        before = emission.log_likelihood(unknown)
        for _ in range(0, MOST_ITERATIONS, CHECKED_EVERY):
            unknown = np.maximum(maximised(emission, unknown, iterations=CHECKED_EVERY), LEAST_MBQ)
            after = emission.log_likelihood(unknown)
            if after - before < CHECKED_EVERY * LEAST_GAIN:
                break
            before = after
        self._activity_mbq, self._sites_mbq = unknown[:size], unknown[size:]

    def _emission(self) -> Emission:
        seen, points = self._seen, np.vstack((self._voxels.points_mm, self._sites_mm))
        rates = np.empty((len(seen), len(points)), dtype=np.float32)
        for start in range(0, len(seen), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            tip_mm = seen.tip_mm[some]
            skin = self._known.tissue.skin_at(tip_mm)
            rates[some] = self._table.rates_cps(points, tip_mm, seen.axis[some], skin)
        is_shallow = self._known.tissue.skin_at(self._voxels.points_mm).height_mm > -SHALLOWEST_MM
        rates[:, : len(is_shallow)][:, is_shallow] = 0.0  # no row sees them: they keep their start
        return Emission(
            rates_cps=rates,
            counts=seen.counts,
            alive_s=seen.live_time_s - seen.counts * self._known.response.dead_time_s,
            others_cps=np.full(len(seen), self._known.response.background_cps),
        )

    def answers(self) -> list[Answer]:
        """Name the highest peak for each mapped target, weighed by the map; without a map the highest of all."""
        if not len(self._voxels):
            return []
        smooth, is_peak = self._smoothed()
        points = self._voxels.points_mm
        for site in self._sites_mm:
            is_peak &= np.linalg.norm(points - site, axis=1) > SITE_MM
        found = []
        for spot in self._known.targets or (None,):
            if not is_peak.any():
                break
            height = np.where(is_peak, smooth * self._belief(spot), -1.0)
            apart = np.linalg.norm(points - points[height.argmax()], axis=1)
            is_peak &= apart > APART_MM
            mass = np.where(apart < CENTRE_WITHIN_MM, smooth, 0.0)
            found.append(Answer(position_mm=mass @ points / mass.sum()))
        return found

    def _smoothed(self) -> tuple[Array, NDArray[np.bool_]]:
        """Smooth the image, as much of a kernel as lies inside it; say which voxels are peaks. Shapes (M,)."""
        place = tuple((self._voxels.cells - self._voxels.cells.min(axis=0)).T)
        shape = [int(each.max()) + 1 for each in place]
        image, inside = np.zeros(shape), np.zeros(shape)
        image[place], inside[place] = self._activity_mbq, 1.0
        image = gaussian_filter(image, SMOOTHED_VOXELS, mode="constant")
        inside = gaussian_filter(inside, SMOOTHED_VOXELS, mode="constant")
        smooth = np.zeros(shape)
        smooth[place] = image[place] / inside[place]
        return smooth[place], (smooth == maximum_filter(smooth, size=3))[place] & (smooth[place] > 0)

    def _belief(self, spot: Spot | None) -> Array:
        """Density of a mapped target in each voxel, 1/mm3: Gaussian, and a share anywhere."""
        size = len(self._voxels)
        if spot is None:
            return np.ones(size)
        offset = self._voxels.points_mm - spot.centre_mm
        square = np.einsum("ij,ij->i", offset, np.linalg.solve(spot.covariance_mm2, offset.T).T)
        density = np.exp(-0.5 * square) / np.sqrt(np.linalg.det(2 * np.pi * spot.covariance_mm2))
        return np.asarray((1 - ANYWHERE) * density + ANYWHERE / (size * SPACING_MM**3))

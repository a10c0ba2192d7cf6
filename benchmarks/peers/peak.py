"""The count peak with the CT's depth: a surgeon who follows the tone, and reads the depth from the scan."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.answers import Answer
from benchmarks.recordings import Known
from navigation.observations import Observations

Array = NDArray[np.float64]

SMOOTHED_MM = 5.0
"""Rates are averaged over poses whose points 25 mm ahead lie about this far apart (Gaussian)."""

DEPTH_MM = 25.0
"""Of a target on no map, and the distance ahead at which poses are compared.

Fat over axillary nodes: 25.9 mm on average (PMC4093907).
"""


class Peak:
    """Highest smoothed rate, then along the axis to the depth on the map.

    Each hotspot has the poses that look past it more closely than past any other, an injection site's included:
    nobody takes the injection for the node on the map.
    """

    name = "count peak with CT depth"
    readings_at_once: int | None = None

    def __init__(self, known: Known, rng: np.random.Generator) -> None:  # noqa: ARG002 - it draws no numbers
        self._known = known
        self._observations = Observations.empty()

    def add(self, observations: Observations) -> None:
        """Keep readings."""
        self._observations = self._observations + observations

    def answers(self) -> list[Answer]:
        """Name one place a hotspot, or one place in all without a map."""
        seen = self._observations
        if not len(seen):
            return []
        ahead = seen.tip_mm + DEPTH_MM * seen.axis
        apart = np.square(ahead[:, None] - ahead[None]).sum(axis=-1)
        share = np.exp(-0.5 * apart / SMOOTHED_MM**2)
        rate_cps = (share @ seen.counts) / (share @ seen.live_time_s)
        spots = self._known.spots
        if not self._known.targets:
            return [self._at(int(rate_cps.argmax()), DEPTH_MM)]
        offset = np.array([each.centre_mm for each in spots])[None] - seen.tip_mm[:, None]
        miss_mm = np.linalg.norm(np.cross(offset, seen.axis[:, None]), axis=-1)
        nearest = miss_mm.argmin(axis=1)
        found = []
        for number, spot in enumerate(self._known.targets):
            if not (nearest == number).any():
                continue
            depth_mm = -float(self._known.tissue.skin_at(spot.centre_mm[None]).height_mm[0])
            found.append(self._at(int(np.where(nearest == number, rate_cps, -1.0).argmax()), depth_mm))
        return found

    def _at(self, row: int, depth_mm: float) -> Answer:
        tip, axis = self._observations.tip_mm[row], self._observations.axis[row]
        skin = self._known.tissue.skin_at(tip[None])
        # a probe held flat would never reach the depth
        falls = max(float(-axis @ skin.normal[0]), 0.2)
        return Answer(position_mm=tip + (depth_mm + float(skin.height_mm[0])) / falls * axis)

"""Freehand SPECT: a live image of the activity from counts at tracked poses.

Rows are poses, columns voxels: each reading adds a row of rates that 1 MBq in every voxel would have there
(Wendler et al., MICCAI 2007), older readings of like pose are merged, and the image climbs from where it was by
a few iterations of ``navigation.image.emission``. It is drawn only where the counts bear it out: where an activity
worth knowing of could still hide, the image is unknown, not dark, and it reaches no farther than the calibration.

An update takes the same time after 20,000 readings as after 500: rows are merged, voxels far from the tip
forgotten, the matrix stays where it is in memory, and no more of it is looked up at once than ``LOOKED_UP``.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from navigation.errors import NavigationError
from navigation.estimation.tally import KEPT_ROWS, RECENT_ROWS, Tally
from navigation.image.emission import Emission, Roughness, maximised
from navigation.image.rate_table import RateTable
from navigation.image.voxels import FIELD_COSINE, REACH_MM, Voxels
from navigation.observations import Observations
from navigation.probe.response import Response
from navigation.tissue import Tissue
from navigation.volume import Volume

Array = NDArray[np.float64]

SPACING_MM = 4.0
"""Side of a voxel: below the 6 mm that freehand SPECT resolves (van Oosterom et al., 2019)."""

ITERATIONS = 8
"""Of an update. An image that is renewed each second settles while the probe moves."""

HIDDEN_MBQ = 0.1
"""A voxel in which this much would not be noticed is unknown."""

ROUGHNESS = 10.0
"""Log-likelihood that an edge between two voxels costs for each standard error of its height."""

MOST_VOXELS = 24_000
"""More are not held: a quarter of them, those farthest from the tip, is forgotten."""

LOOKED_UP = 250_000
"""Rates of older rows that an update looks up at most: voxels beyond that wait for the next one."""

BLOCK_RATES = 200_000
"""Rates that are worked out or merged at a time: a few arrays of so many fit the processor's cache."""

LEAST_MBQ = 1e-6
"""Where an update starts at least: a voxel at zero could never come back."""

SHORTEST_ALIVE = 0.02
"""Share of a counting time that is left at least after dead time: beyond, the counter was saturated."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreehandImage:
    """What the counts so far show.

    Attributes
    ----------
    activity
        Activity concentration at the newest reading, Bq/mL; NaN where it is unknown. Known sources are not in it.
    sensitivity
        Counts that what is 1 MBq in the voxel now would have brought so far; NaN where the probe has not looked.
    detectable
        Least activity now in the voxel that would be noticed, MBq (5 % error of either kind); NaN likewise.
    coverage
        Share of the voxels that the probe has looked at in which the image is known, 0 to 1.
    known_ml
        Their volume.
    readings
        Tracked counts that it rests on.
    log_likelihood
        Of the image, up to a constant of the counts.

    """

    activity: Volume
    sensitivity: Volume
    detectable: Volume
    coverage: float
    known_ml: float
    readings: int
    log_likelihood: float


class Freehand:
    """Holds the counts and the last image; the same readings in the same batches give the same numbers.

    Parameters
    ----------
    response
        The probe's calibration; its background is the additive term.
    tissue
        Where the patient's skin is.
    frame_of_reference_uid
        Of the patient frame that the poses are in.
    half_life_s
        Of the nuclide: an hour of sweeping sees a tenth or, of Ga-68, half of it decay.
    spacing_mm
        Side of a voxel.
    hidden_mbq
        An activity that must not hide in a voxel that is drawn.
    roughness
        Cost of an edge, see ``navigation.image.emission``; 0 is plain maximum likelihood.

    Raises
    ------
    NavigationError
        Where the spacing, the half-life or ``hidden_mbq`` is not positive, or the roughness negative.

    """

    def __init__(
        self,
        response: Response,
        tissue: Tissue,
        *,
        frame_of_reference_uid: str,
        half_life_s: float = math.inf,
        spacing_mm: float = SPACING_MM,
        hidden_mbq: float = HIDDEN_MBQ,
        roughness: float = ROUGHNESS,
    ) -> None:
        if not (spacing_mm > 0 and hidden_mbq > 0 and roughness >= 0):
            raise NavigationError("freehand: wants a spacing and a hidden activity above 0, a roughness not below")
        self._response = response
        self._tissue = tissue
        self._frame_of_reference_uid = frame_of_reference_uid
        self._hidden_mbq = hidden_mbq
        self._roughness = roughness
        self._table = RateTable(response)
        self._tally = Tally(tissue, half_life_s=half_life_s)
        self._voxels = Voxels(
            spacing_mm,
            reach_mm=min(REACH_MM, response.greatest_distance_mm),
            field_cosine=max(FIELD_COSINE, math.cos(math.radians(min(response.greatest_angle_deg, 90.0)))),
        )
        self._pairs = self._voxels.neighbours()
        # as large as it will ever be, so that it is never copied to grow; memory is only taken as it is filled
        self._matrix = np.empty((KEPT_ROWS + RECENT_ROWS, MOST_VOXELS), dtype=np.float32)
        # activities in here are those at the first reading, and rates what they have come to at each
        self._activity_mbq = np.zeros(0)

    def update(
        self,
        observations: Observations,
        *,
        known_mm: Array | None = None,
        known_mbq: Array | None = None,
        iterations: int = ITERATIONS,
    ) -> FreehandImage | None:
        """Take in readings and renew the image; None before the probe has looked at any tissue.

        Parameters
        ----------
        observations
            New ones; their order does not matter.
        known_mm, known_mbq
            Sources to be left out of the image, as an injection site: places (K, 3) and activities now (K,).
        iterations
            From the last image.

        """
        if len(observations):
            self._take_in(observations)
        if not len(self._voxels):
            return None
        emission = self._emission(known_mm, known_mbq)
        start = np.maximum(self._activity_mbq, LEAST_MBQ)
        roughness = None
        if self._roughness > 0:
            first, second = self._pairs
            error = np.maximum(emission.information(start), 1e-12) ** -0.5
            errors_per_mbq = 1 / np.hypot(error[first], error[second])
            roughness = Roughness(first=first, second=second, errors_per_mbq=errors_per_mbq, cost=self._roughness)
        self._activity_mbq = maximised(emission, start, iterations=iterations, roughness=roughness)
        return self._image(emission)

    def _take_in(self, observations: Observations) -> None:
        older = len(self._tally)
        self._tally.append(observations)
        merged = self._tally.merge()
        if len(observations) > RECENT_ROWS:
            older = 0  # new rows were merged too: all is worked out again
        elif merged:
            group, live_time_s = merged
            older = self._merge_rows(group[:older], live_time_s[:older])
        known = self._extend(observations, most=LOOKED_UP // max(older, 1))
        self._look_up(slice(0, older), known)
        self._look_up(slice(older, len(self._tally)), 0)

    def _merge_rows(self, group: NDArray[np.intp], live_time_s: Array) -> int:
        """Average older rows of a group by live time, as the tally did; return how many there are now."""
        if not len(group):
            return 0
        total_s = np.bincount(group, live_time_s)
        rows, voxels = len(total_s), len(self._voxels)
        share = (live_time_s / total_s[group]).astype(np.float32)
        averaging = csr_array((share, (group, np.arange(len(group)))), shape=(rows, len(group)))
        width = BLOCK_RATES // len(group)
        for start in range(0, voxels, width):
            columns = slice(start, min(start + width, voxels))
            self._matrix[:rows, columns] = np.asarray(averaging @ self._matrix[: len(group), columns])
        return rows

    def _extend(self, observations: Observations, *, most: int) -> int:
        """Take in the voxels that are looked at, and forget some if they are too many.

        Returns how many of those held before, which come first, are left.
        """
        held = len(self._voxels)
        fresh = self._voxels.extend(observations.tip_mm, observations.axis, self._tissue, most=most)
        # a new voxel is taken to hold as much as the others do
        first = max(float(self._activity_mbq.mean()) if held else 0.0, 1e2 * LEAST_MBQ)
        self._activity_mbq = np.concatenate((self._activity_mbq, np.full(fresh, first)))
        if len(self._voxels) > MOST_VOXELS:
            kept = self._voxels.nearest(observations.tip_mm[-1], MOST_VOXELS * 3 // 4)
            self._voxels.keep(kept)
            self._activity_mbq = self._activity_mbq[kept]
            columns = kept[kept < held]
            for row in self._matrix:
                row[: len(columns)] = row[columns]
            held = len(columns)
        if fresh:
            self._pairs = self._voxels.neighbours()
        return held

    def _look_up(self, rows: slice, first_voxel: int) -> None:
        """Fill rows of the matrix from a voxel on, some rows at a time."""
        points = self._voxels.points_mm[first_voxel:]
        if not len(points):
            return
        tally = self._tally
        height = max(BLOCK_RATES // len(points), 1)
        for start in range(rows.start, rows.stop, height):
            some = np.arange(start, min(start + height, rows.stop))
            rates_cps = self._table.rates_cps(points, tally.tip_mm[some], tally.axis[some], tally.skin.take(some))
            rates_cps *= tally.strength[some, None].astype(np.float32)
            self._matrix[some, first_voxel : first_voxel + len(points)] = rates_cps

    def _emission(self, known_mm: Array | None, known_mbq: Array | None) -> Emission:
        tally = self._tally
        others_cps = np.full(len(tally), max(self._response.background_cps, 1e-3))
        if known_mm is not None and known_mbq is not None and len(known_mm):
            of_one_mbq = self._response.rate_cps(known_mm, tally.tip_mm, tally.axis, tally.skin)
            others_cps += (of_one_mbq @ known_mbq) * tally.strength / math.exp(tally.log_strength)
        alive_s = tally.live_time_s - tally.counts * self._response.dead_time_s
        return Emission(
            rates_cps=self._matrix[: len(tally), : len(self._voxels)],
            counts=tally.counts,
            alive_s=np.maximum(alive_s, SHORTEST_ALIVE * tally.live_time_s),
            others_cps=others_cps,
        )

    def _image(self, emission: Emission) -> FreehandImage:
        left = math.exp(self._tally.log_strength)
        sensitivity = emission.sensitivity
        information = emission.information(self._activity_mbq)
        # Currie's limit (Anal. Chem. 40, 1968) for a known background, rows weighted by what they tell
        detectable = 2.71 / np.maximum(sensitivity, 1e-12) + 3.29 / np.sqrt(np.maximum(information, 1e-24))
        detectable *= left
        is_known = detectable <= self._hidden_mbq
        voxel_ml = self._voxels.spacing_mm**3 / 1e3

        def volume(values: Array, quantity: str, unit: str) -> Volume:
            return self._voxels.volume(
                values, quantity=quantity, unit=unit, frame_of_reference_uid=self._frame_of_reference_uid
            )

        concentration = np.where(is_known, left * self._activity_mbq * 1e6 / voxel_ml, np.nan)
        return FreehandImage(
            activity=volume(concentration, "activity concentration", "Bq/mL"),
            sensitivity=volume(sensitivity / left, "sensitivity", "1/MBq"),
            detectable=volume(detectable, "detectable activity", "MBq"),
            coverage=float(is_known.mean()),
            known_ml=float(is_known.sum()) * voxel_ml,
            readings=self._tally.readings,
            log_likelihood=emission.log_likelihood(self._activity_mbq),
        )

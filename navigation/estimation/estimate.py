"""What is believed after the counts: one estimate for each source, and whether the counts bear it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.shift import MapShift

Array = NDArray[np.float64]

CHI2_95 = 7.815
"""95 % quantile of chi-square with three degrees of freedom: scales a covariance to its region."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetEstimate:
    """One source: whether it is there, where, and how strong.

    Attributes
    ----------
    name, kind
        As in the prior; a source on no map is ``"unmapped 1"`` and a target.
    presence
        Probability that it is there at all.
    centre_mm, covariance_mm2
        Posterior mean and covariance of its position, patient frame, given that it is there.
    log_activity_mean, log_activity_sigma
        Of the natural logarithm of its activity in MBq.
    is_localisable
        False where the counts cannot tell: then no position may be drawn.
    reason
        Why not; empty where it is.
    region_semi_axes_mm, region_axes
        Of the 95 % ellipsoid, longest first, shapes (3,) and (3, 3): a unit axis a row.
    mapped_mm
        Where the map has it, or None.

    """

    name: str
    kind: str
    presence: float
    centre_mm: Array
    covariance_mm2: Array
    log_activity_mean: float
    log_activity_sigma: float
    is_localisable: bool
    reason: str
    region_semi_axes_mm: Array
    region_axes: Array
    mapped_mm: Array | None

    @property
    def activity_mbq(self) -> float:
        """Posterior median of its activity, MBq."""
        return float(np.exp(self.log_activity_mean))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """All that is believed after some readings.

    Attributes
    ----------
    targets
        The map's sources in its order, then those on no map.
    background_cps
        Posterior of the background.
    readings
        Tracked counts that it rests on.
    expected_rate_cps
        Rate as the instrument would count it at the pose that it last counted at, dead time included; None before.
    is_consistent
        Whether the counts scatter about the expectation as they should (posterior predictive check).
    misfit, recent_misfit
        By how many standard deviations they scatter more: all counts, and the newest alone.
    restarts
        How often the newest readings contradicted the belief for so long that all older ones were forgotten.
    map_shift
        How far the map has moved as a whole since the scan; None where no mapped source tells.
    is_within_calibration
        Whether every target lies within the distances and angles that were calibrated, seen from some pose.

    """

    targets: tuple[TargetEstimate, ...]
    background_cps: float
    readings: int
    expected_rate_cps: float | None
    is_consistent: bool
    misfit: float
    recent_misfit: float
    restarts: int
    map_shift: MapShift | None
    is_within_calibration: bool


def region_of(covariance_mm2: Array) -> tuple[Array, Array]:
    """Semi-axes (mm, longest first) and unit axes (a row each) of a covariance's 95 % ellipsoid."""
    values, vectors = np.linalg.eigh(covariance_mm2)
    semi_axes = np.sqrt(CHI2_95 * np.maximum(values[::-1], 0.0))
    axes = np.ascontiguousarray(vectors.T[::-1])
    return semi_axes, axes

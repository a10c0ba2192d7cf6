"""A point seen from the probe's tip.

The TIP frame is right-handed with +z ahead and +y up, so +x points to the left of somebody who looks along the
probe; ``right_mm`` is therefore ``-x``. It is turned round here, once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.transforms import RigidTransform

NORMAL_95 = 1.96
"""Half width of the central 95 % of a normal distribution, in standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Where a point lies seen from the tip.

    Attributes
    ----------
    right_mm, up_mm, ahead_mm
        In the tip's frame.
    distance_mm, half_width_mm
        From the tip, and half the 95 % interval of it, by the covariance along the line of sight.
    off_axis_deg
        Between the way the probe looks and the point.

    """

    right_mm: float
    up_mm: float
    ahead_mm: float
    distance_mm: float
    half_width_mm: float
    off_axis_deg: float


def see(
    centre_mm: NDArray[np.float64], covariance_mm2: NDArray[np.float64], patient_from_tip: RigidTransform
) -> Sight:
    """See a position, shape (3,) mm, and its covariance, both in the patient frame, from the tip."""
    offset_mm = centre_mm - patient_from_tip.translation_mm
    left_mm, up_mm, ahead_mm = (float(part) for part in offset_mm @ patient_from_tip.rotation)
    distance_mm = float(np.linalg.norm(offset_mm))
    along = offset_mm / distance_mm if distance_mm > 0 else patient_from_tip.rotation[:, 2]
    return Sight(
        right_mm=-left_mm,
        up_mm=up_mm,
        ahead_mm=ahead_mm,
        distance_mm=distance_mm,
        half_width_mm=NORMAL_95 * float(np.sqrt(along @ covariance_mm2 @ along)),
        off_axis_deg=float(np.degrees(np.arctan2(np.hypot(left_mm, up_mm), ahead_mm))),
    )

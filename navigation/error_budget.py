"""How far the shown tip may be from the true one, and why: independent errors, whose covariances add up.

Registration, tracker, the tip's calibration, the hand's speed times the delay that is not known, and tissue that
has moved since the scan. One number is told: the radius that holds the true tip in 95 of 100.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.statistics.radius import radius_within_mm

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorBudget:
    """Covariances of the tip's errors, patient frame, mm², each (3, 3); None where nobody knows.

    Attributes
    ----------
    registration
        Of the registration at the tip.
    tracker
        Of what the tracker measured, brought to the tip.
    calibration
        Of where the tip is on its tool.
    motion
        Of the speed times the delay between counts and poses.
    tissue
        Of what moved since the scan.

    """

    registration: Array | None
    tracker: Array | None
    calibration: Array | None
    motion: Array | None
    tissue: Array | None

    def rms_mm(self) -> dict[str, float | None]:
        """Root mean square of each part in space, by its name."""
        parts = {
            "registration": self.registration,
            "tracker": self.tracker,
            "calibration": self.calibration,
            "motion": self.motion,
            "tissue": self.tissue,
        }
        return {name: None if part is None else float(np.sqrt(np.trace(part))) for name, part in parts.items()}

    @property
    def within_mm(self) -> float | None:
        """Radius that holds the true tip with a probability of 95 %; None where a part is not known."""
        parts = (self.registration, self.tracker, self.calibration, self.motion, self.tissue)
        known = [part for part in parts if part is not None]
        return radius_within_mm(np.sum(known, axis=0)) if len(known) == len(parts) else None


def round_error(rms_mm: float) -> Array:
    """Covariance, mm², of an error of ``rms_mm`` in space that is alike in all directions."""
    return rms_mm**2 / 3 * np.eye(3)


def turned_error(lever_mm: Array, sigma_rad: float) -> Array:
    """Covariance, mm², at the end of a lever (3,) that turns by ``sigma_rad`` about each axis."""
    return np.asarray(sigma_rad**2 * (lever_mm @ lever_mm * np.eye(3) - np.outer(lever_mm, lever_mm)))


def moved_error(velocity_mm_s: Array, delay_sigma_s: float) -> Array:
    """Covariance, mm², of a delay known to ``delay_sigma_s`` at a velocity (3,)."""
    return np.asarray(delay_sigma_s**2 * np.outer(velocity_mm_s, velocity_mm_s))

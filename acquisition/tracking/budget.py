"""The error budget at the tip as it is held now, out of what the room knows of each of its parts."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from acquisition.synchronise import SeenTip, TipChain
from acquisition.tracking.settings import AccuracySettings
from navigation.error_budget import ErrorBudget, moved_error, round_error, turned_error
from navigation.registration_error import RegistrationError

TellBudget: TypeAlias = Callable[[SeenTip, TipChain, NDArray[np.float64] | None], ErrorBudget]
"""Makes the budget of a tip that was seen by way of a chain at a velocity (3,), mm/s, or at an unknown one."""


class Budgeting:
    """Makes the budget of a tip that was seen.

    Parameters
    ----------
    accuracy
        What the site says of its tracker, its delay and its tissue.
    tip_covariance_mm2
        Of the tip's calibration, the tool's axes; None where it was not measured.
    registration
        Says how far the registration may be wrong; None where that is not known.

    """

    def __init__(
        self,
        accuracy: AccuracySettings,
        *,
        tip_covariance_mm2: NDArray[np.float64] | None,
        registration: Callable[[], RegistrationError | None],
    ) -> None:
        self._accuracy = accuracy
        self._tip_covariance_mm2 = tip_covariance_mm2
        self._registration = registration

    def of(self, seen: SeenTip, chain: TipChain, velocity_mm_s: NDArray[np.float64] | None) -> ErrorBudget:
        """Make the budget as `TellBudget` says."""
        tip_mm = seen.patient_from_tip.translation_mm
        registration = self._registration()
        return ErrorBudget(
            registration=None if registration is None else registration.covariance_at(tip_mm),
            tracker=self._tracker(seen, chain),
            calibration=self._calibration(seen, chain),
            motion=None if velocity_mm_s is None else moved_error(velocity_mm_s, self._accuracy.delay_sigma_s),
            tissue=None if self._accuracy.tissue_mm is None else round_error(self._accuracy.tissue_mm),
        )

    def _tracker(self, seen: SeenTip, chain: TipChain) -> NDArray[np.float64]:
        """Of the tool and of the reference, each shifted and turned at the end of its lever."""
        accuracy, sigma_rad = self._accuracy, np.radians(self._accuracy.tracker_deg)
        patient_from_tool = seen.patient_from_tip @ chain.tool_from_tip.inverse
        lever_mm = patient_from_tool.direction(chain.tool_from_tip.translation_mm)
        found = round_error(accuracy.tracker_mm) + turned_error(lever_mm, sigma_rad)
        if chain.reference is None or chain.patient_from_reference is None:
            return found
        lever_mm = seen.patient_from_tip.translation_mm - chain.patient_from_reference.translation_mm
        return found + round_error(accuracy.tracker_mm) + turned_error(lever_mm, sigma_rad)

    def _calibration(self, seen: SeenTip, chain: TipChain) -> NDArray[np.float64] | None:
        if self._tip_covariance_mm2 is None:
            return None if self._accuracy.tip_mm is None else round_error(self._accuracy.tip_mm)
        turn = (seen.patient_from_tip @ chain.tool_from_tip.inverse).rotation
        return np.asarray(turn @ self._tip_covariance_mm2 @ turn.T)

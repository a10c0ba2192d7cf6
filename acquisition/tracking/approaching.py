"""Where the tip came from at the landmarks: it tells half a turn of the patient, as no distance does."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.quality.results import Figure, StepResult, failure
from acquisition.tracking.judging import Found
from navigation.calibration.approach import FROM_ABOVE_DEG, FROM_BELOW_DEG, Lying, angle_to_down_deg

NAME = "approach"

LIES = {
    Lying.SUPINE: "on her back",
    Lying.PRONE: "on her front",
    Lying.LEFT: "on her left side",
    Lying.RIGHT: "on her right side",
}


def judge_approach(
    found: Found, axes: Sequence[NDArray[np.float64]], lying: Lying
) -> tuple[Found | None, StepResult]:
    """Judge the ways that the tip looked at the landmarks, unit vectors (3,) of frame ``REFERENCE``.

    It fails where the tip came from below the patient as she is said to lie. Where it came from the side, nothing
    is told and the registration passes, which is said.
    """
    limit = f"the tip looks down on her, who lies {LIES[lying]}: {FROM_BELOW_DEG:g}° from straight down at most"
    away_deg = angle_to_down_deg(found.registration.patient_from_reference.direction(np.array(axes)), lying)
    figure = Figure(name="from straight down", value=away_deg, unit="°")
    if away_deg > FROM_BELOW_DEG:
        reason = (
            f"the tip came from below her, if she lies {LIES[lying]}: the landmarks are turned by half, as where "
            "RAS was saved as LPS; save them anew, or say how she lies"
        )
        return None, failure(NAME, limit, reason, figure)
    reason = (
        "the tip came from above: the landmarks are not turned by half"
        if away_deg < FROM_ABOVE_DEG
        else "the tip came from the side: a half turn, as of RAS that was saved as LPS, would not show; look "
        "whether the page shows the tip where it is"
    )
    return found, StepResult(name=NAME, passed=True, figures=(figure,), limit=limit, reason=reason)

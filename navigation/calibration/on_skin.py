"""Whether landmarks lie on the skin of the study that they are said to be of.

RAS in place of LPS is no mirror but half a turn about the long axis, which no distance between landmarks shows:
the patient's front is taken for her back, left for right. Her skin shows it.
"""

import numpy as np
from numpy.typing import ArrayLike

from navigation.tissue import Tissue

GREATEST_OFF_MM = 20.0
"""Median distance from the skin beyond which landmarks that were touched on it are not of this study."""

FAR_BETTER = 1 / 3
"""Half a turn that leaves less than this part of the distance is what happened."""


def doubt_landmarks(landmarks_mm: ArrayLike, skin: Tissue) -> str:
    """Say why landmarks (N, 3), patient frame, cannot be of the study with this skin; empty where they can be.

    It finds half a turn where the patient does not lie evenly about the axis of the study's coordinates.
    """
    landmarks = np.asarray(landmarks_mm, dtype=np.float64)
    off_mm, turned_mm = (
        float(np.median(np.abs(skin.skin_at(points).height_mm))) for points in (landmarks, landmarks * (-1, -1, 1))
    )
    if off_mm <= GREATEST_OFF_MM:
        return ""
    if turned_mm < FAR_BETTER * off_mm:
        return "the landmarks lie on the skin only with x and y turned: they are RAS where LPS was said"
    return f"the landmarks lie {off_mm:.0f} mm from the skin of the study: they were marked in another one"

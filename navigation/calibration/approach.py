"""Whether a registration turned the patient by half, by where the tip came from and by what landmarks are called.

RAS in place of LPS is half a turn about the long axis: it turns landmarks and tip alike, so that nothing that was
touched shows it. Two things are known from elsewhere: who touches a patient on a table looks down on her,
whichever way she lies, and landmarks are called left and right. A set that is nearly flat and mirrored in x fits
as half a turn too, and shows in the same.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Lying(StrEnum):
    """How the patient lies on the table, as DICOM's patient positions call it."""

    SUPINE = "supine"
    """On her back."""
    PRONE = "prone"
    """On her front."""
    LEFT = "left"
    """On her left side."""
    RIGHT = "right"
    """On her right side."""

    @property
    def down(self) -> Array:
        """Unit vector down to the table, patient frame (LPS)."""
        return np.array(_DOWN[self])


_DOWN = {
    Lying.SUPINE: (0.0, 1.0, 0.0),
    Lying.PRONE: (0.0, -1.0, 0.0),
    Lying.LEFT: (1.0, 0.0, 0.0),
    Lying.RIGHT: (-1.0, 0.0, 0.0),
}

FROM_ABOVE_DEG, FROM_BELOW_DEG = 75.0, 105.0
"""Mean angle between tip and straight down up to which it came from above, and from which on from below."""

LEAST_APART_MM = 20.0
"""What is called left lies at least so far to the right of what is called right, before the names are believed."""

_LEFT, _RIGHT = (
    re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for words in (r"left|l|links|linke\w?|лев\w+", r"right|r|rechts|rechte\w?|прав\w+")
)


def angle_to_down_deg(axes: ArrayLike, lying: Lying) -> float:
    """Mean angle between the ways (N, 3) that the tip looked, patient frame, and straight down, by its cosine."""
    cosine = float(np.mean(np.asarray(axes, dtype=np.float64) @ lying.down))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def doubt_names(names: Sequence[str], patient_mm: ArrayLike) -> str:
    """Say that landmarks (N, 3), patient frame (LPS), are called left on her right; empty where they are not."""
    x_mm = np.asarray(patient_mm, dtype=np.float64)[:, 0]
    left = np.array([bool(_LEFT.search(name)) for name in names])
    right = np.array([bool(_RIGHT.search(name)) for name in names])
    left, right = left & ~right, right & ~left
    if not (left.any() and right.any()) or x_mm[left].mean() > x_mm[right].mean() - LEAST_APART_MM:
        return ""
    leftmost, rightmost = int(np.flatnonzero(left)[0]), int(np.flatnonzero(right)[0])
    return (
        f"{names[leftmost]} lies to the right of {names[rightmost]}: x has the other sign, as where RAS was saved "
        "as LPS, or the names are of the viewer's left and right; save them anew"
    )

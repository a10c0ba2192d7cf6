"""How far a bed lies elsewhere by another registration than the one that its target was marked by.

A target keeps its place in patient axes. Registered anew, the patient may have the same tissue at other places of
theirs: a probe over the former place then counts beside the bed, and that it counts nothing there proves nothing.
Whether the former registration was right, or the new one is, or the reference slipped in between, nobody knows.
"""

from dataclasses import replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from navigation.estimation.estimate import CHI2_95, TargetEstimate, region_of
from navigation.estimation.judgement import GREATEST_SEMI_AXIS_MM
from navigation.transforms import RigidTransform

Array = NDArray[np.float64]

FARTHEST_MM = GREATEST_SEMI_AXIS_MM / sqrt(CHI2_95)
"""Shift beyond which a bed is not counted, 7.2 mm: the largest standard error of a place that may be shown.

A shorter one is no greater doubt than a place that was marked may have had anyway: it is added to that.
"""


def shift_mm(place_mm: Array, *, then: RigidTransform | None, now: RigidTransform | None) -> Array:
    """Give by how much a place of a former registration (3,), mm, lies elsewhere by the one in use, shape (3,).

    By nothing where one of the two is not known: older records say none, and with none in use no tracked count
    comes in.
    """
    if then is None or now is None:
        return np.zeros(3)
    return now.points_mm(then.inverse.points_mm(place_mm)) - place_mm


def refuse_shift(moved_mm: Array) -> str:
    """Say why a bed so far elsewhere is not counted, and what to do; empty where it may be."""
    length_mm = float(np.linalg.norm(moved_mm))
    if length_mm <= FARTHEST_MM:
        return ""
    return (
        f"the patient was registered anew since it was marked: by that its bed lies {length_mm:.0f} mm elsewhere, "
        "and nobody knows which of both holds; look for what is left by the rate itself, and count the specimen"
    )


def widened(target: TargetEstimate, moved_mm: Array) -> TargetEstimate:
    """Give a target whose place is in doubt by a shift (3,), mm, too: as by a standard error of that length."""
    covariance_mm2 = target.covariance_mm2 + np.outer(moved_mm, moved_mm)
    semi_axes_mm, axes = region_of(covariance_mm2)
    return replace(target, covariance_mm2=covariance_mm2, region_semi_axes_mm=semi_axes_mm, region_axes=axes)

"""Planes of an image in the order of their place along the normal, and whether they fill an even grid."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import attribute_name
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import WIDEST_MM

POSITION_TOLERANCE_MM = 0.1
"""How far a slice may lie from its place on an even grid: twice the rounding of positions given to 0.1 mm."""

TILT_TOLERANCE_DEG = 0.1
"""Largest angle between the stack and the slices' normal before the stack counts as sheared by a gantry tilt."""

FEWEST_SLICES = 3
"""With two slices a gap cannot be told from the slice distance."""

POSITION = attribute_name("ImagePositionPatient")


class PlacesShared(SeriesRefused):
    """Raised when two slices lie at the same place."""


def order_along(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64], names: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Order planes by their position along the normal.

    Parameters
    ----------
    positions_mm
        Image Position (Patient) of each plane, LPS mm, (N, 3).
    normal
        Unit vector.
    names
        Of each plane, for the sentence of a refusal.

    Returns
    -------
    order, step_mm
        Indices of the planes, (N,), and the step from each to the next, LPS mm, (3,).

    Raises
    ------
    SeriesRefused
        With too few planes, two at one place, a gap, uneven spacing or a tilt.

    """
    if len(positions_mm) < FEWEST_SLICES:
        raise SeriesRefused(
            f"only {len(positions_mm)} slice(s): the distance between slices comes from {POSITION} of at least "
            f"{FEWEST_SLICES}"
        )
    along_mm = positions_mm @ normal
    order = np.argsort(along_mm, kind="stable")
    return order, _even_step_mm(positions_mm[order], along_mm[order], normal, [names[place] for place in order])


def _even_step_mm(
    positions_mm: NDArray[np.float64],
    along_mm: NDArray[np.float64],
    normal: NDArray[np.float64],
    names: Sequence[str],
) -> NDArray[np.float64]:
    distances_mm = np.diff(along_mm)
    usual_mm = float(np.median(distances_mm))
    closest = int(np.argmin(distances_mm))
    if distances_mm[closest] < max(POSITION_TOLERANCE_MM, 0.01 * usual_mm):
        raise PlacesShared(
            f"{POSITION}: two slices lie at the same place, {along_mm[closest]:.2f} mm along the normal: "
            f"{names[closest]} and {names[closest + 1]} (repeated slices, overlapping beds, or a dynamic or gated "
            "series)"
        )
    if usual_mm > WIDEST_MM:
        raise SeriesRefused(f"{POSITION}: slices are {usual_mm:g} mm apart: an image has {WIDEST_MM:g} mm at most")
    widest = int(np.argmax(distances_mm))
    if distances_mm[widest] > 1.5 * usual_mm:
        raise SeriesRefused(
            f"{POSITION}: a gap of {distances_mm[widest]:.2f} mm after {along_mm[widest]:.2f} mm along the "
            f"normal, where slices are {usual_mm:.2f} mm apart: slices are missing between {names[widest]} and "
            f"{names[widest + 1]}"
        )
    step_mm: NDArray[np.float64] = (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1)
    sideways_mm = np.linalg.norm(step_mm - (step_mm @ normal) * normal)
    tilt_deg = float(np.degrees(np.arctan2(sideways_mm, step_mm @ normal)))
    if tilt_deg > TILT_TOLERANCE_DEG:
        raise SeriesRefused(
            f"{POSITION}: the slices are shifted against each other by a tilt of {tilt_deg:.1f} deg; "
            "reconstruct without gantry tilt"
        )
    even_mm = positions_mm[0] + np.arange(len(positions_mm))[:, None] * step_mm
    off_mm = np.linalg.norm(positions_mm - even_mm, axis=1)
    if off_mm.max() > POSITION_TOLERANCE_MM:
        raise SeriesRefused(
            f"{POSITION}: the slices are unevenly spaced; {names[int(off_mm.argmax())]} lies {off_mm.max():.2f} "
            "mm from its place"
        )
    return step_mm

"""RT Structure Sets (PS3.3 A.19): contours of target volumes become targets."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.drawn import Drawn, fill
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.objects import StoredObject

Array = NDArray[np.float64]

TARGET_TYPES = frozenset({"GTV", "CTV"})
"""RT ROI Interpreted Type (3006,00A4): gross and clinical target volume. PTV has margins, organs are none."""

STEP_MM = 1.0
"""Distance of the points that fill a contour."""

PLANE_TOLERANCE_MM = 0.1
"""Contours whose heights differ by less lie in one plane; a contour's own points do not leave it further."""

MOST_POINTS_OF_A_CONTOUR = 4_000_000
"""Where the box of a contour would hold more the points are set wider apart."""


def read_structures(objects: Sequence[StoredObject]) -> Drawn:
    """Read the regions of a series of structure sets; those that are no target volume are listed.

    Raises
    ------
    SeriesRefused
        Where a target has contours that are not closed and planar, or too few planes to tell their distance.

    """
    drawn = Drawn()
    for stored in objects:
        drawn = drawn + _read_object(stored.attributes)
    return drawn


def _read_object(attributes: Attributes) -> Drawn:
    types = {
        item.count("ReferencedROINumber"): item.text("RTROIInterpretedType")
        for item in attributes.items("RTROIObservationsSequence")
    }
    contours = {
        item.count("ReferencedROINumber"): item.items("ContourSequence")
        for item in attributes.items("ROIContourSequence")
    }
    drawn = Drawn()
    for roi in attributes.items("StructureSetROISequence"):
        number, name = roi.count("ROINumber"), roi.text("ROIName") or "without a name"
        if types.get(number) not in TARGET_TYPES:
            drawn = drawn + Drawn(others=(f"{name} ({types.get(number) or 'no type'})",))
        elif not contours.get(number):
            drawn = drawn + Drawn(others=(f"{name} (empty)",))
        else:
            drawn = drawn + _read_region(name, contours[number], roi)
    return drawn


def _read_region(name: str, contours: Sequence[Attributes], roi: Attributes) -> Drawn:
    loops_mm = [_read_loop(contour) for contour in contours]
    normal = _normal(max(loops_mm, key=len))
    across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(normal, across)])
    planes: dict[int, list[Array]] = defaultdict(list)
    for loop_mm in loops_mm:
        heights_mm = loop_mm @ normal
        if np.ptp(heights_mm) > PLANE_TOLERANCE_MM:
            raise SeriesRefused(f"{attribute_name('ContourData')} of {name} in {roi.where} is not planar")
        planes[round(float(heights_mm.mean()) / PLANE_TOLERANCE_MM)].append(loop_mm)
    heights_mm = np.sort([key * PLANE_TOLERANCE_MM for key in planes])
    if len(heights_mm) < 2:
        raise SeriesRefused(f"{name} in {roi.where} is drawn in one plane: its thickness is not known")
    thickness_mm = float(np.median(np.diff(heights_mm)))
    points, area_mm2 = [], 0.0
    for loops in planes.values():
        filled_mm, step_mm = _fill_plane(loops, axes)
        points.append(filled_mm)
        area_mm2 += len(filled_mm) * step_mm**2
    outline = fill(
        name,
        np.concatenate(points),
        volume_ml=area_mm2 * thickness_mm / 1000,
        frame_of_reference_uid=roi.required_text("ReferencedFrameOfReferenceUID"),
        origin=f"contours of {roi.where}",
    )
    return Drawn(targets=(outline,))


def _read_loop(contour: Attributes) -> Array:
    kind = contour.required_text("ContourGeometricType")
    if kind not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
        raise SeriesRefused(f"{attribute_name('ContourGeometricType')} in {contour.where} is {kind}, not closed")
    data = np.array(contour.all_numbers("ContourData"))
    if data.size % 3 or data.size < 9:
        raise SeriesRefused(f"{attribute_name('ContourData')} in {contour.where} holds {data.size} numbers")
    return data.reshape(-1, 3)


def _normal(loop_mm: Array) -> Array:
    """Find the unit normal of a planar loop: the direction in which its points spread least."""
    _, _, directions = np.linalg.svd(loop_mm - loop_mm.mean(axis=0), full_matrices=False)
    return np.asarray(directions[2])


def _fill_plane(loops_mm: Sequence[Array], axes: Array) -> tuple[Array, float]:
    """Fill the loops of one plane; a loop within another is a hole (even-odd rule)."""
    flat = [loop @ axes.T for loop in loops_mm]
    low, high = (
        np.min([one.min(axis=0) for one in flat], axis=0),
        np.max([one.max(axis=0) for one in flat], axis=0),
    )
    step_mm = max(STEP_MM, float(np.sqrt(np.prod(high - low) / MOST_POINTS_OF_A_CONTOUR)))
    u, v = (np.arange(first + step_mm / 2, last, step_mm) for first, last in zip(low, high, strict=True))
    inside = np.zeros((len(v), len(u)), dtype=np.bool_)
    for loop in flat:
        for (u0, v0), (u1, v1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            crosses = (v0 <= v) != (v1 <= v)
            if crosses.any():
                at = u0 + (v[crosses] - v0) * (u1 - u0) / (v1 - v0)
                inside[crosses] ^= u < at[:, None]
    row, column = np.nonzero(inside)
    height = loops_mm[0] @ np.cross(*axes)
    points = np.stack([u[column], v[row]], axis=-1) @ axes
    return points + height.mean() * np.cross(*axes), step_mm

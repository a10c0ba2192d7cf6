"""RT Structure Sets (PS3.3 A.19): contours of target volumes become targets."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acquisition.studies.attributes import Attributes, attribute_name
from acquisition.studies.drawn import Drawn, fill, require_few
from acquisition.studies.errors import SeriesRefused
from acquisition.studies.grids import FARTHEST_MM
from acquisition.studies.objects import StoredObject

Array = NDArray[np.float64]

TARGET_TYPES = frozenset({"GTV", "CTV"})
"""RT ROI Interpreted Type (3006,00A4): gross and clinical target volume. PTV has margins, organs are none."""

CONTOUR = attribute_name("ContourData")

STEP_MM = 1.0
"""Distance of the points that fill a contour."""

PLANE_TOLERANCE_MM = 0.1
"""Contours whose heights differ by less lie in one plane; a contour's own points do not leave it further."""

MOST_CELLS = 1_000_000
"""Where the boxes of a region's planes would hold more points these are set wider apart."""

MOST_CORNERS = 1_000_000
"""Points of the contours of one region; a person draws some thousands."""

MOST_CROSSINGS = 10_000_000
"""Of the contours of one plane with its rows; what crosses them more often was not drawn around anything."""


def read_structures(objects: Sequence[StoredObject]) -> Drawn:
    """Read the regions of a series of structure sets; those that are no target volume are listed.

    Raises
    ------
    SeriesRefused
        Where a target has contours that are not closed and planar, too few planes to tell their distance, or more
        points than anybody draws.

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
    rois = attributes.items("StructureSetROISequence")
    is_target = [types.get(roi.count("ROINumber")) in TARGET_TYPES for roi in rois]
    require_few(regions=len(rois), targets=sum(is_target), where=attributes.where)
    drawn = Drawn()
    for roi, is_wanted in zip(rois, is_target, strict=True):
        number, name = roi.count("ROINumber"), roi.text("ROIName") or "without a name"
        if not is_wanted:
            drawn = drawn + Drawn(others=(f"{name} ({types.get(number) or 'no type'})",))
        elif not contours.get(number):
            drawn = drawn + Drawn(others=(f"{name} (empty)",))
        else:
            drawn = drawn + _read_region(name, contours[number], roi)
    return drawn


def _read_region(name: str, contours: Sequence[Attributes], roi: Attributes) -> Drawn:
    loops_mm = _read_loops(name, contours)
    normal = _normal(max(loops_mm, key=len))
    across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(normal, across)])
    planes: dict[int, list[Array]] = defaultdict(list)
    for loop_mm in loops_mm:
        heights_mm = loop_mm @ normal
        if np.ptp(heights_mm) > PLANE_TOLERANCE_MM:
            raise SeriesRefused(f"{CONTOUR} of {name} in {roi.where} is not planar")
        planes[round(float(heights_mm.mean()) / PLANE_TOLERANCE_MM)].append(loop_mm)
    heights_mm = np.sort([key * PLANE_TOLERANCE_MM for key in planes])
    if len(heights_mm) < 2:
        raise SeriesRefused(f"{name} in {roi.where} is drawn in one plane: its thickness is not known")
    thickness_mm = float(np.median(np.diff(heights_mm)))
    flat = {key: [loop @ axes.T for loop in loops] for key, loops in planes.items()}
    boxes_mm2 = sum(float(np.prod(np.ptp(np.concatenate(loops), axis=0))) for loops in flat.values())
    step_mm = max(STEP_MM, float(np.sqrt(boxes_mm2 / MOST_CELLS)))
    points = []
    for key, loops in flat.items():
        try:
            filled = _fill_plane(loops, step_mm)
        except _DrawnOver as exc:
            raise SeriesRefused(
                f"{CONTOUR} of {name} in {roi.where} crosses itself {exc} times: no contour"
            ) from exc
        height_mm = float((planes[key][0] @ normal).mean())
        points.append(filled @ axes + height_mm * normal)
    points_mm = np.concatenate(points)
    outline = fill(
        name,
        points_mm,
        volume_ml=len(points_mm) * step_mm**2 * thickness_mm / 1000,
        frame_of_reference_uid=roi.required_uid("ReferencedFrameOfReferenceUID"),
        origin=f"contours of {roi.where}",
    )
    return Drawn(targets=(outline,))


def _read_loops(name: str, contours: Sequence[Attributes]) -> list[Array]:
    loops_mm: list[Array] = []
    corners = 0
    for contour in contours:
        loops_mm.append(_read_loop(contour))
        corners += len(loops_mm[-1])
        if corners > MOST_CORNERS:
            raise SeriesRefused(
                f"{CONTOUR} of {name} in {contour.where} holds more than the {MOST_CORNERS} points that are read"
            )
    return loops_mm


def _read_loop(contour: Attributes) -> Array:
    kind = contour.required_text("ContourGeometricType")
    if kind not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
        raise SeriesRefused(f"{attribute_name('ContourGeometricType')} in {contour.where} is {kind}, not closed")
    data = contour.many_numbers("ContourData")
    if data.size % 3 or data.size < 9:
        raise SeriesRefused(f"{CONTOUR} in {contour.where} holds {data.size} numbers")
    if (farthest_mm := float(np.abs(data).max())) > FARTHEST_MM:
        raise SeriesRefused(f"{CONTOUR} in {contour.where} lies {farthest_mm:g} mm from the origin")
    return data.reshape(-1, 3)


def _normal(loop_mm: Array) -> Array:
    """Find the unit normal of a planar loop: the direction in which its points spread least."""
    _, _, directions = np.linalg.svd(loop_mm - loop_mm.mean(axis=0), full_matrices=False)
    return np.asarray(directions[2])


class _DrawnOver(Exception):
    """Raised where loops cross the rows of their plane too often; the message says how often."""


def _fill_plane(loops: Sequence[Array], step_mm: float) -> Array:
    """Fill the loops (N, 2) of one plane with points; a loop within another is a hole (even-odd rule)."""
    low = np.min([loop.min(axis=0) for loop in loops], axis=0)
    high = np.max([loop.max(axis=0) for loop in loops], axis=0)
    u, v = (np.arange(first + step_mm / 2, last, step_mm) for first, last in zip(low, high, strict=True))
    starts, ends = np.concatenate(loops), np.concatenate([np.roll(loop, -1, axis=0) for loop in loops])
    (u0, v0), (u1, v1) = starts.T, ends.T
    first_row = np.searchsorted(v, np.minimum(v0, v1))
    rows_crossed = np.searchsorted(v, np.maximum(v0, v1)) - first_row
    crossings = int(rows_crossed.sum())
    if crossings > MOST_CROSSINGS:
        raise _DrawnOver(crossings)
    edge = np.repeat(np.arange(len(starts)), rows_crossed)
    before = np.cumsum(rows_crossed) - rows_crossed
    row = first_row[edge] + np.arange(crossings) - before[edge]
    at = u0[edge] + (v[row] - v0[edge]) * (u1[edge] - u0[edge]) / (v1[edge] - v0[edge])
    # a row's point is inside where an odd number of edges crosses the row beyond it
    columns = len(u) + 1
    beyond = np.bincount(row * columns + np.searchsorted(u, at), minlength=len(v) * columns)
    inside = beyond.reshape(len(v), columns)[:, ::-1].cumsum(axis=1)[:, -2::-1] % 2 == 1
    row, column = np.nonzero(inside)
    return np.stack([u[column], v[row]], axis=-1)

"""Landmarks that were marked in the study: markups of 3D Slicer (``.mrk.json``), by name, in LPS.

The schema says which axes its numbers are in ("LPS" or "RAS"), and of which unit; both are converted, neither is
guessed. Schema: ``markups-schema-v1.0.3`` of 3D Slicer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from navigation.calibration.approach import doubt_names
from navigation.calibration.matching import MOST_POINTS

TARGET = "target"
"""Points whose names begin with it are not touched."""


class PlanUnusable(ValueError):
    """Raised when a file of landmarks cannot be used; the sentence names the file and what to do."""


class _ControlPoint(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    position: tuple[float, float, float]
    position_status: str = msgspec.field(default="defined", name="positionStatus")


class _Markup(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    axes: Literal["LPS", "RAS"] = msgspec.field(name="coordinateSystem")
    units: str | list[str] = msgspec.field(default="mm", name="coordinateUnits")
    points: list[_ControlPoint] = msgspec.field(name="controlPoints")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    markups: list[_Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkPlan:
    """What is to be touched, and where that is in the study.

    Attributes
    ----------
    names
        As they were called when they were marked.
    patient_mm
        Where they are, shape (N, 3), patient frame (LPS).
    targets_mm
        Places that are not touched, by name, each (3,): the error is predicted there.

    """

    names: tuple[str, ...]
    patient_mm: NDArray[np.float64]
    targets_mm: Mapping[str, NDArray[np.float64]]


def read_plan(path: Path) -> LandmarkPlan:
    """Read the points of a markups file.

    Raises
    ------
    PlanUnusable
        Where there is no such file, it is none of Slicer's, its unit is not mm, a point has no place, or no
        name of its own, or what is called left lies on her right.

    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise PlanUnusable(f"{path}: no landmarks: {exc.strerror}") from exc
    return parse_plan(raw, str(path))


def parse_plan(raw: bytes, path: str) -> LandmarkPlan:
    """Read the points of a markups file's content; ``path`` names it in what is said.

    Raises
    ------
    PlanUnusable
        As ``read_plan``.

    """
    try:
        markups = msgspec.json.decode(raw, type=_File).markups
    except msgspec.DecodeError as exc:
        raise PlanUnusable(f"{path}: no markups of 3D Slicer: {exc}; save the points as .mrk.json") from exc
    names, places = list[str](), list[NDArray[np.float64]]()
    for markup in markups:
        units = {markup.units} if isinstance(markup.units, str) else set(markup.units)
        if units != {"mm"}:
            raise PlanUnusable(f"{path}: coordinates in {', '.join(sorted(units))}, wanted mm")
        sign = np.array((1.0, 1.0, 1.0) if markup.axes == "LPS" else (-1.0, -1.0, 1.0))
        for point in markup.points:
            if point.position_status != "defined" or not np.isfinite(point.position).all():
                raise PlanUnusable(f"{path}: landmark {point.label!r} has no place: mark it, or delete it")
            names.append(point.label.strip())
            places.append(sign * np.array(point.position))
    if twice := sorted({name for name in names if names.count(name) > 1 or not name}):
        raise PlanUnusable(f"{path}: landmarks need names of their own, not {twice[0]!r} again or none")
    marked = dict(zip(names, places, strict=True))
    targets_mm = {name: place for name, place in marked.items() if name.lower().startswith(TARGET)}
    touched = {name: place for name, place in marked.items() if name not in targets_mm}
    if not 3 <= len(touched) <= MOST_POINTS:
        raise PlanUnusable(f"{path}: {len(touched)} landmarks: 3 to {MOST_POINTS} are wanted, 5 are good")
    patient_mm = np.array(list(touched.values()))
    if doubt := doubt_names(tuple(touched), patient_mm):
        raise PlanUnusable(f"{path}: {doubt}")
    return LandmarkPlan(names=tuple(touched), patient_mm=patient_mm, targets_mm=targets_mm)

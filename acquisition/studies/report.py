"""What was made of a received study, as plain JSON values: for the command and for whoever asks over HTTP."""

import math
from dataclasses import asdict, fields
from typing import Any, TypeAlias

import numpy as np

from acquisition.studies.plans import Uptake
from acquisition.studies.reading import StudyMap
from navigation.hotspots import Hotspot
from navigation.routes import Route, planned_route
from navigation.volume import Volume, VolumeGeometry

Direction: TypeAlias = tuple[float, float, float]


def read_approach(text: str) -> Direction:
    """Read a planned approach: ``x,y,z`` (LPS), pointing from the skin inwards, of any length.

    Raises
    ------
    ValueError
        Where it is no direction; the message says what is wanted.

    """
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        x = y = z = 0.0
    if not 0 < math.hypot(x, y, z) < math.inf:
        raise ValueError(f"{text!r} is no direction: wants x,y,z (LPS), pointing from the skin inwards")
    return x, y, z


def summarise(found: StudyMap, approach: Direction | None = None) -> dict[str, Any]:
    """Give a study as plain JSON values; volumes by their grid and range, not their voxels.

    ``approach`` is a planned one, from the skin inwards (LPS): the way along it is told of each candidate too.
    """
    study = found.study
    return {
        "study_uid": study.study_uid,
        "patient_id": study.patient_id,
        "patient_name": study.patient_name,
        "description": study.description,
        "taken_at": study.taken_at.isoformat() if study.taken_at else None,
        "joined_by": study.joined_by,
        "apart": [{"one_uid": one, "other_uid": other} for one, other in study.apart],
        "half_life_s": study.half_life_s,
        "nuclide": study.nuclide,
        "resolution": asdict(found.resolution) if found.resolution else None,
        "skin": found.obstacle or "found",
        "candidates": [_summarise_spot(spot, found, approach) for spot in found.hotspots],
        "series": [
            {
                "series_uid": report.series_uid,
                "modality": report.modality,
                "description": report.description,
                "objects": report.objects,
                "accepted": report.accepted,
                "reason": report.reason,
                "geometry": _summarise_geometry(report.geometry) if report.geometry else None,
                "uptake": _summarise_uptake(report.uptake) if report.uptake else None,
                "volume": _summarise_volume(report.volume) if report.volume else None,
            }
            for report in study.series
        ],
    }


def _summarise_spot(spot: Hotspot, found: StudyMap, approach: Direction | None) -> dict[str, Any]:
    told = {field.name: _plain(getattr(spot, field.name)) for field in fields(spot)}
    ct, planned = found.study.anatomy, None
    if ct is not None and approach is not None:
        planned = planned_route(ct, spot.centre_mm, approach)
    shortest = found.routes.get(spot.name)
    return {**told, "shortest_route": _summarise_route(shortest), "planned_route": _summarise_route(planned)}


def _summarise_route(route: Route | None) -> dict[str, Any] | None:
    return {field.name: _plain(getattr(route, field.name)) for field in fields(route)} if route else None


def _plain(value: Any) -> Any:
    """Give JSON's own values; numbers that are not finite are none."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _summarise_geometry(geometry: VolumeGeometry) -> dict[str, Any]:
    return {
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "patient_from_voxel": geometry.patient_from_voxel.tolist(),
        "frame_of_reference_uid": geometry.frame_of_reference_uid,
    }


def _summarise_uptake(uptake: Uptake) -> dict[str, Any]:
    factors = uptake.factors
    return {"factors": asdict(factors) if factors else None, "why_not": uptake.why_not}


def _summarise_volume(volume: Volume) -> dict[str, Any]:
    return {
        **_summarise_geometry(volume.geometry),
        "quantity": volume.quantity,
        "unit": volume.unit,
        "smallest": float(volume.values.min()),
        "largest": float(volume.values.max()),
    }

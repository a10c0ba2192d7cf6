"""``python -m acquisition.studies PATH``: what the service would make of a folder of DICOM files."""

import json
import math
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import structlog
import typer

from acquisition.reading import StudyMap, make_map
from acquisition.studies.plans import Knowledge, Uptake
from acquisition.studies.registration import SameFrames
from acquisition.studies.study import read_studies
from navigation.hotspots import Hotspot
from navigation.routes import Route
from navigation.volume import Volume, VolumeGeometry


def summarise(found: StudyMap) -> dict[str, Any]:
    """Give a study as plain JSON values; volumes by their grid and range, not their voxels."""
    study = found.study
    return {
        "study_uid": study.study_uid,
        "patient_id": study.patient_id,
        "patient_name": study.patient_name,
        "description": study.description,
        "taken_at": study.taken_at.isoformat() if study.taken_at else None,
        "joined_by": study.joined_by,
        "half_life_s": study.half_life_s,
        "skin": found.obstacle or "found",
        "candidates": [_summarise_spot(spot, found.routes.get(spot.name)) for spot in found.hotspots],
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


def _summarise_spot(spot: Hotspot, route: Route | None) -> dict[str, Any]:
    told = {field.name: _plain(getattr(spot, field.name)) for field in fields(spot)}
    way_in = {field.name: _plain(getattr(route, field.name)) for field in fields(route)} if route else None
    return {**told, "shortest_route": way_in}


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


def _confirm(text: str) -> SameFrames:
    one, _, other = text.partition("=")
    if not (one and other):
        raise typer.BadParameter(f"{text!r} is not two UIDs with = between them", param_hint="--same-frame")
    return SameFrames(frames=(one, other), confirmed_by="the command line")


def main(
    path: Annotated[Path, typer.Argument(exists=True, help="A DICOM file, or a folder searched to its depth.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    same_frames: Annotated[
        list[str] | None,
        typer.Option(
            "--same-frame", help="UID=UID: two Frame of Reference UIDs that you confirm to be one space."
        ),
    ] = None,
) -> None:
    """Print every study found, of each series whether it is used and why, and the candidate targets."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    files = sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]
    studies = read_studies(files, Knowledge(same_frames=tuple(_confirm(text) for text in same_frames or ())))
    if as_json:
        typer.echo(json.dumps([summarise(make_map(study)) for study in studies], indent=2, allow_nan=False))
        return
    for found in map(make_map, studies):
        study = found.study
        typer.echo(f"study {study.study_uid or '(none)'}  {study.patient_id}  {study.description}")
        for report in study.series:
            mark = "yes" if report.accepted else "no "
            typer.echo(f"  {mark}  {report.modality:4} {report.objects:5}  {report.description}  {report.reason}")
        for spot in found.hotspots:
            typer.echo(f"  {spot.name}: {_describe(spot, found.routes.get(spot.name))}")


def _describe(spot: Hotspot, route: Route | None) -> str:
    x_mm, y_mm, z_mm = spot.centre_mm
    sigma_mm = math.sqrt(float(np.linalg.eigvalsh(spot.covariance_mm2).max()))
    activity = (
        "activity unknown"
        if spot.activity_mbq is None
        else f"{spot.activity_mbq:.3g} MBq (a factor {spot.activity_factor:.2g} either way)"
    )
    parts = [f"at {x_mm:.1f}, {y_mm:.1f}, {z_mm:.1f} mm +- {sigma_mm:.1f}", activity, f"{spot.volume_ml:.2g} mL"]
    if route:
        parts.append(f"{route.depth_mm:.0f} mm deep")
    if spot.masked_within_mm:
        parts.append(f"may hide a node of a thousandth of it within {spot.masked_within_mm:.0f} mm")
    if spot.proposal:
        parts.append(spot.proposal)
    return ", ".join(parts)


if __name__ == "__main__":
    typer.run(main)

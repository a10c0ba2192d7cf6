"""``python -m acquisition.studies PATH``: what the service would make of a folder of DICOM files."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from acquisition.studies.plans import Knowledge, Uptake
from acquisition.studies.registration import SameFrames
from acquisition.studies.study import Study, read_studies
from navigation.volume import Volume, VolumeGeometry


def summarise(study: Study) -> dict[str, Any]:
    """Give a study as plain JSON values; volumes by their grid and range, not their voxels."""
    return {
        "study_uid": study.study_uid,
        "patient_id": study.patient_id,
        "patient_name": study.patient_name,
        "description": study.description,
        "taken_at": study.taken_at.isoformat() if study.taken_at else None,
        "joined_by": study.joined_by,
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
    """Print every study found, and of each series whether it is used and why."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    files = sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]
    studies = read_studies(files, Knowledge(same_frames=tuple(_confirm(text) for text in same_frames or ())))
    if as_json:
        typer.echo(json.dumps([summarise(study) for study in studies], indent=2))
        return
    for study in studies:
        typer.echo(f"study {study.study_uid or '(none)'}  {study.patient_id}  {study.description}")
        for report in study.series:
            mark = "yes" if report.accepted else "no "
            typer.echo(f"  {mark}  {report.modality:4} {report.objects:5}  {report.description}  {report.reason}")


if __name__ == "__main__":
    typer.run(main)

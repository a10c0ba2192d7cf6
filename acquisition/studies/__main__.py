"""``python -m acquisition.studies PATH``: what the service would make of a folder of DICOM files."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from acquisition.studies.study import Study, read_studies
from navigation.volume import Volume


def summarise(study: Study) -> dict[str, Any]:
    """Give a study as plain JSON values; volumes by their grid and range, not their voxels."""
    return {
        "study_uid": study.study_uid,
        "patient_id": study.patient_id,
        "patient_name": study.patient_name,
        "description": study.description,
        "taken_at": study.taken_at.isoformat() if study.taken_at else None,
        "series": [
            {
                "series_uid": report.series_uid,
                "modality": report.modality,
                "description": report.description,
                "objects": report.objects,
                "accepted": report.accepted,
                "reason": report.reason,
                "volume": _summarise_volume(report.volume) if report.volume else None,
            }
            for report in study.series
        ],
    }


def _summarise_volume(volume: Volume) -> dict[str, Any]:
    geometry = volume.geometry
    return {
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "patient_from_voxel": geometry.patient_from_voxel.tolist(),
        "frame_of_reference_uid": geometry.frame_of_reference_uid,
        "quantity": volume.quantity,
        "unit": volume.unit,
        "smallest": float(volume.values.min()),
        "largest": float(volume.values.max()),
    }


def main(
    path: Annotated[Path, typer.Argument(exists=True, help="A DICOM file, or a folder searched to its depth.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Print every study found, and of each series whether it is used and why."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    files = sorted(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]
    studies = read_studies(files)
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

"""``python -m acquisition.studies PATH``: what the service would make of a folder of DICOM files."""

import errno
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from acquisition.apart import limit_memory
from acquisition.studies.plans import Knowledge
from acquisition.studies.reading import MOST_BYTES, make_map
from acquisition.studies.registration import SameFrames
from acquisition.studies.report import Direction, read_approach, summarise
from acquisition.studies.study import read_studies
from devices.stderr_log import log_to_stderr
from navigation.hotspots import Hotspot
from navigation.routes import Route, planned_route


def _confirm(text: str) -> SameFrames:
    one, _, other = text.partition("=")
    if not (one and other):
        raise typer.BadParameter(f"{text!r} is not two UIDs with = between them", param_hint="--same-frame")
    return SameFrames(frames=(one, other), confirmed_by="the command line")


def _direct(text: str) -> Direction:
    try:
        return read_approach(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--approach") from exc


def _find_files(path: Path) -> list[Path]:
    """Find the files of a folder to its depth; links to folders are not followed, and no pipe is waited for."""

    def tell(error: OSError) -> None:
        typer.echo(f"{error.filename} cannot be looked into: {error.strerror}", err=True)

    def is_file(path: Path) -> bool:
        try:
            return path.is_file()
        except OSError as exc:
            tell(exc)
            return False

    if is_file(path):
        return [path]
    if not path.is_dir():
        raise typer.BadParameter(f"{path} is neither a file nor a folder", param_hint="PATH")
    found: list[Path] = []
    for parent, folders, names in os.walk(path, onerror=tell):
        if os.access(parent, os.X_OK):
            found += [file for name in names if is_file(file := Path(parent, name))]
        else:
            # its names can be read and nothing of what they name: said once, not of each
            tell(PermissionError(errno.EACCES, os.strerror(errno.EACCES), parent))
            folders.clear()
    return sorted(found)


def main(
    path: Annotated[Path, typer.Argument(exists=True, help="A DICOM file, or a folder searched to its depth.")],
    *,
    approach: Annotated[
        str | None,
        typer.Option(help="X,Y,Z: a planned approach (LPS, pointing inwards), along which depths are told too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    same_frames: Annotated[
        list[str] | None,
        typer.Option(
            "--same-frame", help="UID=UID: two Frame of Reference UIDs that you confirm to be one space."
        ),
    ] = None,
) -> None:
    """Print every study found, of each series whether it is used and why, and the candidate targets."""
    log_to_stderr()
    direction = _direct(approach) if approach else None
    knowledge = Knowledge(same_frames=tuple(_confirm(text) for text in same_frames or ()))
    studies = read_studies(_find_files(path), knowledge)
    if as_json:
        typer.echo(
            json.dumps([summarise(make_map(study), direction) for study in studies], indent=2, allow_nan=False)
        )
        return
    for found in map(make_map, studies):
        study = found.study
        typer.echo(f"study {study.study_uid or '(none)'}  {study.patient_id}  {study.description}")
        for report in study.series:
            mark = "yes" if report.accepted else "no "
            typer.echo(f"  {mark}  {report.modality:4} {report.objects:5}  {report.description}  {report.reason}")
        if found.resolution:
            width = found.resolution
            typer.echo(f"  a point is {width.fwhm_mm:.1f} +- {width.sigma_mm:.1f} mm wide: {width.words}")
        for spot in found.hotspots:
            ways = [("by the shortest way", found.routes.get(spot.name))]
            if direction and study.anatomy:
                ways.append(
                    ("along the planned approach", planned_route(study.anatomy, spot.centre_mm, direction))
                )
            typer.echo(f"  {spot.name}: {_describe(spot, ways)}")


def _describe(spot: Hotspot, ways: Sequence[tuple[str, Route | None]]) -> str:
    x_mm, y_mm, z_mm = spot.centre_mm
    sigma_mm = math.sqrt(float(np.linalg.eigvalsh(spot.covariance_mm2).max()))
    activity = (
        "activity unknown"
        if spot.activity_mbq is None
        else f"{spot.activity_mbq:.3g} MBq (a factor {spot.activity_factor:.2g} either way)"
    )
    parts = [f"at {x_mm:.1f}, {y_mm:.1f}, {z_mm:.1f} mm +- {sigma_mm:.1f}", activity, f"{spot.volume_ml:.2g} mL"]
    parts += [f"{route.depth_mm:.0f} mm deep {words}" for words, route in ways if route]
    parts += filter(None, (spot.masking, spot.proposal))
    return ", ".join(parts)


if __name__ == "__main__":
    limit_memory(MOST_BYTES)
    typer.run(main)

"""The calibration file of a probe: its response for navigation, and where that comes from.

JSON, so that a physicist can read it, and refused unless it is whole: a response from a file that someone
shortened, renamed or measured on a simulated bench must never guide a surgeon.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from acquisition.durable import write_whole
from navigation.errors import NavigationError
from navigation.probe.response import Response

VERSION = 1


class CalibrationError(ValueError):
    """Raised when a calibration file cannot be used; the sentence names the file and what to do."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a response comes from.

    Attributes
    ----------
    probe
        The probe's name in the site file.
    identity
        What the probe said it is, or the empty string where it cannot say.
    is_simulated
        Whether the probe and its bench were simulated.
    started_at, ended_at
        Of the morning.
    sources
        Nuclides, labels, activities and their dates.
    results
        Verdicts of all steps, as ``StepResult.to_dict`` gives them.
    counts
        What a full calibration was fitted to, as fields of ``PointSourceCount``; empty for a morning's alone.

    """

    probe: str
    identity: str
    is_simulated: bool
    started_at: datetime
    ended_at: datetime
    sources: dict[str, Any]
    results: list[dict[str, Any]]
    counts: list[dict[str, Any]] = []


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["radionav-calibration"]
    version: int
    response: dict[str, Any]
    provenance: Provenance


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A response and its provenance."""

    response: Response
    provenance: Provenance


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write the file whole or not at all: a reader finds the old one or the new one, also after a power cut.

    Raises
    ------
    CalibrationError
        Where it cannot be written.

    """
    content = _File(
        format="radionav-calibration",
        version=VERSION,
        response=calibration.response.to_dict(),
        provenance=calibration.provenance,
    )
    try:
        write_whole(path, content)
    except OSError as exc:
        raise CalibrationError(f"{path}: the calibration cannot be written: {exc.strerror}") from exc


def read_calibration(path: Path) -> Calibration:
    """Read and check a calibration file.

    Raises
    ------
    CalibrationError
        Where there is none, it is damaged, of another version, or of a morning that did not pass.

    """
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_File)
        if content.version != VERSION:
            raise CalibrationError(
                f"{path}: calibration of version {content.version}, wanted {VERSION}; run acquire again"
            )
        response = Response.from_dict(content.response)
    except OSError as exc:
        raise CalibrationError(f"{path}: no calibration: {exc.strerror}; run acquire to make one") from exc
    except (msgspec.DecodeError, NavigationError) as exc:
        raise CalibrationError(f"{path}: no whole calibration: {exc}; run acquire again") from exc
    provenance = content.provenance
    if not provenance.results or not all(result.get("passed") is True for result in provenance.results):
        raise CalibrationError(f"{path}: of a morning that did not pass; run acquire again")
    if response.probe != provenance.probe:
        raise CalibrationError(
            f"{path}: response of {response.probe}, but measured with {provenance.probe}; run acquire again"
        )
    return Calibration(response=response, provenance=provenance)


def load_calibration(path: Path, *, probe: str | None = None, is_simulated: bool = False) -> Calibration:
    """Read a calibration file to navigate by.

    Parameters
    ----------
    path
        The file that ``acquire`` wrote.
    probe
        Name of the probe that it must be of; None: of any.
    is_simulated
        Whether the probe that it is for is simulated; what a simulated bench gave is refused for a real one.

    Raises
    ------
    CalibrationError
        As ``read_calibration``, where it is of another probe, and where a simulated one meets a real probe.

    """
    calibration = read_calibration(path)
    if calibration.provenance.is_simulated and not is_simulated:
        raise CalibrationError(f"{path}: measured on a simulated bench; run acquire with the real probe")
    if probe not in {None, calibration.response.probe}:
        raise CalibrationError(
            f"{path}: of {calibration.response.probe}, not of {probe}; run acquire with {probe}"
        )
    return calibration


def find_full(path: Path, like: Response, *, identity: str, is_simulated: bool) -> Calibration | None:
    """Find the full calibration that a file holds of the same probe, nuclide, window and reference distance.

    None where the file is missing, damaged, or of a morning alone: then there is nothing to bring up to date.
    """
    try:
        found = read_calibration(path)
    except CalibrationError:
        return None
    response, provenance = found.response, found.provenance
    is_same = all(
        getattr(response, name) == getattr(like, name)
        for name in ("probe", "nuclide", "window_kev", "reference_distance_mm")
    )
    is_its = (provenance.identity, provenance.is_simulated) == (identity, is_simulated)
    return found if provenance.counts and is_same and is_its else None

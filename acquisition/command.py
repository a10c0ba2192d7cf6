"""What ``acquire`` does once it has a probe: the guided morning, its table, and the calibration file."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from acquisition.calibration import Calibration, Provenance, find_full, write_calibration
from acquisition.counting.bench import told_count
from acquisition.logbook.logbook import Wanted, open_logbook
from acquisition.logbook.records import Kept, Kind, Record
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.counts import WallTime
from acquisition.quality.curves import curves_of
from acquisition.quality.desk import Desk, keep
from acquisition.quality.morning import Morning, Round, steps_of
from acquisition.quality.response import fit_morning, judge_shape, renew
from acquisition.quality.results import StepResult
from acquisition.quality.screen import TerminalScreen, table_of
from acquisition.quality.settings import MorningSettings
from acquisition.quality.spectra import energy_scale_of, window_of
from acquisition.quality.technologist import Technologist
from acquisition.quality.trend import Follower
from devices.clock import Clock, monotonic, wall_time
from devices.protocols import DeviceSettings
from devices.readings import CountReading
from navigation.nuclides import Nuclide


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a morning came to.

    Attributes
    ----------
    probe, identity
        Its name in the site file, and what it said it is.
    person
        Who did it and answers for it.
    is_simulated
        Whether probe and bench were simulated.
    started_at, ended_at
        UTC.
    results
        Verdicts of all steps that were run, then of the fit of the response, and of a full calibration's shape.
    aborted
        Why it ended early, or the empty string.
    written
        The calibration file; None where the morning did not pass, and then the old file stays.
    number
        Of its record in the logbook; None where that could not be written, and then nothing passed.

    """

    probe: str
    identity: str
    person: str
    is_simulated: bool
    started_at: datetime
    ended_at: datetime
    results: tuple[StepResult, ...]
    aborted: str
    written: Path | None
    number: int | None = None

    @property
    def passed(self) -> bool:
        """Whether the probe may be used: every step passed, none was left out."""
        return self.written is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire --json``."""
        return {
            "probe": self.probe,
            "identity": self.identity,
            "person": self.person,
            "record": self.number,
            "simulated": self.is_simulated,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "passed": self.passed,
            "aborted": self.aborted,
            "calibration": str(self.written) if self.written else None,
            "steps": [result.to_dict() for result in self.results],
        }


async def run_morning(
    *,
    probe: str,
    device: DeviceSettings[CountReading],
    technologist: Technologist,
    settings: MorningSettings,
    nuclides: Mapping[str, Nuclide],
    calibration: Path,
    logbook: LogbookSettings,
    place: str,
    person: str,
    console: Console,
    clock: Clock = monotonic,
    wall_time: WallTime = wall_time,
    is_simulated: bool = False,
) -> Outcome:
    """Run the guided morning with one probe, show it, record it, and write its calibration if all of it passed.

    Parameters
    ----------
    probe, device
        Name and entry of the probe in the site file.
    technologist
        Who places the sources.
    settings
        Sources, times and limits.
    nuclides
        By name.
    calibration
        File to write; replaced only by a morning that passed.
    logbook, person
        Where it is recorded and its report written, whatever came of it, and in whose name.
    place
        The hospital and room, as at the head of the report.
    console
        Where progress and table go; standard error where JSON goes to standard output.
    clock, wall_time
        The clock that stamps readings, and UTC of its stamps; a bench that runs fast brings its own.
    is_simulated
        Written into the calibration, which a real probe then refuses.

    Raises
    ------
    DeviceError
        Where the probe cannot be opened at the start; later failures fail their step.
    NavigationError
        Where the settings name a nuclide that ``nuclides`` lacks.
    LogbookUnusable
        Where the logbook cannot be read, before anything is counted.
    CalibrationError
        Where the file cannot be written.

    """
    if is_simulated:
        console.print("[bold yellow]SIMULATED: probe, sources and bench[/bold yellow]")
    former = await asyncio.to_thread(_mornings, logbook, probe, is_simulated, console)
    started_at = wall_time(clock())
    screen = TerminalScreen(console)
    try:
        morning = await Round(
            probe=probe,
            device=device,
            technologist=technologist,
            settings=settings,
            steps=steps_of(settings, energy_scale_of(device)),
            nuclides=nuclides,
            follower=Follower(settings, former),
            screen=screen,
            clock=clock,
            wall_time=wall_time,
        ).run()
    finally:
        screen.close()
    ended_at = wall_time(clock())
    outcome = Outcome(
        probe=probe,
        identity=morning.identity,
        person=person,
        is_simulated=is_simulated,
        started_at=started_at,
        ended_at=ended_at,
        results=morning.results,
        aborted=morning.aborted,
        written=None,
    )
    response, full = None, None
    if not morning.aborted:
        fit, response = fit_morning(probe=probe, settings=settings, morning=morning, calibrated_at=ended_at)
        if response is not None:
            full = find_full(calibration, response, identity=morning.identity, is_simulated=is_simulated)
        verdicts = [fit]
        if response is not None and full is not None:
            response = renew(full.response, response, morning.known.counted_background)
            verdicts.append(judge_shape(response, settings, morning))
        is_fit = response is not None and all(verdict.passed for verdict in verdicts)
        outcome = replace(outcome, results=(*outcome.results, *verdicts), written=calibration if is_fit else None)
    # the record first: no calibration is used whose morning nobody can show
    told = outcome.to_dict() | {
        "background": told_count(morning.known.background) if morning.known.background else None,
        "window": window_of(device),
        "sources": sources_of(settings, morning),
        "curves": [curve.to_dict() for curve in curves_of(settings, morning, response)],
    }
    record = Record(
        kind=Kind.MORNING,
        at=ended_at,
        probe=probe,
        identity=morning.identity,
        person=person,
        is_simulated=is_simulated,
        passed=outcome.passed,
        told=told,
    )
    kept = await keep(Desk(logbook=logbook, settings=settings, place=place), record, console)
    outcome = replace(outcome, number=kept.number) if kept else replace(outcome, written=None)
    if outcome.written is not None and response is not None:
        provenance = Provenance(
            probe=probe,
            identity=morning.identity,
            is_simulated=is_simulated,
            started_at=started_at,
            ended_at=ended_at,
            sources=sources_of(settings, morning),
            results=[result.to_dict() for result in outcome.results],
            counts=full.provenance.counts if full else [],
        )
        write_calibration(calibration, Calibration(response=response, provenance=provenance))
    _conclude(outcome, calibration, console)
    return outcome


def _mornings(logbook: LogbookSettings, probe: str, is_simulated: bool, console: Console) -> tuple[Kept, ...]:  # noqa: FBT001 - handed to a thread
    """Find the former mornings of a probe; what is wrong with the logbook is said, and the morning goes on."""
    with open_logbook(logbook) as opened:
        found = opened.read(Wanted(kinds=(Kind.MORNING,), probe=probe, is_simulated=is_simulated))
    for fault in found.faults:
        console.print(f"[bold red]The logbook was changed:[/bold red] {escape(fault)}")
    return found.records


def sources_of(settings: MorningSettings, morning: Morning) -> dict[str, Any]:
    """Tell which sources were used, as a calibration's provenance holds it."""
    assay = morning.known.assay
    return {
        "check": settings.check_source.model_dump(mode="json"),
        "point": {
            "nuclide": settings.point_source.nuclide,
            "activity_mbq": assay.activity_mbq if assay else None,
            "measured_at": assay.measured_at.isoformat() if assay else None,
        },
    }


def _conclude(outcome: Outcome, calibration: Path, console: Console) -> None:
    console.print()
    console.print(table_of(outcome.results))
    if outcome.number is not None:
        console.print(f"Record {outcome.number} in the logbook, signed by {escape(outcome.person)}")
    if outcome.passed:
        console.print(
            f"[green]{escape(outcome.probe)} passed.[/green] Calibration written to {escape(str(calibration))}"
        )
        return
    why = f"Ended early: {outcome.aborted}. " if outcome.aborted else ""
    fate = "is as it was" if calibration.exists() else "was not written"
    rest = f"{why}Calibration {calibration} {fate}."
    console.print(f"[red]{escape(outcome.probe)} did not pass: do not use it.[/red] {escape(rest)}")

"""What ``acquire calibrate`` does once it has a probe: the guided calibration, its table, file and plot."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from acquisition.calibrating.curves import curves_of_calibration
from acquisition.calibrating.fitting import Fitted, fit_calibration
from acquisition.calibrating.plan import plan_of
from acquisition.calibrating.plot import draw_calibration
from acquisition.calibrating.settings import CalibrationSettings
from acquisition.calibration import Calibration, CalibrationError, Provenance, write_calibration
from acquisition.command import sources_of
from acquisition.logbook.records import Kind, Record
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.counts import WallTime
from acquisition.quality.desk import Desk, keep
from acquisition.quality.morning import Round
from acquisition.quality.results import StepResult
from acquisition.quality.screen import TerminalScreen, table_of
from acquisition.quality.settings import MorningSettings
from acquisition.quality.spectra import energy_scale_of, window_of
from acquisition.quality.technologist import Technologist
from devices.clock import Clock, monotonic, wall_time
from devices.protocols import DeviceSettings
from devices.readings import CountReading
from navigation.nuclides import Nuclide


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOutcome:
    """What a full calibration came to.

    Attributes
    ----------
    probe, identity
        Its name in the site file, and what it said it is.
    person
        Who did it.
    is_simulated
        Whether probe and bench were simulated.
    started_at, ended_at
        UTC.
    results
        Verdicts of all steps that were run, those of the fit last.
    response
        Its parameters as in the file; None where it did not pass.
    aborted
        Why it ended early, or the empty string.
    written, plot
        The calibration file and its plot; None where it did not pass, and then the old ones stay.

    """

    probe: str
    identity: str
    person: str
    is_simulated: bool
    started_at: datetime
    ended_at: datetime
    results: tuple[StepResult, ...]
    response: dict[str, Any] | None
    aborted: str
    written: Path | None
    plot: Path | None

    @property
    def passed(self) -> bool:
        """Whether the probe may be used: every step passed, none was left out."""
        return self.written is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire calibrate --json``."""
        return {
            "probe": self.probe,
            "identity": self.identity,
            "person": self.person,
            "simulated": self.is_simulated,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "passed": self.passed,
            "aborted": self.aborted,
            "calibration": str(self.written) if self.written else None,
            "plot": str(self.plot) if self.plot else None,
            "steps": [result.to_dict() for result in self.results],
            "response": self.response,
        }


async def run_calibration(
    *,
    probe: str,
    device: DeviceSettings[CountReading],
    technologist: Technologist,
    settings: MorningSettings,
    limits: CalibrationSettings,
    nuclides: Mapping[str, Nuclide],
    calibration: Path,
    logbook: LogbookSettings,
    place: str,
    person: str,
    console: Console,
    with_decay: bool = True,
    clock: Clock = monotonic,
    wall_time: WallTime = wall_time,
    is_simulated: bool = False,
) -> CalibrationOutcome:
    """Run the full calibration of one probe, show it, and write file and plot if all of it passed.

    Parameters
    ----------
    probe, device, technologist, nuclides, logbook, place, person, console, clock, wall_time, is_simulated
        As for ``run_morning``.
    settings, limits
        Sources, times and limits that a morning has too, and those of the calibration alone.
    calibration
        File to write; the plot lies beside it, its name ending in ``.svg``.
    with_decay
        Whether the count-rate capability is measured at the end, which takes a night.

    Raises
    ------
    DeviceError, NavigationError, LogbookUnusable, CalibrationError
        As for ``run_morning``.

    """
    if is_simulated:
        console.print("[bold yellow]SIMULATED: probe, sources and bench[/bold yellow]")
    plan = plan_of(settings, limits, energy_scale_of(device), with_decay=with_decay)
    started_at, screen = wall_time(clock()), TerminalScreen(console)
    try:
        measured = await Round(
            probe=probe,
            device=device,
            technologist=technologist,
            settings=settings,
            steps=plan.steps,
            nuclides=nuclides,
            screen=screen,
            clock=clock,
            wall_time=wall_time,
        ).run()
    finally:
        screen.close()
    ended_at = wall_time(clock())
    fitted = Fitted(results=())
    if not measured.aborted:
        console.print("\n[dim]fitting the response, and each part of the counts by the rest[/dim]")
        fitted = fit_calibration(
            probe=probe,
            morning=settings,
            settings=limits,
            plan=plan,
            measured=measured,
            calibrated_at=ended_at,
        )
    outcome = CalibrationOutcome(
        probe=probe,
        identity=measured.identity,
        person=person,
        is_simulated=is_simulated,
        started_at=started_at,
        ended_at=ended_at,
        results=(*measured.results, *fitted.results),
        response=fitted.response.to_dict() if fitted.response else None,
        aborted=measured.aborted,
        written=calibration if fitted.response else None,
        plot=calibration.with_suffix(".svg") if fitted.response else None,
    )
    # the record first: no calibration is used that nobody can show
    record = Record(
        kind=Kind.CALIBRATION,
        at=ended_at,
        probe=probe,
        identity=measured.identity,
        person=person,
        is_simulated=is_simulated,
        passed=outcome.passed,
        told=outcome.to_dict()
        | {
            "window": window_of(device),
            "sources": sources_of(settings, measured),
            "curves": [
                curve.to_dict() for curve in curves_of_calibration(settings, plan, measured, fitted.response)
            ],
        },
    )
    if await keep(Desk(logbook=logbook, settings=settings, place=place), record, console) is None:
        outcome = replace(outcome, written=None, plot=None)
    if outcome.written is not None and outcome.plot is not None and fitted.response is not None:
        drawn = draw_calibration(fitted.response, fitted.counts, is_simulated=is_simulated)
        provenance = Provenance(
            probe=probe,
            identity=measured.identity,
            is_simulated=is_simulated,
            started_at=started_at,
            ended_at=ended_at,
            sources=sources_of(settings, measured),
            results=[result.to_dict() for result in outcome.results],
            counts=[asdict(count) for count in fitted.counts],
        )
        write_calibration(calibration, Calibration(response=fitted.response, provenance=provenance))
        try:
            outcome.plot.write_bytes(drawn)
        except OSError as exc:
            raise CalibrationError(f"{outcome.plot}: the plot cannot be written: {exc.strerror}") from exc
    _conclude(outcome, calibration, console)
    return outcome


def _conclude(outcome: CalibrationOutcome, calibration: Path, console: Console) -> None:
    console.print()
    console.print(table_of(outcome.results))
    if outcome.passed:
        files = f"Calibration written to {calibration}, its plot to {outcome.plot}"
        console.print(f"[green]{escape(outcome.probe)} is calibrated.[/green] {escape(files)}")
        return
    why = f"Ended early: {outcome.aborted}. " if outcome.aborted else ""
    fate = "is as it was" if calibration.exists() else "was not written"
    rest = f"{why}Calibration {calibration} {fate}."
    console.print(f"[red]{escape(outcome.probe)} is not calibrated.[/red] {escape(rest)}")

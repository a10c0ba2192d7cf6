"""Steps that a technologist is guided through with one probe, and the calibration file that they may end in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from acquisition.calibration import Calibration, Provenance, write_calibration
from acquisition.logbook.records import Kept, Kind
from acquisition.quality.bench import Bench
from acquisition.quality.desk import Desk, keep
from acquisition.quality.morning import Morning, Round
from acquisition.quality.results import StepResult
from acquisition.quality.screen import TerminalScreen, table_of
from acquisition.quality.settings import MorningSettings
from acquisition.quality.steps import Step
from acquisition.quality.trend import Follower
from navigation.nuclides import Nuclide
from navigation.probe.response import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Steps as they were run.

    Attributes
    ----------
    bench
        Where.
    started_at, ended_at
        UTC.
    measured
        What the steps gave.

    """

    bench: Bench
    started_at: datetime
    ended_at: datetime
    measured: Morning


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a guided morning or calibration came to.

    Attributes
    ----------
    ran
        Its steps.
    results
        Verdicts of all steps that were run, then of what was fitted to them.
    written
        The calibration file; None where it did not pass, and then the old one stays.

    """

    ran: Ran
    results: tuple[StepResult, ...]
    written: Path | None

    @property
    def passed(self) -> bool:
        """Whether the probe may be used: every step passed, none was left out."""
        return self.written is not None

    @property
    def aborted(self) -> str:
        """Why it ended early, or the empty string."""
        return self.ran.measured.aborted

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``--json``."""
        return {
            "probe": self.ran.bench.probe,
            "identity": self.ran.measured.identity,
            "person": self.ran.bench.person,
            "simulated": self.ran.bench.is_simulated,
            "started_at": self.ran.started_at.isoformat(),
            "ended_at": self.ran.ended_at.isoformat(),
            "passed": self.passed,
            "aborted": self.aborted,
            "calibration": str(self.written) if self.written else None,
            "steps": [result.to_dict() for result in self.results],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Guided:
    """What a technologist is guided by, and where it leads.

    Attributes
    ----------
    bench
        Where, with which probe.
    settings
        Sources, times and limits.
    nuclides
        By name.
    calibration
        File to write; replaced only where everything passed.
    place
        The hospital and room, as at the head of the report.

    """

    bench: Bench
    settings: MorningSettings
    nuclides: Mapping[str, Nuclide]
    calibration: Path
    place: str

    async def run(self, steps: Sequence[Step], follower: Follower | None = None) -> Ran:
        """Go through the steps, and show them.

        Raises
        ------
        DeviceError
            Where the probe cannot be opened at the start; later failures fail their step.
        NavigationError
            Where the settings name a nuclide that ``nuclides`` lacks.

        """
        bench = self.bench
        started_at, screen = bench.now(), TerminalScreen(bench.console)
        try:
            measured = await Round(
                probe=bench.probe,
                device=bench.device,
                technologist=bench.technologist,
                settings=self.settings,
                steps=steps,
                nuclides=self.nuclides,
                follower=follower,
                screen=screen,
                clock=bench.clock,
                wall_time=bench.wall_time,
            ).run()
        finally:
            screen.close()
        return Ran(bench=bench, started_at=started_at, ended_at=bench.now(), measured=measured)

    async def record(self, kind: Kind, outcome: Outcome, told: Mapping[str, Any]) -> Kept | None:
        """Enter an outcome in the logbook, with what else is told of it; None, and said, where it cannot be."""
        record = self.bench.record_of(
            kind,
            at=outcome.ran.ended_at,
            identity=outcome.ran.measured.identity,
            passed=outcome.passed,
            told=outcome.to_dict() | {"sources": self._sources(outcome.ran.measured)} | dict(told),
        )
        desk = Desk(logbook=self.bench.logbook, settings=self.settings, place=self.place)
        return await keep(desk, record, self.bench.console)

    def write(self, outcome: Outcome, response: Response, counts: list[dict[str, Any]]) -> None:
        """Write the calibration file: a response, the counts of a full calibration, and where they come from.

        Raises
        ------
        CalibrationError
            Where it cannot be written.

        """
        ran = outcome.ran
        provenance = Provenance(
            probe=self.bench.probe,
            identity=ran.measured.identity,
            is_simulated=self.bench.is_simulated,
            started_at=ran.started_at,
            ended_at=ran.ended_at,
            sources=self._sources(ran.measured),
            results=[result.to_dict() for result in outcome.results],
            counts=counts,
        )
        write_calibration(self.calibration, Calibration(response=response, provenance=provenance))

    def show(self, outcome: Outcome) -> None:
        """Show every verdict in a table."""
        self.bench.console.print()
        self.bench.console.print(table_of(outcome.results))

    def why_not(self, outcome: Outcome) -> str:
        """Say why it ended early, if it did, and what became of the calibration file where nothing passed."""
        why = f"Ended early: {outcome.aborted}. " if outcome.aborted else ""
        fate = "is as it was" if self.calibration.exists() else "was not written"
        return f"{why}Calibration {self.calibration} {fate}."

    def _sources(self, measured: Morning) -> dict[str, Any]:
        """Tell which sources were used."""
        assay = measured.known.assay
        return {
            "check": self.settings.check_source.model_dump(mode="json"),
            "point": {
                "nuclide": self.settings.point_source.nuclide,
                "activity_mbq": assay.activity_mbq if assay else None,
                "measured_at": assay.measured_at.isoformat() if assay else None,
            },
        }

"""A probe at a bench, who works there, and in whose name it is recorded."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console

from acquisition.logbook.records import Kind, Record
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.counts import WallTime
from acquisition.quality.spectra import window_of
from acquisition.quality.technologist import Technologist
from devices.clock import Clock, monotonic, wall_time
from devices.protocols import DeviceSettings
from devices.readings import CountReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every measurement with one probe needs.

    Attributes
    ----------
    probe, device
        Name and entry of the probe in the site file.
    technologist
        Who places what is counted.
    logbook, person
        Where it is recorded, whatever came of it, and in whose name.
    console
        Where progress and tables go; standard error where JSON goes to standard output.
    clock, wall_time
        The clock that stamps readings, and UTC of its stamps; a bench that runs fast brings its own.
    is_simulated
        Whether probe and sources are simulated; written wherever anything is.

    """

    probe: str
    device: DeviceSettings[CountReading]
    technologist: Technologist
    logbook: LogbookSettings
    person: str
    console: Console
    clock: Clock = monotonic
    wall_time: WallTime = wall_time
    is_simulated: bool = False

    def now(self) -> datetime:
        """UTC."""
        return self.wall_time(self.clock())

    def warn_if_simulated(self) -> None:
        """Say that nothing here is real, where that is so."""
        if self.is_simulated:
            self.console.print("[bold yellow]SIMULATED: probe, sources and bench[/bold yellow]")

    def record_of(
        self, kind: Kind, *, at: datetime, identity: str, passed: bool | None, told: dict[str, Any]
    ) -> Record:
        """Make a record of what was measured here, in which window; ``identity`` is what the probe said it is."""
        return Record(
            kind=kind,
            at=at,
            probe=self.probe,
            identity=identity,
            person=self.person,
            is_simulated=self.is_simulated,
            passed=passed,
            told=told | {"window": window_of(self.device)},
        )

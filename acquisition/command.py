"""What ``acquire`` does once it has a probe: the guided morning, its table, and the calibration file."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from rich.markup import escape

from acquisition.calibration import find_full
from acquisition.counting.bench import told_count
from acquisition.logbook.logbook import Wanted, open_logbook
from acquisition.logbook.records import Kept, Kind
from acquisition.quality.bench import Bench
from acquisition.quality.curves import curves_of
from acquisition.quality.guided import Guided, Outcome
from acquisition.quality.morning import steps_of
from acquisition.quality.response import fit_morning, judge_shape, renew
from acquisition.quality.spectra import energy_scale_of
from acquisition.quality.trend import Follower


@dataclass(frozen=True, slots=True, kw_only=True)
class MorningOutcome(Outcome):
    """What a morning came to; the verdicts of the fit and of a full calibration's shape stand last.

    Attributes
    ----------
    number
        Of its record in the logbook; None where that could not be written, and then nothing passed.

    """

    number: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, for ``acquire --json``."""
        return Outcome.to_dict(self) | {"record": self.number}


async def run_morning(guided: Guided) -> MorningOutcome:
    """Run the guided morning with one probe, show it, record it, and write its calibration if all of it passed.

    Raises
    ------
    DeviceError, NavigationError
        As ``Guided.run``.
    LogbookUnusable
        Where the logbook cannot be read, before anything is counted.
    CalibrationError
        Where the file cannot be written.

    """
    bench, settings = guided.bench, guided.settings
    bench.warn_if_simulated()
    former = await asyncio.to_thread(_mornings, bench)
    ran = await guided.run(steps_of(settings, energy_scale_of(bench.device)), Follower(settings, former))
    morning = ran.measured
    outcome = MorningOutcome(ran=ran, results=morning.results, written=None)
    response, full = None, None
    if not morning.aborted:
        fit, response = fit_morning(
            probe=bench.probe, settings=settings, morning=morning, calibrated_at=ran.ended_at
        )
        if response is not None:
            full = find_full(
                guided.calibration, response, identity=morning.identity, is_simulated=bench.is_simulated
            )
        verdicts = [fit]
        if response is not None and full is not None:
            response = renew(full.response, response, morning.known.counted_background)
            verdicts.append(judge_shape(response, settings, morning))
        is_fit = response is not None and all(verdict.passed for verdict in verdicts)
        written = guided.calibration if is_fit else None
        outcome = replace(outcome, results=(*outcome.results, *verdicts), written=written)
    # the record first: no calibration is used whose morning nobody can show
    told = {
        "background": told_count(morning.known.background) if morning.known.background else None,
        "curves": [curve.to_dict() for curve in curves_of(settings, morning, response)],
    }
    kept = await guided.record(Kind.MORNING, outcome, told)
    outcome = replace(outcome, number=kept.number) if kept else replace(outcome, written=None)
    if outcome.written is not None and response is not None:
        guided.write(outcome, response, full.provenance.counts if full else [])
    _conclude(guided, outcome)
    return outcome


def _mornings(bench: Bench) -> tuple[Kept, ...]:
    """Find the former mornings of a probe; what is wrong with the logbook is said, and the morning goes on."""
    with open_logbook(bench.logbook) as opened:
        found = opened.read(Wanted(kinds=(Kind.MORNING,), probe=bench.probe, is_simulated=bench.is_simulated))
    for fault in found.faults:
        bench.console.print(f"[bold red]The logbook was changed:[/bold red] {escape(fault)}")
    return found.records


def _conclude(guided: Guided, outcome: MorningOutcome) -> None:
    guided.show(outcome)
    console, probe = guided.bench.console, escape(guided.bench.probe)
    if outcome.number is not None:
        console.print(f"Record {outcome.number} in the logbook, signed by {escape(guided.bench.person)}")
    if outcome.passed:
        console.print(f"[green]{probe} passed.[/green] Calibration written to {escape(str(guided.calibration))}")
        return
    console.print(f"[red]{probe} did not pass: do not use it.[/red] {escape(guided.why_not(outcome))}")

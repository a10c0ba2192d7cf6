"""The logbook at hand: what is followed in it, what is added to it, and a record of it written as a report."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from acquisition.logbook.logbook import Wanted, open_logbook
from acquisition.logbook.records import Kept, Kind, Record
from acquisition.logbook.seal import LogbookUnusable
from acquisition.logbook.settings import LogbookSettings
from acquisition.quality.report import lay_out_record, write_reports
from acquisition.quality.settings import MorningSettings
from acquisition.quality.trend import Trend, trends_of

MEASURING = (Kind.MORNING, Kind.CALIBRATION)
"""Records whose figures are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the site file says of the logbook.

    Attributes
    ----------
    logbook
        Where it is.
    settings
        What is followed in it; None where the site file has no ``[acquire]``.
    place
        The hospital and room, as at the head of a report.

    """

    logbook: LogbookSettings
    settings: MorningSettings | None
    place: str


def followed_trends(desk: Desk, records: Sequence[Kept], probe: str) -> tuple[Trend, ...]:
    """Follow the figures of a probe's newest instrument; none where the site file has no ``[acquire]``."""
    of_probe = [each for each in records if each.record.probe == probe and each.record.kind in MEASURING]
    if desk.settings is None or not of_probe:
        return ()
    newest = of_probe[-1].record
    of_this = [
        each
        for each in of_probe
        if each.record.identity == newest.identity and each.record.is_simulated == newest.is_simulated
    ]
    return trends_of(desk.settings, of_this)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A record that was written as a report, and the report's files."""

    kept: Kept
    page: Path
    pdf: Path


def write_record(desk: Desk, number: int | None, folder: Path, wanted: Wanted | None = None) -> Written:
    """Write a record as HTML and PDF, its trends up to it drawn: that of a number, or the newest that is wanted.

    Raises
    ------
    LogbookUnusable
        Where the logbook cannot be read, or has no such record.
    OSError
        Where the files cannot be written.

    """
    with open_logbook(desk.logbook) as logbook:
        found = logbook.find(number, wanted)
    if found is None:
        raise LogbookUnusable(f"the logbook has no such record{'' if number is None else f': {number}'}")
    kept, record = found.kept, found.kept.record
    before = [
        each
        for each in found.beside.records
        if each.record.at <= record.at and each.record.identity == record.identity
    ]
    trends = followed_trends(desk, before, record.probe) if record.kind in MEASURING else ()
    laid_out = lay_out_record(kept, trends=trends, faults=found.beside.faults, place=desk.place)
    page, pdf = write_reports(laid_out, folder)
    return Written(kept=kept, page=page, pdf=pdf)


async def keep(desk: Desk, record: Record, console: Console) -> Kept | None:
    """Add a record to the logbook, write its report, and say where; None, and said, where it cannot be added.

    What could not be recorded must not be used: nobody could show what it rests on.
    """
    try:
        kept = await asyncio.to_thread(_add, desk.logbook, record)
    except LogbookUnusable as exc:
        console.print(f"[red]Not recorded, so that it did not pass.[/red] {escape(str(exc))}")
        return None
    try:
        written = await asyncio.to_thread(write_record, desk, kept.number, desk.logbook.reports)
    except (LogbookUnusable, OSError) as exc:
        console.print(f"[red]No report was written:[/red] {escape(str(exc))}; try acquire report {kept.number}")
    else:
        console.print(f"Report: {escape(str(written.pdf))}, {escape(str(written.page))}", soft_wrap=True)
    return kept


def _add(logbook: LogbookSettings, record: Record) -> Kept:
    with open_logbook(logbook) as opened:
        return opened.add(record)

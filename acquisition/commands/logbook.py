"""Commands that read the logbook: its records and trends listed, and a record written as a report."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape

from acquisition.commands.ending import AsJson, ProbeName, SiteFile, fail
from acquisition.logbook.logbook import Findings, Wanted, open_logbook
from acquisition.logbook.records import Kept, Kind
from acquisition.logbook.seal import LogbookUnusable
from acquisition.quality.desk import MEASURING, Desk, followed_trends, write_record
from acquisition.quality.history import show_records, show_trends

DeskOf: TypeAlias = Callable[[typer.Context, Path | None, bool], Desk]
"""Finds what a command's site file, or with True the simulated one, says; or ends the command with a sentence."""

Simulate: TypeAlias = Annotated[bool, typer.Option("--simulate", help="Of the simulated bench.")]
NothingAsked: TypeAlias = Annotated[
    bool, typer.Option("--yes", help="Nothing is asked here: taken because every other command takes it.")
]
Day: TypeAlias = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
Kinds: TypeAlias = Annotated[list[Kind] | None, typer.Option("--kind", help="What was done; may be given again.")]


def add_logbook(app: typer.Typer, desk_of: DeskOf) -> None:
    """Add ``history`` and ``report``."""

    @app.command()
    def history(
        context: typer.Context,
        config: SiteFile = None,
        *,
        simulate: Simulate = False,
        probe: ProbeName = None,
        kind: Kinds = None,
        by: Annotated[str | None, typer.Option(help="Who signed.")] = None,
        since: Day = None,
        until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Before this day.")] = None,
        yes: NothingAsked = False,  # noqa: ARG001 - see its help
        as_json: AsJson = False,
    ) -> None:
        """List the logbook and its trends; exit status 0 only if nothing was changed or is missing in it."""
        desk = desk_of(context, config, simulate)
        wanted = Wanted(
            kinds=tuple(kind or ()),
            probe=probe,
            person=by,
            since=since.astimezone() if since else None,
            until=until.astimezone() if until else None,
        )
        found = _read(desk, wanted)
        trends = {name: followed_trends(desk, found.records, name) for name in _probes(found.records)}
        if as_json:
            told = {
                "records": [each.to_dict() for each in found.records],
                "trends": {name: [each.to_dict() for each in of_one] for name, of_one in trends.items()},
                "faults": list(found.faults),
            }
            sys.stdout.write(f"{json.dumps(told)}\n")
        else:
            console = Console()
            show_records(found.records, console)
            for name, of_one in trends.items():
                console.print(f"[bold]{escape(name)}[/bold]")
                show_trends(of_one, console)
        _say_faults(found)
        raise typer.Exit(1 if found.faults else 0)

    @app.command()
    def report(
        context: typer.Context,
        number: Annotated[
            int | None, typer.Argument(help="Of the record, as history lists it; else the newest.")
        ] = None,
        config: SiteFile = None,
        *,
        simulate: Simulate = False,
        probe: ProbeName = None,
        kind: Kinds = None,
        to: Annotated[Path | None, typer.Option(help="Folder to write to; else the site file's.")] = None,
        yes: NothingAsked = False,  # noqa: ARG001 - see its help
        as_json: AsJson = False,
    ) -> None:
        """Write a record as PDF and HTML; exit status 0 only if its seal fits."""
        desk = desk_of(context, config, simulate)
        try:
            wanted = Wanted(kinds=tuple(kind or ()), probe=probe)
            written = write_record(desk, number, to or desk.logbook.reports, wanted)
        except (LogbookUnusable, OSError) as exc:
            fail(str(exc))
        kept, page, pdf = written.kept, str(written.page), str(written.pdf)
        if as_json:
            told = {"number": kept.number, "html": page, "pdf": pdf, "doubt": kept.doubt}
            sys.stdout.write(f"{json.dumps(told)}\n")
        else:
            sys.stderr.write(f"{page}\n{pdf}\n")
        if kept.doubt:
            sys.stderr.write(f"record {kept.number}: {kept.doubt}\n")
        raise typer.Exit(1 if kept.doubt else 0)


def _read(desk: Desk, wanted: Wanted) -> Findings:
    try:
        with open_logbook(desk.logbook) as logbook:
            return logbook.read(wanted)
    except LogbookUnusable as exc:
        fail(str(exc))


def _probes(records: Sequence[Kept]) -> list[str]:
    return sorted({each.record.probe for each in records if each.record.kind in MEASURING})


def _say_faults(found: Findings) -> None:
    for fault in found.faults:
        sys.stderr.write(f"the logbook was changed: {fault}\n")

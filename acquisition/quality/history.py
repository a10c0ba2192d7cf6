"""The logbook in a terminal: its records as a table, and the course of what is followed."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from acquisition.logbook.records import Kept
from acquisition.quality.sparkline import sparkline
from acquisition.quality.trend import Trend, results_in

SHOWN_VALUES = 20


def show_records(records: Sequence[Kept], console: Console) -> None:
    """Show a line for each record, oldest first; what failed in it, and whether its seal fits."""
    table = Table()
    for heading in ("No.", "Ended", "What", "Probe", "By", "Verdict", "Failed, or in doubt"):
        table.add_column(heading)
    for kept in records:
        record = kept.record
        verdict = {True: "[green]pass[/green]", False: "[bold red]FAIL[/bold red]", None: ""}[record.passed]
        failed = [step.name for step in results_in(record.told) if not step.passed]
        if aborted := record.told.get("aborted"):
            failed.append(str(aborted))
        doubt = f"[bold red]{escape(kept.doubt)}[/bold red]" if kept.doubt else ""
        said = "\n".join(filter(None, (escape(", ".join(failed)), doubt)))
        simulated = " (simulated)" if record.is_simulated else ""
        when = f"{record.at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(
            str(kept.number),
            when,
            f"{record.kind.value}{simulated}",
            escape(record.probe),
            escape(record.person),
            verdict,
            said,
        )
    console.print(table)


def show_trends(trends: Sequence[Trend], console: Console) -> None:
    """Show for each followed figure its course, its newest value among its lines, and what the charts say."""
    table = Table(title="Trends")
    table.add_column("Figure")
    table.add_column("Course", no_wrap=True, min_width=SHOWN_VALUES)
    for heading in ("Newest", "Base", "Moving average", "Says"):
        table.add_column(heading)
    for trend in trends:
        unit = trend.followed.unit
        course = sparkline([each.value for each in trend.measured[-SHOWN_VALUES:]])
        newest = f"{trend.measured[-1].value:.4g} {unit}"
        if trend.process is None:
            table.add_row(trend.followed.name, course, newest, "", "", "no lines yet")
            continue
        point, process = trend.points[-1], trend.process
        colour = "bold red" if trend.signal.is_out else "green"
        table.add_row(
            trend.followed.name,
            course,
            newest,
            f"{process.centre:.4g} ± {process.sigma:.2g}",
            f"{point.average:.4g} (lines ± {point.average_line:.2g})",
            f"[{colour}]{trend.signal.value}[/{colour}]",
        )
    console.print(table)

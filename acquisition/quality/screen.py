"""The morning in a terminal: a bar for each step with the time it still takes, and a table at the end."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from acquisition.quality.counts import CountProgress
from acquisition.quality.placements import Exposure
from acquisition.quality.results import StepResult
from acquisition.quality.sparkline import sparkline
from acquisition.quality.steps import Step

BAR_WIDTH = 12
"""Columns of a terminal, of which the oldest have 80."""


class TerminalScreen:
    """Shows a morning on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def begin(self, step: Step, number: int, total: int) -> None:
        """Name the step and what passes."""
        self._title = step.name
        self._console.print(f"\n[bold]{number}/{total} {step.name}[/bold]  [dim]{step.limit}[/dim]")

    def show(self, exposure: Exposure, done: int, total: int, progress: CountProgress) -> None:
        """Move the bar, there only while a count runs, so that questions stand alone."""
        if not self._console.is_terminal:
            return
        if self._progress is None:
            self._progress = Progress(
                # where a terminal is narrow the instruction, which was asked for before, gives way to the figures
                TextColumn(
                    "  {task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
                ),
                BarColumn(bar_width=BAR_WIDTH),
                TextColumn("{task.fields[rate]} {task.fields[remaining]} {task.fields[course]}"),
                console=self._console,
                transient=True,
                expand=True,
                auto_refresh=False,
            )
            self._task = self._progress.add_task("", total=1.0, rate="", remaining="", course="")
        rate = f"{progress.counts / progress.live_time_s:.0f} cps" if progress.live_time_s else "waiting"
        self._progress.update(
            self._task,
            completed=progress.share,
            description=escape(f"{exposure.placement.instruction} ({done + 1}/{total})"),
            rate=rate,
            remaining=f"{progress.remaining_s:.0f} s left",
            course=sparkline(progress.recent_cps),
        )
        self._progress.start()
        self._progress.refresh()
        if progress.share >= 1:
            self.close()

    def end(self, result: StepResult) -> None:
        """Say whether the step passed, and why."""
        self.close()
        verdict = "[green]pass[/green]" if result.passed else "[red]FAIL[/red]"
        named = "" if result.name == self._title else f"{result.name}: "
        self._console.print(f"  {verdict}  {escape(named + result.reason)}")

    def close(self) -> None:
        """Take the bar away and give the cursor back; also after an interrupt."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def table_of(results: Sequence[StepResult]) -> Table:
    """Lay the verdicts out in a table."""
    table = Table(show_lines=True)
    table.add_column("Step")
    table.add_column("Measured", no_wrap=True)
    table.add_column("Reason")
    for result in results:
        verdict = "[green]pass[/green]" if result.passed else "[bold red]FAIL[/bold red]"
        if result.attempts > 1:
            verdict += f"\n[dim]{result.attempts} runs[/dim]"
        measured = "\n".join(str(figure) for figure in result.figures)
        remarks = "".join(f"\n{escape(remark)}" for remark in result.remarks)
        reason = f"{escape(result.reason)}{remarks}\n[dim]wanted: {escape(result.limit)}[/dim]"
        table.add_row(f"{result.name}\n{verdict}", measured, reason)
    return table

"""What the technologist sees while counts run, on a terminal and in a log."""

import io
import re

import pytest
from rich.console import Console

from acquisition.quality.background import Background
from acquisition.quality.counts import RECENT, CountProgress
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.screen import TerminalScreen, table_of
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.sparkline import sparkline

HIDDEN, VISIBLE = "\x1b[?25l", "\x1b[?25h"
EXPOSURE = Exposure(placement=Placement(instruction="Place [it]"), longest_s=60.0)


def run_a_step(console: Console) -> None:
    """Show a step that counts and fails."""
    screen = TerminalScreen(console)
    screen.begin(Background(limits=BackgroundLimits()), 1, 6)
    for counts, live_time_s in ((0, 0.0), (300, 30.0), (600, 60.0)):
        progress = CountProgress(
            counts=counts, live_time_s=live_time_s, share=live_time_s / 60, remaining_s=60 - live_time_s
        )
        screen.show(EXPOSURE, 0, 1, progress)
    screen.end(failure("background", "", "lost [Errno 5]"))


def test_a_terminal_shows_rate_and_time_left() -> None:
    """The bar names the placement, waits for the first reading, then tells rate and seconds left."""
    shown = io.StringIO()
    run_a_step(Console(file=shown, force_terminal=True, width=120, color_system=None))
    for words in ("1/6 background", "Place [it] (1/1)", "waiting", "10 cps 30 s left", "FAIL  lost [Errno 5]"):
        assert words in shown.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_shows_rate_time_and_course(width: int) -> None:
    """However long the instruction, the rate, the time left and the whole course stand on the line; it is cut."""
    shown = io.StringIO()
    screen = TerminalScreen(Console(file=shown, force_terminal=True, width=width, color_system=None))
    placement = Placement(
        instruction="Place the Tc-99m point source on a circle of 30 mm about the tip's centre, at 60°"
    )
    progress = CountProgress(
        counts=123456, live_time_s=10.0, share=0.5, remaining_s=123.0, recent_cps=tuple(range(RECENT))
    )
    screen.show(Exposure(placement=placement, longest_s=20.0), 0, 10, progress)
    screen.close()
    (line, *_) = (line for line in re.split(r"[\r\n]", shown.getvalue()) if "cps" in line)
    assert f"12346 cps 123 s left {sparkline(range(RECENT))}" in line
    assert "Place" in line
    assert len(line.removeprefix(HIDDEN).rstrip()) <= width


def test_an_interrupt_gives_the_cursor_back() -> None:
    """A bar that is open when the morning is interrupted is closed: the cursor shows again."""
    shown = io.StringIO()
    screen = TerminalScreen(Console(file=shown, force_terminal=True, width=120))
    screen.show(EXPOSURE, 0, 1, CountProgress(counts=0, live_time_s=0.0, share=0.0, remaining_s=60.0))
    assert shown.getvalue().rfind(HIDDEN) > shown.getvalue().rfind(VISIBLE)
    screen.close()
    assert shown.getvalue().rfind(VISIBLE) > shown.getvalue().rfind(HIDDEN)


def test_a_log_has_no_bars() -> None:
    """Where the output is no terminal, only steps and verdicts are written."""
    shown = io.StringIO()
    run_a_step(Console(file=shown, width=120))
    assert [line for line in shown.getvalue().splitlines() if line] == [
        "1/6 background  at most 10 cps",
        "  FAIL  lost [Errno 5]",
    ]


def test_the_table_tells_everything() -> None:
    """Verdict, repeats, figures with error and unit, limit and reason stand in the table."""
    result = StepResult(
        name="chi-square",
        passed=True,
        figures=(
            Figure(name="mean", value=340.25, unit="cps", sigma=1.234),
            Figure(name="value", value=9.1, unit=""),
        ),
        limit="3.33 to 16.92",
        reason="as [chance] has it",
        attempts=2,
    )
    shown = io.StringIO()
    Console(file=shown, width=160).print(table_of([result, failure("dead time", "at most 20 µs", "stronger")]))
    for words in ("mean 340.2 ± 1.2 cps", "value 9.1", "2 runs", "as [chance] has it", "FAIL", "at most 20 µs"):
        assert words in shown.getvalue()

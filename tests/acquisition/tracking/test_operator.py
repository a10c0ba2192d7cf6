"""Who moves the tool: asked, told, or shown how far it is."""

import io
import os
from datetime import UTC, datetime

import pytest
from rich.console import Console

from acquisition.quality.results import failure
from acquisition.quality.technologist import Choice
from acquisition.quality.terminal import Keyboard, Terminal
from acquisition.tracking import operator
from acquisition.tracking.following import Progress
from acquisition.tracking.operator import AtTerminal, Motion, Move, ProgressBar, Unasked

MOVE = Move(motion=Motion.PIVOT, instruction="Press the tip into the divot")


async def test_a_person_presses_enter_and_may_repeat() -> None:
    """She is told what to do, and after a failed step r repeats it."""
    shown, (reading, writing) = io.StringIO(), os.pipe()
    try:
        os.write(writing, b"\nr\n")
        terminal = Terminal(Console(file=shown, width=120), Keyboard(reading), now=lambda: datetime.now(tz=UTC))
        person = AtTerminal(terminal)
        await person.ready(MOVE)
        assert await person.judge(failure("pivot", "", "held still")) is Choice.REPEAT
    finally:
        os.close(reading)
        os.close(writing)
    assert "Press the tip into the divot, then press Enter" in shown.getvalue()
    assert "pivot failed" in shown.getvalue()


async def test_with_yes_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be done is said, it begins by itself, and a failed step is not repeated."""
    monkeypatch.setattr(operator, "UNASKED_S", 0.0)
    shown = io.StringIO()
    person = Unasked(Console(file=shown, width=120))
    await person.ready(MOVE)
    assert await person.judge(failure("pivot", "", "held still")) is Choice.CONTINUE
    assert "Press the tip into the divot: it begins in" in shown.getvalue()


def test_a_bar_shows_how_far_it_is_on_a_terminal_only() -> None:
    """Words and bar on a terminal; nothing where the output is a file."""
    for is_terminal in (True, False):
        shown = io.StringIO()
        bar = ProgressBar(Console(file=shown, width=120, force_terminal=is_terminal))
        bar.show(Progress(share=0.4, words="tilted by 8° of 20°"))
        bar.close()
        assert ("tilted by 8° of 20°" in shown.getvalue()) == is_terminal

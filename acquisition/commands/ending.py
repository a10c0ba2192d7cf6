"""What all commands share: their options, one sentence at a failed end, and the exit status."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol, TypeAlias

import typer

from acquisition.logbook.entered import entered


def entered_names(typed: list[str] | None) -> list[str]:
    """Take names of specimens from the command line as they are recorded; exit status 2 where one is none."""
    return [_entered(each, "specimen's name") for each in typed or ()]


def entered_label(typed: str) -> str:
    """Take a label from the command line as it is recorded; exit status 2 where it is none."""
    return _entered(typed, "label")


def _entered_person(typed: str | None) -> str | None:
    return None if typed is None else _entered(typed, "name")


def _entered(typed: str, what: str) -> str:
    try:
        return entered(typed, what=what)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


SiteFile: TypeAlias = Annotated[Path | None, typer.Option("--config", help="The site file (TOML).")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON line.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="With --simulate: seed of every draw.")]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", help="Wait for no Enter: each step begins when it has been said.")
]
ProbeName: TypeAlias = Annotated[
    str | None, typer.Option("--probe", help="Name of the probe; else the one that navigates.")
]
Person: TypeAlias = Annotated[
    str | None,
    typer.Option(
        callback=_entered_person, help="Who signs the record. Else asked for; with --yes the account's name."
    ),
]

AtBench: TypeAlias = Annotated[
    bool, typer.Option("--simulate", help="With a simulated probe on a simulated bench.")
]


class Concluded(Protocol):
    """What a measuring command came to."""

    @property
    def passed(self) -> bool:
        """Whether everything that was measured is as it must be."""

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON can hold it."""


def fail(sentence: str) -> NoReturn:
    """End a command with exit status 2 and a sentence on standard error."""
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(2)


def conclude(outcome: Concluded, *, as_json: bool) -> NoReturn:
    """Tell a program what came of a command, and end: exit status 0 only where it passed."""
    if as_json:
        sys.stdout.write(f"{json.dumps(outcome.to_dict())}\n")
    raise typer.Exit(0 if outcome.passed else 1)

"""The command that lets persons sign in at the displays."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from acquisition.commands.ending import SiteFile, fail
from display.access.people import PeopleUnusable, Role, change_person


def add_person(app: typer.Typer, people_of: Callable[[typer.Context, Path | None], Path]) -> None:
    """Add ``person``; ``people_of`` finds the file of persons, or ends the command with a sentence."""

    @app.command()
    def person(
        context: typer.Context,
        name: Annotated[str, typer.Argument(help="As she signs in, and as the record names her.")],
        config: SiteFile = None,
        *,
        role: Annotated[Role, typer.Option(help="act: in the procedure; engineer: read the figures.")] = Role.ACT,
        remove: Annotated[bool, typer.Option("--remove", help="She may sign in no longer.")] = False,
    ) -> None:
        """Let somebody sign in at the displays, or no longer; asks for her secret, or reads standard input."""
        people = people_of(context, config)
        secret = ""
        if not remove:
            asked = (
                typer.prompt("secret", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else None
            )
            secret = asked or sys.stdin.readline().rstrip("\n")
        try:
            change_person(people, name, role=None if remove else role, secret=secret)
        except PeopleUnusable as exc:
            fail(str(exc))

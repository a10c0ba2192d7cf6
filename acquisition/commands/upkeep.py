"""Commands that keep the received objects in order: their index made anew, old studies listed and deleted."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from acquisition import upkeep
from acquisition.commands.ending import SiteFile, fail
from acquisition.commands.exchange import NodeOf
from devices.stderr_log import log_to_stderr


def add_upkeep(
    app: typer.Typer, node_of: NodeOf, *, patient_of: Callable[[typer.Context, Path | None], str | None]
) -> None:
    """Add ``reindex`` and ``retention``; ``patient_of`` finds the patient on the table, whose studies stay."""

    @app.command()
    def reindex(context: typer.Context, config: SiteFile = None) -> None:
        """Make the index of received objects anew from their files; the node makes up for gaps by itself."""
        log_to_stderr(logging.WARNING)
        try:
            is_whole = upkeep.reindex(node_of(context, config), Console())
        except upkeep.UpkeepRefused as exc:
            fail(str(exc))
        raise typer.Exit(0 if is_whole else 1)

    @app.command()
    def retention(
        context: typer.Context,
        config: SiteFile = None,
        *,
        delete: Annotated[bool, typer.Option("--delete", help="Delete them; without it they are listed.")] = False,
    ) -> None:
        """List the received studies that the rules of the site file name; nothing is ever deleted by itself."""
        log_to_stderr(logging.WARNING)
        apply = upkeep.delete_by_rule if delete else upkeep.list_by_rule
        try:
            is_done = apply(node_of(context, config), patient_id=patient_of(context, config), console=Console())
        except upkeep.UpkeepRefused as exc:
            fail(str(exc))
        raise typer.Exit(0 if is_done else 1)

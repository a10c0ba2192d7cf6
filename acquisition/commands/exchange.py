"""Commands that ask the hospital's other nodes, and send them studies."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console

from acquisition import exchange
from acquisition.commands.ending import SiteFile, fail
from devices.dicom.settings import NodeSettings
from devices.stderr_log import log_to_stderr

NodeOf: TypeAlias = Callable[[typer.Context, Path | None], NodeSettings]
"""Finds the storage node that a command's site file sets up, or ends the command with a sentence."""

Day: TypeAlias = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
PeerName: TypeAlias = Annotated[
    str | None, typer.Option("--from", help="Name of the peer, where there are several.")
]
PatientId: TypeAlias = Annotated[str, typer.Option(help="Patient ID.")]


def add_exchange(app: typer.Typer, node_of: NodeOf) -> None:
    """Add ``worklist``, ``query``, ``pull``, ``send`` and ``outbox``."""

    @app.command()
    def worklist(
        context: typer.Context,
        config: SiteFile = None,
        *,
        peer: PeerName = None,
        on: Day = None,
        station: Annotated[str, typer.Option(help="AE title of the station.")] = "",
        patient_id: PatientId = "",
    ) -> None:
        """List what is scheduled, today unless said otherwise."""
        day = (on or datetime.now(tz=UTC).astimezone()).date()
        with _exchanging(node_of(context, config)) as (node, console):
            exchange.show_worklist(
                node, peer=peer, on=day, station_ae=station, patient_id=patient_id, console=console
            )

    @app.command()
    def query(
        context: typer.Context,
        config: SiteFile = None,
        *,
        peer: PeerName = None,
        patient_id: PatientId = "",
        name: Annotated[str, typer.Option(help="Patient's name, as DOE^J*.")] = "",
        accession: Annotated[str, typer.Option(help="Accession number.")] = "",
        since: Day = None,
        until: Day = None,
    ) -> None:
        """List studies that an archive has."""
        with _exchanging(node_of(context, config)) as (node, console):
            exchange.show_studies(
                node,
                peer=peer,
                patient_id=patient_id,
                patient_name=name,
                accession_number=accession,
                since=since.date() if since else None,
                until=until.date() if until else None,
                console=console,
            )

    @app.command()
    def pull(context: typer.Context, study_uid: str, config: SiteFile = None, peer: PeerName = None) -> None:
        """Have an archive send a study to the running node; exit status 0 only if all of it came."""
        with _exchanging(node_of(context, config)) as (node, console):
            is_whole = exchange.pull(node, study_uid, peer=peer, console=console)
        raise typer.Exit(0 if is_whole else 1)

    @app.command()
    def send(
        context: typer.Context,
        study_uid: str,
        to: Annotated[str, typer.Option(help="Name of the destination.")],
        config: SiteFile = None,
    ) -> None:
        """Send a received study; the running service tries again what is not taken. Exit 0 only if all was."""
        with _exchanging(node_of(context, config)) as (node, console):
            is_sent = exchange.send(node, study_uid, to=to, console=console)
        raise typer.Exit(0 if is_sent else 1)

    @app.command()
    def outbox(context: typer.Context, config: SiteFile = None) -> None:
        """List what was sent, what waits, and what was answered."""
        with _exchanging(node_of(context, config)) as (node, console):
            is_empty = exchange.show_outbox(node, console=console)
        raise typer.Exit(0 if is_empty else 1)


@contextmanager
def _exchanging(node: NodeSettings) -> Iterator[tuple[NodeSettings, Console]]:
    log_to_stderr(logging.WARNING)
    try:
        yield node, exchange.terminal()
    except exchange.ExchangeRefused as exc:
        fail(str(exc))

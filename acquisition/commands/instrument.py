"""The command that tries an instrument without a driver, by a sheet that describes it."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from acquisition.commands.ending import fail, log_to_stderr
from devices.clock import monotonic
from devices.errors import DeviceError
from devices.links import check_port
from devices.probes.sheet import SheetError, read_sheet
from devices.probes.trying import try_sheet


def instrument_commands() -> typer.Typer:
    """Make ``instrument try``."""
    instrument = typer.Typer(help="Instruments without a driver: a sheet that describes one, tried on its port.")

    @instrument.command("try")
    def try_instrument(
        sheet: Annotated[Path, typer.Argument(help="The instrument's sheet, TOML: docs/instruments/sheets.md.")],
        *,
        port: Annotated[str, typer.Option(help="/dev/serial/by-id/…, or socket://host:port of a serial server.")],
        seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 15.0,
    ) -> None:
        """Show raw bytes beside what a sheet makes of them; exit status 0 only if it is fit for the site file."""
        log_to_stderr(logging.WARNING)
        try:
            trial = asyncio.run(
                try_sheet(read_sheet(sheet), check_port(port), seconds=seconds, clock=monotonic, say=typer.echo)
            )
        except (SheetError, DeviceError, ValueError) as exc:
            fail(str(exc))
        typer.echo(trial.identity + ": " * bool(trial.identity) + trial.sentence())
        raise typer.Exit(0 if trial.is_good else 1)

    return instrument

"""The commands for an instrument without a driver: try a sheet that describes it, or learn one by listening."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from acquisition.commands.ending import fail
from devices.clock import monotonic
from devices.errors import DeviceError
from devices.links import Character, check_port
from devices.probes.learning.proposal import Proposal, Sending, propose
from devices.probes.learning.recording import Listening, learn
from devices.probes.learning.session import SessionError, SessionFile, read_session
from devices.probes.sheet_file import SheetError, read_sheet
from devices.probes.trying import Trial, replay_sheet, try_sheet
from devices.stderr_log import log_to_stderr

PORT_HELP = "/dev/serial/by-id/…, or socket://host:port of a serial server."


def instrument_commands() -> typer.Typer:
    """Make ``instrument try`` and ``instrument learn``."""
    instrument = typer.Typer(help="Instruments without a driver: a sheet that describes one, tried or learnt.")

    @instrument.command("try")
    def try_instrument(
        sheet: Annotated[Path, typer.Argument(help="The instrument's sheet, TOML: docs/instruments/sheets.md.")],
        *,
        port: Annotated[str | None, typer.Option(help=PORT_HELP)] = None,
        session: Annotated[Path | None, typer.Option(help="Instead, a session that `learn` recorded.")] = None,
        seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 15.0,
    ) -> None:
        """Show raw bytes beside what a sheet makes of them; exit status 0 only if it is fit for the site file."""
        log_to_stderr(logging.WARNING)
        if (port is None) == (session is None):
            fail("give either --port, or --session with a recorded one")
        try:
            trial = _try(sheet, port, session, seconds)
        except (SheetError, SessionError, DeviceError, ValueError) as exc:
            fail(str(exc))
        typer.echo(trial.identity + ": " * bool(trial.identity) + trial.sentence())
        raise typer.Exit(0 if trial.is_good else 1)

    @instrument.command("learn")
    def learn_instrument(
        *,
        port: Annotated[str | None, typer.Option(help=PORT_HELP)] = None,
        session: Annotated[Path | None, typer.Option(help="Instead, a session recorded before.")] = None,
        out: Annotated[Path, typer.Option(help="The sheet; the session stands beside it.")] = Path("console.toml"),
        name: Annotated[str, typer.Option(help="What people call the instrument.")] = "Console",
        seconds: Annotated[float, typer.Option(min=1, help="How long, and as long again with a source.")] = 20.0,
        baud_rate: Annotated[int | None, typer.Option(min=50, help="Bits a second; without: found out.")] = None,
        character: Annotated[Character | None, typer.Option(help="Without: found out.")] = None,
        send: Annotated[str, typer.Option(help=r"Sent at the beginning, if its maker says so; \r, \n.")] = "",
        stop: Annotated[str, typer.Option(help="Sent at the end.")] = "",
        ask: Annotated[str, typer.Option(help="Sent for each line, if it wants to be asked.")] = "",
        every: Annotated[float, typer.Option(min=0.05, max=4, help="How often it is asked, s.")] = 1.0,
    ) -> None:
        """Listen to an instrument that speaks in lines, and propose a sheet; exit status 0 if it reads them."""
        log_to_stderr(logging.WARNING)
        if (port is None) == (session is None):
            fail("give either --port, or --session with a recorded one")
        sending = Sending(begin=_unescaped(send), stop=_unescaped(stop), ask=_unescaped(ask), every_s=every)
        if out.exists():
            fail(f"{out} is there already: give another --out")
        try:
            if session is not None:
                proposal = propose(read_session(session), name=name, sending=sending)
            else:
                listening = Listening(
                    port=check_port(port or ""),
                    baud_rate=baud_rate,
                    character=character,
                    seconds=seconds,
                    name=name,
                    sending=sending,
                    clock=monotonic,
                    say=typer.echo,
                )
                proposal = _listen(listening, out)
        except (SessionError, DeviceError, ValueError) as exc:
            fail(str(exc))
        _tell(proposal, out)

    return instrument


def _try(sheet: Path, port: str | None, session: Path | None, seconds: float) -> Trial:
    if session is not None:
        return replay_sheet(read_sheet(sheet), read_session(session), say=typer.echo)
    return asyncio.run(
        try_sheet(read_sheet(sheet), check_port(port or ""), seconds=seconds, clock=monotonic, say=typer.echo)
    )


def _listen(listening: Listening, out: Path) -> Proposal:
    """Record a session beside the sheet, and propose one."""
    path = out.with_suffix(".session.jsonl")
    try:
        file = path.open("x", encoding="utf-8")
    except OSError as exc:
        fail(f"{path} cannot be written ({exc.strerror}): give another --out")
    with file:
        typer.echo(f"the session is kept in {path}")
        return asyncio.run(learn(listening, SessionFile(file, began_at_s=monotonic())))


def _unescaped(text: str) -> str:
    r"""Read ``\r``, ``\n`` and ``\x02`` in what was typed."""
    try:
        return text.encode("latin-1").decode("unicode_escape")
    except UnicodeError as exc:
        fail(f"{text!r} cannot be sent: {exc}")


def _tell(proposal: Proposal, out: Path) -> None:
    """Write the sheet, say what came of it and what to do next, and end."""
    if not proposal.text:
        typer.echo(f"no sheet is proposed: {proposal.sentence}")
        raise typer.Exit(1)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(proposal.text)
    except OSError as exc:
        fail(f"{out} cannot be written ({exc.strerror}): give another --out")
    typer.echo(proposal.text)
    typer.echo(f"{out} is written. {proposal.sentence}.")
    typer.echo(f"read its comments, correct what is wrong, then: radionav instrument try {out} --port …")
    raise typer.Exit(0 if proposal.trial is not None and proposal.trial.is_good else 1)

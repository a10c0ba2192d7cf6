"""The composition root: both commands, ``radionav`` and ``acquire``, start here."""

import asyncio
import atexit
import gc
import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from acquisition.commands.ending import SiteFile, fail
from acquisition.commands.exchange import add_exchange
from acquisition.commands.instrument import instrument_commands
from acquisition.commands.logbook import add_logbook
from acquisition.commands.upkeep import add_upkeep
from composition.counting_commands import add_counting
from composition.errors import ServiceError
from composition.guided_commands import add_guided
from composition.named import desk, named_site, people, storage_node
from composition.reaching import reach_all
from composition.replaying import add_replay
from composition.running import serve
from composition.simulated import simulated_site
from composition.simulation import serve_simulated
from composition.tracking_commands import add_tracking
from config.settings import Site
from config.site import SiteFileError, read_site
from devices.stderr_log import log_to_stderr
from display.access.command import add_person
from simulators.happenings import Excision, ImpossibleHappening, Unplugging
from simulators.scene import sentinel_node_scene

radionav = typer.Typer(
    help="Radioguided surgery: where the node is, how far from the probe's tip, and how sure.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@radionav.callback(invoke_without_command=True)
def _run(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Run on simulated devices; everything says so.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long and print a summary.")] = None,
    unplug: Annotated[
        str | None, typer.Option(help="With --simulate: pull a probe's plug, as gamma:10:5 (after, for; s).")
    ] = None,
    excise: Annotated[
        str | None,
        typer.Option(
            help="With --simulate: cut a source out, as node:60 (after the study is sent; s) or node (at SIGUSR1)."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="With --simulate: folder that outlives the run, so that another goes on from it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --simulate: seed of every draw.")] = 1,
    port: Annotated[int | None, typer.Option(help="TCP port of the display, in place of the site file's.")] = None,
    dicom_port: Annotated[int | None, typer.Option(help="TCP port of the storage node, likewise.")] = None,
) -> None:
    """Serve one operating room."""
    if context.invoked_subcommand is not None:
        return
    log_to_stderr()
    if simulate == (config is not None):
        fail("give either --config SITE.toml for real devices or --simulate")
    if config is not None and (unplug, excise, keep) != (None, None, None):
        fail("--unplug, --excise and --keep are of a simulated room: they go with --simulate")
    try:
        site = (simulated_site() if config is None else read_site(config)).on_ports(port, dicom_port)
        if config is not None:
            summary = asyncio.run(serve(site, seconds=seconds))
        else:
            scene, happenings = sentinel_node_scene(), list[Unplugging | Excision]()
            if unplug is not None:
                happenings.append(Unplugging.read(unplug, probes=site.probes))
            if excise is not None:
                happenings.append(Excision.read(excise, scene=scene))
            summary = asyncio.run(serve_simulated(site, scene, happenings, keep=keep, seconds=seconds, seed=seed))
    except (SiteFileError, ServiceError, ImpossibleHappening) as exc:
        fail(str(exc))
    if seconds is not None:
        print(json.dumps(summary))


@radionav.command()
def check(context: typer.Context, config: SiteFile = None) -> None:
    """Say for each device of a site file whether it can be reached, and what to do if not."""
    log_to_stderr(logging.CRITICAL)
    site = named_site(context, config)
    found = asyncio.run(reach_all(site))
    for one in found:
        print(f"{one.device:12} {'ok  ' if one.is_reached else 'FAIL'}  {one.sentence}")
    if not all(one.is_reached for one in found):
        raise typer.Exit(1)


@radionav.command()
def schema() -> None:
    """Print the JSON schema of the site file."""
    print(json.dumps(Site.model_json_schema(), indent=2))


add_replay(radionav)
add_exchange(radionav, storage_node)
add_upkeep(
    radionav,
    storage_node,
    patient_of=lambda context, config: named_site(context, config).procedure.patient_id,
)
add_person(radionav, people)
radionav.add_typer(instrument_commands(), name="instrument")

acquire = typer.Typer(
    help="Is this probe fit for today, how does it respond, and where is its tip?",
    add_completion=False,
    pretty_exceptions_enable=False,
)


add_guided(acquire)
add_tracking(acquire)
add_counting(acquire)
add_logbook(acquire, desk)

# a command is over with its last word: to look through all modules for what nobody uses any more took half a
# second of the processor, on a busy machine many of the clock
atexit.register(gc.freeze)

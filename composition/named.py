"""Find the site file that a command is of, and what it must name for that command."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from acquisition.calibration import CalibrationError
from acquisition.commands.ending import fail
from acquisition.logbook.seal import LogbookUnusable
from acquisition.quality.desk import Desk
from acquisition.quality.technologist import MorningAborted
from composition.errors import ServiceError
from composition.simulated import simulated_logbook, simulated_site
from config.settings import Site
from config.site import SiteFileError, read_site
from devices.dicom.settings import NodeSettings
from devices.errors import DeviceError
from devices.stderr_log import log_to_stderr
from navigation.errors import NavigationError


def named_site(context: typer.Context, config: Path | None) -> Site:
    """Read the site file of a subcommand of ``radionav``, whose option may stand before its name too."""
    config = config or (context.parent.params["config"] if context.parent else None)
    if config is None:
        fail(f"{context.command.name} needs --config SITE.toml")
    try:
        return read_site(config)
    except SiteFileError as exc:
        fail(str(exc))


def storage_node(context: typer.Context, config: Path | None) -> NodeSettings:
    """Give the storage node that the site file sets up."""
    node = named_site(context, config).dicom
    if node is None:
        fail("the site file has no [dicom]: nothing is received, and nothing is kept")
    return node


def place_of(site: Site) -> str:
    """Name the hospital and room, as at the head of a report."""
    return f"{site.site.name}, {site.site.room}"


def desk(context: typer.Context, config: Path | None, simulate: bool) -> Desk:  # noqa: FBT001 - the third of three
    """Give the logbook that the site file, or the simulated bench, keeps."""
    with workplace(context, config, simulate=simulate) as place:
        site = place.site
        logbook = simulated_logbook() if place.is_simulated else site.logbook
        return Desk(logbook=logbook, settings=site.acquire, place=place_of(site))


def people(context: typer.Context, config: Path | None) -> Path:
    """Give the file of those who may sign in."""
    access = named_site(context, config).display.access
    if access is None:
        fail("the site file has no [display.access]: nobody signs in")
    return access.people


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where an ``acquire`` command works: a site, whose devices are real, or the simulated one."""

    site: Site
    is_simulated: bool


@contextlib.contextmanager
def workplace(context: typer.Context, config: Path | None, *, simulate: bool) -> Iterator[Workplace]:
    """Give the workplace of an ``acquire`` command, whose options may stand before its name too.

    What cannot be done there ends the command with one sentence.
    """
    log_to_stderr(logging.WARNING)
    before = context.parent.params if context.parent else {}
    config, simulate = config or before.get("config"), simulate or bool(before.get("simulate"))
    if simulate == (config is not None):
        fail("give either --config SITE.toml for real devices or --simulate")
    try:
        yield Workplace(site=simulated_site() if config is None else read_site(config), is_simulated=simulate)
    except (
        SiteFileError,
        ServiceError,
        CalibrationError,
        DeviceError,
        LogbookUnusable,
        MorningAborted,
        NavigationError,
    ) as exc:
        fail(str(exc))

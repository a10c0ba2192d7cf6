"""A recording played into the room that it was made in: nothing is live, and nothing leaves it."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from acquisition.commands.ending import SiteFile, fail
from acquisition.replay.black_box import Recording, RecordingUnusable
from acquisition.replay.clock import ReplayClock
from acquisition.replay.player import Player
from composition.errors import ServiceError
from composition.instruments import ROLES, probe_in_hand
from composition.room import Room
from composition.running import run_room, stop_on_signals
from composition.simulated import simulated_site
from composition.simulated_calibrations import room_registration, room_timing, room_tip
from composition.simulation import STUDIES
from config.navigation import NavigationSettings
from config.settings import Site
from config.site import SiteFileError, read_site
from devices.stderr_log import log_to_stderr
from display.summary import sum_up


def add_replay(app: typer.Typer) -> None:
    """Add ``replay``."""

    @app.command()
    def replay(
        context: typer.Context,
        recording: Annotated[
            Path, typer.Argument(help="The recording: a file of the folder `recordings`, *.mcap.")
        ],
        config: SiteFile = None,
        *,
        simulate: Annotated[bool, typer.Option("--simulate", help="It is of simulated devices.")] = False,
        keep: Annotated[
            Path | None, typer.Option(help="With --simulate: the folder that outlived the run, with its studies.")
        ] = None,
        speed: Annotated[
            float, typer.Option(min=0.1, max=20.0, help="Seconds of the recording in a second.")
        ] = 1.0,
        seconds: Annotated[
            float | None, typer.Option(min=0.1, help="End after so long and print a summary.")
        ] = None,
        port: Annotated[int | None, typer.Option(help="TCP port of the display.")] = None,
    ) -> None:
        """Play a recording in the room that it was made in; everything says so, and nothing is live."""
        log_to_stderr()
        before = context.parent.params if context.parent else {}
        config, simulate = config or before.get("config"), simulate or bool(before.get("simulate"))
        if simulate == (config is not None):
            fail("give either --config SITE.toml of the room that it was recorded in, or --simulate")
        try:
            site = (simulated_site() if config is None else read_site(config)).on_ports(port, None)
            received = site.dicom.folder if site.dicom else None
            studies = (keep and keep / STUDIES) if simulate else received
            played = _serve(site, recording, is_simulated=simulate, studies=studies, speed=speed, seconds=seconds)
            summary = asyncio.run(played)
        except (SiteFileError, ServiceError) as exc:
            fail(str(exc))
        if seconds is not None:
            print(json.dumps(summary))


async def _serve(
    site: Site,
    path: Path,
    *,
    is_simulated: bool,
    studies: Path | None,
    speed: float,
    seconds: float | None,
) -> dict[str, Any]:
    """Play a recording until a signal or the end of the time; give its summary.

    ``site`` is that of the room in which it was made; ``studies`` the folder of what its storage node received.

    Raises
    ------
    ServiceError
        Where the recording cannot be played, or not with this site file.

    """
    stop = stop_on_signals(seconds)
    try:
        recording = Recording(path)
    except RecordingUnusable as exc:
        raise ServiceError(str(exc)) from exc
    head = recording.head
    if head.is_simulated != is_simulated:
        made = (
            "simulated: give --simulate" if head.is_simulated else "of real devices: give their --config SITE.toml"
        )
        raise ServiceError(f"{path}: was recorded {made}")
    if strange := (head.probes | head.trackers) - {*site.probes, *site.trackers}:
        raise ServiceError(
            f"{path}: has readings of {', '.join(sorted(strange))}, which the site file does not name: give that "
            "of the room in which it was recorded"
        )
    clock = ReplayClock(starts_at_s=head.starts_at_s, utc_at_start=head.utc_at_start, speed=speed)
    played: list[Player] = []

    async def on_ready(room: Room, address: str) -> None:
        _say(f"REPLAY of {path}, recorded from {head.utc_at_start:%Y-%m-%d %H:%M:%S} UTC on: nothing here is live")
        _say(f"the display is at {address}")
        played.append(room.player(recording, studies=studies, say=_say))
        await played[0].run()

    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        room = await run_room(
            _as_recorded(site, head.files, Path(folder), is_simulated=is_simulated),
            is_simulated=is_simulated,
            stop=stop,
            rng=np.random.default_rng(),
            on_ready=on_ready,
            replay=clock,
        )
    comparison = played[0].comparison.to_dict() if played else None
    return sum_up(room.board.tally, room.posterior) | {"replay": comparison}


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _as_recorded(site: Site, texts: Mapping[str, str], folder: Path, *, is_simulated: bool) -> Site:
    """Let a site navigate by the files of then, keep its record apart, and reach nobody."""
    # a recording from elsewhere may name anything: a role becomes a file's name
    probe, written = probe_in_hand(site), {role: folder / f"{role}.json" for role in ROLES & texts.keys()}
    for role, path in written.items():
        path.write_text(texts[role])
    navigation = site.navigation
    if navigation is not None:
        navigation = _navigating_by(navigation, written, folder, is_simulated=is_simulated)
    settings = site.probes[probe].model_copy(update={"response": written.get("response")})
    update = {
        "probes": {**site.probes, probe: settings},
        "navigation": navigation,
        "recordings": folder / "recordings",
        "procedure": site.procedure.model_copy(
            update={"database": folder / "procedures.sqlite", "patient_id": None}
        ),
        "dicom": None,
        "mqtt": None,
        "openigtlink": None,
    }
    return site.model_copy(update=update)


def _navigating_by(
    navigation: NavigationSettings, written: Mapping[str, Path], folder: Path, *, is_simulated: bool
) -> NavigationSettings:
    """Let tip, registration and delay be those of then, though not the limits that they are held to."""
    if is_simulated:
        simulated = {
            "tip": room_tip(folder),
            "registration": room_registration(folder),
            "timing": room_timing(folder),
        }
        made = written.keys() | {"registration"}  # that one may have been made later
        navigation = navigation.model_copy(update={role: simulated[role] for role in simulated if role in made})
    update: dict[str, object] = {}
    for role in ("tip", "registration", "timing"):
        settings = getattr(navigation, role)
        if role != "registration" and (role in written) != (settings is not None):
            has, lacks = (
                ("recorded", "the site file") if role in written else ("in the site file", "the recording")
            )
            raise ServiceError(
                f"navigation.{role} is {has}, and not in {lacks}: give the site file of the day of the recording"
            )
        # a registration that was made later in the recording is written there then
        update[role] = settings and settings.model_copy(update={"file": folder / f"{role}.json"})
    return navigation.model_copy(update=update)

"""The room on simulated devices: only ports and folders differ from a real one."""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acquisition.tracking.desk import Desk
from acquisition.tracking.operator import Motion
from composition.instruments import probe_in_hand
from composition.room import Room
from composition.running import announce, run_room, stop_on_signals, utc_now
from composition.simulated import simulated_calibration
from composition.simulated_calibrations import calibrated
from config.settings import Site
from devices.clock import monotonic
from display.summary import sum_up
from navigation.estimation.estimate import TargetEstimate
from simulators.happenings import Excision, Unplugging
from simulators.scene import Scene
from simulators.theatre import DESCRIPTION, Addresses, Grip, open_theatre
from simulators.tool_bench import Hand, write_markups
from simulators.truth import compare

STUDIES, LANDMARKS, CALIBRATIONS = "studies", "landmarks.mrk.json", "calibrations"
"""Where the studies lie in the folder of a simulated room, the landmarks that were marked in the first, and what
is calibrated from its display."""

LONGEST_LOOK_S = 60.0
"""Between two looks at what is asked of the hand, where nothing changes."""


def connect(site: Site, addresses: Addresses, folder: Path) -> Site:
    """Fill in where the simulated devices are, and a folder for all that is kept; nothing else changes."""
    probes = {
        name: probe.model_copy(update={"port": addresses.ports[name]}) for name, probe in site.probes.items()
    }
    for name, probe in probes.items():
        if simulated_calibration(name).exists():
            probes[name] = probe.model_copy(update={"response": simulated_calibration(name)})
    place = {"host": addresses.tracker_host, "port": addresses.tracker_port}
    trackers = {name: tracker.model_copy(update=place) for name, tracker in site.trackers.items()}
    dicom = site.dicom and site.dicom.model_copy(update={"folder": folder / STUDIES})
    procedure = site.procedure.model_copy(update={"database": folder / "procedures.sqlite"})
    update = {
        "probes": probes,
        "trackers": trackers,
        "dicom": dicom,
        "procedure": procedure,
        "recordings": folder / "recordings",
    }
    return site.model_copy(update=update)


async def move_as_asked(desk: Desk, grip: Grip, hand: Hand) -> None:
    """Let a hand make each motion that a calibration asks for, and give the probe back to the surgeon after it.

    For a landmark that it does not know, marked by somebody else, it looks all over the skin: were it held still
    anywhere, that would pass for the touch.
    """
    seq, made = -1, None
    while True:
        standing = await desk.changed(seq, longest_s=LONGEST_LOOK_S)
        if standing.move is not None and standing.move is not made:
            try:
                hand.move(standing.move.motion, standing.move.place)
            except ValueError:
                hand.move(Motion.DRAW)
            grip.give(hand)
        elif not desk.is_running:
            grip.give(None)
        seq, made = standing.seq, standing.move


async def serve_simulated(
    site: Site,
    scene: Scene,
    happenings: Sequence[Unplugging | Excision],
    *,
    keep: Path | None,
    seconds: float | None,
    seed: int,
) -> dict[str, Any]:
    """Serve the simulated room until a signal or the end of the time; give its summary, with the truth beside it.

    Raises
    ------
    ServiceError
        Where it cannot start.

    """
    stop, rng = stop_on_signals(seconds), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="radionav-") as named:
        folder = Path(named)
        async with open_theatre(scene, folder, rng=rng, clock=monotonic) as theatre:
            kept = keep or folder
            connected, said = calibrated(
                connect(site, theatre.addresses, kept),
                kept / CALIBRATIONS,
                scan_uid=theatre.frame_of_reference_uid,
                now=utc_now(),
            )

            async def on_ready(room: Room, address: str) -> None:
                for line in DESCRIPTION:
                    print(line, file=sys.stderr)
                response = simulated_calibration(probe_in_hand(site))
                if response.exists():
                    print(f"SIMULATED calibration: {response}, written by acquire", file=sys.stderr)
                for line in said:
                    print(line, file=sys.stderr)
                marked = kept / LANDMARKS
                write_markups(marked)
                print(f"SIMULATED landmarks: {marked}, to register the patient by", file=sys.stderr)
                await announce(room, address)
                hand = Hand(started_s=monotonic(), rng=rng.spawn(1)[0], delay_s=0.0)
                async with asyncio.TaskGroup() as tasks:  # gather would be over when the first of them has ended
                    tasks.create_task(happen(room), name="happenings")
                    tasks.create_task(move_as_asked(room.desk, theatre.grip, hand), name="hand")

            async def happen(room: Room) -> None:
                node = await room.intake.node
                await theatre.send_study(node.host, node.port, called_ae="RADIONAV")
                await asyncio.gather(*(each.happen(theatre) for each in happenings))

            room = await run_room(
                connected,
                is_simulated=True,
                stop=stop,
                rng=rng,
                on_ready=on_ready,
            )
    return sum_up(room.board.tally, room.posterior, judge=lambda target: _judge(target, scene))


def _judge(target: TargetEstimate, scene: Scene) -> dict[str, Any]:
    """Say how far a target is from the truth, which only a simulation knows."""
    if not target.is_localisable:
        return {"error_mm": None, "in_region": None}
    miss = compare(
        scene,
        centre_mm=target.centre_mm,
        semi_axes_mm=target.region_semi_axes_mm,
        axes=target.region_axes,
    )
    return {"error_mm": round(miss.error_mm, 2), "in_region": miss.is_in_region}

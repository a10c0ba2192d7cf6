"""The simulated operating room with its devices in a process of their own, as no hospital's are in the service's.

``python -m benchmarks.peers.theatre devices FOLDER`` runs the devices, and sends their study to the storage node
whose port stands in a line of standard input; ``... room FOLDER`` serves the room that they are in.
"""

import asyncio
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np

from composition.running import announce, run_room, stop_on_signals
from composition.simulated import simulated_site
from composition.simulation import connect
from devices.clock import monotonic
from simulators.scene import sentinel_node_scene
from simulators.theatre import Addresses, open_theatre

ADDRESSES = "addresses.json"
"""Where the devices are, in the folder that both processes know."""

HERE = "127.0.0.1"


async def _run_devices(folder: Path) -> None:
    """Run the devices until a signal; prints ``ready`` when they are there."""
    stop, loop, told = stop_on_signals(None), asyncio.get_running_loop(), asyncio.Queue[str]()
    threading.Thread(  # a pipe that nobody writes to is waited for in no task
        target=lambda: [loop.call_soon_threadsafe(told.put_nowait, line) for line in sys.stdin], daemon=True
    ).start()
    async with open_theatre(
        sentinel_node_scene(), folder / "devices", rng=np.random.default_rng(1), clock=monotonic
    ) as theatre:
        (folder / ADDRESSES).write_bytes(msgspec.json.encode(theatre.addresses))
        print("ready", flush=True)
        await theatre.send_study(HERE, int(await told.get()), called_ae="RADIONAV")
        await stop.wait()


async def _serve_room(folder: Path) -> None:
    """Serve the room until a signal; says its addresses as ``radionav --simulate`` does."""
    addresses = msgspec.json.decode((folder / ADDRESSES).read_bytes(), type=Addresses)
    site = connect(simulated_site().on_ports(0, 0), addresses, folder)
    await run_room(
        site,
        is_simulated=True,
        stop=stop_on_signals(None),
        rng=np.random.default_rng(1),
        on_ready=announce,
    )


if __name__ == "__main__":
    asyncio.run({"devices": _run_devices, "room": _serve_room}[sys.argv[1]](Path(sys.argv[2])))

"""How late a pose is at those who follow by OpenIGTLink, and whether one is lost, beside pyigtl.

Server and clients are processes of their own on this machine, on one clock. A latency runs from the call that
sends a pose to one of two moments:

- *heard*: a client's process has the message whole: pyigtl's, when it gives it; ours, when its last byte is read;
- *arrived*: the kernel has it whole for that client, and has still to wake it (``kernel_stamps``).

Eight clients of a theatre are eight machines. Here they are one process, which is woken once and then reads one
after the other, so that most of them are heard late for the others' sake. *Arrived* is without that where they
have a core of their own and do not take the sender's once the first is woken; neither has what a network takes.
They only note when bytes come, and check the CRCs when all have. Ours serves eight clients at once, and each
message of each counts; pyigtl's server serves one, so it is measured with one: with pyigtl's own for what is
heard, and in a run of its own with one of ours for what arrived (pyigtl's asks for no stamps), which is its
server alone.

The floor is what this machine takes by itself: a loop that sends as many bytes to as many of the same clients at
the same pace, without asyncio and without a message being made. What ours takes beyond it is ours.

The processors are kept awake meanwhile where that is allowed (``awake``): what a virtual machine's host takes to
wake a halted one is its own, and more than all the rest. Ours and the floor are measured again with processors
that halt, as a machine that does nothing else has them.

    python -m benchmarks.igtl --seconds 10

Prints a JSON line for each pair and rate, and last one with ``median_ms``, ``p99_ms`` and ``lost`` of ours as
heard by eight clients at 100 poses a second, ``arrived_median_ms`` and ``arrived_p99_ms`` of the same poses (null
where nothing was stamped, or the time was stepped meanwhile), all of them at 1,000 (``…_1000``), and beside them
pyigtl's and the floor's (``pyigtl_…``, ``floor_…``), and ours and the floor's with processors that halt
(``halting_…``, ``halting_floor_…``); ``processors`` says of all others whether they were "awake" or "halting".
"""

import argparse
import asyncio
import json
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from benchmarks.awake import kept_awake
from benchmarks.kernel_stamps import ask_for_stamps, real_less_monotonic_ns, receive, steady_offset_ns
from devices.clock import monotonic
from devices.igtl_server import TIP, IgtlServer, serve_igtl
from devices.igtl_settings import Settings
from devices.stderr_log import log_to_stderr
from devices.trackers.igtl import Decoder
from devices.trackers.igtl_bodies import Transform
from navigation.frames import Frame
from navigation.transforms import RigidTransform

RATES_HZ = (100, 1000)
CLIENTS = 8
PAIRS = (
    ("floor", CLIENTS, "floor_", True),
    ("radionav", CLIENTS, "", True),
    ("radionav", 1, None, True),
    ("pyigtl", 1, "pyigtl_", True),
    ("floor", CLIENTS, "halting_floor_", False),
    ("radionav", CLIENTS, "halting_", False),
)
"""Who sends, to how many, what its figures are called in the summary, and whether the processors are to be awake.

Where the name is None the figures are in their line only."""
GIVE_UP_S = 3.0
"""pyigtl's client, when it hears nothing for so long, has heard the last."""
SETTLING_S = 0.5
Came: TypeAlias = list[tuple[float, int | None, bytes]]
"""When a client's process had bytes, monotonic clock, s; the kernel's stamp, CLOCK_REALTIME, ns; the bytes."""
Heard: TypeAlias = dict[int, tuple[float, int | None]]
"""The same of each pose's message, when it was whole."""
FLOOR = struct.Struct(">I102x")
"""A pose's number, in as many bytes as a TRANSFORM has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """What came of ``sent`` poses to each of ``clients``.

    Attributes
    ----------
    ms
        Latencies of all that were heard.
    arrived_ms
        Latencies at the kernel of those that it stamped.

    """

    peer: str
    rate_hz: int
    clients: int
    sent: int
    ms: Sequence[float]
    arrived_ms: Sequence[float] = ()

    @property
    def lost(self) -> int:
        """Poses that were not heard, over all clients."""
        return self.sent * self.clients - len(self.ms)

    def figures(self) -> dict[str, float | int | None]:
        """Give median and 99th percentile, ms, of both moments, and how many were lost."""
        heard_ms, arrived_ms = (
            np.percentile(ms, (50, 99)).round(3).tolist() if ms else (None, None)
            for ms in (self.ms, self.arrived_ms)
        )
        return {
            "median_ms": heard_ms[0],
            "p99_ms": heard_ms[1],
            "lost": self.lost,
            "arrived_median_ms": arrived_ms[0],
            "arrived_p99_ms": arrived_ms[1],
        }

    def line(self, *, is_awake: bool) -> dict[str, object]:
        """Sum them up."""
        return {
            "peer": self.peer,
            "rate_hz": self.rate_hz,
            "clients": self.clients,
            "processors": _processors(is_awake=is_awake),
            "sent": self.sent,
            **self.figures(),
        }


def _processors(*, is_awake: bool) -> str:
    return "awake" if is_awake else "halting"


def _say(content: object) -> None:
    print(json.dumps(content), flush=True)


# --- clients of ours and of the floor ---------------------------------------------------------------------------


def _listen(port: int, clients: int, heard_of: Callable[[Came], Heard]) -> None:
    """Note when bytes came to each client until the server hangs up, and only then read what they say."""
    came: list[Came] = [[] for _ in range(clients)]
    links = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    offset_ns = real_less_monotonic_ns()
    with selectors.DefaultSelector() as selector:
        for number, link in enumerate(links):
            ask_for_stamps(link)
            selector.register(link, selectors.EVENT_READ, number)
        while selector.get_map():
            for key, _ in selector.select():
                data, stamp_ns = b"", None
                with suppress(ConnectionError):  # ours hangs up without a farewell
                    data, stamp_ns = receive(links[key.data])
                came[key.data].append((monotonic(), stamp_ns, data))
                if not data:
                    selector.unregister(key.fileobj)
    for link in links:
        link.close()
    steady_ns = steady_offset_ns(offset_ns, real_less_monotonic_ns())
    _say([_on_one_clock(heard_of(one), steady_ns) for one in came])


def _on_one_clock(heard: Heard, offset_ns: int | None) -> dict[int, tuple[float, float | None]]:
    """Give both moments of each pose in s of the monotonic clock; the kernel's is None where it is not known."""
    return {
        number: (came_s, None if stamp_ns is None or offset_ns is None else (stamp_ns - offset_ns) / 1e9)
        for number, (came_s, stamp_ns) in heard.items()
    }


# --- ours -----------------------------------------------------------------------------------------------------


def _tip(number: int) -> RigidTransform:
    """Make a pose that says its number in x."""
    return RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=np.eye(3), translation_mm=np.array((float(number), 0.0, 0.0))
    )


async def _serve(rate_hz: int, count: int, clients: int) -> None:
    async with serve_igtl(Settings(port=0), pose_lasts_s=60.0, rate_lasts_s=60.0, is_simulated=False) as server:
        _say(server.port)
        while server.clients < clients:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(SETTLING_S)
        sent_s = await _send(server, rate_hz, [_tip(number) for number in range(count)])
        await asyncio.sleep(SETTLING_S)
        _say(sent_s)


async def _send(server: IgtlServer, rate_hz: int, tips: Sequence[RigidTransform]) -> list[float]:
    """Send at a steady pace; give when each was sent."""
    sent_s, due_s = [], monotonic()
    for tip in tips:
        now_s = monotonic()
        sent_s.append(now_s)
        server.send_tip(tip, now_s)
        due_s += 1 / rate_hz
        await asyncio.sleep(max(0.0, due_s - monotonic()))
    return sent_s


def _heard(came: Came) -> Heard:
    """Give when each pose was here whole, by whichever server; none whose checksum does not hold."""
    decoder, heard = Decoder(), Heard()
    for came_s, stamp_ns, data in came:
        decoder.feed(data, came_s)
        for arrival in decoder:
            if arrival.message.kind == Transform.KIND and arrival.message.device_name == TIP:
                x_mm = Transform.from_bytes(arrival.message.content).elements[9]
                heard[round(abs(x_mm))] = came_s, stamp_ns  # ours has turned it into RAS
    return heard


# --- pyigtl ---------------------------------------------------------------------------------------------------


def _serve_pyigtl(rate_hz: int, count: int) -> None:
    import pyigtl  # noqa: PLC0415 - only this peer's process needs it

    server = pyigtl.OpenIGTLinkServer(port=0, local_server=True)
    _say(server.server_address[1])
    while not server.is_connected():
        time.sleep(0.01)
    time.sleep(SETTLING_S)
    sent_s, due_s, matrix = [], monotonic(), np.eye(4)
    for number in range(count):
        matrix[0, 3] = number
        sent_s.append(monotonic())
        server.send_message(pyigtl.TransformMessage(matrix.copy(), device_name=TIP), wait=False)
        due_s += 1 / rate_hz
        time.sleep(max(0.0, due_s - monotonic()))
    time.sleep(SETTLING_S)
    _say(sent_s)


def _listen_pyigtl(port: int, count: int) -> None:
    import pyigtl  # noqa: PLC0415 - only this peer's process needs it

    client = pyigtl.OpenIGTLinkClient("127.0.0.1", port)
    heard: dict[int, tuple[float, None]] = {}
    while count - 1 not in heard:
        message = client.wait_for_message(TIP, timeout=GIVE_UP_S)
        if message is None:
            break
        heard[round(message.matrix[0, 3])] = monotonic(), None
    _say([heard])


# --- the floor ------------------------------------------------------------------------------------------------


def _serve_floor(rate_hz: int, count: int, clients: int) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=clients) as server:
        _say(server.getsockname()[1])
        links = [server.accept()[0] for _ in range(clients)]
    for link in links:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    time.sleep(SETTLING_S)
    sent_s, due_s = [], monotonic()
    for number in range(count):
        raw = FLOOR.pack(number)
        sent_s.append(monotonic())
        for link in links:
            link.sendall(raw)
        due_s += 1 / rate_hz
        time.sleep(max(0.0, due_s - monotonic()))
    time.sleep(SETTLING_S)
    for link in links:
        link.close()
    _say(sent_s)


def _heard_of_floor(came: Came) -> Heard:
    """Give when each number was here whole."""
    heard, kept = Heard(), b""
    for came_s, stamp_ns, data in came:
        kept += data
        while len(kept) >= FLOOR.size:
            heard[FLOOR.unpack_from(kept)[0]] = came_s, stamp_ns
            kept = kept[FLOOR.size :]
    return heard


# --- all ------------------------------------------------------------------------------------------------------


def _start(role: str, *arguments: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.igtl", role, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves


def _told(process: "subprocess.Popen[str]") -> object:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe; for the type checker
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a process of the benchmark ended before its time: see above")
    return json.loads(line)


def measure(peer: str, rate_hz: int, count: int, clients: int) -> Latencies:
    """Send ``count`` poses at a rate, from one process to the clients in another."""
    if peer == "pyigtl":
        ms, _ = _latencies(("serve-pyigtl", rate_hz, count), ("listen-pyigtl", count))
        _, arrived_ms = _latencies(("serve-pyigtl", rate_hz, count), ("listen-radionav", clients))
    else:
        ms, arrived_ms = _latencies((f"serve-{peer}", rate_hz, count, clients), (f"listen-{peer}", clients))
    return Latencies(peer=peer, rate_hz=rate_hz, clients=clients, sent=count, ms=ms, arrived_ms=arrived_ms)


def _latencies(server: tuple[str, *tuple[int, ...]], listener: tuple[str, int]) -> tuple[list[float], list[float]]:
    """Run two roles of this file, the server's port handed on; give latencies as heard and as arrived, ms."""
    processes = [_start(*server)]
    try:
        port = int(str(_told(processes[0])))
        processes.append(_start(listener[0], port, listener[1]))
        sent_s, heard = _told(processes[0]), _told(processes[1])
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    if not (isinstance(sent_s, list) and isinstance(heard, list)):
        raise TypeError("the processes of the benchmark do not speak its language")
    moments = [(sent_s[int(number)], *both_s) for one in heard for number, both_s in one.items()]
    return (
        [1000 * (came_s - from_s) for from_s, came_s, _ in moments],
        [1000 * (arrived_s - from_s) for from_s, _, arrived_s in moments if arrived_s is not None],
    )


def run(seconds: float, say: Callable[[object], None] = _say) -> None:
    """Measure everything, and say each line."""
    with kept_awake() as is_awake:
        summary: dict[str, object] = {"processors": _processors(is_awake=is_awake)}
    for rate_hz in RATES_HZ:
        suffix = "" if rate_hz == RATES_HZ[0] else f"_{rate_hz}"
        for peer, clients, prefix, shall_be_awake in PAIRS:
            with kept_awake() if shall_be_awake else nullcontext(enter_result=False) as is_awake:
                found = measure(peer, rate_hz, max(2, round(seconds * rate_hz)), clients)
            say(found.line(is_awake=is_awake))
            if prefix is not None:
                summary |= {f"{prefix}{key}{suffix}": value for key, value in found.figures().items()}
    say(summary)


ROLES: Mapping[str, Callable[..., None]] = {
    "serve-radionav": lambda rate_hz, count, clients: asyncio.run(_serve(rate_hz, count, clients)),
    "listen-radionav": lambda port, clients: _listen(port, clients, _heard),
    "serve-pyigtl": _serve_pyigtl,
    "listen-pyigtl": _listen_pyigtl,
    "serve-floor": _serve_floor,
    "listen-floor": lambda port, clients: _listen(port, clients, _heard_of_floor),
}
"""What this file does as a process of its own."""


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in ROLES:
        log_to_stderr()
        ROLES[sys.argv[1]](*map(int, sys.argv[2:]))
    else:
        parser = argparse.ArgumentParser(description="How late a pose is by OpenIGTLink, beside pyigtl.")
        parser.add_argument("--seconds", type=float, default=10.0, help="length of each run")
        run(parser.parse_args().seconds)

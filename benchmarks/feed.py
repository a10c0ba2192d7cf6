"""How old a count is when a display has it: from its first byte on the serial port to the frame in the client.

The whole service runs, as ``radionav --simulate`` does: a probe on a real pseudo-terminal, tracker, posterior,
page, storage node. The simulated devices are in a process of their own, and displays are WebSocket clients in
another on the same clock; of each reading the first frame that carries it counts. Then the same while a study of
2,000 slices comes in over DICOM, sent by DCMTK's ``dcmsend``. The limit is a bare ``websockets`` broadcast of as
many bytes to the same displays, from the call to the client, while the room runs beside it as before.

    python -m benchmarks.feed --seconds 20

Prints a JSON line for each number of displays, and last one with ``p99_ms_1``, ``p99_ms_20``, ``p99_ms_20_ingest``
and ``ratio_bare``, which is the service's 99th percentile over that of the bare broadcast, both at 20 displays.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from websockets.asyncio.server import broadcast, serve
from websockets.typing import Subprotocol

from benchmarks.peers.onlookers import Seen, watch
from benchmarks.studies import write_study
from display.messages.feed import SUBPROTOCOL, Next

PROBE = "gamma"
"""The probe in hand of config/simulated.toml."""

START_TIME_S = 60.0
SETTLING_S = 3.0
FRAME_INTERVAL_S = 0.05
DISPLAYS = (1, 20, 50)


class _Device(Struct):
    name: str
    age_s: float | None


class _Head(Struct):
    type: str
    seq: int = -1


class _Message(Struct):
    server_monotonic_s: float = 0.0
    devices: tuple[_Device, ...] = ()


_decode_head = msgspec.json.Decoder(_Head).decode
_decode = msgspec.json.Decoder(_Message).decode


@dataclass(frozen=True, slots=True)
class Ages:
    """Ages of readings on their displays, s, and the size of a frame."""

    ages_s: Sequence[float]
    frame_bytes: int

    def line(self, **named: object) -> dict[str, object]:
        """Sum them up."""
        return named | {
            "median_ms": round(1000 * statistics.median(self.ages_s), 2),
            "p99_ms": round(self.p99_ms, 2),
            "frames": len(self.ages_s),
            "frame_bytes": self.frame_bytes,
        }

    @property
    def p99_ms(self) -> float:
        """Age that one reading in a hundred exceeds."""
        return 1000 * float(np.percentile(self.ages_s, 99))


# --- displays -------------------------------------------------------------------------------------------------


def _say_drawn(content: bytes) -> bytes | None:
    """Ask for the next as soon as a frame is drawn."""
    message = _decode_head(content)
    return msgspec.json.encode(Next(last_seq=message.seq)) if message.type in {"hello", "state"} else None


def _say_nothing(_: bytes) -> None:
    pass


def _ages_of_readings(seen: Sequence[Seen], begin_s: float) -> Ages:
    """Give the age of each reading when a display first had it."""
    ages: list[float] = []
    newest_s, size = 0.0, 0
    for at_s, content in seen:
        message = _decode(content)
        age_s = next((one.age_s for one in message.devices if one.name == PROBE), None)
        if age_s is not None:
            measured_s = message.server_monotonic_s - age_s
            if measured_s > newest_s + 1e-4 and newest_s and at_s >= begin_s:
                ages.append(at_s - measured_s)
            newest_s, size = max(newest_s, measured_s), len(content)
    return Ages(ages, size)


def _ages_of_calls(seen: Sequence[Seen], begin_s: float) -> Ages:
    """Give the time from each call that broadcast to a display."""
    return Ages([at_s - float(content[:24]) for at_s, content in seen if at_s >= begin_s], len(seen[-1][1]))


def look(url: str, displays: int, *, seconds: float, is_bare: bool = False) -> Ages:
    """Look with so many displays at once."""
    answer, ages_of = (_say_nothing, _ages_of_calls) if is_bare else (_say_drawn, _ages_of_readings)
    begin_s = time.monotonic() + SETTLING_S
    seen = asyncio.run(watch(url, displays, answer, subprotocol=SUBPROTOCOL, seconds=SETTLING_S + seconds))
    found = [ages_of(each, begin_s) for each in seen]
    return Ages([age_s for one in found for age_s in one.ages_s], found[0].frame_bytes)


# --- who shows them -------------------------------------------------------------------------------------------


def _said(log: Path, pattern: str) -> str:
    """Wait until a pattern is written in a log."""
    until_s = time.monotonic() + START_TIME_S
    while time.monotonic() < until_s:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"{pattern!r} was not said, but:\n{log.read_text()}")


@dataclass(frozen=True, slots=True)
class _Running:
    """A process of ours: the file that what it says goes to, and what it listens to."""

    log: Path
    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        print(line, file=self.process.stdin, flush=True)


@contextmanager
def _running(folder: Path, *arguments: str) -> Iterator[_Running]:
    """Run one of our modules in a folder."""
    log = folder / f"{'-'.join(arguments[:2])}.log"
    with log.open("w") as said:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            text=True,
        )
    with process:
        try:
            yield _Running(log, process)
        finally:
            process.terminate()
            process.wait(START_TIME_S)


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, int]]:
    """Run devices and service on free ports; gives its feed's address and its node's port."""
    theatre = "benchmarks.peers.theatre"
    with _running(folder, theatre, "devices", str(folder)) as devices:
        _said(devices.log, "(ready)")
        with _running(folder, theatre, "room", str(folder)) as room:
            address = _said(room.log, r"the display is at http://(\S+)/")
            port = int(_said(room.log, r"the DICOM node listens at \S+:(\d+)"))
            devices.tell(str(port))
            yield f"ws://{address}/v1/feed", port


async def _broadcast(size: int) -> None:
    """Serve a bare broadcast of ``size`` bytes each frame for ever; says its port first."""
    async with serve(
        lambda connection: connection.wait_closed(),
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        while True:
            broadcast(server.connections, f"{time.monotonic():<24.9f}".ljust(size))
            await asyncio.sleep(FRAME_INTERVAL_S)


@contextmanager
def bare(size: int, folder: Path) -> Iterator[str]:
    """Run the bare broadcast in a process of its own; gives its address."""
    with _running(folder, "benchmarks.feed", "--broadcast", str(size)) as broadcasting:
        yield "ws://127.0.0.1:" + _said(broadcasting.log, r"^(\d+)\n")


@contextmanager
def sending(study: Path, port: int) -> Iterator[None]:
    """Send a study over and over, as long as the block takes."""
    script = 'while :; do dcmsend -q -aec RADIONAV 127.0.0.1 "$1" --scan-directories "$2" || exit 1; done'
    process = subprocess.Popen(  # noqa: S603 - a known command
        ["/bin/sh", "-c", script, "sh", str(port), str(study)],
        env=os.environ | {"TCP_NODELAY": "1"},
        process_group=0,
    )
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"dcmsend ended with {process.returncode}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()


# --- measuring ------------------------------------------------------------------------------------------------


def measure(folder: Path, *, seconds: float, slices: int) -> dict[str, float]:
    """Measure and print a line for each case; gives the last one."""
    is_sent = bool(slices) and shutil.which("dcmsend") is not None
    if is_sent:
        write_study(folder / "study", slices=slices, rng=np.random.default_rng(1))
    found: dict[tuple[int, bool], Ages] = {}
    limit: dict[int, Ages] = {}
    with service(folder) as (url, port):
        look(url, 1, seconds=10)  # until the study of the simulation is in
        for displays in DISPLAYS:
            found[displays, False] = look(url, displays, seconds=seconds)
            print(json.dumps(found[displays, False].line(displays=displays, ingest=False)), flush=True)
        with bare(found[20, False].frame_bytes, folder) as bare_url:
            for displays in DISPLAYS:
                limit[displays] = look(bare_url, displays, seconds=seconds, is_bare=True)
                print(json.dumps(limit[displays].line(displays=displays, bare=True)), flush=True)
        for displays in DISPLAYS if is_sent else ():
            with sending(folder / "study", port):
                found[displays, True] = look(url, displays, seconds=seconds)
            print(json.dumps(found[displays, True].line(displays=displays, ingest=True)), flush=True)
    last = {
        "p99_ms_1": round(found[1, False].p99_ms, 2),
        "p99_ms_20": round(found[20, False].p99_ms, 2),
        "ratio_bare": round(found[20, False].p99_ms / limit[20].p99_ms, 2),
    }
    return last | ({"p99_ms_20_ingest": round(found[20, True].p99_ms, 2)} if is_sent else {})


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--slices", type=int, default=2000, help="of the study that comes in; 0 for none")
    parser.add_argument("--folder", type=Path, default=None, help="where the study is sent from, and kept")
    parser.add_argument("--broadcast", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.broadcast:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_broadcast(chosen.broadcast))
        return
    if chosen.slices and not shutil.which("dcmsend"):
        print(json.dumps({"note": "dcmsend is not installed (apt install dcmtk): without a study coming in"}))
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        print(json.dumps(measure(Path(folder), seconds=chosen.seconds, slices=chosen.slices)))


if __name__ == "__main__":
    main()

"""How soon a probe's bytes are a reading, and how many readings a second a driver takes, beside a raw line reader.

Every driver that is found talks with its simulated instrument over a pty in this process. A message is written;
the time from the return of the write that held its last byte to the reading is its latency, and the next one is
written as soon as the reading is there. So readings a second are what driver, link and event loop take, one
message at a time, the simulated instrument included. The instruments' own pace does not matter: the clock that
stamps the bytes jumps from message to message, and those that are asked are asked without a pause.

The limit is pyserial-asyncio-fast's stream reader on such a pty, reading lines as MightyOhm's: it splits them and
does nothing else. Drivers and limit take turns, so that what else the machine does falls on all.

    python -m benchmarks.probes --messages 200 --rounds 5

Prints a JSON line for each driver: median and 99th percentile of the latency in microseconds over all rounds, and
readings a second by the median time from reading to reading. A last line has the limit's (``limit_…``) and those
of the slowest driver that waits for no pause (``slowest_…``). A GMC's bursts end with a pause of 0.1 s, which is
part of their latency.
"""

import argparse
import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

import numpy as np
import serial_asyncio_fast

from devices.clock import monotonic
from devices.probes import sheet_dialogue
from devices.readings import CountReading
from devices.stderr_log import log_to_stderr
from simulators.ports import Instrument
from simulators.probes.counting import Counter
from tests.devices.probes.benches import BENCHES, PORT, SHEETS, Bench

RATE_CPS: Final = 2000.0
STEP_S: Final = 0.05
SILENT_S: Final = 10.0
"""Instrument seconds without a word, after which it is one that must be asked."""
PATIENCE_S: Final = 30.0
PAUSE_US: Final = 50_000.0
"""A latency above this holds a pause that ends the message."""
FEW: Final = 20
LIMIT: Final = "pyserial-asyncio-fast, raw lines"
LINE: Final = b"CPS, 2000, CPM, 120000, uSv/hr, 684.00, INST\r\n"


def benches() -> Mapping[str, Bench]:
    """Give every driver with its instrument, and once more one that a sheet makes, beside the coded one."""
    sheet = sheet_dialogue.Settings(driver="sheet", port=PORT, sheet=SHEETS / "mightyohm.toml", silence_s=1.8)
    return {**BENCHES, "sheet of mightyohm": replace(BENCHES["mightyohm"], settings=sheet)}


@dataclass(kw_only=True)
class Latencies:
    """What was measured of one driver.

    Attributes
    ----------
    driver
        Its name.
    us
        From the last byte to the reading, microseconds, each.
    cycles_s
        From reading to reading, s, each: the next message's writing is in it.
    frame_bytes
        Bytes of the last message.

    """

    driver: str
    us: list[float] = field(default_factory=list)
    cycles_s: list[float] = field(default_factory=list)
    frame_bytes: int = 0

    def take(self, before_s: float, sent_at_s: float) -> float:
        """Note a reading that is there now, after the one at ``before_s``; give when."""
        now_s = perf_counter()
        self.us.append(1e6 * (now_s - sent_at_s))
        self.cycles_s.append(now_s - before_s)
        return now_s

    def line(self) -> dict[str, object]:
        """Sum them up."""
        median_us, p99_us = np.percentile(self.us, (50, 99)).tolist()
        return {
            "driver": self.driver,
            "frame_bytes": self.frame_bytes,
            "readings": len(self.us),
            "median_us": round(median_us, 1),
            "p99_us": round(p99_us, 1),
            "readings_per_s": round(1 / float(np.median(self.cycles_s)), 1),
        }


class Wire:
    """A pty with an instrument at its other end, whose clock can be put forward."""

    def __init__(self) -> None:
        self.ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self.ours, False)
        self.path = os.ttyname(self._theirs)
        self.ahead_s = 0.0
        self.sent_at_s = 0.0
        self.sent_bytes = 0

    def clock(self) -> float:
        """Give the time that driver and instrument share, s."""
        return monotonic() + self.ahead_s

    def write(self, said: bytes) -> None:
        """Send a message and note when its last byte was on the wire."""
        if said:
            os.write(self.ours, said)
            self.sent_at_s, self.sent_bytes = perf_counter(), len(said)

    def close(self) -> None:
        """Let the pty go."""
        os.close(self.ours)
        os.close(self._theirs)


class Talker:
    """An instrument on a wire: it answers at once, and speaks when it is told that its time has come."""

    def __init__(self, wire: Wire, instrument: Instrument) -> None:
        self._wire = wire
        self._instrument = instrument
        self.ticking: asyncio.Task[None] | None = None

    async def rest(self) -> None:
        """Speak no longer at its own pace."""
        if self.ticking is not None:
            self.ticking.cancel()
            await asyncio.gather(self.ticking, return_exceptions=True)

    def answer(self) -> None:
        """Answer what the driver has sent."""
        self._wire.write(self._instrument.receive(os.read(self._wire.ours, 65536), self._wire.clock()))

    def tick(self) -> bool:
        """Let it speak unasked; say whether it did."""
        said = self._instrument.tick(self._wire.clock())
        self._wire.write(said)
        return bool(said)

    def push(self) -> bool:
        """Put the clock forward until it speaks; say whether it does."""
        for _ in range(round(SILENT_S / STEP_S)):
            self._wire.ahead_s += STEP_S
            if self.tick():
                return True
        return False

    async def tick_on(self) -> None:
        """Let it speak at its own pace, for ever."""
        while True:
            self.tick()
            await asyncio.sleep(0.005)


def _unhurried(bench: Bench, path: str) -> Bench:
    """Give a bench on another port, that is asked without a pause where it is asked."""
    changes: dict[str, object] = {"port": path}
    if "interval_s" in type(bench.settings).model_fields:
        changes["interval_s"] = 1e-4
    return replace(bench, settings=bench.settings.model_copy(update=changes))


@asynccontextmanager
async def _talking(bench: Bench) -> AsyncIterator[tuple[Wire, Talker, AsyncIterator[CountReading]]]:
    """Open a driver on its instrument."""
    wire = Wire()
    loop = asyncio.get_running_loop()
    counter = Counter(
        events=lambda start_s, end_s: round(RATE_CPS * (end_s - start_s)),
        powered_at_s=wire.clock(),
        rng=np.random.default_rng(1),
        dead_time_s=0.0,
    )
    talker = Talker(wire, bench.instrument(counter))
    loop.add_reader(wire.ours, talker.answer)
    talker.ticking = asyncio.create_task(talker.tick_on())
    try:
        settings = _unhurried(bench, wire.path).settings
        async with settings.connect("gamma", clock=wire.clock) as probe:  # type: ignore[attr-defined]
            readings = aiter(probe)
            await anext(readings)
            await talker.rest()
            yield wire, talker, readings
    finally:
        await talker.rest()
        loop.remove_reader(wire.ours)
        wire.close()


async def measure(name: str, bench: Bench, messages: int, into: Latencies) -> None:
    """Measure messages of one driver."""
    async with asyncio.timeout(PATIENCE_S + messages), _talking(bench) as (wire, talker, readings):
        is_pushing = talker.push()
        if is_pushing:
            await anext(readings)
        else:  # what is asked may count in its own time
            talker.ticking = asyncio.create_task(talker.tick_on())
            for _ in range(FEW):  # what it counted while the clock was put forward comes at once
                since_s = perf_counter()
                await anext(readings)
                if perf_counter() - since_s > PAUSE_US / 1e6:
                    break
        before_s = perf_counter()
        for _ in range(messages):
            if is_pushing and not talker.push():
                raise RuntimeError(f"{name}: the simulated instrument fell silent")
            await anext(readings)
            before_s = into.take(before_s, wire.sent_at_s)
        into.frame_bytes = wire.sent_bytes


async def measure_limit(messages: int, into: Latencies) -> None:
    """Measure lines through pyserial-asyncio-fast's stream reader."""
    wire = Wire()
    try:
        reader, writer = await serial_asyncio_fast.open_serial_connection(url=wire.path, baudrate=9600)
        before_s = perf_counter()
        for _ in range(messages):
            wire.write(LINE)
            await reader.readline()
            before_s = into.take(before_s, wire.sent_at_s)
        into.frame_bytes = len(LINE)
        writer.close()
        await writer.wait_closed()  # it closes the port in a thread
    finally:
        wire.close()


def run(
    messages: int,
    rounds: int,
    *,
    chosen: Sequence[str] = (),
    say: Callable[[object], None] = lambda content: print(json.dumps(content), flush=True),
) -> None:
    """Measure drivers and limit in turn, and say each line; ``chosen`` names drivers, else all."""
    found = {name: bench for name, bench in benches().items() if not chosen or name in chosen}
    latencies = {name: Latencies(driver=name) for name in (LIMIT, *found)}
    for _ in range(rounds):
        asyncio.run(measure_limit(messages, latencies[LIMIT]))
        for name, bench in found.items():
            # of those that pause by themselves, such as a GMC, a few messages say as much
            asyncio.run(measure(name, bench, min(messages, FEW), latencies[name]))
            if np.median(latencies[name].cycles_s) < PAUSE_US / 1e6 and messages > FEW:
                asyncio.run(measure(name, bench, messages - FEW, latencies[name]))
    lines = [one.line() for one in latencies.values()]
    for line in lines:
        say(line)
    limit, *others = lines
    quick = [line for line in others if float(str(line["median_us"])) < PAUSE_US]
    slowest = max(quick, key=lambda line: float(str(line["median_us"])), default=limit)
    say(
        {
            "limit_median_us": limit["median_us"],
            "limit_p99_us": limit["p99_us"],
            "limit_readings_per_s": limit["readings_per_s"],
            "slowest": slowest["driver"],
            "slowest_median_us": slowest["median_us"],
            "slowest_p99_us": slowest["p99_us"],
        }
    )


if __name__ == "__main__":
    log_to_stderr()
    parser = argparse.ArgumentParser(description="From a probe's last byte to its reading, for every driver.")
    parser.add_argument("--messages", type=int, default=200, help="messages of each driver in a round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    run(asked.messages, asked.rounds)

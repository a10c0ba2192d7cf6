"""What every driver must stand, for the one that holds no dialogue: its waiting done in no time."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import DeviceError
from devices.probes.amptek import Amptek, Settings
from devices.readings import CountReading, CountStatus
from simulators.faults import (
    Fault,
    babbling,
    corrupting,
    delayed,
    dropping,
    duplicating,
    intact,
    losing,
    truncating,
)
from simulators.probes.amptek import SimulatedAmptek
from tests.devices.probes.talk import chunked
from tests.devices.probes.virtual_time import STARTED_S, VirtualWire, run_at_once

SETTINGS = Settings(
    driver="amptek", port="/dev/ttyUSB0", window_kev=(126, 154), energy_kev_per_channel=1.0, interval_s=0.1
)
RATE_CPS = 200.0
RECOVERY_S = 2.0
DAY_S = 24 * 3600.0
FAULTS: dict[str, Callable[[np.random.Generator], Fault]] = {
    "loss": lambda rng: dropping(0.0005, rng),
    "flip": lambda rng: corrupting(0.0005, rng),
    "double": lambda rng: duplicating(0.2, rng),
    "truncation": lambda rng: truncating(0.2, rng),
    "banner": lambda rng: babbling(0.2, rng),
    "silence": lambda _: losing(True for _ in count()),
    "messages": lambda rng: losing(bool(rng.random() < 0.3) for _ in count()),
}


class Open:
    """A driver on its wire, and all that the instrument counted since it was switched on."""

    def __init__(self, interval_s: float) -> None:
        self.counted: list[tuple[float, int]] = []
        rng = np.random.default_rng(5)

        def events(start_s: float, end_s: float) -> int:
            number = int(rng.poisson(RATE_CPS * (end_s - start_s)))
            self.counted.append((end_s, number))
            return number

        # switched on a minute before anybody asks
        instrument = SimulatedAmptek(events, powered_at_s=STARTED_S - 60, rng=rng, dead_time_s=0.0)
        self.wire = VirtualWire(instrument)
        self.probe = Amptek("gamma", self.wire, SETTINGS.model_copy(update={"interval_s": interval_s}))
        self.readings: list[CountReading] = []

    async def run(self, for_s: float) -> list[CountReading]:
        """Let time pass; give the readings made in it."""
        before = len(self.readings)
        try:
            async with asyncio.timeout(for_s):
                async for reading in self.probe:
                    self.readings.append(reading)
        except TimeoutError:
            return self.readings[before:]
        raise AssertionError("its readings ended")

    def judge(self) -> None:
        """Insist that the readings hold what was counted from their begin to their end, each once."""
        begun_s = self.readings[0].taken_at_s
        ended_s = self.readings[-1].taken_at_s + self.readings[-1].real_time_s
        # its clock tells whole milliseconds, and answers take one or two
        counted = sum(number for end_s, number in self.counted if begun_s + 0.01 < end_s < ended_s + 0.01)
        assert sum(reading.counts for reading in self.readings) == counted


def opened(course: Callable[[Open], Awaitable[None]], *, before: bytes = b"", interval_s: float = 0.1) -> None:
    """Open the driver, ``before`` still coming from the last session, and go through a course."""

    async def go() -> None:
        running = Open(interval_s)
        running.wire.carry(before)
        await running.probe.start()
        await course(running)

    run_at_once(go())


@pytest.mark.parametrize("name", ["whole", "chunks", "delay"])
def test_chunks_and_delay_make_no_difference(name: str) -> None:
    """However the bytes are cut, and however late they come, every count is read once."""
    fault = {"whole": intact, "chunks": chunked(np.random.default_rng(1)), "delay": delayed(0.03)}[name]

    async def course(running: Open) -> None:
        running.wire.fault = fault
        await running.run(20.0)
        running.judge()
        assert len(running.readings) > 100
        assert running.probe.rejected == 0

    opened(course)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_wire_invents_nothing_and_is_got_over(fault: str) -> None:
    """Whatever the wire does for a minute, every count is read once, and readings come again within 2 s."""

    async def course(running: Open) -> None:
        await running.run(5.0)
        running.wire.fault = FAULTS[fault](np.random.default_rng(7))
        meanwhile = await running.run(60.0)
        assert len(meanwhile) > 60 or fault == "silence"  # what is lost is asked for again at once
        running.wire.fault = intact
        assert await running.run(RECOVERY_S), f"not recovered within {RECOVERY_S} s"
        await running.run(10.0)
        running.judge()
        assert (running.probe.rejected > 0) == (fault in {"loss", "flip", "truncation", "banner"})
        assert running.probe.traffic.timeouts > 0 or fault in {"double", "banner"}

    opened(course)


def test_a_start_in_mid_stream_costs_nothing() -> None:
    """Whatever of the last session still comes, cut anywhere, only what is counted from now on is read."""
    last = b""

    async def overhear(running: Open) -> None:
        nonlocal last

        def keep(said: bytes) -> list[tuple[float, bytes]]:
            nonlocal last
            last = said
            return [(0.0, said)]

        running.wire.fault = keep
        await running.run(3.0)

    async def course(running: Open) -> None:
        await running.run(5.0)
        running.judge()
        assert running.readings[0].taken_at_s >= STARTED_S

    opened(overhear)
    assert len(last) > 500
    for cut in np.random.default_rng(3).integers(0, len(last), 5):
        opened(course, before=last[cut:])


@settings(max_examples=25)
@given(chunks=st.lists(st.binary(min_size=1, max_size=80), max_size=15))
def test_any_bytes_are_taken(chunks: list[bytes]) -> None:
    """Whatever comes, the driver raises nothing but a device's error."""

    async def course(running: Open) -> None:
        for chunk in chunks:
            running.wire.carry(chunk)
            try:
                await running.run(0.5)
            except DeviceError:
                return

    opened(course)


def test_a_day_without_a_slip() -> None:
    """24 h on the instrument's clock, cleared before a channel is full: no count is lost, none read twice."""

    async def course(running: Open) -> None:
        readings = await running.run(DAY_S)
        running.judge()
        assert sum(reading.real_time_s for reading in readings) == pytest.approx(DAY_S, rel=0.001)
        assert {reading.status for reading in readings[1:]} == {CountStatus.OK}
        assert running.probe.rejected == 0
        assert running.probe.traffic.timeouts == 0

    opened(course, interval_s=5.0)

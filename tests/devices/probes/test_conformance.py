"""What every driver must stand: any wire, and no reading of its own invention.

Dialogues are held over a wire that exists in numbers only, on a clock of its own: a day takes seconds. The driver
that holds no dialogue, and every driver's cable, are tried on real ports.
"""

import asyncio
import tracemalloc
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.clock import monotonic
from devices.errors import DeviceError
from devices.readings import CountReading, CountStatus, DeviceHealth, LinkState
from devices.supervision import Supervisor
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
from simulators.ports import open_pty_port, open_tcp_port
from simulators.probes.counting import Counter
from tests.devices.probes.benches import BENCHES, Bench, Kind, driver_of, found_drivers
from tests.devices.probes.talk import Given, Talk, chunked, counter

RECOVERY_S = 2.0
RATE_CPS = 200.0
TALKING = [name for name in BENCHES if name != "amptek"]
ASKED_SLOWLY = {"radpro": 5.0, "lb134": 0.9, "ludlum3030": 4.0}
"""Where a day of questions at their usual pace would take long."""
HOLDING_ALL = {"radpro", "ludlum3030"}
"""Whose messages each hold all counts, or their sum, so that one that is refused takes none with it."""
FAULTS: dict[str, Callable[[np.random.Generator], Fault]] = {
    "loss": lambda rng: dropping(0.02, rng),
    "flip": lambda rng: corrupting(0.01, rng),
    "double": lambda rng: duplicating(0.2, rng),
    "truncation": lambda rng: truncating(0.2, rng),
    "banner": lambda rng: babbling(0.2, rng),
    "silence": lambda _: losing(True for _ in count()),
    "messages": lambda rng: losing(bool(rng.random() < 0.3) for _ in count()),
}


class Truth:
    """Events given to an instrument, and how many there were."""

    def __init__(self, kind: Kind) -> None:
        self.given = Given(least=100)
        self.total = 0
        self._kind = kind
        self._rng = np.random.default_rng(5)

    def __call__(self, start_s: float, end_s: float) -> int:
        """Give numbers that are all different where readings hold them as they are, else a steady rate."""
        if self._kind is Kind.EACH:
            return self.given(start_s, end_s)
        number = int(self._rng.poisson(RATE_CPS * (end_s - start_s)))
        self.total += number
        return number

    def judge(self, readings: list[CountReading]) -> None:
        """Insist that readings hold what was given, each once, in order."""
        if self._kind is Kind.EACH:
            places = iter(self.given.numbers)
            assert all(reading.counts in places for reading in readings), (
                "a reading that the instrument never sent"
            )
        elif self._kind is Kind.SUM:
            assert sum(reading.counts for reading in readings) <= self.total
        elif sum(reading.live_time_s for reading in readings) > 20:
            counts = sum(reading.counts for reading in readings)
            live_time_s = sum(reading.live_time_s for reading in readings)
            # a mean of 2 s that is undone without gaps is as good as its counts
            assert counts / live_time_s == pytest.approx(RATE_CPS, rel=0.1)


def talk(bench: Bench, truth: Truth, **changes: Any) -> Talk:
    """Begin a talk of a driver with its instrument."""
    return Talk(bench.dialogue(), bench.instrument(counter(truth)), **changes)


def test_every_driver_has_its_bench() -> None:
    """A driver without a bench here is a driver that nobody has tried."""
    assert {driver_of(type(bench.settings)) for bench in BENCHES.values()} == found_drivers()


@pytest.mark.parametrize("name", TALKING)
def test_chunks_and_delay_make_no_difference(name: str) -> None:
    """However the bytes are cut, and however late they come, the same counts are read."""
    bench = BENCHES[name]
    counts = []
    for fault in (intact, chunked(np.random.default_rng(1)), delayed(0.03)):
        truth = Truth(bench.kind)
        running = talk(bench, truth, fault=fault)
        readings = running.run(40.0)
        truth.judge(readings)
        assert running.dialogue.rejected == 0
        assert len(readings) > 30 / max(bench.period_s, 0.2)
        counts.append([reading.counts for reading in readings])
    shortest = min(map(len, counts)) - 1
    if bench.kind is Kind.EACH:
        assert counts[0][:shortest] == counts[1][:shortest] == counts[2][:shortest]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", TALKING)
def test_a_bad_wire_invents_nothing_and_is_got_over(name: str, fault: str) -> None:
    """While the wire is bad readings are true ones or none, as far as the protocol can tell; then all is well."""
    bench, truth = BENCHES[name], Truth(BENCHES[name].kind)
    running = talk(bench, truth)
    running.run(5.0)
    running.fault = FAULTS[fault](np.random.default_rng(7))
    readings = running.run(60.0)
    if fault in bench.finds | {"truncation", "banner", "silence", "messages"}:
        truth.judge(readings)
    else:  # as the instrument's page says: no checksum
        assert len(readings) <= 60.0 / bench.period_s * 1.25
    if fault in bench.finds - {"double"} | {"truncation", "banner"}:
        assert running.dialogue.rejected > 0
    running.fault = intact
    after = running.run(RECOVERY_S + bench.period_s)
    assert after, f"not recovered within {RECOVERY_S} s"
    running.run(30.0)
    clean = running.readings[-int(20 / max(bench.period_s, 0.2)) :]
    truth.judge(clean)


@pytest.mark.parametrize("name", TALKING)
def test_the_reading_behind_a_refused_message_says_so(name: str) -> None:
    """Whatever is refused, the next reading is ``resynced``, and none behind it, but for a sum of all counts."""
    bench = BENCHES[name]
    running = talk(bench, Truth(bench.kind))
    running.run(8.0)
    expected = CountStatus.OK if name in HOLDING_ALL else CountStatus.RESYNCED
    for seed in range(3):
        rejected = running.dialogue.rejected
        running.fault = truncating(0.5, np.random.default_rng(seed))
        while running.dialogue.rejected == rejected:
            made = running.run(running.tick_s)  # of what came in the moment in which it was refused
        running.fault = intact
        first, *later = made + running.run(5.0 + 3 * bench.period_s)
        assert first.status is expected
        assert {reading.status for reading in later} == {CountStatus.OK}


@pytest.mark.parametrize("name", TALKING)
def test_a_start_in_mid_stream_costs_one_message(name: str) -> None:
    """Whatever of the last session still comes, cut anywhere, the first reading is a true one."""
    for seed in range(5):
        bench, truth = BENCHES[name], Truth(BENCHES[name].kind)
        instrument = bench.instrument(counter(truth))
        earlier = Talk(bench.dialogue(), instrument)
        earlier.run(8.0)
        # nobody took leave: it may still be sending, and the first that comes is the end of something
        running = Talk(bench.dialogue(), instrument, now_s=earlier.now_s)
        cut = np.random.default_rng(seed)
        is_first = [True]

        def tail(said: bytes, cut: np.random.Generator = cut, is_first: list[bool] = is_first) -> Any:
            kept = said[cut.integers(0, len(said)) :] if is_first[0] else said
            is_first[0] = False
            return [(0.0, kept)]

        running.fault = tail
        assert running.run(4.0 + 3 * bench.period_s)
        truth.judge(running.readings)


@pytest.mark.parametrize("name", TALKING)
def test_what_goes_over_the_link_is_counted(name: str) -> None:
    """Every byte, every frame, every gap that a reading follows, and every answer that did not come."""
    bench = BENCHES[name]
    running = talk(bench, Truth(bench.kind))
    running.run(20.0)
    clean = running.dialogue.traffic
    assert clean.received_bytes == running.arrived_bytes > 50
    assert clean.frames >= len(running.readings)
    assert clean.timeouts == 0
    running.fault = truncating(0.3, np.random.default_rng(7))
    running.run(60.0)
    running.fault = losing(True for _ in count())
    running.run(3.0)
    faulty = running.dialogue.traffic
    assert faulty.received_bytes == running.arrived_bytes
    if bench.kind is not Kind.RATE:  # a smoothed value that is kept back hands its gap on to the next
        assert faulty.resyncs == [reading.status for reading in running.readings].count(CountStatus.RESYNCED)
    if name in ASKED_SLOWLY:
        assert faulty.timeouts > 0


NOISE = {
    "no line end": b"CPS, 1",
    "ones": b"\xff" * 7,
    "nulls": b"\x00" * 7,
    "starts": b"\x02\x02",
    "digits": b"0012.3",
    "answers": b"OK ",
}


@pytest.mark.parametrize("name", TALKING)
@pytest.mark.parametrize("noise", NOISE)
def test_buffers_are_bounded(name: str, noise: str) -> None:
    """Three times what a driver may hold, and never an end, is not kept, before the opening and after it."""
    bench = BENCHES[name]
    for opened_s in (0.0, 5.0):
        running = talk(bench, Truth(bench.kind))
        running.run(opened_s)
        dialogue = running.dialogue
        piece = NOISE[noise] * (1000 // len(NOISE[noise]))
        tracemalloc.start()
        try:
            for _ in range(3 * bench.held_bytes // 1000):
                dialogue.feed(piece, running.now_s)
                dialogue.take_readings()
                dialogue.take_outgoing()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < bench.held_bytes


@pytest.mark.parametrize("name", TALKING)
@settings(max_examples=25)
@given(chunks=st.lists(st.binary(max_size=80), max_size=15))
def test_any_bytes_are_taken(name: str, chunks: list[bytes]) -> None:
    """Whatever comes, a driver raises nothing but a device's error, and a reading is never negative."""
    running = talk(BENCHES[name], Truth(BENCHES[name].kind))
    running.run(4.0)
    for place, chunk in enumerate(chunks):
        try:
            running.dialogue.feed(chunk, running.now_s + place)
            running.dialogue.wake(running.now_s + place + 0.5)
        except DeviceError:
            return
    assert all(reading.counts >= 0 for reading in running.dialogue.take_readings())


@pytest.mark.parametrize("name", TALKING)
def test_a_day_without_a_slip(name: str) -> None:
    """24 h on the instrument's clock: every count of every period, none lost, none twice, nothing rejected."""
    bench, truth = BENCHES[name], Truth(BENCHES[name].kind)
    running = talk(bench, truth, tick_s=0.5)
    if name in ASKED_SLOWLY:
        slow = bench.settings.model_copy(update={"interval_s": ASKED_SLOWLY[name]})
        running.dialogue = slow.dialogue("gamma")  # type: ignore[attr-defined]
    day_s = 24 * 3600.0
    readings = running.run(day_s)
    truth.judge(readings)
    assert sum(reading.real_time_s for reading in readings) == pytest.approx(day_s, rel=0.001)
    assert running.dialogue.rejected == 0
    if bench.kind is not Kind.EACH:
        live_time_s = sum(reading.live_time_s for reading in readings)
        assert sum(reading.counts for reading in readings) / live_time_s == pytest.approx(RATE_CPS, rel=0.01)


class Watched:
    """A supervised driver, and when its readings came."""

    def __init__(self, bench: Bench, port: str) -> None:
        self.readings: list[CountReading] = []
        self.state = LinkState.CONNECTING
        self._changed = asyncio.Event()
        self.supervisor = Supervisor(
            "gamma",
            bench.settings.model_copy(update={"port": port}),  # type: ignore[arg-type]
            on_reading=self._take,
            on_health=self._tell,
            clock=monotonic,
            jitter=lambda: 0.5,
        )

    def _take(self, reading: CountReading) -> None:
        self.readings.append(reading)
        self._changed.set()

    def _tell(self, health: DeviceHealth) -> None:
        self.state = health.state
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something published to make this true."""
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def hosted(bench: Bench, truth: Truth) -> Any:
    """Give the bench's instrument, switched on now."""
    return bench.instrument(
        Counter(events=truth, powered_at_s=monotonic(), rng=np.random.default_rng(3), dead_time_s=0)
    )


@pytest.mark.parametrize("way", ["EIO", "FIN", "RST"])
@pytest.mark.parametrize("name", BENCHES)
async def test_a_cable_out_is_lost_and_found(name: str, way: str, tmp_path: Path) -> None:
    """Pulled and put back, by any of the ways in which a wire ends, the instrument is live again by itself."""
    bench, truth = BENCHES[name], Truth(BENCHES[name].kind)
    wire = (
        open_pty_port(hosted(bench, truth), tmp_path / "probe")
        if way == "EIO"
        else open_tcp_port(hosted(bench, truth))
    )
    async with wire as port:
        watched = Watched(bench, port.url)
        running = asyncio.create_task(watched.supervisor.run())
        try:
            await watched.until(lambda: watched.state is LinkState.LIVE)
            pulling = asyncio.create_task(
                port.unplug(0.3, is_abrupt=way == "RST") if way != "EIO" else port.unplug(0.3)  # type: ignore[call-arg]
            )
            await watched.until(lambda: watched.state is LinkState.LOST)
            await pulling
            before = len(watched.readings)
            await watched.until(lambda: len(watched.readings) > before)
            truth.judge(watched.readings)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("fault", ["loss", "flip", "double", "truncation", "banner"])
async def test_the_polled_packets_stand_a_bad_wire(fault: str, tmp_path: Path) -> None:
    """The Amptek's packets on a real pty: with any of these faults its readings hold no event that was not."""
    bench, truth = BENCHES["amptek"], Truth(Kind.SUM)
    share = {"loss": 0.0002, "flip": 0.0002}.get(fault)
    rng = np.random.default_rng(7)
    made = FAULTS[fault](rng) if share is None else {"loss": dropping, "flip": corrupting}[fault](share, rng)
    is_bad = [False]

    def carry(said: bytes) -> Any:
        return made(said) if is_bad[0] else intact(said)

    async with open_pty_port(hosted(bench, truth), tmp_path / "probe", fault=carry) as port:
        watched = Watched(bench, port.url)
        running = asyncio.create_task(watched.supervisor.run())
        try:
            await watched.until(lambda: watched.state is LinkState.LIVE)
            is_bad[0] = True
            before = len(watched.readings)
            await watched.until(lambda: len(watched.readings) > before + 15)
            is_bad[0] = False
            before = len(watched.readings)
            await watched.until(lambda: len(watched.readings) > before + 3)
            truth.judge(watched.readings)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

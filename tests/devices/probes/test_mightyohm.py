"""The MightyOhm driver on a pty and behind a serial server, on wires good and bad."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from devices.clock import monotonic
from devices.errors import DeviceUnavailable
from devices.probes.conversing import Conversation
from devices.probes.mightyohm import Settings
from devices.readings import CountReading, CountStatus
from simulators.faults import Fault, corrupting, dropping, duplicating, intact, one_byte_at_a_time
from simulators.ports import Instrument, open_pty_port, open_tcp_port
from simulators.probes.mightyohm import BANNER, SimulatedMightyOhm

SPEED = 100.0


class Tape:
    """An instrument that sends prepared bytes once it is let roll, one piece each tick."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = iter(pieces)
        self.is_rolling = False

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Listen to nothing."""
        raise AssertionError(f"the driver sent {sent!r} at {now_s} to an instrument that takes no commands")

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - a tape keeps no time
        """Send the next piece."""
        return next(self._pieces, b"") if self.is_rolling else b""


def simulated(rate_cps: float = 40.0) -> SimulatedMightyOhm:
    """Give a counter that sees a steady rate."""
    rng = np.random.default_rng(1)
    return SimulatedMightyOhm(
        lambda start_s, end_s: int(rng.poisson(rate_cps * (end_s - start_s))),
        powered_at_s=monotonic(),
        rng=rng,
        speed=SPEED,
    )


@asynccontextmanager
async def connected(
    instrument: Instrument, tmp_path: Path, *, wire: str = "pty", fault: Fault = intact, dead_time_s: float = 0.0
) -> AsyncIterator[Conversation]:
    """Open the driver on an instrument."""
    hosted = (
        open_pty_port(instrument, tmp_path / "gamma", fault=fault)
        if wire == "pty"
        else open_tcp_port(instrument, fault=fault)
    )
    async with asyncio.timeout(20), hosted as port:
        settings = Settings(driver="mightyohm", port=port.url, dead_time_s=dead_time_s)
        async with settings.connect("gamma", clock=monotonic) as probe:
            if isinstance(instrument, Tape):
                instrument.is_rolling = True
            yield probe


async def take(probe: Conversation, number: int) -> list[CountReading]:
    """Give the next readings."""
    return [await anext(probe) for _ in range(number)]


@pytest.mark.parametrize("wire", ["pty", "tcp"])
@pytest.mark.parametrize("fault", [intact, one_byte_at_a_time])
async def test_readings_come_in_order_on_every_wire(wire: str, fault: Fault, tmp_path: Path) -> None:
    """Each line is one second of counts, stamped at its beginning, whatever the wire and the chunks."""
    async with connected(simulated(), tmp_path, wire=wire, fault=fault, dead_time_s=190e-6) as probe:
        readings = await take(probe, 20)
        assert probe.identity == ""
    now_s = monotonic()
    starts_s = [reading.taken_at_s for reading in readings]
    assert starts_s == sorted(starts_s)
    assert all(now_s - 5 < start_s + 1.0 < now_s for start_s in starts_s)
    assert {(reading.device, reading.real_time_s, reading.live_time_s) for reading in readings} == {
        ("gamma", 1.0, 1.0)
    }
    assert {reading.dead_time_s for reading in readings} == {190e-6}
    assert all(reading.status is CountStatus.OK for reading in readings[1:])
    assert 20 * 40 * 0.7 < sum(reading.counts for reading in readings) < 20 * 40 * 1.3


async def test_half_a_line_at_the_start_is_refused(tmp_path: Path) -> None:
    """Opened in mid-line, the tail is refused and the first whole line says that it follows a gap."""
    tape = Tape(b"PM, 18, uSv/hr, 0.10, SLOW\r\nCPS, 3, CPM, 18\r\n", b"CPS, 4, CPM, 19\r\n")
    async with connected(tape, tmp_path) as probe:
        first, second = await take(probe, 2)
        assert probe.rejected == 1
    assert (first.counts, first.status) == (3, CountStatus.RESYNCED)
    assert (second.counts, second.status) == (4, CountStatus.OK)


async def test_a_banner_in_mid_stream_is_no_count(tmp_path: Path) -> None:
    """A counter that restarts is no error: its banner is passed over, and the next count follows a gap."""
    tape = Tape(b"CPS, 3, CPM, 18\r\nCPS, 4, C" + BANNER, b"CPS, 5, CPM, 5\r\n")
    async with connected(tape, tmp_path) as probe:
        first, second = await take(probe, 2)
        # the half line runs into the banner: the two are one line, which is none
        assert probe.rejected == 1
    assert (first.counts, first.status) == (3, CountStatus.OK)
    assert (second.counts, second.status) == (5, CountStatus.RESYNCED)


async def test_a_restart_between_two_lines_is_a_gap(tmp_path: Path) -> None:
    """Nothing is refused, but what was counted as it restarted is lost."""
    tape = Tape(b"CPS, 3, CPM, 18\r\n" + BANNER, b"CPS, 5, CPM, 5\r\n")
    async with connected(tape, tmp_path) as probe:
        first, second = await take(probe, 2)
        assert probe.rejected == 0
    assert (first.status, second.status) == (CountStatus.OK, CountStatus.RESYNCED)


@pytest.mark.parametrize(
    "line", [b"CPS, 255*, CPM, 15300*\r\n", b"CPS, 65535, CPM, 3932100, uSv/hr, 9.00, INST\r\n"]
)
async def test_a_full_counter_is_saturated(line: bytes, tmp_path: Path) -> None:
    """A marked overflow, and the greatest value there is, may be too few and say so."""
    async with connected(Tape(line), tmp_path) as probe:
        assert (await anext(probe)).status is CountStatus.SATURATED


async def test_flipped_bits_are_refused_and_reading_goes_on(tmp_path: Path) -> None:
    """On a noisy wire bad lines are counted, good ones still come, and the first after a bad one says so."""
    fault = corrupting(0.01, np.random.default_rng(2))
    async with connected(simulated(), tmp_path, fault=fault) as probe:
        readings = await take(probe, 60)
        assert probe.rejected > 5
    assert {reading.status for reading in readings} == {CountStatus.OK, CountStatus.RESYNCED}


@pytest.mark.parametrize("make", [dropping, duplicating])
async def test_lost_and_doubled_bytes_do_not_stop_it(make: type, tmp_path: Path) -> None:
    """Bytes that vanish and lines that come twice leave a stream of readings."""
    fault = make(0.02, np.random.default_rng(3))
    async with connected(simulated(), tmp_path, fault=fault) as probe:
        assert len(await take(probe, 40)) == 40


async def test_noise_gives_no_reading(tmp_path: Path) -> None:
    """A stream that is no MightyOhm gives no zeros, but nothing: the first reading is of the first true line."""
    rng = np.random.default_rng(4)
    tape = Tape(*(rng.bytes(200) for _ in range(50)), b"\r\nCPS, 7, CPM, 70\r\n")
    async with connected(tape, tmp_path, wire="tcp") as probe:
        reading = await anext(probe)
        assert probe.rejected > 0
    assert (reading.counts, reading.status) == (7, CountStatus.RESYNCED)


async def test_unplugging_is_unavailable(tmp_path: Path) -> None:
    """When the adapter is pulled the driver ends with words."""
    settings = Settings(driver="mightyohm", port=str(tmp_path / "gamma"))
    async with (
        asyncio.timeout(10),
        open_pty_port(simulated(), tmp_path / "gamma") as port,
        settings.connect("gamma", clock=monotonic) as probe,
    ):
        await anext(probe)
        port.pull()
        with pytest.raises(DeviceUnavailable, match=r"gamma: .* is gone"):
            await take(probe, 1000)


@pytest.mark.peer("socat")
async def test_through_socat(tmp_path: Path) -> None:
    """Two ptys that socat joins carry the lines as our own pty does."""
    ends = [tmp_path / "instrument", tmp_path / "host"]
    socat = await asyncio.create_subprocess_exec(
        "socat", *(f"pty,rawer,echo=0,link={end}" for end in ends), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while not all(end.exists() for end in ends):  # noqa: ASYNC110 - another program makes them
                await asyncio.sleep(0.01)
            settings = Settings(driver="mightyohm", port=str(ends[1]))
            async with settings.connect("gamma", clock=monotonic) as probe:
                ends[0].write_bytes(BANNER + b"CPS, 7, CPM, 70, uSv/hr, 0.40, SLOW\r\n")
                assert (await anext(probe)).counts == 7
                socat.terminate()
                with pytest.raises(DeviceUnavailable):
                    await anext(probe)
    finally:
        if socat.returncode is None:
            socat.kill()
        await socat.wait()


def test_a_typo_in_the_settings_is_named() -> None:
    """A key that is not there and a port that is none are refused by name."""
    with pytest.raises(ValidationError, match="prot"):
        Settings.model_validate({"driver": "mightyohm", "prot": "/dev/ttyUSB0"})
    with pytest.raises(ValidationError, match="is no port"):
        Settings(driver="mightyohm", port="COM1")


@pytest.mark.parametrize("silence_s", [0.0, 1.0, 3.1])
def test_a_silence_that_a_line_a_second_cannot_keep_is_refused(silence_s: float) -> None:
    """No more than the second between two lines, or more than three, is refused; without a word it is 1.8 s."""
    assert Settings(driver="mightyohm", port="/dev/ttyUSB0").silence_s == 1.8
    with pytest.raises(ValidationError, match="silence_s"):
        Settings(driver="mightyohm", port="/dev/ttyUSB0", silence_s=silence_s)

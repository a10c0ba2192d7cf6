"""One device kept running: live only while data come, and recovering by itself."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from devices import links
from devices.clock import Clock, monotonic
from devices.errors import NOT_ITS_WORDS, DeviceUnavailable
from devices.probes import amptek, ludlum3030, mightyohm, radpro
from devices.protocols import DeviceSettings
from devices.readings import CountReading, CountStatus, DeviceHealth, LinkState
from devices.supervision import GREATEST_DELAY_S, Supervisor
from devices.traffic import Traffic
from simulators.faults import Piece, intact, losing
from simulators.ports import Instrument, TcpPort, open_pty_port, open_tcp_port
from simulators.probes.amptek import SimulatedAmptek
from simulators.probes.counting import Counter
from simulators.probes.ludlum3030 import SimulatedLudlum3030
from simulators.probes.mightyohm import SimulatedMightyOhm


class Watched:
    """A supervised device, with all that it has published."""

    def __init__(self, settings: DeviceSettings[CountReading], *, connect_s: float | None = None) -> None:
        self.readings: list[CountReading] = []
        self.healths: list[DeviceHealth] = []
        self._changed = asyncio.Event()
        self.supervisor = Supervisor(
            "gamma",
            settings,
            on_reading=self._take_reading,
            on_health=self._take_health,
            clock=monotonic,
            jitter=np.random.default_rng(1).random,
            connect_s=connect_s,
        )

    def _take_reading(self, reading: CountReading) -> None:
        self.readings.append(reading)
        self._changed.set()

    def _take_health(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        self._changed.set()

    @property
    def states(self) -> list[LinkState]:
        """States in the order they were published, each once in a row."""
        states = [health.state for health in self.healths]
        return states[:1] + [after for before, after in pairwise(states) if after is not before]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something published to make this true."""
        async with asyncio.timeout(15):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, state: LinkState) -> DeviceHealth:
        """Wait for a state."""
        await self.until(lambda: self.supervisor.health.state is state)
        return self.supervisor.health


@asynccontextmanager
async def watched(
    settings: DeviceSettings[CountReading], *, connect_s: float | None = None
) -> AsyncIterator[Watched]:
    """Supervise a device, and cancel it at the end."""
    device = Watched(settings, connect_s=connect_s)
    running = asyncio.create_task(device.supervisor.run())
    try:
        yield device
    finally:
        running.cancel()
        outcome = (await asyncio.gather(running, return_exceptions=True))[0]
    assert isinstance(outcome, asyncio.CancelledError)


def counter() -> SimulatedMightyOhm:
    """Give a counter in a hurry."""
    rng = np.random.default_rng(1)
    return SimulatedMightyOhm(
        lambda start_s, end_s: int(rng.poisson(40 * (end_s - start_s))),
        powered_at_s=monotonic(),
        rng=rng,
        speed=100,
    )


def spectrometer(serial_number: int) -> SimulatedAmptek:
    """Give a DP5."""
    rng = np.random.default_rng(1)
    return SimulatedAmptek(
        lambda start_s, end_s: int(rng.poisson(40 * (end_s - start_s))),
        powered_at_s=monotonic(),
        rng=rng,
        serial_number=serial_number,
    )


def counter_settings(link: Path, silence_s: float = 1.2) -> mightyohm.Settings:
    """Give the counter's entry in the site file."""
    return mightyohm.Settings(driver="mightyohm", port=str(link), silence_s=silence_s)


def spectrometer_settings(link: Path) -> amptek.Settings:
    """Give the DP5's entry in the site file."""
    return amptek.Settings(
        driver="amptek",
        port=str(link),
        silence_s=0.8,
        interval_s=0.02,
        answer_s=0.1,
        window_kev=(126, 154),
        energy_kev_per_channel=1.0,
    )


async def test_a_device_is_live_from_its_first_reading(tmp_path: Path) -> None:
    """Opening comes first, then waiting, then live with no words; the health can be read at any time."""
    link = tmp_path / "gamma"
    async with open_pty_port(counter(), link), watched(counter_settings(link)) as device:
        assert device.supervisor.health.state is LinkState.CONNECTING
        await device.until(lambda: len(device.readings) >= 3)
        assert device.states == [LinkState.CONNECTING, LinkState.LIVE]
        health = device.supervisor.health
        assert (health.detail, health.reconnects) == ("", 0)
        assert health.since_s <= monotonic()


async def test_one_that_tells_finished_counts_is_live_while_it_answers(tmp_path: Path) -> None:
    """Nothing is counted for longer than its silence: live, and told each second. Without answers it is silent."""
    resting = Counter(
        events=lambda _start_s, _end_s: 3, powered_at_s=monotonic(), rng=np.random.default_rng(1), dead_time_s=0
    )
    is_deaf, link = [False], tmp_path / "bench"
    settings = ludlum3030.Settings(
        driver="ludlum3030", port=str(link), interval_s=0.05, answer_s=0.5, silence_s=1.2
    )

    def carry(said: bytes) -> Iterable[Piece]:
        return () if is_deaf[0] else intact(said)

    instrument = SimulatedLudlum3030(resting, count_s=0.1, is_recycling=False)
    async with open_pty_port(instrument, link, fault=carry), watched(settings) as device:
        live = await device.until_state(LinkState.LIVE)
        await device.until(lambda: device.healths[-1].since_s + 2 * settings.silence_s < monotonic())
        assert device.states == [LinkState.CONNECTING, LinkState.LIVE]
        assert device.readings == []
        assert (live.traffic or Traffic()).frames < (device.healths[-1].traffic or Traffic()).frames
        instrument.start(monotonic())
        await device.until(lambda: [reading.counts for reading in device.readings] == [3])
        is_deaf[0] = True
        assert "no answer for 1.2 s" in (await device.until_state(LinkState.SILENT)).detail


async def test_an_absent_device_is_lost_and_found(tmp_path: Path) -> None:
    """A port that is not there is a state in words; when it appears the device comes up by itself."""
    link = tmp_path / "gamma"
    async with watched(counter_settings(link)) as device:
        health = await device.until_state(LinkState.LOST)
        assert health.detail.startswith(f"there is no port {link}: plug the instrument in")
        async with open_pty_port(counter(), link):
            await device.until_state(LinkState.LIVE)
            assert device.supervisor.health.reconnects == 0


async def test_unplugged_and_plugged_again(tmp_path: Path) -> None:
    """Unplugging shows within a tenth of a second; after plugging in readings go on, with nothing else done."""
    link = tmp_path / "gamma"
    async with open_pty_port(counter(), link) as port, watched(counter_settings(link)) as device:
        await device.until_state(LinkState.LIVE)
        pulled_at_s = monotonic()
        unplugging = asyncio.create_task(port.unplug(0.3))
        health = await device.until_state(LinkState.LOST)
        assert health.since_s - pulled_at_s < 0.1
        await unplugging
        before = len(device.readings)
        await device.until_state(LinkState.LIVE)
        await device.until(lambda: len(device.readings) > before)
        assert device.supervisor.health.reconnects == 1


@pytest.mark.parametrize("is_abrupt", [False, True])
async def test_a_serial_server_that_restarts(*, is_abrupt: bool) -> None:
    """A network link that ends by FIN or RST is lost at once and opened again."""
    async with open_tcp_port(counter()) as port:
        assert isinstance(port, TcpPort)
        settings = mightyohm.Settings(driver="mightyohm", port=port.url)
        async with watched(settings) as device:
            await device.until_state(LinkState.LIVE)
            unplugging = asyncio.create_task(port.unplug(0.3, is_abrupt=is_abrupt))
            await device.until_state(LinkState.LOST)
            await unplugging
            await device.until_state(LinkState.LIVE)


async def test_silence_shows_in_time_and_the_link_is_opened_again(tmp_path: Path) -> None:
    """A link that stays open without data is silent after silence_s, stays so while reopened, and recovers."""
    link = tmp_path / "gamma"
    is_muted = [False]
    fault = losing(iter(lambda: is_muted[0], None))
    async with open_pty_port(counter(), link, fault=fault), watched(counter_settings(link, 1.1)) as device:
        await device.until_state(LinkState.LIVE)
        is_muted[0] = True
        health = await device.until_state(LinkState.SILENT)
        assert health.since_s - (device.readings[-1].taken_at_s + 1.0) == pytest.approx(1.1, abs=0.15)
        assert health.detail.startswith("no reading for 1.1 s: check that it is switched on")
        await device.until(lambda: device.supervisor.health.reconnects >= 1)
        assert device.supervisor.health.state is LinkState.SILENT
        is_muted[0] = False
        await device.until_state(LinkState.LIVE)
        assert device.states == [LinkState.CONNECTING, LinkState.LIVE, LinkState.SILENT, LinkState.LIVE]


class Babbler:
    """An instrument of another kind, that never stops talking."""

    def receive(self, sent: bytes, now_s: float) -> bytes:  # noqa: ARG002 - it does not listen
        """Give no answer."""
        return b""

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it keeps no time
        """Say the same again."""
        return b"READC 17\n"


async def test_data_that_make_no_sense_are_silence_with_other_words(tmp_path: Path) -> None:
    """Bytes that are no readings do not keep a device alive; the words say that bytes come."""
    link = tmp_path / "gamma"
    async with open_pty_port(Babbler(), link), watched(counter_settings(link, 1.1)) as device:
        health = await device.until_state(LinkState.SILENT)
        assert "though bytes come: check its baud rate" in health.detail
        assert health.rejected > 0
        assert device.readings == []
        rejected = health.rejected
        await device.until(lambda: device.supervisor.health.reconnects >= 1)
        assert device.supervisor.health.rejected >= rejected


async def test_another_instrument_is_refused(tmp_path: Path) -> None:
    """A calibration belongs to one instrument: another on its port is told, the first is welcome again."""
    link = tmp_path / "gamma"
    async with watched(spectrometer_settings(link)) as device:
        async with open_pty_port(spectrometer(111), link):
            await device.until_state(LinkState.LIVE)
            assert device.supervisor.identity == "Amptek DP5, serial number 111, firmware 6.08.00"
        await device.until_state(LinkState.LOST)
        before = len(device.readings)
        async with open_pty_port(spectrometer(222), link):
            await device.until(lambda: "another instrument answers" in device.supervisor.health.detail)
            health = device.supervisor.health
            assert health.state is LinkState.LOST
            assert "serial number 222" in health.detail
            assert "instead of Amptek DP5, serial number 111" in health.detail
            assert len(device.readings) == before
        async with open_pty_port(spectrometer(111), link):
            await device.until_state(LinkState.LIVE)


SHIPPED = Path(__file__).parents[2] / "config" / "simulated.toml"


async def test_one_flipped_bit_on_the_shipped_settings_costs_no_count(tmp_path: Path) -> None:
    """A damaged answer is asked for again in time: the probe stays live, and the next reading holds its counts."""
    link = tmp_path / "gamma"
    given: list[int] = []
    answers = 0

    def events(start_s: float, end_s: float) -> int:
        given.append(max(round(1000 * (end_s - start_s)), 1))
        return given[-1]

    def flip_once(sent: bytes) -> Iterable[Piece]:
        nonlocal answers
        answers += 1
        # the status, the clearing, three spectra, then a bit of the fourth's payload
        yield 0.0, sent if answers != 6 else sent[:400] + bytes([sent[400] ^ 0x10]) + sent[401:]

    instrument = SimulatedAmptek(events, powered_at_s=monotonic(), rng=np.random.default_rng(1), dead_time_s=0.0)
    entry = tomllib.loads(SHIPPED.read_text())["probes"]["gamma"] | {"port": str(link)}
    async with (
        open_pty_port(instrument, link, fault=flip_once),
        watched(amptek.Settings.model_validate(entry)) as device,
    ):
        await device.until(lambda: len(device.readings) == 6)
        assert device.states == [LinkState.CONNECTING, LinkState.LIVE]
        assert (device.supervisor.health.rejected, device.supervisor.health.reconnects) == (1, 0)
    # the first two of all went into status and clearing
    assert [reading.counts for reading in device.readings] == [*given[2:5], given[5] + given[6], *given[7:9]]
    assert device.readings[3].status is CountStatus.OK
    assert all(reading.real_time_s < 0.8 for reading in device.readings)


async def test_a_restarted_instrument_is_started_again(tmp_path: Path) -> None:
    """A DP5 that lost power for a moment counts nothing: it is opened again, enabled, and goes on."""
    link = tmp_path / "gamma"
    instrument = spectrometer(111)
    async with open_pty_port(instrument, link), watched(spectrometer_settings(link)) as device:
        await device.until_state(LinkState.LIVE)
        instrument.restart()
        health = await device.until_state(LinkState.LOST)
        assert "it has restarted" in health.detail
        await device.until_state(LinkState.LIVE)


async def test_nothing_that_answers_is_not_lost_but_silent(tmp_path: Path) -> None:
    """An open port where nobody answers is linked: silent, with words on power and cable."""
    link = tmp_path / "gamma"
    async with open_pty_port(Babbler(), link), watched(spectrometer_settings(link)) as device:
        health = await device.until_state(LinkState.SILENT)
        assert "answers as an Amptek DP5: check its power" in health.detail


async def test_opening_takes_no_longer_than_allowed(tmp_path: Path) -> None:
    """An opening that hangs is given up and told."""
    link = tmp_path / "gamma"
    async with open_pty_port(Babbler(), link), watched(spectrometer_settings(link), connect_s=0.1) as device:
        health = await device.until_state(LinkState.LOST)
        assert health.detail == "could not be opened within 0.1 s: check its cable and power"


class Faulty:
    """A driver with a mistake, made where it is told, until it is mended."""

    streams = True
    silence_s = 5.0
    opening_s = 5.0

    def __init__(self, place: str) -> None:
        self.place = place
        self.identity = ""
        self.rejected = 0

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator["Faulty"]:  # noqa: ARG002
        """Open nothing."""
        self._fail("opening")
        try:
            yield self
        finally:
            self._fail("closing")

    def __aiter__(self) -> "Faulty":
        return self

    async def __anext__(self) -> CountReading:
        await asyncio.sleep(0.01)
        self._fail("reading")
        if self.place == "closing":
            raise DeviceUnavailable("gamma", "is gone")
        return CountReading(device="gamma", taken_at_s=0.0, real_time_s=1.0, live_time_s=1.0, counts=1)

    def _fail(self, place: str) -> None:
        if place == self.place:
            float("π")
        if self.place == "end" and place == "reading":
            raise StopAsyncIteration


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("opening", "ValueError: could not convert string to float"),
        ("reading", "ValueError: could not convert string to float"),
        ("closing", "ValueError: could not convert string to float"),
        ("end", "StopAsyncIteration"),
    ],
)
async def test_a_driver_that_fails_loses_its_own_link_and_no_other(place: str, words: str, tmp_path: Path) -> None:
    """Whatever it raises is a lost link, told with its trace; others go on, and it is tried again as any."""
    faulty = Faulty(place)
    with capture_logs() as logs:
        async with (
            open_pty_port(counter(), tmp_path / "gamma"),
            watched(counter_settings(tmp_path / "gamma")) as other,
            watched(faulty) as device,
        ):
            await device.until(lambda: f"its driver failed: {words}" in device.supervisor.health.detail)
            assert device.supervisor.health.state is LinkState.LOST
            before = len(other.readings)
            await other.until(lambda: len(other.readings) > before + 3)
            faulty.place = ""
            await device.until_state(LinkState.LIVE)
    assert any(entry["event"] == "device_driver_failed" and entry.get("exc_info") for entry in logs)


async def test_a_fault_of_ours_is_no_state(tmp_path: Path) -> None:
    """An exception from what uses the readings goes up, not to be tried again, and closes the link."""

    def fail(_: CountReading) -> None:
        raise ZeroDivisionError

    link = tmp_path / "gamma"
    async with asyncio.timeout(10), open_pty_port(counter(), link):
        supervisor = Supervisor(
            "gamma",
            counter_settings(link),
            on_reading=fail,
            on_health=lambda _: None,
            clock=monotonic,
            jitter=lambda: 0.5,
        )
        with pytest.raises(ZeroDivisionError):
            await supervisor.run()


def test_delays_grow_to_a_bound(tmp_path: Path) -> None:
    """From 0.2 s each wait doubles up to 1.5 s, less up to half of it by chance: a cable is found within 2 s."""
    supervisor = Supervisor(
        "gamma",
        counter_settings(tmp_path / "gamma"),
        on_reading=lambda _: None,
        on_health=lambda _: None,
        clock=monotonic,
        jitter=lambda: 0.0,
    )
    delays_s = []
    for failures in range(12):
        supervisor._failures = failures
        delays_s.append(supervisor._delay_s())
    assert delays_s[:4] == pytest.approx([0.2, 0.4, 0.8, GREATEST_DELAY_S])
    assert max(delays_s) == GREATEST_DELAY_S == 1.5
    supervisor._jitter = lambda: 0.999
    assert supervisor._delay_s() == pytest.approx(GREATEST_DELAY_S / 2, rel=0.01)


async def test_two_devices_do_not_disturb_each_other(tmp_path: Path) -> None:
    """While one device is away the other's readings go on."""
    links = tmp_path / "left", tmp_path / "right"
    async with (
        open_pty_port(counter(), links[0], fault=intact) as left_port,
        open_pty_port(counter(), links[1]),
        watched(counter_settings(links[0])) as left,
        watched(counter_settings(links[1])) as right,
    ):
        await left.until_state(LinkState.LIVE)
        await right.until_state(LinkState.LIVE)
        left_port.pull()
        await left.until_state(LinkState.LOST)
        before = len(right.readings)
        await right.until(lambda: len(right.readings) >= before + 20)
        assert right.states == [LinkState.CONNECTING, LinkState.LIVE]


def test_drivers_fit_the_protocol() -> None:
    """Both settings are device settings by their shape, as mypy checks here."""
    entries: list[DeviceSettings[CountReading]] = [
        mightyohm.Settings(driver="mightyohm", port="/dev/ttyUSB0"),
        amptek.Settings(driver="amptek", port="/dev/ttyUSB0", window_channels=(1, 2)),
    ]
    instruments: list[Instrument] = [counter(), spectrometer(1), Babbler()]
    assert [entry.silence_s for entry in entries] == [1.8, 0.8]
    assert len(instruments) == 3


async def test_health_gives_account_of_the_link(tmp_path: Path) -> None:
    """Bytes and frames are told while it is live, and go on to be counted over a cable that was out."""
    link = tmp_path / "gamma"
    async with open_pty_port(counter(), link) as port, watched(counter_settings(link)) as device:
        await device.until(lambda: any(health.traffic and health.traffic.frames > 20 for health in device.healths))
        before = device.supervisor.health.traffic
        assert before is not None
        assert before.received_bytes > 20 * 10
        await port.unplug(0.1)
        await device.until(lambda: device.supervisor.health.reconnects == 1)
        await device.until_state(LinkState.LIVE)
        after = device.supervisor.health.traffic
        assert after is not None
        assert after.received_bytes > before.received_bytes
        assert after.frames > before.frames


async def test_silences_are_counted_and_bytes_before_them_are_no_sign_of_life(tmp_path: Path) -> None:
    """A link that falls silent after it was understood has no wrong baud rate; the time-out counts."""
    link = tmp_path / "gamma"
    is_muted = [False]
    fault = losing(iter(lambda: is_muted[0], None))
    async with open_pty_port(counter(), link, fault=fault), watched(counter_settings(link, 1.1)) as device:
        await device.until_state(LinkState.LIVE)
        is_muted[0] = True
        health = await device.until_state(LinkState.SILENT)
        assert "though bytes come" not in health.detail
        assert health.traffic is not None
        assert health.traffic.timeouts == 1


async def test_battery_and_temperature_come_with_the_health(tmp_path: Path) -> None:
    """What the instrument says of itself is told with its age, and kept while its link is lost."""
    link = tmp_path / "gamma"
    async with open_pty_port(spectrometer(111), link) as port, watched(spectrometer_settings(link)) as device:
        await device.until_state(LinkState.LIVE)
        await device.until(lambda: device.supervisor.health.condition is not None)
        port.pull()
        condition = (await device.until_state(LinkState.LOST)).condition
        assert condition is not None
        assert (condition.board_degc, condition.high_voltage_v) == (31, 500.0)
        assert condition.detector_degc == pytest.approx(-20.15)
        assert condition.told_at_s <= monotonic()


async def test_a_nameless_instrument_on_another_adapter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot say who it is must come back through the same adapter; one that can may change it."""
    adapter = ["USB 1a86:7523 at 1-1.2"]
    monkeypatch.setattr(links, "find_adapter", lambda _: adapter[0])
    for settings, instrument, is_named in (
        (counter_settings(tmp_path / "gamma"), counter(), False),
        (spectrometer_settings(tmp_path / "gamma"), spectrometer(111), True),
    ):
        adapter[0] = "USB 1a86:7523 at 1-1.2"
        async with open_pty_port(instrument, tmp_path / "gamma") as port, watched(settings) as device:
            await device.until_state(LinkState.LIVE)
            port.pull()
            await device.until_state(LinkState.LOST)
            adapter[0] = "USB 1a86:7523 at 1-1.3"
            port.plug()
            if not is_named:
                await device.until(lambda: "another adapter has its port" in device.supervisor.health.detail)
                assert "at 1-1.3 instead of USB 1a86:7523 at 1-1.2" in device.supervisor.health.detail
                adapter[0] = "USB 1a86:7523 at 1-1.2"
            await device.until_state(LinkState.LIVE)


async def test_a_wrong_baud_rate_is_told_before_the_time_is_over(tmp_path: Path) -> None:
    """Bytes that answer no question are told as such, in the driver's words, not as a port that does not open."""
    settings = radpro.Settings(driver="radpro", port=str(tmp_path / "gamma"))
    async with open_pty_port(Babbler(), tmp_path / "gamma"), watched(settings) as device:
        health = await device.until_state(LinkState.SILENT)
        assert "answers as Rad Pro" in health.detail
        assert health.detail.endswith(NOT_ITS_WORDS)


async def test_two_of_one_kind_that_change_places_are_told_apart(tmp_path: Path) -> None:
    """Each counts on its own port; plugged in the other way round, neither is taken for the other."""
    ports = tmp_path / "left", tmp_path / "right"
    left, right = spectrometer(111), spectrometer(222)
    async with watched(spectrometer_settings(ports[0])) as one, watched(spectrometer_settings(ports[1])) as other:
        async with open_pty_port(left, ports[0]), open_pty_port(right, ports[1]):
            await one.until_state(LinkState.LIVE)
            await other.until_state(LinkState.LIVE)
            assert "serial number 111" in one.supervisor.identity
            assert "serial number 222" in other.supervisor.identity
        await one.until_state(LinkState.LOST)
        await other.until_state(LinkState.LOST)
        counted = len(one.readings), len(other.readings)
        async with open_pty_port(right, ports[0]), open_pty_port(left, ports[1]):
            await one.until(lambda: "another instrument" in one.supervisor.health.detail)
            await other.until(lambda: "another instrument" in other.supervisor.health.detail)
            assert (len(one.readings), len(other.readings)) == counted

"""The Amptek driver against a simulated DP5 and against prepared answers."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from devices.clock import monotonic
from devices.errors import DeviceError, DeviceFault, DeviceTimeout, DeviceUnavailable
from devices.probes.amptek import CLEARING_POLL, POLL, Amptek, Settings
from devices.probes.amptek_packets import (
    ACK_OK,
    ASK_STATUS,
    CLEAR_SPECTRUM,
    ENABLE_MCA,
    STATUS,
    Packet,
    Pid,
    Spectrum,
    Status,
    request_splitter,
)
from devices.readings import CountReading, CountStatus
from simulators.faults import (
    Fault,
    Piece,
    corrupting,
    delayed,
    duplicating,
    intact,
    losing,
    one_byte_at_a_time,
)
from simulators.ports import Instrument, open_pty_port, open_tcp_port
from simulators.probes.amptek import SimulatedAmptek

COUNTING = Status(
    fast_counts=0,
    slow_counts=0,
    accumulation_s=0.1,
    real_time_s=0.1,
    firmware=(6, 8),
    build=0,
    fpga=(6, 3),
    serial_number=4711,
    high_voltage_v=500.0,
    detector_k=253.0,
    board_degc=30,
    is_mca_enabled=True,
    is_time_reached=False,
    is_count_reached=False,
    is_configured=True,
    is_rebooted=False,
    device_id=0,
)


class Prepared:
    """A DP5 whose answers are prepared: a list for each kind of request, the last one for ever."""

    def __init__(self, *, channels: int = 256, **answers: Any) -> None:
        self.asked: list[Pid] = []
        self._requests = request_splitter()
        empty = Spectrum(counts=(0,) * channels, status=COUNTING).to_packet().to_bytes()
        self._answers: dict[Pid, list[bytes]] = {
            ASK_STATUS: answers.get("status", [Packet(pid=STATUS, payload=COUNTING.to_bytes()).to_bytes()]),
            CLEAR_SPECTRUM: answers.get("clear", [Packet(pid=ACK_OK).to_bytes()]),
            ENABLE_MCA: answers.get("enable", [Packet(pid=ACK_OK).to_bytes()]),
            (2, 3): answers.get("spectrum", [empty]),
            (2, 4): answers.get("clearing", [b""]),
        }

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Give the next answer to each request."""
        answers = b""
        for frame in self._requests.feed(sent, now_s):
            pid = Packet.from_bytes(frame.raw).pid
            self.asked.append(pid)
            waiting = self._answers[pid]
            answers += waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answers

    def tick(self, now_s: float) -> bytes:  # noqa: ARG002 - it speaks only when asked
        """Send nothing unasked."""
        return b""


def spectrum(counts: dict[int, int] | None = None, *, channels: int = 256, **changes: Any) -> bytes:
    """Give an answer with these counts in these channels."""
    filled = [0] * channels
    for channel, count in (counts or {}).items():
        filled[channel] = count
    return Spectrum(counts=tuple(filled), status=replace(COUNTING, **changes)).to_packet().to_bytes()


def acknowledge(code: int, payload: bytes = b"") -> bytes:
    """Give an acknowledge packet."""
    return Packet(pid=(0xFF, code), payload=payload).to_bytes()


def simulated(rate_cps: float = 500.0, given: list[int] | None = None, **changes: Any) -> SimulatedAmptek:
    """Give a DP5 whose crystal sees a steady rate in the window; ``given`` takes what it counts when asked."""
    rng = np.random.default_rng(1)

    def events(start_s: float, end_s: float) -> int:
        number = int(rng.poisson(rate_cps * (end_s - start_s)))
        if given is not None:
            given.append(number)
        return number

    return SimulatedAmptek(events, powered_at_s=monotonic(), rng=rng, **changes)


class Asked:
    """An instrument, and what it was asked."""

    def __init__(self, instrument: Instrument) -> None:
        self.pids: list[Pid] = []
        self._instrument = instrument
        self._requests = request_splitter()

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Note each request and pass it on."""
        self.pids += [Packet.from_bytes(frame.raw).pid for frame in self._requests.feed(sent, now_s)]
        return self._instrument.receive(sent, now_s)

    def tick(self, now_s: float) -> bytes:
        """Pass what it sends unasked on."""
        return self._instrument.tick(now_s)


def after(number: int, fault: Fault) -> Fault:
    """Leave the first messages as they are."""
    messages = itertools.count()

    def carry(sent: bytes) -> Iterable[Piece]:
        return intact(sent) if next(messages) < number else fault(sent)

    return carry


@asynccontextmanager
async def connected(
    instrument: Instrument, tmp_path: Path, *, wire: str = "pty", fault: Fault = intact, **changes: Any
) -> AsyncIterator[Amptek]:
    """Open the driver on an instrument."""
    hosted = (
        open_pty_port(instrument, tmp_path / "gamma", fault=fault)
        if wire == "pty"
        else open_tcp_port(instrument, fault=fault)
    )
    async with asyncio.timeout(20), hosted as port:
        settings = Settings.model_validate(
            {
                "driver": "amptek",
                "port": port.url,
                "interval_s": 0.02,
                "answer_s": 0.1,
                "window_kev": (126, 154),
                "energy_kev_per_channel": 1.0,
            }
            | changes
        )
        async with settings.connect("gamma", clock=monotonic) as probe:
            yield probe


async def take(probe: Amptek, number: int) -> list[CountReading]:
    """Give the next readings."""
    return [await anext(probe) for _ in range(number)]


class Timed:
    """Events at 500 cps, and how many there were in which time, for each request."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.given: list[tuple[int, float]] = []
        self._rng = rng

    def __call__(self, start_s: float, end_s: float) -> int:
        """Draw what an interval holds."""
        self.given.append((int(self._rng.poisson(500 * (end_s - start_s))), end_s - start_s))
        return self.given[-1][0]


def join(readings: Iterable[CountReading], given: Iterable[tuple[int, float]]) -> float:
    """Find each reading's events in what was given, end to end; give by how much the times differ in all, s.

    Where the host stood still a request is repeated: then a reading may hold what was given for more than one.
    """
    waiting, late_s = iter(given), 0.0
    for reading in readings:
        counts, time_s = 0, 0.0
        while time_s < reading.real_time_s - 0.001:
            more, interval_s = next(waiting)
            counts, time_s = counts + more, time_s + interval_s
        assert reading.counts == counts
        assert abs(reading.real_time_s - time_s) < 0.001 + 1e-9
        late_s += time_s - reading.real_time_s
    return late_s


@pytest.mark.parametrize("wire", ["pty", "tcp"])
@pytest.mark.parametrize("fault", [intact, one_byte_at_a_time, delayed(0.01)])
async def test_readings_join_end_to_end_on_every_wire(wire: str, fault: Fault, tmp_path: Path) -> None:
    """Each reading holds exactly the events since the one before: none lost, none twice, each with its time."""
    rng = np.random.default_rng(1)
    events = Timed(rng)
    instrument = Asked(SimulatedAmptek(events, powered_at_s=monotonic(), rng=rng, dead_time_s=0.0))
    started_s = monotonic()
    async with connected(instrument, tmp_path, wire=wire, fault=fault, answer_s=0.7) as probe:
        assert probe.identity == "Amptek DP5, serial number 12345, firmware 6.08.00"
        readings = await take(probe, 15)
        # a host that stands still for 0.7 s amid an answer is a wire that did
        assert probe.rejected == 0 or probe.traffic.timeouts
    # what was collected before the first spectrum was for statuses and the clearing at connect
    late_s = join(readings, events.given[instrument.pids.index((2, 3)) :])
    for reading in readings:
        assert reading.live_time_s == reading.real_time_s
        assert started_s < reading.taken_at_s < monotonic() - reading.real_time_s
    assert [reading.status for reading in readings] == [CountStatus.RESYNCED] + 14 * [CountStatus.OK]
    # milliseconds are cut off once, not at each reading
    assert -1e-9 <= late_s < 0.001


async def test_a_wire_that_stands_still_amid_an_answer_loses_no_counts(tmp_path: Path) -> None:
    """The half that came is refused, and the next answer, asked for again, holds what it held."""
    rng = np.random.default_rng(1)
    events, messages = Timed(rng), itertools.count()
    instrument = Asked(SimulatedAmptek(events, powered_at_s=monotonic(), rng=rng, dead_time_s=0.0))

    def stand_still(sent: bytes) -> Iterable[Piece]:
        is_hit = next(messages) == 4
        yield 0.0, sent[:300]
        yield 0.25 if is_hit else 0.0, sent[300:]

    async with connected(instrument, tmp_path, fault=stand_still, answer_s=0.1) as probe:
        readings = await take(probe, 5)
        assert probe.rejected
        assert probe.traffic.timeouts
    assert -1e-9 <= join(readings, events.given[instrument.pids.index((2, 3)) :]) < 0.001
    assert max(reading.real_time_s for reading in readings) > 0.1


async def test_only_the_window_counts(tmp_path: Path) -> None:
    """Channels whose energies lie in the window count, both ends included; the others do not."""
    answer = spectrum({125: 1000, 126: 1, 140: 20, 154: 300, 155: 5000}, fast_counts=6321, slow_counts=6321)
    async with connected(Prepared(spectrum=[answer]), tmp_path) as probe:
        assert (await anext(probe)).counts == 321
    energies: dict[str, Any] = {
        "energy_kev_per_channel": 0.5,
        "energy_offset_kev": 100.0,
        "window_kev": (126, 154),
    }
    # 100 + 52 x 0.5 = 126 and 100 + 108 x 0.5 = 154
    answer = spectrum({51: 1000, 52: 1, 108: 20, 109: 5000}, fast_counts=6021, slow_counts=6021)
    async with connected(Prepared(spectrum=[answer]), tmp_path, **energies) as probe:
        assert (await anext(probe)).counts == 21


async def test_channels_may_be_named_instead(tmp_path: Path) -> None:
    """A window in channels needs no energies."""
    answer = spectrum({9: 100, 10: 1, 20: 2, 21: 100}, fast_counts=203, slow_counts=203)
    window: dict[str, Any] = {"window_channels": (10, 20), "window_kev": None, "energy_kev_per_channel": None}
    async with connected(Prepared(spectrum=[answer]), tmp_path, **window) as probe:
        assert (await anext(probe)).counts == 3


async def test_live_time_is_what_fast_and_slow_counts_say(tmp_path: Path) -> None:
    """With a tenth of the events lost, a tenth of the accumulation time was dead; the rest is left as it came."""
    answer = spectrum({140: 800}, fast_counts=1000, slow_counts=900, accumulation_s=0.2)
    async with connected(Prepared(spectrum=[answer]), tmp_path, dead_time_s=1e-6) as probe:
        reading = await anext(probe)
    assert reading.real_time_s == 0.2
    assert reading.live_time_s == pytest.approx(0.18)
    assert (reading.counts, reading.dead_time_s, reading.status) == (800, 1e-6, CountStatus.OK)


@pytest.mark.parametrize(
    ("fast", "slow", "expected"),
    [
        (0, 0, CountStatus.OK),
        (1, 0, CountStatus.OK),
        (900, 1000, CountStatus.OK),
        (3, 1, CountStatus.OK),
        (10_000, 5_200, CountStatus.OK),
        (10_000, 4_000, CountStatus.OVERLOAD),
        (10_000, 0, CountStatus.OVERLOAD),
    ],
)
async def test_more_than_half_lost_is_an_overload(
    fast: int, slow: int, expected: CountStatus, tmp_path: Path
) -> None:
    """Beyond 50 % lost a reading is an overload; a few chance losses, or none to lose, are not."""
    answer = spectrum(fast_counts=fast, slow_counts=slow)
    async with connected(Prepared(spectrum=[answer]), tmp_path) as probe:
        reading = await anext(probe)
    assert reading.status is expected
    assert 0 < reading.live_time_s <= reading.real_time_s


async def test_a_full_channel_is_saturated(tmp_path: Path) -> None:
    """A channel at its greatest 24-bit value may have lost counts."""
    answer = spectrum({140: 0xFFFFFF}, fast_counts=0xFFFFFF, slow_counts=0xFFFFFF)
    async with connected(Prepared(spectrum=[answer]), tmp_path) as probe:
        assert (await anext(probe)).status is CountStatus.SATURATED


async def test_no_time_is_no_reading(tmp_path: Path) -> None:
    """An answer that accumulated for no time is no count of zero: it is passed over."""
    answers = [spectrum(accumulation_s=0.0), spectrum(accumulation_s=0.0), spectrum({140: 3}, slow_counts=3)]
    async with connected(Prepared(spectrum=answers), tmp_path) as probe:
        assert (await anext(probe)).counts == 3


async def test_it_is_enabled_and_cleared_at_connect(tmp_path: Path) -> None:
    """A disabled MCA is enabled and its spectrum cleared before the first count; an enabled one only cleared."""
    off = Packet(pid=STATUS, payload=replace(COUNTING, is_mca_enabled=False).to_bytes()).to_bytes()
    for instrument, expected in (
        (Prepared(), [ASK_STATUS, CLEAR_SPECTRUM]),
        (Prepared(status=[off]), [ASK_STATUS, CLEAR_SPECTRUM, ENABLE_MCA, CLEAR_SPECTRUM]),
    ):
        async with connected(instrument, tmp_path) as probe:
            assert instrument.asked == expected
            await anext(probe)
    async with connected(simulated(is_counting=False), tmp_path) as probe:
        assert (await anext(probe)).counts >= 0


async def test_another_computer_asking_is_no_error(tmp_path: Path) -> None:
    """Done, with another computer asking for the instrument, is done."""
    instrument = Prepared(clear=[acknowledge(0x0C)])
    async with connected(instrument, tmp_path) as probe:
        assert instrument.asked == [ASK_STATUS, CLEAR_SPECTRUM]  # taken at once, not asked for again
        assert (await anext(probe)).status is CountStatus.OK


async def test_a_lost_answer_is_asked_for_again(tmp_path: Path) -> None:
    """When an answer is lost the driver asks again, and the next reading holds what the lost one held."""
    given: list[int] = []
    fault = losing([True, False, False, False, True])  # the status, and the second spectrum
    async with connected(simulated(5000, given, dead_time_s=0.0), tmp_path, fault=fault) as probe:
        readings = await take(probe, 4)
    # the first three were collected for two statuses and the clearing
    assert [reading.counts for reading in readings] == [given[3], given[4] + given[5], *given[6:8]]
    assert {reading.status for reading in readings} == {CountStatus.OK}
    assert readings[1].real_time_s >= 0.1
    assert readings[1].taken_at_s == pytest.approx(readings[0].taken_at_s + readings[0].real_time_s, abs=0.1)


async def test_a_late_answer_is_a_reading_like_any_other(tmp_path: Path) -> None:
    """An instrument slower than the driver's patience still gives every count once."""
    given: list[int] = []
    instrument = simulated(200, given, dead_time_s=0.0)
    async with connected(instrument, tmp_path, fault=delayed(0.06), answer_s=0.04) as probe:
        readings = await take(probe, 10)
    assert all(reading.real_time_s < 1 for reading in readings)
    # asked again, it cleared more than once at connect; the spectra in between were passed over
    total = sum(reading.counts for reading in readings)
    assert total in {sum(given[first:last]) for first in range(2, 6) for last in range(first, len(given) + 1)}
    live_s = sum(reading.live_time_s for reading in readings)
    assert abs(total - 200 * live_s) < 5 * (200 * live_s) ** 0.5


async def test_a_doubled_answer_adds_nothing(tmp_path: Path) -> None:
    """Answers that come twice are counted once."""
    given: list[int] = []
    fault = duplicating(0.5, np.random.default_rng(5))
    async with connected(simulated(5000, given, dead_time_s=0.0), tmp_path, fault=fault) as probe:
        readings = await take(probe, 20)
    total = sum(reading.counts for reading in readings)
    # what was asked for after the last reading's answer may be counted by now, and is not read
    assert total in {sum(given[2:last]) for last in range(22, len(given) + 1)}
    assert all(reading.counts for reading in readings)


async def test_flipped_bits_lose_no_counts(tmp_path: Path) -> None:
    """Damaged answers are refused and asked for again; all that the instrument counted is read, once."""
    given: list[int] = []
    fault = after(2, corrupting(0.0005, np.random.default_rng(6)))
    async with connected(simulated(5000, given, dead_time_s=0.0), tmp_path, fault=fault, answer_s=0.2) as probe:
        readings = await take(probe, 30)
        assert probe.rejected > 5
        assert len(given) > 32 + 5
        assert sum(reading.counts for reading in readings) == sum(given[2:])
    assert {reading.status for reading in readings[1:]} == {CountStatus.OK}
    whole_s = sum(reading.real_time_s for reading in readings)
    assert readings[-1].taken_at_s + readings[-1].real_time_s - readings[0].taken_at_s == pytest.approx(
        whole_s, abs=0.1
    )


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_it_is_cleared_before_a_channel_is_full(*, is_damaged: bool, tmp_path: Path) -> None:
    """Half full it is asked once to clear, and no count is lost; only if that answer is, and this is told."""
    given: list[int] = []

    def events(*_: float) -> int:
        # a twelfth of them falls into the fullest channel: more than 2^23 at the fourth poll
        given.append(30_000_000)
        return given[-1]

    instrument = Asked(
        SimulatedAmptek(
            events,
            powered_at_s=monotonic(),
            rng=np.random.default_rng(1),
            dead_time_s=0.0,
        )
    )

    def flip_cleared(sent: bytes) -> Iterable[Piece]:
        is_hit = is_damaged and instrument.pids[-1] == (2, 4)
        yield 0.0, sent[:400] + bytes([sent[400] ^ 0x10]) + sent[401:] if is_hit else sent

    async with connected(instrument, tmp_path, fault=flip_cleared, answer_s=0.2) as probe:
        readings = await take(probe, 8)
    assert instrument.pids[:2] == [ASK_STATUS, CLEAR_SPECTRUM]
    assert instrument.pids.count((2, 4)) == 1
    cleared = instrument.pids.index((2, 4))
    statuses = [reading.status for reading in readings]
    assert [reading.counts for reading in readings] == 8 * [30_000_000]
    expected = [CountStatus.RESYNCED] + 7 * [CountStatus.OK]
    if is_damaged:
        # what it held is gone, and the next reading begins where it was cleared
        expected[cleared - 2] = CountStatus.RESYNCED
    assert statuses == expected
    assert len(given) - 2 - len(readings) == int(is_damaged)


@pytest.mark.parametrize("is_rebooted", [False, True])
async def test_after_a_restart_it_reads_on(*, is_rebooted: bool, tmp_path: Path) -> None:
    """Cleared by a restart or by another program: what was counted since is a reading, and a gap is told."""
    answers = [
        spectrum({140: 500}, fast_counts=500, slow_counts=500, accumulation_s=5.0),
        spectrum({140: 7}, fast_counts=10, slow_counts=7, accumulation_s=0.1, is_rebooted=is_rebooted),
        spectrum({140: 16}, fast_counts=20, slow_counts=16, accumulation_s=0.25),
    ]
    async with connected(Prepared(spectrum=answers), tmp_path) as probe:
        readings = await take(probe, 3)
    assert [(reading.counts, reading.real_time_s) for reading in readings] == [(500, 5.0), (7, 0.1), (9, 0.15)]
    assert [reading.live_time_s for reading in readings] == pytest.approx([5.0, 0.07, 0.135])
    assert [reading.status for reading in readings] == [CountStatus.OK, CountStatus.RESYNCED, CountStatus.OK]


@pytest.mark.parametrize(
    ("code", "words"),
    [(0x02, "does not know this request"), (0x08, "FPGA is not initialised"), (0x42, "does not list")],
)
async def test_a_refusal_is_a_fault_in_words(code: int, words: str, tmp_path: Path) -> None:
    """An error that asking again will not cure is told at once, with the code as evidence."""
    instrument = Prepared(clear=[acknowledge(code)])
    with pytest.raises(DeviceFault, match=words) as fault:
        async with connected(instrument, tmp_path):
            pass
    assert fault.value.code == code
    assert instrument.asked == [ASK_STATUS, CLEAR_SPECTRUM]


async def test_the_refused_command_is_named(tmp_path: Path) -> None:
    """The command that a refusal echoes is told."""
    with pytest.raises(DeviceFault, match=r"bad parameter \(MCAC=300;\)"):
        async with connected(Prepared(clear=[acknowledge(0x05, b"MCAC=300;")]), tmp_path):
            pass


async def test_a_passing_refusal_is_asked_again(tmp_path: Path) -> None:
    """A request damaged on the line is sent again; an instrument that stays busy is a fault."""
    answers = [acknowledge(0x04), acknowledge(0x0D), spectrum({140: 5}, slow_counts=5)]
    async with connected(Prepared(spectrum=answers), tmp_path) as probe:
        assert (await anext(probe)).counts == 5
    async with connected(Prepared(spectrum=[acknowledge(0x0D)]), tmp_path) as probe:
        with pytest.raises(DeviceFault, match="busy: another interface"):
            await anext(probe)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_rebooted": True}, "it has restarted"),
        ({"is_time_reached": True}, "set PRET=OFF"),
        ({"is_count_reached": True}, "set PREC=OFF"),
        ({}, "perhaps by another program"),
    ],
)
async def test_a_stopped_instrument_gives_no_zeros(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    """When the MCA stops counting the driver ends with the reason, so that it is opened and started again."""
    answers = [spectrum({140: 5}, slow_counts=5), spectrum(is_mca_enabled=False, **changes)]
    async with connected(Prepared(spectrum=answers), tmp_path) as probe:
        assert (await anext(probe)).counts == 5
        with pytest.raises(DeviceUnavailable, match=words):
            await anext(probe)


async def test_a_window_beyond_the_spectrum_is_refused(tmp_path: Path) -> None:
    """A window that the instrument has no channels for is told with both numbers."""
    async with connected(Prepared(), tmp_path, energy_kev_per_channel=0.5) as probe:
        with pytest.raises(DeviceError, match="window ends at channel 308, the instrument has 256: set its MCAC"):
            await anext(probe)


async def test_something_else_on_the_port_is_told(tmp_path: Path) -> None:
    """What does not answer as a DP5, silent or talking, is named as such after three attempts."""
    for answer in (b"", b"OK radpro\r\n", acknowledge(0)):
        instrument = Prepared(status=[answer])
        with pytest.raises(DeviceTimeout, match="answers as an Amptek DP5: check its power"):
            async with connected(instrument, tmp_path, answer_s=0.05):
                pass
        assert instrument.asked == [ASK_STATUS] * 3


async def test_bytes_from_before_do_not_disturb_the_start(tmp_path: Path) -> None:
    """The tail of an answer and a whole spectrum from a former session are passed over."""
    status = Packet(pid=STATUS, payload=COUNTING.to_bytes()).to_bytes()
    old = spectrum({140: 99_999}, slow_counts=99_999)
    answers = [spectrum({140: 5}, slow_counts=5)]
    async with connected(Prepared(status=[old[400:] + old + status], spectrum=answers), tmp_path) as probe:
        assert (await anext(probe)).counts == 5


async def test_unplugging_is_unavailable(tmp_path: Path) -> None:
    """When the adapter is pulled, reading ends with words, whether waiting or asking."""
    settings = Settings(
        driver="amptek",
        port=str(tmp_path / "gamma"),
        window_kev=(126, 154),
        energy_kev_per_channel=1,
        interval_s=0.01,
    )
    async with (
        asyncio.timeout(10),
        open_pty_port(simulated(), tmp_path / "gamma") as port,
        settings.connect("gamma", clock=monotonic) as probe,
    ):
        await anext(probe)
        port.pull()
        with pytest.raises(DeviceUnavailable, match="is gone"):
            await take(probe, 100)


def test_the_poll_is_the_printed_packet() -> None:
    """Spectrum and status, and the same with clear, as the guide prints them in section 4.1.2."""
    assert bytes.fromhex("F5 FA 02 03 00 00 FE 0C") == POLL
    assert bytes.fromhex("F5 FA 02 04 00 00 FE 0B") == CLEARING_POLL


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window_kev": None}, "either window_kev or window_channels"),
        ({"window_channels": (1, 2)}, "either window_kev or window_channels"),
        ({"energy_kev_per_channel": None}, "window_kev needs energy_kev_per_channel"),
        ({"window_kev": (154, 126)}, "the window holds no channel"),
        ({"window_kev": (-1, 126)}, "window_kev"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"windowkev": (1, 2)}, "windowkev"),
        ({"silence_s": 0.95}, "less than or equal to 0.9"),
        ({"answer_s": 0.8, "silence_s": 0.8}, "answer_s .* must be below silence_s .* asked for again"),
        ({"interval_s": 0.9, "silence_s": 0.8}, r"\(0.9 \+ 0.25 s\) must be below silence_s \(0.8 s\)"),
        ({"interval_s": 0.6, "answer_s": 0.2, "silence_s": 0.8}, "must be below silence_s"),
    ],
)
def test_settings_that_cannot_be_are_named(changes: dict[str, Any], words: str) -> None:
    """A window given twice or upside down, or no time to ask again, is refused where it is written."""
    good = {"driver": "amptek", "port": "/dev/ttyUSB0", "window_kev": (126, 154), "energy_kev_per_channel": 1.0}
    assert Settings.model_validate(good).window() == range(126, 155)
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(good | changes)


async def test_the_measured_rate_is_the_true_one_at_a_high_rate(tmp_path: Path) -> None:
    """With a fifth of all events lost, fast and slow counts bring the true rate in the window back."""
    true_cps = 25_000.0
    async with connected(simulated(rate_cps=true_cps, dead_time_s=6e-6), tmp_path) as probe:
        readings = await take(probe, 20)
    counts = sum(reading.counts for reading in readings)
    lost = 1 - sum(reading.live_time_s for reading in readings) / sum(reading.real_time_s for reading in readings)
    rate_cps = sum(reading.counts for reading in readings) / sum(reading.live_time_s for reading in readings)
    assert 0.15 < lost < 0.25
    # 1 ms of 0.4 s, cut off once, and five standard errors
    assert abs(rate_cps / true_cps - 1) < 0.0025 + 5 / counts**0.5

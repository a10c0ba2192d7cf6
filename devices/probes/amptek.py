"""Amptek DP5 family (DP5, PX5, DP5G, TB5): a spectrum at each poll, counted in an energy window.

Over RS232 at 115200 baud 8N1 (DP5 Programmer's Guide Rev A7, section 3.3) the driver asks for spectrum and
status (02 03), which count on; a reading is the difference of two good answers. So an answer that is damaged or
lost costs no count: the next reading holds them, over a longer interval that is known as exactly. When a channel
or the time is half full the driver asks once with clear (02 04): the MCA copies the spectrum and clears it in the
same step, so that no event is lost there either (section 3.4).

A longer interval leaves no doubt about its counts: they are as good Poisson counts as any and begin where the
reading before ended, so its status stays ``OK``. What it costs is place: ``acquisition.synchronise`` gives every
count the pose at the middle of ``real_time_s``. For a probe that moves evenly that is the mean one, but the counts
come from all of its way in that time. The supervisor bounds it: after ``silence_s`` the probe is opened anew.
``RESYNCED`` is the reading before which counts are gone: after a restart, after a clearing by another program, or
where the one answer that was asked to clear is lost.

What its times mean (DP5 User Manual Rev A1, "Acquisition Time" and "Dead Time"; Amptek's note "Understanding
acquisition time, live time and dead time"):

- The accumulation time is the time in which spectrum and counters ran. It is no live time: it stands still
  while data are copied, but runs on while a pulse is being shaped, when a second one would be lost.
- The fast counter sees nearly every event, the slow one those that reached the spectrum. So the share that
  was lost is ``1 - slow / fast``, measured, whatever the dead time's kind, and the live time of the spectrum
  is ``accumulation * slow / fast``. This needs a fast threshold above the noise (``THFA``).
- Amptek advises to stay below 50 % lost; beyond that, by two standard errors, a reading is an overload.
- It counts whole milliseconds since the clearing: at 0.1 s the rate of one reading may be wrong by 1 % either
  way, but neighbours make up for each other, and over n readings it is 1 / n of that.
- Live time is taken from the differences of all three, so that it belongs to the same interval as the counts.

The interval of a reading ends where its answer begins; the copy before that takes 0.1 to 6 ms (section 3.4).
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import structlog

from devices.clock import Clock
from devices.errors import NOT_ITS_WORDS, DeviceError, DeviceFault, DeviceTimeout, DeviceUnavailable, FrameError
from devices.framing import Frame
from devices.links import open_link
from devices.probes.amptek_accumulation import Accumulation, Increment
from devices.probes.amptek_configuration import ConfiguredSettings, ask_settings, read_settings
from devices.probes.amptek_packets import (
    ACK_OK,
    ACK_OK_SHARING,
    ACK_WORDS,
    ACKNOWLEDGE,
    ASK_SETTINGS,
    ASK_SPECTRUM_STATUS,
    ASK_SPECTRUM_STATUS_CLEAR,
    ASK_STATUS,
    CLEAR_SPECTRUM,
    ENABLE_MCA,
    GREATEST_CHANNEL_COUNT,
    SETTINGS,
    SPECTRUM,
    STATUS,
    Packet,
    Pid,
    Spectrum,
    Status,
    answer_splitter,
)
from devices.protocols import ByteLink
from devices.readings import CountReading, CountStatus
from devices.traffic import Condition, Traffic

log = structlog.get_logger()

ATTEMPTS = 3
PASSING_FAULTS = frozenset({0x01, 0x03, 0x04, 0x0D})
"""A request damaged on the line, or an instrument busy: worth asking again."""
GREATEST_LOST = 0.5
"""Share of lost events that Amptek advises to stay below (DP5 User Manual Rev A1, "Dead Time")."""
CLEARING_PAUSE_S = 2.0
"""Shortest time from one clearing request to the next: longer than any answer may be late (``silence_s``), so that
the time at a clearing is never so short that the next answer could have passed it again unseen."""
KELVIN = 273.15
"""Of 0 degrees Celsius."""
POLL = Packet(pid=ASK_SPECTRUM_STATUS).to_bytes()
CLEARING_POLL = Packet(pid=ASK_SPECTRUM_STATUS_CLEAR).to_bytes()


class Amptek:
    """An open DP5: asks every ``interval_s``, and takes an answer whenever it comes.

    Nothing ties an answer to its request: each carries all time and counts so far. So one that comes late is
    as good as any other, one that comes twice adds nothing, and what is missing in one that is lost the next
    one brings. ``spectrum`` is the newest good one, with all that was counted since the clearing; None before it.
    """

    def __init__(self, device: str, link: ByteLink, settings: "Settings") -> None:
        self.identity = ""
        self._device = device
        self._link = link
        self._settings = settings
        self._splitter = answer_splitter()
        self._frames: deque[Frame] = deque()
        self._refused_requests = 0
        self._window = settings.window() or range(0)
        self._accumulation = Accumulation(is_neighbour=True)
        self._condition: Condition | None = None
        self._received_bytes = self._taken = self._resyncs = self._timeouts = 0
        self.spectrum: Spectrum | None = None
        self._is_clearing = False
        self._may_clear_at_s = 0.0
        self._is_awaiting = False
        self._asked_at_s = 0.0
        self._act_at_s = 0.0

    @property
    def rejected(self) -> int:
        """Runs of bytes refused since the link was opened."""
        return self._splitter.rejected

    @property
    def traffic(self) -> Traffic:
        """What came since the link was opened."""
        return Traffic(
            received_bytes=self._received_bytes,
            frames=self._taken + len(self._frames),
            resyncs=self._resyncs,
            timeouts=self._timeouts,
        )

    @property
    def condition(self) -> Condition | None:
        """Bias and temperatures of the newest status."""
        return self._condition

    @property
    def adapter(self) -> str:
        """The USB adapter that the link hangs on; empty where there is none."""
        return self._link.adapter

    async def start(self) -> None:
        """Learn who answers, clear the spectrum, and let it count.

        Raises
        ------
        DeviceTimeout
            If nothing that speaks this protocol answers.
        DeviceFault
            If the instrument refuses.
        DeviceError
            If it is set up otherwise than the site file says.

        """
        status = Status.from_bytes((await self._ask(ASK_STATUS, STATUS)).payload)
        self.identity = status.identity
        await self._check_settings()
        # cleared first: enabling has no effect after a preset count until then (section 4.1.22)
        await self._ask(CLEAR_SPECTRUM, ACK_OK)
        if not status.is_mca_enabled:
            await self._ask(ENABLE_MCA, ACK_OK)
            await self._ask(CLEAR_SPECTRUM, ACK_OK)
        self._accumulation = Accumulation(is_neighbour=not status.is_rebooted)
        self._asked_at_s = self._now_s()
        self._act_at_s = self._asked_at_s + self._settings.interval_s
        log.info("probe connected", device=self._device, identity=self.identity, bias_v=status.high_voltage_v)
        if not status.is_configured:
            log.warning("probe is not configured", device=self._device, advice="load its settings with DPPMCA")

    async def _check_settings(self) -> None:
        """Read back what the site file names, and take the window from the instrument where it says so."""
        if not self._settings.keys:
            return
        answer = await self._ask(ASK_SETTINGS, SETTINGS, ask_settings(self._settings.keys))
        try:
            told = read_settings(answer.payload)
        except FrameError as exc:
            raise DeviceError(self._device, f"{exc}: is it an Amptek DP5?") from exc
        log.info("probe settings", device=self._device, settings=told)
        if refusal := self._settings.refuse(told):
            raise DeviceError(self._device, f"the instrument is set up otherwise: {refusal}")
        self._window = self._settings.window() or self._settings.analysed(told) or range(0)

    def __aiter__(self) -> AsyncIterator[CountReading]:
        return self

    async def __anext__(self) -> CountReading:
        while True:
            while self._frames:
                reading = self._take(self._next())
                if reading is not None:
                    return reading
            if self._now_s() >= self._act_at_s:
                await self._poll()
            else:
                await self._listen()

    async def _poll(self) -> None:
        if self._is_awaiting:
            self._timeouts += 1
            self._frames.extend(self._splitter.give_up())
            log.debug("no answer", device=self._device)
        self._is_clearing = self._accumulation.is_half_full and self._now_s() >= self._may_clear_at_s
        await self._link.write(CLEARING_POLL if self._is_clearing else POLL)
        self._is_awaiting = True
        self._asked_at_s = self._now_s()
        if self._is_clearing:
            self._may_clear_at_s = self._asked_at_s + CLEARING_PAUSE_S
        self._act_at_s = self._asked_at_s + self._settings.answer_s

    async def _listen(self) -> None:
        """Take what comes until it is time to act."""
        try:
            async with asyncio.timeout_at(self._act_at_s):
                chunk = await self._link.read()
        except TimeoutError:
            return
        self._received_bytes += len(chunk.received)
        self._frames.extend(self._splitter.feed(chunk.received, chunk.arrived_at_s))
        if self._is_awaiting:
            self._act_at_s = self._now_s() + self._settings.answer_s

    def _next(self) -> Frame:
        self._taken += 1
        return self._frames.popleft()

    async def _ask(self, request: Pid, expected: Pid, payload: bytes = b"") -> Packet:
        """Send a request until it is answered, at most ``ATTEMPTS`` times."""
        for _ in range(ATTEMPTS):
            await self._link.write(Packet(pid=request, payload=payload).to_bytes())
            self._act_at_s = self._now_s() + self._settings.answer_s
            while self._frames or self._now_s() < self._act_at_s:
                while self._frames:
                    packet = Packet.from_bytes(self._next().raw)
                    if packet.pid == expected or (expected == ACK_OK and packet.pid == ACK_OK_SHARING):
                        return packet
                    if self._is_refusal(packet):
                        self._act_at_s = self._now_s()
                await self._listen()
            self._timeouts += 1
            self._frames.extend(self._splitter.give_up())
        raise DeviceTimeout(
            self._device,
            f"nothing at {self._settings.port} answers as an Amptek DP5: check its power, its cable and that its "
            f"RS232 is set to {self._settings.baud_rate} baud" + f", {NOT_ITS_WORDS}" * bool(self._received_bytes),
        )

    def _is_refusal(self, packet: Packet) -> bool:
        """Say whether a request was refused and is worth repeating; ``DeviceFault`` where it is not."""
        if packet.pid[0] != ACKNOWLEDGE or packet.pid in {ACK_OK, ACK_OK_SHARING}:
            return False
        code = packet.pid[1]
        self._refused_requests += 1
        if code not in PASSING_FAULTS or self._refused_requests >= ATTEMPTS:
            words = ACK_WORDS.get(code, "an error its manual does not list")
            echo = f" ({packet.payload.decode('ascii', 'backslashreplace')})" if packet.payload else ""
            raise DeviceFault(self._device, code, f"the instrument refuses: {words}{echo}")
        return True

    def _take(self, frame: Frame) -> CountReading | None:
        packet = Packet.from_bytes(frame.raw)
        if self._is_refusal(packet) or packet.pid[0] == SPECTRUM:
            self._is_awaiting = False
            self._act_at_s = self._asked_at_s + self._settings.interval_s
        if packet.pid[0] != SPECTRUM:
            return None
        spectrum = Spectrum.from_packet(packet)
        return self._read(spectrum, spectrum.status, frame.began_at_s) if spectrum.status is not None else None

    def _read(self, spectrum: Spectrum, status: Status, began_at_s: float) -> CountReading | None:
        self._refused_requests = 0
        if not status.is_mca_enabled:
            raise DeviceUnavailable(self._device, f"the instrument stopped counting: {_why_stopped(status)}")
        self._condition = Condition(
            told_at_s=began_at_s,
            board_degc=status.board_degc,
            detector_degc=status.detector_k - KELVIN if status.detector_k > 0 else None,
            high_voltage_v=status.high_voltage_v,
        )
        self.spectrum, window = spectrum, self._window
        if window.stop > len(spectrum.counts):
            raise DeviceError(
                self._device,
                f"the window ends at channel {window.stop - 1}, the instrument has {len(spectrum.counts)}: set "
                "its MCAC to more channels, or check energy_kev_per_channel in the site file",
            )
        increment = self._accumulation.advance(spectrum, status, is_cleared=self._is_clearing)
        if increment is None:
            return None
        slow = max(increment.slow_counts, 1)
        fast = max(increment.fast_counts, slow)
        self._resyncs += not increment.is_neighbour
        is_full = GREATEST_CHANNEL_COUNT in spectrum.counts[window.start : window.stop]
        return CountReading(
            device=self._device,
            taken_at_s=began_at_s - increment.accumulation_s,
            real_time_s=increment.accumulation_s,
            live_time_s=increment.accumulation_s * (slow / fast),
            counts=sum(increment.counts[window.start : window.stop]),
            dead_time_s=self._settings.dead_time_s,
            status=CountStatus.SATURATED if is_full else _judge(increment, slow, fast),
        )

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _judge(increment: Increment, slow: int, fast: int) -> CountStatus:
    # binomial standard error of the lost share, so that a few chance losses in a few events are no overload
    if 1 - slow / fast > GREATEST_LOST + 2 * math.sqrt(GREATEST_LOST * (1 - GREATEST_LOST) / fast):
        return CountStatus.OVERLOAD
    return CountStatus.OK if increment.is_neighbour else CountStatus.RESYNCED


def _why_stopped(status: Status) -> str:
    if status.is_rebooted:
        return "it has restarted; check its power supply"
    if status.is_time_reached:
        return "its preset time is over; set PRET=OFF"
    if status.is_count_reached:
        return "its preset count is reached; set PREC=OFF"
    return "its MCA was disabled, perhaps by another program"


class Settings(ConfiguredSettings):
    """An Amptek DP5, PX5, DP5G or TB5 in the site file.

    Attributes
    ----------
    baud_rate
        As set in the instrument: 115200 by default.
    interval_s
        At 115200 baud 256 channels take 74 ms, 1024 take 273 ms (section 3.4).
    answer_s
        Longest silence on the line after a request, s.

    """

    driver: Literal["amptek"]
    baud_rate: Literal[115200, 57600, 19200] = 115200

    @asynccontextmanager
    async def connect(self, device: str, *, clock: Clock) -> AsyncIterator[Amptek]:
        """Open the port, learn who answers and start counting; ``DeviceUnavailable`` or ``DeviceFault``."""
        async with open_link(self.port, device=device, baud_rate=self.baud_rate, clock=clock) as link:
            probe = Amptek(device, link, self)
            await probe.start()
            yield probe

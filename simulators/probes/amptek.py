"""A simulated Amptek DP5: makes a spectrum of what its crystal sees and answers requests for it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from devices.errors import FrameError
from devices.framing import PacketSplitter
from devices.probes.amptek_packets import (
    ACK_OK,
    ACKNOWLEDGE,
    ASK_SETTINGS,
    ASK_SPECTRUM_STATUS_CLEAR,
    ASK_STATUS,
    CLEAR_SPECTRUM,
    DISABLE_MCA,
    ENABLE_MCA,
    GREATEST_CHANNEL_COUNT,
    HEADER,
    SETTINGS,
    STATUS,
    SYNC,
    Packet,
    Spectrum,
    Status,
    measure_request,
)

PID_ERROR = (ACKNOWLEDGE, 0x02)
LENGTH_ERROR = (ACKNOWLEDGE, 0x03)
CHECKSUM_ERROR = (ACKNOWLEDGE, 0x04)
COMMAND_ERROR = (ACKNOWLEDGE, 0x07)
ASK_SPECTRUM = 0x02
"""PID1 of a request for the spectrum; PID2 1 plain, 2 and clear, 3 with status, 4 with status and clear."""
GREATEST_GAP_S = 0.1
"""After a longer pause within a request its beginning is forgotten, and nothing said (section 3.3)."""
LONGEST_UNCOUNTED_S = 1.0
"""Instrument seconds after which counts are collected even if nobody asks."""
COUNTER_RANGE = 1 << 32
"""Events after which the fast and the slow counter begin again, and milliseconds after which real time does."""
ACCUMULATION_RANGE_MS = 100 << 24
"""Milliseconds after which the accumulation time begins again: 24 bits of 100 ms."""
ELECTRON_KEV = 511.0
BIAS_V = 500.0
"""Of its detector, with a good supply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumShape:
    """Where a nuclide's events fall in the spectrum.

    Attributes
    ----------
    channels
        256 to 8192, as MCAC sets them.
    kev_per_channel, offset_kev
        Channel n holds the energy ``offset + n * slope``, keV.
    line_kev
        Energy of the photopeak, keV.
    resolution
        Full width at half maximum over energy: 0.08 for CsI with a photodiode at 140 keV.
    window_kev
        The window that the given events are counted in, keV.
    scatter_ratio
        Compton events in the crystal for each in the photopeak; they lie below the Compton edge.
    gain
        Pulse height over that for which the energy calibration was made: 1 until it drifts.

    """

    channels: int = 256
    kev_per_channel: float = 1.0
    offset_kev: float = 0.0
    line_kev: float = 140.5
    resolution: float = 0.08
    window_kev: tuple[float, float] = (126.0, 154.0)
    scatter_ratio: float = 0.6
    gain: float = 1.0

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shares of peak events and of scatter events in each channel, (channels,) each."""
        edges_kev = self._edges_kev() / self.gain
        # backscattered photon carries E / (1 + 2 E / 511 keV); the rest is the edge (Knoll, 2.III.B)
        edge_kev = self.line_kev - self.line_kev / (1 + 2 * self.line_kev / ELECTRON_KEV)
        middles_kev = (edges_kev[1:] + edges_kev[:-1]) / 2
        scatter = np.where((middles_kev > 0.1 * edge_kev) & (middles_kev < edge_kev), 1.0, 0.0)
        return self._peak(edges_kev), scatter / max(scatter.sum(), 1.0)

    def shares_of_window(self) -> NDArray[np.float64]:
        """Shares of peak events in each channel, (channels,), which the window holds until the gain drifts."""
        (inside,) = np.nonzero(self.is_inside())
        if not inside.size:
            return np.zeros(self.channels)
        edges_kev = self._edges_kev()
        window_kev = edges_kev[inside[0]], edges_kev[inside[-1] + 1]
        return self._peak(np.clip(edges_kev / self.gain, *window_kev))

    def _edges_kev(self) -> NDArray[np.float64]:
        """Give the edges of the channels, (channels + 1,), by the energy calibration."""
        return np.asarray(self.offset_kev + self.kev_per_channel * (np.arange(self.channels + 1) - 0.5))

    def _peak(self, edges_kev: NDArray[np.float64]) -> NDArray[np.float64]:
        sigma_kev = self.resolution * self.line_kev / 2.3548
        below = [(1 + erf((edge - self.line_kev) / (sqrt(2) * sigma_kev))) / 2 for edge in edges_kev]
        return np.diff(np.array(below))

    def is_inside(self) -> NDArray[np.bool_]:
        """Which channels lie in the window, (channels,)."""
        energies_kev = self.offset_kev + self.kev_per_channel * np.arange(self.channels)
        return (energies_kev >= self.window_kev[0]) & (energies_kev <= self.window_kev[1])


class SimulatedAmptek:
    """Accumulates a spectrum on its own clock; each event in the window is one ``events`` gave, but for a drift.

    Parameters
    ----------
    events
        True events in the window between two readings of the instrument's clock, s.
    powered_at_s
        Host monotonic clock at which it is switched on; its own clock starts there.
    rng
        Where it draws channels and what dead time takes.
    shape
        Where events fall.
    dead_time_s
        Non-paralysable, of all events, in the window or not.
    speed
        Instrument seconds in each host second.
    serial_number
        What it says of itself.
    is_counting
        Whether its MCA is enabled at power-on.
    is_loss_told
        Whether its fast channel counts what the slow one loses.
    high_voltage_v
        Bias of its detector that it tells, V.

    """

    def __init__(
        self,
        events: Callable[[float, float], int],
        *,
        powered_at_s: float,
        rng: np.random.Generator,
        shape: SpectrumShape | None = None,
        dead_time_s: float = 5e-6,
        speed: float = 1.0,
        serial_number: int = 12345,
        is_counting: bool = True,
        is_loss_told: bool = True,
        high_voltage_v: float = BIAS_V,
    ) -> None:
        self._events = events
        self._rng = rng
        self._shape = shape or SpectrumShape()
        self._dead_time_s = dead_time_s
        self._speed = speed
        self._serial_number = serial_number
        self._powered_at_s = powered_at_s
        peak, self._scatter = self._shape.shares()
        self._in_window = self._shape.shares_of_window()
        self._beside = peak - self._in_window
        self.configuration = {"MCAC": str(self._shape.channels), "GAIN": "10.000", "THFA": "20.00"}
        self.analysers = dict.fromkeys(range(1, 17), (0, self._shape.channels - 1))
        self._share_given = float(self._in_window.sum())
        if not self._share_given > 0:
            raise ValueError(f"no event of {self._shape.line_kev} keV falls into {self._shape.window_kev} keV")
        self._heard_s = powered_at_s
        self._has_bad_request = False
        self._requests = self._splitter()
        self._is_counting = is_counting
        self._is_loss_told = is_loss_told
        self._high_voltage_v = high_voltage_v
        self._is_rebooted = True
        self._counted_to_s = powered_at_s
        self._clear()

    def receive(self, sent: bytes, now_s: float) -> bytes:
        """Answer each whole request; a damaged one with a checksum error."""
        self._count(now_s)
        if now_s - self._heard_s > GREATEST_GAP_S:
            self._requests = self._splitter()
        self._heard_s = now_s
        answers = [self._answer(Packet.from_bytes(frame.raw)) for frame in self._requests.feed(sent, now_s)]
        if self._has_bad_request:
            self._has_bad_request = False
            answers.append(Packet(pid=CHECKSUM_ERROR))
        return b"".join(answer.to_bytes() for answer in answers)

    def tick(self, now_s: float) -> bytes:
        """Send nothing unasked; only keep up with what is counted."""
        if self._instrument_s(now_s) - self._counted_to_s > LONGEST_UNCOUNTED_S:
            self._count(now_s)
        return b""

    def restart(self) -> None:
        """Lose power for a moment: the spectrum is gone and counting is off until it is enabled again."""
        self._is_rebooted = True
        self._is_counting = False
        self._clear()

    def _splitter(self) -> PacketSplitter:
        return PacketSplitter(
            sync=SYNC, header_length=HEADER.size, measure=measure_request, check=self._check_request
        )

    def _check_request(self, raw: bytes) -> None:
        try:
            Packet.from_bytes(raw)
        except FrameError:
            self._has_bad_request = True
            raise

    def _instrument_s(self, now_s: float) -> float:
        return self._powered_at_s + (now_s - self._powered_at_s) * self._speed

    def _clear(self) -> None:
        self._channels = np.zeros(self._shape.channels, dtype=np.int64)
        self._accumulated_s = 0.0
        self._fast_counts = 0

    def _count(self, now_s: float) -> None:
        """Bring the spectrum up to now."""
        start_s, self._counted_to_s = self._counted_to_s, self._instrument_s(now_s)
        interval_s = self._counted_to_s - start_s
        if not self._is_counting or interval_s <= 0:
            return
        inside = self._events(start_s, self._counted_to_s)
        drawn = self._rng.multinomial(inside, self._in_window / self._share_given)
        # those of the same peak that fall beside the window come on top
        drawn += self._rng.poisson(self._beside * inside / self._share_given)
        drawn += self._rng.poisson(self._scatter * (self._shape.scatter_ratio * inside / self._share_given))
        came = int(drawn.sum())
        counted = self._rng.binomial(drawn, 1 / (1 + came * self._dead_time_s / interval_s))
        self._channels += counted
        self._fast_counts += came if self._is_loss_told else int(counted.sum())
        self._accumulated_s += interval_s

    def _answer(self, request: Packet) -> Packet:
        if request.pid == ASK_SETTINGS:
            return self._tell(request.payload.decode("ascii", "replace"))
        if request.payload:
            return Packet(pid=LENGTH_ERROR)
        if request.pid == ASK_STATUS:
            return Packet(pid=STATUS, payload=self._status().to_bytes())
        if request.pid[0] == ASK_SPECTRUM and 1 <= request.pid[1] <= ASK_SPECTRUM_STATUS_CLEAR[1]:
            has_status, is_cleared = request.pid[1] >= 3, request.pid[1] % 2 == 0
            counts = tuple(np.minimum(self._channels, GREATEST_CHANNEL_COUNT).tolist())
            answer = Spectrum(counts=counts, status=self._status() if has_status else None).to_packet()
            if is_cleared:
                self._clear()
            return answer
        if request.pid == CLEAR_SPECTRUM:
            self._clear()
        elif request.pid in {ENABLE_MCA, DISABLE_MCA}:
            self._is_counting = request.pid == ENABLE_MCA
        else:
            return Packet(pid=PID_ERROR)
        return Packet(pid=ACK_OK)

    def _tell(self, asked: str) -> Packet:
        """Tell each setting that is asked for; ``SCAI=n`` chooses an analyser."""
        told, analyser = "", 1
        for part in asked.rstrip(";").split(";"):
            key, _, value = part.partition("=")
            if key == "SCAI" and value:
                analyser = int(value)
            low, high = self.analysers[analyser]
            known = self.configuration | {"SCAI": str(analyser), "SCAL": str(low), "SCAH": str(high)}
            if key not in known:
                return Packet(pid=COMMAND_ERROR, payload=f"{part};".encode())
            told += f"{key}={known[key]};"
        return Packet(pid=SETTINGS, payload=told.encode())

    def _status(self) -> Status:
        # its clock counts whole milliseconds; it and its counters begin again at 0 when they are full
        accumulated_ms = int(self._accumulated_s * 1000)
        status = Status(
            fast_counts=self._fast_counts % COUNTER_RANGE,
            slow_counts=int(self._channels.sum()) % COUNTER_RANGE,
            accumulation_s=accumulated_ms % ACCUMULATION_RANGE_MS / 1000,
            real_time_s=accumulated_ms % COUNTER_RANGE / 1000,
            firmware=(6, 8),
            build=0,
            fpga=(6, 3),
            serial_number=self._serial_number,
            high_voltage_v=self._high_voltage_v,
            detector_k=253.0,
            board_degc=31,
            is_mca_enabled=self._is_counting,
            is_time_reached=False,
            is_count_reached=False,
            is_configured=True,
            is_rebooted=self._is_rebooted,
            device_id=0,
        )
        self._is_rebooted = False
        return status

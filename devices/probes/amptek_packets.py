"""Amptek DP5 family: the packets, byte for byte (DP5 Programmer's Guide Rev A7, section 4).

Every packet, both ways::

    F5 FA | PID1 PID2 | LEN (2, big-endian) | DATA (LEN) | CHECKSUM (2, big-endian)

The checksum is the two's complement of the 16-bit sum of all bytes before it. The payload is little-endian.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from devices.errors import FrameError
from devices.framing import PacketSplitter

SYNC: Final = b"\xf5\xfa"
HEADER: Final = struct.Struct(">2sBBH")
STATUS_LENGTH: Final = 64
CHANNELS: Final = (256, 512, 1024, 2048, 4096, 8192)
GREATEST_REQUEST: Final = 512
"""Most payload bytes of a request; an acknowledgement echoes no more than that."""
GREATEST_CHANNEL_COUNT: Final = 0xFFFFFF
"""A channel is 24 bits."""
GREATEST_ACCUMULATION_S: Final = (99 + 100 * 0xFFFFFF) / 1000
"""The accumulation time is a byte of milliseconds and 24 bits of 100 ms: 19 days."""

Pid: TypeAlias = tuple[int, int]
"""What a packet is: PID1, PID2 (tables 1 to 3)."""

ASK_STATUS: Final[Pid] = (0x01, 0x01)
ASK_SPECTRUM_STATUS: Final[Pid] = (0x02, 0x03)
"""Spectrum and status, and both count on (4.1.2)."""
ASK_SPECTRUM_STATUS_CLEAR: Final[Pid] = (0x02, 0x04)
"""Spectrum and status, cleared as they are copied (4.1.2)."""
ASK_SETTINGS: Final[Pid] = (0x20, 0x03)
"""Settings as text; the payload names them."""
CLEAR_SPECTRUM: Final[Pid] = (0xF0, 0x01)
ENABLE_MCA: Final[Pid] = (0xF0, 0x02)
DISABLE_MCA: Final[Pid] = (0xF0, 0x03)
STATUS: Final[Pid] = (0x80, 0x01)
SETTINGS: Final[Pid] = (0x82, 0x07)
SPECTRUM: Final = 0x81
"""PID1 of a spectrum. PID2 is odd without status, even with: 1, 2 for 256 channels up to 11, 12 for 8192."""
ACKNOWLEDGE: Final = 0xFF
ACK_OK: Final[Pid] = (ACKNOWLEDGE, 0x00)
ACK_OK_SHARING: Final[Pid] = (ACKNOWLEDGE, 0x0C)
"""Done, and another computer asks for the instrument (4.3.2)."""
ACK_WORDS: Final = {
    0x01: "sync error",
    0x02: "it does not know this request (PID error)",
    0x03: "length error",
    0x04: "checksum error",
    0x05: "bad parameter",
    0x06: "bad hex record",
    0x07: "it does not know this command",
    0x08: "its FPGA is not initialised: switch it off and on",
    0x09: "its Ethernet chip was not found",
    0x0A: "no oscilloscope trace is there",
    0x0B: "its power board (PC5) is not there",
    0x0D: "busy: another interface (USB or Ethernet) is in use",
    0x0E: "I2C error",
    0x10: "its FPGA version cannot do this",
    0x11: "its calibration is missing",
}
DEVICE_NAMES: Final = {0: "DP5", 1: "PX5", 2: "DP5G", 3: "MCA8000D", 4: "TB5"}


def checksum(body: bytes) -> int:
    """Two's complement of the 16-bit sum (section 4)."""
    return -sum(body) & 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet, either way."""

    pid: Pid
    payload: bytes = b""

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read one whole packet; ``FrameError`` if it is damaged."""
        if len(raw) < HEADER.size + 2:
            raise FrameError(f"{len(raw)} bytes are no Amptek packet", raw)
        sync, pid1, pid2, length = HEADER.unpack_from(raw)
        if sync != SYNC:
            raise FrameError("an Amptek packet begins with F5 FA", raw)
        if len(raw) != HEADER.size + length + 2:
            raise FrameError(f"packet says {length} payload bytes, {len(raw) - HEADER.size - 2} are there", raw)
        if sum(raw[:-2]) + int.from_bytes(raw[-2:]) & 0xFFFF:
            raise FrameError(f"checksum of packet {pid1:02X} {pid2:02X} is wrong", raw)
        return cls(pid=(pid1, pid2), payload=raw[HEADER.size : -2])

    def to_bytes(self) -> bytes:
        """Write the packet with its checksum."""
        body = HEADER.pack(SYNC, *self.pid, len(self.payload)) + self.payload
        return body + checksum(body).to_bytes(2)


def measure_answer(header: bytes) -> int:
    """Whole length of an answer by its header; ``FrameError`` for one that we never ask for.

    A spectrum's and a status' length follows from its PID, so a damaged length is found out at once.
    """
    _, pid1, pid2, length = HEADER.unpack(header)
    if (pid1, pid2) == STATUS:
        expected = STATUS_LENGTH
    elif pid1 == SPECTRUM and 1 <= pid2 <= 2 * len(CHANNELS):
        expected = 3 * CHANNELS[(pid2 - 1) // 2] + (STATUS_LENGTH if pid2 % 2 == 0 else 0)
    elif ((pid1, pid2) == SETTINGS or pid1 == ACKNOWLEDGE) and length <= GREATEST_REQUEST:
        expected = int(length)
    else:
        raise FrameError(f"packet {pid1:02X} {pid2:02X} is no answer to this driver", header)
    if length != expected:
        raise FrameError(f"packet {pid1:02X} {pid2:02X} has {expected} payload bytes, not {length}", header)
    return HEADER.size + expected + 2


def measure_request(header: bytes) -> int:
    """Whole length of a request by its header; ``FrameError`` if it is longer than the instrument takes."""
    _, pid1, pid2, length = HEADER.unpack(header)
    if length > GREATEST_REQUEST:
        raise FrameError(f"request {pid1:02X} {pid2:02X} claims {length} payload bytes", header)
    return HEADER.size + int(length) + 2


def _check(raw: bytes) -> None:
    Packet.from_bytes(raw)


def answer_splitter() -> PacketSplitter:
    """Cut what the instrument sends."""
    return PacketSplitter(sync=SYNC, header_length=HEADER.size, measure=measure_answer, check=_check)


def request_splitter() -> PacketSplitter:
    """Cut what the instrument is sent."""
    return PacketSplitter(sync=SYNC, header_length=HEADER.size, measure=measure_request, check=_check)


_COUNTERS = struct.Struct("<IIIB3sIIBBI")
_SENSORS = struct.Struct(">hHbBBBBB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The 64 status bytes (section 4.2.1).

    Attributes
    ----------
    fast_counts
        Events of the fast channel since the spectrum was cleared: all that came, but for its own 100 ns or so;
        32 bits.
    slow_counts
        Events of the shaped channel since then: all that the spectrum holds; 32 bits.
    accumulation_s
        Time since then in which spectrum and both counters ran, s, in whole milliseconds; it stands still
        while the spectrum is copied (0.1-6 ms each), while the preamplifier resets and while the gate is
        closed.
    real_time_s
        Time since the spectrum was cleared, s.
    firmware, fpga
        Major and minor version.
    build
        Build number of the firmware.
    serial_number
        None where the instrument has none.
    high_voltage_v, detector_k, board_degc
        Bias, detector temperature (K), board temperature (degrees Celsius).
    is_mca_enabled
        Counting.
    is_time_reached, is_count_reached
        Stopped by a preset.
    is_configured
        Has been given its settings.
    is_rebooted
        First status since a restart.
    device_id
        Model, see ``DEVICE_NAMES``.

    """

    fast_counts: int
    slow_counts: int
    accumulation_s: float
    real_time_s: float
    firmware: tuple[int, int]
    build: int
    fpga: tuple[int, int]
    serial_number: int | None
    high_voltage_v: float
    detector_k: float
    board_degc: int
    is_mca_enabled: bool
    is_time_reached: bool
    is_count_reached: bool
    is_configured: bool
    is_rebooted: bool
    device_id: int

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read 64 bytes; ``FrameError`` if there are not as many."""
        if len(raw) != STATUS_LENGTH:
            raise FrameError(f"an Amptek status has {STATUS_LENGTH} bytes, not {len(raw)}", raw)
        fast, slow, _, milliseconds, tenths, _, real_ms, firmware, fpga, serial = _COUNTERS.unpack_from(raw)
        bias, detector, board, flags, more_flags, build, _, device_id = _SENSORS.unpack_from(raw, 30)
        return cls(
            fast_counts=fast,
            slow_counts=slow,
            accumulation_s=(milliseconds + 100 * int.from_bytes(tenths, "little")) / 1000,
            real_time_s=real_ms / 1000,
            firmware=(firmware >> 4, firmware & 0x0F),
            build=build & 0x0F,
            fpga=(fpga >> 4, fpga & 0x0F),
            serial_number=serial if serial < 0x80000000 else None,
            high_voltage_v=0.5 * bias,
            detector_k=(detector & 0x0FFF) / 10,
            board_degc=board,
            is_mca_enabled=bool(flags & 0x20),
            is_time_reached=bool(flags & 0x80),
            is_count_reached=bool(flags & 0x10),
            is_configured=bool(flags & 0x02),
            is_rebooted=bool(more_flags & 0x20),
            device_id=device_id,
        )

    def to_bytes(self) -> bytes:
        """Write the 64 bytes."""
        accumulated_ms = round(1000 * self.accumulation_s)
        counters = _COUNTERS.pack(
            self.fast_counts,
            self.slow_counts,
            0,
            accumulated_ms % 100,
            (accumulated_ms // 100).to_bytes(3, "little"),
            0,
            round(1000 * self.real_time_s),
            self.firmware[0] << 4 | self.firmware[1],
            self.fpga[0] << 4 | self.fpga[1],
            self.serial_number if self.serial_number is not None else 0xFFFFFFFF,
        )
        flags = (
            0x80 * self.is_time_reached
            | 0x20 * self.is_mca_enabled
            | 0x10 * self.is_count_reached
            | 0x02 * self.is_configured
        )
        sensors = _SENSORS.pack(
            round(2 * self.high_voltage_v),
            round(10 * self.detector_k),
            self.board_degc,
            flags,
            0x20 * self.is_rebooted,
            self.build,
            0,
            self.device_id,
        )
        return (counters + sensors).ljust(STATUS_LENGTH, b"\0")

    @property
    def identity(self) -> str:
        """Model, serial number and firmware, as a person would say them."""
        model = DEVICE_NAMES.get(self.device_id, f"model {self.device_id}")
        serial = "without serial number" if self.serial_number is None else f"serial number {self.serial_number}"
        return f"Amptek {model}, {serial}, firmware {self.firmware[0]}.{self.firmware[1]:02}.{self.build:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """A spectrum, channel 0 first, and the status taken with it."""

    counts: tuple[int, ...]
    status: Status | None = None

    @classmethod
    def from_packet(cls, packet: Packet) -> Self:
        """Read packets 81 01 to 81 0C; ``FrameError`` for any other."""
        raw = packet.to_bytes()
        if packet.pid[0] != SPECTRUM or measure_answer(raw[: HEADER.size]) != len(raw):
            raise FrameError(f"packet {packet.pid[0]:02X} {packet.pid[1]:02X} is no spectrum", raw)
        end = 3 * CHANNELS[(packet.pid[1] - 1) // 2]
        low, middle, high = packet.payload[0:end:3], packet.payload[1:end:3], packet.payload[2:end:3]
        return cls(
            counts=tuple(a | b << 8 | c << 16 for a, b, c in zip(low, middle, high, strict=True)),
            status=Status.from_bytes(packet.payload[end:]) if packet.pid[1] % 2 == 0 else None,
        )

    def to_packet(self) -> Packet:
        """Write the packet that an instrument set to as many channels sends."""
        pid2 = 2 * CHANNELS.index(len(self.counts)) + (1 if self.status is None else 2)
        payload = b"".join(count.to_bytes(3, "little") for count in self.counts)
        return Packet(
            pid=(SPECTRUM, pid2), payload=payload + (self.status.to_bytes() if self.status is not None else b"")
        )

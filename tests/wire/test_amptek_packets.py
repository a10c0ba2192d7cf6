"""Amptek packets against the bytes printed in the DP5 Programmer's Guide Rev A7."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.errors import FrameError
from devices.probes.amptek_packets import (
    ACK_OK,
    ACK_OK_SHARING,
    ASK_SPECTRUM_STATUS,
    ASK_SPECTRUM_STATUS_CLEAR,
    ASK_STATUS,
    CHANNELS,
    CLEAR_SPECTRUM,
    DISABLE_MCA,
    ENABLE_MCA,
    HEADER,
    STATUS,
    Packet,
    Pid,
    Spectrum,
    Status,
    answer_splitter,
    measure_answer,
    measure_request,
    request_splitter,
)


@pytest.mark.parametrize(
    ("printed", "pid"),
    [
        # section 4.1, "Value" rows: sync, PID1, PID2, LEN, checksum
        ("F5 FA 01 01 00 00 FE 0F", ASK_STATUS),
        ("F5 FA 02 01 00 00 FE 0E", (2, 1)),
        ("F5 FA 02 02 00 00 FE 0D", (2, 2)),
        ("F5 FA 02 03 00 00 FE 0C", ASK_SPECTRUM_STATUS),
        ("F5 FA 02 04 00 00 FE 0B", ASK_SPECTRUM_STATUS_CLEAR),
        ("F5 FA F0 01 00 00 FD 20", CLEAR_SPECTRUM),
        ("F5 FA F0 02 00 00 FD 1F", ENABLE_MCA),
        ("F5 FA F0 03 00 00 FD 1E", DISABLE_MCA),
        # section 4.3, acknowledge packets
        ("F5 FA FF 00 00 00 FD 12", ACK_OK),
        ("F5 FA FF 0C 00 00 FD 06", ACK_OK_SHARING),
        ("F5 FA FF 01 00 00 FD 11", (0xFF, 1)),
        ("F5 FA FF 02 00 00 FD 10", (0xFF, 2)),
        ("F5 FA FF 03 00 00 FD 0F", (0xFF, 3)),
        ("F5 FA FF 04 00 00 FD 0E", (0xFF, 4)),
    ],
)
def test_printed_packets(printed: str, pid: Pid) -> None:
    """Every packet printed in the guide is written, and read, byte for byte."""
    raw = bytes.fromhex(printed)
    assert Packet(pid=pid).to_bytes() == raw
    assert Packet.from_bytes(raw) == Packet(pid=pid)


@pytest.mark.parametrize(
    ("pid2", "printed_length"),
    # table 2 of the guide: LEN MSB, LEN LSB of each spectrum packet
    [
        (1, 0x0300),
        (2, 0x0340),
        (3, 0x0600),
        (4, 0x0640),
        (5, 0x0C00),
        (6, 0x0C40),
        (7, 0x1800),
        (8, 0x1840),
        (9, 0x3000),
        (10, 0x3040),
        (11, 0x6000),
        (12, 0x6040),
    ],
)
def test_printed_lengths(pid2: int, printed_length: int) -> None:
    """Spectra of all sizes, with status and without, have the length that table 2 prints."""
    header = bytes([0xF5, 0xFA, 0x81, pid2]) + printed_length.to_bytes(2)
    assert measure_answer(header) == 8 + printed_length
    with pytest.raises(FrameError):
        measure_answer(header[:4] + (printed_length + 1).to_bytes(2))


def _status_by_the_table() -> bytes:
    """Lay out 64 status bytes by the offsets of section 4.2.1, with no help from the codec."""
    raw = bytearray(64)
    raw[0:4] = bytes([0x10, 0x27, 0x00, 0x00])  # fast count 10,000, LSB first
    raw[4:8] = bytes([0x28, 0x23, 0x00, 0x00])  # slow count 9,000
    raw[12] = 57  # accumulation time, 1 ms each
    raw[13:16] = bytes([0x2C, 0x01, 0x00])  # 300 times 100 ms
    raw[20:24] = bytes([0xA4, 0x75, 0x00, 0x00])  # real time 30,116 ms
    raw[24] = 0x68  # firmware 6.08
    raw[25] = 0x63  # FPGA 6.03
    raw[26:30] = bytes([0x39, 0x30, 0x00, 0x00])  # serial number 12345
    raw[30:32] = bytes([0xFE, 0x0C])  # -500 times 0.5 V, MSB first
    raw[32:34] = bytes([0xF9, 0xE2])  # unused nibble set; 2530 times 0.1 K
    raw[34] = 0xFB  # -5 degrees Celsius
    raw[35] = 0x22  # MCA enabled, configured
    raw[36] = 0x20  # first status since a reboot
    raw[37] = 0xA3  # build 3; the upper bits are to be ignored
    raw[39] = 1  # PX5
    return bytes(raw)


def test_status_by_the_table() -> None:
    """Status bytes laid out by the guide's table decode to what was laid out."""
    status = Status.from_bytes(_status_by_the_table())
    assert status == Status(
        fast_counts=10_000,
        slow_counts=9_000,
        accumulation_s=30.057,
        real_time_s=30.116,
        firmware=(6, 8),
        build=3,
        fpga=(6, 3),
        serial_number=12345,
        high_voltage_v=-250.0,
        detector_k=253.0,
        board_degc=-5,
        is_mca_enabled=True,
        is_time_reached=False,
        is_count_reached=False,
        is_configured=True,
        is_rebooted=True,
        device_id=1,
    )
    assert status.identity == "Amptek PX5, serial number 12345, firmware 6.08.03"
    assert Status.from_bytes(status.to_bytes()) == status


@pytest.mark.parametrize(
    ("offset", "bit", "name"),
    [(35, 7, "is_time_reached"), (35, 5, "is_mca_enabled"), (35, 4, "is_count_reached"), (35, 1, "is_configured")],
)
def test_flags_by_the_table(offset: int, bit: int, name: str) -> None:
    """Each flag of byte 35 is the bit that the guide says, and no other."""
    raw = bytearray(64)
    raw[offset] = 1 << bit
    status = Status.from_bytes(bytes(raw))
    flags = {"is_time_reached", "is_mca_enabled", "is_count_reached", "is_configured", "is_rebooted"}
    assert {flag for flag in flags if getattr(status, flag)} == {name}


def test_no_serial_number() -> None:
    """A serial number with its highest bit set means there is none."""
    raw = bytearray(_status_by_the_table())
    raw[26:30] = b"\xff\xff\xff\xff"
    status = Status.from_bytes(bytes(raw))
    assert status.serial_number is None
    assert "without serial number" in status.identity


def test_channels_are_three_bytes_least_first() -> None:
    """Channel data are 3 bytes each, LSB first, channel 0 first (section 4.2.13)."""
    payload = bytearray(768 + 64)
    payload[0:3] = bytes([1, 0, 0])
    payload[3:6] = bytes([0x56, 0x34, 0x12])
    payload[765:768] = bytes([0xFF, 0xFF, 0xFF])
    payload[768:] = _status_by_the_table()
    spectrum = Spectrum.from_packet(Packet(pid=(0x81, 2), payload=bytes(payload)))
    assert spectrum.counts[:3] == (1, 0x123456, 0)
    assert spectrum.counts[255] == 0xFFFFFF
    assert spectrum.status is not None
    assert spectrum.status.slow_counts == 9_000


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("has_status", [True, False])
def test_spectra_of_all_sizes(channels: int, *, has_status: bool) -> None:
    """A spectrum of each size comes back from its packet as it was."""
    status = Status.from_bytes(_status_by_the_table()) if has_status else None
    spectrum = Spectrum(counts=tuple(range(channels)), status=status)
    raw = spectrum.to_packet().to_bytes()
    frames = answer_splitter().feed(raw, 0.0)
    assert [frame.raw for frame in frames] == [raw]
    assert Spectrum.from_packet(Packet.from_bytes(raw)) == spectrum


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes.fromhex("F5FA0101"),
        bytes.fromhex("F5FA01010000FE0E"),
        bytes.fromhex("FAF501010000FE0F"),
        bytes.fromhex("F5FA01010001FE0F"),
        bytes.fromhex("F5FA01010000FE0F00"),
    ],
)
def test_damaged_packets_are_refused(raw: bytes) -> None:
    """Short, wrongly summed, wrongly begun and wrongly measured packets are refused."""
    with pytest.raises(FrameError):
        Packet.from_bytes(raw)


def test_a_spectrum_is_not_read_from_another_packet() -> None:
    """A status packet, or a spectrum with a channel missing, is no spectrum."""
    for packet in (Packet(pid=STATUS, payload=bytes(64)), Packet(pid=(0x81, 2), payload=bytes(829))):
        with pytest.raises(FrameError):
            Spectrum.from_packet(packet)


def test_a_request_is_bounded() -> None:
    """A request that claims more than 512 payload bytes is refused by its header."""
    assert measure_request(HEADER.pack(b"\xf5\xfa", 0x20, 2, 512)) == 520
    with pytest.raises(FrameError):
        measure_request(HEADER.pack(b"\xf5\xfa", 0x20, 2, 513))


PIDS = st.tuples(st.integers(0, 255), st.integers(0, 255))


@given(pid=PIDS, payload=st.binary(max_size=512))
def test_packets_round_trip(pid: Pid, payload: bytes) -> None:
    """Any packet comes back from its bytes, whole and through the splitter."""
    raw = Packet(pid=pid, payload=payload).to_bytes()
    assert Packet.from_bytes(raw) == Packet(pid=pid, payload=payload)
    assert [frame.raw for frame in request_splitter().feed(raw, 0.0)] == [raw]


@given(payload=st.binary(max_size=64), bit=st.integers(min_value=0))
def test_one_flipped_bit_is_always_found(payload: bytes, bit: int) -> None:
    """A single flipped bit, wherever it is, is refused and the next packet is still read."""
    raw = bytearray(Packet(pid=ACK_OK, payload=payload).to_bytes())
    index, place = divmod(bit % (8 * len(raw)), 8)
    raw[index] ^= 1 << place
    with pytest.raises(FrameError):
        Packet.from_bytes(bytes(raw))
    splitter = answer_splitter()
    good = Packet(pid=ACK_OK).to_bytes()
    # a false length may wait for up to 512 bytes more than there are; giving up finds what it swallowed
    frames = splitter.feed(bytes(raw) + good, 0.0) + splitter.give_up()
    assert frames[-1].raw == good


@settings(max_examples=50)
@given(noise=st.binary(max_size=3000), chunk=st.integers(1, 700))
def test_garbage_leaves_the_buffer_bounded(noise: bytes, chunk: int) -> None:
    """Noise gives no exception, is held no longer than the longest packet, and hides no packet behind it."""
    splitter = answer_splitter()
    for start in range(0, len(noise), chunk):
        splitter.feed(noise[start : start + chunk], 0.0)
        assert len(splitter._held) <= 8 * 1024 * 3 + 64 + 8
    good = Packet(pid=STATUS, payload=_status_by_the_table()).to_bytes()
    frames = splitter.feed(good, 1.0)
    for _ in range(len(noise)):
        if frames and frames[-1].raw == good:
            break
        frames += splitter.give_up()
    assert frames[-1].raw == good
